//! Messages of applications that use another dialect: any messages, in any order, on one call.

use std::time::Duration;

use super::input::text;
use crate::mono_time::MonoTime;
use crate::playout::session::fixture::{config, session};
use crate::playout::session::{Action, SessionConfig};
use crate::protocol::dialect::{CallFacts, ControlMessageFormat, Dialect, Incoming};
use crate::protocol::event::Event;

const MAX_COMMAND: usize = 1024;

/// The first byte selects the dialect, the rest is one message a line; `$` stands for the stream's id.
pub fn dialect(bytes: &[u8]) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let format = ControlMessageFormat::ALL[usize::from(*first) % ControlMessageFormat::ALL.len()];
    let dialect = format.dialect(&CallFacts::default());
    let profile = format.profile();
    let mut call = session(SessionConfig {
        control_message_format: format,
        joins_media: profile.joins_media,
        topics: profile.topics,
        ..config()
    });
    let stream_id = stream_id(&*dialect);
    let mut now = MonoTime::from_nanos(1_000_000_000);
    for line in text(rest).split('\n') {
        let line = line.replace('$', &stream_id);
        let mut actions = Vec::new();
        match dialect.on_text(&line, MAX_COMMAND) {
            Incoming::Media(media) => {
                assert!(media.len() < line.len(), "{line:?}");
                call.on_media(media, now, &mut actions);
            }
            Incoming::Command(command) => {
                assert_eq!(dialect.on_text(&line, MAX_COMMAND), Incoming::Command(command.clone()));
                call.on_command(command, now, &mut actions);
            }
        }
        check_events(&*dialect, &actions);
        now = now + Duration::from_millis(7);
        actions.clear();
        call.read(now, &mut actions);
        check_events(&*dialect, &actions);
    }
}

/// The carriers' names for the stream's id.
const STREAM_IDS: [&str; 4] = ["streamSid", "stream_sid", "stream_id", "streamId"];

/// The id in the opening messages; empty if they have none.
fn stream_id(dialect: &dyn Dialect) -> String {
    let mut id = String::new();
    dialect.write_event(&Event::MediaStart(Box::default()), "1.1", &mut |message| {
        let found = STREAM_IDS.into_iter().find_map(|name| {
            let (_, rest) = message.split_once(&format!("\"{name}\":\""))?;
            rest.split_once('"')
        });
        if let Some((found, _)) = found {
            id = found.to_owned();
        }
    });
    id
}

/// If the dialect numbers its messages: with the numbers filled in, each sent message is JSON and has an `event`.
fn check_events(dialect: &dyn Dialect, actions: &[Action]) {
    let Some(mut writer) = dialect.wire_writer() else { return };
    for action in actions {
        let Action::Send(event) = action else { continue };
        dialect.write_event(event, "1.1", &mut |text| {
            let mut message = Vec::new();
            writer.write_event(text.as_bytes(), &mut message);
            let read: serde_json::Value = serde_json::from_slice(&message).expect("JSON");
            assert!(read["event"].is_string(), "{read}");
        });
    }
}
