//! The examples for the rest of the call. One logs the states of its call and transfers the caller; one presses keys in
//! a menu. Both exist in Python and in Node.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::super::harness::call::Call;
use super::super::harness::program::Program;
use super::super::harness::{Context, Suite, ports, wait};
use super::{ONLY_OURS, instance};

const LANGUAGES: [(&str, &str); 2] = [("python", "py"), ("node", "js")];

pub fn tests(suite: &mut Suite) {
    let config = || instance().our_file("chan_websocket.conf", "[global]\ntransfer_contexts = agents\n");
    for (language, ending) in LANGUAGES {
        let script = |name: &str| format!("examples/{language}/{name}.{ending}");
        let mut ours = |name: &str, what: &str, body: fn(&Context, &str)| {
            let script = script(what);
            suite
                .ours(format!("around/example/{language}/{name}"), ONLY_OURS, move |t| body(t, &script))
                .shares("around_examples", config);
        };
        ours("transfer", "transfer", transfer);
        ours("menu", "menu", menu);
        ours("menu_stopped", "menu", menu_stopped);
        for name in ["transfer", "menu"] {
            ours(&format!("length/{name}"), name, |_, script| {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
                let lines = fs::read_to_string(path).expect(script).lines().count();
                assert!(lines < 150, "{script} has {lines} lines");
            });
        }
    }
}

/// An example that Asterisk connects to.
struct Served {
    app: Program,
    /// The dial string.
    dial: String,
    _folder: TempDir,
}

impl Served {
    #[track_caller]
    fn new(t: &Context, script: &str, arguments: &[&str]) -> Self {
        let (client, port) = (t.unique("client"), ports::free());
        let address = format!("127.0.0.1:{port}");
        let folder = tempfile::tempdir().expect("a folder");
        let app = Program::start(script, &[&[&*address], arguments].concat(), folder.path());
        wait::until("the application listens", || TcpStream::connect(&address).is_ok());
        let uri = format!("ws://{address}/media");
        t.asterisk.add_client(&client, &[("uri", &uri), ("protocols", "media")]);
        Self { app, dial: format!("WebSocket/{client}/c(ulaw)f(json)"), _folder: folder }
    }

    /// A caller in Dial(), and the name of the channel that Dial() made.
    #[track_caller]
    fn called<'t>(&self, t: &'t Context) -> (Call<'t>, String) {
        let caller = t
            .call(&format!("Local/at{}@harness/n", t.ari().app))
            .formats("ulaw")
            .variable("CALLERID(name)", "Ann")
            .variable("CALLERID(num)", "100")
            .dials(&self.dial, "10", "")
            .originate();
        let keys = t.ari().wait("StasisStart", |event| event["args"] == json!(["station"]));
        let keys = keys["channel"]["id"].as_str().expect("an id").to_owned();
        t.ari().post(&format!("channels/{keys}/answer"), &[]).ok();
        (caller, keys)
    }
}

fn press(t: &Context, channel: &str, digit: &str) {
    t.ari().post(&format!("channels/{channel}/dtmf"), &[("dtmf", digit)]).ok();
}

fn transfer(t: &Context, script: &str) {
    let served = Served::new(t, script, &[]);
    let (caller, keys) = served.called(t);
    served.app.wait_line("with Ann, number 100");
    t.ari().wait_channel("ChannelEnteredBridge", &caller.id);
    press(t, &keys, "0");
    served.app.wait_line("transfer to 200: success");
    served.app.wait_line("by core");
    served.app.wait_line("closed, code 1000");
    super::transfer::arrives(t, &caller.id, "200");
}

/// A caller in a menu. The menu is another application, which hears the digits.
fn menu(t: &Context, script: &str) {
    let served = Served::new(t, script, &["1w2#"]);
    let caller = t.call("WebSocket/INCOMING/c(ulaw)f(json)").dials(&served.dial, "10", "").originate();
    let ear = caller.connect();
    ear.expect_media_start();
    for digit in ["1", "2", "#"] {
        assert_eq!(ear.expect_event("DTMF_END").get("digit"), digit);
    }
    served.app.wait_line("bridged");
    served.app.wait_line("all keys pressed");
    caller.hangup();
    served.app.wait_line("closed, code 1000");
}

/// The other side presses a key.
fn menu_stopped(t: &Context, script: &str) {
    let served = Served::new(t, script, &["1wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww2"]);
    let (caller, keys) = served.called(t);
    served.app.wait_line("bridged");
    t.ari().wait("ChannelDtmfReceived", |event| event["channel"]["id"] == *keys && event["digit"] == "1");
    press(t, &keys, "5");
    served.app.wait_line("stopped after 1 keys");
    caller.hangup();
    served.app.wait_line("closed, code 1000");
}
