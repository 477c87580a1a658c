//! All that happens, in one list: printed as it comes, waited for, and measured and drawn afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde_json::{Map, Value};

use super::app::Note;

/// A pause between media messages from which on what follows counts as a new stretch.
const PAUSE: Duration = Duration::from_millis(200);

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// The demo or Asterisk did something.
    Step(String),
    /// An app received an event.
    Event(Control),
    /// An app sent a command.
    Command(Control),
    /// An app received media.
    Heard(Vec<u8>),
    /// An app sent media.
    Said(Vec<u8>),
    /// An app received a close frame with this code.
    Closed(Option<u16>),
}

/// An event or a command.
#[derive(Debug, Clone)]
pub struct Control {
    /// `MEDIA_START`, …
    pub name: String,
    fields: Map<String, Value>,
}

impl Control {
    fn parse(text: &str, key: &str) -> Self {
        let mut fields: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let name = fields.remove(key).and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default();
        Self { name, fields }
    }

    /// A field, empty if it is not there.
    pub fn get(&self, key: &str) -> String {
        match self.fields.get(key) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// The name, and what distinguishes it from others of that name.
    pub fn label(&self) -> String {
        let detail = ["digit", "correlation_id", "error_text"].map(|key| self.get(key)).concat();
        format!("{} {detail}", self.name).trim_end().to_owned()
    }

    fn line(&self) -> String {
        if self.name != "MEDIA_START" {
            return self.label();
        }
        let keys = ["channel", "format", "optimal_frame_size", "ptime"];
        let fields = keys.map(|key| format!(" {key}:{}", self.get(key)));
        format!("{}{}", self.name, fields.concat())
    }
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// To whom: `app 1`, `call 2`, `Asterisk`.
    pub who: &'static str,
    /// What.
    pub what: What,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// For each app that is sending: messages and bytes not printed yet.
    sending: Vec<(&'static str, usize, usize)>,
}

#[derive(Debug)]
struct Inner {
    start: Instant,
    state: Mutex<State>,
    arrival: Condvar,
}

/// The list. Clones share it.
#[derive(Debug, Clone)]
pub struct Timeline(Arc<Inner>);

impl Timeline {
    /// An empty one, whose time begins now.
    pub fn new() -> Self {
        Self(Arc::new(Inner { start: Instant::now(), state: Mutex::default(), arrival: Condvar::new() }))
    }

    /// Adds something that the demo or Asterisk did.
    pub fn step(&self, who: &'static str, text: impl Into<String>) {
        self.add(who, What::Step(text.into()));
    }

    /// Adds what an app tells.
    pub fn note(&self, who: &'static str, note: Note<'_>) {
        self.add(
            who,
            match note {
                Note::Event(text) => What::Event(Control::parse(text, "event")),
                Note::Command(text) => What::Command(Control::parse(text, "command")),
                Note::Heard(media) => What::Heard(media.to_vec()),
                Note::Said(media) => What::Said(media.to_vec()),
                Note::Closed(code) => What::Closed(code),
            },
        );
    }

    fn add(&self, who: &'static str, what: What) {
        let mut state = self.0.state.lock();
        let entry = Entry { at: Instant::now(), who, what };
        self.print(&mut state, &entry);
        state.entries.push(entry);
        self.0.arrival.notify_all();
    }

    fn print(&self, state: &mut State, entry: &Entry) {
        let who = entry.who;
        // Media is printed in sums: what was sent when something else happens, and the first that is heard.
        if let What::Said(media) = &entry.what {
            match state.sending.iter_mut().find(|(sender, ..)| *sender == who) {
                Some((_, messages, bytes)) => (*messages, *bytes) = (*messages + 1, *bytes + media.len()),
                None => state.sending.push((who, 1, media.len())),
            }
            return;
        }
        let line = match &entry.what {
            What::Step(text) => text.clone(),
            What::Event(event) => format!("<- {}", event.line()),
            What::Command(command) => format!("-> {}", command.line()),
            What::Closed(code) => {
                format!("<- close {}", code.map_or("without a code".into(), |c| c.to_string()))
            }
            What::Said(_) => return,
            What::Heard(_) => {
                let mut earlier = state.entries.iter().rev();
                let last = earlier.find(|last| last.who == who && matches!(last.what, What::Heard(_)));
                if last.is_some_and(|last| entry.at - last.at < PAUSE) {
                    return;
                }
                "<- media begins".into()
            }
        };
        if let Some(index) = state.sending.iter().position(|(sender, ..)| *sender == who) {
            let (_, messages, bytes) = state.sending.remove(index);
            self.print_line(entry.at, who, &format!("-> {messages} messages of media, {bytes} bytes"));
        }
        self.print_line(entry.at, who, &line);
    }

    fn print_line(&self, at: Instant, who: &str, line: &str) {
        println!("{:9.4} s  {who:<9} {line}", at.duration_since(self.0.start).as_secs_f64());
    }

    /// How many things have happened so far; a mark for [`Timeline::since`].
    pub fn mark(&self) -> usize {
        self.0.state.lock().entries.len()
    }

    /// What has happened since a mark.
    pub fn since(&self, mark: usize) -> Vec<Entry> {
        self.0.state.lock().entries.get(mark..).unwrap_or_default().to_vec()
    }

    /// Waits until `ready` is content with what has happened since a mark; `what` says what for.
    pub fn wait<T>(
        &self,
        mark: usize,
        timeout: Duration,
        what: &str,
        ready: impl Fn(&[Entry]) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + timeout;
        let mut state = self.0.state.lock();
        loop {
            if let Some(value) = ready(state.entries.get(mark..).unwrap_or_default()) {
                return Ok(value);
            }
            let left = deadline
                .checked_duration_since(Instant::now())
                .ok_or_else(|| format!("waited {:.1} s in vain: {what}", timeout.as_secs_f64()))?;
            self.0.arrival.wait_for(&mut state, left);
        }
    }
}

/// All that `who` heard.
pub fn heard(entries: &[Entry], who: &str) -> Vec<u8> {
    let media = entries.iter().filter(|entry| entry.who == who).filter_map(|entry| match &entry.what {
        What::Heard(media) => Some(media.as_slice()),
        _ => None,
    });
    media.collect::<Vec<_>>().concat()
}
