//! A message that is collected from its frames.

use super::{Fault, Received};

/// The part that has arrived; empty between messages.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) is_text: bool,
    pub(super) bytes: Vec<u8>,
    /// How many of its bytes are known to be UTF-8.
    checked: usize,
}

impl Message {
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
        let Self { is_text, bytes, .. } = std::mem::take(self);
        if is_text {
            String::from_utf8(bytes).map(Received::Text).map_err(|_| Fault::TextNotUtf8)
        } else {
            // Fragments may have left spare capacity, which is not to be kept until the message is played.
            Ok(Received::Binary(bytes.into_boxed_slice().into()))
        }
    }
}
