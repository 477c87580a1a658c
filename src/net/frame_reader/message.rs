//! A message that is collected from its frames.

use bytes::BytesMut;

use super::{Fault, Received};

/// The size of the allocations that small messages of a connection share, bytes. The reactor allocates, and the thread that
/// plays the last message frees. With an allocation for each message, these threads would contend for the allocator's lock.
const SHARED_BYTES: usize = 2048;

/// A longer message has its own allocation.
const SMALL_BYTES: usize = 640;

/// A new shared allocation begins only when at most this many bytes of the old one are unused. The old one then holds at
/// least three messages, so the unused bytes are at most 64 for each message. The queue counts those (`queue_bytes`).
const MAX_UNUSED_BYTES: usize = 192;

/// The part that has arrived; empty between messages.
#[derive(Debug, Default)]
pub(super) struct Message {
    is_text: bool,
    /// It is a small binary message in one frame, and is collected in `shared`, which is empty between messages.
    is_shared: bool,
    bytes: Vec<u8>,
    /// Room for small messages.
    shared: BytesMut,
    /// The number of its bytes that are known to be UTF-8.
    checked: usize,
}

impl Message {
    /// The first frame of the message begins. `payload_len`: bytes of that frame.
    pub(super) fn begin(&mut self, is_text: bool, is_final: bool, payload_len: u64) {
        self.is_text = is_text;
        let room = self.shared.capacity();
        let fits = |len| len <= SMALL_BYTES && (len <= room || room <= MAX_UNUSED_BYTES);
        self.is_shared = !is_text && is_final && usize::try_from(payload_len).is_ok_and(fits);
    }

    /// Bytes of the part that has arrived.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.shared.len()
    }

    /// Appends the next bytes of a frame's payload. `left`: bytes of the payload that are missing, including these.
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

    /// A fragment is complete, and it is not the last one. Wrong text is found at once; a character may continue in the
    /// next fragment.
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

    /// The message is complete; the next one may begin.
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
            // Fragments may have left spare capacity, which is not to be kept until the message is played.
            Ok(Received::Binary(bytes.into_boxed_slice().into()))
        }
    }
}
