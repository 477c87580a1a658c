//! What ends a call, and with which cause. No other code decides it.

use crate::call::link::happening::{Happening, NotConnected};
use crate::net::connection::Closed;
use crate::report::call_stats::{EndedBy, Ending};

/// Close codes of RFC 6455 section 7.4.1 that serve as the driver's own hangup cause.
pub const CLOSE_NORMAL: u16 = 1000;
const CLOSE_GOING_AWAY: u16 = 1001;
const CLOSE_ABNORMAL: u16 = 1006;
const CLOSE_INTERNAL_ERROR: u16 = 1011;

/// A hangup cause, by its number in Q.850, which is Asterisk's too (asterisk/causes.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Cause {
    /// Asterisk could not connect to the application.
    NoRouteDestination = 3,
    /// One side has hung up.
    NormalClearing = 16,
    /// No application has connected in time.
    NoAnswer = 19,
    /// The connection has failed.
    NetworkOutOfOrder = 38,
}

impl Cause {
    /// Its number.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

/// How the channel of a call that ends is to be hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HangupCause {
    /// Asterisk's cause.
    pub cause: Cause,
    /// The driver's own: a WebSocket close code.
    pub tech_cause: Option<u16>,
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// How the call ended, for people.
    pub ending: Ending,
    /// How the channel is to be hung up; `None` if the core has done that.
    pub hangup: Option<HangupCause>,
}

impl End {
    /// The end that `happening` brings to a call, if it ends one. `is_open`: there is a connection to close.
    pub fn of<C>(happening: &Happening<C>, is_open: bool) -> Option<Self> {
        use Cause::{NetworkOutOfOrder, NoAnswer, NoRouteDestination, NormalClearing};
        let none = String::new;
        let (by, cause, code, reason) = match happening {
            Happening::Claim | Happening::ConnectStarted | Happening::Established(_) => return None,
            Happening::LostDeadline(_) => return None,
            Happening::AttemptFailed(NotConnected::Failed(why) | NotConnected::Refused(why)) => {
                (EndedBy::NotConnected, NoRouteDestination, None, why.clone())
            }
            Happening::AttemptFailed(NotConnected::Misconfigured(why)) => {
                (EndedBy::NotConnected, NetworkOutOfOrder, None, why.clone())
            }
            Happening::AttemptFailed(NotConnected::LostInHandshake(why)) => {
                let end = Self::new(EndedBy::Lost, NetworkOutOfOrder, None, why.clone());
                return Some(end.with_tech_cause(CLOSE_ABNORMAL));
            }
            Happening::Over { closed, .. } => return Self::of_connection(closed),
            Happening::Hangup { close_code } => {
                let code = is_open.then_some(*close_code);
                let ending = Ending { by: EndedBy::Core, code, reason: none() };
                return Some(Self { ending, hangup: None });
            }
            Happening::HangupCommand => (EndedBy::HangupCommand, NormalClearing, Some(CLOSE_NORMAL), none()),
            Happening::Operator => (EndedBy::Operator, NormalClearing, Some(CLOSE_NORMAL), none()),
            // As if the core hung up the channel itself.
            Happening::Transferred => (EndedBy::Core, NormalClearing, Some(CLOSE_NORMAL), none()),
            Happening::IncomingTimeout => (EndedBy::IncomingTimeout, NoAnswer, None, none()),
            Happening::Fault => (EndedBy::InternalError, NetworkOutOfOrder, None, none()),
        };
        Some(Self::new(by, cause, code, reason))
    }

    /// The end of a call that lost its connection in this way, waited for another one, and got none.
    pub fn of_loss(closed: &Closed) -> Self {
        let lost = |code, reason| Self::new(EndedBy::Lost, Cause::NetworkOutOfOrder, Some(code), reason);
        match closed {
            // The close says that the server ends, not the call.
            Closed::ByPeer { code, reason } => lost(*code, reason.clone()),
            _ => Self::of_connection(closed).unwrap_or_else(|| lost(CLOSE_ABNORMAL, String::new())),
        }
    }

    /// The end that the end of a connection brings. `None` if we have closed it: then the reason for closing it ends
    /// the call.
    fn of_connection(closed: &Closed) -> Option<Self> {
        use Cause::{NetworkOutOfOrder, NormalClearing};
        let (by, cause, code, reason) = match closed {
            Closed::ByUs(_) => return None,
            Closed::ByPeer { code, reason } => (EndedBy::Application, NormalClearing, *code, reason.as_str()),
            Closed::Fault { code, what } => (EndedBy::ProtocolFault, NetworkOutOfOrder, *code, what.as_str()),
            Closed::Lost(what) => (EndedBy::Lost, NetworkOutOfOrder, CLOSE_ABNORMAL, what.as_str()),
            Closed::Unresponsive(what) => {
                (EndedBy::Unresponsive, NetworkOutOfOrder, CLOSE_GOING_AWAY, what.as_str())
            }
            Closed::Panicked => (EndedBy::InternalError, NetworkOutOfOrder, CLOSE_INTERNAL_ERROR, ""),
        };
        Some(Self::new(by, cause, Some(code), reason.to_owned()))
    }

    /// An end with the close code as the driver's own cause.
    fn new(by: EndedBy, cause: Cause, code: Option<u16>, reason: String) -> Self {
        let hangup = Some(HangupCause { cause, tech_cause: code });
        Self { ending: Ending { by, code, reason }, hangup }
    }

    fn with_tech_cause(self, code: u16) -> Self {
        let hangup = self.hangup.map(|hangup| HangupCause { tech_cause: Some(code), ..hangup });
        Self { hangup, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    type Case = (Happening<()>, EndedBy, Option<u32>, Option<u16>, Option<u16>, &'static str);

    /// What happens; what has ended the call, cause, the driver's own cause, close code, reason.
    fn cases() -> Vec<Case> {
        let by_peer = Closed::ByPeer { code: 4001, reason: "bye".into() };
        let fault = Closed::Fault { code: 1009, what: "too long".into() };
        let over = |closed| Happening::Over { connection: 1, closed };
        let failed = Happening::AttemptFailed(NotConnected::Failed("refused".into()));
        let misconfigured = Happening::AttemptFailed(NotConnected::Misconfigured("host".into()));
        let in_handshake = Happening::AttemptFailed(NotConnected::LostInHandshake("gone".into()));
        vec![
            (Happening::HangupCommand, EndedBy::HangupCommand, Some(16), Some(1000), Some(1000), ""),
            (Happening::Operator, EndedBy::Operator, Some(16), Some(1000), Some(1000), ""),
            (Happening::Transferred, EndedBy::Core, Some(16), Some(1000), Some(1000), ""),
            (Happening::IncomingTimeout, EndedBy::IncomingTimeout, Some(19), None, None, ""),
            (Happening::Fault, EndedBy::InternalError, Some(38), None, None, ""),
            (failed, EndedBy::NotConnected, Some(3), None, None, "refused"),
            (misconfigured, EndedBy::NotConnected, Some(38), None, None, "host"),
            (in_handshake, EndedBy::Lost, Some(38), Some(1006), None, "gone"),
            (Happening::Hangup { close_code: 1001 }, EndedBy::Core, None, None, Some(1001), ""),
            (over(by_peer), EndedBy::Application, Some(16), Some(4001), Some(4001), "bye"),
            (over(fault), EndedBy::ProtocolFault, Some(38), Some(1009), Some(1009), "too long"),
            (over(Closed::Lost("reset".into())), EndedBy::Lost, Some(38), Some(1006), Some(1006), "reset"),
            (
                over(Closed::Unresponsive("no pong".into())),
                EndedBy::Unresponsive,
                Some(38),
                Some(1001),
                Some(1001),
                "no pong",
            ),
            (over(Closed::Panicked), EndedBy::InternalError, Some(38), Some(1011), Some(1011), ""),
        ]
    }

    #[test]
    fn each_end_has_its_cause() {
        for (happening, by, cause, tech_cause, code, reason) in cases() {
            let end = End::of(&happening, true).unwrap();
            let hangup = end.hangup;
            assert_eq!(hangup.map(|hangup| hangup.cause.number()), cause, "{happening:?}");
            assert_eq!(hangup.and_then(|hangup| hangup.tech_cause), tech_cause, "{happening:?}");
            assert_eq!(end.ending, Ending { by, code, reason: reason.into() }, "{happening:?}");
        }
    }

    #[test]
    fn connecting_ends_no_call() {
        for happening in [
            Happening::Claim,
            Happening::ConnectStarted,
            Happening::Established(().into()),
            Happening::LostDeadline(Instant::now()),
            Happening::Over { connection: 1, closed: Closed::ByUs(1000) },
        ] {
            assert_eq!(End::of(&happening, true), None, "{happening:?}");
        }
    }

    #[test]
    fn a_call_that_waited_in_vain_ends_with_the_loss_of_its_connection() {
        let by_peer = Closed::ByPeer { code: 1012, reason: "restart".into() };
        for (closed, by, code, reason) in [
            (by_peer, EndedBy::Lost, 1012, "restart"),
            (Closed::Lost("reset".into()), EndedBy::Lost, 1006, "reset"),
            (Closed::Unresponsive("no pong".into()), EndedBy::Unresponsive, 1001, "no pong"),
        ] {
            let hangup = HangupCause { cause: Cause::NetworkOutOfOrder, tech_cause: Some(code) };
            let ending = Ending { by, code: Some(code), reason: reason.into() };
            assert_eq!(End::of_loss(&closed), End { ending, hangup: Some(hangup) }, "{closed:?}");
        }
    }

    #[test]
    fn a_hangup_without_a_connection_has_no_close_code() {
        let end = End::of(&Happening::<()>::Hangup { close_code: 1000 }, false).unwrap();
        assert_eq!(end.ending.code, None);
    }
}
