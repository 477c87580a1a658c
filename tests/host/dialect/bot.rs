//! An application written for Twilio Media Streams, driven by a test. It checks the sequence numbers of all messages.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::super::harness::event::Event;
use super::super::harness::{App, Item, wait};

/// The application.
pub struct Bot {
    pub app: App,
    /// The opening message.
    pub start: Event,
    pub stream: String,
    /// The numbers of the last message taken, and of the last media.
    numbers: Mutex<Numbers>,
}

#[derive(Default)]
struct Numbers {
    sequence: u64,
    chunk: u64,
    timestamp: u64,
    heard: Vec<u8>,
}

/// A number in a string, as Twilio sends numbers.
#[track_caller]
pub fn number(value: &Value) -> u64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{value} is no number in a string"))
}

impl Bot {
    /// Takes the opening messages.
    #[track_caller]
    pub fn open(app: App) -> Self {
        let connected = app.expect_event("connected");
        assert_eq!(connected.raw, r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#);
        let start = app.expect_event("start");
        assert_eq!(start.value("sequenceNumber"), "1", "{}", start.raw);
        assert_eq!(start.value("streamSid"), &start.value("start")["streamSid"], "{}", start.raw);
        let (stream, numbers) =
            (start.get("streamSid"), Mutex::new(Numbers { sequence: 1, ..Numbers::default() }));
        Self { app, start, stream, numbers }
    }

    /// A field of `start`.
    pub fn started(&self, field: &str) -> &Value {
        &self.start.value("start")[field]
    }

    pub fn say(&self, message: &Value) {
        self.app.send_text(&message.to_string());
    }

    pub fn media(&self, media: &[u8]) {
        let payload = BASE64.encode(media);
        self.say(&json!({ "event": "media", "streamSid": self.stream, "media": { "payload": payload } }));
    }

    pub fn mark(&self, name: &str) {
        self.say(&json!({ "event": "mark", "streamSid": self.stream, "mark": { "name": name } }));
    }

    pub fn clear(&self) {
        self.say(&json!({ "event": "clear", "streamSid": self.stream }));
    }

    /// The next message that is not media, or close frame or end. Media is kept.
    #[track_caller]
    pub fn next(&self) -> Item {
        loop {
            match self.take(wait::PATIENCE) {
                Some(Item::Event(event)) if event.name == "media" => {}
                Some(item) => return item,
                None => panic!("nothing came; received {:?}", self.app.received()),
            }
        }
    }

    /// The next message that is not media, which must be this one.
    #[track_caller]
    pub fn expect(&self, name: &str) -> Event {
        match self.next() {
            Item::Event(event) if event.name == name => event,
            other => panic!("expected {name}, received {other:?}"),
        }
    }

    /// Takes the next marks, which must be these, in this order.
    #[track_caller]
    pub fn expect_marks(&self, names: &[&str]) {
        for name in names {
            let mark = self.expect("mark");
            assert_eq!(mark.value("mark"), &json!({ "name": name }), "{}", mark.raw);
        }
    }

    /// The next `count` bytes of media. Skips silence before the first sound, if `skips` says what silence is.
    #[track_caller]
    pub fn hear(&self, count: usize) -> Vec<u8> {
        let deadline = Instant::now() + wait::at_most(wait::PATIENCE);
        while self.numbers.lock().heard.len() < count {
            assert!(
                Instant::now() < deadline,
                "only {} of {count} bytes came",
                self.numbers.lock().heard.len()
            );
            match self.take(Duration::from_millis(100)) {
                None => {}
                Some(Item::Event(event)) if event.name == "media" => {}
                Some(other) => panic!("expected media, received {other:?}"),
            }
        }
        self.numbers.lock().heard.drain(..count).collect()
    }

    #[track_caller]
    fn take(&self, time: Duration) -> Option<Item> {
        let item = self.app.next_event(time)?;
        if let Item::Event(event) = &item {
            self.check(event);
        }
        Some(item)
    }

    /// Checks that numbers rise by one, that times never go back, and that the message is of this stream.
    #[track_caller]
    fn check(&self, event: &Event) {
        let mut numbers = self.numbers.lock();
        assert_eq!(number(event.value("sequenceNumber")), numbers.sequence + 1, "{}", event.raw);
        assert_eq!(event.value("streamSid"), &*self.stream, "{}", event.raw);
        numbers.sequence += 1;
        if event.name != "media" {
            return;
        }
        let media = event.value("media");
        assert_eq!(number(&media["chunk"]), numbers.chunk + 1, "{}", event.raw);
        assert_eq!(media["track"], "inbound");
        let timestamp = number(&media["timestamp"]);
        assert!(timestamp >= numbers.timestamp, "{} after {}", event.raw, numbers.timestamp);
        (numbers.chunk, numbers.timestamp) = (numbers.chunk + 1, timestamp);
        let payload = BASE64.decode(media["payload"].as_str().expect("a payload")).expect("base64");
        assert_eq!(payload.len(), 160, "a message is a frame");
        numbers.heard.extend(payload);
    }
}
