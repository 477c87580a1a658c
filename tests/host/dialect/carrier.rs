//! An application written for a carrier, driven by a test, with the messages of each carrier.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::super::harness::event::Event;
use super::super::harness::{App, Item, wait};

/// The carrier that the application was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    Telnyx,
    Vonage,
    Plivo,
    Exotel,
}

/// A codec of a carrier: Asterisk's name, the bytes of a frame, and its description in the opening message.
pub type Codec = (&'static str, usize, &'static str);

impl Carrier {
    pub const ALL: [Self; 4] = [Self::Telnyx, Self::Vonage, Self::Plivo, Self::Exotel];

    pub fn name(self) -> &'static str {
        match self {
            Self::Telnyx => "telnyx",
            Self::Vonage => "vonage",
            Self::Plivo => "plivo",
            Self::Exotel => "exotel",
        }
    }

    /// The first codec is that of a call without `c()`.
    pub fn codecs(self) -> &'static [Codec] {
        match self {
            Self::Telnyx => &[
                ("ulaw", 160, r#""media_format":{"encoding":"PCMU","sample_rate":8000,"channels":1}"#),
                ("alaw", 160, r#""media_format":{"encoding":"PCMA","sample_rate":8000,"channels":1}"#),
                ("g722", 160, r#""media_format":{"encoding":"G722","sample_rate":8000,"channels":1}"#),
                ("slin16", 640, r#""media_format":{"encoding":"L16","sample_rate":16000,"channels":1}"#),
                ("slin", 320, r#""media_format":{"encoding":"L16","sample_rate":8000,"channels":1}"#),
                ("slin24", 960, r#""media_format":{"encoding":"L16","sample_rate":24000,"channels":1}"#),
            ],
            Self::Vonage => &[
                ("slin16", 640, r#""content-type":"audio/l16;rate=16000""#),
                ("slin", 320, r#""content-type":"audio/l16;rate=8000""#),
                ("slin24", 960, r#""content-type":"audio/l16;rate=24000""#),
            ],
            Self::Plivo => &[
                ("ulaw", 160, r#""mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000}"#),
                ("slin", 320, r#""mediaFormat":{"encoding":"audio/x-l16","sampleRate":8000}"#),
                ("slin16", 640, r#""mediaFormat":{"encoding":"audio/x-l16","sampleRate":16000}"#),
            ],
            Self::Exotel => &[
                ("slin", 320, r#""encoding":"audio/x-raw","sample_rate":"8000","bit_rate":"16""#),
                ("slin16", 640, r#""encoding":"audio/x-raw","sample_rate":"16000","bit_rate":"16""#),
                ("slin24", 960, r#""encoding":"audio/x-raw","sample_rate":"24000","bit_rate":"16""#),
            ],
        }
    }

    /// The options of the dial string.
    pub fn options(self, codec: Codec) -> String {
        format!("f({})c({})", self.name(), codec.0)
    }

    /// The names of the opening messages, and the pointer to the stream's id in the last one.
    fn opening(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Telnyx => (&["connected", "start"], "/stream_id"),
            Self::Vonage => (&["websocket:connected"], "/channel_id"),
            Self::Plivo => (&["start"], "/start/streamId"),
            Self::Exotel => (&["connected", "start"], "/stream_sid"),
        }
    }

    fn is_media(self, event: &Event) -> bool {
        self != Self::Vonage && event.name == "media"
    }

    /// Whether outstanding marks are returned when playback is cleared.
    pub fn brings_marks_back(self) -> bool {
        self != Self::Plivo
    }
}

/// The application.
pub struct Bot {
    pub app: App,
    pub carrier: Carrier,
    /// The opening message with all details.
    pub start: Event,
    pub stream: String,
    codec: Codec,
    heard: Mutex<Vec<u8>>,
}

impl Bot {
    /// Takes the opening messages.
    #[track_caller]
    pub fn open(app: App, carrier: Carrier, codec: Codec) -> Self {
        let (names, stream) = carrier.opening();
        let start = names.iter().map(|name| app.expect_event(name)).last().expect("opening messages");
        let read: Value = serde_json::from_str(&start.raw).expect("JSON");
        let stream = read.pointer(stream).and_then(Value::as_str).expect("a stream's id").to_owned();
        Self { app, carrier, start, stream, codec, heard: Mutex::default() }
    }

    pub fn say(&self, message: &Value) {
        self.app.send_text(&message.to_string());
    }

    pub fn media(&self, media: &[u8]) {
        let payload = BASE64.encode(media);
        match self.carrier {
            Carrier::Vonage => self.app.send_media(media),
            Carrier::Telnyx => self.say(&json!({ "event": "media", "media": { "payload": payload } })),
            Carrier::Exotel => {
                let media = json!({ "payload": payload });
                self.say(&json!({ "event": "media", "stream_sid": self.stream, "media": media }));
            }
            Carrier::Plivo => {
                let (kind, rate) = match self.codec.0 {
                    "ulaw" => ("audio/x-mulaw", 8000),
                    "slin" => ("audio/x-l16", 8000),
                    _ => ("audio/x-l16", 16000),
                };
                let media = json!({ "contentType": kind, "sampleRate": rate, "payload": payload });
                self.say(&json!({ "event": "playAudio", "media": media }));
            }
        }
    }

    /// Asks for a message when everything before it has been played.
    pub fn mark(&self, name: &str) {
        self.say(&self.mark_message(name));
    }

    pub fn mark_message(&self, name: &str) -> Value {
        match self.carrier {
            Carrier::Telnyx => json!({ "event": "mark", "mark": { "name": name } }),
            Carrier::Vonage => json!({ "action": "notify", "payload": { "name": name } }),
            Carrier::Plivo => json!({ "event": "checkpoint", "streamId": self.stream, "name": name }),
            Carrier::Exotel => {
                json!({ "event": "mark", "stream_sid": self.stream, "mark": { "name": name } })
            }
        }
    }

    pub fn clear(&self) {
        self.say(&match self.carrier {
            Carrier::Telnyx => json!({ "event": "clear" }),
            Carrier::Vonage => json!({ "action": "clear" }),
            Carrier::Plivo => json!({ "event": "clearAudio", "streamId": self.stream }),
            Carrier::Exotel => json!({ "event": "clear", "stream_sid": self.stream }),
        });
    }

    /// The confirmation of a clear, for carriers that send one.
    #[track_caller]
    pub fn expect_cleared(&self) {
        match self.carrier {
            Carrier::Vonage => _ = self.expect("websocket:cleared"),
            Carrier::Plivo => _ = self.expect("clearedAudio"),
            Carrier::Telnyx | Carrier::Exotel => {}
        }
    }

    /// The next message that is not media, or close frame or end. Media is kept.
    #[track_caller]
    pub fn next(&self) -> Item {
        loop {
            match self.take(wait::PATIENCE) {
                Some(Item::Event(event)) if self.carrier.is_media(&event) => {}
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
            let (event, value) = match self.carrier {
                Carrier::Telnyx | Carrier::Exotel => ("mark", "/mark/name"),
                Carrier::Vonage => ("websocket:notify", "/payload/name"),
                Carrier::Plivo => ("playedStream", "/name"),
            };
            let mark = self.expect(event);
            let read: Value = serde_json::from_str(&mark.raw).expect("JSON");
            assert_eq!(read.pointer(value), Some(&json!(name)), "{}", mark.raw);
        }
    }

    /// The next `count` bytes of media.
    #[track_caller]
    pub fn hear(&self, count: usize) -> Vec<u8> {
        if self.carrier == Carrier::Vonage {
            return self.app.collect_media(count);
        }
        let deadline = Instant::now() + wait::at_most(wait::PATIENCE);
        while self.heard.lock().len() < count {
            let heard = self.heard.lock().len();
            assert!(Instant::now() < deadline, "only {heard} of {count} bytes came");
            match self.take(Duration::from_millis(100)) {
                None => {}
                Some(Item::Event(event)) if self.carrier.is_media(&event) => {}
                Some(other) => panic!("expected media, received {other:?}"),
            }
        }
        self.heard.lock().drain(..count).collect()
    }

    #[track_caller]
    fn take(&self, time: Duration) -> Option<Item> {
        let item = self.app.next_event(time)?;
        if let Item::Event(event) = &item
            && self.carrier.is_media(event)
        {
            let payload = event.value("media")["payload"].as_str().expect("a payload");
            let payload = BASE64.decode(payload).expect("base64");
            assert_eq!(payload.len(), self.codec.1, "a message is a frame");
            self.heard.lock().extend(payload);
        }
        Some(item)
    }
}
