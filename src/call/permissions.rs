//! What an application may ask of the call besides media, by the operator's settings.

use std::collections::VecDeque;
use std::time::Duration;

use crate::mono_time::MonoTime;
use crate::report::table::shortened;

/// The time in which events are counted.
const SECOND: Duration = Duration::from_secs(1);

/// The events that a call has sent in the last second.
#[derive(Debug, Default)]
pub struct EventRate {
    sent: VecDeque<MonoTime>,
}

impl EventRate {
    /// Whether one more may be sent at `now`, so that no second has more than `per_second`. If so, it is counted.
    pub fn admit(&mut self, now: MonoTime, per_second: u32) -> bool {
        while self.sent.front().is_some_and(|sent| now.since(*sent) >= SECOND) {
            self.sent.pop_front();
        }
        let has_room = u32::try_from(self.sent.len()).is_ok_and(|sent| sent < per_second);
        if has_room {
            self.sent.push_back(now);
        }
        has_room
    }
}

/// Why a call may not be transferred to a context. Displays as the part of an ERROR's text that says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextRefused {
    /// No context is permitted.
    #[error("no transfer is permitted; the operator permits contexts with transfer_contexts")]
    None,
    /// This context is not permitted.
    #[error("'context' is \"{}\"; allowed: {allowed}", excerpt(.asked))]
    NotPermitted {
        /// What was asked for.
        asked: String,
        /// The contexts that are permitted.
        allowed: String,
    },
    /// Several are permitted, and none was asked for.
    #[error("'context' is missing; allowed: {allowed}")]
    Missing {
        /// The contexts that are permitted.
        allowed: String,
    },
}

/// The context that a call may be transferred to, by the names that `transfer_contexts` permits.
///
/// # Errors
/// The context is none of them, or several are permitted and none was asked for.
pub fn context<'a>(asked: Option<&str>, permitted: &'a [String]) -> Result<&'a str, ContextRefused> {
    let allowed = || permitted.join(", ");
    match (asked, permitted) {
        (_, []) => Err(ContextRefused::None),
        (None, [only]) => Ok(only),
        (None, _) => Err(ContextRefused::Missing { allowed: allowed() }),
        (Some(asked), _) => permitted
            .iter()
            .find(|context| *context == asked)
            .map(String::as_str)
            .ok_or_else(|| ContextRefused::NotPermitted { asked: asked.to_owned(), allowed: allowed() }),
    }
}

fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    shortened(text, MAX_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_has_more_events_than_allowed() {
        let at = |ms: u64| MonoTime::from_nanos(ms * 1_000_000);
        let mut rate = EventRate::default();
        for (ms, admitted) in
            [(0, true), (500, true), (999, false), (1000, true), (1499, false), (1500, true), (1501, false)]
        {
            assert_eq!(rate.admit(at(ms), 2), admitted, "{ms}");
        }
        for n in 0..1000 {
            assert!(rate.admit(at(10_000), 1000), "{n}");
        }
        assert!(!rate.admit(at(10_999), 1000));
        assert!(rate.admit(at(11_000), 1000));
    }

    #[test]
    fn a_context_is_one_of_those_that_are_permitted() {
        let none: &[String] = &[];
        let one = &["agents".to_owned()];
        let two = &["agents".to_owned(), "queues".to_owned()];
        let refused = |asked, permitted| context(asked, permitted).unwrap_err().to_string();
        assert_eq!(context(None, one), Ok("agents"));
        assert_eq!(context(Some("queues"), two), Ok("queues"));
        for asked in [None, Some("agents")] {
            assert_eq!(
                refused(asked, none),
                "no transfer is permitted; the operator permits contexts with transfer_contexts"
            );
        }
        assert_eq!(refused(None, two), "'context' is missing; allowed: agents, queues");
        for asked in ["internal", "Agents", "agents ", ""] {
            assert_eq!(
                refused(Some(asked), two),
                format!("'context' is \"{asked}\"; allowed: agents, queues")
            );
        }
    }
}
