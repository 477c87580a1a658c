//! Cuts messages into frames and joins what is left over, byte for byte.
//!
//! Frames are not copied out here: a message becomes one piece of whole frames that share its memory. Called
//! by `session` on the reactor thread.

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

    /// Ends a bulk: the rest as its last frame, filled up with `silence` where there is such a byte, else as
    /// short as it is; `None` without a rest.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbered(len: usize) -> Bytes {
        (0..len).map(|n| (n % 251) as u8).collect::<Vec<_>>().into()
    }

    #[test]
    fn codecs_that_cannot_be_cut_have_no_reframer() {
        assert!(Reframer::new(0).is_none());
        assert_eq!(Reframer::new(160).unwrap().frame_size(), 160);
    }

    #[test]
    fn a_message_for_itself_loses_what_fills_no_frame() {
        let reframer = Reframer::new(160).unwrap();
        for (len, kept) in
            [(0, 0), (1, 0), (159, 0), (160, 160), (161, 160), (319, 160), (1000, 960), (1600, 1600)]
        {
            let pieces = reframer.cut(numbered(len));
            assert_eq!(pieces.joined, Bytes::new(), "{len}");
            assert_eq!(pieces.body, numbered(len).slice(..kept), "{len}");
            assert_eq!(pieces.cut_off_bytes, len - kept, "{len}");
        }
    }

    #[test]
    fn a_bulk_keeps_what_fills_no_frame_for_the_next_message() {
        // Length of each message; whether a joined frame comes of it, bytes of the body, rest.
        let steps = [
            (0, 0, 0, 0),
            (100, 0, 0, 100),
            (59, 0, 0, 159),
            (0, 0, 0, 159),
            (1, 160, 0, 0),
            (160, 0, 160, 0),
            (161, 0, 160, 1),
            (159, 160, 0, 0),
            (1000, 0, 960, 40),
            (1000, 160, 800, 80),
            (80 + 160, 160, 160, 0),
        ];
        let mut reframer = Reframer::new(160).unwrap();
        for (n, (len, joined, body, rest)) in steps.into_iter().enumerate() {
            let pieces = reframer.join(numbered(len));
            assert_eq!(
                (pieces.joined.len(), pieces.body.len(), pieces.cut_off_bytes, reframer.rest_bytes()),
                (joined, body, 0, rest),
                "step {n}, message of {len} bytes"
            );
        }
    }

    #[test]
    fn whole_frames_are_not_copied() {
        let mut reframer = Reframer::new(160).unwrap();
        let message = numbered(1000);
        assert_eq!(reframer.join(message.clone()).body.as_ptr(), message.as_ptr());
        assert_eq!(reframer.cut(message.clone()).body.as_ptr(), message.as_ptr());
    }

    #[test]
    fn the_last_frame_is_filled_up_where_silence_is_known() {
        for (what, rest, silence, last) in [
            ("nothing left", 0, Some(0xff), None),
            ("ulaw", 3, Some(0xff), Some([0, 1, 2, 0xff, 0xff])),
            ("slin", 3, Some(0), Some([0, 1, 2, 0, 0])),
        ] {
            let mut reframer = Reframer::new(5).unwrap();
            reframer.join(numbered(rest));
            assert_eq!(reframer.finish(silence).as_deref(), last.as_ref().map(|last| &last[..]), "{what}");
            assert_eq!(reframer.finish(silence), None, "{what}: only once");
        }
        let mut gsm = Reframer::new(33).unwrap();
        gsm.join(numbered(40));
        assert_eq!(gsm.finish(None), Some(numbered(40).slice(33..)), "no silence: as short as it is");
    }

    #[test]
    fn a_cleared_rest_joins_nothing() {
        let mut reframer = Reframer::new(160).unwrap();
        reframer.join(numbered(100));
        assert_eq!(reframer.clear(), 100);
        let pieces = reframer.join(numbered(160));
        assert_eq!((pieces.joined, pieces.body), (Bytes::new(), numbered(160)));
    }

    proptest! {
        #[test]
        fn bytes_in_are_bytes_out_under_any_split(
            frame_size in 1_usize..400,
            media in prop::collection::vec(any::<u8>(), 0..5000),
            mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let media = Bytes::from(media);
            let mut ends: Vec<usize> = cuts.drain(..).map(|cut| cut.index(media.len() + 1)).collect();
            ends.push(media.len());
            ends.sort_unstable();
            let mut reframer = Reframer::new(frame_size).unwrap();
            let (mut out, mut start) = (Vec::new(), 0);
            for end in ends {
                let pieces = reframer.join(media.slice(start..end));
                start = end;
                prop_assert!(pieces.joined.is_empty() || pieces.joined.len() == frame_size);
                prop_assert_eq!(pieces.body.len() % frame_size, 0);
                out.extend_from_slice(&pieces.joined);
                out.extend_from_slice(&pieces.body);
                prop_assert!(reframer.rest_bytes() < frame_size);
                prop_assert_eq!(out.len() + reframer.rest_bytes(), start);
            }
            prop_assert_eq!(out.len(), media.len() / frame_size * frame_size);
            out.extend_from_slice(&reframer.finish(None).unwrap_or_default());
            prop_assert_eq!(Bytes::from(out), media);
        }
    }
}
