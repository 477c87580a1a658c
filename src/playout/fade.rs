//! Fades media out to silence, in the codecs that code each sample separately.
//!
//! The gain falls by the same step with each sample, from nearly 1 to 0, over pieces of any length.

use bytes::Bytes;

/// How a sample is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleEncoding {
    /// G.711 µ-law, a byte.
    Ulaw,
    /// G.711 A-law, a byte.
    Alaw,
    /// 16 bits in the machine's order.
    Linear,
}

impl SampleEncoding {
    /// The encoding of Asterisk's format `name`; `None` if the codec does not code each sample separately.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "ulaw" => Some(Self::Ulaw),
            "alaw" => Some(Self::Alaw),
            _ if name.starts_with("slin") => Some(Self::Linear),
            _ => None,
        }
    }

    const fn sample_bytes(self) -> usize {
        match self {
            Self::Ulaw | Self::Alaw => 1,
            Self::Linear => 2,
        }
    }
}

/// A fade over a certain length of media.
#[derive(Debug, Clone)]
pub struct FadeOut {
    encoding: SampleEncoding,
    /// Samples of the whole fade.
    samples: u64,
    done: u64,
}

impl FadeOut {
    /// A fade over `len_bytes` of media of this encoding.
    pub fn over(encoding: SampleEncoding, len_bytes: usize) -> Self {
        Self { encoding, samples: (len_bytes / encoding.sample_bytes()) as u64, done: 0 }
    }

    /// Fades the next piece of the media.
    pub fn fade(&mut self, piece: &[u8]) -> Bytes {
        let mut faded = piece.to_vec();
        match self.encoding {
            SampleEncoding::Linear => {
                for sample in faded.as_chunks_mut().0 {
                    *sample = self.scaled(i16::from_ne_bytes(*sample)).to_ne_bytes();
                }
            }
            SampleEncoding::Ulaw => self.fade_codes(&mut faded, ulaw_sample, ULAW_FLIPPED),
            SampleEncoding::Alaw => self.fade_codes(&mut faded, alaw_sample, ALAW_FLIPPED),
        }
        Bytes::from(faded)
    }

    /// Replaces each code by the loudest one of the same sign that is not louder than the scaled sample.
    fn fade_codes(&mut self, codes: &mut [u8], sample_of: fn(u8) -> i16, flipped: u8) {
        for code in codes {
            let louder_than = self.scaled(sample_of(*code)).unsigned_abs();
            let sign = (*code ^ flipped) & SIGN;
            // Without the bits that are flipped on the wire, a code's loudness grows with it.
            let (mut quiet, mut loud) = (0, SIGN);
            while loud - quiet > 1 {
                let middle = quiet + (loud - quiet) / 2;
                if sample_of((middle | sign) ^ flipped).unsigned_abs() <= louder_than {
                    quiet = middle;
                } else {
                    loud = middle;
                }
            }
            *code = (quiet | sign) ^ flipped;
        }
    }

    /// The next sample, multiplied by its gain.
    fn scaled(&mut self, sample: i16) -> i16 {
        self.done += 1;
        let left = self.samples.saturating_sub(self.done);
        let scaled = i64::from(sample) * i64::try_from(left).unwrap_or(0);
        let scaled = scaled.checked_div(i64::try_from(self.samples).unwrap_or(i64::MAX));
        // Not more than the sample, so it fits.
        scaled.and_then(|scaled| i16::try_from(scaled).ok()).unwrap_or(0)
    }
}

/// The bit of a code that is its sample's sign.
const SIGN: u8 = 0x80;

/// The bits of a code that are inverted on the wire (ITU-T G.711, tables 1a to 2b).
const ULAW_FLIPPED: u8 = 0xff;
const ALAW_FLIPPED: u8 = 0x55;

/// The exponent of a code without flipped bits, and its mantissa.
const fn parts(code: u8) -> (u8, i16) {
    (code >> 4 & 7, (code & 0xf) as i16)
}

/// The sample of a µ-law code, in 16 bits.
const fn ulaw_sample(code: u8) -> i16 {
    const BIAS: i16 = 0x84;
    let code = code ^ ULAW_FLIPPED;
    let (exponent, mantissa) = parts(code);
    let loudness = (((mantissa << 3) + BIAS) << exponent) - BIAS;
    if code & SIGN == 0 { loudness } else { -loudness }
}

/// The sample of an A-law code, in 16 bits.
const fn alaw_sample(code: u8) -> i16 {
    let code = code ^ ALAW_FLIPPED;
    let (exponent, mantissa) = parts(code);
    let loudness = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    if code & SIGN == 0 { -loudness } else { loudness }
}

#[cfg(test)]
mod tests;
