//! What a telephone does during a call, while numbered frames pass both ways: the telephone echoes what it hears.

use std::thread;
use std::time::{Duration, Instant};

use super::super::super::harness::sip::{ALAW, Peer, Step, ULAW};
use super::super::super::harness::{Context, Suite, wait};
use super::super::super::protocol::rtp::Media;
use super::super::super::whisper::{expect_all, numbered, play};
use super::super::{direct, expect_all_both_ways, expect_in_order, hear_until, is_direct};
use super::{Phone, expect_pair, test};

pub(super) fn tests(suite: &mut Suite) {
    test(suite, "change_of_codec", change_of_codec);
    test(suite, "held", held);
    test(suite, "fax", fax);
    test(suite, "timer/of_the_phone", refreshed_by_the_phone);
    test(suite, "timer/of_asterisk", refreshed_by_asterisk);
    test(suite, "blind_transfer", blind_transfer);
    test(suite, "attended_transfer", attended_transfer);
}

/// All frames go there and come back.
#[track_caller]
fn expect_echo(phone: &Phone<'_>, frames: usize) {
    expect_all(&phone.app, &phone.app, frames);
}

/// All frames come back, and most of them were direct: on a busy machine a lock is sometimes taken.
#[track_caller]
fn expect_direct_echo(t: &Context, phone: &Phone<'_>) {
    const FRAMES: usize = 50;
    let measure = || {
        let before = if is_direct(t) { direct(&phone.call) } else { 0 };
        expect_echo(phone, FRAMES);
        if is_direct(t) { direct(&phone.call) - before } else { FRAMES }
    };
    wait::until_fits("frames go directly", measure, |direct| *direct > FRAMES * 3 / 4);
}

/// Does `work` while the application speaks. Frames that are in transit when the telephone does something may be lost;
/// none comes twice, and none overtakes another.
#[track_caller]
fn while_speaking(phone: &Phone<'_>, work: impl FnOnce()) {
    const FRAMES: usize = 200;
    let begin = Instant::now();
    play(&phone.app, &numbered(FRAMES));
    thread::scope(|scope| {
        let over = || begin.elapsed() > Duration::from_millis(20) * FRAMES as u32;
        let heard = scope.spawn(move || hear_until(&phone.app, over));
        work();
        let numbers = heard.join().expect("numbers");
        assert!(numbers.len() > FRAMES / 10, "{numbers:?}");
        expect_in_order(&numbers);
    });
}

/// A re-INVITE to another codec, and one back.
fn change_of_codec(t: &Context) {
    let phone = Phone::new(t, "two", |port| {
        let change = |codec| [Step::ExpectInfo, Step::Change(codec, port)];
        [&[Step::Answer(port)][..], &change(ALAW), &change(ULAW), &[Step::ExpectBye]].concat()
    });
    expect_direct_echo(t, &phone);
    assert_eq!(phone.echo.heard(ALAW.kind), 0);
    for (codec, steps) in [(ALAW, 3), (ULAW, 5)] {
        while_speaking(&phone, || {
            phone.goes_on(t, steps);
            let before = phone.echo.heard(codec.kind);
            wait::until("the telephone hears the other codec", || phone.echo.heard(codec.kind) > before);
        });
        let before = phone.echo.heard(codec.kind);
        expect_echo(&phone, 100);
        assert_eq!(phone.echo.heard(codec.kind) - before, 100);
        expect_direct_echo(t, &phone);
    }
    phone.end();
}

/// A hold, and its end.
fn held(t: &Context) {
    let phone = Phone::new(t, "told", |port| {
        let directions =
            ["sendonly", "sendrecv"].map(|direction| [Step::ExpectInfo, Step::Direction(direction, port)]);
        [&[Step::Answer(port)][..], &directions.concat(), &[Step::ExpectBye]].concat()
    });
    expect_direct_echo(t, &phone);
    while_speaking(&phone, || {
        phone.goes_on(t, 3);
        t.ari().wait("ChannelHold", |event| event["channel"]["name"] == *phone.name);
        phone.goes_on(t, 5);
        t.ari().wait("ChannelUnhold", |event| event["channel"]["name"] == *phone.name);
    });
    expect_echo(&phone, 100);
    expect_direct_echo(t, &phone);
    phone.end();
}

/// A re-INVITE to T.38, which an application does not support: the call continues unchanged.
fn fax(t: &Context) {
    let phone = Phone::new(t, "fax", |port| {
        vec![Step::Answer(port), Step::ExpectInfo, Step::Fax(port), Step::ExpectBye]
    });
    expect_direct_echo(t, &phone);
    phone.goes_on(t, 3);
    expect_echo(&phone, 100);
    expect_direct_echo(t, &phone);
    phone.end();
}

/// An UPDATE from the telephone, which is not audible.
fn refreshed_by_the_phone(t: &Context) {
    let phone = Phone::new(t, "timed", |port| {
        vec![Step::AnswerTimed(port, "uas"), Step::ExpectInfo, Step::Refresh, Step::ExpectBye]
    });
    thread::scope(|scope| {
        let all = scope.spawn(|| expect_echo(&phone, 150));
        phone.goes_on(t, 3);
        all.join().expect("all frames");
    });
    expect_direct_echo(t, &phone);
    phone.end();
}

/// A re-INVITE from Asterisk after half of the session's 90 s, which is not audible.
fn refreshed_by_asterisk(t: &Context) {
    let phone = Phone::new(t, "timed", |port| {
        vec![Step::AnswerTimed(port, "uac"), Step::ExpectRefresh(port), Step::ExpectBye]
    });
    let (begin, latest) = (Instant::now(), Duration::from_secs(90));
    while !phone.peer.has_done(2) {
        assert!(begin.elapsed() < latest, "Asterisk does not refresh the session");
        expect_echo(&phone, 100);
    }
    expect_direct_echo(t, &phone);
    phone.end();
}

/// The telephone transfers the application to another telephone.
fn blind_transfer(t: &Context) {
    let server = t.server(&[]);
    let (extension, media) = (format!("to{}", server.client), Media::bind());
    let steps = [Step::Answer(media.address().port()), Step::ExpectInfo, Step::Refer(&extension), Step::Bye];
    let mut phone = Phone::of(t, "told", Peer::start(&steps), media);
    expect_direct_echo(t, &phone);
    phone.goes_on(t, 3);
    let other = server.accept();
    other.expect_media_start();
    phone.peer.end();
    expect_pair(t, &phone.call.id);
    expect_all_both_ways(&phone.app, &other, 100);
}

/// The telephone connects the application with another telephone that it talks to.
fn attended_transfer(t: &Context) {
    let server = t.server(&[]);
    let extension = format!("to{}", server.client);
    let mut asked = Peer::call(t, &extension, Media::bind().address().port(), &[Step::ExpectBye]);
    let other = server.accept();
    expect_pair(t, &other.expect_media_start().get("channel_id"));
    let (dialog, media) = (asked.dialog(), Media::bind());
    let steps = [Step::Answer(media.address().port()), Step::ExpectInfo, Step::Replace(&dialog), Step::Bye];
    let mut phone = Phone::of(t, "told", Peer::start(&steps), media);
    expect_direct_echo(t, &phone);
    phone.goes_on(t, 3);
    asked.end();
    phone.peer.end();
    expect_pair(t, &phone.call.id);
    expect_all_both_ways(&phone.app, &other, 100);
}
