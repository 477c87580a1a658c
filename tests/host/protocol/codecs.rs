//! Every codec that Asterisk knows, with all of Debian's codec modules loaded: what MEDIA_START says of it, and its
//! frames from one app to another, bit by bit unchanged.

use std::time::{Duration, Instant};

use super::super::harness::{Context, InstanceConfig, Suite};
use super::super::media::noise;

pub fn tests(suite: &mut Suite) {
    for codec in CODECS {
        suite.same(format!("codecs/{codec}"), move |t| through(t, codec)).shares("codecs", all_codecs);
    }
    suite.same("codecs/others", others).shares("codecs", all_codecs);
    for &(codec, sizes, oracle) in SIZES {
        suite
            .differs(format!("codecs/sizes/{codec}"), "38", move |t| sizes_of(t, codec, sizes, oracle))
            .shares("codecs", all_codecs);
        suite
            .differs(format!("codecs/sizes_in_bulk/{codec}"), "38", move |t| in_bulk(t, codec, sizes))
            .shares("codecs", all_codecs);
    }
    suite.differs("codecs/ilbc_30_ms", "38", ilbc_30_ms).shares("codecs", all_codecs);
    for format in NOT_AUDIO {
        suite
            .ours(format!("codecs/refused/{format}"), "the C module divides by zero", move |t| {
                refused(t, format);
            })
            .shares("codecs", all_codecs);
    }
}

const CODECS: [&str; 35] = [
    "adpcm", "alaw", "amr", "amrwb", "codec2", "g719", "g722", "g723", "g726", "g726aal2", "g729", "gsm",
    "ilbc", "lpc10", "none", "opus", "silk12", "silk16", "silk24", "silk8", "siren14", "siren7", "slin",
    "slin12", "slin16", "slin192", "slin24", "slin32", "slin44", "slin48", "slin96", "speex", "speex16",
    "speex32", "ulaw",
];

/// Sizes of frames of codecs with more than one size, and the C module's result for each in a separate message; 0:
/// nothing.
const SIZES: &[(&str, &[usize], &[usize])] = &[
    ("g723", &[24, 20, 24, 4, 1, 24], &[20, 20, 20, 0, 0, 20]),
    ("ilbc", &[50, 50, 50, 50, 50, 50], &[38, 38, 38, 38, 38, 38]),
    ("silk16", &[57, 320, 400, 1, 319, 640], &[0, 320, 320, 0, 0, 320]),
];

const NOT_AUDIO: [&str; 8] = ["h264", "h265", "vp8", "mpeg4", "jpeg", "t38", "t140", "red"];

/// All of Debian's modules with codecs and formats.
pub fn all_codecs() -> InstanceConfig {
    let attributes =
        ["amr", "celt", "g729", "h263", "h264", "ilbc", "opus", "silk", "siren14", "siren7", "vp8"];
    let codecs = ["adpcm", "amr", "codec2", "g722", "g726", "gsm", "lpc10", "opus_open_source", "speex"];
    let formats = [
        "g719",
        "g723",
        "g726",
        "g729",
        "h263",
        "h264",
        "ilbc",
        "ogg_opus_open_source",
        "ogg_speex",
        "ogg_vorbis",
        "siren14",
        "siren7",
        "vox",
        "vp8",
        "wav",
        "wav_gsm",
    ];
    let attributes = attributes.iter().map(|name| format!("res_format_attr_{name}"));
    let codecs = codecs.iter().map(|name| format!("codec_{name}"));
    let formats = formats.iter().map(|name| format!("format_{name}"));
    attributes
        .chain(codecs)
        .chain(formats)
        .fold(InstanceConfig::new(), |config, module| config.module(&module))
}

fn through(t: &Context, codec: &str) {
    let options = format!("WebSocket/INCOMING/c({codec})");
    let ends = [(); 2].map(|()| {
        let call = t.call(&options).formats(codec).originate();
        let app = call.connect();
        let start = app.expect_media_start();
        assert_eq!(start.get("format"), codec);
        call.wait_up();
        (call, app, start)
    });
    let [(one, talker, start), (other, listener, _)] = &ends;
    if codec == "none" {
        // It cannot be bridged.
        return;
    }
    t.ari().bridge(&[&one.id, &other.id]);
    let size: usize = start.get("optimal_frame_size").parse().unwrap();
    // Codecs without a frame size have messages of any length.
    let size = if size == 0 { 40 } else { size };
    let mut media = noise(size * 3);
    for frame in media.chunks_mut(size) {
        if codec == "opus" {
            // CELT, full band, 20 ms, one frame.
            frame[0] = 31 << 3;
        }
        if codec == "g723" {
            // 5.3 kbit/s, in 20 bytes.
            frame[0] = frame[0] & 0xfc | 0x01;
        }
        talker.send_media(frame);
        assert_eq!(listener.expect_media(), frame);
    }
    t.note(format!("frames of {size} bytes"));
}

/// A frame as its codec makes it, as far as it encodes its own length.
fn frame(codec: &str, size: usize) -> Vec<u8> {
    let mut frame = noise(size);
    match codec {
        "g723" => {
            let kind = [24, 20, 4, 1].iter().position(|len| *len == size).expect("a length of g723");
            frame[0] = frame[0] & 0xfc | kind as u8;
        }
        // The empty frame indicator.
        "ilbc" => frame[size - 1] &= 0xfe,
        _ => {}
    }
    frame
}

/// One frame in each message.
fn sizes_of(t: &Context, codec: &str, sizes: &[usize], oracle: &[usize]) {
    let (_call, app) = t.incoming_echo(&format!("c({codec})"));
    for (size, of_oracle) in sizes.iter().zip(oracle) {
        let frame = frame(codec, *size);
        app.send_media(&frame);
        let wanted = t.either(*of_oracle, *size);
        if wanted > 0 {
            assert_eq!(app.expect_media(), frame[..wanted], "of {size} bytes");
        }
    }
}

/// The same frames, eight times, as bulk media in pieces that do not match the frames.
fn in_bulk(t: &Context, codec: &str, sizes: &[usize]) {
    let (_call, app) = t.incoming_echo(&format!("c({codec})"));
    let frames: Vec<Vec<u8>> =
        sizes.iter().cycle().take(8 * sizes.len()).map(|size| frame(codec, *size)).collect();
    let media = frames.concat();
    app.command("START_MEDIA_BUFFERING");
    if codec == "silk16" {
        // A message is a frame here, because nothing else marks the end of a frame.
        frames.iter().for_each(|frame| app.send_media(frame));
    } else {
        let (head, tail) = media.split_at(7);
        app.send_media(head);
        tail.chunks(611).for_each(|piece| app.send_media(piece));
    }
    app.command("STOP_MEDIA_BUFFERING all");
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    if t.is_ours() {
        for frame in &frames {
            assert_eq!(app.expect_media(), *frame);
        }
    } else {
        let first = app.expect_media();
        assert!(first.len() != frames[0].len() && media.starts_with(&first), "{} bytes", first.len());
    }
}

/// Frames of 30 ms are played for 30 ms.
fn ilbc_30_ms(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ilbc)");
    let began = Instant::now();
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&frame("ilbc", 50).repeat(60));
    app.command("STOP_MEDIA_BUFFERING all");
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    let lasted = began.elapsed();
    if t.is_ours() {
        assert!(lasted >= Duration::from_millis(60 * 30 - 40), "{lasted:?}");
    }
    // To the C module 3000 bytes are 79 frames of 38 bytes and 20 ms.
    let len = app.expect_media().len();
    assert_eq!(len, t.either(38, 50));
}

/// The codecs of this Asterisk that the list above does not have.
fn others(t: &Context) {
    let text = t.asterisk.cli("core show codecs");
    let audio = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(1) == Some(&"audio")).then(|| words[3].to_owned())
    });
    let audio: Vec<String> = audio.collect();
    assert!(audio.len() >= 30, "no list of codecs: {text}");
    for codec in audio.iter().filter(|codec| !CODECS.contains(&codec.as_str())) {
        through(t, codec);
    }
}

fn refused(t: &Context, format: &str) {
    let error = format!("format '{format}' is not an audio format");
    t.allow_log(&error);
    let answer = t.call(&format!("WebSocket/INCOMING/c({format})")).formats("ulaw").try_originate();
    assert_ne!(answer.status, 200);
    t.wait_log(&["ERROR", &error]);
}
