//! Masking (RFC 6455 section 5.3): an app that is the client must mask, an app that is the server must not.

use super::super::super::harness::Frame;
use super::super::super::harness::wire::opcode;
use super::super::super::media::noise;
use super::super::case::{Case, Part, close, close_payload, last, mark, ping, text};

pub fn cases() -> Vec<Case> {
    let media = noise(160);
    let kinds = [
        ("text", text(mark("b"))),
        ("binary", Frame::binary(&*media)),
        ("ping", ping("b")),
        ("pong", Frame::new(opcode::PONG, "b")),
        ("close", close(close_payload(1000, ""))),
        ("empty_text", text("")),
        ("empty_ping", ping("")),
        ("long_binary", Frame::binary(noise(200))),
    ];
    let mut cases = Vec::new();
    for (kind, frame) in kinds {
        let parts = [Part::Frame(text(mark("a"))), Part::WronglyMasked(frame)];
        cases.push(Case::new(format!("masking/wrong/{kind}"), parts).mark("a").fails(1002));
    }
    let continuation = [Part::Frame(text(mark("a")).not_last()), Part::WronglyMasked(last("b"))];
    cases.push(Case::new("masking/wrong/continuation", continuation).fails(1002));
    cases.push(Case::new("masking/wrong/from_the_start", [Part::WronglyMasked(text(mark("a")))]).fails(1002));
    // Without masking these cases are all the same.
    for (name, mask) in [("zero", [0; 4]), ("ones", [0xff; 4]), ("odd", [0x00, 0xff, 0x80, 0x01])] {
        let frames = [text(mark("a")).with_mask(mask), Frame::binary(&*media).with_mask(mask)];
        cases.push(Case::frames(format!("masking/key/{name}"), frames).mark("a").echo(&*media));
    }
    let keys = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]];
    let pieces =
        [Frame::binary(&media[..33]).not_last(), last(&media[33..70]).not_last(), last(&media[70..])];
    let pieces = pieces.into_iter().zip(keys).map(|(frame, key)| frame.with_mask(key));
    cases.push(Case::frames("masking/key/of_its_own_for_each_fragment", pieces).echo(media));
    cases
}
