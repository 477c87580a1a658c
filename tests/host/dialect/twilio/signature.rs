//! `X-Twilio-Signature`, checked as an application checks it; the expected value comes from OpenSSL's own tool.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::super::super::connect::tls;
use super::super::super::harness::{Context, Suite};
use super::super::OURS;
use super::super::bot::Bot;

const TOKEN: &str = "hush-0123456789abcdef";

pub fn tests(suite: &mut Suite) {
    suite.ours("dialect/twilio/signature/plain", OURS, plain);
    suite.ours("dialect/twilio/signature/tls", OURS, over_tls);
    suite.ours("dialect/twilio/signature/not_asked", OURS, not_asked);
    suite.ours("dialect/twilio/signature/secret", OURS, secret);
    suite.ours("dialect/twilio/signature/checked", OURS, checked);
}

/// HMAC-SHA1 of a text, in base64.
fn signature(text: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha1", "-hmac", TOKEN, "-binary"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl");
    openssl.stdin.take().expect("its input").write_all(text.as_bytes()).expect("write");
    let output = openssl.wait_with_output().expect("its end");
    assert!(output.status.success() && output.stdout.len() == 20, "{output:?}");
    BASE64.encode(output.stdout)
}

/// The signature is of the configured URI, with its port and its query. The parameters of `v()` are not part of it, and
/// are not in the request.
fn plain(t: &Context) {
    let server = t.server(&[]);
    t.asterisk.add_connection(&server.client, &[("twilio_auth_token", TOKEN)]);
    let _call = t.call(&format!("WebSocket/{}/f(twilio)v(a=1)", server.client)).originate();
    let bot = Bot::open(server.accept());
    assert_eq!(bot.started("customParameters")["a"], "1");
    let request = server.request(0);
    let uri = format!("ws://{}{}", request.header("Host").expect("a host"), request.target);
    assert!(!uri.contains('?'), "{uri}");
    assert_eq!(request.header("X-Twilio-Signature"), Some(&*signature(&uri)), "{uri}");
}

/// The scheme is part of it, a fragment is not. A `${…}` is replaced by its value first.
fn over_tls(t: &Context) {
    let uri = tls::uri("address").replace("app.test", "127.0.0.1");
    let server = tls::server(t, &uri, &[tls::CA]);
    let uri = uri.replace("{address}", &server.address.to_string());
    let own = format!("{uri}?call=${{WHO}}#part");
    t.asterisk.add_connection(&server.client, &[("twilio_auth_token", TOKEN), ("uri", &own)]);
    let call = t.call(&format!("WebSocket/{}/f(twilio)", server.client)).variable("WHO", "a b");
    let _call = call.originate();
    let _bot = Bot::open(server.accept());
    let request = server.request(0);
    assert!(request.target.ends_with("?call=a%20b"), "{}", request.target);
    let dialled = format!("{uri}?call=a%20b");
    assert_eq!(request.header("X-Twilio-Signature"), Some(&*signature(&dialled)), "{dialled}");
}

/// A call in another dialect is not signed, nor is one without a token.
fn not_asked(t: &Context) {
    let server = t.server(&[]);
    t.asterisk.add_connection(&server.client, &[("twilio_auth_token", TOKEN)]);
    let _call = t.call(&format!("WebSocket/{}/f(json)c(ulaw)", server.client)).originate();
    server.accept().expect_media_start();
    assert_eq!(server.request(0).header("X-Twilio-Signature"), None);
    let other = t.server(&[]);
    let _call = t.call(&format!("WebSocket/{}/f(twilio)", other.client)).originate();
    let _bot = Bot::open(other.accept());
    assert_eq!(other.request(0).header("X-Twilio-Signature"), None);
}

/// The token is not shown anywhere, at any log level.
fn secret(t: &Context) {
    let server = t.server(&[]);
    t.asterisk.add_connection(
        &server.client,
        &[("twilio_auth_token", TOKEN), ("control_message_format", "twilio")],
    );
    t.asterisk.cli("core set debug 5 chan_websocket.so");
    let call = t.call(&format!("WebSocket/{}", server.client)).originate();
    let bot = Bot::open(server.accept());
    let sent = server.request(0).header("X-Twilio-Signature").expect("a signature").to_owned();
    for command in [
        "websocket show channels",
        "websocket show settings",
        &format!("websocket show channel {}", call.name),
    ] {
        let shown = t.asterisk.cli(command);
        assert!(!shown.contains(TOKEN) && !shown.contains(&sent), "{command}: {shown}");
    }
    bot.app.close(1000);
    call.ending();
    t.asterisk.cli("core set debug 0");
    assert!(!t.log_contains(&[TOKEN]) && !t.log_contains(&[&sent]));
}

/// `websocket check` gets the same answer from the server as a call.
fn checked(t: &Context) {
    let server = t.server(&[]);
    let own = [("twilio_auth_token", TOKEN), ("control_message_format", "twilio")];
    t.asterisk.add_connection(&server.client, &own);
    let text = t.asterisk.cli(&format!("websocket check {}", server.client));
    assert!(text.trim_end().ends_with("OK") && !text.contains(TOKEN), "{text}");
    let request = server.request(0);
    let uri = format!("ws://{}{}", request.header("Host").expect("a host"), request.target);
    assert_eq!(request.header("X-Twilio-Signature"), Some(&*signature(&uri)), "{uri}");
}
