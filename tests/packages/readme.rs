//! What somebody new does with the README at hand: its first section, command by command.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::machine::{Machine, wait_until};

/// The blocks of shell commands in the README's section of this name.
fn blocks(section: &str) -> Vec<String> {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let (_, text) = readme.split_once(&format!("\n## {section}\n")).expect(section);
    let text = text.split("\n## ").next().unwrap_or_default();
    text.split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// The example application, as the README starts it.
struct App {
    process: Child,
    lines: Receiver<String>,
    folder: TempDir,
}

impl App {
    /// `command`: `python3 <file in the machine> <arguments>`. The machine has no Python: ours runs in its network.
    fn start(machine: &Machine, command: &str) -> Self {
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("python3"));
        let script = machine.path(words.next().expect("the script"));
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/venv/bin/python");
        assert!(python.exists(), "no {}: run make clients", python.display());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut process = machine
            .beside(python.to_str().expect("UTF-8"))
            .arg(script)
            .args(words)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let port = command.rsplit(':').next().expect("a port").trim();
        wait_until("the application listens", || machine.sh("cat /proc/net/tcp").contains(&listening(port)));
        Self { process, lines, folder }
    }

    /// Passes lines by, up to one that holds all of this.
    #[track_caller]
    fn wait_line(&self, parts: &[&str]) {
        let mut passed = String::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(30)) {
                Ok(line) if parts.iter().all(|part| line.contains(part)) => return,
                Ok(line) => passed = passed + &line + "\n",
                Err(why) => panic!("{why}: no {parts:?}, but\n{passed}"),
            }
        }
    }

    fn heard(&self, call: u32) -> usize {
        fs::metadata(self.folder.path().join(format!("heard-{call}.ulaw")))
            .map_or(0, |file| file.len() as usize)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What /proc/net/tcp has of somebody who listens on 127.0.0.1.
fn listening(port: &str) -> String {
    let port: u16 = port.parse().expect("a port");
    format!("0100007F:{port:04X} 00000000:0000 0A")
}

/// Runs all of it. The last block removes the package.
pub fn follow(machine: &Machine, deb: &Path) {
    machine.put(deb);
    let blocks = blocks("A first call");
    let mut app = None;
    for block in &blocks {
        match block.split_whitespace().collect::<Vec<_>>().as_slice() {
            // The machine's network leads nowhere.
            ["apt", "install", "python3-websockets"] => {}
            ["python3", ..] => app = Some(App::start(machine, block)),
            _ => {
                let said = machine.sh(&format!("cd /root\n{block}"));
                if block.contains("channel originate") {
                    let app: &App = app.as_ref().expect("the application runs by then");
                    see(machine, app, &said);
                    see_elsewhere(machine, app, block);
                }
            }
        }
    }
    assert!(app.is_some() && blocks.last().is_some_and(|block| block.contains("apt remove")), "{blocks:?}");
    machine.sh(&format!("rm /root/{}", deb.file_name().expect("a file").display()));
}

/// The call is there: for the application, and for who looks for it.
fn see(machine: &Machine, app: &App, listed: &str) {
    app.wait_line(&["MEDIA_START", "\"connection_id\":\"my-app\""]);
    let line =
        listed.lines().find(|line| line.starts_with("WebSocket/my-app/")).expect("a line for the call");
    assert!(line.contains("connected") && line.contains("ulaw"), "{listed}");
    // The recording is speech: the greeting stops.
    app.wait_line(&["FLUSH_MEDIA"]);
    let name = line.split_whitespace().next().expect("its name");
    machine.cli(&format!("channel request hangup {name}"));
    app.wait_line(&["closed, code 1000"]);
    wait_until("what was heard is in a file", || app.heard(1) > 8000);
}

/// And for who looks into AMI and the metrics, by the README's section on that.
fn see_elsewhere(machine: &Machine, app: &App, call: &str) {
    let blocks = blocks("Operation");
    let [setting_up, looking] = blocks.as_slice() else { panic!("{blocks:?}") };
    machine.sh(setting_up);
    machine.sh(call.lines().next().expect("a command"));
    app.wait_line(&["MEDIA_START"]);
    // The machine has no curl: ours runs in its network.
    let output = machine.beside("sh").args(["-c", looking]).output().expect("sh");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let has_line = |begin: &str| said.lines().any(|line| line.starts_with(begin));
    for line in [
        "Event: WebSocketShowChannel",
        "Channel: WebSocket/my-app/",
        "ConnectionId: my-app",
        "Event: WebSocketShowChannelsComplete",
    ] {
        assert!(has_line(line), "no {line} in\n{said}");
    }
    let channels =
        |line: &&str| line.starts_with("asterisk_websocket_channels{") && line.contains("role=\"outgoing\"");
    assert!(said.lines().find(channels).is_some_and(|line| line.ends_with(" 1")), "{said}");
    machine.cli("channel request hangup all");
    app.wait_line(&["closed, code 1000"]);
}

/// With the module that is there now, the README's configuration and application still in place.
pub fn call_once_more(machine: &Machine) {
    let blocks = blocks("A first call");
    let find = |what: &str| blocks.iter().find(|block| block.contains(what)).expect("a block");
    // The example goes away with the package.
    let doc = PathBuf::from("/usr/share/doc/asterisk-chan-websocket-rust/examples/python");
    let command = find("app.py").replace(&format!("{}", doc.display()), "/root");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python/app.py");
    machine.put(&script);
    let app = App::start(machine, &command);
    let originate = find("channel originate").lines().next().expect("a command");
    machine.sh(originate);
    app.wait_line(&["MEDIA_START"]);
    app.wait_line(&["FLUSH_MEDIA"]);
    machine.cli("channel request hangup all");
    app.wait_line(&["closed, code"]);
    machine.sh("rm /root/app.py");
}
