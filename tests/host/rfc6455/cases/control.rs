//! Pings and pongs (RFC 6455 section 5.5).

use super::super::super::harness::Frame;
use super::super::super::harness::wire::opcode;
use super::super::super::media::noise;
use super::super::case::{Case, last, mark, more, ping, text};

pub fn cases() -> Vec<Case> {
    let mut cases = pings();
    cases.extend(pongs());
    cases.extend(among_fragments());
    cases
}

fn pong(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(opcode::PONG, payload.as_ref())
}

fn pings() -> Vec<Case> {
    let mut cases: Vec<Case> = [0, 1, 2, 5, 16, 64, 123, 124, 125]
        .into_iter()
        .map(|size| Case::frames(format!("control/ping/{size}"), [ping(noise(size))]).pong(noise(size)))
        .collect();
    for size in [126, 127, 128, 200, 65_535, 65_536] {
        let case = Case::frames(format!("control/ping/{size}"), [ping(noise(size))]).fails(1002);
        cases.push(if size > 1000 { case.large() } else { case });
    }
    let binary = [0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff];
    let ten = || (0..10).map(|number| format!("ping {number}"));
    // Of several pings that arrive together some may be left out (section 5.5.3).
    let sizes: Vec<Vec<u8>> = (0..=125).map(noise).collect();
    let mut every_size = Case::frames("control/ping/every_size", []).once();
    for batch in sizes.chunks(9) {
        every_size = batch.iter().fold(every_size.then(batch.iter().map(ping)), Case::pong);
    }
    cases.extend([
        Case::frames("control/ping/binary", [ping(binary)]).pong(binary),
        Case::frames("control/ping/bad_utf8", [ping([0xce, 0xba, 0xed, 0xa0, 0x80])])
            .pong([0xce, 0xba, 0xed, 0xa0, 0x80]),
        ten().fold(Case::frames("control/ping/ten", ten().map(ping)), Case::pong),
        every_size,
        Case::frames("control/ping/announcing_126", [ping("").announcing_in_two(126)]).fails(1002).once(),
        Case::frames("control/ping/behind_a_command", [text(mark("a")), ping("b")]).mark("a").pong("b"),
        Case::frames("control/ping/before_a_command", [ping("b"), text(mark("a"))]).pong("b").mark("a"),
        Case::frames("control/ping/around_media", [ping("a"), Frame::binary(noise(160)), ping("b")])
            .pong("a")
            .pong("b")
            .echo(noise(160)),
        Case::frames("control/ping/same_twice", [ping("a"), ping("a")]).pong("a").pong("a"),
    ]);
    cases
}

/// Unsolicited pongs are accepted and have no effect.
fn pongs() -> Vec<Case> {
    let mut cases: Vec<Case> = [0, 1, 4, 125]
        .into_iter()
        .map(|size| Case::frames(format!("control/pong/{size}"), [pong(noise(size))]))
        .collect();
    for size in [126, 128, 65_536] {
        let case = Case::frames(format!("control/pong/{size}"), [pong(noise(size))]).fails(1002);
        cases.push(if size > 1000 { case.large() } else { case });
    }
    cases.extend([
        Case::frames("control/pong/ten", (0..10).map(|number| pong(format!("{number}")))),
        Case::frames("control/pong/before_a_ping", [pong("a"), ping("b")]).pong("b"),
        Case::frames("control/pong/around_a_ping", [pong("a"), ping("b"), pong("b"), pong("b")]).pong("b"),
    ]);
    cases
}

/// Pings are answered at once, before the message is complete.
fn among_fragments() -> Vec<Case> {
    let (head, tail) = (text(mark("a")).not_last(), last("b"));
    let (first, rest) = (Frame::binary(noise(80)).not_last(), last(&noise(160)[80..]));
    vec![
        Case::frames("control/within_message/ping", [head.clone(), ping("p"), tail.clone()])
            .pong("p")
            .mark("ab"),
        Case::frames("control/within_message/ping_at_once", [head.clone(), ping("p")])
            .pong("p")
            .then([tail.clone()])
            .mark("ab"),
        Case::frames("control/within_message/ping_twice", [head.clone(), ping("p"), more(""), ping("q")])
            .pong("p")
            .pong("q")
            .then([tail.clone()])
            .mark("ab"),
        Case::frames("control/within_message/pong", [head.clone(), pong("p"), tail.clone()]).mark("ab"),
        Case::frames("control/within_message/ping_and_pong", [head.clone(), pong("q"), ping("p"), tail])
            .pong("p")
            .mark("ab"),
        Case::frames("control/within_message/ping_in_media", [first.clone(), ping("p"), rest.clone()])
            .pong("p")
            .echo(noise(160)),
        Case::frames("control/within_message/ping_of_125_in_media", [first, ping(noise(125)), rest])
            .pong(noise(125))
            .echo(noise(160)),
        Case::frames("control/within_message/ping_of_126", [head, ping(noise(126))]).fails(1002),
    ]
}
