//! Metrics of a call or of the module, and their form for people.
//!
//! This file has only the values and their text. Other modules count and show them.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use super::table::one_line;

/// How a metric behaves over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A word or a setting.
    Info,
    /// Goes up and down.
    Gauge,
    /// Only grows.
    Counter,
}

impl Kind {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// No unit.
    None,
    /// Frames of media.
    Frames,
    /// Bytes.
    Bytes,
    /// Milliseconds, with up to three decimals.
    Milliseconds,
    /// Whole seconds.
    Seconds,
}

impl Unit {
    /// Its text after a number; "" without a unit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Frames => "frames",
            Self::Bytes => "bytes",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }
}

/// A metric's value. Displays without its unit, on one line ([`one_line`]); "" if it is absent.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// There is none yet.
    Absent,
    /// A count.
    Number(u64),
    /// A time that is read in milliseconds.
    Milliseconds(Duration),
    /// A time that is read in seconds.
    Seconds(Duration),
    /// Yes or no.
    Flag(bool),
    /// Words.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => Ok(()),
            Self::Number(number) => write!(f, "{number}"),
            Self::Milliseconds(time) => {
                let text = format!("{}.{:03}", time.as_millis(), time.subsec_micros() % 1000);
                f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::Seconds(time) => write!(f, "{}", time.as_secs()),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Text(text) => f.write_str(&one_line(text)),
        }
    }
}

impl Value {
    /// The value as a number, times in seconds; `None` for words and absent values.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            // Counts beyond 2^53 lose their last digits.
            Self::Number(number) => Some(*number as f64),
            Self::Milliseconds(time) | Self::Seconds(time) => Some(time.as_secs_f64()),
            Self::Flag(flag) => Some(f64::from(u8::from(*flag))),
            Self::Absent | Self::Text(_) => None,
        }
    }
}

impl AddAssign for Value {
    /// Counts add up, and so do times; other values stay as they are.
    fn add_assign(&mut self, other: Self) {
        match (self, other) {
            (Self::Number(sum), Self::Number(more)) => *sum += more,
            (Self::Milliseconds(sum), Self::Milliseconds(more))
            | (Self::Seconds(sum), Self::Seconds(more)) => *sum += more,
            _ => {}
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

/// Buckets of a [`Histogram`]: the last one has no upper bound.
const BUCKETS: usize = 16;

/// A histogram of times. The bounds are powers of two of a millisecond, from 1 ms to 16.4 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Histogram {
    buckets: [u64; BUCKETS],
    sum_ns: u64,
}

impl Histogram {
    /// Counts a time.
    pub fn record(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.sum_ns = self.sum_ns.saturating_add(nanos);
        let millis = nanos.div_ceil(1_000_000);
        let bits = u64::BITS - millis.saturating_sub(1).leading_zeros();
        if let Some(bucket) = self.buckets.get_mut((bits as usize).min(BUCKETS - 1)) {
            *bucket += 1;
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The sum of all times.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_ns)
    }

    /// Upper bounds, and how many times are at most that long. The last bound is `None` and counts all.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let mut count = 0;
        self.buckets.into_iter().enumerate().map(move |(number, bucket)| {
            count += bucket;
            ((number + 1 < BUCKETS).then(|| Duration::from_millis(1 << number)), count)
        })
    }

    /// The lowest bound that this share of the times (0 to 1) does not exceed; `None` if nothing was counted, or if
    /// only the bucket without a bound contains it.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let wanted = (self.count() as f64 * share).ceil().max(1.0);
        self.cumulative().find(|(_, count)| *count as f64 >= wanted)?.0
    }
}

impl AddAssign for Histogram {
    fn add_assign(&mut self, other: Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_without_needless_digits() {
        for (value, expected) in [
            (Value::Absent, ""),
            (Value::Number(0), "0"),
            (Value::Milliseconds(Duration::from_micros(412)), "0.412"),
            (Value::Milliseconds(Duration::from_millis(20)), "20"),
            (Value::Milliseconds(Duration::from_millis(1200)), "1200"),
            (Value::Milliseconds(Duration::from_micros(10_500)), "10.5"),
            (Value::Milliseconds(Duration::ZERO), "0"),
            (Value::Seconds(Duration::from_millis(61_900)), "61"),
            (Value::Flag(true), "yes"),
            (Value::from(None::<u64>), ""),
            (Value::from(Some("word")), "word"),
            (Value::from("bye\r\nForged: yes\0"), "bye\\r\\nForged: yes\\u{0}"),
        ] {
            assert_eq!(value.to_string(), expected, "{value:?}");
        }
    }

    #[test]
    fn counts_and_times_add_up() {
        let second = Duration::from_secs(1);
        for (mut sum, more, expected) in [
            (Value::Number(1), Value::Number(2), Value::Number(3)),
            (Value::Milliseconds(second), Value::Milliseconds(second), Value::Milliseconds(2 * second)),
            (Value::Seconds(second), Value::Seconds(second), Value::Seconds(2 * second)),
            (Value::Number(1), Value::Seconds(second), Value::Number(1)),
            (Value::Number(1), Value::Absent, Value::Number(1)),
            (Value::from("word"), Value::from("more"), Value::from("word")),
        ] {
            sum += more;
            assert_eq!(sum, expected);
        }
    }

    #[test]
    fn a_bucket_holds_its_upper_bound() {
        for (micros, bound_ms) in [
            (0, Some(1)),
            (1000, Some(1)),
            (1001, Some(2)),
            (2000, Some(2)),
            (2001, Some(4)),
            (20_000, Some(32)),
            (16_384_000, Some(16_384)),
            (16_384_001, None),
            (u64::MAX / 1000, None),
        ] {
            let mut histogram = Histogram::default();
            histogram.record(Duration::from_micros(micros));
            let (bound, _) = histogram.cumulative().find(|(_, count)| *count == 1).unwrap();
            assert_eq!(bound.map(|bound| bound.as_millis()), bound_ms, "{micros} us");
            assert_eq!(histogram.cumulative().last(), Some((None, 1)));
        }
    }

    #[test]
    fn sums_and_quantiles() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for millis in [1, 1, 3, 100] {
            histogram.record(Duration::from_millis(millis));
        }
        let mut twice = histogram;
        twice += histogram;
        assert_eq!((twice.count(), twice.sum()), (8, Duration::from_millis(210)));
        assert_eq!(twice.quantile(0.5), Some(Duration::from_millis(1)));
        assert_eq!(twice.quantile(0.75), Some(Duration::from_millis(4)));
        assert_eq!(twice.quantile(1.0), Some(Duration::from_millis(128)));
    }
}
