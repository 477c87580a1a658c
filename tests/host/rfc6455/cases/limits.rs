//! max_message_size (1 MiB) and max_command_size (64 KiB).

use super::super::super::harness::Frame;
use super::super::super::harness::wire::opcode::{BINARY, TEXT};
use super::super::super::media::noise;
use super::super::case::{Answer, Case, fragments, mark, ping, text};

const MESSAGE: usize = 1 << 20;
const COMMAND: usize = 1 << 16;

pub fn cases() -> Vec<Case> {
    let mut cases = messages();
    cases.extend(commands());
    cases
}

fn messages() -> Vec<Case> {
    let most = noise(MESSAGE);
    let over = noise(MESSAGE + 1);
    vec![
        Case::frames("limits/message/one_over", [Frame::binary(&*over)]).fails(1009).large(),
        Case::frames("limits/message/one_over_as_text", [text(vec![b'x'; MESSAGE + 1])]).fails(1009).large(),
        Case::frames("limits/message/header_of_one_over", [Frame::binary([]).announcing(MESSAGE as u64 + 1)])
            .fails(1009),
        Case::frames("limits/message/in_halves", fragments(BINARY, most.chunks(MESSAGE / 2)))
            .echo(&*most)
            .large(),
        Case::frames("limits/message/in_pieces", fragments(BINARY, most.chunks(10_000))).echo(&*most).large(),
        Case::frames("limits/message/in_halves_and_one_over", fragments(BINARY, over.chunks(MESSAGE / 2)))
            .fails(1009)
            .large(),
        Case::frames("limits/message/in_pieces_and_one_over", fragments(BINARY, over.chunks(10_000)))
            .fails(1009)
            .large(),
        Case::frames("limits/message/full_and_an_empty_one", fragments(BINARY, [&most[..], &[]]))
            .echo(&*most)
            .large(),
        Case::frames("limits/message/over_in_text", fragments(TEXT, vec![b'x'; MESSAGE + 1].chunks(60_000)))
            .fails(1009)
            .large(),
        Case::frames("limits/message/two_that_fit", [Frame::binary(&*most), Frame::binary(&*most)])
            .echo(&*most)
            .echo(&*most)
            .large(),
        Case::frames("limits/message/behind_a_command", [text(mark("a")), Frame::binary(&*over), ping("b")])
            .mark("a")
            .fails(1009)
            .large(),
    ]
}

/// A command that is too long gets an ERROR, and the call continues.
fn commands() -> Vec<Case> {
    let too_long = || [Answer::Error("exceeds the limit of 65536 bytes".into())];
    let command = |size: usize| mark("x".repeat(size - 11));
    vec![
        Case::frames("limits/command/one_over", [text(command(COMMAND + 1))]).answers(too_long()).large(),
        Case::frames("limits/command/twice_as_long", [text(command(COMMAND * 2))])
            .answers(too_long())
            .large(),
        Case::frames("limits/command/as_long_as_a_message", [text(command(MESSAGE))])
            .answers(too_long())
            .large(),
        Case::frames("limits/command/in_pieces", fragments(TEXT, command(COMMAND).chunks(1000)))
            .mark("x".repeat(COMMAND - 11))
            .large(),
        Case::frames(
            "limits/command/in_pieces_and_one_over",
            fragments(TEXT, command(COMMAND + 1).chunks(1000)),
        )
        .answers(too_long())
        .large(),
        Case::frames(
            "limits/command/between_others",
            [text(mark("a")), text(command(COMMAND + 1)), text(mark("b"))],
        )
        .mark("a")
        .answers(too_long())
        .mark("b")
        .large(),
    ]
}
