//! Sections that are refused: without them calls would be made without their token, or to another server.

use super::super::super::harness::{Context, Suite};
use super::{WHY, dial_string, unavailable, with_functions};

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &str, body: fn(&Context)| {
        suite.ours(format!("connect/per_call/refused/{name}"), WHY, body).private_from(with_functions);
    };
    ours("options", options);
    ours("last_good", last_good);
    ours("circle", circle);
}

fn allow(t: &Context) {
    t.allow_log("chan_websocket.conf: ");
    t.allow_log("cannot be called");
    t.allow_log("Unable to create channel of type 'WebSocket'");
    t.allow_log("Failed to allocate WebSocket channel pvt");
}

/// File, option and value are named, if the value is not secret.
fn options(t: &Context) {
    allow(t);
    for (option, value, words) in [
        ("header", "Authorization: hush", "Invalid value 'Authorization: ***' for header in"),
        ("header", "hush", "Invalid value '***' for header in"),
        ("bearer_token", "hush hush", "Invalid value '***' for bearer_token in"),
        ("uri", "ftp://a/", "Invalid value 'ftp://a/' for uri in"),
        ("uri", "ws://${A}/", "Invalid value 'ws://${A}/' for uri in"),
        ("uri_hosts", "*", "Invalid value '*' for uri_hosts in"),
        ("write_timeout", "soon", "Invalid value 'soon' for write_timeout in"),
    ] {
        let server = t.server(&[]);
        let mark = t.asterisk.log.len();
        t.asterisk.add_connection(&server.client, &[(option, value)]);
        let words = format!("chan_websocket.conf: {words} [{}]. Must be ", server.client);
        t.asterisk.log.wait_since(mark, &["ERROR", &words]);
        let result = super::super::caller(t, &server.client, "10").dial_result();
        assert_eq!(result, unavailable(), "{option}");
        t.asterisk.log.wait_since(mark, &["ERROR", &server.client, "cannot be called: ", &words]);
        assert_eq!(server.requests(), 0);
    }
    assert!(!t.asterisk.log.since(t.log_mark).contains("hush"));
}

/// On reload the last good settings stay.
fn last_good(t: &Context) {
    allow(t);
    let server = t.server(&[]);
    t.asterisk.add_connection(&server.client, &[("header", "X-Call: 1")]);
    // A second section of this name adds to it.
    t.asterisk.add_connection(&server.client, &[("header", "Host: 2")]);
    t.wait_log(&["ERROR", &format!("[{}] is refused because of these errors; its last good", server.client)]);
    let _call = t.call(&dial_string(&server.client)).originate();
    server.accept().expect_media_start();
    assert_eq!(server.request(0).header("X-Call"), Some("1"));
}

fn circle(t: &Context) {
    allow(t);
    let (one, other, outside) = (t.server(&[]), t.server(&[]), t.server(&[]));
    t.asterisk.add_connection(&one.client, &[("fallback", &other.client)]);
    t.asterisk.add_connection(&outside.client, &[("fallback", &other.client)]);
    // This closes the loop, in a file that was good until now: the last good settings stay, whose chain of fallbacks ends.
    t.asterisk.add_connection(&other.client, &[("fallback", &one.client)]);
    let words = format!("Invalid value '{}' for fallback in [{}]. Must be another", one.client, other.client);
    t.wait_log(&["ERROR", &words]);
    let call = super::super::caller(t, &other.client, "10");
    assert_eq!(call.dial_result(), unavailable());
    let _call = t.call(&dial_string(&one.client)).originate();
    one.accept().expect_media_start();
    let _call = t.call(&dial_string(&outside.client)).originate();
    outside.accept().expect_media_start();
}
