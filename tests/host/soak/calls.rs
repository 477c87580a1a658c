//! Calls without faults, in all roles: no byte is lost, doubled or misplaced.

use std::time::Duration;

use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, Frame, Item, wait};
use super::random::Random;

/// A call with its app, and the values that must live as long.
pub struct Line<'t> {
    pub call: Call<'t>,
    pub app: App,
    _server: Option<AppServer>,
}

/// A call whose channel runs `extension`, with a random role, transport and format.
pub fn line<'t>(t: &'t Context, random: &mut Random, options: &str, extension: Option<&str>) -> Line<'t> {
    let options = format!("{options}{}", random.of(&["", "f(json)", "f(plain-text)"]));
    let (call, app, server) = match random.between(0, 3) {
        0 => {
            let server = t.server(&[]);
            let call = originate(t, &format!("WebSocket/{}/{options}", server.client), extension);
            let app = server.accept();
            (call, app, Some(server))
        }
        1 => {
            let call = originate(t, &format!("WebSocket/INCOMING/{options}"), extension);
            let app = t.connect_tls(&call.connection_id());
            (call, app, None)
        }
        _ => {
            let call = originate(t, &format!("WebSocket/INCOMING/{options}"), extension);
            let app = call.connect();
            (call, app, None)
        }
    };
    app.expect_media_start();
    Line { call, app, _server: server }
}

fn originate<'t>(t: &'t Context, endpoint: &str, extension: Option<&str>) -> Call<'t> {
    let call = t.call(endpoint);
    match extension {
        Some(extension) => call.extension(extension).originate(),
        None => call.originate(),
    }
}

/// A line whose channel plays back what the app sends.
pub fn echo<'t>(t: &'t Context, random: &mut Random, options: &str) -> Line<'t> {
    let line = line(t, random, options, Some("echo"));
    line.call.wait_application("Echo");
    line
}

/// Ends the call in an orderly way.
pub fn hang_up(line: &Line<'_>) {
    line.app.command("HANGUP");
    assert!(line.app.rest().iter().any(|item| matches!(item, Item::Close(1000))), "closed with 1000");
    assert_eq!(line.call.ending().cause, 16);
}

/// `lines` are the calls that the media went through; the last one has to hear it.
fn expect_echo(lines: &[&Line<'_>], media: &[u8]) {
    let heard = lines[lines.len() - 1].app.collect_media_for(media.len(), wait::PATIENCE);
    if heard == media {
        return;
    }
    let differs = heard.iter().zip(media).position(|(one, other)| one != other);
    let figures: Vec<_> = lines.iter().map(|line| figures(line)).collect();
    panic!(
        "{} of {} bytes came back, the first wrong one at {differs:?}; {}",
        heard.len(),
        media.len(),
        figures.join(", then ")
    );
}

/// Shows where media was lost: media that was played and did not come out was lost in the core.
fn figures(line: &Line<'_>) -> String {
    let figure = |name: &str| line.call.variable(&format!("CHANNEL(websocket,{name})")).unwrap_or_default();
    ["frames_in", "frames_played", "frames_dropped_in", "frames_out", "frames_dropped_out"]
        .map(|name| format!("{name} {}", figure(name)))
        .join(", ")
}

/// Live media, with marks in it.
pub fn talk(t: &Context, random: &mut Random) {
    let (codec, size) = *random.of(&[("ulaw", 160), ("slin16", 640), ("gsm", 33), ("alaw", 160)]);
    let line = echo(t, random, &format!("c({codec})"));
    for turn in 0..random.between(1, 3) {
        let media = random.units(size, 1, 40);
        line.app.send_media(&media);
        line.app.command(&format!("MARK_MEDIA {turn}"));
        expect_echo(&[&line], &media);
        assert_eq!(line.app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), turn.to_string());
    }
    hang_up(&line);
}

/// Bulk media in messages and fragments of any size.
pub fn bulk(t: &Context, random: &mut Random) {
    let line = echo(t, random, "c(ulaw)");
    let media = random.units(160, 5, 60);
    line.app.command("START_MEDIA_BUFFERING");
    let mut rest = &media[..];
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(random.size(1, 3000).min(rest.len()));
        if random.is(2) && piece.len() > 3 {
            line.app.send_fragmented(piece, &[random.size(0, 2), random.size(0, 1)]);
        } else {
            line.app.send_media(piece);
        }
        rest = behind;
    }
    line.app.command("STOP_MEDIA_BUFFERING all");
    expect_echo(&[&line], &media);
    line.app.expect_event("MEDIA_BUFFERING_COMPLETED");
    hang_up(&line);
}

/// Two calls in one bridge.
pub fn pair(t: &Context, random: &mut Random) {
    let ends = [line(t, random, "c(ulaw)", None), line(t, random, "c(ulaw)", None)];
    ends.iter().for_each(|line| line.call.wait_up());
    t.ari().bridge(&[&ends[0].call.id, &ends[1].call.id]);
    let said = [random.bytes(160 * 40), random.bytes(160 * 40)];
    ends[0].app.send_media(&said[0]);
    ends[1].app.send_media(&said[1]);
    expect_echo(&[&ends[0], &ends[1]], &said[0]);
    expect_echo(&[&ends[1], &ends[0]], &said[1]);
    ends.iter().for_each(hang_up);
}

/// Sends nothing for a while.
pub fn idle(t: &Context, random: &mut Random) {
    let line = line(t, random, "c(ulaw)", Some("wait"));
    std::thread::sleep(Duration::from_millis(random.between(100, 1500)));
    line.app.send_frames(&[Frame::new(super::super::harness::wire::opcode::PING, "still there?")]);
    let pong = |item: &Item| matches!(item, Item::Pong(payload) if payload == b"still there?").then_some(());
    assert!(line.app.wait_item(wait::PATIENCE, pong).is_some(), "no pong");
    hang_up(&line);
}

/// Every command that a call with media accepts, and the resulting events.
pub fn commands(t: &Context, random: &mut Random) {
    let line = line(t, random, "c(ulaw)n", Some("wait"));
    let app = &line.app;
    app.command("ANSWER");
    line.call.wait_up();
    app.command("PAUSE_MEDIA");
    app.send_media(&random.bytes(160 * 20));
    app.command("MARK_MEDIA never");
    app.command("GET_STATUS");
    let status = app.expect_event("STATUS");
    assert_eq!((status.get("queue_length"), status.get("media_paused")), ("20".into(), "true".into()));
    app.command("FLUSH_MEDIA");
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&random.bytes(100));
    app.command("STOP_MEDIA_BUFFERING 1");
    assert_eq!(app.expect_event("MEDIA_BUFFERING_COMPLETED").get("correlation_id"), "1");
    app.command("PAUSE_MEDIA");
    app.command("CONTINUE_MEDIA");
    app.send_media(&random.bytes(160 * 3));
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_event("QUEUE_DRAINED");
    app.command("DANCE");
    app.expect_error();
    // Flow control: one message of more frames than MEDIA_XOFF needs, which is then flushed.
    app.command("PAUSE_MEDIA");
    app.send_media(&random.bytes(160 * 950));
    app.expect_event("MEDIA_XOFF");
    app.command("FLUSH_MEDIA");
    app.expect_event("MEDIA_XON");
    hang_up(&line);
}

/// Directions, from the start and by command.
pub fn direction(t: &Context, random: &mut Random) {
    let direction = *random.of(&["in", "out"]);
    let call =
        t.call(&format!("WebSocket/INCOMING/c(ulaw)f(json)d({direction})")).extension("echo").originate();
    let app = call.connect();
    app.expect_media_start();
    call.wait_application("Echo");
    app.send_media(&[0x11; 320]);
    app.command("SET_MEDIA_DIRECTION both");
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    app.send_media(&[0x22; 160]);
    let heard = app.collect_media(160);
    assert!(heard.iter().all(|byte| [0x11, 0x22].contains(byte)));
    app.command("HANGUP");
    app.rest();
    call.ending();
}

/// Messages are frames.
pub fn passthrough(t: &Context, random: &mut Random) {
    let options = *random.of(&["c(ulaw)p", "c(ulaw)u", "c(opus)"]);
    let line = echo(t, random, options);
    for _ in 0..10 {
        let mut frame = random.units(1, 3, 400);
        // Like Opus: a table of contents for 20 ms, one frame.
        frame[0] = 0x08;
        line.app.send_media(&frame);
        assert_eq!(line.app.expect_media(), frame);
    }
    hang_up(&line);
}

/// All ways in which a call may end, at random moments.
pub fn endings(t: &Context, random: &mut Random) {
    let line = line(t, random, "c(ulaw)", Some("echo"));
    if random.is(2) {
        line.app.send_media(&random.bytes(160 * 10));
    }
    if random.is(2) {
        std::thread::sleep(Duration::from_millis(random.between(0, 100)));
    }
    match random.between(0, 3) {
        0 => line.app.command("HANGUP"),
        1 => line.call.hangup(),
        2 => line.app.close(4000),
        _ => line.app.close(None),
    }
    line.app.rest();
    line.call.ending();
}
