//! `[global]`: its options, and how it is read.

use std::ops::RangeInclusive;

use super::GLOBAL;
use super::config_error::{ConfigError, Instead};
use super::liveness::{LIVENESS, LivenessOptions};
use super::media_options::{MEDIA, MediaOptions};
use super::option::{ConfigOption, OptionFault, names, option, put, set};
use super::section::SectionReader;
use super::settings::{AclRule, AclSense, Settings};
use super::value::{
    QUEUE_BYTES, TIMEOUT_MS, boolean, contexts, control_message_format, events_per_second, millis,
    parse_boolean, reconnect, seconds, size, text,
};
use crate::report::notification::{NOTICE_CLASSES, NotificationClasses};

/// A number of frames.
const FRAMES: RangeInclusive<u64> = 1..=100_000;

/// Bytes that may wait on all calls together.
const QUEUE_BYTES_TOTAL: RangeInclusive<u64> = *QUEUE_BYTES.start()..=1 << 40;

/// The option that is read before the rest of the file.
const ALLOW_UNTESTED_VERSION: &str = "allow_untested_version";

/// The options of `[global]` alone.
static OPTIONS: [ConfigOption<Settings>; 28] = [
    option("control_message_format", |s, v| put(&mut s.control_message_format, control_message_format(v))),
    option("write_timeout", |s, v| put(&mut s.write_timeout, millis(v, TIMEOUT_MS))),
    option("handshake_timeout", |s, v| put(&mut s.handshake_timeout, millis(v, TIMEOUT_MS))),
    option("close_timeout", |s, v| put(&mut s.close_timeout, millis(v, 1..=60_000))),
    option("max_message_size", |s, v| {
        put(&mut s.max_message_size, size(v, 1024..=64 * 1024 * 1024, "bytes"))
    }),
    option("max_command_size", |s, v| put(&mut s.max_command_size, size(v, 128..=1024 * 1024, "bytes"))),
    option("queue_max", |s, v| put(&mut s.queue_max, size(v, FRAMES, "frames"))),
    option("queue_xoff", |s, v| put(&mut s.queue_xoff, size(v, FRAMES, "frames"))),
    option("queue_xon", |s, v| put(&mut s.queue_xon, size(v, FRAMES, "frames"))),
    option("queue_bytes", |s, v| put(&mut s.queue_bytes, size(v, QUEUE_BYTES, "bytes"))),
    option("queue_bytes_total", |s, v| put(&mut s.queue_bytes_total, size(v, QUEUE_BYTES_TOTAL, "bytes"))),
    option("out_queue", |s, v| put(&mut s.out_queue, millis(v, 20..=60_000))),
    option("incoming_timeout", |s, v| {
        put(
            &mut s.incoming_timeout,
            seconds(v, 0..=86_400).map(|time| Some(time).filter(|time| !time.is_zero())),
        )
    }),
    option("incoming_reconnect", |s, v| put(&mut s.incoming_reconnect, reconnect(v))),
    option("incoming_acl", |s, v| add_acl_rule(s, AclSense::Acl, v)),
    option("incoming_permit", |s, v| add_acl_rule(s, AclSense::Permit, v)),
    option("incoming_deny", |s, v| add_acl_rule(s, AclSense::Deny, v)),
    option("incoming_require_tls", |s, v| put(&mut s.incoming_require_tls, boolean(v))),
    option("incoming_origins", |s, v| put(&mut s.incoming_origins, Ok(origins(v)))),
    option("app_events", |s, v| put(&mut s.app_events, boolean(v))),
    option("app_events_per_second", |s, v| put(&mut s.app_events_per_second, events_per_second(v))),
    option("transfer_contexts", |s, v| put(&mut s.transfer_contexts, contexts(v))),
    option("manager_events", |s, v| put(&mut s.manager_events, notice_classes(v))),
    option("user_events", |s, v| put(&mut s.user_events, notice_classes(v))),
    option("reactor_threads", |s, v| put(&mut s.reactor_threads, size(v, 0..=64, "threads"))),
    option("coalesce_reads", |s, v| put(&mut s.coalesce_reads, boolean(v))),
    option("direct_bridge", |s, v| put(&mut s.direct_bridge, boolean(v))),
    option(ALLOW_UNTESTED_VERSION, |s, v| put(&mut s.allow_untested_version, boolean(v))),
];

/// The options of `[global]`; others are refused. Each has its line in the sample, docs/configuration.md and Asterisk's
/// own help.
pub fn global_options() -> impl Iterator<Item = &'static str> {
    names(&OPTIONS).chain(names(&MEDIA)).chain(names(&LIVENESS))
}

/// The value of `allow_untested_version`; `value` is its text in the file.
///
/// # Errors
/// The log line for an invalid value.
pub fn allows_untested_version(file_name: &str, value: Option<&str>) -> Result<bool, ConfigError> {
    let Some(value) = value else { return Ok(false) };
    parse_boolean(value.trim()).ok_or_else(|| ConfigError::InvalidValue {
        file: file_name.to_owned(),
        section: GLOBAL.to_owned(),
        option: ALLOW_UNTESTED_VERSION.to_owned(),
        value: value.to_owned(),
        allowed: "yes or no".to_owned(),
    })
}

fn add_acl_rule(settings: &mut Settings, sense: AclSense, value: &str) -> Result<(), OptionFault> {
    let value = text(value).ok_or_else(|| {
        OptionFault::Invalid(match sense {
            AclSense::Acl => "names of ACLs of acl.conf".to_owned(),
            AclSense::Permit | AclSense::Deny => "addresses, with or without a mask".to_owned(),
        })
    })?;
    settings.incoming_acl.push(AclRule { sense, value });
    Ok(())
}

fn origins(value: &str) -> Vec<String> {
    let origins = value.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    origins.map(str::to_owned).collect()
}

fn notice_classes(value: &str) -> Result<NotificationClasses, OptionFault> {
    NotificationClasses::parse(value).ok_or_else(|| OptionFault::Invalid(NOTICE_CLASSES.to_owned()))
}

/// `[global]` while it is read.
#[derive(Default)]
pub(super) struct Global {
    settings: Settings,
    media: MediaOptions,
    liveness: LivenessOptions,
    errors: Vec<ConfigError>,
    /// There may be a rule on who may connect that could not be read.
    hides_rules: bool,
}

impl Global {
    /// Reads one section of that name.
    pub(super) fn read(&mut self, section: &SectionReader<'_>) {
        let errors = section.read(|option, value| self.set(option, value));
        self.hides_rules |= errors.iter().any(ConfigError::hides_rule);
        self.errors.extend(errors);
    }

    /// Records errors that say that rules on who may connect are in a place where they do not count.
    pub(super) fn miss_rules(&mut self, errors: impl IntoIterator<Item = ConfigError>) {
        self.hides_rules = true;
        self.errors.extend(errors);
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), OptionFault> {
        match set(&OPTIONS, &mut self.settings, option, value) {
            Err(OptionFault::Unknown) => {}
            taken => return taken,
        }
        match set(&MEDIA, &mut self.media, option, value) {
            Err(OptionFault::Unknown) => set(&LIVENESS, &mut self.liveness, option, value),
            taken => taken,
        }
    }

    /// The settings in force, now that the file is read; `previous` are those in force until now.
    pub(super) fn finish(
        mut self,
        file_name: &str,
        previous: Option<&Settings>,
    ) -> (Settings, Vec<ConfigError>) {
        let faults = [self.check_levels(file_name), self.check_queue_bytes(file_name)];
        self.errors.extend(faults.into_iter().flatten());
        self.media.apply_to(&mut self.settings);
        let settings = Settings {
            pings: self.liveness.pings.resolve(),
            tcp_keepalives: self.liveness.tcp_keepalives.resolve(),
            ..self.settings
        };
        if self.errors.is_empty() && !self.hides_rules {
            return (settings, self.errors);
        }
        let previous = previous.filter(|previous| !previous.incoming_closed);
        let instead = match previous {
            Some(_) => Instead::LastGood,
            None if self.hides_rules => Instead::Closed,
            None => Instead::Defaults,
        };
        let section = GLOBAL.to_owned();
        self.errors.push(ConfigError::Refused { file: file_name.to_owned(), section, instead });
        let checks = || Settings { incoming_closed: self.hides_rules, ..settings.access_checks_only() };
        (previous.cloned().unwrap_or_else(checks), self.errors)
    }

    /// Checks the limit of one call against the total at the end, as [`Self::check_levels`] does.
    fn check_queue_bytes(&mut self, file_name: &str) -> Option<ConfigError> {
        let Settings { queue_bytes: bytes, queue_bytes_total: total, .. } = self.settings;
        if bytes <= total {
            return None;
        }
        let defaults = Settings::default();
        self.settings.queue_bytes = defaults.queue_bytes;
        self.settings.queue_bytes_total = defaults.queue_bytes_total;
        let (file, section) = (file_name.to_owned(), GLOBAL.to_owned());
        Some(ConfigError::QueueBytes { file, section, bytes, total })
    }

    /// The levels are checked together at the end, because their order in the file is free. Levels in error become
    /// the defaults.
    fn check_levels(&mut self, file_name: &str) -> Option<ConfigError> {
        let Settings { queue_xon: xon, queue_xoff: xoff, queue_max: max, .. } = self.settings;
        if xon < xoff && xoff <= max {
            return None;
        }
        let defaults = Settings::default();
        self.settings.queue_xon = defaults.queue_xon;
        self.settings.queue_xoff = defaults.queue_xoff;
        self.settings.queue_max = defaults.queue_max;
        Some(ConfigError::QueueLevels { file: file_name.to_owned(), xon, xoff, max })
    }
}
