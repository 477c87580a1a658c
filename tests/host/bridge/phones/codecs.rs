//! Two applications with two SIP legs between them, in each codec. A negotiated codec is not translated, so every byte
//! must arrive.

use std::thread;
use std::time::Duration;

use super::super::super::harness::{App, Context, Suite, wait};
use super::super::super::whisper::{FRAME, numbered, numbers};
use super::super::{direct, expect_direct, expect_played, expect_technology, figure, is_direct};
use super::{Pair, test};

pub(super) fn tests(suite: &mut Suite) {
    for codec in ["ulaw", "alaw", "g722", "opus"] {
        test(suite, &format!("codecs/{codec}"), move |t| {
            both_ways(t, codec, codec);
        });
    }
    for (phone, codec, is_direct) in [
        ("alaw", "ulaw", false),
        ("g722", "ulaw", false),
        ("g722", "slin16", true),
        ("opus", "ulaw", false),
        ("opus", "slin16", false),
        ("opus", "slin48", true),
    ] {
        let endpoint = format!("{phone}_and_{codec}");
        test(suite, &format!("codecs/{endpoint}"), move |t| translated(t, &endpoint, codec, is_direct));
    }
    test(suite, "codecs/srtp", secure);
}

/// Frames in each direction.
const FRAMES: usize = 150;

/// Numbered frames of this codec, 20 ms each.
fn frames(codec: &str) -> Vec<Vec<u8>> {
    let numbered = numbered(FRAMES);
    let frames = numbered.chunks(FRAME);
    match codec {
        // RFC 6716: SILK, narrow band, one frame of 20 ms.
        "opus" => frames.map(|frame| [&[0x08], frame].concat()).collect(),
        _ => frames.map(<[u8]>::to_vec).collect(),
    }
}

/// What one application sends, the other hears, each frame unchanged and in order.
#[track_caller]
fn expect_frames(from: &App, to: &App, frames: &[Vec<u8>]) {
    frames.iter().for_each(|frame| from.send_media(frame));
    for (number, frame) in frames.iter().enumerate() {
        let heard = to.expect_media();
        let it_is = |frame: &[u8]| numbers(&frame[frame.len() % FRAME..]);
        assert!(heard == *frame, "{:?} was heard in place of {number}", it_is(&heard));
    }
}

#[track_caller]
fn both_ways<'t>(t: &'t Context, endpoint: &str, codec: &str) -> Pair<'t> {
    let pair = Pair::new(t, endpoint, codec);
    let frames = frames(codec);
    thread::scope(|scope| {
        let there = scope.spawn(|| expect_frames(&pair.app, &pair.other, &frames));
        expect_frames(&pair.other, &pair.app, &frames);
        there.join().expect("all frames");
    });
    expect_technology(t, &pair.other_id, "websocket");
    expect_direct(t, &pair.call, 0, FRAMES);
    expect_played(t, &pair.call, FRAMES);
    pair
}

/// Whether a frame is more than silence.
type IsLoud = fn(&[u8]) -> bool;

/// 20 ms of a square wave, and a test that tells it from silence.
fn loud_frame(codec: &str) -> (Vec<u8>, IsLoud) {
    let (is_loud_ulaw, is_loud_linear): (IsLoud, IsLoud) = (
        |frame| frame.iter().any(|byte| byte & 0x7f < 0x50),
        |frame| frame.iter().skip(1).step_by(2).any(|high| (4..0xfc).contains(high)),
    );
    let linear = [[0x10; 32], [0xf0; 32]].concat();
    match codec {
        "ulaw" => ([[0x20; 8], [0xa0; 8]].concat().repeat(10), is_loud_ulaw),
        "slin16" => (linear.repeat(10), is_loud_linear),
        _ => (linear.repeat(30), is_loud_linear),
    }
}

/// The telephones have another codec: the bytes change, but each frame arrives once. Asterisk chooses the side of the
/// bridge on which it translates. If it is the application's side, no frame is direct.
fn translated(t: &Context, endpoint: &str, codec: &str, goes_directly: bool) {
    let pair = Pair::new(t, endpoint, codec);
    let (frame, is_loud) = loud_frame(codec);
    for (from, to) in [(&pair.app, &pair.other), (&pair.other, &pair.app)] {
        (0..FRAMES).for_each(|_| from.send_media(&frame));
        let heard = to.collect_media_for(FRAMES * frame.len(), wait::PATIENCE);
        assert!(
            heard.len() == FRAMES * frame.len(),
            "{} bytes were heard; {}",
            heard.len(),
            figures_of(t, &pair)
        );
        let silent = heard.chunks(frame.len()).filter(|frame| !is_loud(frame)).count();
        assert!(silent < 5, "{silent} of {FRAMES} frames are silent");
        assert!(to.collect_media_for(1, Duration::from_millis(300)).is_empty(), "more than was said");
    }
    if goes_directly {
        expect_direct(t, &pair.call, 0, FRAMES);
        expect_played(t, &pair.call, FRAMES);
    } else if is_direct(t) {
        assert_eq!(direct(&pair.call), 0);
        assert!(figure(&pair.call, "frames_not_direct").contains("format "));
    }
}

/// The frames that the module has played and sent on both calls: they tell a frame that it lost from one that is lost
/// between the telephones.
fn figures_of(t: &Context, pair: &Pair<'_>) -> String {
    let figure = |id: &str, name: &str| t.ari().variable(id, &format!("CHANNEL(websocket,{name})"));
    let names = ["frames_in", "frames_played", "frames_out"];
    let figures =
        [&pair.call.id, &pair.other_id].map(|id| names.map(|name| figure(id, name).unwrap_or_default()));
    format!("{names:?} of the two calls: {figures:?}")
}

/// SRTP at both ends.
fn secure(t: &Context) {
    let pair = both_ways(t, "srtp", "ulaw");
    let channels = t.ari().get("channels", &[]).ok();
    let id = |name: &str| {
        let found = channels.as_array().into_iter().flatten().find(|channel| channel["name"] == *name);
        found.and_then(|channel| channel["id"].as_str()).expect("its channel").to_owned()
    };
    for end in [&pair.call.id, &pair.other_id] {
        let phone = t.ari().variable(end, "BRIDGEPEER").expect("a telephone");
        let is_secure = t.ari().variable(&id(&phone), "CHANNEL(rtp,secure,audio)");
        assert_eq!(is_secure.as_deref(), Some("1"), "{phone}");
    }
}
