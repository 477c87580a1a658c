use proptest::prelude::*;

use super::*;

/// An item of a packet.
#[derive(Debug, Clone, Copy)]
enum Part {
    Narrowband(usize),
    Layer(usize),
    /// So many bytes.
    Message(usize),
    Request(usize),
    /// These bits, so many.
    Raw(usize, usize),
}
use Part::{Layer, Message, Narrowband, Raw, Request};

const TERMINATOR: Part = Raw(0b01111, 5);

/// A packet in which all free bits are `filling`; padded as in RFC 5574 section 3.3.
fn packet(parts: &[Part], filling: bool) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut push = |value: usize, count: usize| {
        bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    };
    let fill = usize::from(filling) * usize::MAX;
    let mut push_long = |value: usize, count: usize, len: usize| {
        push(value, count);
        (count..len).for_each(|_| push(fill, 1));
    };
    for part in parts {
        match *part {
            Narrowband(mode) => push_long(mode, 5, NARROWBAND_BITS[mode]),
            Layer(mode) => push_long(0b1000 | mode, 4, LAYER_BITS[mode]),
            Message(len) => push_long(APPLICATION_MESSAGE << 4 | len, 9, 14 + 8 * len),
            Request(number) => push_long(REQUEST << 4 | number, 9, 9 + REQUEST_BITS[number]),
            Raw(value, count) => push_long(value, count, count),
        }
    }
    let missing = bits.len().next_multiple_of(8) - bits.len();
    bits.extend((0..missing).map(|number| number > 0));
    bits.chunks(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit))).collect()
}

#[test]
fn every_sub_mode() {
    for filling in [false, true] {
        for mode in 0..NARROWBAND_BITS.len() {
            let twice = packet(&[Narrowband(mode), Narrowband(mode)], filling);
            assert_eq!(frames(&twice), 2, "narrowband {mode}");
            for layer in 0..LAYER_BITS.len() {
                let wide = [Narrowband(mode), Layer(layer)].repeat(3);
                assert_eq!(frames(&packet(&wide, filling)), 3, "wideband {mode} and {layer}");
                let ultra_wide = [Narrowband(mode), Layer(layer), Layer(1)].repeat(3);
                assert_eq!(frames(&packet(&ultra_wide, filling)), 3, "ultra-wideband {mode} and {layer}");
            }
        }
    }
}

#[test]
fn packets() {
    let frame = Narrowband(5);
    for (name, parts, count) in [
        ("nothing", &[][..], 0),
        ("no frame", &[TERMINATOR], 0),
        ("an end before the end", &[frame, TERMINATOR, frame], 1),
        ("three frames and an end", &[frame, frame, frame, TERMINATOR], 3),
        ("requests", &[Request(0), frame, Request(7), Request(9), frame, Request(15)], 2),
        ("a message", &[Message(0), frame, Message(15), frame], 2),
        ("a layer of no frame", &[Layer(1), frame], 1),
        ("two layers for each of two frames", &[frame, Layer(0), Layer(0), frame, Layer(0), Layer(0)], 2),
        ("silence", &[Narrowband(0), Layer(0), Narrowband(0), Layer(0)], 2),
        ("three layers", &[frame, Layer(1), Layer(1), Layer(1), frame], 1),
        ("a reserved sub-mode", &[frame, Raw(0b01001, 5), frame], 1),
        ("the last reserved sub-mode", &[Raw(0b01100, 5), frame], 0),
        ("a reserved layer", &[frame, frame, Raw(0b1101, 4), frame], 2),
    ] {
        for filling in [false, true] {
            assert_eq!(frames(&packet(parts, filling)), count, "{name}");
        }
    }
}

#[test]
fn a_frame_without_its_end_counts() {
    let whole = packet(&[Narrowband(3), Narrowband(7)], true);
    assert_eq!(frames(&whole), 2);
    assert_eq!(frames(&whole[..30]), 2);
    assert_eq!(frames(&whole[..20]), 1, "the second has not begun");
    assert_eq!(frames(&whole[..1]), 1);
}

#[test]
fn a_frame_lasts_20_ms_at_every_rate() {
    let packet = packet(&[Narrowband(5), Narrowband(5)], true);
    for (name, samples) in
        [("speex", Some(320)), ("speex16", Some(640)), ("speex32", Some(1280)), ("speex48", None)]
    {
        let counter = SpeexSampleCounter::of(name);
        assert_eq!(counter.map(|counter| counter.samples(&packet)), samples, "{name}");
    }
}

/// A frame with its layers, or an item between two frames.
fn part() -> impl Strategy<Value = Vec<Part>> {
    let frame = (0..9_usize, prop::collection::vec(0..5_usize, 0..=2));
    prop_oneof![
        4 => frame.prop_map(|(mode, layers)| [Narrowband(mode)].into_iter().chain(layers.into_iter().map(Layer)).collect()),
        1 => (0..16_usize).prop_map(|len| vec![Message(len)]),
        1 => (0..16_usize).prop_map(|number| vec![Request(number)]),
    ]
}

proptest! {
    #[test]
    fn any_packet_has_the_frames_that_it_is_made_of(parts in prop::collection::vec(part(), 0..20), filling: bool) {
        let parts = parts.concat();
        let made_of = parts.iter().filter(|part| matches!(part, Narrowband(_))).count();
        prop_assert_eq!(frames(&packet(&parts, filling)) as usize, made_of);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(frames(&bytes) as usize * SHORTEST_BITS <= bytes.len() * 8);
    }
}
