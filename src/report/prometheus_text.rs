//! Prometheus' text format: how metrics are named and written.

use std::fmt::Write as _;

use super::metric::{Histogram, Kind, Unit, Value};

/// The prefix of every name.
const PREFIX: &str = "asterisk_websocket_";

/// Metrics in the text format, in the order in which they are added. Metrics of one name must be added together.
#[derive(Debug, Default)]
pub struct PrometheusText {
    text: String,
    last_name: String,
}

impl PrometheusText {
    /// Adds one metric. Words and absent values are left out.
    pub fn metric(
        &mut self,
        name: &str,
        labels: &[(&'static str, String)],
        kind: Kind,
        unit: Unit,
        help: &str,
        value: &Value,
    ) {
        let (Some(value), Some(type_name)) = (value.as_f64(), type_of(kind)) else { return };
        // Times are in seconds here, even if the figure's name ends in _ms.
        let name = if unit == Unit::Milliseconds { name.strip_suffix("_ms").unwrap_or(name) } else { name };
        let unit = match unit {
            Unit::Milliseconds | Unit::Seconds => "_seconds",
            // The names already contain these words.
            Unit::Frames | Unit::Bytes | Unit::None => "",
        };
        let total = if kind == Kind::Counter { "_total" } else { "" };
        let name = format!("{PREFIX}{name}{unit}{total}");
        self.head(&name, help, type_name);
        self.sample(&name, labels, value);
    }

    /// Adds a histogram of times.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let name = format!("{PREFIX}{name}_seconds");
        self.head(&name, help, "histogram");
        for (bound, count) in histogram.cumulative() {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            self.sample(&format!("{name}_bucket"), &[("le", bound)], count as f64);
        }
        self.sample(&format!("{name}_sum"), &[], histogram.sum().as_secs_f64());
        self.sample(&format!("{name}_count"), &[], histogram.count() as f64);
    }

    /// The complete text.
    pub fn finish(self) -> String {
        self.text
    }

    fn head(&mut self, name: &str, help: &str, type_name: &str) {
        if self.last_name != name {
            // Writing to a String cannot fail.
            let _ = writeln!(self.text, "# HELP {name} {}\n# TYPE {name} {type_name}", escaped(help));
            name.clone_into(&mut self.last_name);
        }
    }

    fn sample(&mut self, name: &str, labels: &[(&'static str, String)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}

fn type_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Info => None,
        Kind::Gauge => Some("gauge"),
        Kind::Counter => Some("counter"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_say_unit_and_type() {
        let mut metrics = PrometheusText::default();
        for (name, labels, kind, unit, value) in [
            ("channels", vec![("role", "incoming".to_owned())], Kind::Gauge, Unit::None, Value::Number(2)),
            ("channels", vec![("role", "a\"b\\\n".to_owned())], Kind::Gauge, Unit::None, Value::Number(1)),
            ("frames_in", vec![], Kind::Counter, Unit::Frames, Value::Number(u64::from(u32::MAX))),
            ("write_blocked", vec![], Kind::Counter, Unit::Milliseconds, {
                Value::Milliseconds(Duration::from_micros(1500))
            }),
            ("uptime", vec![], Kind::Gauge, Unit::Seconds, Value::Seconds(Duration::from_secs(61))),
            ("build", vec![], Kind::Info, Unit::None, Value::Text("x".to_owned())),
            ("round_trip", vec![], Kind::Gauge, Unit::Milliseconds, Value::Absent),
        ] {
            metrics.metric(name, &labels, kind, unit, "Help", &value);
        }
        assert_eq!(
            metrics.finish(),
            "# HELP asterisk_websocket_channels Help\n\
             # TYPE asterisk_websocket_channels gauge\n\
             asterisk_websocket_channels{role=\"incoming\"} 2\n\
             asterisk_websocket_channels{role=\"a\\\"b\\\\\\n\"} 1\n\
             # HELP asterisk_websocket_frames_in_total Help\n\
             # TYPE asterisk_websocket_frames_in_total counter\n\
             asterisk_websocket_frames_in_total 4294967295\n\
             # HELP asterisk_websocket_write_blocked_seconds_total Help\n\
             # TYPE asterisk_websocket_write_blocked_seconds_total counter\n\
             asterisk_websocket_write_blocked_seconds_total 0.0015\n\
             # HELP asterisk_websocket_uptime_seconds Help\n\
             # TYPE asterisk_websocket_uptime_seconds gauge\n\
             asterisk_websocket_uptime_seconds 61\n"
        );
    }

    #[test]
    fn a_histogram_is_cumulative() {
        let mut histogram = Histogram::default();
        for millis in [1, 3, 100_000] {
            histogram.record(Duration::from_millis(millis));
        }
        let mut metrics = PrometheusText::default();
        metrics.histogram("queue_wait", "Help", &histogram);
        let text = metrics.finish();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "# HELP asterisk_websocket_queue_wait_seconds Help",
                "# TYPE asterisk_websocket_queue_wait_seconds histogram",
                "asterisk_websocket_queue_wait_seconds_bucket{le=\"0.001\"} 1",
                "asterisk_websocket_queue_wait_seconds_bucket{le=\"0.002\"} 1",
            ]
        );
        assert_eq!(
            lines[lines.len() - 4..],
            [
                "asterisk_websocket_queue_wait_seconds_bucket{le=\"16.384\"} 2",
                "asterisk_websocket_queue_wait_seconds_bucket{le=\"+Inf\"} 3",
                "asterisk_websocket_queue_wait_seconds_sum 100.004",
                "asterisk_websocket_queue_wait_seconds_count 3",
            ]
        );
    }
}
