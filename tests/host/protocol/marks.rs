//! Marks and reports: events when media has been played, in order with the media.

use super::super::harness::{App, Context, Format, Frame, Suite};
use super::super::media::noise;
use super::{QUIET, in_order, status, ulaw};

pub fn tests(suite: &mut Suite) {
    for format in Format::ALL {
        let name = |test: &str| format!("marks/{}/{test}", format.name());
        suite.same(name("order"), move |t| order(t, format));
        suite.same(name("paused"), move |t| paused(t, format));
        suite.same(name("paused_and_empty"), move |t| paused_and_empty(t, format));
        suite.same(name("behind_media_that_plays"), move |t| behind_media_that_plays(t, format));
        suite.same(name("in_bulk"), move |t| in_bulk(t, format));
        suite.same(name("around_bulk"), move |t| around_bulk(t, format));
        suite.same(name("flushed"), move |t| flushed(t, format));
        suite.same(name("hundred"), move |t| hundred(t, format));
        suite.same(name("before_hangup"), move |t| before_hangup(t, format));
        suite.same(name("pauses_between"), move |t| pauses_between(t, format));
        for (length, number) in LENGTHS {
            let name = name(&format!("command_of_{length}_bytes"));
            let body = move |t: &Context| long(t, format, length);
            match number {
                None => suite.same(name, body),
                Some(number) => suite.differs(name, number, body),
            };
        }
        let name = |test: &str| format!("drained/{}/{test}", format.name());
        suite.same(name("empty"), move |t| drained_empty(t, format));
        suite.same(name("behind_media"), move |t| drained_behind_media(t, format));
        suite.same(name("once"), move |t| drained_once(t, format));
        suite.same(name("asked_twice"), move |t| drained_asked_twice(t, format));
        suite.differs(name("paused_and_empty"), "17", move |t| drained_paused(t, format));
        suite.differs(name("flushed"), "17", move |t| drained_by_flush(t, format));
        suite.same(name("behind_marks"), move |t| drained_behind_marks(t, format));
    }
    suite.same("marks/json/direction_in_keeps_them", direction_in_keeps_them);
}

#[track_caller]
fn expect_marks(app: &App, ids: &[&str]) {
    for id in ids {
        assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), *id);
    }
}

/// Takes all the media that has been sent, so that the whole order is known.
#[track_caller]
fn note_order(t: &Context, app: &App, bytes: usize) {
    app.collect_media(bytes);
    for line in in_order(app) {
        t.note(line);
    }
}

/// A mark is answered after the media before it and before the media after it.
fn order(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160 * 6);
    app.command("PAUSE_MEDIA");
    app.send_media(&media[..160 * 3]);
    app.command("MARK_MEDIA a");
    app.send_media(&media[160 * 3..160 * 5]);
    app.command("MARK_MEDIA b");
    app.command("MARK_MEDIA c");
    app.send_media(&media[160 * 5..]);
    app.command("CONTINUE_MEDIA");
    expect_marks(&app, &["a", "b", "c"]);
    note_order(t, &app, media.len());
}

fn paused(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(320);
    app.command("PAUSE_MEDIA");
    app.command("MARK_MEDIA a");
    app.send_media(&media);
    app.command("MARK_MEDIA b");
    app.expect_quiet(QUIET);
    assert_eq!(status(&app, "queue_length"), "2");
    app.command("CONTINUE_MEDIA");
    expect_marks(&app, &["a", "b"]);
    note_order(t, &app, media.len());
}

fn paused_and_empty(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    app.command("PAUSE_MEDIA");
    app.command("MARK_MEDIA a");
    app.expect_quiet(QUIET);
    app.command("CONTINUE_MEDIA");
    expect_marks(&app, &["a"]);
}

/// The mark comes while the frames before it are played.
fn behind_media_that_plays(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160 * 10);
    app.send_media(&media);
    app.collect_media(160);
    app.command("MARK_MEDIA a");
    expect_marks(&app, &["a"]);
    note_order(t, &app, media.len() - 160);
}

/// A mark within bulk media comes before the frame that is not full yet.
fn in_bulk(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160 * 3);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media[..100]);
    app.command("MARK_MEDIA a");
    expect_marks(&app, &["a"]);
    app.command("PAUSE_MEDIA");
    app.send_media(&media[100..300]);
    app.command("MARK_MEDIA b");
    app.send_media(&media[300..]);
    app.command("MARK_MEDIA c");
    app.command("STOP_MEDIA_BUFFERING d");
    app.command("CONTINUE_MEDIA");
    expect_marks(&app, &["b", "c"]);
    assert_eq!(app.expect_event("MEDIA_BUFFERING_COMPLETED").get("correlation_id"), "d");
    note_order(t, &app, media.len());
}

fn around_bulk(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160 * 4);
    app.command("PAUSE_MEDIA");
    app.command("MARK_MEDIA a");
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media[..320]);
    app.command("STOP_MEDIA_BUFFERING b");
    app.command("MARK_MEDIA c");
    app.send_media(&media[320..]);
    app.command("MARK_MEDIA d");
    app.command("CONTINUE_MEDIA");
    expect_marks(&app, &["a"]);
    assert_eq!(app.expect_event("MEDIA_BUFFERING_COMPLETED").get("correlation_id"), "b");
    expect_marks(&app, &["c", "d"]);
    note_order(t, &app, media.len());
}

/// Pending marks are discarded, later ones are answered.
fn flushed(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    app.command("PAUSE_MEDIA");
    app.command("MARK_MEDIA a");
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&noise(320));
    app.command("STOP_MEDIA_BUFFERING b");
    app.command("MARK_MEDIA c");
    app.command("FLUSH_MEDIA");
    app.command("MARK_MEDIA d");
    app.command("CONTINUE_MEDIA");
    expect_marks(&app, &["d"]);
    app.expect_quiet(QUIET);
}

/// Sent at once, and answered in order.
fn hundred(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let ids: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let commands: Vec<Frame> =
        ids.iter().map(|id| Frame::text(&format.command(&format!("MARK_MEDIA {id}")))).collect();
    app.send_frames(&commands);
    expect_marks(&app, &ids.iter().map(String::as_str).collect::<Vec<_>>());
}

/// On an empty queue a mark is answered before the call ends.
fn before_hangup(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    app.command("MARK_MEDIA a");
    expect_marks(&app, &["a"]);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

/// Order and bytes are kept, however the app pauses in between.
fn pauses_between(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160 * 12);
    for (number, part) in media.chunks(160 * 3).enumerate() {
        app.send_media(part);
        app.command(&format!("MARK_MEDIA {number}"));
    }
    for _ in 0..4 {
        app.command("PAUSE_MEDIA");
        std::thread::sleep(QUIET / 5);
        app.command("CONTINUE_MEDIA");
        std::thread::sleep(QUIET / 5);
    }
    expect_marks(&app, &["0", "1", "2", "3"]);
    assert_eq!(app.collect_media(media.len()), media);
    for line in in_order(&app) {
        t.note(line);
    }
}

/// Lengths of a whole command, and the difference, if there is one: the C module ignores commands of more than 128
/// bytes.
const LENGTHS: [(usize, Option<&str>); 8] = [
    (127, None),
    (128, None),
    (129, Some("6")),
    (1024, Some("6")),
    (65_500, Some("6")),
    (65_535, Some("6")),
    (65_536, Some("6")),
    (65_537, Some("6")),
];

fn long(t: &Context, format: Format, length: usize) {
    if !t.is_ours() {
        t.allow_log("exceeds maximum length");
    }
    let empty = format.command("MARK_MEDIA x").len() - 1;
    let id = "x".repeat(length - empty);
    let text = format.command(&format!("MARK_MEDIA {id}"));
    assert_eq!(text.len(), length);
    let (call, app) = t.incoming_app(&ulaw(format));
    app.send_text(&text);
    if length > 65_500 && !t.is_ours() {
        // The C module cannot send a message of this length.
        t.allow_log("Cannot fit huge websocket frame");
        t.allow_log("WebSocket read error");
        app.expect_close();
        call.ending();
        return;
    }
    if length > 65_536 {
        let text = format!("Command of {length} bytes exceeds the limit of 65536 bytes");
        assert_eq!(app.expect_error(), text);
    } else if length <= 128 || t.is_ours() {
        expect_marks(&app, &[&id]);
    } else {
        app.expect_quiet(QUIET);
    }
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}

// ---- REPORT_QUEUE_DRAINED

fn drained_empty(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_event("QUEUE_DRAINED");
}

fn drained_behind_media(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(160 * 5);
    app.send_media(&media);
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_event("QUEUE_DRAINED");
    note_order(t, &app, media.len());
}

/// One command, one event.
fn drained_once(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_event("QUEUE_DRAINED");
    app.send_media(&noise(320));
    app.collect_media(320);
    app.expect_quiet(QUIET);
    app.send_media(&noise(320));
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_event("QUEUE_DRAINED");
}

fn drained_asked_twice(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    app.send_media(&noise(320));
    app.command("REPORT_QUEUE_DRAINED");
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_event("QUEUE_DRAINED");
    app.expect_quiet(QUIET);
}

/// An empty queue is reported at once, even while it is paused.
fn drained_paused(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    app.command("PAUSE_MEDIA");
    app.command("REPORT_QUEUE_DRAINED");
    if !t.is_ours() {
        app.expect_quiet(QUIET);
        app.command("CONTINUE_MEDIA");
    }
    app.expect_event("QUEUE_DRAINED");
}

/// A flush drains the queue.
fn drained_by_flush(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    app.command("PAUSE_MEDIA");
    app.send_media(&noise(160 * 200));
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_quiet(QUIET);
    app.command("FLUSH_MEDIA");
    if !t.is_ours() {
        app.expect_quiet(QUIET);
        app.command("CONTINUE_MEDIA");
    }
    app.expect_event("QUEUE_DRAINED");
}

/// Marks are in the queue, too.
fn drained_behind_marks(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&ulaw(format));
    let media = noise(320);
    app.command("PAUSE_MEDIA");
    app.send_media(&media);
    app.command("MARK_MEDIA a");
    app.command("REPORT_QUEUE_DRAINED");
    app.command("MARK_MEDIA b");
    app.command("CONTINUE_MEDIA");
    expect_marks(&app, &["a", "b"]);
    app.expect_event("QUEUE_DRAINED");
    note_order(t, &app, media.len());
}

/// The queue and its marks are kept while the app only listens.
fn direction_in_keeps_them(t: &Context) {
    let (_call, app) = t.incoming_echo(&ulaw(Format::Json));
    let media = noise(320);
    app.command("PAUSE_MEDIA");
    app.send_media(&media);
    app.command("MARK_MEDIA a");
    app.command("SET_MEDIA_DIRECTION in");
    app.expect_quiet(QUIET);
    assert_eq!(status(&app, "queue_length"), "2");
    app.command("SET_MEDIA_DIRECTION both");
    app.command("CONTINUE_MEDIA");
    expect_marks(&app, &["a"]);
    note_order(t, &app, media.len());
}
