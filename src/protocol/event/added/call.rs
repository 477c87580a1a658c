//! Events about the call around the media.

use serde::Serialize;

/// DTMF_BEGIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DtmfBegin {
    /// `0`-`9`, `A`-`D`, `*` or `#`.
    pub digit: char,
}

/// CALL_STATE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum CallState {
    /// The far end of a Dial rings.
    Ringing,
    /// The call of a Dial is on its way.
    Proceeding,
    /// The far end of a Dial may be heard.
    Progress,
    /// Busy is indicated.
    Busy,
    /// Congestion is indicated.
    Congestion,
    /// This channel is up.
    Answered,
    /// There is another channel in its bridge.
    Bridged {
        /// The bridge's id.
        bridge_id: String,
        /// The other channel's name, where there is exactly one.
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
    },
    /// This channel has left that bridge.
    Unbridged {
        /// The bridge's id.
        bridge_id: String,
    },
    /// The far end has put this channel on hold.
    Hold,
    /// The hold is over.
    Unhold,
}

/// CONNECTED_LINE. Unknown fields are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ConnectedLine {
    /// The far end's name.
    pub name: String,
    /// Its number.
    pub number: String,
}

/// TEXT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// As the core has it.
    pub text: String,
}

/// DTMF_SENT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DtmfSent {
    /// The command's; empty without one.
    pub correlation_id: String,
    /// Only for a command that was stopped.
    #[serde(flatten)]
    pub stopped: Option<DtmfStopped>,
}

/// What DTMF_SENT says of a command that was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DtmfStopped {
    /// True.
    pub cancelled: bool,
    /// Digits that were sent before, including the one that was cut short.
    pub sent: usize,
}

/// TEXT_SENT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextSent {
    /// The command's.
    pub correlation_id: String,
}

/// EVENT_SENT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventSent {
    /// The command's; empty without one.
    pub correlation_id: String,
}

/// TRANSFERRED.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transferred {
    /// The command's; empty without one.
    pub correlation_id: String,
    /// The result of the transfer.
    pub result: TransferResult,
}

/// How a transfer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferResult {
    /// The bridge's other side is on its way to the extension.
    Success,
    /// There is no other side.
    NotBridged,
    /// The bridge forbids it.
    NotPermitted,
    /// There is no such extension.
    Invalid,
    /// Asterisk could not do it.
    Failed,
}

impl TransferResult {
    /// As it is written in the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::NotBridged => "not_bridged",
            Self::NotPermitted => "not_permitted",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
        }
    }
}
