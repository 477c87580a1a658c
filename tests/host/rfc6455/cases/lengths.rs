//! Payload lengths, and their three encodings (RFC 6455 section 5.2).

use super::super::super::harness::Frame;
use super::super::super::media::noise;
use super::super::case::{Answer, Case, close, close_payload, mark, ping, text};

/// Why the C module does not get lengths that overflow its sum.
const SPINS: &str = "it would spin for ever";

pub fn cases() -> Vec<Case> {
    let mut cases = messages();
    cases.extend(forms());
    cases.extend(absurd());
    cases
}

fn messages() -> Vec<Case> {
    let mut cases = vec![
        Case::frames("lengths/text/0", [text("")]).answers([Answer::Error("Empty command".into())]),
        Case::frames("lengths/binary/0", [Frame::binary([])]),
    ];
    for size in [12, 13, 124, 125, 126, 127, 128, 129, 255, 256, 4096] {
        let id = "x".repeat(size - 11);
        cases.push(Case::frames(format!("lengths/text/{size}"), [text(mark(&id))]).mark(id));
    }
    for size in [65_534, 65_535, 65_536] {
        let id = "x".repeat(size - 11);
        cases.push(Case::frames(format!("lengths/text/{size}"), [text(mark(&id))]).mark(id).large());
    }
    for size in [1, 2, 124, 125, 126, 127, 128, 129, 255, 256, 1024, 4096] {
        cases.push(
            Case::frames(format!("lengths/binary/{size}"), [Frame::binary(noise(size))]).echo(noise(size)),
        );
    }
    for size in [65_534, 65_535, 65_536, 65_537, 131_072, (1 << 20) - 1, 1 << 20] {
        let case = Case::frames(format!("lengths/binary/{size}"), [Frame::binary(noise(size))]);
        cases.push(case.echo(noise(size)).large());
    }
    cases
}

/// A longer length field than necessary: a sender must not use it, and a receiver may accept it. The C module accepts
/// it.
fn forms() -> Vec<Case> {
    let command = text(mark("a"));
    let long = Frame::binary(noise(126));
    vec![
        Case::frames("lengths/form/text_in_two", [command.clone().announcing_in_two(12)]).mark("a"),
        Case::frames("lengths/form/text_in_eight", [command.announcing(12)]).mark("a"),
        Case::frames("lengths/form/empty_in_two", [Frame::binary([]).announcing_in_two(0)]),
        Case::frames("lengths/form/empty_in_eight", [Frame::binary([]).announcing(0)]),
        Case::frames("lengths/form/125_in_two", [Frame::binary(noise(125)).announcing_in_two(125)])
            .echo(noise(125)),
        Case::frames("lengths/form/126_in_eight", [long.announcing(126)]).echo(noise(126)),
        Case::frames("lengths/form/65535_in_eight", [Frame::binary(noise(65_535)).announcing(65_535)])
            .echo(noise(65_535))
            .large(),
        Case::frames("lengths/form/ping_in_two", [ping("a").announcing_in_two(1)]).pong("a"),
        Case::frames("lengths/form/ping_in_eight", [ping("a").announcing(1)]).pong("a"),
        Case::frames("lengths/form/close_in_two", [close(close_payload(1000, "")).announcing_in_two(2)])
            .closes(1000),
    ]
}

/// Lengths that are never sent in practice, in a header alone.
fn absurd() -> Vec<Case> {
    let header = |length: u64| Frame::binary([]).announcing(length);
    let mut cases: Vec<Case> = [(1 << 20) + 1, 1 << 31, (1 << 32) + 160, 1 << 40]
        .into_iter()
        .map(|length| Case::frames(format!("lengths/absurd/{length}"), [header(length)]).fails(1009))
        .collect();
    // Lengths with the highest bit, which must be 0, and lengths that overflow when the header's length is added.
    for (name, length) in [
        ("highest_bit", 1 << 63),
        ("highest_bit_and_160", (1 << 63) | 160),
        ("all_but_the_highest_bit", u64::MAX >> 1),
        ("all_bits", u64::MAX),
        ("all_bits_but_14", u64::MAX - 14),
    ] {
        let case = Case::frames(format!("lengths/absurd/{name}"), [header(length)]).fails(1009);
        cases.push(case.spares_oracle(SPINS));
    }
    cases
}
