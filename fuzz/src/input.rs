//! Splits the bytes of a fuzzer.

/// Reads from the front; gives zeros at the end.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    pub(super) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Lengths of pieces, up to a zero.
    fn lengths(&mut self) -> Vec<usize> {
        let mut lengths = Vec::new();
        while lengths.len() < 64 {
            match self.byte() {
                0 => break,
                length => lengths.push(usize::from(length)),
            }
        }
        lengths
    }

    /// The bytes after some lengths and a zero, in pieces of these lengths; the last piece is the remainder.
    pub(super) fn pieces(mut self) -> (&'a [u8], Vec<&'a [u8]>) {
        let lengths = self.lengths();
        let all = self.rest;
        let mut pieces = Vec::new();
        let mut rest = all;
        for length in lengths {
            let (piece, behind) = rest.split_at(length.min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        pieces.push(rest);
        pieces.retain(|piece| !piece.is_empty());
        (all, pieces)
    }
}

/// The bytes as text, with replacement characters for invalid UTF-8.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
