//! Snapshots of a channel with its figures (`channelvars` in ari.conf and manager.conf): the core takes them at any
//! time, the last one while the channel is being destroyed.

use super::harness::call::Call;
use super::harness::{App, Context, Frame, InstanceConfig, Suite};

const WHY: &str = "the C module has no figures";

/// A figure that changes, one that has a value only during a call, and one with text from the application.
const FIGURES: &str =
    "CHANNEL(websocket,queue_length),CHANNEL(websocket,format),CHANNEL(websocket,close_reason)";

/// Why they do not run in the surroundings.
const OWN: &str = "what the snapshots carry is the test's own";

/// Name, body and instance of a test.
type Row = (&'static str, fn(&Context), InstanceConfig);

pub fn tests(suite: &mut Suite) {
    let (in_ari, in_ami) =
        (InstanceConfig::new().ari_channelvars(FIGURES), InstanceConfig::new().ami_channelvars(FIGURES));
    let with_h = both(FIGURES).debug(1).dialplan("exten => h,1,Verbose(0,the end of ${CHANNEL})\n");
    let tests: [Row; 6] = [
        ("ari", ari, in_ari),
        ("manager", manager, in_ami),
        ("local", local, both(FIGURES)),
        ("masquerade", masquerade, both(FIGURES)),
        ("forged", forged, with_h),
        ("unknown", unknown, both("CHANNEL(websocket,nonsense)")),
    ];
    for (name, body, config) in tests {
        let test = suite.ours(format!("snapshots/{name}"), WHY, body);
        test.only_alone(OWN);
        test.private_with(config);
    }
}

fn both(names: &str) -> InstanceConfig {
    InstanceConfig::new().ari_channelvars(names).ami_channelvars(names)
}

/// Ends a call, with or without its application.
type End = fn(&Context, &Call<'_>, Option<&App>);

/// All ways in which a channel ends, one by one. Asterisk keeps running.
fn ends(t: &Context, looked_at: impl Fn(&Call<'_>)) {
    let ways: [(bool, End); 5] = [
        (true, |_, _, app| app.expect("connected").command("HANGUP")),
        (true, |_, _, app| app.expect("connected").close(1000)),
        (true, |_, _, app| app.expect("connected").disconnect()),
        (true, |t, call, _| t.ari().hangup(&call.id)),
        (false, |t, call, _| t.ari().hangup(&call.id)),
    ];
    for (connected, end) in ways {
        let (call, app) = if connected {
            let (call, app) = t.incoming_echo("c(ulaw)");
            (call, Some(app))
        } else {
            (t.incoming("c(ulaw)"), None)
        };
        end(t, &call, app.as_ref());
        call.ending();
        looked_at(&call);
    }
    t.asterisk.wait_no_channels();
}

/// The value of a figure in a channel's snapshot in ARI.
fn in_ari(event: &serde_json::Value, figure: &str) -> Option<String> {
    let value = &event["channel"]["channelvars"][format!("CHANNEL(websocket,{figure})")];
    value.as_str().map(str::to_owned)
}

/// The figures are empty in the last event of a channel, and the log has no error about it, although the call is over.
fn ari(t: &Context) {
    ends(t, |call| {
        let made = t.ari().wait_channel("ChannelCreated", &call.id);
        assert_eq!(in_ari(&made, "queue_length").as_deref(), Some(""), "{made}");
        let events = t.ari().events();
        let of_call = |event: &&serde_json::Value| event["channel"]["id"] == *call.id;
        let said = events.iter().filter(of_call).filter_map(|event| in_ari(event, "format"));
        assert!(said.collect::<Vec<_>>().contains(&"ulaw".to_owned()), "{events:?}");
        let gone = t.ari().wait_channel("ChannelDestroyed", &call.id);
        assert_eq!(in_ari(&gone, "format").as_deref(), Some(""), "{gone}");
    });
}

fn manager(t: &Context) {
    let ami = t.ami("all");
    ends(t, |call| {
        ami.wait("a snapshot of the call", |block| {
            block.get("Uniqueid") == call.id
                && block.all("ChanVariable").any(|text| text == "CHANNEL(websocket,format)=ulaw")
        });
        let gone = ami.event("Hangup", &call.id);
        let left: Vec<&str> = gone.all("ChanVariable").collect();
        assert!(left.contains(&"CHANNEL(websocket,format)="), "{gone:?}");
    });
}

/// A Local channel between a caller and an outgoing call: its own snapshots have no figures, and an error says so.
fn local(t: &Context) {
    t.allow_log("Unknown or unavailable item requested: 'websocket,");
    t.allow_log("Error invoking function CHANNEL(websocket,");
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)", server.client);
    for app_ends in [true, false] {
        let caller = t.call("Local/park@harness").formats("ulaw").dials(&dial, "10", "g").originate();
        let app = server.accept();
        app.expect_media_start();
        app.send_media(&[0x55; 320]);
        if app_ends {
            app.command("HANGUP");
            assert_eq!(caller.dial_result().status, "ANSWER");
        }
        drop(caller);
        t.asterisk.wait_no_channels();
    }
}

/// The channel that a masquerade leaves has no call any more, and is destroyed.
fn masquerade(t: &Context) {
    t.allow_log("Unknown or unavailable item requested: 'websocket,");
    t.allow_log("Error invoking function CHANNEL(websocket,");
    let call = t.call("WebSocket/INCOMING/c(ulaw)").create();
    call.dial();
    let app = call.connect();
    app.expect_media_start();
    call.wait_up();
    t.asterisk.cli(&format!("channel redirect {} harness,echo,1", call.name));
    call.wait_application("Echo");
    app.send_media(&[0x55; 320]);
    assert_eq!(app.collect_media(320).len(), 320);
    app.command("HANGUP");
    call.ending();
    t.asterisk.wait_no_channels();
}

/// Text from the application, in a close frame: no line of it appears as a separate line anywhere. (The channel's `h`
/// causes events between the close and the hangup.)
fn forged(t: &Context) {
    let ami = t.ami("all");
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_frames(&[Frame::close(
        Some(4000),
        "bye\r\nForged: yes\r\n\r\nEvent: Forged\u{1b}[2J\0\u{85}end",
    )]);
    let written = r"bye\r\nForged: yes\r\n\r\nEvent: Forged\u{1b}[2J\u{0}\u{85}end";
    // Here the core escapes a backslash once more.
    let variable = format!("CHANNEL(websocket,close_reason)={}", written.replace('\\', r"\\"));
    let said = ami.wait("a snapshot with the reason", |block| {
        block.get("Uniqueid") == call.id && block.all("ChanVariable").any(|text| text == variable)
    });
    assert!(!said.names().contains(&"Forged"), "{said:?}");
    assert_eq!(ami.event("WebSocketDisconnected", &call.id).get("CloseReason"), written);
    t.ari().wait("ChannelDialplan", |event| in_ari(event, "close_reason").as_deref() == Some(written));
    call.ending();
    t.wait_log(&["WebSocket closed by the application, code 4000", written]);
    assert_eq!(ami.find(std::time::Duration::ZERO, |block| block.get("Event") == "Forged"), None);
}

/// The name of an unknown figure is an error, even when the call is over.
fn unknown(t: &Context) {
    t.allow_log("CHANNEL(websocket,nonsense) is not known; known are: channel, ");
    t.allow_log("Unknown or unavailable item requested: 'websocket,nonsense'");
    t.allow_log("Error invoking function CHANNEL(websocket,nonsense)");
    let (call, app) = t.incoming_echo("c(ulaw)");
    t.wait_log(&["WARNING", &call.name, "CHANNEL(websocket,nonsense) is not known"]);
    let mark = t.asterisk.log.len();
    app.command("HANGUP");
    call.ending();
    t.asterisk.wait_no_channels();
    t.asterisk.log.wait_since(mark, &["ERROR", "Error invoking function CHANNEL(websocket,nonsense)"]);
    let told = |line: &str| {
        line.contains(": CHANNEL(websocket,nonsense) is not known") && !line.contains(&call.name)
    };
    let text = t.asterisk.log.since(mark);
    assert!(text.lines().any(told), "the last snapshot: {text}");
}
