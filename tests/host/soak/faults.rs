//! Apps and servers that are broken, gone or hostile.

use std::time::Duration;

use super::super::harness::call::{Call, Ending};
use super::super::harness::wire::opcode;
use super::super::harness::{Context, Frame, Item, Reply, wait};
use super::calls::{echo, hang_up, line};
use super::random::Random;

/// Warnings that these scenarios necessarily cause.
pub fn allow_logs(t: &Context) {
    for text in [
        "lost the application",
        "the application ended TCP",
        "Connection reset",
        "Broken pipe",
        "protocol",
        "UTF-8",
        "too long",
        "connect",
        "the server",
        "reads too slowly",
        "use count",
        "WebSocket/",
    ] {
        t.allow_log(text);
    }
}

/// How a call ended. If it has not, the test fails with everything that is known about it.
fn ending(t: &Context, call: &Call<'_>) -> Ending {
    let of_call = |event: &serde_json::Value| event["channel"]["id"] == *call.id;
    if t.ari().find("ChannelDestroyed", wait::PATIENCE, of_call).is_none() {
        let all = t.asterisk.cli("core show channels concise");
        let shown = t.asterisk.cli(&format!("websocket show channel {}", call.name));
        panic!("{} has not ended: {:?}\n{shown}\n{all}", call.name, call.state());
    }
    call.ending()
}

/// TCP is reset.
pub fn reset(t: &Context, random: &mut Random) {
    let line = echo(t, random, "c(ulaw)");
    if random.is(2) {
        line.app.send_media(&random.units(160, 1, 50));
    }
    let call = line.call;
    line.app.reset();
    assert_eq!(call.ending().cause, 38);
}

/// TCP ends without a close frame, as when an app is killed.
pub fn vanish(t: &Context, random: &mut Random) {
    let line = line(t, random, "c(ulaw)", Some("echo"));
    if random.is(2) {
        // In the middle of a message.
        let frame = Frame::binary(random.bytes(1000)).encode();
        line.app.send_raw(&frame[..random.size(1, 900)]);
    }
    line.app.disconnect();
    // Over TLS the connection ends with the process of its tunnel.
    let call = line.call;
    drop(line.app);
    assert_eq!(ending(t, &call).cause, 38);
}

/// Bytes that no application may send.
pub fn bad_bytes(t: &Context, random: &mut Random) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("echo").originate();
    let app = if random.is(3) { t.connect_tls(&call.connection_id()) } else { call.connect() };
    app.expect_media_start();
    let (bytes, code) = match random.between(0, 7) {
        0 => (Frame::text("GET_STATUS").unmasked().encode(), 1002),
        1 => (Frame::text("x").reserved(0x40).encode(), 1002),
        2 => (Frame::new(3, "x").encode(), 1002),
        3 => (Frame::new(opcode::CONTINUATION, "x").encode(), 1002),
        4 => (Frame::new(opcode::TEXT, [0xff]).encode(), 1007),
        5 => (Frame::close(Some(1005), "").encode(), 1002),
        6 => (Frame::binary([0; 10]).announcing(u64::MAX).encode(), 1009),
        _ => (Frame::new(opcode::PING, [0; 126]).encode(), 1002),
    };
    app.send_raw(&bytes);
    assert!(app.rest().iter().any(|item| matches!(item, Item::Close(sent) if *sent == code)), "not {code}");
    assert_eq!(call.ending().cause, 38);
}

/// An app that stops for a while (SIGSTOP has the same effect on its socket) and then continues.
pub fn stall(t: &Context, random: &mut Random) {
    let line = echo(t, random, "c(ulaw)");
    line.app.stop_reading();
    line.app.send_media(&random.bytes(160 * 50));
    std::thread::sleep(Duration::from_millis(random.between(200, 1500)));
    line.app.resume_reading();
    line.app.command("GET_STATUS");
    let status = |item: &Item| matches!(item, Item::Event(event) if event.name == "STATUS").then_some(());
    assert!(line.app.wait_item(wait::PATIENCE, status).is_some(), "no STATUS after the stall");
    hang_up(&line);
}

/// Commands and pings as fast as possible.
pub fn flood(t: &Context, random: &mut Random) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("wait").originate();
    let app = call.connect();
    app.expect_media_start();
    let count = random.size(100, 1000);
    let mut frames = Vec::new();
    for _ in 0..count {
        frames.push(Frame::text("GET_STATUS"));
        frames.push(Frame::new(opcode::PING, "x"));
        frames.push(Frame::binary([1]));
    }
    app.send_frames(&frames);
    for number in 0..count {
        let event = app.next_event(wait::PATIENCE);
        assert!(matches!(&event, Some(Item::Event(e)) if e.name == "STATUS"), "{number}: {event:?}");
    }
    app.command("HANGUP");
    app.rest();
    assert_eq!(call.ending().cause, 16);
}

/// Requests that are refused, and two apps for one id.
pub fn wrong_requests(t: &Context, random: &mut Random) {
    for _ in 0..random.between(1, 10) {
        assert_eq!(t.send(&t.upgrade(&format!("{:016x}", random.next()))).status, 404);
    }
    let line = line(t, random, "c(ulaw)", Some("wait"));
    if let Some(id) = line.call.variable("MEDIA_WEBSOCKET_CONNECTION_ID").filter(|id| id.len() == 36) {
        assert_eq!(t.send(&t.upgrade(&id)).status, 409);
        hang_up(&line);
        assert_eq!(t.send(&t.upgrade(&id)).status, 404);
    }
}

/// A caller gives up before an app has connected.
pub fn nobody_comes(t: &Context, random: &mut Random) {
    let call = t.incoming("c(ulaw)");
    std::thread::sleep(Duration::from_millis(random.between(0, 200)));
    call.hangup();
    call.ending();
}

/// Servers that answer anything but 101.
pub fn server_refuses(t: &Context, random: &mut Random) {
    let reply = random.between(0, 3);
    let server = t.server_with(&[("reconnect_attempts", "1")], move |_, _| match reply {
        0 => Reply::Refuse(500),
        1 => Reply::Refuse(403),
        2 => Reply::Raw(b"SSH-2.0-nothing for you\r\n".to_vec()),
        _ => Reply::Raw(b"HTTP/1.1 101 Sw".to_vec()),
    });
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    assert_eq!(call.ending().cause, 3);
}

/// A server that does not answer until the caller gives up.
pub fn server_is_silent(t: &Context, random: &mut Random) {
    let server = t.server_with(&[], |_, _| Reply::Silence);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    server.request(0);
    std::thread::sleep(Duration::from_millis(random.between(0, 300)));
    call.hangup();
    call.ending();
}
