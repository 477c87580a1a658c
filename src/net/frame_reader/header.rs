//! A frame's header: when it is complete, and what can be wrong with it (RFC 6455 section 5.2).

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::Fault;

/// Longest frame header (RFC 6455 section 5.2).
pub(in crate::net) const MAX_HEADER_BYTES: usize = 14;

/// Longest payload of a control frame (section 5.5).
const MAX_CONTROL_PAYLOAD_BYTES: u64 = 125;

/// A valid, complete header.
pub(super) struct Header {
    pub(super) fields: FrameHeader,
    /// The announced length of the payload, bytes; not more than a control frame may have, if it is one.
    pub(super) payload_len: u64,
    /// Its own length, bytes.
    pub(super) len: usize,
}

/// The requirements for a header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Whether the other side has to mask.
    pub(super) masked: bool,
    /// A fragmented message has begun and not ended.
    pub(super) in_message: bool,
}

impl Expected {
    /// The header at the beginning of `bytes`; `None`: it is not complete.
    ///
    /// # Errors
    /// What is wrong with the part of it that is there.
    #[inline]
    pub(super) fn parse(self, bytes: &[u8]) -> Result<Option<Header>, Fault> {
        let Some(beginning) = bytes.first_chunk() else { return Ok(None) };
        self.judge(*beginning)?;
        let mut cursor = Cursor::new(bytes);
        // tungstenite refuses only a reserved opcode, which was refused above.
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Fault::ReservedOpcode)?;
        let Some((fields, payload_len)) = parsed else { return Ok(None) };
        if matches!(fields.opcode, OpCode::Control(_)) && payload_len > MAX_CONTROL_PAYLOAD_BYTES {
            return Err(Fault::LongControlFrame);
        }
        let len = usize::try_from(cursor.position()).unwrap_or(bytes.len());
        Ok(Some(Header { fields, payload_len, len }))
    }

    /// Checks the first two bytes, which show most of what can be wrong: the opcode, the mask and, for a data frame,
    /// its place in the message.
    fn judge(self, [first, second]: [u8; 2]) -> Result<(), Fault> {
        if first & 0x70 != 0 {
            return Err(Fault::ReservedBits);
        }
        let is_final = first & 0x80 != 0;
        match OpCode::from(first & 0x0f) {
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
                Err(Fault::ReservedOpcode)
            }
            _ if (second & 0x80 != 0) != self.masked => {
                Err(if self.masked { Fault::NotMasked } else { Fault::Masked })
            }
            OpCode::Control(_) if !is_final => Err(Fault::FragmentedControlFrame),
            OpCode::Data(Data::Continue) if !self.in_message => Err(Fault::ContinuesNothing),
            OpCode::Data(Data::Text | Data::Binary) if self.in_message => Err(Fault::WithinMessage),
            OpCode::Data(_) | OpCode::Control(_) => Ok(()),
        }
    }
}
