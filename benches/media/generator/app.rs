//! An app: what it sends and does, and how it judges what it receives.

use serde_json::Value;

use super::bulk::Bulk;
use super::connection::Output;
use super::framing::opcode;
use super::pattern::Stamp;
use super::speech::Speech;
use super::stats::{Point, Totals, Window};
use super::twilio::Stream;
use super::worker::Event;
use crate::clock;

/// The subscription of an app whose messages are JSON: the position of playback, once a second.
const SUBSCRIBE: &str = r#"{"command":"SUBSCRIBE","events":["MEDIA_POSITION"],"position_interval":1000}"#;

/// What an app does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It lives until it is told to end.
    Long,
    /// It sends at once, and hangs up when it hears itself.
    OneFrame,
    /// It sends back everything that it hears.
    Echo,
}

/// Something that an app does at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Sends a frame.
    Speak,
    /// Asks for STATUS.
    Status,
    /// Sends a bulk of media.
    Bulk,
}

/// The last frame received, to compare the next one with.
#[derive(Debug, Clone, Copy)]
struct Heard {
    sequence: u32,
    sent: u64,
    at: u64,
}

/// GET_STATUS, repeated.
#[derive(Debug, Clone, Copy)]
struct Asking {
    due: u64,
    period: u64,
    asked: Option<u64>,
}

/// A FLUSH_MEDIA, and the media after it.
#[derive(Debug, Clone, Copy)]
struct Flushed {
    at: u64,
    last_media: Option<u64>,
}

/// One app. It belongs to its worker's thread.
#[derive(Debug)]
pub struct App {
    id: u32,
    life: Life,
    /// Counts since the start.
    pub totals: Totals,
    /// Every frame with its latency, if wanted.
    pub trace: Option<Vec<Point>>,
    sequence: u32,
    speech: Option<Speech>,
    asking: Option<Asking>,
    bulk: Option<Bulk>,
    heard: Option<Heard>,
    flushed: Option<Flushed>,
    closing: bool,
    frame: Vec<u8>,
    /// Set if it uses Twilio's messages.
    twilio: Option<Stream>,
}

impl App {
    /// An app that does nothing yet.
    pub fn new(id: u32, life: Life) -> Self {
        Self {
            id,
            life,
            totals: Totals::default(),
            trace: None,
            sequence: 0,
            speech: None,
            asking: None,
            bulk: None,
            heard: None,
            flushed: None,
            closing: false,
            frame: Vec::new(),
            twilio: None,
        }
    }

    /// The number of the app in the generator.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether it has sent a close frame.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    // ---- commands to the app

    /// Begins to send media. Returns the time of the first frame.
    pub fn speak(&mut self, speech: Speech) -> u64 {
        let due = speech.due();
        self.speech = Some(speech);
        due
    }

    /// Ends everything that is done by time.
    pub fn hush(&mut self) {
        self.speech = None;
        self.asking = None;
        self.bulk = None;
    }

    /// Begins to ask for STATUS.
    pub fn ask_status(&mut self, due: u64, period: u64) {
        self.asking = Some(Asking { due, period, asked: None });
    }

    /// Begins to send bulks.
    pub fn send_bulks(&mut self, due: u64, bulk: Bulk) {
        self.bulk = Some(bulk.starting(due));
    }

    /// Sends FLUSH_MEDIA and watches for media after it.
    pub fn flush_media(&mut self, output: &mut Output) {
        output.text("FLUSH_MEDIA");
        self.flushed = Some(Flushed { at: clock::now(), last_media: None });
    }

    /// The time from FLUSH_MEDIA to the last frame after it, ns.
    pub fn silence_after_flush(&self) -> Option<u64> {
        let flushed = self.flushed?;
        Some(flushed.last_media.map_or(0, |at| at.saturating_sub(flushed.at)))
    }

    /// Sends a close frame.
    pub fn close(&mut self, output: &mut Output) {
        self.hush();
        self.closing = true;
        output.message(opcode::CLOSE, &1000_u16.to_be_bytes());
    }

    // ---- actions by time

    /// Does what is due. Returns the time at which it is due again.
    pub fn on_timer(
        &mut self,
        timer: Timer,
        now: u64,
        output: &mut Output,
        window: &mut Window,
    ) -> Option<u64> {
        match timer {
            Timer::Speak => {
                let speech = self.speech.as_mut().filter(|speech| speech.due() <= now)?;
                window.own_lateness.record(now - speech.due());
                let (bytes, next) = (speech.frame_bytes(), speech.advance());
                // The current time, not that of the wake-up: the frames of one wake-up are sent one after the other.
                self.say(bytes, clock::now(), output, window);
                Some(next)
            }
            Timer::Status => {
                let asking = self.asking.as_mut().filter(|asking| asking.due <= now)?;
                asking.due += asking.period;
                let due = asking.due;
                if asking.asked.is_none() {
                    asking.asked = Some(clock::now());
                    output.text("GET_STATUS");
                }
                Some(due)
            }
            Timer::Bulk => {
                let bulk = self.bulk.as_mut().filter(|bulk| bulk.due() <= now)?;
                bulk.advance(&mut self.sequence, self.id, output, window)
            }
        }
    }

    fn say(&mut self, bytes: usize, now: u64, output: &mut Output, window: &mut Window) {
        self.frame.clear();
        Stamp { source: self.id, sequence: self.sequence, sent: now }.write(&mut self.frame, bytes);
        self.sequence = self.sequence.wrapping_add(1);
        self.totals.sent += 1;
        window.sent += 1;
        match &mut self.twilio {
            None => output.message(opcode::BINARY, &self.frame),
            Some(stream) => output.text(stream.message(&self.frame)),
        }
    }

    // ---- received messages

    /// A media message.
    pub fn on_media(
        &mut self,
        payload: &[u8],
        now: u64,
        output: &mut Output,
        window: &mut Window,
        events: &mut dyn FnMut(Event),
    ) {
        if let Some(flushed) = &mut self.flushed {
            flushed.last_media = Some(now);
        }
        if self.life == Life::Echo {
            self.totals.received += 1;
            window.received += 1;
            output.message(opcode::BINARY, payload);
            return;
        }
        let Some(stamp) = Stamp::read(payload) else {
            self.totals.corrupt += 1;
            return;
        };
        self.totals.received += 1;
        window.received += 1;
        if stamp.sent != 0 {
            self.judge(stamp, now, window);
        }
        if self.life == Life::OneFrame && self.speech.take().is_some() {
            output.text("HANGUP");
            events(Event::Heard { id: self.id, at: now });
        }
    }

    fn judge(&mut self, stamp: Stamp, now: u64, window: &mut Window) {
        let latency = now.saturating_sub(stamp.sent);
        window.latency.record(latency);
        if let Some(trace) = &mut self.trace {
            trace.push(Point { at: now, latency });
        }
        if let Some(heard) = self.heard {
            if stamp.sequence <= heard.sequence {
                self.totals.out_of_order += 1;
                return;
            }
            let received = now.saturating_sub(heard.at);
            let sent = stamp.sent.saturating_sub(heard.sent);
            window.jitter.record(received.abs_diff(sent));
        }
        self.heard = Some(Heard { sequence: stamp.sequence, sent: stamp.sent, at: now });
    }

    /// An event.
    pub fn on_event(
        &mut self,
        text: &str,
        now: u64,
        output: &mut Output,
        window: &mut Window,
        events: &mut dyn FnMut(Event),
    ) {
        if let Some(media) = self.twilio.as_mut().and_then(|stream| stream.heard(text)).map(std::mem::take) {
            self.on_media(&media, now, output, window, events);
            if let Some(stream) = &mut self.twilio {
                stream.keep(media);
            }
            return;
        }
        match text.split_once(' ').map_or(text, |(word, _)| word) {
            json if json.starts_with('{') => self.on_json(text, output, events),
            "MEDIA_START" => {
                let channel = field(text, "channel_id").unwrap_or_default().to_owned();
                events(Event::Started { id: self.id, channel, speaks: self.life == Life::OneFrame });
            }
            "STATUS" => {
                if let Some(asked) = self.asking.as_mut().and_then(|asking| asking.asked.take()) {
                    window.status.record(now.saturating_sub(asked));
                }
                if let Some(bulk) = &mut self.bulk {
                    let queued = field(text, "queue_length").and_then(|length| length.parse().ok());
                    bulk.on_status(queued.unwrap_or(0), now, output, window);
                }
            }
            "ERROR" => events(Event::Fault { what: text.into() }),
            // The generator ignores MEDIA_XOFF and the like on purpose.
            _ => {}
        }
    }

    /// An event in JSON. At MEDIA_START the app subscribes to the position of playback.
    fn on_json(&mut self, text: &str, output: &mut Output, events: &mut dyn FnMut(Event)) {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        let field = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        match field("event") {
            "MEDIA_START" => {
                output.text(SUBSCRIBE);
                let channel = field("channel_id").to_owned();
                events(Event::Started { id: self.id, channel, speaks: self.life == Life::OneFrame });
            }
            "start" => {
                let channel = event.pointer("/start/customParameters/channel_id").and_then(Value::as_str);
                let channel = channel.unwrap_or_default().to_owned();
                self.twilio = Some(Stream::of(&event));
                events(Event::Started { id: self.id, channel, speaks: self.life == Life::OneFrame });
            }
            "MEDIA_POSITION" => self.totals.positions += 1,
            "ERROR" => events(Event::Fault { what: text.into() }),
            _ => {}
        }
    }
}

/// A field of an event in plain text.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix(':'))
}
