//! SUBSCRIBE, and what it changes.

use super::*;
use crate::protocol::topic::Topic;

/// A call whose commands are JSON.
fn call() -> Call {
    Call::new(SessionConfig {
        control_message_format: ControlMessageFormat::Json,
        connection_limits: ConnectionLimits {
            max_message_size: 1000,
            max_command_size: 2000,
            out_queue: Duration::from_millis(300),
        },
        ..config()
    })
}

#[test]
fn it_is_answered_with_what_the_application_gets_and_with_the_limits() {
    let version = env!("CARGO_PKG_VERSION");
    let mut call = call();
    let limits = format!(
        r#""limits":{{"queue_max":1000,"queue_xoff":900,"queue_xon":800,"queue_overflow":"drop","queue_bytes":{},"max_latency":0,"max_message_size":1000,"max_command_size":2000,"out_queue":300}}"#,
        crate::playout::queue::MAX_QUEUED_BYTES
    );
    for (fields, id, events, unknown) in [
        (
            r#""events":["X","MEDIA_STOP","Y","X","MEDIA_POSITION"],"correlation_id":"s1""#,
            "s1",
            r#""MEDIA_POSITION","MEDIA_STOP""#,
            r#""X","Y""#,
        ),
        (
            r#""events":["*"]"#,
            "",
            r#""MEDIA_POSITION","MEDIA_FLUSHED","MEDIA_DROPPED","MEDIA_STOP","DTMF_BEGIN","CALL_STATE","CONNECTED_LINE","TEXT""#,
            "",
        ),
        (r#""events":[],"correlation_id":"end""#, "end", "", ""),
    ] {
        call.command(&format!(r#"{{"command":"SUBSCRIBE",{fields}}}"#)).expect(&[&format!(
            r#"1000 {{"event":"SUBSCRIBED","channel_id":"1.1","correlation_id":"{id}","events":[{events}],"unknown":[{unknown}],"version":"{version}",{limits}}}"#
        ), "1000 Subscribed"]);
    }
}

#[test]
fn one_replaces_the_other_and_a_refused_one_changes_nothing() {
    let mut call = call();
    assert!(!call.session.knows_additions());
    for (fields, position, stop) in [
        (r#""events":["MEDIA_POSITION","MEDIA_STOP"]"#, true, true),
        (r#""events":["MEDIA_STOP"]"#, false, true),
        (r#""events":["MEDIA_POSITION"],"position_interval":7"#, false, true),
        (r#""events":["MEDIA_POSITION",null]"#, false, true),
        (r#""events":["MEDIA_POSITION"],"correlation_id":null"#, false, true),
        (r#""events":[]"#, false, false),
    ] {
        call.command(&format!(r#"{{"command":"SUBSCRIBE",{fields}}}"#));
        assert_eq!(
            (call.session.wants(Topic::MediaPosition), call.session.wants(Topic::MediaStop)),
            (position, stop),
            "{fields}"
        );
        assert!(call.session.knows_additions());
    }
    assert_eq!(call.session.stats().commands_refused, 3);
}

#[test]
fn an_error_names_the_command_and_its_id() {
    let mut call = call();
    call.command(r#"{"command":"SUBSCRIBE","correlation_id":"s","events":[],"position_interval":0}"#).expect(&[
        r#"1000 {"event":"ERROR","channel_id":"1.1","error_text":"SUBSCRIBE: 'position_interval' is 0; allowed: whole numbers from 100 to 60000","correlation_id":"s","command":"SUBSCRIBE"}"#,
    ]);
    call.command(r#"{"command":"FLUSH_MEDIA","correlation_id":1}"#).expect(&[
        r#"1000 {"event":"ERROR","channel_id":"1.1","error_text":"FLUSH_MEDIA: 'correlation_id' is 1; allowed: a string of at most 1024 bytes","command":"FLUSH_MEDIA"}"#,
    ]);
    Call::ulaw()
        .command("SUBSCRIBE x")
        .expect(&["1000 ERROR channel_id:1.1 error_text:SUBSCRIBE only supports JSON format."]);
}
