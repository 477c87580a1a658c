//! What Asterisk itself shows of the module: help for the configuration, and for AMI actions and events.

use super::harness::{Context, InstanceConfig, Suite};

const WHY: &str = "the documentation is ours";

pub fn tests(suite: &mut Suite) {
    suite.ours("docs/config", WHY, config).shares("documented", documented);
    suite.ours("docs/manager", WHY, manager).shares("documented", documented);
    suite.ours("docs/manager_without", WHY, manager_without).shares("ami", || InstanceConfig::new().ami());
    // The C module still loads if our documentation remains after a change back to it.
    suite.same("docs/with_the_c_module", with_the_c_module).shares("documented", documented);
}

fn documented() -> InstanceConfig {
    InstanceConfig::new().documented().ami()
}

/// The output of the console, without colours and with every run of white space as one space.
fn shown(t: &Context, command: &str) -> String {
    let text = t.asterisk.cli(command);
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn config(t: &Context) {
    for (command, parts) in [
        (
            "",
            &["written in Rust", "u - Unbuffered", "websocket show figures", "global --", "connection --"][..],
        ),
        (" global", &["queue_max --", "incoming_origins --", "control_message_format --"]),
        (" global queue_max", &["(Default: 1000)", "dropped as a whole"]),
        (" global control_message_format", &["plain-text", "json"]),
        (" connection proxy_host", &["CONNECT"]),
    ] {
        let command = format!("config show help chan_websocket{command}");
        let text = shown(t, &command);
        for part in parts {
            assert!(text.contains(part), "{command}: {part} is missing in: {text}");
        }
    }
}

fn manager(t: &Context) {
    for (command, parts) in [
        ("command WebSocketShowChannels", &["Channel", "ActionID", "WebSocketShowChannelsComplete"][..]),
        ("event WebSocketConnected", &["Uniqueid", "ConnectTime"]),
        ("event WebSocketDisconnected", &["CloseCode", "EndedBy", "Cause-txt"]),
        ("event WebSocketFailed", &["CloseReason"]),
        ("event WebSocketStalled", &["from_application"]),
        ("event WebSocketResumed", &["FramesDropped"]),
    ] {
        let text = shown(t, &format!("manager show {command}"));
        for part in parts {
            assert!(text.contains(part), "{command}: {part} is missing in: {text}");
        }
    }
}

/// Without our documentation the action still has a description.
fn manager_without(t: &Context) {
    let text = shown(t, "manager show command WebSocketShowChannels");
    assert!(text.contains("List the WebSocket channels"), "{text}");
}

fn with_the_c_module(t: &Context) {
    assert!(t.asterisk.driver_status().is_some_and(|status| status.running));
    let (_call, app) = t.incoming_app("c(ulaw)f(json)");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}
