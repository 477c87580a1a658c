//! What people see of a call: its totals, and its control messages if they are asked for.

use super::Call;
use crate::asterisk::channel::Locked;
use crate::asterisk::log as host_log;

impl Call {
    /// Writes the totals into the channel's variables, once: when the connection ends, else at the hangup.
    pub(crate) fn leave_totals(&self, channel: Locked<'_>) {
        if self.is_first_leaving() {
            for (variable, _, value) in self.report().left() {
                channel.set_variable(variable, &value.to_string());
            }
        }
    }

    /// The call in one line.
    pub(super) fn summary(&self) -> String {
        let report = self.report();
        let left = report.left().map(|(_, name, value)| format!("{name} {value}"));
        left.collect::<Vec<_>>().join(", ")
    }

    /// Shows a line about the application, given its address, if that is asked for.
    pub(super) fn show_about_peer(&self, what: impl FnOnce(&str) -> String) {
        if self.is_debugged() {
            let connection = self.link.connection();
            let text = what(connection.as_ref().map_or("-", |connection| &connection.peer));
            self.show(format_args!("{text}"));
        }
    }

    /// Shows a line about the call, if that is asked for.
    pub(crate) fn show(&self, what: std::fmt::Arguments<'_>) {
        if self.is_debugged() {
            host_log::verbose(&format!("{}: {what}", self.name()));
        }
    }
}
