//! A call that subscribes to nothing behaves as with the C module.

use std::time::{Duration, Instant};

use super::super::harness::{Context, Item, Suite, wait};
use super::instance;

pub fn tests(suite: &mut Suite) {
    suite.same("around/unasked", unasked).shares("around", instance);
}

/// Digits, texts, ringing, hold, bridges, and texts from the peer.
fn unasked(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)f(json)");
    call.wait_up();
    call.wait_stasis();
    let channel = format!("channels/{}", call.id);
    t.ari().post(&format!("{channel}/dtmf"), &[("dtmf", "1"), ("duration", "5000")]).ok();
    let pressed = Instant::now();
    app.expect_event("DTMF_END");
    assert!(pressed.elapsed() < Duration::from_millis(4000), "{:?}", pressed.elapsed());
    for what in ["ring", "hold"] {
        t.ari().post(&format!("{channel}/{what}"), &[]).ok();
        t.ari().delete(&format!("{channel}/{what}"), &[]).ok();
    }
    let (other, peer) = t.incoming_app("c(ulaw)");
    other.wait_up();
    let bridge = t.ari().bridge(&[&call.id, &other.id]);
    t.ari().post(&format!("bridges/{bridge}/removeChannel"), &[("channel", &other.id)]).ok();
    t.ari().post(&format!("bridges/{bridge}/removeChannel"), &[("channel", &call.id)]).ok();
    t.ari().wait_channel("ChannelLeftBridge", &call.id);
    t.ari().set_variable(&call.id, "TEXT", "a text");
    t.ari().set_variable(&call.id, "APP", &t.ari().app.clone());
    let parameters = [("context", "harness"), ("extension", "texted"), ("priority", "1")];
    t.ari().post(&format!("{channel}/continue"), &parameters).ok();
    let is_back =
        |event: &serde_json::Value| event["channel"]["id"] == *call.id && event["args"][0] == "texted";
    let status = t.ari().wait("StasisStart", is_back);
    t.note(format!("SENDTEXTSTATUS {}", status["args"][1]));
    for app in [&app, &peer] {
        app.command("GET_STATUS");
        app.expect_event("STATUS");
    }
    app.command("HANGUP");
    let is_close = |item: &Item| matches!(item, Item::Close(_)).then_some(());
    assert!(app.wait_item(wait::PATIENCE, is_close).is_some());
}
