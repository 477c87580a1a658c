//! Valid and invalid UTF-8 in text (RFC 6455 section 8.1), after the tables of the Autobahn test suite and of Markus
//! Kuhn.

use super::super::super::harness::Frame;
use super::super::super::harness::wire::opcode::TEXT;
use super::super::case::{Case, Delivery, Part, fragments, last, mark, more, ping, text};

pub fn cases() -> Vec<Case> {
    let mut cases = valid();
    cases.extend(invalid());
    cases.extend(split());
    cases.extend(late());
    cases
}

/// First and last code points of each length, those around the surrogates, and noncharacters.
const VALID: &[(&str, &str)] = &[
    ("greek", "κόσμε"),
    ("german", "Hello-µ@ßöäüàá-UTF-8!!"),
    ("u0000", "\u{0}"),
    ("u0001", "\u{1}"),
    ("u007f", "\u{7f}"),
    ("u0080", "\u{80}"),
    ("u07ff", "\u{7ff}"),
    ("u0800", "\u{800}"),
    ("ud7ff", "\u{d7ff}"),
    ("ue000", "\u{e000}"),
    ("ufdd0", "\u{fdd0}"),
    ("ufeff", "\u{feff}"),
    ("ufffd", "\u{fffd}"),
    ("ufffe", "\u{fffe}"),
    ("uffff", "\u{ffff}"),
    ("u10000", "\u{10000}"),
    ("u1f600", "\u{1f600}"),
    ("u1fffe", "\u{1fffe}"),
    ("ufffff", "\u{fffff}"),
    ("u100000", "\u{100000}"),
    ("u10fffe", "\u{10fffe}"),
    ("u10ffff", "\u{10ffff}"),
    ("combining", "e\u{301}\u{327}"),
    ("right_to_left", "\u{202e}שלום\u{202c}"),
];

/// A letter on either side, because white space around a command is ignored.
fn enclosed(middle: &[u8]) -> Vec<u8> {
    [b"[", middle, b"]"].concat()
}

fn valid() -> Vec<Case> {
    let case = |(name, id): &(&str, &str)| {
        let id = format!("[{id}]");
        Case::frames(format!("utf8/valid/{name}"), [text(mark(&id))]).mark(id)
    };
    VALID.iter().map(case).collect()
}

const INVALID: &[(&str, &[u8])] = &[
    ("continuation/first", b"\x80"),
    ("continuation/last", b"\xbf"),
    ("continuation/two", b"\x80\xbf"),
    ("continuation/three", b"\x80\xbf\x80"),
    ("continuation/four", b"\x80\xbf\x80\xbf"),
    ("continuation/behind_a_character", b"\xce\xba\x80"),
    ("start_alone/two_first", b"\xc2 "),
    ("start_alone/two_last", b"\xdf "),
    ("start_alone/three_first", b"\xe0 "),
    ("start_alone/three_last", b"\xef "),
    ("start_alone/four_first", b"\xf0 "),
    ("start_alone/four_last", b"\xf4 "),
    ("missing_last/two", b"\xc3\xc3\xa9"),
    ("missing_last/three", b"\xe2\x82x"),
    ("missing_last/three_without_two", b"\xe2x"),
    ("missing_last/four", b"\xf0\x9f\x98x"),
    ("missing_last/four_without_two", b"\xf0\x9fx"),
    ("missing_last/four_without_three", b"\xf0x"),
    ("missing_last/all_in_turn", b"\xc3\xe2\x82\xf0\x9f\x98"),
    ("overlong/slash_in_two", b"\xc0\xaf"),
    ("overlong/slash_in_three", b"\xe0\x80\xaf"),
    ("overlong/slash_in_four", b"\xf0\x80\x80\xaf"),
    ("overlong/slash_in_five", b"\xf8\x80\x80\x80\xaf"),
    ("overlong/slash_in_six", b"\xfc\x80\x80\x80\x80\xaf"),
    ("overlong/nul_in_two", b"\xc0\x80"),
    ("overlong/nul_in_three", b"\xe0\x80\x80"),
    ("overlong/nul_in_four", b"\xf0\x80\x80\x80"),
    ("overlong/u007f_in_two", b"\xc1\xbf"),
    ("overlong/u07ff_in_three", b"\xe0\x9f\xbf"),
    ("overlong/uffff_in_four", b"\xf0\x8f\xbf\xbf"),
    ("surrogate/ud800", b"\xed\xa0\x80"),
    ("surrogate/udb7f", b"\xed\xad\xbf"),
    ("surrogate/udb80", b"\xed\xae\x80"),
    ("surrogate/udbff", b"\xed\xaf\xbf"),
    ("surrogate/udc00", b"\xed\xb0\x80"),
    ("surrogate/udf80", b"\xed\xbe\x80"),
    ("surrogate/udfff", b"\xed\xbf\xbf"),
    ("surrogate/pair_first", b"\xed\xa0\x80\xed\xb0\x80"),
    ("surrogate/pair_last", b"\xed\xaf\xbf\xed\xbf\xbf"),
    ("surrogate/behind_greek", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"),
    ("beyond/u110000", b"\xf4\x90\x80\x80"),
    ("beyond/u13ffff", b"\xf4\xbf\xbf\xbf"),
    ("beyond/u140000", b"\xf5\x80\x80\x80"),
    ("beyond/u1fffff", b"\xf7\xbf\xbf\xbf"),
    ("beyond/five_bytes", b"\xf8\x88\x80\x80\x80"),
    ("beyond/five_bytes_last", b"\xfb\xbf\xbf\xbf\xbf"),
    ("beyond/six_bytes", b"\xfc\x84\x80\x80\x80\x80"),
    ("beyond/six_bytes_last", b"\xfd\xbf\xbf\xbf\xbf\xbf"),
    ("impossible/fe", b"\xfe"),
    ("impossible/ff", b"\xff"),
    ("impossible/all", b"\xfe\xfe\xff\xff"),
    ("latin_1", b"caf\xe9"),
    ("utf_16", b"\xff\xfea\x00"),
];

/// Text that ends in the middle of a character.
const INCOMPLETE: &[(&str, &[u8])] = &[
    ("two", b"\xc3"),
    ("three", b"\xe2\x82"),
    ("three_at_once", b"\xe2"),
    ("four", b"\xf0\x9f\x98"),
    ("four_sooner", b"\xf0\x9f"),
    ("four_at_once", b"\xf0"),
    ("greek", b"\xce\xba\xe1\xbd"),
];

fn invalid() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, bytes) in INVALID {
        cases.push(Case::frames(format!("utf8/invalid/{name}"), [text(mark(enclosed(bytes)))]).fails(1007));
    }
    for (name, bytes) in INCOMPLETE {
        cases.push(Case::frames(format!("utf8/incomplete/{name}"), [text(mark(bytes))]).fails(1007));
        let pieces = fragments(TEXT, [&mark(bytes)[..], b""]);
        cases.push(
            Case::frames(format!("utf8/incomplete/{name}_and_an_empty_fragment"), pieces).fails(1007).once(),
        );
    }
    cases
}

/// Characters that are split over several fragments and several segments.
fn split() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, id) in [("two", "é"), ("three", "€"), ("four", "😀"), ("greek", "κόσμε")] {
        let message = mark(enclosed(id.as_bytes()));
        let whole = String::from_utf8(enclosed(id.as_bytes())).expect("UTF-8");
        let mut each = Case::frames(format!("utf8/split/{name}"), fragments(TEXT, message.chunks(1)));
        each.deliveries = vec![Delivery::Octets];
        cases.push(each.mark(&*whole));
        let pieces: Vec<&[u8]> = message.chunks(1).flat_map(|byte| [byte, b""]).collect();
        cases.push(
            Case::frames(format!("utf8/split/{name}_with_empty_fragments"), fragments(TEXT, pieces))
                .mark(&*whole)
                .once(),
        );
        // A ping after each byte of the characters.
        let mut with_pings = vec![text(mark("[")).not_last()];
        with_pings.extend(id.as_bytes().iter().flat_map(|byte| [more([*byte]), ping("p")]));
        with_pings.push(last("]"));
        let case = Case::frames(format!("utf8/split/{name}_with_pings"), with_pings).once();
        cases.push(id.bytes().fold(case, |case, _| case.pong("p")).mark(whole));
    }
    cases
}

/// A bad byte that comes later: the connection ends as soon as it arrives, whatever would follow.
fn late() -> Vec<Case> {
    let begin = || text(mark("[")).not_last();
    let whole = Frame::text("MARK_MEDIA a");
    vec![
        Case::frames("utf8/late/in_the_second_fragment", [begin(), last(b"\xff]")]).fails(1007),
        Case::frames("utf8/late/in_the_third_fragment", [begin(), more("κ"), last(b"\xed\xa0\x80]")])
            .fails(1007),
        Case::frames("utf8/late/before_the_last_fragment", [begin(), more(b"\xff")]).fails(1007),
        Case::frames("utf8/late/in_the_first_fragment", [text(b"MARK_MEDIA \xff".as_slice()).not_last()])
            .fails(1007),
        Case::frames("utf8/late/character_not_completed", [text(mark(b"\xe2\x82")).not_last(), last("]")])
            .fails(1007),
        Case::frames("utf8/late/character_never_completed", [text(mark(b"\xe2\x82")).not_last(), last("")])
            .fails(1007),
        Case::frames(
            "utf8/late/completed_to_something_bad",
            [text(mark(b"\xf4")).not_last(), last(b"\x90\x80\x80]")],
        )
        .fails(1007),
        Case::frames(
            "utf8/late/surrogate_in_two_fragments",
            [text(mark(b"\xed")).not_last(), last(b"\xa0\x80]")],
        )
        .fails(1007),
        Case::frames("utf8/late/behind_a_good_message", [whole.clone(), text(mark(b"\xff"))])
            .mark("a")
            .fails(1007),
        Case::frames("utf8/late/before_a_good_message", [text(mark(b"\xff")), whole]).fails(1007),
        Case::new(
            "utf8/late/with_a_ping_between",
            [Part::Frame(begin()), Part::Frame(ping("p")), Part::Frame(last(b"\xff"))],
        )
        .pong("p")
        .fails(1007),
        // Media is not text.
        Case::frames("utf8/media_may_be_anything", [Frame::binary([0xff; 160])]).echo([0xff; 160]),
    ]
}
