//! What the app sends, and what it is told.

use super::harness::{Context, Format, Suite};
use super::media::noise;

pub fn tests(suite: &mut Suite) {
    for format in Format::ALL {
        let name = |test: &str| format!("commands/{}/{test}", format.name());
        suite.same(name("media_start"), move |t| media_start(t, format));
        suite.same(name("answer"), move |t| answer(t, format));
        suite.same(name("hangup"), move |t| hangup(t, format));
        suite.same(name("buffering"), move |t| buffering(t, format));
        suite.differs(name("flush"), "5", move |t| flush(t, format));
        suite.same(name("flush_ends_buffering"), move |t| flush_ends_buffering(t, format));
        suite.same(name("status"), move |t| status(t, format));
        suite.same(name("dtmf"), move |t| dtmf(t, format));
        suite.differs(name("passthrough"), "49", move |t| in_passthrough(t, format));
        suite.same(name("direction_in"), move |t| refused_in_direction_in(t, format));
    }
    suite.same("commands/json/white_space_and_more_keys", white_space);
    suite.same("commands/plain-text/white_space", white_space_around);
    suite.differs("commands/json/not_json", "7", not_json);
    suite.ours("commands/unknown", "the C module does not answer (7)", unknown);
    suite.ours("commands/long", "the C module ignores more than 128 bytes (6)", long);
}

fn options(format: Format) -> String {
    format!("c(ulaw)f({})", format.name())
}

fn media_start(t: &Context, format: Format) {
    let call = t.call(&format!("WebSocket/INCOMING/{}", options(format)));
    let call = call.variable("FROM_THE_DIALPLAN", "a \"b\" \u{e9}").create();
    call.dial();
    t.ari().set_variable(&call.id, "FROM_ARI", "{}");
    let app = call.connect();
    let start = app.expect_media_start();
    assert_eq!(start.format(), format);
    if format == Format::Json {
        let variables = start.value("channel_variables");
        assert_eq!(variables["FROM_THE_DIALPLAN"], "a \"b\" \u{e9}");
        assert_eq!(variables["FROM_ARI"], "{}");
        assert_eq!(variables["MEDIA_WEBSOCKET_CONNECTION_ID"], *call.connection_id());
        assert_eq!(*start.value("optimal_frame_size"), 160);
        assert_eq!(*start.value("ptime"), 20);
    }
}

fn answer(t: &Context, format: Format) {
    let call = t.incoming(&format!("{}n", options(format)));
    let app = call.connect();
    app.expect_media_start();
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    assert_eq!(call.state().as_deref(), Some("Down"));
    app.command("ANSWER");
    call.wait_up();
}

fn hangup(t: &Context, format: Format) {
    let (call, app) = t.incoming_app(&options(format));
    call.wait_up();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    app.expect_end();
    call.ending();
}

fn buffering(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&options(format));
    let media = noise(1600);
    for correlation_id in [" one", " with spaces in it", ""] {
        app.command("START_MEDIA_BUFFERING");
        app.send_media(&media);
        app.command(&format!("STOP_MEDIA_BUFFERING{correlation_id}"));
        app.expect_event("MEDIA_BUFFERING_COMPLETED");
        assert_eq!(app.collect_media(1600), media);
    }
}

/// Queued media is not played, a pause ends (not with the C module), and media after the flush is played.
fn flush(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&options(format));
    let media = noise(160 * 203);
    app.command("PAUSE_MEDIA");
    app.send_media(&media[..160 * 200]);
    app.command("FLUSH_MEDIA");
    app.command("GET_STATUS");
    let status = app.expect_event("STATUS");
    assert_eq!(status.get("queue_length"), "0");
    assert_eq!(status.get("media_paused"), t.either("true", "false"));
    if !t.is_ours() {
        app.command("CONTINUE_MEDIA");
    }
    app.send_media(&media[160 * 200..]);
    assert_eq!(app.collect_media(160 * 3), media[160 * 200..]);
}

fn flush_ends_buffering(t: &Context, format: Format) {
    let (_call, app) = t.incoming_echo(&options(format));
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&noise(100));
    app.command("FLUSH_MEDIA");
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    // The remainder of 100 bytes is discarded, too.
    let media = noise(160);
    app.send_media(&media);
    assert_eq!(app.expect_media(), media);
}

fn status(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&options(format));
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    app.command("PAUSE_MEDIA");
    app.send_media(&noise(1600));
    app.command("GET_STATUS");
    let status = app.expect_event("STATUS");
    assert_eq!(status.get("queue_length"), "10");
    assert_eq!(status.get("media_paused"), "true");
    app.command("START_MEDIA_BUFFERING");
    app.command("GET_STATUS");
    assert_eq!(app.expect_event("STATUS").get("bulk_media"), "true");
}

/// Digits that the core sends to the channel.
fn dtmf(t: &Context, format: Format) {
    let (call, app) = t.incoming_app(&options(format));
    call.wait_stasis();
    t.ari()
        .post(
            &format!("channels/{}/dtmf", call.id),
            &[("dtmf", "5*#A"), ("between", "20"), ("duration", "40")],
        )
        .ok();
    for digit in ["5", "*", "#", "A"] {
        assert_eq!(app.expect_event("DTMF_END").get("digit"), digit);
    }
}

/// Our module accepts what the C module refuses.
fn in_passthrough(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&format!("{}p", options(format)));
    for command in [
        "START_MEDIA_BUFFERING",
        "STOP_MEDIA_BUFFERING",
        "FLUSH_MEDIA",
        "PAUSE_MEDIA",
        "CONTINUE_MEDIA",
        "REPORT_QUEUE_DRAINED",
    ] {
        app.command(command);
        if t.is_ours() {
            match command {
                "STOP_MEDIA_BUFFERING" => _ = app.expect_event("MEDIA_BUFFERING_COMPLETED"),
                "REPORT_QUEUE_DRAINED" => _ = app.expect_event("QUEUE_DRAINED"),
                _ => {}
            }
        } else {
            assert_eq!(app.expect_error(), format!("{command} not supported in passthrough mode"));
        }
    }
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}

fn refused_in_direction_in(t: &Context, format: Format) {
    let (_call, app) = t.incoming_app(&format!("{}d(in)", options(format)));
    for command in
        ["START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING", "MARK_MEDIA", "PAUSE_MEDIA", "CONTINUE_MEDIA"]
    {
        app.command(command);
        assert_eq!(app.expect_error(), format!("{command} not supported while media direction is 'in'"));
    }
    app.command("FLUSH_MEDIA");
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}

fn white_space(t: &Context) {
    let (_call, app) = t.incoming_app("c(ulaw)f(json)");
    for text in [
        " {\n\t\"command\" : \"GET_STATUS\"\r\n} \n",
        r#"{"who":"me","command":"GET_STATUS","list":[1,{"command":"HANGUP"}]}"#,
    ] {
        app.send_text(text);
        app.expect_event("STATUS");
    }
}

fn white_space_around(t: &Context) {
    let (_call, app) = t.incoming_app("c(ulaw)");
    for text in ["GET_STATUS\n", " GET_STATUS ", "\r\nGET_STATUS\r\n"] {
        app.send_text(text);
        app.expect_event("STATUS");
    }
}

/// Text that cannot be parsed gets an error. Text that can be parsed but is no command gets one from our module only.
fn not_json(t: &Context) {
    let (_call, app) = t.incoming_app("c(ulaw)f(json)");
    app.send_text("GET_STATUS");
    assert_eq!(app.expect_error(), "Unable to parse JSON command");
    if t.is_ours() {
        for text in ["[]", "7", "{}", r#"{"command":7}"#, "null"] {
            app.send_text(text);
            app.expect_error();
        }
    }
}

fn unknown(t: &Context) {
    for format in Format::ALL {
        let (_call, app) = t.incoming_app(&options(format));
        for command in ["NO_SUCH_COMMAND", "get_status", "HANGUPS"] {
            app.command(command);
            let text = app.expect_error();
            assert!(text.contains(command), "{text}");
        }
    }
}

/// A correlation id may be long.
fn long(t: &Context) {
    for format in Format::ALL {
        let (_call, app) = t.incoming_app(&options(format));
        for length in [128, 1000, 60_000] {
            let id = "x".repeat(length);
            app.command(&format!("MARK_MEDIA {id}"));
            assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), id);
        }
        app.send_text(&"x".repeat(70_000));
        app.expect_error();
    }
}
