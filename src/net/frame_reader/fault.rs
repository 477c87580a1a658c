//! The faults in what an application sends, and the close code for each.

use tungstenite::protocol::frame::coding::CloseCode;

/// What breaks RFC 6455 or a limit; its text is for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::net) enum Fault {
    #[error("a frame with reserved bits")]
    ReservedBits,
    #[error("a frame with a reserved opcode")]
    ReservedOpcode,
    #[error("a frame that is not masked")]
    NotMasked,
    #[error("a masked frame from a server")]
    Masked,
    #[error("a fragmented control frame")]
    FragmentedControlFrame,
    #[error("a control frame of more than 125 bytes")]
    LongControlFrame,
    #[error("a continuation of no message")]
    ContinuesNothing,
    #[error("a message within a fragmented message")]
    WithinMessage,
    #[error("a message of {size} bytes, more than max_message_size ({max})")]
    LongMessage {
        /// The size that was announced so far.
        size: u64,
        max: usize,
    },
    #[error("a text message that is not UTF-8")]
    TextNotUtf8,
    #[error("a close frame of one byte")]
    HalfCloseCode,
    #[error("a close frame with the code {0}, which must not be sent")]
    CloseCode(u16),
    #[error("a close frame with a reason that is not UTF-8")]
    ReasonNotUtf8,
}

impl Fault {
    /// Whether it is in the application's close frame; after that frame the application is told nothing more.
    pub(in crate::net) fn is_in_close_frame(self) -> bool {
        matches!(self, Self::HalfCloseCode | Self::CloseCode(_) | Self::ReasonNotUtf8)
    }

    /// The close code that RFC 6455 section 7.4.1 gives it.
    pub(in crate::net) fn close_code(self) -> CloseCode {
        match self {
            Self::LongMessage { .. } => CloseCode::Size,
            Self::TextNotUtf8 | Self::ReasonNotUtf8 => CloseCode::Invalid,
            Self::ReservedBits
            | Self::ReservedOpcode
            | Self::NotMasked
            | Self::Masked
            | Self::FragmentedControlFrame
            | Self::LongControlFrame
            | Self::ContinuesNothing
            | Self::WithinMessage
            | Self::HalfCloseCode
            | Self::CloseCode(_) => CloseCode::Protocol,
        }
    }
}
