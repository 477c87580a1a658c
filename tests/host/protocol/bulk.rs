//! Bulk media, between START_MEDIA_BUFFERING and STOP_MEDIA_BUFFERING.

use super::super::harness::{Context, Format, Suite};
use super::super::media::noise;
use super::{QUIET, in_order, status, ulaw};

pub fn tests(suite: &mut Suite) {
    for (codec, size, silence) in SILENCES {
        let name = format!("bulk/last_frame/{codec}");
        let body = move |t: &Context| last_frame(t, codec, size, silence);
        match silence {
            Some(_) => suite.differs(name, "4", body),
            None => suite.same(name, body),
        };
    }
    for format in Format::ALL {
        let name = |test: &str| format!("bulk/{}/{test}", format.name());
        suite.differs(name("second_start"), "27", move |t| second_start(t, format));
        suite.differs(name("second_stop"), "27", move |t| second_stop(t, format));
        suite.same(name("nothing_between"), move |t| nothing_between(t, format));
        suite.same(name("one_behind_another"), move |t| one_behind_another(t, format));
        suite.same(name("paused_within"), move |t| paused_within(t, format));
        suite.same(name("live_media_behind"), move |t| live_media_behind(t, format));
        suite.same(name("large"), move |t| large(t, format));
    }
}

/// Codecs, their frame sizes, and the byte of silence, if there is one.
const SILENCES: [(&str, usize, Option<u8>); 6] = [
    ("ulaw", 160, Some(0xff)),
    ("alaw", 160, Some(0xd5)),
    ("slin", 320, Some(0)),
    ("slin16", 640, Some(0)),
    ("gsm", 33, None),
    ("g722", 160, None),
];

/// Our module pads the last frame with silence; it stays short if the codec has no known silence.
fn last_frame(t: &Context, codec: &str, size: usize, silence: Option<u8>) {
    let (_call, app) = t.incoming_echo(&format!("c({codec})"));
    let media = noise(size + size / 4);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media);
    app.command("STOP_MEDIA_BUFFERING");
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    assert_eq!(app.expect_media(), media[..size]);
    let mut expected = media[size..].to_vec();
    if let Some(silence) = silence.filter(|_| t.is_ours()) {
        expected.resize(size, silence);
    }
    assert_eq!(app.expect_media(), expected);
}

/// A second start is an error, and buffering continues.
fn second_start(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media[..100]);
    app.command("START_MEDIA_BUFFERING");
    if t.is_ours() {
        assert_eq!(app.expect_error(), "START_MEDIA_BUFFERING while media is being buffered already");
    }
    assert_eq!(status(&app, "bulk_media"), "true");
    app.send_media(&media[100..]);
    app.command("STOP_MEDIA_BUFFERING");
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    assert_eq!(app.expect_media(), media);
}

/// A second stop is an error, and is still answered, because the application may wait for it.
fn second_stop(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(320);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media);
    app.command("STOP_MEDIA_BUFFERING a");
    app.command("STOP_MEDIA_BUFFERING b");
    if t.is_ours() {
        assert_eq!(app.expect_error(), "STOP_MEDIA_BUFFERING without START_MEDIA_BUFFERING");
    }
    for id in ["a", "b"] {
        assert_eq!(app.expect_event("MEDIA_BUFFERING_COMPLETED").get("correlation_id"), id);
    }
    assert_eq!(app.collect_media(320), media);
}

fn nothing_between(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    app.command("START_MEDIA_BUFFERING");
    app.command("STOP_MEDIA_BUFFERING nothing");
    assert_eq!(app.expect_event("MEDIA_BUFFERING_COMPLETED").get("correlation_id"), "nothing");
    assert_eq!(status(&app, "bulk_media"), "false");
}

/// The end of each bulk is reported, in order.
fn one_behind_another(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160 * 9);
    for (number, part) in media.chunks(160 * 3).enumerate() {
        app.command("START_MEDIA_BUFFERING");
        for message in part.chunks(77) {
            app.send_media(message);
        }
        app.command(&format!("STOP_MEDIA_BUFFERING {number}"));
    }
    for id in ["0", "1", "2"] {
        assert_eq!(app.expect_event("MEDIA_BUFFERING_COMPLETED").get("correlation_id"), id);
    }
    assert_eq!(app.collect_media(media.len()), media);
    for line in in_order(&app) {
        t.note(line);
    }
}

/// A bulk is over when it has been played, however long that takes.
fn paused_within(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160 * 4);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media[..333]);
    app.command("PAUSE_MEDIA");
    app.send_media(&media[333..]);
    app.command("STOP_MEDIA_BUFFERING");
    app.expect_quiet(QUIET);
    app.command("CONTINUE_MEDIA");
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    assert_eq!(app.collect_media(media.len()), media);
}

/// The remainder of the bulk is not mixed with media after it.
fn live_media_behind(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160 * 4);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media[..320]);
    app.command("STOP_MEDIA_BUFFERING");
    app.send_media(&media[320..]);
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    assert_eq!(app.collect_media(media.len()), media);
}

/// In the largest messages that the C module accepts.
fn large(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&ulaw(format));
    app.command("PAUSE_MEDIA");
    app.command("START_MEDIA_BUFFERING");
    for _ in 0..2 {
        app.send_media(&noise(65_500));
    }
    assert_eq!(status(&app, "queue_length"), (2 * 65_500 / 160).to_string());
    app.command("STOP_MEDIA_BUFFERING");
    assert_eq!(status(&app, "queue_length"), (2_usize * 65_500).div_ceil(160).to_string());
}
