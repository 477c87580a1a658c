//! How calls end, and what each side is told.

use std::time::{Duration, Instant};

use super::harness::call::{Call, Ending};
use super::harness::wire::opcode;
use super::harness::{App, Context, Frame, Item, Suite, wait};

pub fn tests(suite: &mut Suite) {
    for case in &CASES {
        suite.differs(format!("ending/{}", case.name), "19", move |t| ends(t, case));
        suite.same(format!("ending/dialplan/{}", case.name), move |t| ends_in_dialplan(t, case));
    }
    suite.same("ending/core", core);
    suite.same("ending/core_busy", core_busy);
    suite.same("ending/caller_hangs_up", caller_hangs_up);
    for (name, bytes, code) in faults() {
        suite.ours(format!("ending/fault/{name}"), "the C module is lenient, or confused (9)", move |t| {
            fault(t, &bytes, code);
        });
    }
    suite.ours("ending/no_answer_to_close", "the C module does not wait (19)", no_answer_to_close);
    suite
        .ours("ending/nothing_remains", "the C module leaves descriptors after a reset", nothing_remains)
        .private();
}

/// A way for an app to end the call, and what follows.
struct Case {
    name: &'static str,
    act: fn(App) -> Option<App>,
    cause: i64,
    tech_cause: i64,
    /// The close frame that the app gets.
    close: Option<u16>,
}

const CASES: [Case; 7] = [
    Case { name: "hangup_command", act: hang_up, cause: 16, tech_cause: 1000, close: Some(1000) },
    Case {
        name: "close_1000",
        act: |app| close(app, Some(1000)),
        cause: 16,
        tech_cause: 1000,
        close: Some(1000),
    },
    Case {
        name: "close_1001",
        act: |app| close(app, Some(1001)),
        cause: 16,
        tech_cause: 1001,
        close: Some(1001),
    },
    Case {
        name: "close_4321",
        act: |app| close(app, Some(4321)),
        cause: 16,
        tech_cause: 4321,
        close: Some(4321),
    },
    Case {
        name: "close_without_code",
        act: |app| close(app, None),
        cause: 16,
        tech_cause: 1005,
        close: Some(1005),
    },
    Case { name: "reset", act: reset, cause: 38, tech_cause: 1006, close: None },
    Case { name: "end_of_stream", act: disconnect, cause: 38, tech_cause: 1006, close: None },
];

fn hang_up(app: App) -> Option<App> {
    app.command("HANGUP");
    Some(app)
}

fn close(app: App, code: Option<u16>) -> Option<App> {
    app.close(code);
    Some(app)
}

fn reset(app: App) -> Option<App> {
    app.reset();
    None
}

fn disconnect(app: App) -> Option<App> {
    app.disconnect();
    None
}

fn allow(t: &Context) {
    t.allow_log("read error");
    t.allow_log("iostream.c");
}

/// In Stasis the causes are in ChannelDestroyed. Those of the C module are not.
fn ends(t: &Context, case: &'static Case) {
    allow(t);
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    let app = (case.act)(app);
    let ending = call.ending();
    if t.is_ours() {
        assert_eq!(ending, Ending { cause: case.cause, tech_cause: case.tech_cause });
        if let Some(code) = case.close {
            assert_eq!(app.expect("connected").expect_close(), code);
        }
    }
}

/// In the dialplan the caller continues, with the variables that the core sets.
fn ends_in_dialplan(t: &Context, case: &'static Case) {
    allow(t);
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)", server.client);
    let caller = t.call("Local/park@harness").formats("ulaw").dials(&dial, "10", "g").originate();
    let app = server.accept();
    // This is not in the trace: the app's first event depends on timing.
    assert!(matches!(app.wait_item(wait::PATIENCE, |item| Some(item.clone())), Some(Item::Event(_))));
    t.ari().wait("Dial", |event| event["caller"]["id"] == *caller.id && event["dialstatus"] == "ANSWER");
    let _app = (case.act)(app);
    let result = caller.dial_result();
    t.note(format!("{result:?}"));
}

fn core(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    call.hangup();
    assert!(matches!(app.rest()[..], [Item::Close(1000), Item::End(None)]));
    t.note(format!("{:?}", call.ending()));
}

fn core_busy(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    t.ari().delete(&format!("channels/{}", call.id), &[("reason", "busy")]).ok();
    assert_eq!(app.expect_close(), 1000);
    t.note(format!("{:?}", call.ending()));
}

fn caller_hangs_up(t: &Context) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)", server.client);
    let caller: Call<'_> = t.call("Local/park@harness").formats("ulaw").dials(&dial, "10", "").originate();
    let app = server.accept();
    app.expect_media_start();
    t.ari().wait("Dial", |event| event["caller"]["id"] == *caller.id && event["dialstatus"] == "ANSWER");
    caller.hangup();
    assert_eq!(app.expect_close(), 1000);
}

/// Bytes that a client must not send, and the code of the close frame that answers them.
fn faults() -> Vec<(&'static str, Vec<u8>, u16)> {
    let ping = |payload: &[u8]| Frame::new(opcode::PING, payload);
    let first = Frame::text("GET_").not_last();
    vec![
        ("unmasked", Frame::text("GET_STATUS").unmasked().encode(), 1002),
        ("reserved_bit", Frame::text("GET_STATUS").reserved(0x40).encode(), 1002),
        ("reserved_opcode", Frame::new(3, "x").encode(), 1002),
        ("reserved_control_opcode", Frame::new(11, "x").encode(), 1002),
        ("fragmented_ping", ping(b"x").not_last().encode(), 1002),
        ("long_ping", ping(&[0; 126]).encode(), 1002),
        ("continuation_of_nothing", Frame::new(opcode::CONTINUATION, "x").encode(), 1002),
        ("text_within_text", [first.encode(), Frame::text("STATUS").encode()].concat(), 1002),
        ("invalid_utf8", Frame::new(opcode::TEXT, [b'G', 0xff, 0xfe]).encode(), 1007),
        ("close_code_1005", Frame::close(Some(1005), "").encode(), 1002),
        ("close_code_999", Frame::close(Some(999), "").encode(), 1002),
        ("close_of_one_byte", Frame::new(opcode::CLOSE, [3]).encode(), 1002),
        ("close_reason_invalid_utf8", Frame::new(opcode::CLOSE, [3, 232, 0xff]).encode(), 1007),
        ("message_too_long", Frame::binary([0; 10]).announcing(2 << 20).encode(), 1009),
        ("absurd_length", Frame::binary([0; 10]).announcing(u64::MAX).encode(), 1009),
    ]
}

fn fault(t: &Context, bytes: &[u8], code: u16) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    t.allow_log(&call.name);
    app.send_raw(bytes);
    assert_eq!(app.expect_close(), code);
    app.expect_end();
    assert_eq!(call.ending(), Ending { cause: 38, tech_cause: code.into() });
}

/// The module waits a limited time for an app to answer our close frame; the channel ends at once.
fn no_answer_to_close(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let mut response = t.send(&t.upgrade(&call.connection_id()));
    assert_eq!(response.status, 101);
    call.wait_up();
    let start = Instant::now();
    call.hangup();
    call.ending();
    assert!(start.elapsed() < Duration::from_secs(1), "the channel took {:?}", start.elapsed());
    loop {
        let frame = Frame::read(&mut response.stream).unwrap();
        if frame.opcode == opcode::CLOSE {
            assert_eq!(frame.close_code(), Some(1000));
            break;
        }
    }
    assert!(Frame::read(&mut response.stream).is_err());
    let waited = start.elapsed();
    assert!((1..5).contains(&waited.as_secs()), "the connection was held for {waited:?}");
}

/// However they end, calls leave no channel, no descriptor and no thread.
fn nothing_remains(t: &Context) {
    let round = || {
        for case in &CASES {
            ends(t, case);
            ends_in_dialplan(t, case);
        }
    };
    round();
    let before = t.asterisk.settled();
    round();
    t.asterisk.expect_no_more_than(&before);
}
