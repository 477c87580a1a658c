//! A message as it is gathered from its frames.

use super::{Fault, Received};

/// As far as it has come; empty between messages.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) is_text: bool,
    pub(super) bytes: Vec<u8>,
    /// So many of its bytes are known to be UTF-8.
    checked: usize,
}

impl Message {
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
        let Self { is_text, bytes, .. } = std::mem::take(self);
        if is_text {
            String::from_utf8(bytes).map(Received::Text).map_err(|_| Fault::TextNotUtf8)
        } else {
            // Fragments may have left room after them, which is not to wait with the message until it is played.
            Ok(Received::Binary(bytes.into_boxed_slice().into()))
        }
    }
}
