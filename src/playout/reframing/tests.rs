//! Messages cut and joined: which bytes are kept or dropped, and that no byte is lost or moved.

use super::*;
use proptest::prelude::*;

fn of_size(len: usize) -> Reframer {
    Reframer::new(Framing::of("ulaw", len).unwrap())
}

fn numbered(len: usize) -> Bytes {
    (0..len).map(|n| (n % 251) as u8).collect::<Vec<_>>().into()
}

#[test]
fn a_separate_message_loses_an_incomplete_frame() {
    let mut reframer = of_size(160);
    for (len, kept) in
        [(0, 0), (1, 0), (159, 0), (160, 160), (161, 160), (319, 160), (1000, 960), (1600, 1600)]
    {
        let pieces = reframer.cut(numbered(len));
        assert_eq!(pieces.joined, Bytes::new(), "{len}");
        assert_eq!(pieces.body, numbered(len).slice(..kept), "{len}");
        assert_eq!(pieces.cut_off_bytes, len - kept, "{len}");
    }
}

#[test]
fn a_bulk_keeps_an_incomplete_frame_for_the_next_message() {
    // For each message: its length, whether there is a joined frame, bytes of the body, rest.
    let steps = [
        (0, 0, 0, 0),
        (100, 0, 0, 100),
        (59, 0, 0, 159),
        (0, 0, 0, 159),
        (1, 160, 0, 0),
        (160, 0, 160, 0),
        (161, 0, 160, 1),
        (159, 160, 0, 0),
        (1000, 0, 960, 40),
        (1000, 160, 800, 80),
        (80 + 160, 160, 160, 0),
    ];
    let mut reframer = of_size(160);
    for (n, (len, joined, body, rest)) in steps.into_iter().enumerate() {
        let pieces = reframer.join(numbered(len));
        assert_eq!(
            (pieces.joined.len(), pieces.body.len(), pieces.cut_off_bytes, reframer.rest_bytes()),
            (joined, body, 0, rest),
            "step {n}, message of {len} bytes"
        );
    }
}

#[test]
fn whole_frames_are_not_copied() {
    let mut reframer = of_size(160);
    let message = numbered(1000);
    assert_eq!(reframer.join(message.clone()).body.as_ptr(), message.as_ptr());
    assert_eq!(reframer.cut(message.clone()).body.as_ptr(), message.as_ptr());
}

#[test]
fn the_last_frame_is_filled_up_where_silence_is_known() {
    for (what, rest, silence, last) in [
        ("nothing left", 0, Some(0xff), None),
        ("ulaw", 3, Some(0xff), Some([0, 1, 2, 0xff, 0xff])),
        ("slin", 3, Some(0), Some([0, 1, 2, 0, 0])),
    ] {
        let mut reframer = of_size(5);
        reframer.join(numbered(rest));
        assert_eq!(reframer.finish(silence).as_deref(), last.as_ref().map(|last| &last[..]), "{what}");
        assert_eq!(reframer.finish(silence), None, "{what}: only once");
    }
    let mut gsm = of_size(33);
    gsm.join(numbered(40));
    assert_eq!(gsm.finish(None), Some(numbered(40).slice(33..)), "no silence: as short as it is");
}

#[test]
fn a_cleared_rest_joins_nothing() {
    let mut reframer = of_size(160);
    reframer.join(numbered(100));
    assert_eq!(reframer.clear(), 100);
    let pieces = reframer.join(numbered(160));
    assert_eq!((pieces.joined, pieces.body), (Bytes::new(), numbered(160)));
}

/// Frames of g723, each with its header.
fn g723(lens: &[usize]) -> Bytes {
    let header = |len: &usize| match len {
        24 => 0x00,
        20 => 0x01,
        4 => 0x02,
        _ => 0x03,
    };
    let frame = |len: &usize| {
        let mut frame = numbered(*len).to_vec();
        frame[0] = header(len) | 0x40;
        frame
    };
    lens.iter().flat_map(frame).collect()
}

#[test]
fn each_frame_of_g723_has_its_own_length() {
    let mut reframer = Reframer::new(Framing::G723);
    for (name, message, kept) in [
        ("6.3 kbit/s", g723(&[24]), 24),
        ("5.3 kbit/s", g723(&[20]), 20),
        ("all kinds", g723(&[24, 4, 1, 20]), 49),
        ("one that is not whole", g723(&[24, 20]).slice(..40), 24),
        ("none that is whole", g723(&[24]).slice(..23), 0),
    ] {
        let pieces = reframer.cut(message.clone());
        assert_eq!((pieces.body, pieces.cut), (message.slice(..kept), Cut::G723), "{name}");
        assert_eq!(pieces.cut_off_bytes, message.len() - kept, "{name}");
        assert_eq!(reframer.frames_in(&message), Cut::G723.frames(&message), "{name}");
    }
}

#[test]
fn a_message_of_ilbc_tells_its_frames_length() {
    let mut reframer = Reframer::new(Framing::Ilbc);
    for (name, len, frame_len, kept) in [
        ("neither, and nothing known", 100 + 14, 38, 114),
        ("one of 30 ms", 50, 50, 50),
        ("neither: what the last one had", 107, 50, 100),
        ("one of 20 ms", 38, 38, 38),
        ("neither: the same", 107, 38, 76),
        ("shorter than a frame", 37, 38, 0),
    ] {
        let pieces = reframer.cut(numbered(len));
        assert_eq!((pieces.body.len(), pieces.cut), (kept, Cut::every(frame_len)), "{name}");
        assert_eq!(pieces.cut_off_bytes, len - kept, "{name}");
    }
}

#[test]
fn a_message_of_silk_is_a_frame() {
    let mut reframer = Reframer::new(Framing::of("silk16", 320).unwrap());
    for len in [1, 57, 320, 640, 700] {
        for pieces in [reframer.cut(numbered(len)), reframer.join(numbered(len))] {
            assert_eq!(
                (pieces.body, pieces.cut, pieces.cut_off_bytes),
                (numbered(len), Cut::Whole, 0),
                "{len}"
            );
        }
    }
    assert_eq!((reframer.frames_in(&[0; 700]), reframer.finish(None)), (1, None));
}

#[test]
fn a_bulk_of_ilbc_waits_until_its_frames_length_is_known() {
    let mut reframer = Reframer::new(Framing::Ilbc);
    // After 25 bytes, a message of 38 bytes does not show the frames' length.
    for len in [25, 38] {
        assert_eq!(reframer.join(Bytes::from(vec![0xff; len])), Pieces::default());
    }
    assert_eq!(reframer.rest_bytes(), 63);
    let pieces = reframer.settle();
    assert_eq!((pieces.body.len(), pieces.cut, reframer.rest_bytes()), (38, Cut::every(38), 25));
    assert_eq!(reframer.join(Bytes::from(vec![0xff; 50])).joined.len(), 38, "it stays so for this bulk");
    assert_eq!(reframer.finish(None).map(|last| last.len()), Some(37));
    assert_eq!(reframer.join(Bytes::from(vec![0xff; 50])).cut, Cut::every(50), "and the next one is another");
}

proptest! {
    #[test]
    fn bytes_in_are_bytes_out_under_any_split(
        (framing, frame_lens, media) in any_media(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(media.len() + 1)).collect();
        ends.push(media.len());
        ends.sort_unstable();
        let mut reframer = Reframer::new(framing);
        let (mut out, mut lens, mut start) = (Vec::new(), Vec::new(), 0);
        let mut take = |pieces: Pieces| {
            prop_assert_eq!(pieces.cut_off_bytes, 0);
            for mut piece in [pieces.joined, pieces.body] {
                prop_assert_eq!(pieces.cut.whole_frames_len(&piece), piece.len());
                while !piece.is_empty() {
                    let frame = piece.split_to(pieces.cut.frame_len(&piece));
                    lens.push(frame.len());
                    out.extend_from_slice(&frame);
                }
            }
            Ok(out.len())
        };
        for end in ends {
            let taken = take(reframer.join(media.slice(start..end)))?;
            start = end;
            prop_assert!(reframer.rest_bytes() < 8 * 50 || framing.is_fixed());
            prop_assert_eq!(taken + reframer.rest_bytes(), start);
        }
        take(reframer.settle())?;
        let last = reframer.finish(None).unwrap_or_default();
        lens.extend(Some(last.len()).filter(|len| *len > 0));
        out.extend_from_slice(&last);
        prop_assert_eq!(Bytes::from(out), media);
        if let Some(expected) = frame_lens {
            prop_assert_eq!(lens, expected);
        }
    }

    #[test]
    fn a_bulk_of_ilbc_is_cut_rightly_under_any_split(
        long in any::<bool>(),
        frames in 11_usize..60,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let (len, other) = if long { (50, 38) } else { (38, 50) };
        let mut media = vec![0xff; len * frames];
        media.chunks_mut(len).for_each(|frame| frame[len - 1] = 0xfe);
        let media = Bytes::from(media);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(media.len()) + 1).collect();
        ends.push(media.len());
        ends.sort_unstable();
        // A first message with the length of frames of the other kind is taken for such frames.
        prop_assume!(!ends[0].is_multiple_of(other));
        let (mut reframer, mut out, mut start) = (Reframer::new(Framing::Ilbc), Vec::new(), 0);
        for end in ends {
            let pieces = reframer.join(media.slice(start..end));
            start = end;
            prop_assert!(pieces.body.is_empty() && pieces.joined.is_empty() || pieces.cut == Cut::every(len));
            out.extend_from_slice(&pieces.joined);
            out.extend_from_slice(&pieces.body);
        }
        prop_assert_eq!(reframer.finish(None), None);
        prop_assert_eq!(Bytes::from(out), media);
    }
}

/// Media of any codec, and the lengths of its frames, the last one perhaps short; `None` where the first pieces decide.
fn any_media() -> impl Strategy<Value = (Framing, Option<Vec<usize>>, Bytes)> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..5000).prop_map(Bytes::from);
    let fixed = (1_usize..400, bytes()).prop_map(|(len, media)| {
        let lens = media.chunks(len).map(<[u8]>::len).collect();
        (Framing::of("ulaw", len).unwrap(), Some(lens), media)
    });
    let g723 = (
        prop::collection::vec(prop::sample::select(vec![24, 20, 4, 1]), 0..200),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(lens, end)| {
            let media = g723(&lens);
            let media = media.slice(..end.index(media.len() + 1));
            let (mut lens_left, mut left) = (lens.into_iter(), media.len());
            let lens = std::iter::from_fn(|| {
                let len = lens_left.next().filter(|_| left > 0)?.min(left);
                left -= len;
                Some(len)
            });
            (Framing::G723, Some(lens.collect()), media)
        });
    prop_oneof![fixed, g723, bytes().prop_map(|media| (Framing::Ilbc, None, media))]
}
