//! Reads along with tungstenite, which looks at a frame only when all of it is there: what is wrong with a header is
//! found at once, and the close frame's payload is kept as it came.

use tungstenite::protocol::Role;

/// Longest frame header (RFC 6455 section 5.2).
pub(super) const MAX_HEADER_BYTES: usize = 14;

/// Longest payload of a control frame (section 5.5).
const MAX_CONTROL_PAYLOAD_BYTES: u64 = 125;

const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;

/// The frames of one connection, as far as they have come.
#[derive(Debug)]
pub(super) struct FrameWatch {
    /// Whether the application has to mask.
    masked: bool,
    header: [u8; MAX_HEADER_BYTES],
    header_len: usize,
    payload_left: u64,
    /// A fragmented message has begun and not ended.
    in_message: bool,
    /// The payload of the close frame, unmasked.
    close_payload: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Within the close frame.
    InClose,
    /// Behind the close frame: nothing matters any more.
    Closed,
    Fault(&'static str),
}

impl FrameWatch {
    /// For a connection on which we have this role.
    pub(super) fn new(role: Role) -> Self {
        Self {
            masked: role == Role::Server,
            header: [0; MAX_HEADER_BYTES],
            header_len: 0,
            payload_left: 0,
            in_message: false,
            close_payload: Vec::new(),
            state: State::Open,
        }
    }

    /// What was wrong with a frame's header, if something was.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match self.state {
            State::Fault(what) => Some(what),
            State::Open | State::InClose | State::Closed => None,
        }
    }

    /// The payload of the close frame, once it has come.
    pub(super) fn close_payload(&self) -> &[u8] {
        &self.close_payload
    }

    /// Looks at the next bytes; how many of them come before a fault.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        loop {
            let payload_len = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(rest.len());
            let (payload, behind) = rest.split_at(payload_len);
            self.take_payload(payload);
            rest = behind;
            if matches!(self.state, State::Closed | State::Fault(_)) {
                return bytes.len();
            }
            let Some((byte, behind)) = rest.split_first() else { return bytes.len() };
            self.take_header_byte(*byte);
            if self.fault().is_some() {
                return bytes.len() - rest.len();
            }
            rest = behind;
        }
    }

    fn take_payload(&mut self, payload: &[u8]) {
        self.payload_left = self.payload_left.saturating_sub(payload.len() as u64);
        if self.state == State::InClose {
            let key = self.mask_key();
            let masks = key.iter().cycle().skip(self.close_payload.len() % key.len());
            self.close_payload.extend(payload.iter().zip(masks).map(|(byte, mask)| byte ^ mask));
            if self.payload_left == 0 {
                self.state = State::Closed;
            }
        }
    }

    fn take_header_byte(&mut self, byte: u8) {
        if self.header_len == self.header_bytes() {
            self.header_len = 0;
        }
        if let Some(slot) = self.header.get_mut(self.header_len) {
            *slot = byte;
        }
        self.header_len += 1;
        if self.header_len == 2
            && let Some(what) = self.fault_of_beginning()
        {
            self.state = State::Fault(what);
        } else if self.header_len == self.header_bytes() {
            self.begin_payload();
        }
    }

    /// Opcode and, for a data frame, its place in the message.
    fn fault_of_beginning(&self) -> Option<&'static str> {
        let [first, second, ..] = self.header;
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        match opcode {
            _ if first & 0x70 != 0 => Some("a frame with reserved bits"),
            3..=7 | 11..=15 => Some("a frame with a reserved opcode"),
            _ if (second & 0x80 != 0) != self.masked => {
                Some(if self.masked { "a frame that is not masked" } else { "a masked frame from a server" })
            }
            8..=10 if !fin => Some("a fragmented control frame"),
            CONTINUATION if !self.in_message => Some("a continuation of no message"),
            1 | 2 if self.in_message => Some("a message within a fragmented message"),
            _ => None,
        }
    }

    fn begin_payload(&mut self) {
        let [first, ..] = self.header;
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        self.payload_left = self.announced_len();
        if opcode < CLOSE {
            self.in_message = !fin;
        } else if self.payload_left > MAX_CONTROL_PAYLOAD_BYTES {
            self.state = State::Fault("a control frame of more than 125 bytes");
        } else if opcode == CLOSE {
            self.state = if self.payload_left == 0 { State::Closed } else { State::InClose };
        }
    }

    /// Length of the header, as far as that can be known.
    fn header_bytes(&self) -> usize {
        let [_, second, ..] = self.header;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        match (self.header_len, second & 0x7f) {
            (0 | 1, _) => 2,
            (_, 126) => 4 + mask,
            (_, 127) => 10 + mask,
            (..) => 2 + mask,
        }
    }

    fn announced_len(&self) -> u64 {
        let [_, second, extended @ ..] = self.header;
        match second & 0x7f {
            126 => extended.first_chunk().map_or(0, |bytes| u64::from(u16::from_be_bytes(*bytes))),
            127 => extended.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)),
            short => u64::from(short),
        }
    }

    /// The last four bytes of a masked frame's header; nothing changes by the key of one that is not masked.
    fn mask_key(&self) -> [u8; 4] {
        if !self.masked {
            return [0; 4];
        }
        let header = self.header.get(..self.header_bytes()).unwrap_or_default();
        header.last_chunk().copied().unwrap_or_default()
    }
}

/// Whether a close frame may carry this code: those of RFC 6455 section 7.4 that may be sent, those that IANA has
/// registered since, and those of libraries and applications.
pub(super) fn is_sendable(close_code: u16) -> bool {
    matches!(close_code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// A frame from a client, its length written in the shortest way.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match u8::try_from(payload.len()) {
            Ok(len) if len < 126 => frame.push(0x80 | len),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            }
        }
        frame.extend(KEY);
        frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    /// Feeds the bytes in pieces of this size; how many were good.
    fn feed(watch: &mut FrameWatch, bytes: &[u8], piece: usize) -> usize {
        let mut good = 0;
        for piece in bytes.chunks(piece) {
            good += watch.advance(piece);
            if watch.fault().is_some() {
                break;
            }
        }
        good
    }

    fn fault_of(role: Role, bytes: &[u8]) -> Option<&'static str> {
        let faults: Vec<_> = [1, 2, 3, 1000]
            .into_iter()
            .map(|piece| {
                let mut watch = FrameWatch::new(role);
                feed(&mut watch, bytes, piece);
                watch.fault()
            })
            .collect();
        assert!(faults.iter().all(|fault| *fault == faults[0]), "{faults:?}");
        faults[0]
    }

    #[test]
    fn good_frames_pass() {
        let long = vec![7; 300];
        let frames = [
            masked(0x81, b""),
            masked(0x02, &long),
            masked(0x89, &[1; 125]),
            masked(0x00, b""),
            masked(0x80, &long),
            masked(0x8a, b"x"),
            masked(0x88, &[0x03, 0xe8]),
        ];
        assert_eq!(fault_of(Role::Server, &frames.concat()), None);
        assert_eq!(fault_of(Role::Client, &[0x82, 1, 9, 0x88, 0]), None);
    }

    #[test]
    fn faults_are_found_in_the_header() {
        let rows: &[(&str, Role, &[u8])] = &[
            ("a frame with reserved bits", Role::Server, &[0xc1, 0x80]),
            ("a frame with reserved bits", Role::Client, &[0x98, 0]),
            ("a frame with a reserved opcode", Role::Server, &[0x83, 0xff]),
            ("a frame with a reserved opcode", Role::Client, &[0x8b, 0]),
            ("a frame that is not masked", Role::Server, &[0x81, 5]),
            ("a masked frame from a server", Role::Client, &[0x81, 0x85]),
            ("a fragmented control frame", Role::Client, &[0x09, 0]),
            ("a continuation of no message", Role::Client, &[0x80, 3]),
            ("a continuation of no message", Role::Client, &[0x01, 0, 0x80, 0, 0x80, 0]),
            ("a message within a fragmented message", Role::Client, &[0x01, 0, 0x82, 9]),
            ("a control frame of more than 125 bytes", Role::Client, &[0x89, 126, 0, 126]),
            ("a control frame of more than 125 bytes", Role::Client, &[0x88, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (what, role, bytes) in rows {
            assert_eq!(fault_of(*role, bytes), Some(*what), "{bytes:02x?}");
        }
    }

    #[test]
    fn what_came_before_a_fault_is_passed_on() {
        let good = masked(0x81, b"hello");
        let all = [&good[..], &[0x83, 0x80], &[1, 2, 3]].concat();
        let mut watch = FrameWatch::new(Role::Server);
        // The first byte of the bad header may pass: it makes no frame.
        assert_eq!(watch.advance(&all), good.len() + 1);
        assert_eq!(watch.fault(), Some("a frame with a reserved opcode"));
    }

    #[test]
    fn the_close_frame_is_kept_and_nothing_behind_it_matters() {
        let payload = [&4000_u16.to_be_bytes()[..], b"that was it"].concat();
        for piece in [1, 3, 7, 1000] {
            let bytes = [masked(0x88, &payload), vec![0xff; 40]].concat();
            let mut watch = FrameWatch::new(Role::Server);
            assert_eq!(feed(&mut watch, &bytes, piece), bytes.len());
            assert_eq!(watch.close_payload(), payload);
            assert_eq!(watch.fault(), None);
        }
        let mut watch = FrameWatch::new(Role::Client);
        watch.advance(&[&[0x88, 4][..], &[0x0b, 0xb8], b"ok", &[0x83]].concat());
        assert_eq!(watch.close_payload(), b"\x0b\xb8ok");
    }

    #[test]
    fn codes_that_may_be_sent() {
        let sendable: Vec<u16> = (0..=u16::MAX).filter(|code| is_sendable(*code)).collect();
        assert_eq!(sendable.len(), 4 + 8 + 2000);
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert!(!is_sendable(code), "{code}");
        }
    }
}
