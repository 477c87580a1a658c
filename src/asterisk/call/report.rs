//! What people see of a call: its view, its totals, its control messages where they are asked for.

use std::sync::atomic::Ordering;

use super::Call;
use crate::asterisk::bridge_technology;
use crate::asterisk::call_report::CallReport;
use crate::asterisk::channel::Locked;
use crate::asterisk::log as host_log;

impl Call {
    /// The call as it is now, for an operator.
    pub(crate) fn report(&self) -> CallReport<'_> {
        let (link_state, connection) = (self.link.state(), self.link.connection());
        let session = self.session.lock();
        CallReport {
            call: self,
            link_state,
            connection,
            status: session.status(),
            stats: session.stats(),
            direction: session.direction(),
            is_unread: session.holds(),
            queued: session.queued_media(),
        }
    }

    /// Frames of the core that were in a wrong format.
    pub(crate) fn wrong_format_frames(&self) -> u64 {
        self.wrong_format_frames.load(Ordering::Relaxed)
    }

    /// What only the channel knows, for a console: waits for its lock.
    pub(crate) fn channel_facts(&self) -> Vec<(String, String)> {
        let Some(channel) = self.channel() else { return Vec::new() };
        let (name, state) = {
            let guard = channel.lock();
            (guard.locked().name(), guard.locked().state())
        };
        let mut facts = vec![("channel_state".to_owned(), state)];
        if name != self.name() {
            facts.push(("channel_now".to_owned(), name));
        }
        facts.push(("bridged_with".to_owned(), channel.bridge_peer().unwrap_or_else(|| "-".to_owned())));
        facts.push(("bridge".to_owned(), bridge_technology::describe(&channel, self)));
        facts
    }

    /// Leaves the totals in the channel's variables, once: when the connection ends, else at the hangup.
    pub(crate) fn leave_totals(&self, channel: Locked<'_>) {
        if !self.totals_left.swap(true, Ordering::Relaxed) {
            for (variable, _, value) in self.report().left() {
                channel.set_variable(variable, &value.to_string());
            }
        }
    }

    /// The call in one line.
    pub(super) fn summary(&self) -> String {
        let view = self.report();
        let left = view.left().map(|(_, name, value)| format!("{name} {value}"));
        left.collect::<Vec<_>>().join(", ")
    }

    /// For debug messages.
    pub(super) fn session_state(&self) -> String {
        let session = self.session.lock();
        let (status, direction) = (session.status(), session.direction());
        format!("{status:?}, direction {}", direction.as_str())
    }

    /// Whether this call's control messages are shown at the console.
    pub(crate) fn is_debugged(&self) -> bool {
        self.debug.load(Ordering::Relaxed) || self.driver.debug.wants_all()
    }

    /// Shows them, or shows them no more.
    pub(crate) fn set_debug(&self, on: bool) {
        self.debug.store(on, Ordering::Relaxed);
    }

    /// Shows what concerns the application at this address, if that is asked for.
    pub(super) fn show_about_peer(&self, what: impl FnOnce(&str) -> String) {
        if self.is_debugged() {
            let connection = self.connection();
            let text = what(connection.as_ref().map_or("-", |connection| &connection.peer));
            self.show(format_args!("{text}"));
        }
    }

    /// Shows something of them, if that is asked for.
    pub(crate) fn show(&self, what: std::fmt::Arguments<'_>) {
        if self.is_debugged() {
            host_log::verbose(&format!("{}: {what}", self.name()));
        }
    }
}
