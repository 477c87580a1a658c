//! Each event's schema against what the module writes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chan_websocket::protocol::command::{RequestError, Spelling};
use chan_websocket::protocol::event::{
    AddedEvent, CallState, ConnectedLine, DropReason, DtmfBegin, DtmfSent, DtmfStopped, Event, EventSent,
    Limits, MediaDropped, MediaFlushed, MediaPosition, MediaStart, MediaStop, MediaTimes, Status, Subscribed,
    Text, TextSent, TransferResult, Transferred,
};
use chan_websocket::protocol::topic::Topics;
use chan_websocket::report::call_stats::EndedBy;
use serde_json::{Value, json};

use crate::every_variant;
use crate::schema::{EVENTS, definitions};

fn text() -> String {
    "text \"\\\n".into()
}

fn id() -> Option<String> {
    Some(text())
}

fn every_event() -> Vec<Event> {
    let start = MediaStart {
        connection_id: text(),
        channel: text(),
        format: "ulaw".into(),
        optimal_frame_size: 160,
        ptime_ms: 20,
        channel_variables: r#"{"A":"1"}"#.into(),
        ..MediaStart::default()
    };
    let lost = MediaStart { reconnected_after: Some(Duration::from_millis(740)), ..start.clone() };
    let times = MediaTimes { queued_ms: 1, played_ms: 2, dropped_ms: 3, marks_waiting: 4 };
    let refused = |correlation_id| RequestError { command: "TRANSFER", correlation_id, error_text: text() };
    let mut all = every_variant!(Event {
        Event::MediaStart(_) => [Event::MediaStart(Box::new(start)), Event::MediaStart(Box::new(lost))],
        Event::DtmfEnd { .. } => [
            Event::DtmfEnd { digit: '#', duration_ms: None },
            Event::DtmfEnd { digit: 'A', duration_ms: Some(100) },
        ],
        Event::MediaXoff => [Event::MediaXoff],
        Event::MediaXon => [Event::MediaXon],
        Event::QueueDrained => [Event::QueueDrained],
        Event::Status(_) => [
            Event::Status(Status::default()),
            Event::Status(Status { times: Some(times), ..Status::default() }),
        ],
        Event::MediaBufferingCompleted { .. } => [
            Event::MediaBufferingCompleted { correlation_id: id(), played_ms: None },
            Event::MediaBufferingCompleted { correlation_id: None, played_ms: Some(1) },
        ],
        Event::MediaMarkProcessed { .. } => [
            Event::MediaMarkProcessed { correlation_id: id(), played_ms: None },
            Event::MediaMarkProcessed { correlation_id: None, played_ms: Some(1) },
        ],
        Event::Error { .. } => [Event::Error { error_text: text() }],
        Event::RequestRefused(_) => [
            Event::RequestRefused(Box::new(refused(None))),
            Event::RequestRefused(Box::new(refused(id()))),
        ],
        // The list of `every_added_event` has these.
        Event::Added(_) => [Event::MediaXon],
    });
    all.extend(every_added_event().into_iter().map(|added| Event::Added(Box::new(added))));
    all
}

fn every_added_event() -> Vec<AddedEvent> {
    let limits = Limits {
        queue_max: 1000,
        queue_xoff: 900,
        queue_xon: 800,
        queue_overflow: "wait",
        queue_bytes: 1,
        max_latency: 0,
        max_message_size: 1,
        max_command_size: 1,
        out_queue: 2000,
    };
    let subscribed = Subscribed {
        correlation_id: text(),
        events: Topics::all().names(),
        unknown: vec![text()],
        version: "0.1.0",
        limits,
    };
    let flushed = MediaFlushed {
        correlation_id: text(),
        flushed_ms: 1,
        flushed_frames: 1,
        played_ms: 1,
        marks: vec![text()],
        bulk: vec![text()],
    };
    let stopped = DtmfStopped { cancelled: true, sent: 2 };
    let mut all = every_variant!(AddedEvent {
        AddedEvent::Subscribed(_) => [AddedEvent::Subscribed(subscribed)],
        AddedEvent::DtmfBegin(_) => [AddedEvent::DtmfBegin(DtmfBegin { digit: '*' })],
        AddedEvent::CallState(_) => [AddedEvent::CallState(CallState::Hold)],
        AddedEvent::ConnectedLine(_) => [AddedEvent::ConnectedLine(ConnectedLine::default())],
        AddedEvent::Text(_) => [AddedEvent::Text(Text { text: text() })],
        AddedEvent::DtmfSent(_) => [
            AddedEvent::DtmfSent(DtmfSent { correlation_id: text(), stopped: None }),
            AddedEvent::DtmfSent(DtmfSent { correlation_id: text(), stopped: Some(stopped) }),
        ],
        AddedEvent::TextSent(_) => [AddedEvent::TextSent(TextSent { correlation_id: text() })],
        AddedEvent::EventSent(_) => [AddedEvent::EventSent(EventSent { correlation_id: text() })],
        AddedEvent::Transferred(_) => [AddedEvent::Transferred(Transferred {
            correlation_id: text(),
            result: TransferResult::Success,
        })],
        AddedEvent::MediaFlushed(_) => [AddedEvent::MediaFlushed(flushed)],
        AddedEvent::MediaPosition(_) => [AddedEvent::MediaPosition(MediaPosition { played_ms: 1, queued_ms: 1 })],
        AddedEvent::MediaDropped(_) => [AddedEvent::MediaDropped(MediaDropped {
            dropped_ms: 1,
            total_dropped_ms: 1,
            reason: DropReason::QueueFull,
        })],
        AddedEvent::MediaStop(_) => [stop(EndedBy::Core)],
    });
    all.extend(with_every_word());
    all
}

fn stop(by: EndedBy) -> AddedEvent {
    AddedEvent::MediaStop(MediaStop {
        ended_by: by.as_str(),
        cause: 16,
        cause_txt: text(),
        duration_ms: 1,
        played_ms: 1,
        queued_ms: 1,
        dropped_ms: 1,
        frames_in: 1,
        frames_out: 1,
        underruns: 1,
        longest_stall_ms: 1,
    })
}

/// The events whose field has one of a list of words, once with each word.
fn with_every_word() -> Vec<AddedEvent> {
    let states = every_variant!(CallState {
        CallState::Ringing => [CallState::Ringing],
        CallState::Proceeding => [CallState::Proceeding],
        CallState::Progress => [CallState::Progress],
        CallState::Busy => [CallState::Busy],
        CallState::Congestion => [CallState::Congestion],
        CallState::Answered => [CallState::Answered],
        CallState::Bridged { .. } => [
            CallState::Bridged { bridge_id: text(), peer: None },
            CallState::Bridged { bridge_id: text(), peer: id() },
        ],
        CallState::Unbridged { .. } => [CallState::Unbridged { bridge_id: text() }],
        CallState::Hold => [CallState::Hold],
        CallState::Unhold => [CallState::Unhold],
    });
    let results = every_variant!(TransferResult {
        TransferResult::Success => [TransferResult::Success],
        TransferResult::NotBridged => [TransferResult::NotBridged],
        TransferResult::NotPermitted => [TransferResult::NotPermitted],
        TransferResult::Invalid => [TransferResult::Invalid],
        TransferResult::Failed => [TransferResult::Failed],
    });
    let ends = every_variant!(EndedBy {
        EndedBy::Application => [EndedBy::Application],
        EndedBy::HangupCommand => [EndedBy::HangupCommand],
        EndedBy::Operator => [EndedBy::Operator],
        EndedBy::Core => [EndedBy::Core],
        EndedBy::NotConnected => [EndedBy::NotConnected],
        EndedBy::IncomingTimeout => [EndedBy::IncomingTimeout],
        EndedBy::Lost => [EndedBy::Lost],
        EndedBy::ProtocolFault => [EndedBy::ProtocolFault],
        EndedBy::Unresponsive => [EndedBy::Unresponsive],
        EndedBy::InternalError => [EndedBy::InternalError],
    });
    let transferred = |result| AddedEvent::Transferred(Transferred { correlation_id: text(), result });
    let dropped =
        |reason| AddedEvent::MediaDropped(MediaDropped { dropped_ms: 1, total_dropped_ms: 1, reason });
    let states = states.into_iter().map(AddedEvent::CallState);
    let others = results.into_iter().map(transferred).chain(ends.into_iter().map(stop));
    states.chain(others).chain(DropReason::ALL.map(dropped)).collect()
}

/// The events as they are sent, by name.
fn rendered() -> BTreeMap<String, Vec<Value>> {
    let mut by_name: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in every_event() {
        let sent = serde_json::from_str(&event.render(Spelling::Json, "1718.7")).expect("JSON");
        by_name.entry(event.name().to_owned()).or_default().push(sent);
    }
    by_name
}

#[test]
fn each_event_has_a_schema_that_it_fits_and_each_schema_is_an_event() {
    let rendered = rendered();
    let names: BTreeSet<&str> = rendered.keys().map(String::as_str).collect();
    assert_eq!(names, EVENTS.names().collect());
    for event in rendered.values().flatten() {
        EVENTS.check(event).unwrap_or_else(|why| panic!("{event}: {why}"));
    }
}

/// No schema has a key that is never sent, and each key that is always sent is required.
#[test]
fn a_schema_has_the_keys_of_its_event() {
    for (name, schema) in definitions(&EVENTS.document) {
        let sent = &rendered()[name];
        let keys = |event: &Value| -> BTreeSet<String> {
            event.as_object().expect("an object").keys().cloned().collect()
        };
        let some: BTreeSet<String> = sent.iter().flat_map(keys).collect();
        let always: BTreeSet<String> =
            some.iter().filter(|key| sent.iter().all(|event| event.get(key).is_some())).cloned().collect();
        assert_eq!(keys(&schema["properties"]), some, "{name}");
        let required = schema["required"].as_array().expect("required").iter();
        assert_eq!(
            required.map(|key| key.as_str().expect("a key").to_owned()).collect::<BTreeSet<_>>(),
            always,
            "{name}"
        );
    }
    let limits = &EVENTS.of("SUBSCRIBED")["properties"]["limits"];
    let keys: Vec<&String> = limits["properties"].as_object().expect("properties").keys().collect();
    let mut required: Vec<&str> =
        limits["required"].as_array().expect("required").iter().filter_map(Value::as_str).collect();
    required.sort_unstable();
    assert_eq!(keys, required);
}

/// No schema has a word that is never sent.
#[test]
fn the_words_are_those_of_the_module() {
    let mut count = 0;
    for (name, key) in [
        ("CALL_STATE", "state"),
        ("MEDIA_DROPPED", "reason"),
        ("MEDIA_STOP", "ended_by"),
        ("TRANSFERRED", "result"),
    ] {
        let words = EVENTS.of(name)["properties"][key]["enum"].as_array().expect("a list of words").iter();
        let words: BTreeSet<&str> = words.filter_map(Value::as_str).collect();
        let rendered = rendered();
        let sent: BTreeSet<&str> = rendered[name].iter().filter_map(|event| event[key].as_str()).collect();
        assert_eq!(words, sent, "{name}: {key}");
        count += words.len();
    }
    assert_eq!(count, 28);
    assert_eq!(
        EVENTS.of("SUBSCRIBED")["properties"]["events"]["items"]["enum"],
        json!(Topics::all().names())
    );
}
