//! TEXT and SEND_TEXT.

use serde_json::json;

use super::super::harness::{Context, Suite};
use super::{call, command, goes_on, ours, subscribe};

pub fn tests(suite: &mut Suite) {
    ours(suite, "texts/through_a_bridge", through_a_bridge);
    ours(suite, "texts/from_the_dialplan", from_the_dialplan);
}

const TEXT: &str = "h\u{e9}llo \"you\" \u{1f600}\r\n\u{1}";

/// A text goes from one application to the other, if that one has subscribed. If not, its call does not change.
fn through_a_bridge(t: &Context) {
    let (one, sender) = call(t);
    let (other, receiver) = call(t);
    t.ari().bridge(&[&one.id, &other.id]);
    let send = |id: &str, text: &str| {
        command(&sender, "SEND_TEXT", json!({"text": text, "correlation_id": id}));
        assert_eq!(sender.expect_event("TEXT_SENT").get("correlation_id"), id);
    };
    send("1", "nobody is told");
    // Media takes the same way, so the text has arrived before it.
    sender.send_media(&[0x55; 160]);
    assert_eq!(receiver.collect_media(160), [0x55; 160]);
    subscribe(&receiver, &["TEXT"]);
    goes_on(&receiver);
    send("2", TEXT);
    let text = receiver.expect_event("TEXT");
    assert_eq!((text.keys(), text.get("text")), (vec!["event", "channel_id", "text"], TEXT.to_owned()));
    let long = "x".repeat(60_000);
    send("3", &long);
    assert_eq!(receiver.expect_event("TEXT").get("text"), long);
    // Without an id there is no answer.
    command(&sender, "SEND_TEXT", json!({"text": "no answer"}));
    assert_eq!(receiver.expect_event("TEXT").get("text"), "no answer");
    subscribe(&receiver, &[]);
    send("4", "nobody is told");
    goes_on(&receiver);
    goes_on(&sender);
    assert_eq!(other.state().as_deref(), Some("Up"));
}

/// SendText() reports whether the application takes the text.
fn from_the_dialplan(t: &Context) {
    let (call, app) = call(t);
    let app_name = t.ari().app.clone();
    for (events, status) in [(&["TEXT"][..], "SUCCESS"), (&["DTMF_BEGIN", "CONNECTED_LINE"], "UNSUPPORTED")] {
        subscribe(&app, events);
        goes_on(&app);
        t.ari().set_variable(&call.id, "TEXT", &format!("to {status}"));
        t.ari().set_variable(&call.id, "APP", &app_name);
        let parameters = [("context", "harness"), ("extension", "texted"), ("priority", "1")];
        t.ari().post(&format!("channels/{}/continue", call.id), &parameters).ok();
        let is_back = |event: &serde_json::Value| {
            event["channel"]["id"] == *call.id && event["args"] == json!(["texted", status])
        };
        t.ari().wait("StasisStart", is_back);
        if status == "SUCCESS" {
            assert_eq!(app.expect_event("TEXT").get("text"), "to SUCCESS");
        }
        goes_on(&app);
    }
}
