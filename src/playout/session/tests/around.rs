//! Events about the call around its media: only changes are told, and after a SUBSCRIBE everything again.

use super::*;
use crate::playout::session::{Indication, SeenBridge, SeenCall};
use crate::protocol::event::{AddedEvent, CallState, ConnectedLine};
use crate::protocol::topic::{Topic, Topics};

fn subscribed(session: &mut Session, topics: &[Topic]) {
    let topics = topics.iter().copied().fold(Topics::default(), Topics::with);
    let names = topics.names();
    let text = format!(r#"{{"command":"SUBSCRIBE","events":{names:?}}}"#);
    fixture::on_text(session, &text, MonoTime::from_nanos(0), &mut Vec::new());
    assert!(session.knows_additions());
}

fn session() -> Session {
    let json = ControlMessageFormat::Json;
    fixture::session(SessionConfig { control_message_format: json, ..config() })
}

/// The events of `work`: states as words with bridge and peer, and connected lines.
fn told(session: &mut Session, work: impl FnOnce(&mut Session, &mut Vec<Action>)) -> Vec<String> {
    let mut actions = Vec::new();
    work(session, &mut actions);
    let word = |action| match action {
        Action::Send(Event::Added(event)) => match *event {
            AddedEvent::CallState(CallState::Bridged { bridge_id, peer }) => {
                format!("bridged {bridge_id} {}", peer.as_deref().unwrap_or("-"))
            }
            AddedEvent::CallState(CallState::Unbridged { bridge_id }) => format!("unbridged {bridge_id}"),
            AddedEvent::CallState(state) => format!("{state:?}").to_lowercase(),
            AddedEvent::ConnectedLine(line) => format!("line {} {}", line.name, line.number),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    actions.into_iter().map(word).collect()
}

fn seen(bridge: Option<(&str, &[&str])>) -> SeenCall {
    let bridge = bridge.map(|(id, others)| SeenBridge {
        id: id.to_owned(),
        others: others.iter().map(|name| (*name).to_owned()).collect(),
    });
    SeenCall { is_up: true, bridge, ..SeenCall::default() }
}

#[test]
fn bridge_changes_are_reported_in_their_order() {
    let mut session = session();
    subscribed(&mut session, &[Topic::CallState]);
    for (bridge, expected) in [
        (None, &["answered"][..]),
        (Some(("1", &[][..])), &[]),
        (Some(("1", &["a"][..])), &["bridged 1 a"]),
        (Some(("1", &["a"][..])), &[]),
        (Some(("1", &[][..])), &[]),
        (Some(("1", &["a"][..])), &[]),
        (Some(("1", &["b"][..])), &["bridged 1 b"]),
        (Some(("1", &["b", "c"][..])), &["bridged 1 -"]),
        (Some(("1", &["c", "d"][..])), &[]),
        // Nobody looked in between.
        (Some(("2", &["d"][..])), &["unbridged 1", "bridged 2 d"]),
        (Some(("3", &[][..])), &["unbridged 2"]),
        (None, &[]),
    ] {
        let now = seen(bridge);
        assert_eq!(told(&mut session, |session, actions| session.seen(now, actions)), expected, "{bridge:?}");
    }
}

#[test]
fn nothing_is_told_twice_in_a_row() {
    let mut session = session();
    subscribed(&mut session, &[Topic::CallState]);
    for (indication, expected) in [
        (Indication::Ringing, &["ringing"][..]),
        (Indication::Ringing, &[]),
        (Indication::Progress, &["progress"]),
        (Indication::Ringing, &["ringing"]),
        (Indication::Unhold, &[]),
        (Indication::Hold, &["hold"]),
        (Indication::Hold, &[]),
        (Indication::Unhold, &["unhold"]),
        (Indication::Busy, &["busy"]),
        (Indication::Congestion, &["congestion"]),
        (Indication::Proceeding, &["proceeding"]),
    ] {
        let told = told(&mut session, |session, actions| session.indicated(indication, actions));
        assert_eq!(told, expected, "{indication:?}");
    }
}

#[test]
fn a_subscribe_makes_all_of_it_news_and_others_hear_nothing() {
    let mut session = session();
    let line = ConnectedLine { name: "Ann".into(), number: "1".into() };
    let now = SeenCall { is_held: true, connected: line, ..seen(Some(("1", &["a"]))) };
    for (topics, expected) in [
        (&[][..], &[][..]),
        (&[Topic::MediaStop, Topic::DtmfBegin, Topic::Text], &[]),
        (&[Topic::CallState], &["answered", "bridged 1 a", "hold"]),
        (&[Topic::ConnectedLine], &["line Ann 1"]),
        (&[Topic::CallState, Topic::ConnectedLine], &["answered", "bridged 1 a", "hold", "line Ann 1"]),
    ] {
        subscribed(&mut session, topics);
        let survey = |session: &mut Session, actions: &mut Vec<Action>| session.seen(now.clone(), actions);
        assert_eq!(told(&mut session, survey), expected, "{topics:?}");
        assert_eq!(told(&mut session, survey), [""; 0], "{topics:?}");
    }
    assert_eq!(told(&mut session, Session::hung_up), ["unbridged 1"]);
    assert_eq!(told(&mut session, Session::hung_up), [""; 0]);
}

#[test]
fn a_line_that_nobody_knew_is_told_once_it_is_known() {
    let mut session = session();
    subscribed(&mut session, &[Topic::ConnectedLine]);
    for (name, number, expected) in [
        ("", "", &[][..]),
        ("", "7", &["line  7"]),
        ("", "7", &[]),
        ("Bob", "7", &["line Bob 7"]),
        ("", "", &["line  "]),
    ] {
        let line = ConnectedLine { name: name.into(), number: number.into() };
        assert_eq!(told(&mut session, |session, actions| session.connected(line, actions)), expected);
    }
}
