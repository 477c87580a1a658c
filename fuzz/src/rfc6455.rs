//! The expected result of a peer's bytes on a connection: RFC 6455, implemented a second time in a slow and simple way.

/// Something that a call is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Text(String),
    Binary(Vec<u8>),
    ByPeer(u16),
    Fault(u16),
    Lost,
    /// Bytes alone must not cause any other event.
    Other(String),
}

/// The expected result: what is told first, and how the connection may end.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) messages: Vec<Told>,
    /// One of these. If a frame has several faults, the RFC does not say which counts.
    pub(super) end: Vec<Told>,
    /// Payloads of the pings before the end.
    pub(super) pings: Vec<Vec<u8>>,
    /// The end is a close frame, valid or not.
    pub(super) has_close: bool,
}

/// Reads `bytes` as from a peer whose frames are masked (a client) or not, and which then ends TCP.
pub(super) fn expected(bytes: &[u8], masked: bool, max_size: usize) -> Expected {
    let mut reader = Reader { masked, max_size, fragments: None, found: Expected::default() };
    let mut rest = bytes;
    while reader.found.end.is_empty() {
        rest = reader.frame(rest);
    }
    reader.found
}

struct Reader {
    masked: bool,
    max_size: usize,
    /// The unfinished message: whether it is text, and its bytes so far.
    fragments: Option<(bool, Vec<u8>)>,
    found: Expected,
}

impl Reader {
    /// Reads one frame. Returns the bytes after it.
    fn frame<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(frame) = Frame::read(bytes) else {
            // Half a header: its first two bytes show most faults.
            let faults = Frame::beginning(bytes).map(|frame| self.faults(&frame)).unwrap_or_default();
            self.found.end = if faults.is_empty() { vec![Told::Lost] } else { faults };
            return &[];
        };
        let faults = self.faults(&frame);
        let Some(payload) = frame.payload(bytes) else {
            // A wrong header is a fault before its payload comes; the sum of fragments is checked when they are
            // complete.
            self.found.end = faults;
            if !self.found.end.contains(&Told::Fault(1002)) {
                self.found.end.push(Told::Lost);
            }
            return &[];
        };
        if !faults.is_empty() {
            self.found.end = faults;
            return &[];
        }
        match frame.opcode {
            0x0..=0x2 => self.data(&frame, &payload),
            0x8 => self.close(&payload),
            0x9 => self.found.pings.push(payload),
            _ => {}
        }
        &bytes[frame.len()..]
    }

    /// The faults of the frame, except those of its payload.
    fn faults(&self, frame: &Frame) -> Vec<Told> {
        let control = frame.opcode >= 0x8;
        let in_message = self.fragments.is_some();
        let so_far = self.fragments.as_ref().map_or(0, |(_, bytes)| bytes.len());
        let protocol = frame.reserved_bits
            || frame.mask.is_some() != self.masked
            || !matches!(frame.opcode, 0x0..=0x2 | 0x8..=0xa)
            || control && (!frame.fin || frame.payload_len > 125)
            || frame.opcode == 0 && !in_message
            || matches!(frame.opcode, 1 | 2) && in_message
            || frame.payload_len > i64::MAX as u64;
        let joined = if frame.opcode == 0 { so_far as u64 } else { 0 };
        let too_long = frame.payload_len.saturating_add(joined) > self.max_size as u64;
        let mut faults = Vec::new();
        if protocol {
            faults.push(Told::Fault(1002));
        }
        if too_long {
            faults.push(Told::Fault(1009));
        }
        faults
    }

    fn data(&mut self, frame: &Frame, payload: &[u8]) {
        let (is_text, mut message) = self.fragments.take().unwrap_or_else(|| (frame.opcode == 1, Vec::new()));
        message.extend_from_slice(payload);
        if is_text && let Err(error) = std::str::from_utf8(&message) {
            // Half a character may continue in the next fragment.
            if frame.fin || error.error_len().is_some() {
                self.found.end = vec![Told::Fault(1007)];
                return;
            }
        }
        if !frame.fin {
            self.fragments = Some((is_text, message));
        } else if is_text {
            self.found.messages.push(Told::Text(String::from_utf8(message).unwrap()));
        } else {
            self.found.messages.push(Told::Binary(message));
        }
    }

    fn close(&mut self, payload: &[u8]) {
        self.found.has_close = true;
        self.found.end = match payload {
            [] => vec![Told::ByPeer(1005)],
            [_] => vec![Told::Fault(1002)],
            [high, low, reason @ ..] => {
                let code = u16::from_be_bytes([*high, *low]);
                let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
                match (std::str::from_utf8(reason).is_ok(), allowed) {
                    (true, true) => vec![Told::ByPeer(code)],
                    (true, false) => vec![Told::Fault(1002)],
                    (false, true) => vec![Told::Fault(1007)],
                    (false, false) => vec![Told::Fault(1002), Told::Fault(1007)],
                }
            }
        };
    }
}

/// A frame's header.
pub(super) struct Frame {
    pub(super) fin: bool,
    reserved_bits: bool,
    pub(super) opcode: u8,
    mask: Option<[u8; 4]>,
    header_len: usize,
    payload_len: u64,
}

impl Frame {
    /// The first two bytes, read as if nothing else belonged to the frame. `None` if they are not both there.
    fn beginning(bytes: &[u8]) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        Some(Self {
            fin: first & 0x80 != 0,
            reserved_bits: first & 0x70 != 0,
            opcode: first & 0x0f,
            mask: (second & 0x80 != 0).then_some([0; 4]),
            header_len: 2,
            payload_len: 0,
        })
    }

    /// `None` if the header is incomplete.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        let (length_len, short) = match second & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, short),
        };
        let long = bytes.get(2..2 + length_len)?;
        let payload_len = long.iter().fold(u64::from(short), |len, byte| len << 8 | u64::from(*byte));
        let mask_at = 2 + length_len;
        let mask = if second & 0x80 != 0 {
            Some(bytes.get(mask_at..mask_at + 4)?.try_into().unwrap())
        } else {
            None
        };
        Some(Self {
            fin: first & 0x80 != 0,
            reserved_bits: first & 0x70 != 0,
            opcode: first & 0x0f,
            mask,
            header_len: mask_at + if mask.is_some() { 4 } else { 0 },
            payload_len,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.header_len + usize::try_from(self.payload_len).unwrap()
    }

    /// The payload, unmasked; `None` if it is incomplete.
    pub(super) fn payload(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let len = usize::try_from(self.payload_len).ok()?;
        let payload = bytes.get(self.header_len..self.header_len.checked_add(len)?)?;
        let key = self.mask.unwrap_or_default();
        Some(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect())
    }
}
