//! Cutting each codec's bytes into frames, in the model: everything is copied, and cut from its start.

use crate::playout::ilbc;
use crate::playout::media_format::MediaFormat;

const MS: u64 = 1_000_000;

/// The rest of earlier messages, and what they have shown of the frames' length.
pub(super) struct Cutting {
    name: String,
    size: usize,
    rest: Vec<u8>,
    /// For ilbc: bytes of a frame in the last message and in this bulk.
    known: Option<usize>,
    bulk: Option<usize>,
}

impl Cutting {
    pub(super) fn new(format: &MediaFormat) -> Self {
        let (name, size) = (format.name.clone(), format.optimal_frame_size);
        Self { name, size, rest: Vec::new(), known: None, bulk: None }
    }

    /// The frames of a message that is not part of a bulk.
    pub(super) fn live(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        if self.name == "ilbc" {
            self.known = ilbc::frame_len_told_by(message).or(self.known);
        }
        let len = self.known.unwrap_or(self.size);
        self.cut(&mut message.to_vec(), len)
    }

    /// The whole frames of a message that is dropped.
    pub(super) fn dropped(&self, message: &[u8]) -> Vec<Vec<u8>> {
        let told = if self.name == "ilbc" { ilbc::frame_len_told_by(message) } else { None };
        self.cut(&mut message.to_vec(), told.or(self.known).unwrap_or(self.size))
    }

    /// The frames of a bulk that this message completes.
    pub(super) fn bulk(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        let is_first = self.rest.is_empty();
        self.rest.extend_from_slice(message);
        if self.name == "ilbc" && self.bulk.is_none() {
            let told = ilbc::frame_len_told_by(&self.rest).filter(|_| is_first || self.rest.len() >= 400);
            let at_last = (self.rest.len() >= 400).then_some(38);
            self.bulk = self.known.or(told).or(at_last);
            if self.bulk.is_none() {
                return Vec::new();
            }
        }
        self.cut_rest()
    }

    /// The whole frames of a bulk that cannot wait any longer.
    pub(super) fn settle(&mut self) -> Vec<Vec<u8>> {
        if self.name == "ilbc" && self.bulk.is_none() && !self.rest.is_empty() {
            self.bulk = ilbc::frame_len_told_by(&self.rest).or(Some(38));
        }
        self.cut_rest()
    }

    fn cut_rest(&mut self) -> Vec<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.rest);
        let frames = self.cut(&mut rest, self.bulk.unwrap_or(self.size));
        self.rest = rest;
        frames
    }

    /// The rest of a bulk at its end.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.bulk = None;
        std::mem::take(&mut self.rest)
    }

    /// Takes whole frames off `bytes`.
    fn cut(&self, bytes: &mut Vec<u8>, size: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let len = match self.name.as_str() {
                "g723" => [24, 20, 4, 1][usize::from(bytes[0] % 4)],
                "silk8" => bytes.len(),
                _ => size,
            };
            if bytes.len() < len {
                break;
            }
            frames.push(bytes.drain(..len).collect());
        }
        frames
    }

    /// How long a frame lasts, ns.
    pub(super) fn length(&self, frame: &[u8]) -> u64 {
        match self.name.as_str() {
            "g723" => 30 * MS,
            "ilbc" if frame.len() > 38 => 30 * MS,
            _ => 20 * MS,
        }
    }
}
