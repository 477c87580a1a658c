//! The direction of media: from the dial string, from ARI's parameter, and by SET_MEDIA_DIRECTION.

use super::super::harness::call::Call;
use super::super::harness::{App, Context, Format, Suite};
use super::super::media::noise;
use super::{QUIET, status, ulaw};

pub fn tests(suite: &mut Suite) {
    for from in DIRECTIONS {
        for to in DIRECTIONS {
            suite.same(format!("direction/{from}_to_{to}"), move |t| changes(t, from, to));
        }
        suite.same(format!("direction/dialled/{from}"), move |t| dialled(t, from));
        suite.same(format!("direction/external_media/{from}"), move |t| external_media(t, from));
    }
    suite.same("direction/parameter_wins", parameter_wins);
    suite.same("direction/last_one_wins", last_one_wins);
    suite.same("direction/back_and_forth", back_and_forth);
    suite.same("direction/in_stops_playing", in_stops_playing);
    suite.same("direction/bulk_goes_on", bulk_goes_on);
    suite.same("direction/commands_follow_it", commands_follow_it);
    suite.differs("direction/before_answer", "3", before_answer);
    suite.differs("direction/report_while_in", "17", report_while_in);
    for (name, json, text) in REFUSED {
        suite.differs(format!("direction/refused/{name}"), "30", move |t| refused(t, json, text));
    }
}

const DIRECTIONS: [&str; 3] = ["both", "in", "out"];

/// Both sides send; `direction`, as the app sees it, says which side hears media.
#[track_caller]
fn assert_direction(app: &App, other: &App, direction: &str) {
    let media = noise(160 * 6);
    let (said, heard) = media.split_at(160 * 3);
    app.send_media(said);
    other.send_media(heard);
    if direction != "in" {
        assert_eq!(other.collect_media(said.len()), said);
    }
    if direction != "out" {
        assert_eq!(app.collect_media(heard.len()), heard);
    }
    // Media that is not passed does not come later either.
    let silent = match direction {
        "in" => other,
        "out" => app,
        _ => return,
    };
    assert!(silent.collect_media_for(1, QUIET).is_empty());
}

fn json(direction: &str) -> String {
    format!("{}d({direction})", ulaw(Format::Json))
}

fn changes(t: &Context, from: &str, to: &str) {
    let [(_a, app), (_b, other)] = t.bridged(&json(from), "c(ulaw)");
    assert_direction(&app, &other, from);
    app.command(&format!("SET_MEDIA_DIRECTION {to}"));
    status(&app, "queue_length");
    assert_direction(&app, &other, to);
}

fn dialled(t: &Context, direction: &str) {
    let [(_a, app), (_b, other)] = t.bridged(&format!("c(ulaw)d({direction})"), "c(ulaw)");
    assert_direction(&app, &other, direction);
}

/// An app with an externalMedia channel, and another app in a bridge with it.
fn external<'t>(t: &'t Context, parameters: &[(&str, &str)]) -> [(Call<'t>, App); 2] {
    let incoming = [("external_host", "INCOMING"), ("connection_type", "server"), ("format", "ulaw")];
    let call = t.external_media_call(&[&incoming[..], parameters].concat());
    let app = call.connect();
    app.expect_media_start();
    call.wait_up();
    let other = t.bridged_to(&call, "c(ulaw)");
    [(call, app), other]
}

fn external_media(t: &Context, direction: &str) {
    let [(_a, app), (_b, other)] = external(t, &[("direction", direction)]);
    assert_direction(&app, &other, direction);
}

/// The parameter overrides an option of the dial string.
fn parameter_wins(t: &Context) {
    let [(_a, app), (_b, other)] = external(t, &[("direction", "out"), ("transport_data", "d(in)f(json)")]);
    assert_direction(&app, &other, "out");
}

fn last_one_wins(t: &Context) {
    let [(_a, app), (_b, other)] = t.bridged("c(ulaw)d(out)d(both)d(in)", "c(ulaw)");
    assert_direction(&app, &other, "in");
}

fn back_and_forth(t: &Context) {
    let [(_a, app), (_b, other)] = t.bridged(&json("both"), "c(ulaw)");
    for direction in ["in", "both", "out", "in", "in", "out", "both"] {
        app.command(&format!("SET_MEDIA_DIRECTION {direction}"));
        status(&app, "queue_length");
        assert_direction(&app, &other, direction);
    }
}

/// Queued media waits until the app sends again, and none of it is lost.
fn in_stops_playing(t: &Context) {
    let (_call, app) = t.incoming_echo(&ulaw(Format::Json));
    let media = noise(160 * 40);
    app.send_media(&media);
    let first = app.collect_media(160 * 3);
    app.command("SET_MEDIA_DIRECTION in");
    // Some frames may be in transit.
    let more = app.collect_media_for(media.len(), QUIET);
    assert!(more.len() <= 160 * 20, "{} bytes more were played", more.len());
    // This media is dropped.
    app.send_media(&noise(160 * 5));
    app.command("SET_MEDIA_DIRECTION both");
    let rest = app.collect_media(media.len() - first.len() - more.len());
    assert_eq!([first, more, rest].concat(), media);
}

fn bulk_goes_on(t: &Context) {
    let (_call, app) = t.incoming_echo(&ulaw(Format::Json));
    let media = noise(320);
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&media[..100]);
    app.command("SET_MEDIA_DIRECTION in");
    assert_eq!(status(&app, "bulk_media"), "true");
    app.send_media(&noise(333));
    app.command("SET_MEDIA_DIRECTION both");
    app.send_media(&media[100..]);
    app.command("STOP_MEDIA_BUFFERING all");
    app.expect_event("MEDIA_BUFFERING_COMPLETED");
    assert_eq!(app.collect_media(320), media);
}

/// The current direction decides which commands are allowed.
fn commands_follow_it(t: &Context) {
    let (_call, app) = t.incoming_app(&json("in"));
    app.command("PAUSE_MEDIA");
    app.expect_error();
    app.command("SET_MEDIA_DIRECTION out");
    app.command("PAUSE_MEDIA");
    assert_eq!(status(&app, "media_paused"), "true");
    app.command("SET_MEDIA_DIRECTION in");
    app.command("CONTINUE_MEDIA");
    app.expect_error();
    app.command("MARK_MEDIA a");
    app.expect_error();
    assert_eq!(status(&app, "media_paused"), "true");
    app.command("SET_MEDIA_DIRECTION both");
    app.command("CONTINUE_MEDIA");
    app.command("MARK_MEDIA b");
    app.expect_event("MEDIA_MARK_PROCESSED");
    assert_eq!(status(&app, "media_paused"), "false");
}

/// A call that waits for ANSWER with direction `in` accepts commands from its app. The C module does so only when
/// something else wakes the channel.
fn before_answer(t: &Context) {
    let call = t.incoming(&format!("{}n", json("in")));
    let app = call.connect();
    app.expect_media_start();
    if !t.is_ours() {
        app.command("GET_STATUS");
        return app.expect_quiet(QUIET);
    }
    status(&app, "queue_length");
    app.command("SET_MEDIA_DIRECTION both");
    app.command("MARK_MEDIA a");
    app.expect_event("MEDIA_MARK_PROCESSED");
    app.command("ANSWER");
    call.wait_up();
}

/// The queue of an app that only listens is empty, and is reported so.
fn report_while_in(t: &Context) {
    let (_call, app) = t.incoming_app(&json("in"));
    app.command("REPORT_QUEUE_DRAINED");
    if !t.is_ours() {
        app.expect_quiet(QUIET);
        app.command("SET_MEDIA_DIRECTION both");
    }
    app.expect_event("QUEUE_DRAINED");
}

const MISSING: &str = "SET_MEDIA_DIRECTION requires a 'direction' parameter.";

const REFUSED: [(&str, &str, &str); 9] = [
    ("missing", r#"{"command":"SET_MEDIA_DIRECTION"}"#, MISSING),
    ("number", r#"{"command":"SET_MEDIA_DIRECTION","direction":1}"#, MISSING),
    ("null", r#"{"command":"SET_MEDIA_DIRECTION","direction":null}"#, MISSING),
    ("array", r#"{"command":"SET_MEDIA_DIRECTION","direction":["in"]}"#, MISSING),
    (
        "unknown",
        r#"{"command":"SET_MEDIA_DIRECTION","direction":"sideways"}"#,
        "'sideways' is not a valid direction for SET_MEDIA_DIRECTION.",
    ),
    (
        "capitals",
        r#"{"command":"SET_MEDIA_DIRECTION","direction":"IN"}"#,
        "'IN' is not a valid direction for SET_MEDIA_DIRECTION.",
    ),
    (
        "empty",
        r#"{"command":"SET_MEDIA_DIRECTION","direction":""}"#,
        "'' is not a valid direction for SET_MEDIA_DIRECTION.",
    ),
    (
        "space",
        r#"{"command":"SET_MEDIA_DIRECTION","direction":"in "}"#,
        "'in ' is not a valid direction for SET_MEDIA_DIRECTION.",
    ),
    (
        "emoji",
        r#"{"command":"SET_MEDIA_DIRECTION","direction":"😀\"%s"}"#,
        "'😀\"%s' is not a valid direction for SET_MEDIA_DIRECTION.",
    ),
];

/// The C module ends these texts with a line feed. The direction does not change.
fn refused(t: &Context, json: &str, text: &str) {
    let [(_a, app), (_b, other)] = t.bridged(&ulaw(Format::Json), "c(ulaw)");
    app.send_text(json);
    assert_eq!(app.expect_error(), format!("{text}{}", t.either("\n", "")));
    assert_direction(&app, &other, "both");
}
