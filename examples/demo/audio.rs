//! G.711 and WAV.

use std::fs;
use std::io;
use std::path::Path;

/// Of all audio here.
pub const SAMPLE_RATE: u32 = 8000;

/// The samples of ulaw (ITU-T G.711).
pub fn decode(ulaw: &[u8]) -> Vec<i16> {
    let sample = |byte: &u8| {
        let byte = !byte;
        let magnitude = ((i16::from(byte & 0x0f) << 3) + 0x84) << ((byte >> 4) & 7);
        if byte & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
    };
    ulaw.iter().map(sample).collect()
}

/// Writes a WAV file: 16-bit PCM, mono.
pub fn write_wav(path: &Path, samples: &[i16]) -> io::Result<()> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let size = u32::try_from(data.len()).map_err(io::Error::other)?;
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(size + 36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    // PCM, one channel.
    file.extend_from_slice(&[1, 0, 1, 0]);
    file.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    file.extend_from_slice(&(SAMPLE_RATE * 2).to_le_bytes());
    // Bytes per sample, bits per sample.
    file.extend_from_slice(&[2, 0, 16, 0]);
    file.extend_from_slice(b"data");
    file.extend_from_slice(&size.to_le_bytes());
    file.extend_from_slice(&data);
    fs::write(path, file)
}
