//! SEND_EVENT: what ARI and AMI get, and which applications may use it.

use serde_json::{Value, json};

use super::super::harness::{Context, Item, Suite, wait};
use super::{ONLY_OURS, call, command, goes_on, instance, ours};

pub fn tests(suite: &mut Suite) {
    ours(suite, "events/arrive_whole", arrive_whole);
    ours(suite, "events/exactly", exactly);
    ours(suite, "events/rate", rate);
    suite.ours("around/events/not_permitted", ONLY_OURS, not_permitted);
    suite.ours("around/events/permitted_by_the_client", ONLY_OURS, by_client).private();
    suite
        .ours("around/events/declined", ONLY_OURS, declined)
        .private_with(instance().file("stasis.conf", DECLINED));
}

const DECLINED: &str = "[threadpool]\n[declined_message_types]\ndecline = websocket_app_event\n";

/// ARI gets the event as the application has written it, AMI as one header, whatever it contains.
fn arrive_whole(t: &Context) {
    let (call, app) = call(t);
    let ami = t.ami("all");
    let odd = "order placed: \u{fc}\u{1f600}\\r\\nForged: 1 %s %n";
    let cases = [
        (
            "order-placed",
            Some(json!({"id": 7, "sum": 1.5, "to": {"name": "Jos\u{e9}"}, "list": [null, true]})),
        ),
        (odd, Some(json!({"a": "x\r\nForged: 1\r\n\r\nEvent: Hangup", "": "", "\u{2028}": "%s%n"}))),
        ("n", Some(json!({}))),
        ("nothing", None),
    ];
    for (n, (name, data)) in cases.iter().enumerate() {
        let id = n.to_string();
        let mut fields = json!({"name": name, "correlation_id": id});
        if let Some(data) = data {
            fields["data"] = data.clone();
        }
        command(&app, "SEND_EVENT", fields);
        let sent = app.expect_event("EVENT_SENT");
        assert_eq!(
            (sent.keys(), sent.get("correlation_id")),
            (vec!["event", "channel_id", "correlation_id"], id)
        );
        let event = t.ari().wait("ChannelUserevent", |event| event["eventname"] == **name);
        let mut expected = data.clone().unwrap_or_else(|| json!({}));
        expected["eventname"] = (*name).into();
        assert_eq!(event["userevent"], expected);
        assert_eq!(
            (&event["channel"]["id"], &event["channel"]["name"]),
            (&json!(call.id), &json!(call.name))
        );
        assert!(event["timestamp"].is_string(), "{event}");
        let block = ami
            .wait("UserEvent", |block| block.get("Event") == "UserEvent" && block.get("UserEvent") == *name);
        assert_eq!((block.get("Uniqueid"), block.get("Channel")), (&*call.id, &*call.name));
        let told: Value = serde_json::from_str(block.get("Data")).expect("JSON");
        assert_eq!(told, data.clone().unwrap_or_else(|| json!({})));
        assert_eq!(block.get("Forged"), "");
    }
}

/// The order of keys and each digit are kept, up to the limit of a command.
fn exactly(t: &Context) {
    let (_call, app) = call(t);
    let ami = t.ami("all");
    let data = r#"{"z":1,"a":9007199254740993,"m":[ 1 ,2 ],"u":"\u00e9\/"}"#;
    app.send_text(&format!(r#"{{"command":"SEND_EVENT","data":{data},"name":"exact"}}"#));
    assert_eq!(app.expect_event("EVENT_SENT").get("correlation_id"), "");
    let block = ami.wait("UserEvent", |block| block.get("UserEvent") == "exact");
    assert_eq!(block.get("Data"), "{\"z\":1,\"a\":9007199254740993,\"m\":[1,2],\"u\":\"\u{e9}/\"}");
    let long = "x".repeat(65_400);
    command(&app, "SEND_EVENT", json!({"name": "long", "data": {"text": long}}));
    app.expect_event("EVENT_SENT");
    let event = t.ari().wait("ChannelUserevent", |event| event["eventname"] == "long");
    assert_eq!(event["userevent"]["text"], long);
    let block = ami.wait("UserEvent", |block| block.get("UserEvent") == "long");
    assert_eq!(block.get("Data").len(), long.len() + r#"{"text":""}"#.len());
}

/// At most five events are accepted in a second.
fn rate(t: &Context) {
    let (_call, app) = call(t);
    let name = t.unique("event");
    let send = |n: usize| command(&app, "SEND_EVENT", json!({"name": name, "correlation_id": n.to_string()}));
    (0..12).for_each(send);
    let (mut sent, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        let Some(Item::Event(event)) = app.next_event(wait::PATIENCE) else {
            panic!("no answer");
        };
        let id = event.get("correlation_id");
        match event.name.as_str() {
            "EVENT_SENT" => sent.push(id),
            "ERROR" => {
                let text = "SEND_EVENT: more than 5 events in a second (app_events_per_second)";
                assert_eq!(
                    (event.get("error_text"), event.get("command")),
                    (text.into(), "SEND_EVENT".into())
                );
                refused.push(id);
            }
            other => panic!("{other}"),
        }
    }
    // The twelve may have taken more than a second on a busy machine.
    assert_eq!(
        (sent[..5].join(""), sent.len() + refused.len()),
        ("01234".into(), 12),
        "{sent:?} {refused:?}"
    );
    assert!(refused.contains(&"5".to_owned()) || sent.len() > 5, "{sent:?}");
    let told = t.ari().wait_many("ChannelUserevent", sent.len(), |event| event["eventname"] == name);
    assert_eq!(told.len(), sent.len());
}

/// The operator has not permitted SEND_EVENT.
fn not_permitted(t: &Context) {
    let (_call, app) = call(t);
    command(&app, "SEND_EVENT", json!({"name": "n", "correlation_id": "e"}));
    let error = app.expect_event("ERROR");
    assert_eq!(error.get("error_text"), "SEND_EVENT: not permitted; the operator permits it with app_events");
    assert_eq!((error.get("correlation_id"), error.get("command")), ("e".into(), "SEND_EVENT".into()));
    goes_on(&app);
}

/// The section of a client overrides the global one.
fn by_client(t: &Context) {
    let server = t.server(&[]);
    t.asterisk.add_connection(&server.client, &[("app_events", "yes")]);
    let _call = t.call(&format!("WebSocket/{}/c(ulaw)f(json)", server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    command(&app, "SEND_EVENT", json!({"name": "by-client"}));
    app.expect_event("EVENT_SENT");
    t.ari().wait("ChannelUserevent", |event| event["eventname"] == "by-client");
    not_permitted(t);
}

/// stasis.conf declines this type of message: the application gets an error.
fn declined(t: &Context) {
    let (_call, app) = call(t);
    command(&app, "SEND_EVENT", json!({"name": "n", "correlation_id": "e"}));
    let error = app.expect_event("ERROR");
    let text = "SEND_EVENT: Asterisk takes no such events (stasis.conf, declined_message_types)";
    assert_eq!((error.get("error_text"), error.get("correlation_id")), (text.into(), "e".into()));
    goes_on(&app);
}
