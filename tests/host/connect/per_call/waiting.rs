//! Dialplan functions that take time delay only their own call.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::super::super::harness::call::Call;
use super::super::super::harness::server::AppServer;
use super::super::super::harness::{Context, Suite, wait};
use super::{WHY, dial_string, with_functions};

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &str, body: fn(&Context)| {
        suite.ours(format!("connect/per_call/waiting/{name}"), WHY, body).shares("per_call", with_functions);
    };
    ours("others_go_on", others_go_on);
    ours("hung_up", hung_up);
    ours("masquerade", masquerade);
    ours("masquerade_and_hung_up", masquerade_and_hung_up);
}

/// A call that waits for the value of a header, until the file gets a byte.
struct Waiting<'t> {
    t: &'t Context,
    server: AppServer,
    fifo: File,
    path: PathBuf,
    caller: Call<'t>,
    /// The unique id of the WebSocket channel.
    id: String,
}

impl<'t> Waiting<'t> {
    fn begin(t: &'t Context) -> Self {
        let server = t.server(&[]);
        let name = format!("run/{}", server.client);
        let path = t.asterisk.folder().join(&name);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        // Both ends, so that opening it does not block.
        let fifo = File::options().read(true).write(true).open(&path).expect("fifo");
        let header = format!("X-Slow: ${{SHELL(head -c 4 {})}}", t.asterisk.inside(&name));
        let after = "X-After: ${MEDIA_WEBSOCKET_CONNECTION_ID} ${UNIQUEID} ${CONNECTEDLINE(num)}.";
        t.asterisk.add_connection(&server.client, &[("header", &header), ("header", after)]);
        let caller = super::super::caller(t, &server.client, "30");
        let prefix = format!("WebSocket/{}/", server.client);
        let channel = || {
            let channels = t.ari().get("channels", &[]).ok();
            let ours = channels
                .as_array()?
                .iter()
                .find(|one| one["name"].as_str().is_some_and(|n| n.starts_with(&prefix)))?;
            ours["id"].as_str().map(str::to_owned)
        };
        let id = wait::poll(wait::PATIENCE, channel).expect("its channel");
        let marker = path.to_str().expect("UTF-8").rsplit('/').next().expect("a name").to_owned();
        wait::until("the function runs", || is_running(&marker));
        Self { t, server, fifo, path, caller, id }
    }

    /// Sends the channel to the dialplan's Echo(), with a masquerade. Returns its name.
    fn move_to_echo(&self) -> String {
        let channel = self.t.ari().get(&format!("channels/{}", self.id), &[]).ok();
        let name = channel["name"].as_str().expect("a name");
        let answer = self.t.asterisk.cli(&format!("channel redirect {name} harness,echo,1"));
        assert!(answer.contains("successfully redirected"), "{answer}");
        self.t.ari().wait_application(&self.id, "Echo");
        name.to_owned()
    }

    fn go_on(&mut self) {
        self.fifo.write_all(b"done").expect("fifo");
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let _ = self.fifo.write_all(b"over");
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether a `head` with this word in its arguments is running.
fn is_running(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("proc").flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.starts_with(b"head\0") && String::from_utf8_lossy(&line).contains(word))
}

/// ARI answers about the same channel, console commands work, and other calls to the same client are made.
fn others_go_on(t: &Context) {
    let mut waiting = Waiting::begin(t);
    let id = waiting.id.clone();
    let variable = t.ari().variable(&id, "MEDIA_WEBSOCKET_CONNECTION_ID");
    assert_eq!(variable.as_deref(), Some(waiting.server.client.as_str()));
    assert_eq!(t.ari().variable(&id, "CHANNEL(websocket,state)").as_deref(), Some("connecting"));
    assert!(t.asterisk.cli("websocket show channels").contains(&waiting.server.client));
    let other = t.server(&[]);
    let _call = t.call(&dial_string(&other.client)).originate();
    other.accept().expect_media_start();
    assert_eq!(waiting.server.requests(), 0);

    waiting.go_on();
    waiting.server.accept().expect_media_start();
    assert_eq!(waiting.server.request(0).header("X-Slow"), Some("done"));
}

/// A hangup meanwhile ends the call without a connection.
fn hung_up(t: &Context) {
    let mut waiting = Waiting::begin(t);
    waiting.t.ari().hangup(&waiting.id);
    waiting.go_on();
    waiting.t.ari().wait_channel("ChannelDestroyed", &waiting.id);
    let result = waiting.caller.dial_result();
    assert_ne!(result.status, "ANSWER");
    assert_eq!(waiting.server.requests(), 0);
}

/// The call gets another channel meanwhile: the channel is sent elsewhere, while Dial() still has the call. The
/// remaining values are evaluated on that channel, and the call is connected as usual.
fn masquerade(t: &Context) {
    let mut waiting = Waiting::begin(t);
    let name = waiting.move_to_echo();
    assert_eq!(waiting.server.requests(), 0);
    waiting.go_on();
    let app = waiting.server.accept();
    let start = app.expect_media_start();
    assert_eq!((start.get("channel"), start.get("channel_id")), (name, waiting.id.clone()));
    let head = waiting.server.request(0);
    assert_eq!(head.header("X-Slow"), Some("done"));
    assert_eq!(head.header("X-After"), Some(&*format!("{} {} .", waiting.server.client, waiting.id)));
    app.send_media(&[0x55; 160]);
    assert_eq!(app.collect_media(160), [0x55; 160]);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    t.ari().wait_channel("ChannelDestroyed", &waiting.id);
}

/// A hangup after that also ends the call without a connection.
fn masquerade_and_hung_up(t: &Context) {
    let mut waiting = Waiting::begin(t);
    waiting.move_to_echo();
    t.ari().hangup(&waiting.id);
    t.ari().wait_channel("ChannelDestroyed", &waiting.id);
    waiting.go_on();
    assert_ne!(waiting.caller.dial_result().status, "ANSWER");
    assert_eq!(waiting.server.requests(), 0);
}
