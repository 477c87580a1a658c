//! The messages of an app for Twilio: media in base64, in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

/// The text before the media in a message from Asterisk.
const PAYLOAD: &str = r#""payload":""#;

/// The stream of one app.
#[derive(Debug)]
pub struct Stream {
    before: String,
    message: String,
    media: Vec<u8>,
}

impl Stream {
    /// The stream of this opening message.
    pub fn of(start: &Value) -> Self {
        let id = start.get("streamSid").and_then(Value::as_str).unwrap_or_default();
        let before = format!(r#"{{"event":"media","streamSid":"{id}","media":{{"payload":""#);
        Self { before, message: String::new(), media: Vec::new() }
    }

    /// The message with this media.
    pub fn message(&mut self, media: &[u8]) -> &str {
        self.message.clear();
        self.message.push_str(&self.before);
        BASE64.encode_string(media, &mut self.message);
        self.message.push_str(r#""}}"#);
        &self.message
    }

    /// The media in a message from Asterisk, if it has any. The caller may take its memory, and return it with
    /// [`keep`](Self::keep).
    pub fn heard(&mut self, text: &str) -> Option<&mut Vec<u8>> {
        let (_, payload) = text.split_once(PAYLOAD)?;
        self.media.clear();
        BASE64.decode_vec(payload.split('"').next()?, &mut self.media).ok()?;
        Some(&mut self.media)
    }

    /// Takes back the memory of media.
    pub fn keep(&mut self, media: Vec<u8>) {
        self.media = media;
    }
}
