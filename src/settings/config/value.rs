//! Values as they are written in the file.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::option::OptionFault;
use crate::protocol::dialect::{ACCOUNT_SID, ControlMessageFormat, control_message_formats, is_account_sid};
use crate::settings::per_call::Secret;

/// The range of timeouts, ms.
pub(super) const TIMEOUT_MS: RangeInclusive<u64> = 1..=3_600_000;

/// The range of bytes that may wait on a call.
pub(super) const QUEUE_BYTES: RangeInclusive<u64> = 64 << 10..=1 << 30;

/// The text; `None` if it is empty.
pub(crate) fn text(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

/// Decimal digits in `range`; nothing else, so that a unit or a typing error is refused.
pub(super) fn number(value: &str, range: RangeInclusive<u64>, unit: &str) -> Result<u64, OptionFault> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| value.parse().ok()).flatten().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        OptionFault::Invalid(format!("a number from {} to {} ({unit})", range.start(), range.end()))
    })
}

pub(super) fn size(value: &str, range: RangeInclusive<u64>, unit: &str) -> Result<usize, OptionFault> {
    number(value, range, unit).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

pub(super) fn count(value: &str, range: RangeInclusive<u64>) -> Result<u32, OptionFault> {
    number(value, range, "probes").map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// Events that an app may send in a second.
pub(super) fn events_per_second(value: &str) -> Result<u32, OptionFault> {
    number(value, 1..=1000, "events").map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

pub(super) fn control_message_format(value: &str) -> Result<ControlMessageFormat, OptionFault> {
    ControlMessageFormat::parse(value).ok_or_else(|| OptionFault::Invalid(control_message_formats()))
}

/// The id of a Twilio account.
pub(super) fn account_sid(value: &str) -> Result<String, OptionFault> {
    let sid = Some(value).filter(|value| is_account_sid(value));
    sid.map(str::to_owned).ok_or_else(|| OptionFault::Invalid(ACCOUNT_SID.to_owned()))
}

/// The key that signs a request.
pub(super) fn signing_key(value: &str) -> Result<Secret, OptionFault> {
    let fits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
    let allowed = || OptionFault::Invalid("a token of printable characters without spaces".to_owned());
    fits.then(|| Secret(value.to_owned())).ok_or_else(allowed)
}

/// Names of dialplan contexts, separated by commas; each is returned once. An empty list is allowed.
pub(super) fn contexts(value: &str) -> Result<Vec<String>, OptionFault> {
    const MAX_BYTES: usize = 79;
    let mut contexts: Vec<String> = Vec::new();
    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if name.len() > MAX_BYTES {
            return Err(OptionFault::Invalid(format!(
                "names of contexts of at most {MAX_BYTES} bytes, separated by commas"
            )));
        }
        if !contexts.iter().any(|known| known == name) {
            contexts.push(name.to_owned());
        }
    }
    Ok(contexts)
}

pub(super) fn millis(value: &str, range: RangeInclusive<u64>) -> Result<Duration, OptionFault> {
    number(value, range, "milliseconds").map(Duration::from_millis)
}

/// How long a call may outlive its connection, ms.
const RECONNECT_MS: RangeInclusive<u64> = 500..=600_000;

/// How long a call outlives its connection; `None`: not at all.
pub(super) fn reconnect(value: &str) -> Result<Option<Duration>, OptionFault> {
    if value == "0" {
        return Ok(None);
    }
    let (least, most) = (RECONNECT_MS.start(), RECONNECT_MS.end());
    let allowed = format!("0, or a number from {least} to {most} (milliseconds)");
    millis(value, RECONNECT_MS).map(Some).map_err(|_| OptionFault::Invalid(allowed))
}

pub(super) fn seconds(value: &str, range: RangeInclusive<u64>) -> Result<Duration, OptionFault> {
    number(value, range, "seconds").map(Duration::from_secs)
}

pub(super) fn boolean(value: &str) -> Result<bool, OptionFault> {
    parse_boolean(value).ok_or_else(|| OptionFault::Invalid("yes or no".to_owned()))
}

/// A boolean as Asterisk writes it (`ast_true` and `ast_false`, asterisk/utils.h), whatever its case.
pub(crate) fn parse_boolean(value: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is(&["yes", "true", "y", "t", "1", "on"]) {
        Some(true)
    } else if is(&["no", "false", "n", "f", "0", "off"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_outlives_its_connection_for_ten_minutes_at_most() {
        for (value, expected) in [
            ("0", Some(None)),
            ("500", Some(Some(500))),
            ("600000", Some(Some(600_000))),
            ("499", None),
            ("600001", None),
            ("00", None),
            ("-1", None),
            ("5s", None),
            ("", None),
        ] {
            let expected = expected.map(|limit: Option<u64>| limit.map(Duration::from_millis));
            match (reconnect(value), expected) {
                (Ok(limit), Some(expected)) => assert_eq!(limit, expected, "{value}"),
                (Err(OptionFault::Invalid(allowed)), None) => {
                    assert_eq!(allowed, "0, or a number from 500 to 600000 (milliseconds)");
                }
                _ => panic!("{value}"),
            }
        }
    }

    #[test]
    fn booleans_are_asterisks() {
        for word in ["yes", "true", "y", "t", "1", "on", "YES", "On"] {
            assert_eq!(parse_boolean(word), Some(true), "{word}");
        }
        for word in ["no", "false", "n", "f", "0", "off", "NO", "Off"] {
            assert_eq!(parse_boolean(word), Some(false), "{word}");
        }
        for word in ["", "2", "ja", "yes "] {
            assert_eq!(parse_boolean(word), None, "{word}");
        }
    }
}
