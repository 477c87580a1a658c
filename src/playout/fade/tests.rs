//! Codes by G.711's tables, and the effect of a fade on media.

use proptest::prelude::*;

use super::SampleEncoding::{Alaw, Linear, Ulaw};
use super::*;

fn samples(encoding: SampleEncoding, media: &[u8]) -> Vec<i32> {
    match encoding {
        Ulaw => media.iter().map(|code| ulaw_sample(*code).into()).collect(),
        Alaw => media.iter().map(|code| alaw_sample(*code).into()).collect(),
        Linear => media.as_chunks().0.iter().map(|sample| i16::from_ne_bytes(*sample).into()).collect(),
    }
}

#[test]
fn g711_by_its_tables() {
    for (code, ulaw, alaw) in [
        (0x00, -32124, -5504),
        (0x80, 32124, 5504),
        (0x7f, 0, -848),
        (0xff, 0, 848),
        (0x55, -716, -8),
        (0xd5, 716, 8),
        (0x2a, -5372, -32256),
        (0xaa, 5372, 32256),
    ] {
        assert_eq!((ulaw_sample(code), alaw_sample(code)), (ulaw, alaw), "{code:#x}");
    }
}

#[test]
fn which_codecs_can_be_faded() {
    for (name, encoding) in [
        ("ulaw", Some(Ulaw)),
        ("alaw", Some(Alaw)),
        ("slin", Some(Linear)),
        ("slin192", Some(Linear)),
        ("g722", None),
        ("opus", None),
    ] {
        assert_eq!(SampleEncoding::of(name), encoding, "{name}");
    }
}

#[test]
fn the_loudest_tone_falls_evenly_to_silence() {
    for (encoding, loudest) in
        [(Ulaw, vec![0x80; 1000]), (Alaw, vec![0xaa; 1000]), (Linear, i16::MAX.to_ne_bytes().repeat(1000))]
    {
        let mut fade = FadeOut::over(encoding, loudest.len());
        let faded = samples(encoding, &fade.fade(&loudest));
        assert!(faded.is_sorted_by(|one, next| one >= next), "{encoding:?}");
        // A-law has no 0.
        assert!(faded.last().is_some_and(|last| last.abs() <= 8), "{encoding:?}");
        let half = faded[500];
        assert!((14_000..=16_400).contains(&half), "{encoding:?}: {half}");
    }
}

proptest! {
    #[test]
    fn no_sample_is_louder_than_the_fade_allows_and_pieces_make_no_difference(
        media in prop::collection::vec(any::<u8>(), 0..400),
        at in 0_usize..400,
        encoding in prop::sample::select(vec![Ulaw, Alaw, Linear]),
    ) {
        let whole = FadeOut::over(encoding, media.len()).fade(&media);
        prop_assert_eq!(whole.len(), media.len());
        let (before, after) = (samples(encoding, &media), samples(encoding, &whole));
        let count = before.len() as i32;
        for (n, (before, after)) in before.iter().zip(&after).enumerate() {
            let allowed = (before.abs() * (count - n as i32) / count).max(8);
            prop_assert!(after.abs() <= allowed, "sample {n}: {before} to {after}");
            prop_assert!(before.signum() * after.signum() >= 0 || after.abs() <= 8);
        }
        let at = at.min(media.len()) / 2 * 2;
        let mut fade = FadeOut::over(encoding, media.len());
        let pieces = [fade.fade(&media[..at]), fade.fade(&media[at..])].concat();
        prop_assert_eq!(pieces, whole.to_vec());
    }
}
