//! ARI: requests, and the events of one Stasis application.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde_json::Value;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::http::UpgradeRequest;
use super::stream::Stream;
use super::wait;
use super::wire::Frame;

pub(super) const USER: &str = "harness";

#[derive(Debug, Default)]
struct Inbox {
    events: Mutex<Vec<Value>>,
    arrival: Condvar,
}

/// A Stasis application and the means to make requests. It is subscribed to all channels, those of other tests too: a
/// channel could be gone before a subscription to it.
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

    /// The channel is not, or not yet, in a Stasis application.
    fn is_too_early(&self) -> bool {
        matches!(self.status, 409 | 422) && self.body["message"] == "Channel not in Stasis application"
    }
}

/// A request's parameters.
pub type Parameters<'a> = &'a [(&'a str, &'a str)];

impl Ari {
    /// Registers the application and begins to receive its events. `path` is ARI's path on the HTTP server.
    pub(super) fn new(address: SocketAddr, path: &str, app: &str) -> Self {
        let inbox = Arc::<Inbox>::default();
        let receiver = Arc::clone(&inbox);
        let keep = move |event| {
            receiver.events.lock().push(event);
            receiver.arrival.notify_all();
        };
        Self::with_listener(address, path, app, inbox, keep)
    }

    /// Like [`Ari::new`], but `listener` gets the events, and no method can wait for one.
    pub(super) fn listening(
        address: SocketAddr,
        path: &str,
        app: &str,
        listener: impl Fn(Value) + Send + 'static,
    ) -> Self {
        Self::with_listener(address, path, app, Arc::default(), listener)
    }

    fn with_listener(
        address: SocketAddr,
        path: &str,
        app: &str,
        inbox: Arc<Inbox>,
        listener: impl Fn(Value) + Send + 'static,
    ) -> Self {
        let target = format!("{path}/events?app={app}&api_key={USER}:{USER}&subscribeAll=true");
        let request = UpgradeRequest::new(&target).without("Sec-WebSocket-Protocol");
        let response = Stream::tcp(address).and_then(|stream| request.send(stream)).expect("ARI events");
        assert!(response.status == 101, "ARI events: {}", response.status);
        let stream = response.stream.try_clone().expect("stream");
        response.stream.set_timeout(None).expect("timeout");
        let socket = WebSocket::from_partially_read(response.stream, response.leftover, Role::Client, None);
        thread::Builder::new().name("ari".into()).spawn(move || receive(socket, &listener)).expect("thread");
        let (root, agent) = (format!("http://{address}{path}"), agent(wait::PATIENCE));
        Self { app: app.into(), root, agent, inbox, stream }
    }

    /// POST with parameters in the query.
    #[track_caller]
    pub fn post(&self, path: &str, parameters: Parameters<'_>) -> Answer {
        self.request("POST", path, parameters, &Value::Null)
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str, parameters: Parameters<'_>) -> Answer {
        self.request("GET", path, parameters, &Value::Null)
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str, parameters: Parameters<'_>) -> Answer {
        self.request("DELETE", path, parameters, &Value::Null)
    }

    /// Any request, with a JSON body unless it is null. A channel enters its Stasis application a little after it is up, and
    /// ARI refuses to control it before: such a request is sent again when the channel is there.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, parameters: Parameters<'_>, body: &Value) -> Answer {
        let ask = || match self.try_request(method, path, parameters, body) {
            Ok(answer) => answer,
            Err(err) => panic!("ARI {method} {path}: {err}"),
        };
        let answer = ask();
        match controlled(path, parameters) {
            Some(channel) if answer.is_too_early() => {
                let is_start = |event: &Value| event["channel"]["id"] == *channel;
                self.find("StasisStart", wait::PATIENCE, is_start).map_or(answer, |_| ask())
            }
            _ => answer,
        }
    }

    /// Like [`Ari::request`], for an Asterisk that may be gone.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        parameters: Parameters<'_>,
        body: &Value,
    ) -> Result<Answer, ureq::Error> {
        let mut uri = format!("{}/{path}?api_key={USER}:{USER}", self.root);
        for (name, value) in parameters {
            uri.push_str(&format!("&{name}={}", encoded(value)));
        }
        let request = ureq::http::Request::builder().method(method).uri(uri);
        let mut answer = if body.is_null() {
            self.agent.run(request.body(())?)?
        } else {
            self.agent.run(request.header("Content-Type", "application/json").body(body.to_string())?)?
        };
        let text = answer.body_mut().read_to_string()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status: answer.status().as_u16(), body })
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
            // A channel that is up may not have entered its application yet.
            self.wait_channel("StasisStart", channel);
            self.post(&format!("bridges/{id}/addChannel"), &[("channel", channel)]).ok();
        }
        for channel in channels {
            self.wait("ChannelEnteredBridge", |event| {
                event["bridge"]["id"] == *id && event["channel"]["id"] == **channel
            });
        }
        id
    }

    /// Waits until the dialplan runs this application on a channel.
    #[track_caller]
    pub fn wait_application(&self, channel: &str, name: &str) {
        wait::until(name, || {
            let answer = self.get(&format!("channels/{channel}"), &[]);
            answer.body["dialplan"]["app_name"] == *name
        });
    }

    /// Hangs a channel up.
    #[track_caller]
    pub fn hangup(&self, channel: &str) {
        self.delete(&format!("channels/{channel}"), &[]).ok();
    }

    /// Waits until the channel's thread has done what ARI was asked to do to `channel` (`channels/<id>`). ARI answers a
    /// request for mute, hold or music when it is queued for that thread. It answers this request when the thread has
    /// done it.
    #[track_caller]
    pub fn settled(&self, channel: &str) {
        self.post(&format!("{channel}/variable"), &[("variable", "SETTLED"), ("value", "yes")]).ok();
    }

    /// Waits for an event of this type that `wanted` accepts. It may already have arrived.
    #[track_caller]
    pub fn wait(&self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        match self.find(kind, wait::PATIENCE, wanted) {
            Some(event) => event,
            None => panic!("no {kind} came"),
        }
    }

    /// Waits for an event that is about this channel.
    #[track_caller]
    pub fn wait_channel(&self, kind: &str, channel: &str) -> Value {
        self.wait(kind, |event| event["channel"]["id"] == *channel)
    }

    /// Like [`Ari::wait`], for an event that may not come.
    pub fn find(&self, kind: &str, timeout: Duration, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + wait::at_most(timeout);
        let mut seen = 0;
        let mut events = self.inbox.events.lock();
        loop {
            if let Some(event) = events[seen..].iter().find(|event| event["type"] == *kind && wanted(event)) {
                return Some(event.clone());
            }
            seen = events.len();
            let left = deadline.checked_duration_since(Instant::now())?;
            self.inbox.arrival.wait_for(&mut events, left);
        }
    }

    /// Waits for this many events of a type that `wanted` accepts. Each event is looked at once.
    #[track_caller]
    pub fn wait_many(&self, kind: &str, count: usize, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + 3 * wait::PATIENCE;
        let (mut found, mut seen) = (Vec::new(), 0);
        let mut events = self.inbox.events.lock();
        while found.len() < count {
            found.extend(
                events[seen..].iter().filter(|event| event["type"] == *kind && wanted(event)).cloned(),
            );
            seen = events.len();
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} {kind} came", found.len());
            if found.len() < count {
                self.inbox.arrival.wait_for(&mut events, left);
            }
        }
        found
    }

    /// All events received so far.
    pub fn events(&self) -> Vec<Value> {
        self.inbox.events.lock().clone()
    }
}

/// Makes requests, each on a separate connection and within this time. No status is an error.
pub(super) fn agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_idle_connections(0)
        .timeout_global(Some(wait::at_most(timeout)))
        .build();
    config.into()
}

impl Drop for Ari {
    fn drop(&mut self) {
        // Asterisk answers and ends the connection, which ends the reading thread.
        let _ = self.stream.write_all(&Frame::close(Some(1000), "").encode());
    }
}

fn receive(mut socket: WebSocket<Stream>, listener: &impl Fn(Value)) {
    while let Ok(message) = socket.read() {
        if let Message::Text(text) = message {
            listener(serde_json::from_str(text.as_str()).expect("an ARI event"));
        }
    }
}

/// The channel that a request controls or adds to a bridge.
fn controlled<'a>(path: &'a str, parameters: Parameters<'a>) -> Option<&'a str> {
    let added = || parameters.iter().find_map(|(name, value)| (*name == "channel").then_some(*value));
    path.strip_prefix("channels/").and_then(|rest| rest.split('/').next()).or_else(added)
}

/// Percent-encoded for a query.
pub(super) fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
