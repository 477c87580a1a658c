//! Reserved bits and opcodes (RFC 6455 section 5.2).

use super::super::super::harness::Frame;
use super::super::super::harness::wire::opcode;
use super::super::super::media::noise;
use super::super::case::{Case, close, close_payload, last, mark, ping, text};

pub fn cases() -> Vec<Case> {
    let mut cases = bits();
    cases.extend(opcodes());
    cases
}

/// Each bit and each combination, on each kind of frame, after a command that is still answered.
fn bits() -> Vec<Case> {
    let kinds = [
        ("text", text(mark("b"))),
        ("binary", Frame::binary(noise(160))),
        ("ping", ping("b")),
        ("pong", Frame::new(opcode::PONG, "b")),
        ("close", close(close_payload(1000, ""))),
    ];
    let mut cases = Vec::new();
    for bits in 1..8_u8 {
        let marked = |frame: &Frame| frame.clone().reserved(bits << 4);
        for (kind, frame) in &kinds {
            let frames = [text(mark("a")), marked(frame)];
            let case = Case::frames(format!("reserved/bits/{bits:03b}/{kind}"), frames).mark("a").fails(1002);
            cases.push(if bits.is_power_of_two() { case } else { case.once() });
        }
        let continuation = [text(mark("b")).not_last(), marked(&last("c"))];
        cases.push(
            Case::frames(format!("reserved/bits/{bits:03b}/continuation"), continuation).fails(1002).once(),
        );
        let empty = [marked(&text(""))];
        cases.push(Case::frames(format!("reserved/bits/{bits:03b}/empty"), empty).fails(1002).once());
    }
    cases
}

fn opcodes() -> Vec<Case> {
    let mut cases = Vec::new();
    for code in (3..=7).chain(11..=15) {
        let name = |what: &str| format!("reserved/opcodes/{code}/{what}");
        cases.extend([
            Case::frames(name("empty"), [Frame::new(code, "")]).fails(1002),
            Case::frames(name("payload"), [text(mark("a")), Frame::new(code, "hello"), ping("b")])
                .mark("a")
                .fails(1002),
            Case::frames(name("not_last"), [Frame::new(code, "hello").not_last()]).fails(1002).once(),
            Case::frames(
                name("within_message"),
                [text(mark("a")).not_last(), Frame::new(code, "x"), last("b")],
            )
            .fails(1002)
            .once(),
        ]);
    }
    cases
}
