//! The example applications, started as in the README. They are one end of a bridge; the other end is a caller who
//! listens, speaks and presses keys.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use super::harness::call::Call;
use super::harness::program::Program;
use super::harness::{App, Context, InstanceConfig, Suite, ports, wait};
use super::media::noise;

pub fn tests(suite: &mut Suite) {
    for (name, script) in [("python", PYTHON), ("node", "examples/node/app.js"), ("rust", "examples/app.rs")]
    {
        suite.same(format!("examples/{name}/keys"), move |t| keys(t, script));
        suite.same(format!("examples/{name}/barge_in"), move |t| barge_in(t, script));
        suite.same(format!("examples/{name}/length"), move |_| length(script));
        if name != "rust" {
            suite.same(format!("examples/{name}/tone"), move |t| tone(t, script));
        }
    }
    suite.same("examples/asterisk", dialplan_and_ari).private_from(as_in_the_snippets);
}

const PYTHON: &str = "examples/python/app.py";

/// A caller, the application at the other end, and the working folder of the application.
struct Talk<'t> {
    caller: App,
    call: Call<'t>,
    app: Program,
    folder: TempDir,
    _caller: Call<'t>,
}

/// Which side connects, and what is played.
enum Start<'a> {
    Connect(Option<&'a [u8]>),
    Listen(&'a [u8]),
}

impl<'t> Talk<'t> {
    /// Bridges the two before the application is connected, so that the caller hears it from the beginning.
    #[track_caller]
    fn new(t: &'t Context, script: &str, start: &Start<'_>) -> Self {
        Program::prepare(script);
        let folder = tempfile::tempdir().unwrap();
        let recording = match start {
            Start::Connect(recording) => *recording,
            Start::Listen(recording) => Some(*recording),
        };
        if let Some(recording) = recording {
            fs::write(folder.path().join("prompt.ulaw"), recording).unwrap();
        }
        let run = |role: &str, address: &str| {
            let arguments = [role, address, "prompt.ulaw"];
            let count = if recording.is_some() { 3 } else { 2 };
            Program::start(script, &arguments[..count], folder.path())
        };
        let (calling, caller) = t.incoming_app("c(ulaw)");
        calling.wait_up();
        let create = |id: &str| {
            let call = t.call(&format!("WebSocket/{id}/c(ulaw)f(json)")).create();
            t.ari().bridge(&[&calling.id, &call.id]);
            call
        };
        let (call, app) = match start {
            Start::Connect(_) => {
                let call = create("INCOMING");
                call.dial();
                let path = t.asterisk.path(&format!("media/{}", call.connection_id()));
                let app = run("connect", &format!("ws://{}{path}", t.asterisk.http));
                (call, app)
            }
            Start::Listen(_) => {
                let client = t.unique("client");
                let port = ports::free();
                let address = format!("127.0.0.1:{port}");
                let uri = format!("ws://{address}/media");
                t.asterisk.add_client(&client, &[("uri", &uri), ("protocols", "media")]);
                let app = run("listen", &address);
                wait::until("the application listens", || is_listening(port));
                let call = create(&client);
                call.dial();
                (call, app)
            }
        };
        app.wait_line("<- {\"event\":\"MEDIA_START\"");
        Self { caller, call, app, folder, _caller: calling }
    }

    /// The caller presses a key.
    fn press(&self, t: &Context, digit: &str) {
        t.ari().post(&format!("channels/{}/dtmf", self.call.id), &[("dtmf", digit)]).ok();
    }

    /// Presses the key that hangs up. Returns the application's recording of the caller.
    #[track_caller]
    fn hang_up(&self, t: &Context) -> Vec<u8> {
        self.press(t, "#");
        self.app.wait_line("HANGUP");
        self.app.wait_line("closed, code 1000");
        let ending = self.call.ending();
        t.note(format!("{ending:?}"));
        fs::read(self.folder.path().join("heard-1.ulaw")).unwrap()
    }
}

/// An example must be short enough to be read in one sitting.
fn length(script: &str) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(script)).unwrap();
    assert!(text.lines().count() < 150, "{script} has {} lines", text.lines().count());
}

/// The files in examples/asterisk, with other ports.
fn as_in_the_snippets() -> InstanceConfig {
    let with_port = |text: &str, port: &str| {
        assert!(text.contains(port), "no {port} in the snippet");
        text.replace(port, &ports::free().to_string())
    };
    let client = with_port(include_str!("../../examples/asterisk/websocket_client.conf"), "8765");
    let dialplan = with_port(include_str!("../../examples/asterisk/extensions.conf"), "8766");
    ["res_curl", "func_curl", "func_uri"]
        .iter()
        .fold(InstanceConfig::new(), |config, module| config.module(module))
        .file("websocket_client.conf", &client)
        .dialplan(&dialplan)
}

/// The port after 127.0.0.1 in a snippet.
fn port_in(t: &Context, file: &str) -> u16 {
    let text = fs::read_to_string(t.asterisk.folder().join("etc").join(file)).unwrap();
    let (_, rest) = text.split_once("//127.0.0.1:").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// The dialplan and ARI, each with the application that listens and the one that connects.
fn dialplan_and_ari(t: &Context) {
    let folder = tempfile::tempdir().unwrap();
    // Too quiet to be taken for speech when it comes back.
    let recording: Vec<u8> = noise(4000).iter().map(|byte| byte | 0x78).collect();
    fs::write(folder.path().join("prompt.ulaw"), &recording).unwrap();
    let start = |arguments: &[&str]| Program::start(PYTHON, arguments, folder.path());
    let port = port_in(t, "websocket_client.conf");
    let server = start(&["listen", &format!("127.0.0.1:{port}"), "prompt.ulaw"]);
    wait::until("the application listens", || is_listening(port));
    let announcements = TcpListener::bind(("127.0.0.1", port_in(t, "extensions.conf"))).unwrap();
    let http = format!("http://{}", t.asterisk.http);
    let ari = Program::start("examples/asterisk/ari.py", &[&http, "harness", "harness"], folder.path());
    ari.wait_line("ready");

    for extension in ["100", "101", "102", "103"] {
        let endpoint = format!("Local/{extension}@websocket-examples");
        let caller = t.call(&endpoint).formats("ulaw").extension("echo").originate();
        let uri = match extension {
            "101" => Some(format!("ws://{}/media/{}", t.asterisk.http, announced_id(&announcements))),
            "103" => Some(ari.wait_line("connect to ").replace("connect to ", "")),
            _ => None,
        };
        let client = uri.map(|uri| start(&["connect", &uri, "prompt.ulaw"]));
        let app = client.as_ref().unwrap_or(&server);
        app.wait_line("MEDIA_START");
        app.wait_line("MEDIA_BUFFERING_COMPLETED");
        // Additional time for media that is still in transit.
        std::thread::sleep(std::time::Duration::from_millis(300));
        caller.hangup();
        let number: String =
            app.wait_line("closed, code 1000").chars().filter(char::is_ascii_digit).collect();
        let heard = fs::read(folder.path().join(format!("heard-{}.ulaw", &number[..1]))).unwrap();
        // Media from before the bridge and the echo exist is lost.
        let wanted = &recording[3 * recording.len() / 4..];
        let echoed = heard.windows(wanted.len()).any(|part| part == wanted);
        assert!(echoed, "{extension}: {} bytes were heard, the recording is not in them", heard.len());
        if extension > "101" {
            ari.wait_line(": ended");
        }
    }
    wait::until("nothing is left", || t.asterisk.cli("core show channels concise").trim().is_empty());
    assert!(!t.asterisk.cli("bridge show all").contains("bridge-"));
}

/// Takes one announcement of a channel that waits for its application.
fn announced_id(listener: &TcpListener) -> String {
    listener.set_nonblocking(true).unwrap();
    let connection = wait::poll(wait::PATIENCE, || listener.accept().ok());
    let (mut stream, _) = connection.expect("no channel was announced");
    stream.set_nonblocking(false).unwrap();
    let mut request = String::new();
    while !request.contains("&channel=") {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "an incomplete request: {request}");
        request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
    let (_, id) = request.split_once("id=").unwrap();
    id.split('&').next().unwrap().to_owned()
}

/// Whether 127.0.0.1 has a listener on this port, by the kernel's table: a connection would be a call for the
/// application.
pub fn is_listening(port: u16) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!("0100007F:{port:04X}");
    table.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(&local) && words.nth(1) == Some("0A")
    })
}

/// Silence in ulaw, and a sample that an application takes for speech.
const SILENCE: u8 = 0xff;
const LOUD: u8 = 0x90;

/// The application greets, reports when half of it has been heard, plays again, hangs up, and has recorded the caller.
fn keys(t: &Context, script: &str) {
    let recording = noise(4000);
    let talk = Talk::new(t, script, &Start::Connect(Some(&recording)));
    let said = [&[SILENCE; 800][..], &[0xe7; 800]].concat();
    talk.caller.send_media(&said);
    for id in ["1", "2"] {
        talk.app.wait_line("START_MEDIA_BUFFERING");
        assert!(talk.app.wait_line("MEDIA_MARK_PROCESSED").contains("\"half\""));
        let completed = talk.app.wait_line("MEDIA_BUFFERING_COMPLETED");
        assert!(completed.contains(&format!("\"correlation_id\":\"{id}\"")), "{completed}");
        assert_eq!(talk.caller.collect_media(recording.len()), recording);
        if id == "1" {
            talk.press(t, "1");
        }
    }
    assert_eq!(talk.hang_up(t), said);
}

/// A recording that is too long for the queue stops when the caller speaks, and not before.
fn barge_in(t: &Context, script: &str) {
    let recording = noise(250_000);
    let talk = Talk::new(t, script, &Start::Listen(&recording));
    talk.app.wait_line("MEDIA_XOFF");
    talk.caller.send_media(&[SILENCE; 3200]);
    talk.app.wait_line("MEDIA_XON");
    talk.caller.send_media(&[LOUD; 3200]);
    talk.app.wait_line("FLUSH_MEDIA");
    if t.is_ours() {
        talk.app.wait_line(" ms were heard");
    }
    // The rest of the loud part would stop the next recording, too.
    talk.caller.command("REPORT_QUEUE_DRAINED");
    talk.caller.expect_event("QUEUE_DRAINED");
    std::thread::sleep(std::time::Duration::from_millis(500));
    // A key stops it as well.
    talk.press(t, "1");
    talk.app.wait_line("START_MEDIA_BUFFERING");
    talk.press(t, "5");
    talk.app.wait_line("FLUSH_MEDIA");
    let heard = talk.hang_up(t);
    assert_eq!(heard, [&[SILENCE; 3200][..], &[LOUD; 3200]].concat());
    assert_eq!(talk.caller.collect_media(8000), recording[..8000]);
}

/// An application without a recording plays a tone.
fn tone(t: &Context, script: &str) {
    let talk = Talk::new(t, script, &Start::Connect(None));
    let heard = talk.caller.collect_media(8000);
    // 400 Hz, 20 samples.
    assert!(heard.windows(21).all(|period| period[0] == period[20]));
    let differing: std::collections::BTreeSet<u8> = heard.iter().copied().collect();
    assert!(differing.len() > 6, "{differing:?}");
    talk.app.wait_line("MEDIA_BUFFERING_COMPLETED");
    talk.hang_up(t);
}
