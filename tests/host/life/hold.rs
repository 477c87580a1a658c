//! Hold: the WebSocket channel itself is held, or its peer holds it from the other side of a bridge.

use std::time::Duration;

use super::super::harness::app::Received;
use super::super::harness::{App, Context, Item, Suite, wait};
use super::transfers::{Bridged, answers, echoes, hangs_up, hears, instance};

pub fn tests(suite: &mut Suite) {
    let mut both = |name: &str, body: fn(&Context)| {
        suite.same(format!("life/hold/{name}"), body).shares("moved", instance);
    };
    both("music", music);
    both("by_the_peer", by_the_peer);
}

/// The music of these instances is heard.
#[track_caller]
fn hears_music(app: &App) {
    wait::until("the app hears the music", || {
        let heard = app.collect_media_for(160, Duration::from_secs(1));
        heard.windows(4).any(|window| window == b"y\ny\n")
    });
}

/// The app hears music, and then its peer again.
fn music(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let app = call.connect();
    app.expect_media_start();
    call.wait_up();
    let peer = t.call("Local/601@harness/n").formats("ulaw").originate();
    t.ari().bridge(&[&call.id, &peer.id]);
    echoes(&app);
    for _ in 0..2 {
        t.ari().post(&format!("channels/{}/hold", call.id), &[]).ok();
        t.ari().post(&format!("channels/{}/moh", call.id), &[("mohClass", "default")]).ok();
        hears_music(&app);
        answers(t, &app, &call.name);
        t.ari().delete(&format!("channels/{}/moh", call.id), &[]).ok();
        t.ari().delete(&format!("channels/{}/hold", call.id), &[]).ok();
        echoes(&app);
    }
    answers(t, &app, &call.name);
    hangs_up(t, &app, &call.name);
}

/// The channel that a WebSocket is bridged with sends HOLD and UNHOLD, as a telephone does. In between the application
/// hears the core's music, its own media continues, and commands are answered.
fn by_the_peer(t: &Context) {
    let call = Bridged::new(t, "held", "");
    let peer_name = call.caller.name.replace(";1", ";2");
    let peer = t.ari().wait("StasisStart", |event| event["channel"]["name"] == *peer_name);
    let peer = peer["channel"]["id"].as_str().expect("an id").to_owned();
    let other = t.incoming("c(ulaw)");
    let phone = other.connect();
    phone.expect_media_start();
    other.wait_up();
    t.ari().bridge(&[&peer, &other.id]);
    for _ in 0..2 {
        hears(&call.app, &phone);
        hears(&phone, &call.app);
        answers(t, &call.app, &call.name);
        t.ari().post(&format!("channels/{peer}/hold"), &[]).ok();
        hears_music(&call.app);
        hears(&call.app, &phone);
        answers(t, &call.app, &call.name);
        t.ari().delete(&format!("channels/{peer}/hold"), &[]).ok();
    }
    hears(&phone, &call.app);
    hears(&call.app, &phone);
    // STATUS may come before or after a mark that follows media.
    let mut events: Vec<String> = call.app.received().into_iter().filter_map(event_name).collect();
    events.sort();
    t.note(events.join(" "));
    hangs_up(t, &call.app, &call.name);
}

fn event_name(received: Received) -> Option<String> {
    match received.item {
        Item::Event(event) => Some(event.name),
        _ => None,
    }
}
