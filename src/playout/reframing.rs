//! Cuts messages into frames, and joins the bytes that do not fill a frame with the next message.
//!
//! Frames are not copied: a message becomes one piece of whole frames that share its memory. Called
//! by `session` on the reactor thread.

use bytes::Bytes;

use super::framing::{Cut, Framing};
use super::ilbc;

/// The frames of one message. Both parts hold only whole frames, `joined` before `body`; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pieces {
    /// The frame that consists of the rest of earlier messages and the start of this one.
    pub joined: Bytes,
    /// The frames after it.
    pub body: Bytes,
    /// How both are cut into frames.
    pub cut: Cut,
    /// Bytes after the last whole frame that were dropped.
    pub cut_off_bytes: usize,
}

/// Cuts media into frames by its codec's rule, and keeps the rest of bulk media.
#[derive(Debug)]
pub struct Reframer {
    framing: Framing,
    ilbc: ilbc::Stream,
    /// The start of a frame. If the length of a bulk's frames is not known yet, all of the bulk, which is at most a few
    /// hundred bytes. It is a copy, so that it does not keep a large message in memory.
    rest: Vec<u8>,
}

impl Reframer {
    /// For media of this framing.
    pub fn new(framing: Framing) -> Self {
        Self { framing, ilbc: ilbc::Stream::default(), rest: Vec::new() }
    }

    /// Whether each frame lasts one ptime; else a frame's samples say how long it lasts.
    pub fn is_fixed(&self) -> bool {
        self.framing.is_fixed()
    }

    /// Bytes that wait for the next message.
    pub fn rest_bytes(&self) -> usize {
        self.rest.len()
    }

    /// Cuts a message that is not joined with others. Bytes that do not fill a frame are dropped, as in the C module.
    pub fn cut(&mut self, mut message: Bytes) -> Pieces {
        let cut = match self.framing {
            Framing::Ilbc => Cut::every(self.ilbc.frame_len(&message)),
            framing => fixed_cut(framing),
        };
        let whole = cut.whole_frames_len(&message);
        let cut_off_bytes = message.len() - whole;
        message.truncate(whole);
        Pieces { joined: Bytes::new(), body: message, cut, cut_off_bytes }
    }

    /// Frames in a message that is dropped, including a short one.
    pub fn frames_in(&self, message: &[u8]) -> usize {
        self.cut_of(message).frames(message)
    }

    /// How a message that is not joined with others would be cut.
    pub fn cut_of(&self, message: &[u8]) -> Cut {
        match self.framing {
            Framing::Ilbc => Cut::every(self.ilbc.clone().frame_len(message)),
            framing => fixed_cut(framing),
        }
    }

    /// Cuts the next message of a bulk; bytes that do not fill a frame are kept for the message after it.
    pub fn join(&mut self, message: Bytes) -> Pieces {
        let cut = match self.framing {
            Framing::Ilbc => self.ilbc.bulk_frame_len(&self.rest, &message).map(Cut::every),
            framing => Some(fixed_cut(framing)),
        };
        match cut {
            Some(cut) => self.join_with(message, cut),
            None => {
                self.rest.extend_from_slice(&message);
                Pieces::default()
            }
        }
    }

    fn join_with(&mut self, mut message: Bytes, cut: Cut) -> Pieces {
        let mut joined = Bytes::new();
        let frame_len = cut.frame_len(&self.rest);
        if frame_len < self.rest.len() {
            // The frames' length has just become known, so the rest has whole frames.
            self.rest.extend_from_slice(&message);
            message = Bytes::from(std::mem::take(&mut self.rest));
        } else if frame_len > 0 {
            let wanted = frame_len - self.rest.len();
            let head = message.split_to(wanted.min(message.len()));
            self.rest.extend_from_slice(&head);
            if self.rest.len() < frame_len {
                return Pieces { cut, ..Pieces::default() };
            }
            joined = Bytes::from(std::mem::take(&mut self.rest));
        }
        let tail = message.split_off(cut.whole_frames_len(&message));
        if !tail.is_empty() {
            self.rest.reserve_exact(cut.frame_len(&tail));
            self.rest.extend_from_slice(&tail);
        }
        Pieces { joined, body: message, cut, cut_off_bytes: 0 }
    }

    /// Decides on the frames' length if it is not known yet. Returns the whole frames of the bytes that have waited for
    /// that; the start of a frame stays.
    pub fn settle(&mut self) -> Pieces {
        if self.framing != Framing::Ilbc || self.rest.is_empty() {
            return Pieces::default();
        }
        let cut = Cut::every(self.ilbc.decide(&self.rest));
        self.join_with(Bytes::new(), cut)
    }

    /// Ends a bulk after [`Self::settle`]. Returns the rest as the last frame: filled up with `silence` if there is
    /// such a byte, else short; `None` without a rest.
    ///
    /// DIVERGES: the C module (22.10) always sends it short, though its documentation promises silence.
    pub fn finish(&mut self, silence: Option<u8>) -> Option<Bytes> {
        self.ilbc.end_bulk();
        if self.rest.is_empty() {
            return None;
        }
        let mut last = std::mem::take(&mut self.rest);
        if let (Some(silence), Framing::Fixed(len)) = (silence, self.framing) {
            last.resize(len.get(), silence);
        }
        Some(Bytes::from(last))
    }

    /// Discards the rest. Returns its length in bytes.
    pub fn clear(&mut self) -> usize {
        self.ilbc.end_bulk();
        std::mem::take(&mut self.rest).len()
    }
}

/// The cut of a codec whose frame length does not depend on the stream.
fn fixed_cut(framing: Framing) -> Cut {
    match framing {
        Framing::Fixed(len) => Cut::Every(len),
        Framing::G723 => Cut::G723,
        Framing::Ilbc | Framing::Messages => Cut::Whole,
    }
}

#[cfg(test)]
mod tests;
