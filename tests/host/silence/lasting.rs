//! A bot that is silent for a long time: the phone gets RTP all the time, and a recording is as long as the call.

use std::fs;
use std::time::{Duration, Instant};

use super::super::harness::{Context, InstanceConfig, Suite, wait};
use super::super::media::noise;
use super::super::protocol::rtp;
use super::{FILLED, OURS, assert_even, figure, speech, with_phone};

pub fn tests(suite: &mut Suite) {
    suite.ours("silence/minute", OURS, minute).shares("rtp", rtp::instance);
    suite
        .ours("silence/recording", OURS, recording)
        .private_with(InstanceConfig::new().module("app_mixmonitor"));
}

/// A minute of silence between two words.
fn minute(t: &Context) {
    let (call, app, phone) = with_phone(t, FILLED);
    let word = noise(25 * 160);
    let say = || {
        app.command("START_MEDIA_BUFFERING");
        app.send_media(&word);
        app.command("STOP_MEDIA_BUFFERING b");
    };
    let mut packets = phone.collect(1);
    say();
    packets.extend(phone.collect_media(&word));
    let begun = Instant::now();
    packets.extend(phone.collect(3000));
    let took = begun.elapsed();
    say();
    packets.extend(phone.collect_media(&word));
    packets.extend(phone.collect(25));
    assert_even(&packets);
    assert_eq!(speech(&packets), [&*word, &*word].concat());
    assert!((Duration::from_secs(59)..Duration::from_secs(62)).contains(&took), "{took:?}");
    let longest = packets.windows(2).map(|two| two[1].at - two[0].at).max().expect("packets");
    assert!(longest < Duration::from_secs(1), "RTP stopped for {longest:?}");
    assert!(figure(&call, "frames_filled") >= 3000);
}

/// The file of MixMonitor is as long as the time that it recorded, of which the application spoke a fifth. Without the
/// option it has only the speech. (The core's recorder discards what it has when the two sides of a channel get out of
/// step, which happens on a busy machine: then the next recording counts.)
fn recording(t: &Context) {
    let record = |options: &str| {
        let [(call, app), (_other, ear)] = t.bridged(options, "c(ulaw)d(in)");
        let file = format!("{}.ulaw", t.unique("recorded"));
        t.asterisk.cli(&format!("mixmonitor start {} {file}", call.name));
        let begun = Instant::now();
        app.send_media(&noise(100 * 160));
        let until = begun + Duration::from_secs(10);
        while Instant::now() < until {
            ear.collect_media_for(160, until.saturating_duration_since(Instant::now()));
        }
        let lasted = begun.elapsed();
        t.asterisk.cli(&format!("mixmonitor stop {}", call.name));
        let path = t.asterisk.folder().join("spool/monitor").join(file);
        let length = || fs::metadata(&path).map_or(0, |file| file.len());
        let mut before = 0;
        wait::until("the file is written", || {
            let now = length();
            now > 0 && std::mem::replace(&mut before, now) == now
        });
        (Duration::from_millis(length() / 8), lasted)
    };
    let fits = |(recorded, lasted): &(Duration, Duration)| {
        *recorded + Duration::from_millis(500) > *lasted && *recorded < *lasted + Duration::from_millis(500)
    };
    wait::until_fits("the recording is as long as the call", || record(FILLED), fits);
    let (recorded, lasted) = record("c(ulaw)f(json)");
    assert!(recorded < lasted / 2, "without the option {recorded:?} of {lasted:?} are recorded");
}
