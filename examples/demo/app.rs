//! The application of the demo's two calls: `examples/app.rs`, with an observer. It plays a recording to the
//! caller and records what the caller says. The caller's keys steer it: 1 plays the recording, # hangs up, any other
//! key stops what is being played.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::{HeaderValue, Uri};
use tungstenite::{ClientRequestBuilder, Message, WebSocket};

/// Whatever went wrong; it ends the call.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// How much of the recording goes into one message. Any size will do: between START_ and STOP_MEDIA_BUFFERING frames
/// are cut across messages.
const MESSAGE_BYTES: usize = 1000;

/// What Asterisk tells us. New versions may send more events, and more fields: let them pass.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "SCREAMING_SNAKE_CASE")]
enum Event {
    /// Always the first message of a call.
    MediaStart { format: String },
    /// The caller has pressed a key.
    DtmfEnd { digit: String },
    /// Enough to play for now: send no more.
    MediaXoff,
    /// More can come.
    MediaXon,
    /// All up to the STOP_MEDIA_BUFFERING of this id has been played.
    MediaBufferingCompleted { correlation_id: String },
    /// MEDIA_MARK_PROCESSED, ERROR, …
    #[serde(other)]
    Other,
}

/// What we tell Asterisk.
#[derive(Debug, Serialize)]
#[serde(tag = "command", rename_all = "SCREAMING_SNAKE_CASE")]
enum Command {
    StartMediaBuffering,
    StopMediaBuffering { correlation_id: String },
    MarkMedia { correlation_id: String },
    FlushMedia,
    Hangup,
}

/// Something that happens in a call, for who wants to watch.
#[derive(Debug, Clone, Copy)]
pub enum Note<'a> {
    /// An event, as received.
    Event(&'a str),
    /// A command, about to be sent.
    Command(&'a str),
    /// Media received.
    Heard(&'a [u8]),
    /// Media about to be sent.
    Said(&'a [u8]),
    /// A close frame and its code.
    Closed(Option<u16>),
}

/// One call. `W` watches it.
#[derive(Debug)]
pub struct Call<W> {
    socket: WebSocket<TcpStream>,
    recording: Vec<u8>,
    /// How much of the recording has been sent, until it has been played.
    playing: Option<usize>,
    /// How many times it has been begun.
    plays: usize,
    may_send: bool,
    /// What has been heard so far.
    pub heard: Vec<u8>,
    watch: W,
}

impl<W: FnMut(Note<'_>)> Call<W> {
    /// A call on a connection made by [`accept`] or [`connect`].
    pub fn new(socket: WebSocket<TcpStream>, recording: Vec<u8>, watch: W) -> Self {
        Self { socket, recording, playing: None, plays: 0, may_send: true, heard: Vec::new(), watch }
    }

    /// Runs the call to its end.
    pub fn run(&mut self) -> Result<(), Error> {
        loop {
            // With something to send, only look whether there is something to read.
            let sending = self.may_send && self.playing.is_some_and(|sent| sent < self.recording.len());
            self.socket.get_ref().set_read_timeout(sending.then_some(Duration::from_millis(1)))?;
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    (self.watch)(Note::Event(text.as_str()));
                    let event = serde_json::from_str(text.as_str());
                    self.react(event.map_err(|why| format!("{why}: was it dialled with f(json)?"))?)?;
                }
                Ok(Message::Binary(media)) => {
                    (self.watch)(Note::Heard(&media));
                    self.heard.extend_from_slice(&media);
                }
                // Pings and close frames are answered by tungstenite: read on.
                Ok(Message::Close(frame)) => (self.watch)(Note::Closed(frame.map(|frame| frame.code.into()))),
                Ok(_) => {}
                Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
                Err(tungstenite::Error::Io(why)) if is_timeout(&why) => self.say_more()?,
                Err(why) => return Err(why.into()),
            }
        }
    }

    fn react(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::MediaStart { format } if format != "ulaw" => {
                return Err(format!("the recording is ulaw, the call {format}: dial with c(ulaw)").into());
            }
            Event::DtmfEnd { digit } => {
                if self.playing.take().is_some() {
                    self.command(&Command::FlushMedia)?;
                }
                match digit.as_str() {
                    "1" => {
                        self.command(&Command::StartMediaBuffering)?;
                        self.playing = Some(0);
                        self.plays += 1;
                    }
                    "#" => self.command(&Command::Hangup)?,
                    _ => {}
                }
            }
            Event::MediaXoff => self.may_send = false,
            Event::MediaXon => self.may_send = true,
            // One of an earlier time may cross with our FLUSH_MEDIA.
            Event::MediaBufferingCompleted { correlation_id } if correlation_id == self.plays.to_string() => {
                self.playing = None;
            }
            Event::MediaStart { .. } | Event::MediaBufferingCompleted { .. } | Event::Other => {}
        }
        Ok(())
    }

    /// Sends the next piece of the recording. It is played in real time, however fast it comes.
    fn say_more(&mut self) -> Result<(), Error> {
        let Some((sent, rest)) = self.playing.and_then(|sent| Some((sent, self.recording.get(sent..)?)))
        else {
            return Ok(());
        };
        let piece = rest.get(..MESSAGE_BYTES).unwrap_or(rest).to_vec();
        let (end, half) = (sent + piece.len(), self.recording.len() / 2);
        (self.watch)(Note::Said(&piece));
        self.socket.send(Message::binary(piece))?;
        if (sent..end).contains(&half) {
            // MEDIA_MARK_PROCESSED will tell when the caller has heard so much of it.
            self.command(&Command::MarkMedia { correlation_id: "half".into() })?;
        }
        if end == self.recording.len() {
            self.command(&Command::StopMediaBuffering { correlation_id: self.plays.to_string() })?;
        }
        self.playing = Some(end);
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<(), Error> {
        let text = serde_json::to_string(command)?;
        (self.watch)(Note::Command(&text));
        Ok(self.socket.send(Message::text(text))?)
    }
}

fn is_timeout(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Answers the handshake of Asterisk, which has connected to us.
pub fn accept(stream: TcpStream) -> Result<WebSocket<TcpStream>, Error> {
    // Or small messages wait for the answer to earlier ones.
    stream.set_nodelay(true)?;
    #[allow(clippy::result_large_err, reason = "tungstenite's type")]
    let subprotocol = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        if request.headers().contains_key("Sec-WebSocket-Protocol") {
            response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("media"));
        }
        Ok(response)
    };
    Ok(tungstenite::accept_hdr(stream, subprotocol)?)
}

/// Connects to a channel that waits for us: `ws://<Asterisk's HTTP server>/media/<connection id>`.
pub fn connect(uri: &str) -> Result<WebSocket<TcpStream>, Error> {
    let uri: Uri = uri.parse()?;
    let stream = TcpStream::connect((uri.host().unwrap_or("localhost"), uri.port_u16().unwrap_or(80)))?;
    stream.set_nodelay(true)?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol("media");
    Ok(tungstenite::client(request, stream)?.0)
}
