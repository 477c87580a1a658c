//! How the bytes of a codec are divided into frames.
//!
//! | codec | its frames | evidence |
//! | --- | --- | --- |
//! | g723 | 24, 20, 4 or 1 bytes; the first byte says which | [`super::g723`] |
//! | ilbc | 50 or 38 bytes, one of them in a stream | [`super::ilbc`] |
//! | silk | of any size, which nothing in them shows: a frame ends with its message | Asterisk counts 20 ms for any length |
//! | all others that can be cut | of one size: ulaw, alaw, slin, g722, g726, adpcm and gsm by their nature; siren7, siren14 and g719 at the one bit rate that Asterisk supports (32, 48 and 64 kbit/s) | `res_format_attr_siren*`, `formats/format_g719.c` |
//!
//! Codecs that can never be cut (opus, speex, g729, amr, codec2, lpc10) have no framing: a message is a frame in
//! passthrough.

use std::num::NonZeroUsize;

use super::{g723, ilbc};

/// How media of one codec is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// All frames have this many bytes.
    Fixed(NonZeroUsize),
    /// Each frame shows its own length.
    G723,
    /// All frames of a stream have one of two lengths.
    Ilbc,
    /// A message is a frame.
    Messages,
}

impl Framing {
    /// The framing of the format `name`, whose usual frame has `frame_size` bytes; `None` for 0, the size of codecs
    /// that cannot be cut.
    pub fn of(name: &str, frame_size: usize) -> Option<Self> {
        let frame_size = NonZeroUsize::new(frame_size)?;
        Some(match name {
            g723::FORMAT_NAME => Self::G723,
            ilbc::FORMAT_NAME => Self::Ilbc,
            _ if name.starts_with("silk") => Self::Messages,
            _ => Self::Fixed(frame_size),
        })
    }

    /// Whether each frame lasts one ptime; else a frame's samples say how long it lasts.
    pub fn is_fixed(self) -> bool {
        matches!(self, Self::Fixed(_))
    }
}

/// How a piece of media is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// It is one frame.
    #[default]
    Whole,
    /// After each so many bytes; the last frame may be short.
    Every(NonZeroUsize),
    /// Where G.723.1's frames end.
    G723,
}

impl Cut {
    /// Cut after each `len_bytes`; 0: not at all.
    pub fn every(len_bytes: usize) -> Self {
        NonZeroUsize::new(len_bytes).map_or(Self::Whole, Self::Every)
    }

    /// Bytes of the frame that `media` begins with; more than `media` has if the frame's end is missing; 0 if `media`
    /// is empty.
    pub fn frame_len(self, media: &[u8]) -> usize {
        match (self, media.first()) {
            (_, None) => 0,
            (Self::Whole, Some(_)) => media.len(),
            (Self::Every(len), Some(_)) => len.get(),
            (Self::G723, Some(first)) => g723::frame_len(*first),
        }
    }

    /// Frames in `media`, including the last one, which may be short.
    pub fn frames(self, media: &[u8]) -> usize {
        match self {
            Self::Whole => usize::from(!media.is_empty()),
            Self::Every(len) => media.len().div_ceil(len.get()),
            Self::G723 => g723::frames(media).count(),
        }
    }

    /// Bytes of the whole frames in `media`.
    pub fn whole_frames_len(self, media: &[u8]) -> usize {
        match self {
            Self::Whole => media.len(),
            Self::Every(len) => media.len() - media.len() % len,
            Self::G723 => g723::whole_frames_len(media),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_codec_by_its_rule() {
        let fixed = |len| Some(Framing::Fixed(NonZeroUsize::new(len).unwrap()));
        for (name, frame_size, framing) in [
            ("ulaw", 160, fixed(160)),
            ("gsm", 33, fixed(33)),
            ("siren7", 80, fixed(80)),
            ("siren14", 120, fixed(120)),
            ("g719", 160, fixed(160)),
            ("g723", 20, Some(Framing::G723)),
            ("ilbc", 38, Some(Framing::Ilbc)),
            ("silk8", 160, Some(Framing::Messages)),
            ("silk24", 480, Some(Framing::Messages)),
            ("opus", 0, None),
            ("g729", 0, None),
        ] {
            assert_eq!(Framing::of(name, frame_size), framing, "{name}");
        }
    }

    #[test]
    fn cuts() {
        let g723 = [&[0x00; 24][..], &[0x01; 20], &[0x02; 4], &[0x03], &[0x01; 7]].concat();
        for (name, cut, media, frame_len, frames, whole) in [
            ("nothing", Cut::Whole, &[][..], 0, 0, 0),
            ("whole", Cut::Whole, &[1, 2, 3][..], 3, 1, 3),
            ("every 2", Cut::every(2), &[1, 2, 3][..], 2, 2, 2),
            ("short", Cut::every(5), &[1, 2, 3][..], 5, 1, 0),
            ("0 is whole", Cut::every(0), &[1, 2, 3][..], 3, 1, 3),
            ("g723", Cut::G723, &g723[..], 24, 5, 49),
            ("g723, its last frame short", Cut::G723, &g723[49..], 20, 1, 0),
        ] {
            assert_eq!(
                (cut.frame_len(media), cut.frames(media), cut.whole_frames_len(media)),
                (frame_len, frames, whole),
                "{name}"
            );
        }
    }
}
