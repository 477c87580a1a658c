//! Events about media come in the order in which things happened, whichever thread noticed them. Here a thread is
//! paused between noticing something and reporting it (src/fault.rs), while another continues.

use std::thread;
use std::time::Duration;

use super::super::harness::{Context, Frame, InstanceConfig, Item, Suite};

const WHY: &str = "the C module has one thread for each call, and no fault can be put into it";

/// How long the thread is paused.
const PAUSE_MS: u64 = 1500;
const FRAME_MS: u64 = 20;

pub fn tests(suite: &mut Suite) {
    let held_at = |point: &str| InstanceConfig::new().fault(&format!("{point}={PAUSE_MS}"));
    let low = "[global]\nqueue_max = 100\nqueue_xoff = 3\nqueue_xon = 2\n";
    suite
        .ours("order/flow_control", WHY, flow_control)
        .private_with(held_at("event").file("chan_websocket.conf", low));
    suite.ours("order/marks", WHY, marks).private_with(held_at("event"));
    suite.ours("order/parse", WHY, parse).private_with(held_at("parse"));
}

/// An application that got MEDIA_XON before MEDIA_XOFF and obeyed both would never send again.
fn flow_control(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)u");
    // In one write, so that they are queued before the channel's thread reads them.
    app.send_frames(&vec![Frame::binary([0x55; 160]); 20]);
    let mut told = Vec::new();
    while let Some(item) = app.next_event(Duration::from_millis(2 * PAUSE_MS)) {
        match item {
            Item::Event(event) => told.push(event.name),
            other => panic!("{other:?} after {told:?}"),
        }
    }
    // More than once, because the reactor continues with the remaining frames when the queue is empty.
    assert!(!told.is_empty(), "the queue was never full");
    for pair in told.chunks(2) {
        assert_eq!(pair, ["MEDIA_XOFF", "MEDIA_XON"], "{told:?}");
    }
}

/// The channel's thread has noticed that a mark is reached, and is paused. The reactor processes the next mark at once,
/// because the queue is empty by then.
fn marks(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    app.send_frames(&[Frame::binary([0x55; 160]), Frame::text("MARK_MEDIA first")]);
    thread::sleep(Duration::from_millis(PAUSE_MS / 3));
    app.command("MARK_MEDIA second");
    for id in ["first", "second"] {
        assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), id);
    }
}

/// Media continues while a command is being parsed, however long that takes.
fn parse(t: &Context) {
    let (_call, app) = t.incoming_echo("c(ulaw)");
    let frames = usize::try_from(2 * PAUSE_MS / FRAME_MS).expect("frames");
    app.send_frames(&[Frame::binary(vec![0x55; frames * 160]), Frame::text("GET_STATUS")]);
    app.expect_event("STATUS");
    let status = |item: &Item| matches!(item, Item::Event(event) if event.name == "STATUS");
    let heard =
        app.received().iter().map(|received| &received.item).take_while(|item| !status(item)).fold(
            0,
            |heard, item| if let Item::Media(bytes) = item { heard + bytes.len() / 160 } else { heard },
        );
    assert!(heard > frames / 4, "{heard} of {frames} frames were heard before STATUS");
}
