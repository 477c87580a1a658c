//! Settings of a call's media that may stand in three places: the dial string's `X()`, the client's section, and
//! `[global]`. The first of these that names a setting counts.
//!
//! A new setting is a field, a line in [`MediaOptions::apply_to`], and a row of [`MEDIA`].

use std::time::Duration;

use super::option::{ConfigOption, OptionFault, names, option, put, set};
use super::settings::Settings;
use super::value::{boolean, millis};

/// What happens to a message of media that finds the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueOverflow {
    /// It is dropped at `queue_max` frames.
    #[default]
    Drop,
    /// The queue grows up to `queue_bytes`; then the application's socket is not read.
    Wait,
}

impl QueueOverflow {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Wait => "wait",
        }
    }
}

/// The settings as they are written; `None` for those that are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaOptions {
    /// `queue_overflow`.
    pub queue_overflow: Option<QueueOverflow>,
    /// `max_latency`; zero: off.
    pub max_latency: Option<Duration>,
    /// `music_on_hold`.
    pub music_on_hold: Option<bool>,
    /// `silence_fill`.
    pub silence_fill: Option<bool>,
}

/// Their names and values.
pub(super) static MEDIA: [ConfigOption<MediaOptions>; 4] = [
    option("queue_overflow", |o, v| put(&mut o.queue_overflow, queue_overflow(v).map(Some))),
    option("max_latency", |o, v| put(&mut o.max_latency, max_latency(v).map(Some))),
    option("music_on_hold", |o, v| put(&mut o.music_on_hold, boolean(v).map(Some))),
    option("silence_fill", |o, v| put(&mut o.silence_fill, boolean(v).map(Some))),
];

impl MediaOptions {
    /// Overrides `settings` with the written values.
    pub(super) fn apply_to(self, settings: &mut Settings) {
        let Self { queue_overflow, max_latency, music_on_hold, silence_fill } = self;
        settings.queue_overflow = queue_overflow.or(settings.queue_overflow);
        settings.max_latency =
            max_latency.map_or(settings.max_latency, |limit| Some(limit).filter(|limit| !limit.is_zero()));
        settings.music_on_hold = music_on_hold.unwrap_or(settings.music_on_hold);
        settings.silence_fill = silence_fill.unwrap_or(settings.silence_fill);
    }

    /// Parses the `name=value,name=value` of `X()`. If a name is repeated, the last one counts.
    ///
    /// # Errors
    /// The first unknown name, else the first invalid value.
    pub fn parse(pairs: &str) -> Result<Self, MediaOptionError> {
        let mut options = Self::default();
        let pairs: Vec<(&str, &str)> = match pairs {
            "" => Vec::new(),
            _ => pairs.split(',').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect(),
        };
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !names(&MEDIA).any(|known| known == *name)) {
            return Err(MediaOptionError::Unknown { name: (*name).to_owned() });
        }
        let counts = |(at, (name, _)): &(usize, &(&str, &str))| {
            !pairs.iter().skip(at + 1).any(|(later, _)| later == name)
        };
        for (_, (name, value)) in pairs.iter().enumerate().filter(counts) {
            if let Err(fault) = set(&MEDIA, &mut options, name, value) {
                return Err(MediaOptionError::new(name, value, fault));
            }
        }
        Ok(options)
    }
}

/// A name or a value that `X()` cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaOptionError {
    /// There is no such setting of a call.
    #[error("Unknown name '{name}' in X() of the 'WebSocket' dial string. Must be {}", all_names())]
    Unknown {
        /// As it is written.
        name: String,
    },
    /// The value is not allowed.
    #[error("Invalid value '{value}' for {name} in X() of the 'WebSocket' dial string. Must be {allowed}")]
    Value {
        /// The setting.
        name: String,
        /// As it is written.
        value: String,
        /// The allowed values, with their unit.
        allowed: String,
    },
}

impl MediaOptionError {
    fn new(name: &str, value: &str, fault: OptionFault) -> Self {
        match fault {
            OptionFault::Unknown => Self::Unknown { name: name.to_owned() },
            OptionFault::Invalid(allowed) => {
                Self::Value { name: name.to_owned(), value: value.to_owned(), allowed }
            }
        }
    }
}

fn all_names() -> String {
    let names: Vec<&str> = names(&MEDIA).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn queue_overflow(value: &str) -> Result<QueueOverflow, OptionFault> {
    let known = [QueueOverflow::Drop, QueueOverflow::Wait];
    let found = known.into_iter().find(|overflow| value.eq_ignore_ascii_case(overflow.as_str()));
    found.ok_or_else(|| OptionFault::Invalid("'drop' or 'wait'".to_owned()))
}

fn max_latency(value: &str) -> Result<Duration, OptionFault> {
    if value == "0" {
        return Ok(Duration::ZERO);
    }
    millis(value, 20..=60_000).map_err(|fault| match fault {
        OptionFault::Invalid(allowed) => OptionFault::Invalid(format!("0 (off), or {allowed}")),
        OptionFault::Unknown => OptionFault::Unknown,
    })
}
