//! Each event in both spellings, and that JSON reads back.

use super::*;
use Spelling::{Json, PlainText};
use proptest::prelude::*;
use serde_json::Value;

fn media_start() -> MediaStart {
    MediaStart {
        connection_id: "conn1".into(),
        channel: "WebSocket/conn1/0x7f".into(),
        format: "ulaw".into(),
        optimal_frame_size: 160,
        ptime_ms: 20,
        channel_variables: r#"{"Z":"1","A":"\"2\""}"#.into(),
        passthrough: false,
        unbuffered: true,
        reconnected_after: None,
    }
}

#[test]
fn every_event_in_both_formats() {
    let status = Status {
        queue_length: 850,
        xon_level: 800,
        xoff_level: 900,
        queue_full: true,
        bulk_media: false,
        media_paused: true,
        times: None,
    };
    let opus = MediaStart {
        format: "opus".into(),
        optimal_frame_size: 0,
        passthrough: true,
        unbuffered: false,
        channel_variables: "{}".into(),
        ..media_start()
    };
    let rows = [
        (
            Event::MediaStart(Box::new(media_start())),
            "MEDIA_START connection_id:conn1 channel:WebSocket/conn1/0x7f channel_id:id.1 format:ulaw \
             optimal_frame_size:160 ptime:20 passthrough:false unbuffered:true",
            r#"{"event":"MEDIA_START","connection_id":"conn1","channel":"WebSocket/conn1/0x7f","channel_id":"id.1","format":"ulaw","optimal_frame_size":160,"ptime":20,"channel_variables":{"Z":"1","A":"\"2\""},"passthrough":false,"unbuffered":true}"#,
        ),
        (
            Event::MediaStart(Box::new(opus)),
            "MEDIA_START connection_id:conn1 channel:WebSocket/conn1/0x7f channel_id:id.1 format:opus \
             optimal_frame_size:0 ptime:20 passthrough:true unbuffered:false",
            r#"{"event":"MEDIA_START","connection_id":"conn1","channel":"WebSocket/conn1/0x7f","channel_id":"id.1","format":"opus","optimal_frame_size":0,"ptime":20,"channel_variables":{},"passthrough":true,"unbuffered":false}"#,
        ),
        (
            Event::MediaStart(Box::new(MediaStart {
                reconnected_after: Some(Duration::from_micros(1_234_567)),
                ..media_start()
            })),
            "MEDIA_START connection_id:conn1 channel:WebSocket/conn1/0x7f channel_id:id.1 format:ulaw \
             optimal_frame_size:160 ptime:20 passthrough:false unbuffered:true reconnected:true lost_ms:1234",
            r#"{"event":"MEDIA_START","connection_id":"conn1","channel":"WebSocket/conn1/0x7f","channel_id":"id.1","format":"ulaw","optimal_frame_size":160,"ptime":20,"channel_variables":{"Z":"1","A":"\"2\""},"passthrough":false,"unbuffered":true,"reconnected":true,"lost_ms":1234}"#,
        ),
        (
            Event::DtmfEnd { digit: '#', duration_ms: None },
            "DTMF_END digit:# channel_id:id.1",
            r##"{"event":"DTMF_END","channel_id":"id.1","digit":"#"}"##,
        ),
        (Event::MediaXoff, "MEDIA_XOFF", r#"{"event":"MEDIA_XOFF","channel_id":"id.1"}"#),
        (Event::MediaXon, "MEDIA_XON", r#"{"event":"MEDIA_XON","channel_id":"id.1"}"#),
        (Event::QueueDrained, "QUEUE_DRAINED", r#"{"event":"QUEUE_DRAINED","channel_id":"id.1"}"#),
        (
            Event::Status(status),
            "STATUS channel_id:id.1 queue_length:850 xon_level:800 xoff_level:900 queue_full:true \
             bulk_media:false media_paused:true",
            r#"{"event":"STATUS","channel_id":"id.1","queue_length":850,"xon_level":800,"xoff_level":900,"queue_full":true,"bulk_media":false,"media_paused":true}"#,
        ),
        (
            Event::MediaBufferingCompleted { correlation_id: Some("a b\nc".into()), played_ms: None },
            "MEDIA_BUFFERING_COMPLETED a b\nc",
            r#"{"event":"MEDIA_BUFFERING_COMPLETED","channel_id":"id.1","correlation_id":"a b\nc"}"#,
        ),
        (
            Event::MediaBufferingCompleted { correlation_id: None, played_ms: None },
            "MEDIA_BUFFERING_COMPLETED",
            r#"{"event":"MEDIA_BUFFERING_COMPLETED","channel_id":"id.1","correlation_id":""}"#,
        ),
        (
            Event::MediaMarkProcessed { correlation_id: Some("17".into()), played_ms: None },
            "MEDIA_MARK_PROCESSED 17",
            r#"{"event":"MEDIA_MARK_PROCESSED","channel_id":"id.1","correlation_id":"17"}"#,
        ),
        (
            Event::MediaMarkProcessed { correlation_id: Some(String::new()), played_ms: None },
            "MEDIA_MARK_PROCESSED",
            r#"{"event":"MEDIA_MARK_PROCESSED","channel_id":"id.1","correlation_id":""}"#,
        ),
        (
            Event::Error { error_text: "MARK_MEDIA not supported".into() },
            "ERROR channel_id:id.1 error_text:MARK_MEDIA not supported",
            r#"{"event":"ERROR","channel_id":"id.1","error_text":"MARK_MEDIA not supported"}"#,
        ),
    ];
    for (event, plain_text, json) in rows {
        assert_eq!(event.render(PlainText, "id.1"), plain_text);
        assert_eq!(event.render(Json, "id.1"), json);
    }
}

#[test]
fn json_escapes_as_jansson_does() {
    let rows = [
        ("quotes, backslash, slash", "\"\\/", r#"\"\\/"#),
        ("short forms", "\x08\x0c\n\r\t", r"\b\f\n\r\t"),
        ("control characters", "\0\x0b\x1f\x7f", "\\u0000\\u000B\\u001F\x7f"),
        ("not ASCII", "é\u{80}\u{2028}😀", "é\u{80}\u{2028}😀"),
    ];
    for (name, id, escaped) in rows {
        let event = Event::MediaMarkProcessed { correlation_id: Some(id.into()), played_ms: None };
        let expected =
            format!(r#"{{"event":"MEDIA_MARK_PROCESSED","channel_id":"1","correlation_id":"{escaped}"}}"#);
        assert_eq!(event.render(Json, "1"), expected, "{name}");
    }
}

#[test]
fn channel_variables_go_out_as_asterisk_wrote_them_if_they_are_json() {
    for (text, sent) in [
        (r#"{"B":"\u000b/é","A":"1"}"#, r#"{"B":"\u000b/é","A":"1"}"#),
        ("", "{}"),
        (r#"{"A":"1"}, "channel_id":"another""#, "{}"),
    ] {
        let event =
            Event::MediaStart(Box::new(MediaStart { channel_variables: text.into(), ..media_start() }));
        let rendered = event.render(Json, "1");
        assert!(rendered.contains(&format!(r#""channel_variables":{sent},"passthrough""#)), "{rendered}");
    }
}

fn events() -> impl Strategy<Value = Event> {
    let text = any::<String>;
    let id = || proptest::option::of(any::<String>());
    let start =
        (text(), text(), text(), any::<usize>(), any::<u32>(), any::<[bool; 2]>()).prop_map(|start| {
            let (connection_id, channel, format, optimal_frame_size, ptime_ms, [passthrough, unbuffered]) =
                start;
            let channel_variables = serde_json::json!({ &channel: &format }).to_string();
            Event::MediaStart(Box::new(MediaStart {
                connection_id,
                channel,
                format,
                optimal_frame_size,
                ptime_ms,
                channel_variables,
                passthrough,
                unbuffered,
                reconnected_after: unbuffered.then(|| Duration::from_millis(ptime_ms.into())),
            }))
        });
    prop_oneof![
        start,
        any::<char>().prop_map(|digit| Event::DtmfEnd { digit, duration_ms: None }),
        id().prop_map(|correlation_id| Event::MediaBufferingCompleted { correlation_id, played_ms: None }),
        id().prop_map(|correlation_id| Event::MediaMarkProcessed { correlation_id, played_ms: None }),
        text().prop_map(|error_text| Event::Error { error_text }),
    ]
}

proptest! {
    #[test]
    fn json_reads_back(event in events(), channel_id in any::<String>()) {
        let read: Value = serde_json::from_str(&event.render(Json, &channel_id)).unwrap();
        prop_assert_eq!(&read["event"], event.name());
        prop_assert_eq!(&read["channel_id"], &channel_id);
        match &event {
            Event::MediaStart(start) => {
                prop_assert_eq!(&read["connection_id"], &start.connection_id);
                prop_assert_eq!(&read["optimal_frame_size"], start.optimal_frame_size);
                prop_assert_eq!(&read["channel_variables"][&start.channel], &start.format);
                prop_assert_eq!(&read["unbuffered"], start.unbuffered);
                let lost_ms = start.reconnected_after.map(|lost| lost.as_millis() as u64);
                prop_assert_eq!(read.get("lost_ms").and_then(Value::as_u64), lost_ms);
                prop_assert_eq!(read.get("reconnected").and_then(Value::as_bool), lost_ms.map(|_| true));
            }
            Event::DtmfEnd { digit, .. } => prop_assert_eq!(&read["digit"], &digit.to_string()),
            Event::MediaBufferingCompleted { correlation_id, .. }
            | Event::MediaMarkProcessed { correlation_id, .. } => {
                prop_assert_eq!(&read["correlation_id"], correlation_id.as_deref().unwrap_or(""));
            }
            Event::Error { error_text } => prop_assert_eq!(&read["error_text"], error_text),
            _ => {}
        }
    }

    #[test]
    fn plain_text_begins_with_the_name(event in events(), channel_id in any::<String>()) {
        prop_assert!(event.render(PlainText, &channel_id).starts_with(event.name()));
    }
}
