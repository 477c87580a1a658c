//! Values as they are written in the file.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::option::Fault;

/// A time that a call may have to wait, ms.
pub(super) const TIMEOUT_MS: RangeInclusive<u64> = 1..=3_600_000;

/// What may wait on a call, bytes.
pub(super) const QUEUE_BYTES: RangeInclusive<u64> = 64 << 10..=1 << 30;

/// `None` for nothing.
pub(crate) fn text(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

/// Decimal digits in `range`; nothing else, so that a unit or a slip of the finger does not pass unseen.
pub(super) fn number(value: &str, range: RangeInclusive<u64>, unit: &str) -> Result<u64, Fault> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| value.parse().ok()).flatten().filter(|number| range.contains(number));
    number
        .ok_or_else(|| Fault::Invalid(format!("a number from {} to {} ({unit})", range.start(), range.end())))
}

pub(super) fn size(value: &str, range: RangeInclusive<u64>, unit: &str) -> Result<usize, Fault> {
    number(value, range, unit).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

pub(super) fn count(value: &str, range: RangeInclusive<u64>) -> Result<u32, Fault> {
    number(value, range, "probes").map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// Events that an app may send in a second.
pub(super) fn events_per_second(value: &str) -> Result<u32, Fault> {
    number(value, 1..=1000, "events").map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// Names of contexts of the dialplan, separated by commas, each once; none is allowed.
pub(super) fn contexts(value: &str) -> Result<Vec<String>, Fault> {
    const MAX_BYTES: usize = 79;
    let mut contexts: Vec<String> = Vec::new();
    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if name.len() > MAX_BYTES {
            return Err(Fault::Invalid(format!(
                "names of contexts of at most {MAX_BYTES} bytes, separated by commas"
            )));
        }
        if !contexts.iter().any(|known| known == name) {
            contexts.push(name.to_owned());
        }
    }
    Ok(contexts)
}

pub(super) fn millis(value: &str, range: RangeInclusive<u64>) -> Result<Duration, Fault> {
    number(value, range, "milliseconds").map(Duration::from_millis)
}

pub(super) fn seconds(value: &str, range: RangeInclusive<u64>) -> Result<Duration, Fault> {
    number(value, range, "seconds").map(Duration::from_secs)
}

pub(super) fn boolean(value: &str) -> Result<bool, Fault> {
    parse_boolean(value).ok_or_else(|| Fault::Invalid("yes or no".to_owned()))
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
