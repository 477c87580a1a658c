//! A flush that fades out what it keeps, as another application in the bridge hears it.

use std::time::Duration;

use super::super::harness::{Context, Suite};
use super::{OURS, command, next, number};

pub fn tests(suite: &mut Suite) {
    for codec in CODECS {
        suite.ours(format!("playback/fade/{}", codec.name), OURS, move |t| fades(t, codec));
    }
}

/// A codec and its loudest samples, positive and negative.
#[derive(Debug, Clone, Copy)]
struct Codec {
    name: &'static str,
    frame: usize,
    loud: [&'static [u8]; 2],
    loudness: fn(&[u8]) -> Vec<u32>,
}

const CODECS: [Codec; 3] = [
    // Without the bits that are inverted on the wire, a greater code is a louder sample.
    Codec { name: "ulaw", frame: 160, loud: [&[0x80], &[0x00]], loudness: |media| codes(media, 0xff) },
    Codec { name: "alaw", frame: 160, loud: [&[0xaa], &[0x2a]], loudness: |media| codes(media, 0x55) },
    Codec { name: "slin16", frame: 640, loud: [&[0xff, 0x7f], &[0x01, 0x80]], loudness: linear },
];

fn codes(media: &[u8], flipped: u8) -> Vec<u32> {
    media.iter().map(|code| u32::from((code ^ flipped) & 0x7f)).collect()
}

fn linear(media: &[u8]) -> Vec<u32> {
    let sample = |bytes: &[u8]| i16::from_le_bytes([bytes[0], bytes[1]]);
    media.chunks_exact(2).map(|bytes| u32::from(sample(bytes).unsigned_abs())).collect()
}

fn fades(t: &Context, codec: Codec) {
    const QUEUED: usize = 100;
    /// 95 ms, in whole frames.
    const KEPT: usize = 5;
    let options = format!("c({})f(json)", codec.name);
    let [(_one, talker), (_other, listener)] = t.bridged(&options, &options);
    let tone = codec.loud.concat().repeat(codec.frame / codec.loud.concat().len());
    command(&talker, "START_MEDIA_BUFFERING", "");
    talker.send_media(&tone.repeat(QUEUED));
    command(&talker, "STOP_MEDIA_BUFFERING", "");
    let mut heard = listener.collect_media(10 * codec.frame);
    command(&talker, "FLUSH_MEDIA", r#""fade_ms":95,"correlation_id":"f""#);
    let flushed = next(&talker, "MEDIA_FLUSHED");
    let played = usize::try_from(number(&flushed, "played_ms") / 20).expect("small");
    assert_eq!(number(&flushed, "flushed_frames"), (QUEUED - played - KEPT) as u64);
    // No more media comes.
    let all = (played + KEPT) * codec.frame;
    heard.extend(listener.collect_media(all - heard.len()));
    assert_eq!(listener.collect_media_for(1, Duration::from_millis(200)), [0; 0]);

    let (loud, faded) = heard.split_at(played * codec.frame);
    assert_eq!(loud, tone.repeat(played));
    let loudest = (codec.loudness)(&tone)[0];
    let loudness = (codec.loudness)(faded);
    assert!(loudness.iter().all(|sample| *sample <= loudest));
    assert!(loudness.is_sorted_by(|one, next| one >= next), "{}: not ever quieter", codec.name);
    assert_eq!(loudness.last(), Some(&0));
    // The media fades; it is not cut.
    assert!(loudness[loudness.len() / 4] > 0 && loudness[loudness.len() * 9 / 10] > 0);

    command(&talker, "SUBSCRIBE", r#""events":[]"#);
    command(&talker, "GET_STATUS", "");
    let status = next(&talker, "STATUS");
    assert_eq!(number(&status, "played_ms"), (played + KEPT) as u64 * 20, "what is kept counts as played");
}
