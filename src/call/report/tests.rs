//! What is shown of a call in each of its states.

use super::*;
use crate::call::data::NewCall;
use crate::call::fixture::{call, new_call, outgoing};
use crate::call::link::{Happening, NotConnected};

#[test]
fn each_state_has_its_word() {
    let incoming = call("id");
    assert_eq!(incoming.report().state(), "waiting");
    let _ = incoming.link.happen(Happening::Claim);
    assert_eq!(incoming.report().state(), "waiting");
    let _ = incoming.link.happen(Happening::Hangup { close_code: 1000 });
    assert_eq!(incoming.report().state(), "ending");
    let outgoing = outgoing("client");
    let _ = outgoing.link.happen(Happening::ConnectStarted);
    assert_eq!(outgoing.report().state(), "connecting");
    let _ = outgoing.link.happen(Happening::AttemptFailed(NotConnected::Failed("refused".to_owned())));
    assert_eq!(outgoing.report().state(), "ending");
}

#[test]
fn names_of_metrics_are_unique_and_found_in_any_case() {
    for (index, metric) in METRICS.iter().enumerate() {
        let found = metric_of(&metric.name.to_uppercase()).map(|found| found.name);
        assert_eq!(found, Some(metric.name));
        assert!(METRICS.iter().skip(index + 1).all(|other| other.name != metric.name), "{}", metric.name);
    }
    assert!(metric_of("frames").is_none());
}

#[test]
fn the_variables_at_the_end_are_metrics() {
    let call = call("id");
    let left: Vec<_> = call.report().left().collect();
    assert_eq!(left.len(), 9);
    for (variable, name, _) in left {
        let expected = format!("WEBSOCKET_{}", name.to_uppercase());
        assert_eq!(variable.to_str(), Ok(&*expected));
    }
}

#[test]
fn a_call_without_a_connection_has_nothing_of_it() {
    let call = call("id");
    let report = call.report();
    let of_connections = METRICS.iter().filter(|metric| metric.section == MetricSection::Connection);
    for metric in of_connections.filter(|metric| metric.kind != Kind::Counter) {
        assert!(matches!((metric.get)(&report), Value::Absent), "{}", metric.name);
    }
    assert!(!report.is_connected());
    assert_eq!((report.peer(), report.frames_out(), report.frames_dropped()), (None, 0, 0));
}

#[test]
fn control_messages_are_shown_where_that_is_asked_for() {
    let debug = Arc::new(crate::call::debug::DebugSettings::default());
    let call = CallData::new(NewCall { debug: debug.clone(), ..new_call("id") });
    assert!(!call.is_debugged());
    call.set_debug(true);
    assert!(call.is_debugged());
    call.set_debug(false);
    debug.set_all(true);
    assert!(call.is_debugged());
}
