//! What is heard where speech begins after silence, and where silence begins after speech that was cut off.
//!
//! A decoder with memory uses the state that earlier frames have left. The fill is the end of a second of encoded
//! silence, and a different encoder, which started anew, encoded the speech. The test measures the difference from the
//! same speech without the option.

use std::f64::consts::TAU;

use super::super::harness::{App, Context, Suite, wait};
use super::super::playback::report;
use super::super::protocol::codecs::all_codecs;
use super::{CODECS, Codec, OURS};

pub fn tests(suite: &mut Suite) {
    for codec in CODECS {
        suite
            .ours(format!("silence/seams/{}", codec.name), OURS, move |t| seams(t, codec))
            .shares("codecs", all_codecs);
    }
}

/// Frames of speech: a tone of 440 Hz at half of full scale, which is cut off.
const FRAMES: usize = 40;

/// The number of frames that are checked after each seam: all of the speech, and a second of silence.
const SPEECH: usize = FRAMES;
const SILENCE: usize = 50;

/// An audible click: -58 dBov. After a tone that was cut off, g722 settles at -59.
const CLICK: i32 = 40;
/// A smaller difference in speech is not audible: 30 dB below the tone.
const BESIDE_SPEECH: i32 = 500;

/// The greatest absolute value of these samples.
fn peak(samples: &[i32]) -> i32 {
    samples.iter().map(|sample| sample.abs()).max().unwrap_or(0)
}

fn decibels(peak: i32) -> String {
    if peak == 0 { "none".to_owned() } else { format!("{:.0}", 20.0 * (f64::from(peak) / 32768.0).log10()) }
}

/// A second of the tone, in signed linear at this rate.
fn tone(rate: usize) -> Vec<u8> {
    let sample = |n: usize| (16_000.0 * (TAU * 440.0 * n as f64 / rate as f64).sin()) as i16;
    (0..rate).flat_map(|n| sample(n).to_le_bytes()).collect()
}

/// The frames that Asterisk's encoder makes of the tone.
fn encoded(t: &Context, codec: Codec) -> Vec<Vec<u8>> {
    let [(_call, app), (_other, speaker)] = t.bridged(&format!("c({})f(json)", codec.name), &linear(codec));
    speaker.send_media(&tone(codec.linear.1 * 50));
    let first = app.expect_media();
    std::iter::once(first).chain((1..FRAMES).map(|_| app.expect_media())).collect()
}

fn linear(codec: Codec) -> String {
    format!("c({})f(json)", codec.linear.0)
}

/// The decoded frames, as frames of samples, from the first loud one on.
fn heard(t: &Context, codec: Codec, frames: &[Vec<u8>], fills: bool) -> Vec<Vec<i32>> {
    let fill = if fills { "X(silence_fill=yes)" } else { "" };
    let options = format!("c({})f(json){fill}", codec.name);
    let [(_call, app), (_other, ear)] = t.bridged(&options, &linear(codec));
    if fills {
        next(&ear, codec, 50);
    }
    for frame in frames {
        app.send_media(frame);
    }
    let mut first = next(&ear, codec, 1);
    let deadline = std::time::Instant::now() + wait::PATIENCE;
    while peak(&first[0]) < 1000 {
        assert!(std::time::Instant::now() < deadline, "no speech is heard");
        first = next(&ear, codec, 1);
    }
    let more = if fills { FRAMES - 1 + SILENCE } else { FRAMES - 1 };
    first.extend(next(&ear, codec, more));
    first
}

/// The next so many frames.
fn next(ear: &App, codec: Codec, count: usize) -> Vec<Vec<i32>> {
    let bytes = codec.linear.1 * 2;
    let media = ear.collect_media(count * bytes);
    let samples = |frame: &[u8]| {
        frame.chunks_exact(2).map(|pair| i32::from(i16::from_le_bytes([pair[0], pair[1]]))).collect()
    };
    media.chunks_exact(bytes).map(samples).collect()
}

fn seams(t: &Context, codec: Codec) {
    let frames = encoded(t, codec);
    let (filled, alone) = (heard(t, codec, &frames, true), heard(t, codec, &frames, false));
    let error = |number: usize| {
        let pairs = filled[number].iter().zip(&alone[number]);
        peak(&pairs.map(|(one, other)| one - other).collect::<Vec<_>>())
    };
    let errors: Vec<i32> = (0..SPEECH).map(error).collect();
    // With a codec that looks ahead, part of the last frame of speech is in the first frame of silence. A constant is
    // inaudible, except for its first step.
    let silence: Vec<i32> = filled[FRAMES..].iter().map(|frame| swing(frame)).collect();
    let frames_over =
        |peaks: &[i32], bound: i32| peaks.iter().rposition(|peak| *peak > bound).map_or(0, |last| last + 1);
    let (into, out) = (frames_over(&errors, BESIDE_SPEECH), frames_over(&silence, CLICK));
    report(&format!(
        "| {} | {} | {into} | {} | {out} | {} |",
        codec.name,
        decibels(peak(&errors)),
        decibels(silence[0]),
        decibels(peak(filled.last().expect("a frame"))),
    ));
    if codec.seams == (0, 0) {
        assert!(peak(&errors) == 0, "{errors:?}");
    }
    assert!(into <= codec.seams.0, "speech: {errors:?}");
    assert!(out <= codec.seams.1, "{out} frames of silence: {silence:?}");
}

/// The greatest difference of a sample from the mean.
fn swing(samples: &[i32]) -> i32 {
    let mean = samples.iter().sum::<i32>() / i32::try_from(samples.len()).expect("few");
    peak(&samples.iter().map(|sample| sample - mean).collect::<Vec<_>>())
}
