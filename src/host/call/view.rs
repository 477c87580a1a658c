//! What people see of a call: its view, its totals, its control messages where they are asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Call;
use super::application::Link;
use crate::driver::figure::Value;
use crate::host::channel::Locked;
use crate::host::log as host_log;
use crate::host::view::{self, CallView, LinkView};

impl Call {
    /// The call as it is now, for an operator.
    pub(crate) fn view(&self) -> CallView {
        let (status, stats, direction) = {
            let session = self.session.lock();
            (session.status(), session.stats(), session.direction())
        };
        CallView {
            name: self.name().to_owned(),
            uniqueid: self.uniqueid().to_owned(),
            role: self.role,
            connection_id: self.connection_id.clone(),
            format: self.media_format.clone(),
            direction: direction.as_str(),
            mode: self.mode,
            control_message_format: self.control_message_format,
            auto_answer: self.auto_answer,
            debug: self.is_debugged(),
            settings: self.settings.clone(),
            age: self.since.elapsed(),
            connect_time: self.record.connected_at().map(|at| at.duration_since(self.since)),
            status,
            stats,
            wrong_format_frames: self.wrong_format_frames.load(Ordering::Relaxed),
            errors: self.record.errors(),
            last_error: self.record.last_error(),
            pings: self.record.pings(),
            ending: self.record.ending().cloned(),
            link: self.link.get().map(|link| self.link_view(link)),
        }
    }

    fn link_view(&self, link: &Link) -> LinkView {
        let counters = &link.out.counters;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let time = |counter: &AtomicU64| Duration::from_nanos(count(counter));
        LinkView {
            peer: link.peer.clone(),
            tls: link.out.tls_description(),
            write_timeout: link.write_timeout,
            ping_interval: link.ping_interval,
            age: self.record.connected_at().map(|at| at.elapsed()).unwrap_or_default(),
            frames_out: count(&counters.media_messages),
            bytes_out: count(&counters.media_bytes),
            frames_out_dropped: count(&counters.media_dropped),
            out_queue: link.out.queued_media(),
            out_queue_high_water: time(&counters.queue_high_water_ns),
            events: count(&counters.events),
            write_blocked: time(&counters.blocked_ns),
            longest_write_block: time(&counters.longest_block_ns),
        }
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
        facts
    }

    /// Leaves the totals in the channel's variables, once: when the connection ends, else at the hangup.
    pub(crate) fn leave_totals(&self, channel: Locked<'_>) {
        if !self.totals_left.swap(true, Ordering::Relaxed) {
            let view = self.view();
            for (variable, figure) in view::TOTALS {
                channel.set_variable(variable, &view.value(figure).unwrap_or(Value::Absent).to_string());
            }
        }
    }

    /// The call in one line.
    pub(super) fn summary(&self) -> String {
        let view = self.view();
        let totals =
            view::TOTALS.iter().filter_map(|(_, name)| Some(format!("{name} {}", view.value(name)?)));
        totals.collect::<Vec<_>>().join(", ")
    }

    /// For debug messages.
    pub(super) fn session_state(&self) -> String {
        let session = self.session.lock();
        let (status, direction) = (session.status(), session.direction());
        format!("{status:?}, direction {}", direction.as_str())
    }

    /// Whether this call's control messages are shown at the console.
    pub(crate) fn is_debugged(&self) -> bool {
        self.debug.load(Ordering::Relaxed) || self.engine.debug.wants_all()
    }

    /// Shows them, or shows them no more.
    pub(crate) fn set_debug(&self, on: bool) {
        self.debug.store(on, Ordering::Relaxed);
    }

    /// Shows something of them, if that is asked for.
    pub(crate) fn show(&self, what: std::fmt::Arguments<'_>) {
        if self.is_debugged() {
            host_log::verbose(&format!("{}: {what}", self.name()));
        }
    }
}
