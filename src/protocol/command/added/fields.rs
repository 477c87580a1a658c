//! The fields of an added command: their types and ranges, and the errors for wrong ones.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::report::table::shortened;

/// Bytes of an added command's id.
const MAX_ID_BYTES: usize = 1024;

/// How much of a wrong value an error quotes, characters.
const MAX_QUOTED_CHARS: usize = 64;

/// A field that is wrong. Displays as the part of an ERROR's text that names the field, its value and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FieldError {
    #[error("'{field}' is missing; allowed: {allowed}")]
    Missing { field: &'static str, allowed: String },
    #[error("'{field}' is {value}; allowed: {allowed}")]
    Wrong { field: &'static str, value: String, allowed: String },
    #[error("'{field}' has {len_bytes} bytes; allowed: at most {max_bytes} bytes")]
    TooLong { field: &'static str, len_bytes: usize, max_bytes: usize },
    #[error("'{field}' and '{other}' cannot be used together")]
    Together { field: &'static str, other: &'static str },
}

/// A field that is an object, and its text.
pub(super) struct WrittenObject<'a> {
    pub(super) object: &'a Map<String, Value>,
    /// As the app wrote it: the order of keys and all digits of numbers are kept.
    pub(super) text: String,
}

/// A command's JSON object. A field that is `null` has a wrong type; it does not count as missing.
pub(super) struct CommandFields<'a> {
    pub(super) object: &'a Map<String, Value>,
    /// The text that it was parsed from.
    pub(super) text: &'a str,
}

impl<'a> CommandFields<'a> {
    pub(super) fn has(&self, field: &str) -> bool {
        self.object.contains_key(field)
    }

    /// `correlation_id`; `None` if it is missing or empty.
    pub(super) fn correlation_id(&self) -> Result<Option<String>, FieldError> {
        const FIELD: &str = "correlation_id";
        let id = self.string(FIELD, format_args!("a string of at most {MAX_ID_BYTES} bytes"))?;
        match id.filter(|id| id.len() > MAX_ID_BYTES) {
            Some(id) => {
                Err(FieldError::TooLong { field: FIELD, len_bytes: id.len(), max_bytes: MAX_ID_BYTES })
            }
            None => Ok(id.filter(|id| !id.is_empty()).map(str::to_owned)),
        }
    }

    /// A whole number in this range; `500.0` is one, as in JSON Schema.
    pub(super) fn number(
        &self,
        field: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, FieldError> {
        let allowed = format_args!("whole numbers from {} to {}", range.start(), range.end());
        self.read(field, |value| whole(value).filter(|number| range.contains(number)), allowed)
    }

    /// A string.
    pub(super) fn string(
        &self,
        field: &'static str,
        allowed: impl Display,
    ) -> Result<Option<&'a str>, FieldError> {
        self.read(field, Value::as_str, allowed)
    }

    /// A string of 1 to `max_bytes` bytes that `allows` accepts.
    pub(super) fn short_string(
        &self,
        field: &'static str,
        max_bytes: usize,
        allowed: impl Display,
        allows: impl FnOnce(&str) -> bool,
    ) -> Result<Option<&'a str>, FieldError> {
        self.string_of(field, max_bytes, allowed, |text| !text.is_empty() && allows(text))
    }

    /// A string of at most `max_bytes` bytes that `allows` accepts; it may be empty.
    pub(super) fn string_of(
        &self,
        field: &'static str,
        max_bytes: usize,
        allowed: impl Display,
        allows: impl FnOnce(&str) -> bool,
    ) -> Result<Option<&'a str>, FieldError> {
        let fits = |text: &&str| text.len() > max_bytes || allows(text);
        let text = self.read(field, |value| value.as_str().filter(fits), allowed)?;
        match text.filter(|text| text.len() > max_bytes) {
            Some(text) => Err(FieldError::TooLong { field, len_bytes: text.len(), max_bytes }),
            None => Ok(text),
        }
    }

    /// An object.
    pub(super) fn object(
        &self,
        field: &'static str,
        allowed: impl Display,
    ) -> Result<Option<WrittenObject<'a>>, FieldError> {
        let object = self.read(field, Value::as_object, allowed)?;
        Ok(object.map(|object| WrittenObject { object, text: self.as_written(field).unwrap_or_default() }))
    }

    fn as_written(&self, field: &str) -> Option<String> {
        let fields: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(self.text).ok()?;
        Some(fields.get(field)?.get().to_owned())
    }

    /// An array of strings.
    pub(super) fn strings(
        &self,
        field: &'static str,
        allowed: impl Display,
    ) -> Result<Option<Vec<&'a str>>, FieldError> {
        self.read(field, |value| value.as_array()?.iter().map(Value::as_str).collect(), allowed)
    }

    fn read<T>(
        &self,
        field: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
        allowed: impl Display,
    ) -> Result<Option<T>, FieldError> {
        let Some(value) = self.object.get(field) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => {
                let value = shortened(&value.to_string(), MAX_QUOTED_CHARS);
                Err(FieldError::Wrong { field, value, allowed: allowed.to_string() })
            }
        }
    }
}

/// The whole number that `value` is, without a sign.
fn whole(value: &Value) -> Option<u64> {
    // Above this, a floating-point number may not be exact.
    const MAX: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
    let from_fraction = || {
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..MAX).contains(number))?;
        Some(number as u64)
    };
    value.as_u64().or_else(from_fraction)
}
