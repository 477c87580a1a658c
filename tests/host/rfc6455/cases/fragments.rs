//! Fragmented messages (RFC 6455 section 5.4).

use super::super::super::harness::Frame;
use super::super::super::harness::wire::opcode::{self, BINARY, TEXT};
use super::super::super::media::noise;
use super::super::case::{Answer, Case, close, close_payload, fragments, last, mark, more, ping, text};

pub fn cases() -> Vec<Case> {
    let mut cases = in_pieces();
    cases.extend(out_of_place());
    cases.extend(fragmented_control());
    cases
}

/// A message cut into pieces of this size.
fn cut(kind: u8, message: &[u8], size: usize) -> Vec<Frame> {
    fragments(kind, message.chunks(size))
}

fn in_pieces() -> Vec<Case> {
    let (command, media) = (mark("hello"), noise(160));
    let around = |middle: &[&[u8]]| fragments(BINARY, [&[&b""[..]], middle, &[&b""[..]]].concat());
    let mut cases: Vec<Case> = Vec::new();
    for size in [1, 2, 3, 5, 15] {
        let name = |kind: &str| format!("fragments/{kind}_in_pieces_of_{size}");
        cases.push(Case::frames(name("text"), cut(TEXT, &command, size)).mark("hello"));
        cases.push(Case::frames(name("binary"), cut(BINARY, &media, size)).echo(media.clone()));
    }
    let bytes = noise(1000);
    cases.extend([
        Case::frames("fragments/thousand_of_a_byte", cut(BINARY, &bytes, 1)).echo(bytes).once(),
        Case::frames("fragments/two_of_1024", cut(BINARY, &noise(2048), 1024)).echo(noise(2048)).once(),
        Case::frames("fragments/five_of_1500", cut(BINARY, &noise(7500), 1500)).echo(noise(7500)).once(),
        Case::frames("fragments/first_is_empty", fragments(BINARY, [&[][..], &media])).echo(media.clone()),
        Case::frames("fragments/last_is_empty", fragments(BINARY, [&media[..], &[]])).echo(media.clone()),
        Case::frames("fragments/only_the_middle", around(&[&media])).echo(media.clone()),
        Case::frames("fragments/empty_ones_between", around(&[&media[..7], b"", b"", &media[7..], b""]))
            .echo(media.clone()),
        Case::frames("fragments/thousand_empty_ones", {
            let mut frames = vec![Frame::binary(&media[..80]).not_last()];
            frames.extend((0..1000).map(|_| more("")));
            frames.push(last(&media[80..]));
            frames
        })
        .echo(media.clone())
        .once(),
        Case::frames("fragments/all_empty/binary", fragments(BINARY, ["", "", ""])),
        Case::frames("fragments/all_empty/text", fragments(TEXT, ["", "", ""]))
            .answers([Answer::Error("Empty command".into())]),
        Case::frames("fragments/messages_in_turn", {
            let messages = [(TEXT, mark("a")), (TEXT, mark("b")), (BINARY, media.clone())];
            messages.iter().flat_map(|(kind, message)| cut(*kind, message, 7)).collect::<Vec<_>>()
        })
        .mark("a")
        .mark("b")
        .echo(media.clone()),
        Case::frames("fragments/whole_ones_around", {
            let mut frames = vec![text(mark("a"))];
            frames.extend(cut(TEXT, &mark("b"), 4));
            frames.push(text(mark("c")));
            frames
        })
        .mark("a")
        .mark("b")
        .mark("c"),
        Case::frames("fragments/ping_behind_each", {
            let pieces = cut(BINARY, &media, 40);
            pieces.into_iter().flat_map(|piece| [piece, ping("p")]).collect::<Vec<_>>()
        })
        .pong("p")
        .pong("p")
        .pong("p")
        .pong("p")
        .echo(media),
        Case::frames("fragments/rest_comes_late", [text(mark("a")).not_last()]).then([last("b")]).mark("ab"),
    ]);
    cases
}

fn out_of_place() -> Vec<Case> {
    let mut cases = vec![
        Case::frames("fragments/continuation_of_nothing/last", [last("a")]).fails(1002),
        Case::frames("fragments/continuation_of_nothing/more", [more("a")]).fails(1002),
        Case::frames("fragments/continuation_of_nothing/last_empty", [last("")]).fails(1002),
        Case::frames("fragments/continuation_of_nothing/more_empty", [more("")]).fails(1002),
        Case::frames("fragments/continuation_of_nothing/with_rest", [more("a"), last("b")]).fails(1002),
        Case::frames("fragments/continuation_of_nothing/behind_message", [text(mark("a")), last("b")])
            .mark("a")
            .fails(1002),
        Case::frames(
            "fragments/continuation_of_nothing/behind_fragments",
            [text(mark("a")).not_last(), last("b"), last("c")],
        )
        .mark("ab")
        .fails(1002),
        Case::frames("fragments/continuation_of_nothing/behind_ping", [ping("a"), last("b")])
            .pong("a")
            .fails(1002),
        Case::frames("fragments/never_ended_then_close", [Frame::binary(noise(80)).not_last(), close([])])
            .closes_without_code(),
        Case::frames(
            "fragments/never_ended_then_close_with_code",
            [text(mark("a")).not_last(), more("b"), close(close_payload(1001, ""))],
        )
        .closes(1001),
    ];
    for (outer, begin) in [("text", text(mark("a"))), ("binary", Frame::binary(noise(80)))] {
        for (inner, whole) in [("text", text(mark("b"))), ("binary", Frame::binary(noise(160)))] {
            let name = |what: &str| format!("fragments/{inner}_within_{outer}/{what}");
            let begin = begin.clone().not_last();
            cases.extend([
                Case::frames(name("whole"), [begin.clone(), whole.clone()]).fails(1002),
                Case::frames(name("fragment"), [begin.clone(), whole.clone().not_last(), last("c")])
                    .fails(1002),
                Case::frames(name("behind_more"), [begin, more("x"), whole.clone(), last("c")])
                    .fails(1002)
                    .once(),
            ]);
        }
    }
    cases
}

/// Control frames must not be fragmented.
fn fragmented_control() -> Vec<Case> {
    let kinds = [
        ("ping", ping("a")),
        ("pong", Frame::new(opcode::PONG, "a")),
        ("close", close(close_payload(1000, ""))),
    ];
    let mut cases = Vec::new();
    for (kind, frame) in kinds {
        let name = |what: &str| format!("fragments/of_{kind}/{what}");
        let first = frame.not_last();
        cases.extend([
            Case::frames(name("alone"), [first.clone()]).fails(1002),
            Case::frames(name("with_rest"), [first.clone(), last("b")]).fails(1002),
            Case::frames(name("within_message"), [text(mark("a")).not_last(), first, last("b")]).fails(1002),
        ]);
    }
    cases
}
