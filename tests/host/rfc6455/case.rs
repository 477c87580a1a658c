//! What a case is: what the app sends, and what has to come of it.

use std::fmt;

use super::super::harness::Frame;
use super::super::harness::wire::opcode;

/// A piece of what is sent.
#[derive(Debug, Clone)]
pub enum Part {
    /// A frame, masked as the role asks.
    Frame(Frame),
    /// A frame that is masked where it must not be, or the other way round.
    WronglyMasked(Frame),
    /// The first bytes of a frame, as many as this.
    Beginning(Frame, usize),
    /// A stranger's greeting, …
    Raw(Vec<u8>),
}

impl From<Frame> for Part {
    fn from(frame: Frame) -> Self {
        Self::Frame(frame)
    }
}

/// One step of the app.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends all this in one write.
    Send(Vec<Part>),
    /// Waits for so many answers in all (pongs and events) before it goes on.
    Await(usize),
    /// Waits for Asterisk's close frame.
    AwaitClose,
    /// Waits a while for Asterisk to do nothing.
    Quiet,
    /// Ends the app's direction of TCP.
    Cut,
}

/// What an app hears, media apart.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// MEDIA_MARK_PROCESSED with this correlation id.
    Mark(String),
    /// An ERROR event whose text holds this.
    Error(String),
    /// STATUS.
    Status,
    /// Something that no case waits for.
    Other(String),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| text.chars().take(40).collect::<String>();
        match self {
            Self::Pong(payload) => {
                write!(f, "pong of {} bytes {:02x?}", payload.len(), &payload[..payload.len().min(4)])
            }
            Self::Mark(id) => write!(f, "mark of {} bytes {:?}", id.len(), short(id)),
            Self::Error(text) => write!(f, "ERROR {text:?}"),
            Self::Status => f.write_str("STATUS"),
            Self::Other(what) => write!(f, "{:?}", short(what)),
        }
    }
}

/// How it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It does not: the call is up, commands are answered and media is carried.
    GoesOn,
    /// Asterisk fails the connection with this code, and the call ends with cause 38.
    Fails(u16),
    /// Asterisk answers the app's close frame with this payload, and the call ends with cause 16 and this tech cause.
    Closes(Vec<u8>, i64),
    /// Without a close frame from either: cause 38.
    Lost,
}

/// How the bytes are cut on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// As the script says: each step in one write.
    Whole,
    /// A write for each byte.
    Octets,
    /// A write for each frame.
    Frames,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Group and name, with a slash between.
    pub name: String,
    /// What is sent.
    pub script: Vec<Step>,
    /// The answers that come, in this order.
    pub answers: Vec<Answer>,
    /// The media that comes back, message by message.
    pub media: Vec<Vec<u8>>,
    /// How it ends.
    pub end: End,
    /// The codec: one with many bytes a second for large messages.
    pub codec: &'static str,
    /// Other ways of cutting that the case is also sent in.
    pub deliveries: Vec<Delivery>,
    /// The app leaves it to Asterisk to end TCP, also where that is for the app to do first, as the server.
    pub waits_for_end: bool,
    /// Why it is not shown to the C module, if it is not.
    pub spares_oracle: Option<&'static str>,
}

impl Case {
    /// A case that sends this in one write, after which everything goes on.
    pub fn new(name: impl Into<String>, parts: impl IntoIterator<Item = Part>) -> Self {
        Self {
            name: name.into(),
            script: vec![Step::Send(parts.into_iter().collect())],
            answers: Vec::new(),
            media: Vec::new(),
            end: End::GoesOn,
            codec: "ulaw",
            deliveries: vec![Delivery::Octets, Delivery::Frames],
            waits_for_end: false,
            spares_oracle: None,
        }
    }

    /// The same with frames, which is most of them.
    pub fn frames(name: impl Into<String>, frames: impl IntoIterator<Item = Frame>) -> Self {
        Self::new(name, frames.into_iter().map(Part::Frame))
    }

    /// Waits for what has been said to come so far, and then sends this.
    pub fn then(mut self, frames: impl IntoIterator<Item = Frame>) -> Self {
        self.script.push(Step::Await(self.answers.len()));
        self.script.push(Step::Send(frames.into_iter().map(Part::Frame).collect()));
        self
    }

    /// Answered like this.
    pub fn answers(mut self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.answers.extend(answers);
        self
    }

    /// Answered with a mark of this correlation id.
    pub fn mark(self, id: impl Into<String>) -> Self {
        self.answers([Answer::Mark(id.into())])
    }

    /// Answered with a pong of this payload.
    pub fn pong(self, payload: impl AsRef<[u8]>) -> Self {
        self.answers([Answer::Pong(payload.as_ref().to_vec())])
    }

    /// This media comes back as one message.
    pub fn echo(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.media.push(payload.into());
        self
    }

    /// Ends with this code.
    pub fn fails(mut self, code: u16) -> Self {
        self.end = End::Fails(code);
        self
    }

    /// Ends with this close code, which is Asterisk's answer too.
    pub fn closes(mut self, code: u16) -> Self {
        self.end = End::Closes(code.to_be_bytes().to_vec(), code.into());
        self
    }

    /// Ends with an answer of no payload.
    pub fn closes_without_code(mut self) -> Self {
        self.end = End::Closes(Vec::new(), 1005);
        self
    }

    /// Too large to be sent byte by byte, and in need of a codec with many bytes a second.
    pub fn large(mut self) -> Self {
        self.codec = "slin192";
        self.deliveries.clear();
        self
    }

    /// Sent in one way only: the other ways say nothing new.
    pub fn once(mut self) -> Self {
        self.deliveries.clear();
        self
    }

    /// Not shown to the C module, for this reason.
    pub fn spares_oracle(mut self, why: &'static str) -> Self {
        self.spares_oracle = Some(why);
        self
    }
}

/// `MARK_MEDIA <id>` as bytes: a text message whose answer holds what was in it.
pub fn mark(id: impl AsRef<[u8]>) -> Vec<u8> {
    [b"MARK_MEDIA ", id.as_ref()].concat()
}

/// A frame with the last piece of a message.
pub fn last(payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(opcode::CONTINUATION, payload)
}

/// A frame with a piece in the middle of a message.
pub fn more(payload: impl Into<Vec<u8>>) -> Frame {
    last(payload).not_last()
}

/// A ping.
pub fn ping(payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(opcode::PING, payload.as_ref())
}

/// A message in frames with these payloads.
pub fn fragments<P: AsRef<[u8]>>(kind: u8, pieces: impl IntoIterator<Item = P>) -> Vec<Frame> {
    let mut frames: Vec<Frame> = pieces.into_iter().map(|piece| more(piece.as_ref())).collect();
    frames[0].opcode = kind;
    frames.last_mut().expect("a piece").fin = true;
    frames
}

/// A text frame with these bytes, which need not be UTF-8.
pub fn text(payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(opcode::TEXT, payload)
}

/// A close frame with this payload.
pub fn close(payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(opcode::CLOSE, payload)
}

/// A close frame's payload.
pub fn close_payload(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_ref()].concat()
}
