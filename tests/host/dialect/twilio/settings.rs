//! The operator's settings in chan_websocket.conf.

use super::super::super::harness::{Context, InstanceConfig, Suite};
use super::super::OURS;
use super::super::bot::Bot;
use super::FRAME;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

pub fn tests(suite: &mut Suite) {
    suite.ours("dialect/twilio/settings/client", OURS, client);
    suite.ours("dialect/twilio/settings/wrong", OURS, wrong);
    suite.ours("dialect/twilio/settings/global", OURS, global).shares("twilio_global", || {
        InstanceConfig::new().our_file("chan_websocket.conf", "[global]\ncontrol_message_format = twilio\n")
    });
}

/// A client's section sets the dialect and the account of its calls; the dial string overrides it.
fn client(t: &Context) {
    let server = t.server(&[]);
    let section = [("control_message_format", "twilio"), ("twilio_account_sid", ACCOUNT)];
    t.asterisk.add_connection(&server.client, &section);
    let call = t.call(&format!("WebSocket/{}", server.client)).formats("slin16").originate();
    let bot = Bot::open(server.accept());
    assert_eq!(bot.started("accountSid"), ACCOUNT);
    call.wait_up();
    let shown = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    let row = shown.lines().find(|line| line.trim_start().starts_with("control_message_format "));
    assert!(row.is_some_and(|row| row.ends_with(" twilio")), "{shown}");
    bot.media(&[0x55; FRAME]);
    bot.mark("m");
    bot.expect_marks(&["m"]);
    let _other = t.call(&format!("WebSocket/{}/f(json)c(ulaw)", server.client)).originate();
    server.accept().expect_media_start();
}

/// `[global]` sets them for all clients; INCOMING then has parameters, too.
fn global(t: &Context) {
    let call = t.call("WebSocket/INCOMING/v(who=me)").formats("slin16").originate();
    let bot = Bot::open(call.connect());
    assert_eq!(bot.started("customParameters")["who"], "me");
    let plain = t.call("WebSocket/INCOMING/f(plain-text)c(ulaw)").originate();
    plain.connect().expect_media_start();
}

/// A wrong value is named, unless it is secret, with what is allowed. Calls to that client are refused.
fn wrong(t: &Context) {
    for line in [
        "for twilio_account_sid",
        "for twilio_auth_token",
        "for control_message_format",
        "is refused",
        "cannot be called",
        "Unable to create",
    ] {
        t.allow_log(line);
    }
    let rows = [
        (
            "twilio_account_sid",
            "AC1",
            "Invalid value 'AC1' for twilio_account_sid",
            "Must be AC and 32 hexadecimal digits",
        ),
        (
            "twilio_auth_token",
            "hush hush",
            "Invalid value '***' for twilio_auth_token",
            "Must be a token of printable characters",
        ),
        (
            "control_message_format",
            "twillio",
            "Invalid value 'twillio' for control_message_format",
            "'twilio'",
        ),
    ];
    for (option, value, error, allowed) in rows {
        let server = t.server(&[]);
        t.asterisk.add_connection(&server.client, &[(option, value)]);
        t.wait_log(&[error, &server.client, allowed]);
        let answer = t.call(&format!("WebSocket/{}/f(twilio)", server.client)).try_originate();
        assert!(answer.status >= 400, "{answer:?}");
        assert!(!t.log_contains(&["hush"]), "{option}");
    }
}
