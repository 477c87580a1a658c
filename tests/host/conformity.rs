//! The harness's own check against docs/schema: what it finds, and what it accepts.

use super::harness::Suite;
use super::harness::conformity::Conformity;
use super::harness::event::Event;

pub fn tests(suite: &mut Suite) {
    suite.of_harness("conformity/events", events);
    suite.of_harness("conformity/commands", commands);
    suite.of_harness("conformity/early_commands", early_commands);
    suite.of_harness("conformity/other_calls", other_calls);
}

const START: &str = concat!(
    r#"{"event":"MEDIA_START","connection_id":"c","channel":"WebSocket/c/1","channel_id":"1","format":"ulaw","#,
    r#""optimal_frame_size":160,"ptime":20,"channel_variables":{},"passthrough":false,"unbuffered":false}"#
);
const UNKNOWN: &str = r#"{"event":"ERROR","channel_id":"1","error_text":"Unknown command 'X'"}"#;
const DROPPED: &str = r#"{"event":"ERROR","channel_id":"1","error_text":"Media was dropped"}"#;

fn account(received: &[&str]) -> Conformity {
    let account = Conformity::default();
    receive(&account, received);
    account
}

fn receive(account: &Conformity, events: &[&str]) {
    events.iter().for_each(|event| account.received(&Event::parse(event)));
}

#[track_caller]
fn assert_fault(account: &Conformity, part: &str) {
    let faults = account.faults(true);
    assert!(faults.len() == 1 && faults[0].contains(part), "{faults:?}");
}

fn events() {
    let fits = account(&[START, r#"{"event":"MEDIA_XON","channel_id":"1"}"#, DROPPED]);
    assert_eq!(fits.faults(true), [""; 0]);
    for (event, why) in [
        (r#"{"event":"MEDIA_XON"}"#, "channel_id"),
        (r#"{"event":"MEDIA_XON","channel_id":"1","new":1}"#, "new"),
        (r#"{"event":"MEDIA_YON","channel_id":"1"}"#, "MEDIA_YON"),
        ("MEDIA_XON", "expected value"),
    ] {
        assert_fault(&account(&[START, event]), why);
    }
}

fn commands() {
    let sends = |text: &str, tolerated: bool| {
        let account = account(&[START]);
        account.sent(text, tolerated);
        account
    };
    let answer = sends(r#" {"command":"ANSWER","more":1} "#, false);
    assert!(!answer.waits());
    receive(&answer, &[DROPPED]);
    assert_eq!(answer.faults(true), [""; 0]);

    let refused = sends(r#"{"command":"ANSWER"}"#, false);
    receive(&refused, &[UNKNOWN]);
    assert_fault(&refused, "was refused for its form");

    let wrong = sends(r#"{"command":"X"}"#, false);
    assert!(wrong.waits(), "it has to be refused");
    assert_fault(&wrong, "not all were refused");
    let wrong = sends("X", false);
    receive(&wrong, &[UNKNOWN]);
    assert!(!wrong.waits());
    assert_eq!(wrong.faults(true), [""; 0]);

    let tolerated = sends(r#"{"command":"MARK_MEDIA","correlation_id":7}"#, true);
    assert_eq!(tolerated.faults(true), [""; 0]);
    assert_fault(&sends(r#"{"command":"MARK_MEDIA"}"#, true), "sent as tolerated");
}

/// Messages that are sent before MEDIA_START has come are checked, too.
fn early_commands() {
    let account = account(&[]);
    account.sent("X", false);
    receive(&account, &[START]);
    assert!(account.waits());
}

/// Plain text, a dialect, and a connection on which arbitrary bytes were sent.
fn other_calls() {
    for first in ["MEDIA_START connection_id:c", r#"{"event":"connected","protocol":"Call"}"#] {
        let account = account(&[first, UNKNOWN, r#"{"event":"media"}"#]);
        account.sent("X", false);
        assert_eq!(account.faults(true), [""; 0]);
    }
    let raw = account(&[START]);
    raw.sent_raw();
    receive(&raw, &[UNKNOWN]);
    assert_eq!(raw.faults(true), [""; 0]);
}
