//! The example that logs the states of its call and hands the caller on.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use serde_json::json;

use super::super::harness::program::Program;
use super::super::harness::{Context, Suite, ports, wait};
use super::{ONLY_OURS, instance};

const SCRIPT: &str = "examples/python/transfer.py";

pub fn tests(suite: &mut Suite) {
    let config = instance().our_file("chan_websocket.conf", "[global]\ntransfer_contexts = agents\n");
    suite.ours("around/example/transfer", ONLY_OURS, transfer).private_with(config);
    suite.ours("around/example/length", ONLY_OURS, |_| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT)).expect(SCRIPT);
        assert!(text.lines().count() < 150, "{SCRIPT} has {} lines", text.lines().count());
    });
}

fn transfer(t: &Context) {
    let (client, port) = (t.unique("client"), ports::free());
    let address = format!("127.0.0.1:{port}");
    let folder = tempfile::tempdir().expect("a folder");
    let app = Program::start(SCRIPT, &[&address], folder.path());
    wait::until("the application listens", || TcpStream::connect(&address).is_ok());
    t.asterisk.add_client(&client, &[("uri", &format!("ws://{address}/media")), ("protocols", "media")]);
    let caller = t
        .call(&format!("Local/at{}@harness/n", t.ari().app))
        .formats("ulaw")
        .variable("CALLERID(name)", "Ann")
        .variable("CALLERID(num)", "100")
        .dials(&format!("WebSocket/{client}/c(ulaw)f(json)"), "10", "")
        .originate();
    let keys = t.ari().wait("StasisStart", |event| event["args"] == json!(["station"]));
    let keys = keys["channel"]["id"].as_str().expect("an id").to_owned();
    t.ari().post(&format!("channels/{keys}/answer"), &[]).ok();
    app.wait_line("with Ann, number 100");
    t.ari().wait_channel("ChannelEnteredBridge", &caller.id);
    t.ari().post(&format!("channels/{keys}/dtmf"), &[("dtmf", "0")]).ok();
    app.wait_line("transfer to 200: success");
    app.wait_line("by core");
    app.wait_line("closed, code 1000");
    super::transfer::arrives(t, &caller.id, "200");
}
