//! The content of the events about a call for AMI and ARI.

use std::time::Duration;

use crate::call::ending::End;
use crate::call::report::{CallReport, METRICS};
use crate::net::connection::Closed;
use crate::report::call_stats::Ending;
use crate::report::metric::{Kind, Value};
use crate::report::notification::{EventFields, Notification, NotificationKind, header_name};

/// The fields that every event begins with.
const IDENTITY: [&str; 5] = ["channel", "uniqueid", "connection_id", "role", "peer"];

/// The direction in which media does not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The application reads too slowly.
    ToApplication,
    /// The queue for its media is full.
    FromApplication,
}

impl Way {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ToApplication => "to_application",
            Self::FromApplication => "from_application",
        }
    }
}

/// An event of this kind about a call; `more` follows the fields that every event begins with.
pub fn notification(report: &CallReport<'_>, kind: NotificationKind, more: EventFields) -> Notification {
    Notification { kind, fields: pick(report, &IDENTITY).and(more) }
}

/// Every metric of a call.
pub fn all_metrics(report: &CallReport<'_>) -> EventFields {
    metrics(report, |_| true)
}

/// The application is connected.
pub fn connected(report: &CallReport<'_>) -> EventFields {
    pick(report, &["tls", "format", "mode", "direction", "control_messages", "connect_time"])
}

/// The connection has ended. Contains everything that is counted or measured.
pub fn disconnected(report: &CallReport<'_>, cause: EventFields) -> EventFields {
    let totals = metrics(report, |kind| kind != Kind::Info);
    pick(report, &["ended_by", "close_code", "close_reason"]).and(cause).and(totals)
}

/// The connection is lost, and the call waits for another one for at most `wait`.
pub fn lost(closed: &Closed, wait: Duration) -> EventFields {
    let Ending { code, reason, .. } = End::of_loss(closed).ending;
    EventFields::default()
        .with("CloseCode", Value::from(code.map(u64::from)))
        .with("CloseReason", reason)
        .with("WaitMs", wait.as_millis())
}

/// Another connection is up; the call was without one for `lost`.
pub fn reconnected(report: &CallReport<'_>, lost: Duration) -> EventFields {
    let more = pick(report, &["reconnects", "tls", "frames_dropped_out"]);
    EventFields::default().with("LostMs", lost.as_millis()).and(more)
}

/// No connection could be made.
pub fn failed(report: &CallReport<'_>, cause: EventFields) -> EventFields {
    pick(report, &["ended_by", "close_reason", "age"]).and(cause)
}

/// Media does not get through.
pub fn stalled(report: &CallReport<'_>, way: Way) -> EventFields {
    let waiting = match way {
        Way::ToApplication => ["out_queue_time", "frames_dropped_out"],
        Way::FromApplication => ["queue_time", "frames_dropped_in"],
    };
    media(way).and(pick(report, &waiting))
}

/// Media gets through again.
pub fn resumed(way: Way, lasted: Duration, frames_dropped: u64) -> EventFields {
    media(way).with("Lasted", Value::Milliseconds(lasted)).with("FramesDropped", frames_dropped)
}

/// A hangup cause, and Asterisk's words for it.
pub fn cause(cause: u32, text: &str) -> EventFields {
    EventFields::default().with("Cause", cause).with("Cause-txt", text)
}

fn media(way: Way) -> EventFields {
    EventFields::default().with("Media", way.as_str())
}

/// The metrics of these names, in this order.
fn pick(report: &CallReport<'_>, names: &[&str]) -> EventFields {
    let mut fields = EventFields::default();
    for name in names {
        fields.push(&header_name(name), report.value(name).unwrap_or(Value::Absent));
    }
    fields
}

fn metrics(report: &CallReport<'_>, wanted: impl Fn(Kind) -> bool) -> EventFields {
    let mut fields = EventFields::default();
    for metric in METRICS.iter().filter(|metric| wanted(metric.kind)) {
        fields.push(&header_name(metric.name), (metric.get)(report));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::fixture::call;

    /// A name that no metric has would be an empty field in each event.
    #[test]
    fn every_field_is_a_metrics() {
        let call = call("id");
        let report = call.report();
        for way in [Way::ToApplication, Way::FromApplication] {
            for fields in [
                connected(&report),
                disconnected(&report, cause(16, "Normal Clearing")),
                reconnected(&report, Duration::from_secs(1)),
                failed(&report, cause(3, "No route")),
                stalled(&report, way),
            ] {
                let event = notification(&report, NotificationKind::Connected, fields);
                let text = event.fields.headers();
                for header in text.lines().filter_map(|line| line.split(':').next()) {
                    let others = ["Cause", "Cause-txt", "LostMs", "Media"];
                    let is_metrics = METRICS.iter().any(|metric| header_name(metric.name) == header);
                    assert!(is_metrics || others.contains(&header), "{header}");
                }
                assert!(text.starts_with("Channel: <unknown>\r\n"), "{text}");
            }
        }
    }

    #[test]
    fn every_metric_is_told_once() {
        let call = call("id");
        let text = all_metrics(&call.report()).headers();
        assert_eq!(text.lines().count(), METRICS.len());
    }

    #[test]
    fn a_loss_says_why_and_how_long_the_call_waits() {
        let closed = Closed::ByPeer { code: 1012, reason: "restart".to_owned() };
        let fields = lost(&closed, Duration::from_millis(1500));
        assert_eq!(fields.headers(), "CloseCode: 1012\r\nCloseReason: restart\r\nWaitMs: 1500\r\n");
    }
}
