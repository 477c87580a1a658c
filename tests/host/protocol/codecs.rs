//! Every codec that Asterisk knows, with all of Debian's codec modules loaded: what MEDIA_START says of it, and frames
//! of it from one app to another, bit by bit as they were sent.

use super::super::harness::{Context, InstanceConfig, Suite};
use super::super::media::noise;

pub fn tests(suite: &mut Suite) {
    for codec in CODECS {
        suite.same(format!("codecs/{codec}"), move |t| through(t, codec)).shares("codecs", all_codecs);
    }
    suite.same("codecs/others", others).shares("codecs", all_codecs);
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

const NOT_AUDIO: [&str; 8] = ["h264", "h265", "vp8", "mpeg4", "jpeg", "t38", "t140", "red"];

/// All of Debian's modules that bring codecs and formats.
fn all_codecs() -> InstanceConfig {
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
    // Codecs without one have messages of any length.
    let size = if size == 0 { 40 } else { size };
    let mut media = noise(size * 3);
    for frame in media.chunks_mut(size) {
        if codec == "opus" {
            // CELT, full band, 20 ms, one frame.
            frame[0] = 31 << 3;
        }
        talker.send_media(frame);
        assert_eq!(listener.expect_media(), frame);
    }
    t.note(format!("frames of {size} bytes"));
}

/// Those that this Asterisk has and the list above does not.
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
