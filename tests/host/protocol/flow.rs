//! The queue: its levels, the events about them, and STATUS in every state.

use super::super::harness::{App, Context, Format, Frame, InstanceConfig, Suite};
use super::super::media::noise;
use super::{QUIET, status, ulaw};

pub fn tests(suite: &mut Suite) {
    for format in Format::ALL {
        let name = |test: &str| format!("flow/{}/{test}", format.name());
        suite.same(name("xoff"), move |t| xoff(t, format));
        suite.same(name("xoff_within_a_message"), move |t| xoff_within_a_message(t, format));
        suite.same(name("overshoot"), move |t| overshoot(t, format));
        suite.same(name("xon"), move |t| xon(t, format));
        suite.same(name("bulk"), move |t| bulk(t, format));
        suite.differs(name("flush"), "17", move |t| flush(t, format));
        suite.differs(name("dropped"), "8", move |t| dropped(t, format));
        suite.same(name("passthrough"), move |t| passthrough(t, format));
        suite.same(name("marks_are_no_frames"), move |t| marks_are_no_frames(t, format));
        let name = |test: &str| format!("status/{}/{test}", format.name());
        for (state, commands) in STATES {
            suite.same(name(state), move |t| status_in(t, format, commands));
        }
        suite.same(name("before_answer"), move |t| status_before_answer(t, format));
        for (state, options) in [("passthrough", "p"), ("in", "d(in)"), ("out", "d(out)")] {
            suite.same(name(state), move |t| {
                let (_call, app) = t.incoming_app(&format!("{}{options}", ulaw(format)));
                status(&app, "queue_length");
            });
        }
    }
    suite.ours("flow/configured", "the C module's levels are fixed", configured).private_with(
        InstanceConfig::new()
            .file("chan_websocket.conf", "[global]\nqueue_max = 50\nqueue_xoff = 40\nqueue_xon = 30\n"),
    );
}

const FRAME: usize = 160;

/// Sends this many frames, in messages that the C module accepts.
fn fill(app: &App, frames: usize) {
    for message in noise(frames * FRAME).chunks(300 * FRAME) {
        app.send_media(message);
    }
}

#[track_caller]
fn assert_status(app: &App, length: usize, full: bool) {
    app.command("GET_STATUS");
    let status = app.expect_event("STATUS");
    assert_eq!(status.get("queue_length"), length.to_string());
    assert_eq!(status.get("queue_full"), full.to_string());
    assert_eq!(status.get("xon_level"), "800");
    assert_eq!(status.get("xoff_level"), "900");
}

/// Once, at 900, also while paused.
fn xoff(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&ulaw(format));
    app.command("PAUSE_MEDIA");
    fill(&app, 899);
    assert_status(&app, 899, false);
    fill(&app, 1);
    app.expect_event("MEDIA_XOFF");
    assert_status(&app, 900, true);
    fill(&app, 99);
    assert_status(&app, 999, true);
}

fn xoff_within_a_message(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&ulaw(format));
    app.command("PAUSE_MEDIA");
    fill(&app, 899);
    fill(&app, 5);
    app.expect_event("MEDIA_XOFF");
    assert_status(&app, 904, true);
}

/// A message that begins below 1000 is accepted whole; then no more are.
fn overshoot(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&ulaw(format));
    app.command("PAUSE_MEDIA");
    fill(&app, 999);
    app.expect_event("MEDIA_XOFF");
    app.send_media(&noise(400 * FRAME));
    assert_status(&app, 1399, true);
}

/// Once, when the queue falls below 800; and again the next time.
fn xon(t: &Context, format: Format) {
    let (call, app) = t.incoming_app(&ulaw(format));
    call.wait_up();
    app.command("PAUSE_MEDIA");
    fill(&app, 900);
    app.expect_event("MEDIA_XOFF");
    app.command("CONTINUE_MEDIA");
    app.expect_event("MEDIA_XON");
    app.command("PAUSE_MEDIA");
    app.command("GET_STATUS");
    let length: usize = app.expect_event("STATUS").get("queue_length").parse().unwrap();
    // The length at this moment differs from run to run.
    t.name(&format!("queue_length:{length}"), "length");
    t.name(&format!("\"queue_length\":{length}"), "length");
    assert!((770..800).contains(&length), "XON came with {length} frames");
    fill(&app, 900 - length);
    app.expect_event("MEDIA_XOFF");
    app.command("CONTINUE_MEDIA");
    app.expect_event("MEDIA_XON");
}

/// Bulk media fills the queue like other media.
fn bulk(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&ulaw(format));
    app.command("PAUSE_MEDIA");
    app.command("START_MEDIA_BUFFERING");
    for message in noise(899 * FRAME + 100).chunks(10_007) {
        app.send_media(message);
    }
    assert_status(&app, 899, false);
    app.send_media(&noise(60));
    app.expect_event("MEDIA_XOFF");
    assert_status(&app, 900, true);
}

/// A flush of a full queue: there is room at once. The C module reports it only when it plays again.
fn flush(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&ulaw(format));
    app.command("PAUSE_MEDIA");
    fill(&app, 950);
    app.expect_event("MEDIA_XOFF");
    app.command("FLUSH_MEDIA");
    if t.is_ours() {
        app.expect_event("MEDIA_XON");
        assert_status(&app, 0, false);
        app.command("CONTINUE_MEDIA");
    } else {
        assert_status(&app, 0, true);
        app.expect_quiet(QUIET);
        app.command("CONTINUE_MEDIA");
        app.expect_event("MEDIA_XON");
        assert_status(&app, 0, false);
    }
    app.expect_quiet(QUIET);
}

/// Dropped media is reported once per episode. The C module reports nothing.
fn dropped(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&ulaw(format));
    for _ in 0..2 {
        app.command("PAUSE_MEDIA");
        fill(&app, 1001);
        app.expect_event("MEDIA_XOFF");
        for _ in 0..3 {
            fill(&app, 10);
        }
        if t.is_ours() {
            assert_eq!(app.expect_error(), "Media dropped: the queue is full with 1001 frames");
        }
        assert_status(&app, 1001, true);
        app.command("FLUSH_MEDIA");
        app.command("CONTINUE_MEDIA");
        app.expect_event("MEDIA_XON");
    }
    app.expect_quiet(QUIET);
}

/// In passthrough mode a message is a frame.
fn passthrough(t: &Context, format: Format) {
    let (call, app) = t.incoming_app(&format!("{}p", ulaw(format)));
    call.wait_up();
    let message = noise(FRAME);
    // Some frames are played before all have arrived.
    let messages: Vec<Frame> = (0..930).map(|_| Frame::binary(&*message)).collect();
    app.send_frames(&messages);
    app.expect_event("MEDIA_XOFF");
    app.expect_event("MEDIA_XON");
}

fn marks_are_no_frames(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&ulaw(format));
    app.command("PAUSE_MEDIA");
    app.command("MARK_MEDIA a");
    fill(&app, 2);
    app.command("MARK_MEDIA b");
    app.command("START_MEDIA_BUFFERING");
    app.command("STOP_MEDIA_BUFFERING c");
    assert_status(&app, 2, false);
}

/// States, and the commands that lead to them.
const STATES: [(&str, &[&str]); 6] = [
    ("fresh", &[]),
    ("paused", &["PAUSE_MEDIA"]),
    ("bulk", &["START_MEDIA_BUFFERING"]),
    ("paused_bulk", &["PAUSE_MEDIA", "START_MEDIA_BUFFERING"]),
    ("after_pause", &["PAUSE_MEDIA", "PAUSE_MEDIA", "CONTINUE_MEDIA"]),
    ("after_flush", &["START_MEDIA_BUFFERING", "FLUSH_MEDIA"]),
];

/// With an empty queue, and with a full one in states without playback.
fn status_in(t: &Context, format: Format, commands: &[&str]) {
    let (call, app) = t.incoming_app(&ulaw(format));
    call.wait_up();
    for command in commands {
        app.command(command);
    }
    status(&app, "queue_length");
    app.command("PAUSE_MEDIA");
    fill(&app, 900);
    app.expect_event("MEDIA_XOFF");
    status(&app, "queue_length");
}

fn status_before_answer(t: &Context, format: Format) {
    let call = t.incoming(&format!("{}n", ulaw(format)));
    let app = call.connect();
    app.expect_media_start();
    app.command("PAUSE_MEDIA");
    fill(&app, 3);
    assert_status(&app, 3, false);
}

/// The levels of chan_websocket.conf.
fn configured(t: &Context) {
    let (_call, app) = t.incoming_app("c(ulaw)");
    app.command("PAUSE_MEDIA");
    fill(&app, 39);
    app.command("GET_STATUS");
    let status = app.expect_event("STATUS");
    let levels = ["queue_length", "xon_level", "xoff_level", "queue_full"].map(|key| status.get(key));
    assert_eq!(levels, ["39", "30", "40", "false"]);
    fill(&app, 11);
    app.expect_event("MEDIA_XOFF");
    fill(&app, 1);
    assert_eq!(app.expect_error(), "Media dropped: the queue is full with 50 frames");
    app.command("CONTINUE_MEDIA");
    app.expect_event("MEDIA_XON");
}
