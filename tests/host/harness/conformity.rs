//! Checks that the messages of one connection, in a call in JSON, fit docs/schema, in both directions.
//!
//! Each event must fit. A command must either fit its schema and not be refused for its form, or not fit and be
//! refused. An ERROR does not always say which command it is about, so they are counted. A test that sends a command
//! that fits no schema but is accepted uses [`App::send_tolerated`](super::App::send_tolerated).

use std::collections::BTreeSet;
use std::mem;

use parking_lot::Mutex;
use serde_json::Value;

use super::event::{Event, Format};
use super::schema::{COMMANDS, EVENTS, Messages};

/// What was checked on all connections of this process.
static SEEN: Mutex<[Seen; 2]> = Mutex::new([Seen::NOTHING, Seen::NOTHING]);

#[derive(Debug)]
struct Seen {
    names: BTreeSet<String>,
    count: usize,
}

impl Seen {
    const NOTHING: Self = Self { names: BTreeSet::new(), count: 0 };

    fn note(&mut self, name: &str) {
        self.count += 1;
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
    }
}

/// The account of one connection.
#[derive(Debug, Default)]
pub struct Conformity(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    /// The format of the call; unknown before the first event.
    format: Option<Format>,
    /// The messages that were sent before the first event.
    early: Vec<Sent>,
    /// Commands that fit no schema.
    unfit: Vec<String>,
    /// ERRORs that only a command of a wrong form gets.
    refused: usize,
    /// ERRORs that such a command may get instead, because of its length or the mode of its call.
    passed_over: usize,
    /// Arbitrary bytes were sent, or ERRORs may come that belong to another connection: nothing can be concluded.
    is_blind: bool,
    faults: Vec<String>,
}

#[derive(Debug)]
struct Sent {
    text: String,
    tolerated: bool,
}

impl Conformity {
    /// A text message is about to be sent. `tolerated`: it fits no schema but is accepted.
    pub fn sent(&self, text: &str, tolerated: bool) {
        let mut account = self.0.lock();
        let sent = |text: &str| Sent { text: text.to_owned(), tolerated };
        match account.format {
            None => account.early.push(sent(text)),
            Some(Format::Json) => account.command(&sent(text)),
            Some(Format::PlainText) => {}
        }
    }

    /// Arbitrary bytes are about to be sent.
    pub fn sent_raw(&self) {
        self.0.lock().is_blind = true;
    }

    /// An event was received.
    pub fn received(&self, event: &Event) {
        self.0.lock().event(event);
    }

    /// Whether a command that fits no schema still waits for its ERROR.
    pub fn waits(&self) -> bool {
        let account = self.0.lock();
        !account.is_blind && account.unfit.len() > account.refused + account.passed_over
    }

    /// The violations found. `is_over`: all answers have arrived.
    pub fn faults(&self, is_over: bool) -> Vec<String> {
        let accepted = is_over && self.waits();
        let mut account = self.0.lock();
        let mut faults = mem::take(&mut account.faults);
        if accepted {
            let all = account.unfit.join("\n");
            faults.push(format!("of these commands, which fit no schema, not all were refused:\n{all}"));
        }
        faults
    }
}

impl Account {
    fn command(&mut self, sent: &Sent) {
        // The module strips the same characters.
        let text = sent.text.trim_matches(|c| c <= ' ');
        let fits = match serde_json::from_str::<Value>(text) {
            Ok(command) => check(&COMMANDS, "command", 0, &command),
            Err(why) => Err(why.to_string()),
        };
        match (fits, sent.tolerated) {
            (Ok(()), false) | (Err(_), true) => {}
            (Ok(()), true) => self.faults.push(format!("sent as tolerated, but it fits its schema: {text}")),
            (Err(why), false) => self.unfit.push(format!("{}: {why}", excerpt(text))),
        }
    }

    fn event(&mut self, event: &Event) {
        if self.format.is_none() {
            // The first event in a carrier's dialect is another one.
            let is_json = event.name == "MEDIA_START" && event.format() == Format::Json;
            self.format = Some(if is_json { Format::Json } else { Format::PlainText });
            self.is_blind |= event.value("reconnected") == true;
            for sent in mem::take(&mut self.early) {
                if is_json {
                    self.command(&sent);
                }
            }
        }
        if self.format != Some(Format::Json) {
            return;
        }
        let parsed = serde_json::from_str(&event.raw).map_err(|why| why.to_string());
        if let Err(why) = parsed.and_then(|parsed| check(&EVENTS, "event", 1, &parsed)) {
            self.faults.push(format!("an event does not fit its schema: {}\n{why}", event.raw));
        }
        if event.name == "ERROR" {
            self.error(event);
        }
    }

    fn error(&mut self, event: &Event) {
        let text = event.get("error_text");
        self.refused += usize::from(is_about_form(&text));
        self.passed_over += usize::from(is_about_length_or_mode(&text));
        if self.refused > self.unfit.len() && !self.is_blind {
            self.is_blind = true;
            self.faults
                .push(format!("a command that fits its schema was refused for its form: {}", event.raw));
        }
    }
}

/// Checks a message of this `direction`, 0 or 1 in [`SEEN`].
fn check(messages: &Messages, key: &str, direction: usize, message: &Value) -> Result<(), String> {
    messages.check(message)?;
    SEEN.lock()[direction].note(message[key].as_str().unwrap_or_default());
    Ok(())
}

/// Whether only a command that fits no schema gets this `error_text`.
fn is_about_form(text: &str) -> bool {
    const FORMS: &[&str] = &[
        "Empty command",
        "Unable to parse JSON command",
        "JSON command is not an object",
        "JSON command requires a 'command' string",
        "Unknown command '",
        "requires a 'direction' parameter.",
        "is not a valid direction for SET_MEDIA_DIRECTION.",
        "; allowed: whole numbers from ",
        "; allowed: a string ",
        "; allowed: an array ",
        "; allowed: a JSON object ",
        "; allowed: the id of a MARK_MEDIA, a string ",
        " cannot be used together",
    ];
    FORMS.iter().any(|form| text.contains(form))
}

/// Such a command can fit its schema: schemas count characters, and the module counts bytes.
fn is_about_length_or_mode(text: &str) -> bool {
    let is_length =
        text.contains(" bytes exceeds the limit of ") || text.contains(" bytes; allowed: at most ");
    is_length
        || text.contains(" not supported in passthrough mode")
        || text.contains(" while media direction is ")
}

fn excerpt(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Says what was checked, at the end of a run.
pub fn summary() -> String {
    let seen = SEEN.lock();
    let [commands, events] = &*seen;
    let unseen = |messages: &Messages, seen: &Seen| {
        let names: Vec<_> = messages.names().filter(|name| !seen.names.contains(*name)).collect();
        if names.is_empty() { "all".to_owned() } else { format!("all but {}", names.join(", ")) }
    };
    format!(
        "fit docs/schema: {} commands ({}), {} events ({})\n",
        commands.count,
        unseen(&COMMANDS, commands),
        events.count,
        unseen(&EVENTS, events)
    )
}
