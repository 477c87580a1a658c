//! A message as it is gathered from its frames.

use bytes::BytesMut;

use super::{Fault, Received};

/// Small messages of a connection share allocations of this size, bytes. The reactor allocates, and the thread that plays
/// the last message of an allocation frees it: allocated singly, frames would have these two threads meet at the allocator's
/// lock.
const SHARED_BYTES: usize = 2048;

/// A message that is longer has its own allocation. Up to this length, the rest of a shared one that is too short for the
/// next message costs each message of it at most 170 bytes.
const SMALL_BYTES: u64 = 640;

/// As far as it has come; empty between messages.
#[derive(Debug, Default)]
pub(super) struct Message {
    is_text: bool,
    /// It is small media in one frame, and is gathered in `shared`.
    is_shared: bool,
    bytes: Vec<u8>,
    /// Room for small messages.
    shared: BytesMut,
    /// The number of its bytes that are known to be UTF-8.
    checked: usize,
}

impl Message {
    /// Its first frame begins, with a payload of this length.
    pub(super) fn begin(&mut self, is_text: bool, is_final: bool, payload_len: u64) {
        self.is_text = is_text;
        self.is_shared = !is_text && is_final && payload_len <= SMALL_BYTES;
    }

    /// Bytes that have come.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.shared.len()
    }

    /// The next bytes of a frame's payload, of which `left` are still to come, these included.
    pub(super) fn extend(&mut self, payload: &[u8], left: usize) {
        // Room for all of the frame: a message that is one frame is allocated once.
        if !self.is_shared {
            self.bytes.reserve(left);
            self.bytes.extend_from_slice(payload);
            return;
        }
        if self.shared.capacity() - self.shared.len() < left {
            self.shared.reserve(SHARED_BYTES);
        }
        self.shared.extend_from_slice(payload);
    }

    /// A fragment is there, and not the last one. What is wrong with text need not wait for that; a character may go on
    /// in the next fragment.
    ///
    /// # Errors
    /// Text that is not UTF-8, whatever follows.
    pub(super) fn end_fragment(&mut self) -> Result<(), Fault> {
        if !self.is_text {
            return Ok(());
        }
        match std::str::from_utf8(self.bytes.get(self.checked..).unwrap_or_default()) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Fault::TextNotUtf8),
        }
        Ok(())
    }

    /// All of it is there; the next one may begin.
    ///
    /// # Errors
    /// Text that is not UTF-8.
    pub(super) fn end(&mut self) -> Result<Received, Fault> {
        self.checked = 0;
        if self.is_shared {
            return Ok(Received::Binary(self.shared.split().freeze()));
        }
        let bytes = std::mem::take(&mut self.bytes);
        if self.is_text {
            String::from_utf8(bytes).map(Received::Text).map_err(|_| Fault::TextNotUtf8)
        } else {
            // Fragments may have left room after them, which is not to wait with the message until it is played.
            Ok(Received::Binary(bytes.into_boxed_slice().into()))
        }
    }
}
