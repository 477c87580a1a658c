//! ARI: requests, and the events of one Stasis application.

use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::http::UpgradeRequest;
use super::stream::Stream;
use super::wait;

const USER: &str = "harness";

#[derive(Debug, Default)]
struct Inbox {
    events: Mutex<Vec<Value>>,
    arrival: Condvar,
}

/// A Stasis application and the means to make requests.
#[derive(Debug)]
pub struct Ari {
    /// The application's name.
    pub app: String,
    root: String,
    agent: ureq::Agent,
    inbox: Arc<Inbox>,
    stream: Stream,
}

/// An answer to a request.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, null if there is none.
    pub body: Value,
}

impl Answer {
    /// The body of a request that has to succeed.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "ARI answered {}: {}", self.status, self.body);
        self.body
    }
}

/// A request's parameters.
pub type Parameters<'a> = &'a [(&'a str, &'a str)];

impl Ari {
    /// Registers the application and begins to receive its events. `root` is empty or the HTTP server's prefix.
    pub(super) fn new(address: SocketAddr, root: &str, app: &str) -> Self {
        let target = format!("{root}/ari/events?app={app}&api_key={USER}:{USER}");
        let request = UpgradeRequest::new(&target).without("Sec-WebSocket-Protocol");
        let response = Stream::tcp(address).and_then(|stream| request.send(stream)).expect("ARI events");
        assert!(response.status == 101, "ARI events: {}", response.status);
        let stream = response.stream.try_clone().expect("stream");
        response.stream.set_timeout(None).expect("timeout");
        let socket = WebSocket::from_partially_read(response.stream, response.leftover, Role::Client, None);
        let inbox = Arc::<Inbox>::default();
        let receiver = Arc::clone(&inbox);
        thread::Builder::new().name("ari".into()).spawn(move || receive(socket, &receiver)).expect("thread");
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Self {
            app: app.into(),
            root: format!("http://{address}{root}/ari"),
            agent: config.into(),
            inbox,
            stream,
        }
    }

    /// POST with parameters in the query.
    #[track_caller]
    pub fn post(&self, path: &str, parameters: Parameters<'_>) -> Answer {
        self.post_json(path, parameters, &Value::Null)
    }

    /// POST with a JSON body besides.
    #[track_caller]
    pub fn post_json(&self, path: &str, parameters: Parameters<'_>, body: &Value) -> Answer {
        let mut request = self.agent.post(format!("{}/{path}", self.root)).header("Authorization", basic());
        for (name, value) in parameters {
            request = request.query(*name, *value);
        }
        let answer = if body.is_null() {
            request.send_empty()
        } else {
            request.header("Content-Type", "application/json").send(body.to_string())
        };
        read(path, answer)
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str, parameters: Parameters<'_>) -> Answer {
        let mut request = self.agent.get(format!("{}/{path}", self.root)).header("Authorization", basic());
        for (name, value) in parameters {
            request = request.query(*name, *value);
        }
        read(path, request.call())
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str, parameters: Parameters<'_>) -> Answer {
        let mut request = self.agent.delete(format!("{}/{path}", self.root)).header("Authorization", basic());
        for (name, value) in parameters {
            request = request.query(*name, *value);
        }
        read(path, request.call())
    }

    /// A channel's variable or function; `None` if it is not set or the channel is gone.
    pub fn variable(&self, channel: &str, name: &str) -> Option<String> {
        let answer = self.get(&format!("channels/{channel}/variable"), &[("variable", name)]);
        let value = (answer.status == 200).then(|| answer.body["value"].as_str().map(str::to_owned));
        value.flatten()
    }

    /// Sets a channel's variable.
    #[track_caller]
    pub fn set_variable(&self, channel: &str, name: &str, value: &str) {
        let path = format!("channels/{channel}/variable");
        self.post(&path, &[("variable", name), ("value", value)]).ok();
    }

    /// A bridge of type `mixing` with these channels. Returns its id.
    #[track_caller]
    pub fn bridge(&self, channels: &[&str]) -> String {
        let bridge = self.post("bridges", &[("type", "mixing")]).ok();
        let id = bridge["id"].as_str().expect("bridge id").to_owned();
        for channel in channels {
            self.post(&format!("bridges/{id}/addChannel"), &[("channel", channel)]).ok();
        }
        for channel in channels {
            self.wait("ChannelEnteredBridge", |event| {
                event["bridge"]["id"] == *id && event["channel"]["id"] == **channel
            });
        }
        id
    }

    /// Hangs a channel up.
    #[track_caller]
    pub fn hangup(&self, channel: &str) {
        self.delete(&format!("channels/{channel}"), &[]).ok();
    }

    /// Waits for an event of this type that `wanted` accepts. It may have come before.
    #[track_caller]
    pub fn wait(&self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        match self.find(kind, wait::PATIENCE, wanted) {
            Some(event) => event,
            None => panic!("no {kind} came; there were {}", self.summary()),
        }
    }

    /// Waits for an event that is about this channel.
    #[track_caller]
    pub fn wait_channel(&self, kind: &str, channel: &str) -> Value {
        self.wait(kind, |event| event["channel"]["id"] == *channel)
    }

    /// Like [`Ari::wait`], for what may not come.
    pub fn find(&self, kind: &str, timeout: Duration, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + timeout;
        let mut events = self.inbox.events.lock().expect("events");
        loop {
            if let Some(event) = events.iter().find(|event| event["type"] == *kind && wanted(event)) {
                return Some(event.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            events = self.inbox.arrival.wait_timeout(events, left).expect("events").0;
        }
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        self.inbox.events.lock().expect("events").clone()
    }

    fn summary(&self) -> String {
        let events = self.events();
        let words = events.iter().map(|event| {
            let kind = event["type"].as_str().unwrap_or_default();
            format!("{kind} {}", event["channel"]["name"].as_str().unwrap_or_default())
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

impl Drop for Ari {
    fn drop(&mut self) {
        self.stream.shutdown(Shutdown::Both);
    }
}

fn receive(mut socket: WebSocket<Stream>, inbox: &Inbox) {
    while let Ok(message) = socket.read() {
        if let Message::Text(text) = message {
            let event = serde_json::from_str(text.as_str()).expect("an ARI event");
            inbox.events.lock().expect("events").push(event);
            inbox.arrival.notify_all();
        }
    }
}

fn basic() -> String {
    use base64::Engine as _;
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{USER}"));
    format!("Basic {credentials}")
}

#[track_caller]
fn read(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.unwrap_or_else(|err| panic!("ARI {path}: {err}"));
    let text = answer.body_mut().read_to_string().unwrap_or_else(|err| panic!("ARI {path}: {err}"));
    Answer { status: answer.status().as_u16(), body: serde_json::from_str(&text).unwrap_or(Value::Null) }
}
