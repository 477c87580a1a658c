//! What an operator sees at the CLI.

use super::harness::{Context, Suite, wait};

const WHY: &str = "the C module has no CLI commands";

pub fn tests(suite: &mut Suite) {
    suite.ours("cli/show_channels", WHY, show_channels).private();
    suite.ours("cli/show_channel", WHY, show_channel);
    suite.ours("cli/show_settings", WHY, show_settings);
    suite.ours("cli/hangup", WHY, hangup);
    suite.ours("cli/unknown_channel", WHY, unknown_channel);
}

/// A line for each channel, with columns that line up.
fn show_channels(t: &Context) {
    assert!(t.asterisk.cli("websocket show channels").contains("0 WebSocket channels"));
    let (call, app) = t.incoming_echo("c(ulaw)");
    let waiting = t.incoming("c(slin16)d(in)");
    app.send_media(&[0x55; 160]);
    assert_eq!(app.collect_media(160), [0x55; 160]);
    let text = t.asterisk.cli("websocket show channels");
    let lines: Vec<&str> = text.lines().collect();
    let line_of =
        |name: &str| *lines.iter().find(|line| line.starts_with(name)).expect("a line for each channel");
    let (head, first, second) = (line_of("Channel "), line_of(&call.name), line_of(&waiting.name));
    for (heading, in_first, in_second) in [
        ("Role", "incoming", "incoming"),
        ("Format", "ulaw", "slin16"),
        ("Dir", "both", "in"),
        ("Mode", "framed", "framed"),
        ("State", "connected", "connecting"),
        ("In/Out", "1/", "0/0"),
    ] {
        let column = head.find(heading).expect(heading);
        assert!(first[column..].starts_with(in_first), "{heading}: {text}");
        assert!(second[column..].starts_with(in_second), "{heading}: {text}");
    }
    assert!(text.contains("2 WebSocket channels") && text.is_ascii(), "{text}");
    assert!(t.asterisk.cli("websocket show stats").contains("2 up, 1 connected"));
}

fn show_channel(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)f(json)");
    app.send_media(&[0x55; 320]);
    assert_eq!(app.collect_media(320).len(), 320);
    let text = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    for part in [
        &call.name,
        &call.connection_id(),
        "ulaw/8000 Hz/20 ms/160 bytes, framed",
        "json",
        "2 queued, 2 played, 0 flushed, 0 dropped",
        "TLS:                  none",
    ] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}

fn show_settings(t: &Context) {
    let text = t.asterisk.cli("websocket show settings");
    for part in ["Build: ", "write_timeout", "30000 ms", "1000, 900, 800 frames", "everybody"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}

fn hangup(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    assert!(t.asterisk.cli(&format!("websocket hangup {}", call.name)).contains("Hanging up"));
    let ending = call.ending();
    assert_eq!((ending.cause, ending.tech_cause), (16, 1000));
    assert_eq!(app.expect_close(), 1000);
    wait::until("the channel to go", || !t.asterisk.cli("websocket show channels").contains(&call.name));
}

fn unknown_channel(t: &Context) {
    for command in ["websocket show channel nobody", "websocket hangup nobody"] {
        assert!(t.asterisk.cli(command).contains("There is no WebSocket channel 'nobody'"), "{command}");
    }
}
