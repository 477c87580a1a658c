//! A small media application, to start your own from. It plays a recording to the caller, keeps what the caller says in
//! a file, and falls silent when the caller speaks. The caller's keys steer it: 1 plays the recording again, # hangs
//! up, any other key stops what is being played. Asterisk connects to it, for `Dial(WebSocket/my-app/c(ulaw)f(json))`,
//! or it connects to a channel `WebSocket/INCOMING/c(ulaw)f(json)`:
//!
//!     cargo run --no-default-features --example app -- listen 127.0.0.1:8765 prompt.ulaw
//!     cargo run --no-default-features --example app -- connect ws://127.0.0.1:8088/media/<id> prompt.ulaw
//!
//! Media is raw audio in the channel's format, in binary messages; commands and events are JSON, in text messages.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{env, fs, io::ErrorKind::WouldBlock, thread};

use serde_json::{Value, json};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{ClientRequestBuilder, Error as WsError, Message, WebSocket};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

/// The recording goes in pieces of any size, with pauses: MEDIA_XOFF needs a moment to arrive.
const MESSAGE_BYTES: usize = 1000;
const MESSAGE_PAUSE: Duration = Duration::from_millis(10);

/// The caller speaks: so many messages of 20 ms in a row are louder than this on average, of 32124.
const LOUD: usize = 1000;
const LOUD_MESSAGES: usize = 5;

struct Call {
    socket: Socket,
    recording: Vec<u8>,
    number: usize,
    playing: Option<usize>, // how much of the recording has been sent, until it has been played
    id: usize,              // of that time
    may_send: bool,
    heard: Vec<u8>,
    loud: usize,
}

impl Call {
    fn run(socket: Socket, recording: Vec<u8>, number: usize) -> Result<(), Error> {
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(MESSAGE_PAUSE))?;
        }
        let (playing, heard) = (None, vec![]);
        let mut call = Self { socket, recording, number, playing, id: 0, may_send: true, heard, loud: 0 };
        loop {
            match call.socket.read() {
                Ok(Message::Text(text)) => call.react(&text)?,
                Ok(Message::Binary(media)) => call.hear(&media)?,
                // It is answered by tungstenite, as pings are: read on.
                Ok(Message::Close(frame)) => {
                    fs::write(format!("heard-{number}.ulaw"), &call.heard)?;
                    println!("call {number}: closed, code {}", frame.map_or(1005, |frame| frame.code.into()));
                }
                Ok(_) => {}
                Err(WsError::Io(why)) if why.kind() == WouldBlock => call.say_more()?,
                Err(WsError::ConnectionClosed) => return Ok(()),
                Err(why) => return Err(why.into()),
            }
        }
    }

    fn hear(&mut self, media: &[u8]) -> Result<(), Error> {
        self.heard.extend_from_slice(media);
        let volume: usize = media.iter().map(|code| magnitude(*code)).sum();
        self.loud = if volume > LOUD * media.len() { self.loud + 1 } else { 0 };
        if self.loud >= LOUD_MESSAGES { self.stop() } else { Ok(()) }
    }

    /// New versions may send more events, and more fields: they are let pass.
    fn react(&mut self, text: &str) -> Result<(), Error> {
        println!("call {} <- {text}", self.number);
        let event: Value = serde_json::from_str(text)?;
        let field = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| event.get(name).and_then(Value::as_u64).unwrap_or_default();
        let is_current = field("correlation_id") == self.id.to_string();
        match field("event") {
            "MEDIA_START" if field("format") == "ulaw" => self.play()?,
            "MEDIA_START" => return Err("the recording is ulaw: dial with c(ulaw)".into()),
            "DTMF_END" if field("digit") == "1" => self.stop().and_then(|()| self.play())?,
            "DTMF_END" if field("digit") == "#" => self.command("HANGUP", "")?,
            "DTMF_END" => self.stop()?,
            "MEDIA_FLUSHED" => println!("call {}: {} ms were heard", self.number, number("played_ms")),
            "MEDIA_XOFF" => self.may_send = false,
            "MEDIA_XON" => self.may_send = true,
            // One of an earlier time may cross with our FLUSH_MEDIA.
            "MEDIA_BUFFERING_COMPLETED" if is_current => self.playing = None,
            _ => {}
        }
        Ok(())
    }

    fn play(&mut self) -> Result<(), Error> {
        (self.playing, self.id) = (Some(0), self.id + 1);
        self.command("START_MEDIA_BUFFERING", "")
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.playing.take().map_or(Ok(()), |_| self.command("FLUSH_MEDIA", &self.id.to_string()))
    }

    /// Sends the next piece of the recording, if there is one. It is played in real time, however fast it comes.
    fn say_more(&mut self) -> Result<(), Error> {
        let (length, half) = (self.recording.len(), self.recording.len() / 2);
        let Some(start) = self.playing.filter(|at| self.may_send && *at < length) else { return Ok(()) };
        let end = length.min(start + MESSAGE_BYTES);
        self.playing = Some(end);
        self.socket.send(Message::binary(self.recording.get(start..end).unwrap_or_default().to_vec()))?;
        if (start..end).contains(&half) {
            // MEDIA_MARK_PROCESSED will tell when the caller has heard so much of it.
            self.command("MARK_MEDIA", "half")?;
        }
        if end == length { self.command("STOP_MEDIA_BUFFERING", &self.id.to_string()) } else { Ok(()) }
    }

    fn command(&mut self, command: &str, correlation_id: &str) -> Result<(), Error> {
        let text = json!({"command": command, "correlation_id": correlation_id}).to_string();
        println!("call {} -> {text}", self.number);
        Ok(self.socket.send(Message::text(text))?)
    }
}

/// How far from silence a sample in ulaw (ITU-T G.711) is.
fn magnitude(code: u8) -> usize {
    (((usize::from(!code & 0x0f) << 3) + 0x84) << (!code >> 4 & 7)) - 0x84
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [role, address, recording] = arguments.as_slice() else {
        return Err("usage: app listen <address:port> <recording> | connect <ws://…> <recording>".into());
    };
    let recording = fs::read(recording)?;
    if role == "connect" {
        let request = ClientRequestBuilder::new(address.parse()?).with_sub_protocol("media");
        return Call::run(tungstenite::connect(request)?.0, recording, 1);
    }
    for (number, stream) in (1..).zip(TcpListener::bind(address)?.incoming()) {
        let (stream, recording) = (stream?, recording.clone());
        stream.set_nodelay(true)?; // or small messages wait for the answer to earlier ones
        thread::spawn(move || {
            let call = Call::run(tungstenite::accept(MaybeTlsStream::Plain(stream))?, recording, number);
            call.inspect_err(|why| eprintln!("call {number}: {why}"))
        });
    }
    Ok(())
}
