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
    /// It is in that bridge no more.
    Unbridged {
        /// The bridge's id.
        bridge_id: String,
    },
    /// The far end has put this channel on hold.
    Hold,
    /// The hold is over.
    Unhold,
}

/// CONNECTED_LINE. What is not known is empty.
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
    /// What has become of the transfer.
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
    /// Asterisk could not.
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
