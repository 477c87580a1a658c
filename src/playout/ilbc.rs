//! Frames of iLBC (RFC 3951): a stream has frames of 20 ms in 38 bytes, or of 30 ms in 50 bytes, and no frame says
//! which.
//!
//! The length of a message shows which it is. In a larger message the last bits of the frames show it too: each is the
//! empty frame indicator (RFC 3951 table 3.2), which an encoder leaves 0. Asterisk's own counter (`ilbc_samples`,
//! `main/codec_builtin.c`) assumes 30 ms for every stream without an attribute `mode`. That attribute does not help
//! here: a copy of a format has `mode` 20 although it was not negotiated (`ilbc_clone`, `res/res_format_attr_ilbc.c`).

use super::sample_counter::SampleCounter;

/// Asterisk's name of the format.
pub const FORMAT_NAME: &str = "ilbc";

/// Bytes of a frame of 20 ms. That is what MEDIA_START says, so it applies if nothing shows the length.
pub const SHORT_FRAME: usize = 38;

/// Bytes of a frame of 30 ms.
pub const LONG_FRAME: usize = 50;

/// From this many bytes on, the frames' last bits show the length. In at most 1 of 256 cases the wrong length fits too,
/// and then the message's length decides.
pub const TELLING_BYTES: usize = 8 * LONG_FRAME;

const SHORT_SAMPLES: u32 = 160;
const LONG_SAMPLES: u32 = 240;

/// The length of the frames in `media`, which begins with a frame, in bytes; `None` if `media` does not show it.
pub fn frame_len_told_by(media: &[u8]) -> Option<usize> {
    let by_bits = |len| media.len() >= TELLING_BYTES && has_no_empty_frame(media, len);
    let by_length = |len| media.len().is_multiple_of(len);
    one_of(by_bits).or_else(|| one_of(by_length))
}

/// The length for which `fits` is true, if it is for exactly one.
fn one_of(fits: impl Fn(usize) -> bool) -> Option<usize> {
    match (fits(SHORT_FRAME), fits(LONG_FRAME)) {
        (true, false) => Some(SHORT_FRAME),
        (false, true) => Some(LONG_FRAME),
        _ => None,
    }
}

fn has_no_empty_frame(media: &[u8], len: usize) -> bool {
    media.chunks_exact(len).all(|frame| frame.last().is_some_and(|last| last & 1 == 0))
}

/// What is known about the frames of a call's stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stream {
    /// Bytes of a frame, by the last message that showed it.
    known: Option<usize>,
    /// The same for the bulk that is being joined.
    bulk: Option<usize>,
}

impl Stream {
    /// Bytes of a frame in a message that is not part of a bulk.
    pub fn frame_len(&mut self, message: &[u8]) -> usize {
        self.known = frame_len_told_by(message).or(self.known);
        self.known.unwrap_or(SHORT_FRAME)
    }

    /// Bytes of a frame in a bulk. `held` are its bytes that wait because the length is not known, `message` comes
    /// next. `None`: the length is still not known, and all of it has to wait.
    pub fn bulk_frame_len(&mut self, held: &[u8], message: &[u8]) -> Option<usize> {
        if self.bulk.is_none() {
            self.bulk = self.known.or_else(|| match held {
                [] => frame_len_told_by(message),
                _ => None,
            });
        }
        if self.bulk.is_none() && held.len() + message.len() >= TELLING_BYTES {
            return Some(self.decide(&[held, message].concat()));
        }
        self.bulk
    }

    /// Bytes of a frame in a bulk whose waiting bytes `held` cannot wait any longer.
    pub fn decide(&mut self, held: &[u8]) -> usize {
        *self.bulk.get_or_insert_with(|| frame_len_told_by(held).unwrap_or(SHORT_FRAME))
    }

    /// The bulk is over.
    pub fn end_bulk(&mut self) {
        self.bulk = None;
    }
}

/// Counts the samples of frames, at 8 kHz.
#[derive(Debug, Clone, Copy, Default)]
pub struct IlbcSampleCounter;

impl SampleCounter for IlbcSampleCounter {
    fn samples(&self, payload: &[u8]) -> u32 {
        let is_short = payload.len() < SHORT_FRAME
            || one_of(|len| payload.len().is_multiple_of(len)) == Some(SHORT_FRAME);
        let (len, samples) = if is_short { (SHORT_FRAME, SHORT_SAMPLES) } else { (LONG_FRAME, LONG_SAMPLES) };
        u32::try_from(payload.len().div_ceil(len)).unwrap_or(0).saturating_mul(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames as an encoder makes them: any bits, except the last one.
    fn encoded(len: usize, frames: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut media: Vec<u8> = (0..len * frames)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect();
        media.chunks_mut(len).for_each(|frame| *frame.last_mut().unwrap() &= 0xfe);
        media
    }

    #[test]
    fn what_a_message_tells() {
        for (name, media, told) in [
            ("one short frame", encoded(38, 1), Some(38)),
            ("one long frame", encoded(50, 1), Some(50)),
            ("ten short frames", encoded(38, 10), Some(38)),
            ("a length that both have", vec![0xff; 1900], None),
            ("a length that both have, long frames", encoded(50, 38), Some(50)),
            ("a length that both have, short frames", encoded(38, 50), Some(38)),
            ("a piece of long frames", encoded(50, 100)[..4096].to_vec(), Some(50)),
            ("a piece of short frames", encoded(38, 200)[..4096].to_vec(), Some(38)),
            ("long frames, as many bytes as short ones have", encoded(50, 100)[..4104].to_vec(), Some(50)),
            ("neither", vec![0xff; 100 + 7], None),
            ("zeros", vec![0; 4096], None),
            ("nothing", vec![], None),
        ] {
            assert_eq!(frame_len_told_by(&media), told, "{name}");
        }
    }

    #[test]
    fn a_message_for_itself_goes_by_its_length_else_by_those_before() {
        let mut stream = Stream::default();
        for (len, frame_len) in [(7, 38), (50, 50), (100, 50), (107, 50), (1900, 50), (76, 38), (107, 38)] {
            assert_eq!(stream.frame_len(&vec![0xff; len]), frame_len, "{len}");
        }
    }

    #[test]
    fn a_bulk_waits_until_it_is_known() {
        let long = encoded(50, 20);
        for (name, pieces, frame_lens) in [
            ("the first message tells", &[50, 7, 38][..], &[Some(50), Some(50), Some(50)][..]),
            ("or its first frames do", &[7, 38, 300, 54, 1], &[None, None, None, None, Some(50)]),
            ("or the first message's own", &[407], &[Some(50)]),
        ] {
            let (mut stream, mut held) = (Stream::default(), 0);
            for (len, expected) in pieces.iter().zip(frame_lens) {
                let told = stream.bulk_frame_len(&long[..held], &long[held..held + len]);
                assert_eq!(told, *expected, "{name}: {len} behind {held}");
                held += len;
            }
        }
        let mut undecided = Stream::default();
        assert_eq!(undecided.bulk_frame_len(&[], &[0xff; 7]), None);
        assert_eq!(undecided.decide(&[0xff; 7]), SHORT_FRAME);
        undecided.end_bulk();
        assert_eq!(undecided.bulk_frame_len(&[], &[0xff; 50]), Some(LONG_FRAME), "each bulk anew");
        undecided.end_bulk();
        assert_eq!(undecided.frame_len(&[0xff; 38]), SHORT_FRAME);
        assert_eq!(
            undecided.bulk_frame_len(&[], &[0xff; 50]),
            Some(SHORT_FRAME),
            "but for what is known already"
        );
    }

    #[test]
    fn samples_of_frames() {
        for (len, samples) in
            [(0, 0), (38, 160), (50, 240), (76, 320), (100, 480), (3, 160), (45, 240), (51, 480)]
        {
            assert_eq!(IlbcSampleCounter.samples(&vec![0; len]), samples, "{len}");
        }
    }
}
