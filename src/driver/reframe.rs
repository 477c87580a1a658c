//! Cuts messages into frames and joins what is left over, byte for byte.
//!
//! Frames are not copied out here: a message becomes one piece of whole frames that share its memory. Called by
//! `session` on the reactor thread.

use std::num::NonZeroUsize;

use bytes::Bytes;

/// What one message gave. Both parts hold whole frames only, `joined` before `body`; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pieces {
    /// The frame that the rest of earlier messages and the start of this one make together.
    pub joined: Bytes,
    /// The frames that lie within the message.
    pub body: Bytes,
    /// Bytes behind the last whole frame that were dropped.
    pub cut_off_bytes: usize,
}

/// Cuts media into frames of one size and keeps the rest of bulk media.
#[derive(Debug)]
pub struct Reframer {
    frame_size: NonZeroUsize,
    /// Always shorter than a frame. A copy, so that it does not keep a large message in memory.
    rest: Vec<u8>,
}

impl Reframer {
    /// For frames of `frame_size` bytes; `None` for 0, the size of codecs that cannot be cut.
    pub fn new(frame_size: usize) -> Option<Self> {
        Some(Self { frame_size: NonZeroUsize::new(frame_size)?, rest: Vec::new() })
    }

    /// Bytes of one frame.
    pub fn frame_size(&self) -> usize {
        self.frame_size.get()
    }

    /// Bytes that wait for the next message.
    pub fn rest_bytes(&self) -> usize {
        self.rest.len()
    }

    /// Cuts a message that stands for itself. What does not fill a frame is dropped, as in the C module.
    pub fn cut(&self, mut message: Bytes) -> Pieces {
        let cut_off_bytes = message.len() % self.frame_size;
        message.truncate(message.len() - cut_off_bytes);
        Pieces { joined: Bytes::new(), body: message, cut_off_bytes }
    }

    /// Cuts the next message of a bulk; what does not fill a frame is kept for the one after it.
    pub fn join(&mut self, mut message: Bytes) -> Pieces {
        let mut joined = Bytes::new();
        if !self.rest.is_empty() {
            let wanted = self.frame_size.get().saturating_sub(self.rest.len());
            let head = message.split_to(wanted.min(message.len()));
            self.rest.extend_from_slice(&head);
            if self.rest.len() < self.frame_size.get() {
                return Pieces::default();
            }
            joined = Bytes::from(std::mem::take(&mut self.rest));
        }
        let tail = message.split_off(message.len() - message.len() % self.frame_size);
        if !tail.is_empty() {
            self.rest.reserve_exact(self.frame_size.get());
            self.rest.extend_from_slice(&tail);
        }
        Pieces { joined, body: message, cut_off_bytes: 0 }
    }

    /// Ends a bulk: the rest as its last frame, filled up with `silence` where there is such a byte, else as short
    /// as it is; `None` without a rest.
    ///
    /// DIVERGES: the C module (22.10) always sends it short, though its documentation promises silence.
    pub fn finish(&mut self, silence: Option<u8>) -> Option<Bytes> {
        if self.rest.is_empty() {
            return None;
        }
        let mut last = std::mem::take(&mut self.rest);
        if let Some(silence) = silence {
            last.resize(self.frame_size.get(), silence);
        }
        Some(Bytes::from(last))
    }

    /// Forgets the rest. Returns its length in bytes.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.rest).len()
    }
}
