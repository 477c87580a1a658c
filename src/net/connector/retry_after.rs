//! Retry-After, RFC 9110 section 10.2.3: when a server wants the next attempt.

use std::time::{Duration, SystemTime};

/// A server can stretch the pause between two attempts to this many times the configured one.
const MAX_INTERVALS: u32 = 10;

/// The pause for this value of Retry-After: at least `interval`, at most ten times that; a date is compared with `now`.
/// `None`: the value is neither a number of seconds nor an HTTP date.
pub(super) fn pause(value: &str, interval: Duration, now: SystemTime) -> Option<Duration> {
    let asked = seconds(value).or_else(|| until(value, now))?;
    Some(asked.clamp(interval, interval.saturating_mul(MAX_INTERVALS)))
}

/// A text of digits only; a number that is too large stands for the largest.
fn seconds(value: &str) -> Option<Duration> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
}

/// The time from `now` to a date in any of HTTP's three formats; zero if that is past.
fn until(value: &str, now: SystemTime) -> Option<Duration> {
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_within_one_and_ten_intervals() {
        let interval = Duration::from_secs(2);
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("0", Some(2)),
            ("1", Some(2)),
            ("3", Some(3)),
            ("007", Some(7)),
            ("20", Some(20)),
            ("21", Some(20)),
            ("99999999999999999999999999", Some(20)),
            ("Sun, 06 Nov 1994 08:49:42 GMT", Some(5)),
            ("Sunday, 06-Nov-94 08:49:42 GMT", Some(5)),
            ("Sun Nov  6 08:49:42 1994", Some(5)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(2)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(2)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(20)),
            ("", None),
            ("-1", None),
            ("+5", None),
            ("1.5", None),
            ("5 s", None),
            ("soon", None),
            ("06 Nov 1994", None),
            ("Sun, 06 Nov 1994 08:49:42 CET", None),
        ] {
            assert_eq!(pause(value, interval, now), seconds.map(Duration::from_secs), "'{value}'");
        }
    }

    #[test]
    fn without_an_interval_a_server_cannot_make_one() {
        let asked = pause("99999999999999999999999999", Duration::ZERO, SystemTime::UNIX_EPOCH);
        assert_eq!(asked, Some(Duration::ZERO));
        let longest = pause("5", Duration::MAX, SystemTime::UNIX_EPOCH);
        assert_eq!(longest, Some(Duration::MAX));
    }
}
