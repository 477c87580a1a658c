//! What is logged about a call, at which debug level, and what is never logged.

use super::harness::{Context, InstanceConfig, Suite};

const WHY: &str = "the C module logs other things";

pub fn tests(suite: &mut Suite) {
    suite.ours("logs/levels", WHY, levels).private_with(InstanceConfig::new().debug(1));
    suite.ours("logs/secrets", WHY, secrets).private_with(InstanceConfig::new().debug(5));
}

/// Makes one call with a command and a frame each way. Returns what was logged about it.
fn one_call(t: &Context, level: u32) -> String {
    t.asterisk.cli(&format!("core set debug {level} chan_websocket"));
    let mark = t.asterisk.log.len();
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 160]);
    assert_eq!(app.collect_media(160).len(), 160);
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    app.close(1000);
    call.ending();
    t.asterisk.wait_no_channels();
    // The log is written in order.
    t.asterisk.cli(&format!("core set debug {level} chan_websocket"));
    if level > 0 {
        t.asterisk.log.wait_since(mark, &[&call.name, "over: ended_by application"]);
    }
    let text = t.asterisk.log.since(mark);
    let lines = text.lines().filter(|line| line.contains("DEBUG[") && line.contains(&call.name));
    let lines: Vec<&str> = lines.filter(|line| line.contains(".rs:")).collect();
    lines.join("\n")
}

fn levels(t: &Context) {
    t.asterisk.cli("core set debug 0");
    let at = [
        (1, "made for"),
        (1, "waiting for the application"),
        (1, "established"),
        (1, "closed by the application, code 1000"),
        (1, "frames_in 1, frames_played 1, frames_out 1"),
        (2, "received GET_STATUS"),
        (2, "sent MEDIA_START"),
        (2, "sent STATUS"),
        (3, "answered with 101"),
        (4, "queue_length: 0"),
        (5, "received a message of 160 bytes"),
        (5, "playing a frame of 160 bytes"),
        (5, "sending a frame of 160 bytes"),
    ];
    for level in 0..=5 {
        let text = one_call(t, level);
        for (from, part) in at {
            assert_eq!(text.contains(part), level >= from, "'{part}' at level {level} in:\n{text}");
        }
    }
}

/// The values of `v()`, passwords and the Authorization header are not logged at any level.
fn secrets(t: &Context) {
    let mark = t.asterisk.log.len();
    let server = t.server(&[("username", "user"), ("password", "topsecret1")]);
    let dial = |options: &str| t.call(&format!("WebSocket/{}/{options}", server.client));
    let call = dial("c(ulaw)v(token=topsecret2)").originate();
    let app = server.accept();
    app.expect_media_start();
    t.asterisk.cli("websocket set debug on");
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    call.hangup();
    app.expect_close();
    for text in ["Invalid URI parameters", "parse error", "connection failed", "Unable to request channel"] {
        t.allow_log(text);
    }
    assert_ne!(dial("c(ulaw)v(token=topsecret3 )").try_originate().status, 200);
    assert_ne!(dial("c(ulaw)v(token=topsecret4").try_originate().status, 200);
    let gone = t.unique("gone");
    let uri = "ws://user:topsecret5@127.0.0.1:9/x?key=topsecret6";
    t.asterisk.add_client(&gone, &[("uri", uri), ("reconnect_attempts", "1")]);
    let call = t.call(&format!("WebSocket/{gone}/c(ulaw)v(token=topsecret7)")).originate();
    call.ending();
    t.wait_log(&["WARNING", "connection failed"]);
    // Lines of the core are not checked: it logs the dial string and the variables.
    let text = t.asterisk.log.since(mark);
    let ours: Vec<&str> =
        text.lines().filter(|line| line.contains(".rs:") || line.contains("] chan_websocket:")).collect();
    let told: Vec<&&str> = ours.iter().filter(|line| line.contains("topsecret")).collect();
    assert!(told.is_empty(), "{told:?}");
    assert!(ours.len() > 10, "{ours:?}");
}
