//! Messages of a dialect that wraps media and numbers its messages: they are numbered in the order in which they are
//! sent.

use super::*;
use crate::protocol::dialect::{CallFacts, ControlMessageFormat, NUMBER};

fn speaking(out: Outbound) -> Outbound {
    out.speaking(ControlMessageFormat::Twilio.dialect(&CallFacts::default()).wire_writer())
}

fn event(name: &str) -> String {
    format!(r#"{{"event":"{name}","sequenceNumber":"{NUMBER}"}}"#)
}

fn send(out: &Outbound, number: u8) {
    let at = FRAME * u32::from(number);
    out.send_timed_media(&[number; 3], MediaTime { duration: FRAME, at });
}

/// Name, number, and for media the timestamp and the first byte.
type Heard = (String, u64, Option<(u64, u8)>);

fn heard(pipe: &Pipe) -> Vec<Heard> {
    let text = |payload: &[u8]| serde_json::from_slice::<serde_json::Value>(payload).unwrap();
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let frames = frames(pipe).into_iter().map(|(opcode, payload)| {
        assert_eq!(opcode, 1, "all of it is text");
        let message = text(&payload);
        let media = message.get("media").map(|media| {
            let digits = media["payload"].as_str().unwrap();
            // Three bytes of one kind.
            let first =
                base64::Engine::decode(&base64::engine::general_purpose::STANDARD, digits).unwrap()[0];
            (number(&media["timestamp"]), first)
        });
        (message["event"].as_str().unwrap().to_owned(), number(&message["sequenceNumber"]), media)
    });
    frames.collect()
}

fn said(name: &str, number: u64) -> Heard {
    (name.to_owned(), number, None)
}

fn media_message(number: u64, frame: u8) -> Heard {
    ("media".to_owned(), number, Some((u64::from(frame) * 20, frame)))
}

#[test]
fn numbers_have_no_gaps_though_media_was_dropped() {
    let (pipe, out) = outbound(100_000, Role::Server);
    let out = speaking(out);
    out.send_text(&event("start"));
    send(&out, 0);
    *pipe.room.lock() = 0;
    (1..10).for_each(|number| send(&out, number));
    out.send_text(&event("mark"));
    *pipe.room.lock() = 100_000;
    // The writer had taken the first one of those already.
    assert_eq!(out.flush(), Flushed::Empty(Dropped { messages: 3, media: FRAME * 3 }));
    let mut expected = vec![said("start", 1), media_message(2, 0), media_message(3, 1)];
    expected.extend((5..10).zip(4..).map(|(frame, number)| media_message(number, frame)));
    expected.push(said("mark", 9));
    assert_eq!(heard(&pipe), expected);
}

#[test]
fn the_next_connection_begins_with_the_first_number() {
    let ((pipe, out), (next_pipe, next)) = lost_and_next(100_000);
    let out = speaking(out);
    let next = Arc::new(speaking(Arc::into_inner(next).unwrap()));
    out.send_text(&event("start"));
    send(&out, 0);
    out.keep();
    send(&out, 1);
    out.queue_text(&event("mark"));
    next.queue_text(&event("start"));
    let _ = out.hand_over(&next);
    send(&out, 2);
    next.flush();
    assert_eq!(heard(&pipe), [said("start", 1), media_message(2, 0)]);
    let expected = [said("start", 1), media_message(2, 1), said("mark", 3), media_message(4, 2)];
    assert_eq!(heard(&next_pipe), expected);
}

#[test]
fn the_last_message_is_numbered_too() {
    let (pipe, out) = outbound(100_000, Role::Server);
    let out = speaking(out);
    out.send_text(&event("start"));
    out.queue_close(Some(&event("stop")), &1000_u16.to_be_bytes());
    out.flush();
    let mut frames = frames(&pipe);
    assert_eq!(frames.pop(), Some((8, 1000_u16.to_be_bytes().to_vec())));
    assert_eq!(frames.pop(), Some((1, br#"{"event":"stop","sequenceNumber":"2"}"#.to_vec())));
}
