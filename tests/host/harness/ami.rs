//! AMI: a login over TCP, actions, and the events that arrive between their responses.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::wait;

static ACTIONS: AtomicU32 = AtomicU32::new(0);

/// One block of headers: a response or an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block(Vec<(String, String)>);

impl Block {
    /// The value of a header, or "" if the block does not have it.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The values of a header that may occur more than once.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header's value as a number.
    #[track_caller]
    pub fn number(&self, name: &str) -> f64 {
        self.get(name).parse().unwrap_or_else(|_| panic!("{name} is no number in {self:?}"))
    }

    /// The names of the headers.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

#[derive(Debug, Default)]
struct Inbox {
    blocks: Mutex<Vec<Block>>,
    arrival: Condvar,
}

/// A session.
#[derive(Debug)]
pub struct Ami {
    stream: TcpStream,
    inbox: Arc<Inbox>,
}

impl Ami {
    /// Logs in as a user of the harness's manager.conf.
    #[track_caller]
    pub(super) fn login(address: SocketAddr, user: &str) -> Self {
        let stream = TcpStream::connect(address).expect("AMI");
        let inbox = Arc::<Inbox>::default();
        let (receiver, reading) = (Arc::clone(&inbox), stream.try_clone().expect("stream"));
        thread::Builder::new().name("ami".into()).spawn(move || receive(reading, &receiver)).expect("thread");
        let ami = Self { stream, inbox };
        let answer = ami.action("Login", &[("Username", user), ("Secret", user)]);
        assert_eq!(answer.get("Response"), "Success", "{answer:?}");
        ami
    }

    /// Does an action and waits for its response.
    #[track_caller]
    pub fn action(&self, name: &str, headers: &[(&str, &str)]) -> Block {
        let id = format!("action-{}", ACTIONS.fetch_add(1, Ordering::Relaxed));
        self.action_with_id(name, &id, headers)
    }

    /// Like [`Ami::action`], with an ActionID that the test chooses.
    #[track_caller]
    pub fn action_with_id(&self, name: &str, id: &str, headers: &[(&str, &str)]) -> Block {
        let mut text = format!("Action: {name}\r\nActionID: {id}\r\n");
        for (header, value) in headers {
            text.push_str(&format!("{header}: {value}\r\n"));
        }
        text.push_str("\r\n");
        (&self.stream).write_all(text.as_bytes()).expect("AMI");
        self.wait(&format!("the response to {name}"), |block| {
            block.get("ActionID") == id && !block.get("Response").is_empty()
        })
    }

    /// Does an action that is answered with a list. Returns the response, the events of the list and the event that
    /// completes it.
    #[track_caller]
    pub fn list(&self, name: &str, headers: &[(&str, &str)]) -> (Block, Vec<Block>, Block) {
        let id = format!("list-{}", ACTIONS.fetch_add(1, Ordering::Relaxed));
        let response = self.action_with_id(name, &id, headers);
        let complete = self.wait("the list's end", |block| {
            block.get("ActionID") == id && block.get("EventList") == "Complete"
        });
        let blocks = self.inbox.blocks.lock();
        let of_list = blocks.iter().filter(|block| block.get("ActionID") == id);
        let events = of_list.filter(|block| **block != response && **block != complete).cloned().collect();
        (response, events, complete)
    }

    /// Waits for an event about this channel. It may already have arrived.
    #[track_caller]
    pub fn event(&self, name: &str, uniqueid: &str) -> Block {
        self.wait(name, |block| block.get("Event") == name && block.get("Uniqueid") == uniqueid)
    }

    /// Waits for a block that `wanted` accepts.
    #[track_caller]
    pub fn wait(&self, what: &str, wanted: impl Fn(&Block) -> bool) -> Block {
        match self.find(wait::PATIENCE, wanted) {
            Some(block) => block,
            None => panic!("AMI: no {what} came"),
        }
    }

    /// Like [`Ami::wait`], for a block that may not come.
    pub fn find(&self, timeout: Duration, wanted: impl Fn(&Block) -> bool) -> Option<Block> {
        let deadline = Instant::now() + timeout;
        let mut blocks = self.inbox.blocks.lock();
        loop {
            if let Some(block) = blocks.iter().find(|block| wanted(block)) {
                return Some(block.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            self.inbox.arrival.wait_for(&mut blocks, left);
        }
    }

    /// The names of all events about this channel that the module has raised so far.
    pub fn own_events(&self, uniqueid: &str) -> Vec<String> {
        let blocks = self.inbox.blocks.lock();
        let own = blocks
            .iter()
            .filter(|block| block.get("Uniqueid") == uniqueid && block.get("Event").starts_with("WebSocket"));
        own.map(|block| block.get("Event").to_owned()).collect()
    }
}

impl Drop for Ami {
    fn drop(&mut self) {
        // The session may have ended already.
        let _ = (&self.stream).write_all(b"Action: Logoff\r\n\r\n");
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn receive(stream: TcpStream, inbox: &Inbox) {
    let mut block = Block::default();
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        if line.is_empty() {
            inbox.blocks.lock().push(std::mem::take(&mut block));
            inbox.arrival.notify_all();
        } else if let Some((name, value)) = line.split_once(':') {
            // The greeting has no colon and belongs to no block.
            block.0.push((name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()));
        }
    }
}
