//! Closing (RFC 6455 sections 5.5.1 and 7).

use super::super::super::harness::Frame;
use super::super::super::harness::wire::opcode;
use super::super::super::media::noise;
use super::super::case::{Case, End, Part, Step, close, close_payload, last, mark, ping, text};

pub fn cases() -> Vec<Case> {
    let mut cases = codes();
    cases.extend(reasons());
    cases.extend(behind());
    cases.extend(ours_first());
    cases.extend(without_close());
    cases.extend(end_of_tcp());
    cases
}

/// The codes of RFC 6455 section 7.4, and those that IANA has registered since.
const VALID: [u16; 16] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];

/// Codes that must not be sent, or that are not assigned.
const INVALID: [u16; 17] =
    [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 5999, 9999, 32_768, 65_535];

fn codes() -> Vec<Case> {
    let mut cases = Vec::new();
    for code in VALID {
        cases.push(
            Case::frames(format!("closing/code/{code}"), [close(close_payload(code, ""))]).closes(code),
        );
    }
    for code in INVALID {
        let name = |what: &str| format!("closing/forbidden_code/{code}{what}");
        cases.push(Case::frames(name(""), [close(close_payload(code, ""))]).fails(1002));
        cases.push(Case::frames(name("_with_reason"), [close(close_payload(code, "so"))]).fails(1002).once());
    }
    cases.extend([
        Case::frames("closing/empty", [close([])]).closes_without_code(),
        Case::frames("closing/one_byte", [close([0x03])]).fails(1002),
        Case::frames("closing/one_byte_zero", [close([0x00])]).fails(1002),
    ]);
    cases
}

/// The answer contains the same code and reason.
fn with_reason(name: &str, code: u16, reason: impl AsRef<[u8]>) -> Case {
    let payload = close_payload(code, reason);
    let mut case = Case::frames(format!("closing/reason/{name}"), [close(&*payload)]);
    case.end = End::Closes(payload, code.into());
    case
}

fn reasons() -> Vec<Case> {
    let bad = |name: &str, reason: &[u8]| {
        Case::frames(format!("closing/bad_reason/{name}"), [close(close_payload(1000, reason))]).fails(1007)
    };
    let long = |size: usize| {
        Case::frames(format!("closing/reason/{size}_bytes"), [close(close_payload(1000, vec![b'*'; size]))])
    };
    vec![
        with_reason("short", 1000, "done"),
        with_reason("one_byte", 1000, "x"),
        with_reason("122_bytes", 1000, [b'*'; 122]),
        with_reason("123_bytes", 1000, [b'*'; 123]),
        with_reason("greek", 1001, "κόσμε"),
        with_reason("emoji_123_bytes", 4000, ["😀".repeat(30), "abc".into()].concat()),
        with_reason("with_nul", 1000, [0]),
        with_reason("like_ours", 1002, "Protocol violation"),
        with_reason("like_ours_with_another_code", 3000, "Protocol violation"),
        long(124).fails(1002),
        long(125).fails(1002),
        long(65_534).fails(1002).large(),
        bad("ff", b"\xff"),
        bad("surrogate", b"\xce\xba\xed\xa0\x80edited"),
        bad("overlong", b"\xc0\xaf"),
        bad("beyond", b"\xf4\x90\x80\x80"),
        bad("incomplete", b"\xe2\x82"),
        bad("incomplete_at_123_bytes", &[&[b'*'; 122][..], b"\xe2"].concat()),
        bad("latin_1", b"caf\xe9"),
        Case::frames("closing/bad_reason/and_forbidden_code", [close(close_payload(1005, b"\xff"))])
            .fails(1007),
    ]
}

/// Bytes after the app's close frame are ignored.
fn behind() -> Vec<Case> {
    let bye = || close(close_payload(1000, ""));
    let behind = |name: &str, frames: Vec<Frame>| {
        Case::frames(format!("closing/behind/{name}"), [vec![bye()], frames].concat()).closes(1000)
    };
    vec![
        behind("text", vec![text(mark("a"))]),
        behind("media", vec![Frame::binary(noise(160))]),
        behind("ping", vec![ping("a")]),
        behind("pong", vec![Frame::new(opcode::PONG, "a")]),
        behind("another_close", vec![bye()]),
        behind("another_code", vec![close(close_payload(1001, ""))]),
        behind("fault", vec![Frame::new(3, "a")]),
        behind("bad_utf8", vec![text(b"\xff".as_slice())]),
        behind("much", vec![Frame::binary(noise(100_000)); 5]).once(),
        Case::new("closing/behind/garbage", [Part::Frame(bye()), Part::Raw(vec![0xff; 200])]).closes(1000),
        Case::new("closing/behind/half_a_header", [Part::Frame(bye()), Part::Raw(vec![0x82])]).closes(1000),
        Case::frames("closing/with_ping_before", [ping("a"), bye()]).pong("a").closes(1000),
        Case::frames("closing/with_command_before", [text(mark("a")), bye()]).mark("a").closes(1000),
        Case::frames("closing/within_message", [text(mark("a")).not_last(), bye(), last("b")]).closes(1000),
        Case::frames("closing/within_media", [Frame::binary(noise(80)).not_last(), bye()]).closes(1000),
    ]
}

/// Asterisk closes because the app has sent HANGUP; then the app does something.
fn ours_first() -> Vec<Case> {
    let then = |name: &str, parts: Vec<Part>| {
        let mut case =
            Case::frames(format!("closing/ours_first/{name}"), [Frame::text("HANGUP")]).closes(1000);
        case.script.extend([Step::AwaitClose, Step::Send(parts)]);
        case.once()
    };
    let mut silence = then("silence", vec![]);
    silence.waits_for_end = true;
    let frames = |frames: Vec<Frame>| frames.into_iter().map(Part::Frame).collect();
    vec![
        then("same_code", frames(vec![close(close_payload(1000, ""))])),
        then("another_code", frames(vec![close(close_payload(4000, "yes"))])),
        then("without_code", frames(vec![close([])])),
        then(
            "data_and_then_close",
            frames(vec![text(mark("a")), Frame::binary(noise(160)), ping("a"), close([])]),
        ),
        then("twice", frames(vec![close([]), close([])])),
        then("forbidden_code", frames(vec![close(close_payload(1005, ""))])),
        then("fault", frames(vec![Frame::new(3, "")])),
        then("garbage", vec![Part::Raw(vec![0xff; 200])]),
        silence,
    ]
}

/// TCP ends without a close frame, at different points.
fn without_close() -> Vec<Case> {
    let finish = |name: &str, parts: Vec<Part>| {
        let mut case = Case::new(format!("closing/tcp/{name}"), parts);
        case.script.push(Step::Cut);
        case.end = End::Lost;
        case.once()
    };
    let beginning = |count: usize| vec![Part::Beginning(Frame::binary(noise(300)), count)];
    vec![
        finish("at_once", vec![]),
        finish("behind_ping", vec![Part::Frame(ping("a"))]).pong("a"),
        finish("behind_command", vec![Part::Frame(text(mark("a")))]).mark("a"),
        finish("in_header", beginning(1)),
        finish("in_length", beginning(3)),
        finish("in_payload", vec![Part::Frame(Frame::binary(noise(80)).announcing(160))]),
        finish("in_message", vec![Part::Frame(text(mark("a")).not_last())]),
        finish("in_close", vec![Part::Frame(close([0x03]).announcing_in_two(2))]),
    ]
}

/// After the close handshake the server ends TCP first; the client ends it after the server, or after a timeout.
fn end_of_tcp() -> Vec<Case> {
    let mut quiet =
        Case::frames("closing/end_of_tcp/the_client_waits", [close([])]).closes_without_code().once();
    quiet.script.extend([Step::AwaitClose, Step::Quiet]);
    let mut late = Case::frames("closing/end_of_tcp/not_for_ever", [close([])]).closes_without_code().once();
    late.waits_for_end = true;
    vec![quiet, late]
}
