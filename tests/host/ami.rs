//! What a manager can ask for and is told: AMI, and ARI's user events.

use std::time::Duration;

use super::harness::ami::{Ami, Block};
use super::harness::away::Away;
use super::harness::call::Call;
use super::harness::{App, Context, Frame, InstanceConfig, Suite};

const WHY: &str = "the C module has no AMI actions and events";

pub fn tests(suite: &mut Suite) {
    suite.ours("ami/show_channels", WHY, show_channels).private_with(with_ami());
    suite.ours("ami/show_channel", WHY, show_channel).shares("ami", with_ami);
    suite.ours("ami/permission", WHY, permission).shares("ami", with_ami);
    suite.ours("ami/connected", WHY, connected).shares("ami", with_ami);
    for case in ENDS {
        suite
            .ours(format!("ami/disconnected/{}", case.name), WHY, move |t| disconnected(t, &case))
            .shares("ami", with_ami);
    }
    suite.ours("ami/core_first", WHY, core_first).private_with(with_ami().debug(1));
    suite.ours("ami/forged", WHY, forged).shares("ami", with_ami);
    suite.ours("ami/failed", WHY, failed).shares("ami", with_ami);
    suite
        .ours("ami/incoming_timeout", WHY, incoming_timeout)
        .private_with(with_ami().our_file("chan_websocket.conf", "[global]\nincoming_timeout = 1\n"));
    suite.ours("ami/stalled", WHY, stalled).shares("ami", with_ami);
    suite.ours("ami/queue_full", WHY, queue_full).shares("ami", with_ami);
    suite.ours("ami/user_events", WHY, user_events).private_with(
        with_ami().our_file("chan_websocket.conf", "[global]\nmanager_events = none\nuser_events = all\n"),
    );
    suite.ours("ami/some_events", WHY, some_events).private_with(
        with_ami().our_file("chan_websocket.conf", "[global]\nmanager_events = disconnected\n"),
    );
}

fn with_ami() -> InstanceConfig {
    InstanceConfig::new().ami()
}

fn show_channels(t: &Context) {
    let ami = t.ami("all");
    let (response, events, complete) = ami.list("WebSocketShowChannels", &[]);
    assert_eq!((response.get("Response"), response.get("EventList")), ("Success", "start"));
    assert_eq!((events.len(), complete.get("ListItems")), (0, "0"));

    let (call, app) = t.incoming_echo("c(ulaw)");
    let waiting = t.incoming("c(slin16)d(in)");
    app.send_media(&[0x55; 160]);
    assert_eq!(app.collect_media(160), [0x55; 160]);
    let (response, events, complete) = ami.list("WebSocketShowChannels", &[]);
    assert_eq!((response.get("Response"), response.get("EventList")), ("Success", "start"));
    assert_eq!(complete.get("Event"), "WebSocketShowChannelsComplete");
    assert_eq!((complete.get("ListItems"), complete.get("EventList")), ("2", "Complete"));
    let of = |call: &Call<'_>| {
        events.iter().find(|event| event.get("Uniqueid") == call.id).expect("an event for each").clone()
    };
    for (event, call, wanted) in [
        (
            of(&call),
            &call,
            [("Role", "incoming"), ("Format", "ulaw"), ("Direction", "both"), ("FramesPlayed", "1")],
        ),
        (
            of(&waiting),
            &waiting,
            [("State", "waiting"), ("Format", "slin16"), ("Direction", "in"), ("FramesOut", "0")],
        ),
    ] {
        assert_eq!(event.get("Event"), "WebSocketShowChannel");
        assert_eq!((event.get("Channel"), event.get("ConnectionId")), (&*call.name, &*call.connection_id()));
        for (name, value) in wanted {
            assert_eq!(event.get(name), value, "{name} in {event:?}");
        }
    }
    assert!(of(&call).number("BytesIn") >= 160.0 && of(&call).get("Peer").starts_with("127.0.0.1:"));
}

fn show_channel(t: &Context) {
    let ami = t.ami("all");
    let (call, _app) = t.incoming_app("c(ulaw)");
    let (_other, _other_app) = t.incoming_app("c(ulaw)");
    for channel in [&call.name, &call.id] {
        let (_, events, complete) = ami.list("WebSocketShowChannels", &[("Channel", channel)]);
        assert_eq!((events.len(), complete.get("ListItems")), (1, "1"));
        assert_eq!(events[0].get("Channel"), call.name);
    }
    let response = ami.action("WebSocketShowChannels", &[("Channel", "nobody")]);
    assert_eq!((response.get("Response"), response.get("Message")), ("Error", "No such WebSocket channel"));
}

/// A user who may not see the core's channels may not see ours.
fn permission(t: &Context) {
    let response = t.ami("calls").action("WebSocketShowChannels", &[]);
    assert_eq!((response.get("Response"), response.get("Message")), ("Error", "Permission denied"));
}

fn connected(t: &Context) {
    let ami = t.ami("calls");
    let (call, _app) = t.incoming_app("c(ulaw)f(json)");
    let event = ami.event("WebSocketConnected", &call.id);
    for (name, value) in [
        ("Privilege", "call,all"),
        ("Channel", &*call.name),
        ("ConnectionId", &*call.connection_id()),
        ("Role", "incoming"),
        ("Format", "ulaw"),
        ("ControlMessages", "json"),
        ("Tls", "none"),
    ] {
        assert_eq!(event.get(name), value, "{name} in {event:?}");
    }
    assert!(event.get("Peer").starts_with("127.0.0.1:") && event.number("ConnectTime") > 0.0, "{event:?}");

    let server = t.server(&[]);
    let outgoing = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let _app = server.accept();
    let event = ami.event("WebSocketConnected", &outgoing.id);
    assert_eq!((event.get("Role"), event.get("ConnectionId")), ("outgoing", &*server.client));
}

/// One way for a call to end, and what is reported of it.
struct End {
    name: &'static str,
    act: fn(&Call<'_>, App),
    ended_by: &'static str,
    close_code: &'static str,
    cause: (&'static str, &'static str),
}

const NORMAL: (&str, &str) = ("16", "Normal Clearing");
const OUT_OF_ORDER: (&str, &str) = ("38", "Network out of order");

const ENDS: [End; 6] = [
    End {
        name: "hangup_command",
        act: |_, app| {
            app.command("HANGUP");
            app.expect_close();
        },
        ended_by: "hangup_command",
        close_code: "1000",
        cause: NORMAL,
    },
    End {
        name: "application",
        act: |_, app| app.send_frames(&[Frame::close(Some(4321), "enough")]),
        ended_by: "application",
        close_code: "4321",
        cause: NORMAL,
    },
    End {
        name: "lost",
        act: |_, app| app.reset(),
        ended_by: "lost",
        close_code: "1006",
        cause: OUT_OF_ORDER,
    },
    End {
        name: "core",
        act: |call, app| {
            call.hangup();
            app.expect_close();
        },
        ended_by: "core",
        close_code: "1000",
        cause: NORMAL,
    },
    End {
        name: "protocol_fault",
        act: |_, app| {
            // An unmasked frame.
            app.send_raw(&[0x81, 0x01, b'x']);
            app.expect_close();
        },
        ended_by: "protocol_fault",
        close_code: "1002",
        cause: OUT_OF_ORDER,
    },
    End {
        name: "operator",
        act: |call, app| {
            call.context().asterisk.cli(&format!("websocket hangup {}", call.name));
            app.expect_close();
        },
        ended_by: "operator",
        close_code: "1000",
        cause: NORMAL,
    },
];

fn disconnected(t: &Context, end: &End) {
    t.allow_log("WebSocket protocol fault by the application");
    let ami = t.ami("calls");
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 320]);
    assert_eq!(app.collect_media(320).len(), 320);
    (end.act)(&call, app);
    let event = ami.event("WebSocketDisconnected", &call.id);
    assert_eq!((event.get("EndedBy"), event.get("CloseCode")), (end.ended_by, end.close_code), "{event:?}");
    assert_eq!((event.get("Cause"), event.get("Cause-txt")), end.cause, "{event:?}");
    assert_eq!((event.get("FramesPlayed"), event.get("BytesIn")), ("2", "320"), "{event:?}");
    assert!(event.number("FramesOut") >= 2.0, "{event:?}");
    assert_eq!(event.get("CloseReason") == "enough", end.name == "application", "{event:?}");
    call.ending();
    // Each event is raised once.
    assert_eq!(ami.own_events(&call.id), ["WebSocketConnected", "WebSocketDisconnected"]);
}

/// The core has begun to hang the channel up when the application ends the call, too. The core's end counts, in the
/// event and in the variables that the call leaves.
fn core_first(t: &Context) {
    type Act = fn(&App);
    const BUSY: (&str, &str) = ("17", "User busy");
    let ami = t.ami("calls");
    let acts: [(Act, &str); 3] =
        [(|app| app.command("HANGUP"), "1000"), (|app| app.close(4000), "4000"), (App::disconnect, "1006")];
    for (act, close_code) in acts {
        let (call, app) = t.incoming_app("c(ulaw)");
        let mut away = Away::send(&call);
        t.ari().delete(&format!("channels/{}", call.id), &[("reason_code", BUSY.0)]).ok();
        act(&app);
        call.wait_ending();
        away.come_back();
        let event = ami.event("WebSocketDisconnected", &call.id);
        assert_eq!((event.get("EndedBy"), event.get("CloseCode")), ("core", close_code), "{event:?}");
        assert_eq!((event.get("Cause"), event.get("Cause-txt")), BUSY, "{event:?}");
        assert_eq!(call.ending().cause, 17);
        t.wait_log(&[&call.name, "over: ended_by core,"]);
    }
}

/// Text from an application cannot become a header or an event.
fn forged(t: &Context) {
    let ami = t.ami("all");
    let (call, app) = t.incoming_app("c(ulaw)");
    app.send_frames(&[Frame::close(Some(4000), "bye\r\nForged: yes\r\n\r\nEvent: Forged\r\nUniqueid: 1")]);
    let event = ami.event("WebSocketDisconnected", &call.id);
    assert_eq!(event.get("CloseReason"), r"bye\r\nForged: yes\r\n\r\nEvent: Forged\r\nUniqueid: 1");
    assert!(!event.names().contains(&"Forged"), "{event:?}");
    call.ending();
    assert_eq!(ami.find(Duration::ZERO, |block| block.get("Event") == "Forged"), None);
}

fn failed(t: &Context) {
    t.allow_log("WebSocket connection failed to");
    let ami = t.ami("calls");
    let client = t.unique("closed");
    t.asterisk.add_client(&client, &[("uri", "ws://127.0.0.1:1/media"), ("reconnect_attempts", "1")]);
    let call = t.call(&format!("WebSocket/{client}/c(ulaw)")).originate();
    let event = ami.event("WebSocketFailed", &call.id);
    assert_eq!((event.get("ConnectionId"), event.get("EndedBy")), (&*client, "not_connected"), "{event:?}");
    assert_eq!((event.get("Cause"), event.get("Cause-txt")), ("3", "No route to destination"), "{event:?}");
    assert!(event.get("CloseReason").contains("refused"), "{event:?}");
    call.ending();
    assert_eq!(ami.own_events(&call.id), ["WebSocketFailed"]);
}

fn incoming_timeout(t: &Context) {
    t.allow_log("no application has connected in time");
    let ami = t.ami("calls");
    let call = t.incoming("c(ulaw)");
    let event = ami.event("WebSocketFailed", &call.id);
    assert_eq!((event.get("EndedBy"), event.get("Cause")), ("incoming_timeout", "19"), "{event:?}");
    call.ending();
}

/// An application that reads nothing for a second, and then reads again.
fn stalled(t: &Context) {
    let ami = t.ami("calls");
    let (call, app) = t.incoming_app("c(ulaw)");
    app.stop_reading();
    let id = "x".repeat(60_000);
    std::thread::scope(|scope| {
        // More answers than all buffers hold. The application waits once Asterisk does not read any more.
        scope.spawn(|| (0..300).for_each(|_| app.command(&format!("MARK_MEDIA {id}"))));
        let event = ami.event("WebSocketStalled", &call.id);
        assert_eq!((event.get("Media"), event.get("Channel")), ("to_application", &*call.name), "{event:?}");
        assert_eq!(ami.find(Duration::ZERO, resumed(&call.id)), None);
        app.resume_reading();
    });
    let event = ami.wait("WebSocketResumed", resumed(&call.id));
    assert_eq!(event.get("Media"), "to_application");
    assert!(event.number("Lasted") >= 1000.0, "{event:?}");
    assert_eq!(call.state().as_deref(), Some("Up"));
}

fn resumed(id: &str) -> impl Fn(&Block) -> bool {
    move |block| block.get("Event") == "WebSocketResumed" && block.get("Uniqueid") == id
}

/// An application that sends more than the queue holds.
fn queue_full(t: &Context) {
    let ami = t.ami("calls");
    let (call, app) = t.incoming_app("c(ulaw)");
    app.command("PAUSE_MEDIA");
    app.send_media(&[0x55; 160 * 1000]);
    app.expect_event("MEDIA_XOFF");
    app.send_media(&[0x55; 160 * 3]);
    app.send_media(&[0x55; 160 * 2]);
    let event = ami.event("WebSocketStalled", &call.id);
    assert_eq!((event.get("Media"), event.get("FramesDroppedIn")), ("from_application", "3"), "{event:?}");
    app.expect_error();
    app.command("FLUSH_MEDIA");
    app.send_media(&[0x55; 160]);
    let event = ami.wait("WebSocketResumed", resumed(&call.id));
    assert_eq!((event.get("Media"), event.get("FramesDropped")), ("from_application", "5"), "{event:?}");
    assert_eq!(ami.own_events(&call.id), ["WebSocketConnected", "WebSocketStalled", "WebSocketResumed"]);
}

/// ARI gets the events, and AMI gets them as it gets every user event.
fn user_events(t: &Context) {
    let ami = t.ami("all");
    for end in &ENDS {
        t.allow_log("WebSocket protocol fault by the application");
        let (call, app) = t.incoming_app("c(ulaw)");
        let event = |name: &'static str| {
            t.ari().wait("ChannelUserevent", |event| {
                event["eventname"] == name && event["userevent"]["Uniqueid"] == *call.id
            })
        };
        let connected = event("WebSocketConnected");
        assert_eq!(connected["channel"]["id"], *call.id, "{connected}");
        assert_eq!(connected["userevent"]["Format"], "ulaw", "{connected}");
        (end.act)(&call, app);
        let disconnected = event("WebSocketDisconnected");
        assert_eq!(disconnected["userevent"]["EndedBy"], end.ended_by, "{disconnected}");
        assert_eq!(disconnected["userevent"]["CloseCode"], end.close_code, "{disconnected}");
        assert_eq!(disconnected["userevent"]["Cause"], end.cause.0, "{disconnected}");
        assert_eq!(disconnected["channel"]["id"], *call.id, "{disconnected}");
        ami.wait("UserEvent", |block| {
            block.get("UserEvent") == "WebSocketDisconnected" && block.get("Uniqueid") == call.id
        });
        call.ending();
        assert_eq!(ami.own_events(&call.id), [""; 0]);
    }
}

/// Only the configured events are sent. A reload affects new calls.
fn some_events(t: &Context) {
    let ami = t.ami("calls");
    let ends = |events: &[&str]| {
        let (call, app) = t.incoming_app("c(ulaw)");
        app.command("HANGUP");
        assert_eq!(app.expect_close(), 1000);
        call.ending();
        // This event comes last in any case.
        wait_for_the_end(&ami, &call, events);
        assert_eq!(ami.own_events(&call.id), events);
    };
    ends(&["WebSocketDisconnected"]);
    t.asterisk.write_config("chan_websocket.conf", "[global]\nmanager_events = connected, stalled\n");
    t.asterisk.driver("reload");
    ends(&["WebSocketConnected"]);
}

fn wait_for_the_end(ami: &Ami, call: &Call<'_>, events: &[&str]) {
    for name in events {
        ami.event(name, &call.id);
    }
    ami.event("Hangup", &call.id);
}
