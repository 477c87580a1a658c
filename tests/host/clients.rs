//! Apps on WebSocket libraries that share no code with ours: Python's `websockets`, autobahn, and Node's `ws`. The apps
//! are in `tests/clients`; `scripts/clients` installs what they need.
//!
//! The one argument of an app is a JSON object that says what to do. It prints its results as one JSON object per line:
//!
//! | key | meaning |
//! | --- | --- |
//! | `role` | `connect`: it connects to `uri`. `listen`: it listens on a free port. `dial_event`: see below |
//! | `tls` | whether it uses TLS: as a client with `ca`, as a server with `cert` and `key` |
//! | `media` | a file with the media that it sends |
//! | `json` | whether the call's commands and events are in JSON |
//! | `steps` | the steps of the app, in order: `fragments`, `burst`, `flow` |
//! | `scenario` | the same for the app on autobahn: `basic`, `flow` |
//!
//! | line | meaning |
//! | --- | --- |
//! | `listening` | the port |
//! | `subscribed` | it gets ARI's events |
//! | `opened`, `extensions` | the connection is up, with this subprotocol and these extensions |
//! | `event` | an event, as received |
//! | `compared`, `sent`, `heard`, `same` | a step's media in bytes, and whether it heard all that it sent |
//! | `closed` | the connection is closed, with this code from Asterisk |

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::harness::event::Event;
use super::harness::program::Program;
use super::harness::{Context, Suite, sandbox};
use super::media::noise;

pub fn tests(suite: &mut Suite) {
    for role in [Role::Connect, Role::Listen] {
        for library in [WEBSOCKETS, WS] {
            let name = |tls| format!("clients/{}/{}/{}", library.name, role.name(), scheme(tls));
            suite.same(name(false), move |t| talk(t, library, role, false));
            suite.ours(name(true), STALLS, move |t| talk(t, library, role, true));
        }
        let name = |scenario, tls| format!("clients/autobahn/{scenario}/{}/{}", role.name(), scheme(tls));
        suite.differs(name("basic", false), "4", move |t| basic(t, role, false));
        suite.ours(name("basic", true), STALLS, move |t| basic(t, role, true));
        suite.differs(name("flow", false), "8", move |t| flow(t, role, false));
        suite.ours(name("flow", true), STALLS, move |t| flow(t, role, true));
    }
    suite.differs("clients/autobahn/dial_event", "4", dial_event).private();
}

const STALLS: &str = "the C module stops where several messages come in one TLS record (3)";

/// A WebSocket library, and the app that uses it.
#[derive(Debug, Clone, Copy)]
struct Library {
    name: &'static str,
    app: &'static str,
    json: bool,
}

const WEBSOCKETS: Library = Library { name: "websockets", app: "app_websockets.py", json: true };
const WS: Library = Library { name: "ws", app: "app_ws.js", json: false };
const AUTOBAHN: Library = Library { name: "autobahn", app: "app_autobahn.py", json: false };

/// Which side connects, as the app sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Connect,
    Listen,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Listen => "listen",
        }
    }
}

fn scheme(tls: bool) -> &'static str {
    if tls { "wss" } else { "ws" }
}

/// The size of what the apps send: not a multiple of a frame, a message or a fragment.
const MEDIA_BYTES: usize = 8_765;
const FRAME_BYTES: usize = 160;

/// A call to an extension that plays back what it hears, without waiting for that: fragmented messages, a burst, flow
/// control, and an orderly end. Both libraries offer permessage-deflate unless told otherwise.
fn talk(t: &Context, library: Library, role: Role, tls: bool) {
    // With the C module playback stops for good when several messages come in one TLS record.
    let steps =
        if tls && !t.is_ours() { &["fragments", "flow"][..] } else { &["fragments", "burst", "flow"] };
    let format = if library.json { "f(json)" } else { "" };
    let job = json!({ "json": library.json, "steps": steps });
    let mut ended = run(t, library, role, tls, format, &noise(MEDIA_BYTES), job);
    for step in ["fragments", "burst"] {
        assert_eq!(ended.compared.remove(step), Some(compared(t)), "{step}");
    }
    // How often the app asked until the queue was full depends on timing.
    ended.events.retain(|event| event.name != "STATUS");
    for event in ended.events {
        t.note(event.raw);
    }
}

/// The expected result of a comparison. The last frame is filled up with silence; with the C module it is short.
fn compared(t: &Context) -> Compared {
    let heard = t.either(MEDIA_BYTES, MEDIA_BYTES.next_multiple_of(FRAME_BYTES));
    Compared { sent: MEDIA_BYTES, heard, same: true }
}

/// The basic calls of Asterisk's test suite. An app that connects sends its messages in fragments of 500 bytes.
fn basic(t: &Context, role: Role, tls: bool) {
    let job = json!({ "scenario": "basic" });
    check_basic(t, run(t, AUTOBAHN, role, tls, "", &noise(MEDIA_BYTES), job));
}

fn check_basic(t: &Context, mut ended: Ended) {
    assert_eq!(ended.compared.remove("basic"), Some(compared(t)));
    assert_eq!(ended.names(), ["MEDIA_START", "MEDIA_BUFFERING_COMPLETED"]);
}

/// Its test of flow control: an app that ignores MEDIA_XOFF.
fn flow(t: &Context, role: Role, tls: bool) {
    let job = json!({ "scenario": "flow" });
    let mut names = run(t, AUTOBAHN, role, tls, "", &noise(300_000), job).names();
    // Reading all of this takes long enough on a slow machine for a frame to be played and another message to be
    // accepted.
    names.dedup_by(|second, first| second == "ERROR" && first == "ERROR");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(names, t.either(FLOW_ORACLE, FLOW));
}

const FLOW: &[&str] = &["MEDIA_START", "MEDIA_XOFF", "ERROR", "MEDIA_XON", "QUEUE_DRAINED"];
/// The C module does not report that media was dropped.
const FLOW_ORACLE: &[&str] = &["MEDIA_START", "MEDIA_XOFF", "MEDIA_XON", "QUEUE_DRAINED"];

/// Like the test suite's inbound call: the CLI makes the call, and the app learns the connection id from ARI's event.
fn dial_event(t: &Context) {
    t.asterisk.write_config(
        "ari.conf",
        "[general]\nenabled = yes\nchannelvars = MEDIA_WEBSOCKET_CONNECTION_ID\n\
         [clients]\ntype = user\npassword = secret\n",
    );
    t.asterisk.cli("module reload res_ari.so");
    let http = t.asterisk.http;
    let job = json!({
        "scenario": "basic",
        "role": "dial_event",
        "tls": false,
        "ari": format!("ws://{http}{}?app=clients&subscribeAll=true", t.asterisk.path("ari/events")),
        "credentials": "clients:secret",
        "uri": format!("ws://{http}{}", t.asterisk.path("media/")),
    });
    let app = App::start(AUTOBAHN, &noise(MEDIA_BYTES), job);
    app.expect("subscribed");
    t.asterisk.cli("channel originate WebSocket/INCOMING/c(ulaw)n extension echo@harness");
    check_basic(t, app.end(t));
}

/// Runs an app through one call, and checks how the connection begins and ends.
fn run(
    t: &Context,
    library: Library,
    role: Role,
    tls: bool,
    options: &str,
    media: &[u8],
    mut job: Value,
) -> Ended {
    let etc = t.asterisk.folder().join("etc");
    let (cert, key) = (etc.join("server.crt"), etc.join("server.key"));
    job["tls"] = tls.into();
    job["role"] = role.name().into();
    let dial = |id: &str| {
        t.call(&format!("WebSocket/{id}/c(ulaw)n{options}")).formats("ulaw").extension("echo").originate()
    };
    let (app, call) = match role {
        Role::Connect => {
            let call = dial("INCOMING");
            let port = if tls { t.asterisk.https.port() } else { t.asterisk.http.port() };
            let path = t.asterisk.path(&format!("media/{}", call.connection_id()));
            job["uri"] = format!("{}://localhost:{port}{path}", scheme(tls)).into();
            job["ca"] = cert.to_str().into();
            (App::start(library, media, job), call)
        }
        Role::Listen => {
            job["cert"] = cert.to_str().into();
            job["key"] = key.to_str().into();
            let app = App::start(library, media, job);
            let port = app.expect("listening")["listening"].clone();
            let client = t.unique("client");
            t.name(&client, "client");
            let uri = format!("{}://127.0.0.1:{port}/media", scheme(tls));
            let ca = inside(&cert);
            let mut options = vec![("uri", uri.as_str()), ("protocols", "media")];
            if tls {
                options.extend([("tls_enabled", "yes"), ("ca_list_file", ca.to_str().unwrap())]);
            }
            t.asterisk.add_client(&client, &options);
            let call = dial(&client);
            (app, call)
        }
    };
    for (value, name) in [(&call.id, "channel_id"), (&call.name, "channel")] {
        t.name(value, name);
    }
    let ended = app.end(t);
    t.note(format!("cause {}", call.ending().cause));
    ended
}

/// A path as Asterisk sees it.
fn inside(path: &Path) -> PathBuf {
    Path::new("/").join(path.strip_prefix(sandbox::root()).unwrap())
}

// ---- the apps

/// A running app, with the file that it reads.
#[derive(Debug)]
struct App {
    program: Program,
    _media: NamedTempFile,
}

/// What an app has reported of its call.
#[derive(Debug)]
struct Ended {
    events: Vec<Event>,
    compared: BTreeMap<String, Compared>,
}

/// A comparison of what was sent with what was heard.
#[derive(Debug, PartialEq, Eq)]
struct Compared {
    sent: usize,
    heard: usize,
    same: bool,
}

impl Ended {
    fn names(&self) -> Vec<String> {
        self.events.iter().map(|event| event.name.clone()).collect()
    }
}

impl App {
    #[track_caller]
    fn start(library: Library, media: &[u8], mut job: Value) -> Self {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(media).unwrap();
        job["media"] = file.path().to_str().into();
        let script = format!("tests/clients/{}", library.app);
        let program = Program::start(&script, &[&job.to_string()], &std::env::temp_dir());
        Self { program, _media: file }
    }

    #[track_caller]
    fn line(&self) -> Value {
        let line = self.program.line();
        serde_json::from_str(&line).unwrap_or(Value::String(line))
    }

    /// The next line, which must be of this kind.
    #[track_caller]
    fn expect(&self, key: &str) -> Value {
        let line = self.line();
        if line.get(key).is_none() {
            self.program.fail(&format!("expected {key}, it said {line}"));
        }
        line
    }

    /// Reads its output to the end, which must be an orderly one.
    #[track_caller]
    fn end(mut self, t: &Context) -> Ended {
        let opened = self.expect("opened");
        assert_eq!(opened, json!({ "opened": "media", "extensions": [] }));
        let mut ended = Ended { events: Vec::new(), compared: BTreeMap::new() };
        let closed = loop {
            let line = self.line();
            if let Some(event) = line["event"].as_str() {
                let event = Event::parse(event);
                for key in
                    ["connection_id", "channel", "channel_id"].iter().filter(|_| event.name == "MEDIA_START")
                {
                    t.name(&event.get(key), key);
                }
                ended.events.push(event);
            } else if let Some(step) = line["compared"].as_str() {
                let count = |key: &str| line[key].as_u64().map_or(0, |count| count as usize);
                let compared =
                    Compared { sent: count("sent"), heard: count("heard"), same: line["same"] == true };
                ended.compared.insert(step.to_owned(), compared);
            } else {
                break line;
            }
        };
        // Asterisk's close frame answers the app's 1000 with this code.
        assert_eq!(closed["closed"], t.either(1001, 1000), "{closed}, after {:?}", ended.names());
        self.program.end();
        ended
    }
}
