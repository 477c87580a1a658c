//! A case: what the app sends, and the expected result.

use std::fmt;

use super::super::harness::Frame;
use super::super::harness::wire::opcode;

/// A piece of what is sent.
#[derive(Debug, Clone)]
pub enum Part {
    /// A frame, masked as the role requires.
    Frame(Frame),
    /// A frame that is masked or not, against the rule.
    WronglyMasked(Frame),
    /// The first bytes of a frame, as many as this.
    Beginning(Frame, usize),
    /// Any bytes, such as those of another protocol.
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
    /// Waits for this many answers in total (pongs and events) before it continues.
    Await(usize),
    /// Waits for Asterisk's close frame.
    AwaitClose,
    /// Waits for a while, in which Asterisk must do nothing.
    Quiet,
    /// Ends the app's direction of TCP.
    Cut,
}

/// What an app receives, except media.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// MEDIA_MARK_PROCESSED with this correlation id.
    Mark(String),
    /// An ERROR event whose text contains this.
    Error(String),
    /// STATUS.
    Status,
    /// Something that no case expects.
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

/// The result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The call is up, commands are answered and media is carried.
    GoesOn,
    /// Asterisk fails the connection with this code, and the call ends with cause 38.
    Fails(u16),
    /// Asterisk answers the app's close frame with this payload, and the call ends with cause 16 and this tech cause.
    Closes(Vec<u8>, i64),
    /// The connection ends without a close frame from either side: cause 38.
    Lost,
}

/// How the bytes are divided into writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Each step in one write.
    Whole,
    /// Each byte in one write.
    Octets,
    /// Each frame in one write.
    Frames,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Group and name, with a slash between.
    pub name: String,
    /// The steps.
    pub script: Vec<Step>,
    /// The answers, in this order.
    pub answers: Vec<Answer>,
    /// The media that comes back, message by message.
    pub media: Vec<Vec<u8>>,
    /// The result.
    pub end: End,
    /// The codec: one with many bytes a second for large messages.
    pub codec: &'static str,
    /// Further ways in which the bytes are divided.
    pub deliveries: Vec<Delivery>,
    /// The app waits for Asterisk to end TCP, even if the app, as the server, should end it first.
    pub waits_for_end: bool,
    /// Why it does not run on the C module, if it does not.
    pub spares_oracle: Option<&'static str>,
}

impl Case {
    /// A case that sends this in one write, after which the call continues.
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

    /// Like [`Case::new`], with frames only, as in most cases.
    pub fn frames(name: impl Into<String>, frames: impl IntoIterator<Item = Frame>) -> Self {
        Self::new(name, frames.into_iter().map(Part::Frame))
    }

    /// Waits for the expected answers so far, and then sends this.
    pub fn then(mut self, frames: impl IntoIterator<Item = Frame>) -> Self {
        self.script.push(Step::Await(self.answers.len()));
        self.script.push(Step::Send(frames.into_iter().map(Part::Frame).collect()));
        self
    }

    /// Expects these answers.
    pub fn answers(mut self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.answers.extend(answers);
        self
    }

    /// Expects a mark with this correlation id.
    pub fn mark(self, id: impl Into<String>) -> Self {
        self.answers([Answer::Mark(id.into())])
    }

    /// Expects a pong with this payload.
    pub fn pong(self, payload: impl AsRef<[u8]>) -> Self {
        self.answers([Answer::Pong(payload.as_ref().to_vec())])
    }

    /// Expects this media as one message.
    pub fn echo(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.media.push(payload.into());
        self
    }

    /// Expects the connection to fail with this code.
    pub fn fails(mut self, code: u16) -> Self {
        self.end = End::Fails(code);
        self
    }

    /// Expects an end with this close code, which Asterisk also returns.
    pub fn closes(mut self, code: u16) -> Self {
        self.end = End::Closes(code.to_be_bytes().to_vec(), code.into());
        self
    }

    /// Expects an empty close frame as the answer.
    pub fn closes_without_code(mut self) -> Self {
        self.end = End::Closes(Vec::new(), 1005);
        self
    }

    /// Too large to be sent byte by byte; uses a codec with many bytes a second.
    pub fn large(mut self) -> Self {
        self.codec = "slin192";
        self.deliveries.clear();
        self
    }

    /// Sent in one way only, because the other ways would show nothing new.
    pub fn once(mut self) -> Self {
        self.deliveries.clear();
        self
    }

    /// Does not run on the C module, for this reason.
    pub fn spares_oracle(mut self, why: &'static str) -> Self {
        self.spares_oracle = Some(why);
        self
    }
}

/// `MARK_MEDIA <id>` as bytes: a text message whose answer contains the id.
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
