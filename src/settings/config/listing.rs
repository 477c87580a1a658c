//! The settings in force, for people to read.

use std::time::Duration;

use super::liveness::{Pings, TcpKeepalives};
use super::media_options::QueueOverflow;
use super::settings::{AclRule, Settings};

impl Settings {
    /// Names and values as they are written in the file, for people to read.
    pub fn listing(&self) -> Vec<(&'static str, String)> {
        vec![
            ("control_message_format", self.control_message_format.as_str().to_owned()),
            ("write_timeout", ms(self.write_timeout)),
            ("handshake_timeout", ms(self.handshake_timeout)),
            ("close_timeout", ms(self.close_timeout)),
            ("max_message_size", format!("{} bytes", self.max_message_size)),
            ("max_command_size", format!("{} bytes", self.max_command_size)),
            ("queue_max, queue_xoff, queue_xon", {
                format!("{}, {}, {} frames", self.queue_max, self.queue_xoff, self.queue_xon)
            }),
            (
                "queue_overflow",
                self.queue_overflow
                    .map_or("drop; wait in dialects of others", QueueOverflow::as_str)
                    .to_owned(),
            ),
            ("queue_bytes, queue_bytes_total", {
                format!("{}, {} bytes", self.queue_bytes, self.queue_bytes_total)
            }),
            ("max_latency", self.max_latency.map_or("off".to_owned(), ms)),
            ("out_queue", ms(self.out_queue)),
            ("incoming_timeout", self.incoming_timeout.map_or("never".to_owned(), seconds)),
            ("incoming_reconnect", self.incoming_reconnect.map_or("no".to_owned(), ms)),
            ("incoming access by address", self.access_by_address()),
            ("incoming_require_tls", yes(self.incoming_require_tls)),
            ("incoming_origins", origins(&self.incoming_origins)),
            ("enable_pingpongs", self.pings.as_ref().map_or_else(|| yes(false), pings)),
            ("enable_tcp_keepalives", self.tcp_keepalives.as_ref().map_or_else(|| yes(false), keepalives)),
            ("music_on_hold", yes(self.music_on_hold)),
            ("silence_fill", yes(self.silence_fill)),
            ("app_events", yes(self.app_events)),
            ("app_events_per_second", self.app_events_per_second.to_string()),
            ("transfer_contexts", contexts(&self.transfer_contexts)),
            ("manager_events", self.manager_events.to_string()),
            ("user_events", self.user_events.to_string()),
            ("reactor_threads", self.reactor_threads.to_string()),
            ("coalesce_reads", yes(self.coalesce_reads)),
            ("direct_bridge", yes(self.direct_bridge)),
            ("allow_untested_version", yes(self.allow_untested_version)),
        ]
    }

    fn access_by_address(&self) -> String {
        if self.incoming_closed {
            return "nobody: chan_websocket.conf, or a rule in it, could not be read".to_owned();
        }
        acl(&self.incoming_acl)
    }

    /// Of [`Self::listing`], what matters to a call that is up.
    pub fn of_calls(&self) -> Vec<(&'static str, String)> {
        let only_new = |name: &str| {
            name.starts_with("incoming")
                || matches!(name, "reactor_threads" | "direct_bridge" | "allow_untested_version")
        };
        self.listing().into_iter().filter(|(name, _)| !only_new(name)).collect()
    }
}

fn contexts(contexts: &[String]) -> String {
    if contexts.is_empty() { "none".to_owned() } else { contexts.join(", ") }
}

fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

fn yes(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn acl(rules: &[AclRule]) -> String {
    if rules.is_empty() {
        return "everybody".to_owned();
    }
    let rules: Vec<String> =
        rules.iter().map(|rule| format!("{} {}", rule.sense.as_str(), rule.value)).collect();
    rules.join("; ")
}

fn origins(origins: &[String]) -> String {
    if origins.is_empty() { "any".to_owned() } else { origins.join(", ") }
}

fn pings(pings: &Pings) -> String {
    format!("yes, every {}, {} probes", seconds(pings.interval), pings.probes)
}

fn keepalives(keepalives: &TcpKeepalives) -> String {
    let TcpKeepalives { time, interval, probes } = *keepalives;
    format!("yes, after {}, every {}, {probes} probes", seconds(time), seconds(interval))
}
