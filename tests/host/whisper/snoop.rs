//! A real whisper: ARI whispers to a channel.

use std::thread;
use std::time::Duration;

use super::super::harness::call::Call;
use super::super::harness::{Context, InstanceConfig, Suite, wait};
use super::super::masquerade::move_to_echo;
use super::super::protocol::rtp::{self, Phone, is_continuous, speak_with_pauses, steps};
use super::{expect_all, numbered};

pub fn tests(suite: &mut Suite) {
    for mode in ["w", "B", "d"] {
        suite.same(format!("whisper/chanspy/{mode}"), move |t| chanspy(t, mode)).shares("chanspy", spied);
    }
    suite.same("whisper/snoop/app", app).shares("rtp", rtp::instance);
    suite.same("whisper/snoop/moved", moved).shares("rtp", rtp::instance);
    suite.same("whisper/snoop/phone/app", |t| phone(t, false)).shares("rtp", rtp::instance);
    suite.same("whisper/snoop/phone/phone", |t| phone(t, true)).shares("rtp", rtp::instance);
}

/// Begins to whisper to a channel, but sends no media. Returns the whisper's channel.
#[track_caller]
fn whisper(t: &Context, channel: &str) -> String {
    let (ari, id) = (t.ari(), t.unique("snoop"));
    let parameters = [("app", &*ari.app), ("snoopId", &*id), ("whisper", "out")];
    ari.post(&format!("channels/{channel}/snoop"), &parameters).ok();
    ari.wait_channel("StasisStart", &id);
    id
}

/// Whispers to a channel for a moment.
#[track_caller]
fn whisper_shortly(t: &Context, channel: &str) {
    let id = whisper(t, channel);
    thread::sleep(Duration::from_millis(200));
    t.ari().hangup(&id);
    wait::until("the whisper is over", || t.ari().get(&format!("channels/{id}"), &[]).status == 404);
}

/// An app plays to a silent app, which is whispered to, and was before.
fn app(t: &Context) {
    let [(call, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    thread::scope(|scope| {
        let heard = scope.spawn(|| expect_all(&app, &ear, 700));
        for _ in 0..5 {
            whisper_shortly(t, &call.id);
        }
        whisper(t, &call.id);
        heard.join().expect("all frames");
    });
}

fn spied() -> InstanceConfig {
    InstanceConfig::new().module("app_chanspy").dialplan("exten => whisper,1,ChanSpy(${TARGET},qE${MODE})\n")
}

/// The same with ChanSpy(), whose spy is a third app, which sends nothing.
fn chanspy(t: &Context, mode: &str) {
    let [(call, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    let spy = t.call("WebSocket/INCOMING/c(ulaw)").extension("whisper");
    let spy = spy.variable("TARGET", &call.name).variable("MODE", mode).originate();
    let spying = spy.connect();
    spying.expect_media_start();
    spy.wait_application("ChanSpy");
    expect_all(&app, &ear, 300);
}

/// A channel that is whispered to replaces another (masquerade), and its media continues.
fn moved(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    whisper(t, &call.id);
    whisper(t, &call.id);
    move_to_echo(t, &call);
    expect_all(&app, &app, 100);
}

/// An app and a phone, one of which is whispered to. The app is sometimes so late that the core puts a whisper's
/// silence into what the phone hears (from 20.21, 22.11 and 23.5 on). Time stamps are still continuous.
fn phone(t: &Context, to_phone: bool) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    let phone = Phone::new(t);
    t.ari().bridge(&[&call.id, &phone.call.id]);
    let whispered: &Call<'_> = if to_phone { &phone.call } else { &call };
    let media = numbered(120);
    let steps_heard = || {
        thread::scope(|scope| {
            scope.spawn(|| speak_with_pauses(&app, &media, Duration::from_millis(45)));
            let heard = scope.spawn(|| phone.collect_media(&media));
            whisper_shortly(t, &whispered.id);
            let whisper = whisper(t, &whispered.id);
            let packets = heard.join().expect("packets");
            t.ari().hangup(&whisper);
            (is_continuous(&packets), steps(&packets))
        })
    };
    wait::until_fits("even time stamps", steps_heard, |(is_continuous, _)| *is_continuous);
}
