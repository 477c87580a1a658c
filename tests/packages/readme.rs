//! A new user's test: the README's commands, copied unchanged and run in order on a machine that has nothing of ours.
//! Install, a call in both directions, a barge-in, TLS, one metric, uninstall.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::machine::{Machine, wait_until};

/// The blocks of shell commands on a page, in order.
fn blocks(page: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect(page);
    text.split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// The example application, started as in the README.
struct App {
    process: Child,
    lines: Receiver<String>,
    folder: TempDir,
}

impl App {
    /// `command`: `[SSL_CERT_FILE=<file in the machine>] python3 <file in the machine> <arguments>`. The machine has no
    /// Python: the program runs outside, in the machine's network.
    fn start(machine: &Machine, command: &str) -> Self {
        let mut words = command.split_whitespace().peekable();
        let certificate = words.next_if(|word| word.starts_with("SSL_CERT_FILE="));
        assert_eq!(words.next(), Some("python3"), "{command}");
        let script = machine.path(words.next().expect("the script"));
        let arguments: Vec<&str> = words.collect();
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/venv/bin/python");
        assert!(python.exists(), "no {}: run make clients", python.display());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut program = machine.beside(python.to_str().expect("UTF-8"));
        if let Some((name, file)) = certificate.and_then(|setting| setting.split_once('=')) {
            program.env(name, machine.path(file));
        }
        let mut process = program
            .arg(script)
            .args(&arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        if let ["listen", address] = arguments.as_slice() {
            let port = address.rsplit(':').next().expect("a port");
            let listening = listening(port);
            wait_until("the application listens", || machine.sh("cat /proc/net/tcp").contains(&listening));
        }
        Self { process, lines, folder }
    }

    /// Skips lines up to one that contains all of this.
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

/// The line of /proc/net/tcp for a listener on 127.0.0.1.
fn listening(port: &str) -> String {
    let port: u16 = port.parse().expect("a port");
    format!("0100007F:{port:04X} 00000000:0000 0A")
}

/// Runs all commands of the README. The last block removes the package.
pub fn follow(machine: &Machine, deb: &Path) {
    fs::create_dir_all(machine.path("/root/target/debian")).expect("folder");
    fs::copy(deb, machine.path("/root/target/debian").join(deb.file_name().expect("a file"))).expect("copy");
    let mut story = Story { machine, apps: Vec::new() };
    for block in blocks("README.md") {
        story.run(&block);
    }
    assert_eq!(story.told(), ["listen", "connect"]);
    machine.sh("rm -r /root/target");
}

/// The state so far, with the applications that were started.
struct Story<'a> {
    machine: &'a Machine,
    apps: Vec<(String, App)>,
}

impl Story<'_> {
    fn told(&self) -> Vec<&str> {
        self.apps.iter().map(|(role, _)| role.as_str()).collect()
    }

    fn run(&mut self, block: &str) {
        let machine = self.machine;
        match block {
            // The machine has no compiler. The package that this would make already exists.
            "make setup deb\n" => assert!(self.apps.is_empty()),
            _ if block.contains("python3 ") => self.start_app(block),
            // The machine has no curl: this machine's curl runs in its network.
            _ if block.starts_with("curl ") => self.see_metrics(block),
            _ => {
                let said = machine.sh(&format!("cd /root\n{block}"));
                if block.contains("channel originate") {
                    self.see_call(block, &said);
                }
            }
        }
    }

    /// A block that ends with the start of the application. The shell runs the lines before it, which set its
    /// variables.
    fn start_app(&mut self, block: &str) {
        let block = block.replace("\\\n", " ");
        let (before, command) = block.trim().rsplit_once('\n').expect("a line before");
        // The machine's network has no connection to the outside.
        let before = before.replace("apt install python3-websockets curl", ":");
        let command = command.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = self.machine.sh(&format!("cd /root\n{before}\necho \"start: {command}\""));
        let (_, command) = said.split_once("start: ").expect("the command");
        let app = App::start(self.machine, command.trim());
        let role = command.split_whitespace().rev().nth(1).expect("a role").to_owned();
        if role == "connect" {
            assert!(command.contains("wss://"), "{command}");
            app.wait_line(&["MEDIA_START"]);
            app.wait_line(&["FLUSH_MEDIA"]);
        }
        self.apps.push((role, app));
    }

    /// The call to the application exists, for the application and in the list.
    fn see_call(&self, block: &str, listed: &str) {
        let machine = self.machine;
        let [(_, app)] = self.apps.as_slice() else { panic!("one application runs by then") };
        app.wait_line(&["MEDIA_START", "\"connection_id\":\"my-app\""]);
        let line =
            listed.lines().find(|line| line.starts_with("WebSocket/my-app/")).expect("a line for the call");
        assert!(line.contains("connected") && line.contains("ulaw"), "{listed}");
        // The recording is speech, so it causes a barge-in, and the application stops.
        app.wait_line(&["FLUSH_MEDIA"]);
        let name = line.split_whitespace().next().expect("its name");
        machine.cli(&format!("channel request hangup {name}"));
        app.wait_line(&["closed, code 1000"]);
        wait_until("what was heard is in a file", || app.heard(1) > 8000);
        see_elsewhere(machine, app, block);
    }

    /// The call with TLS is among the metrics.
    fn see_metrics(&self, block: &str) {
        let (_, app) = self.apps.last().expect("an application runs by then");
        let said = outside(self.machine, block);
        assert!(channels(&said, "incoming").is_some_and(|line| line.ends_with(" 1")), "{said}");
        self.machine.cli("channel request hangup all");
        app.wait_line(&["closed, code 1000"]);
        // The application is silent after five loud messages of 160 bytes.
        wait_until("what was heard is in a file", || app.heard(1) >= 800);
    }
}

/// The output of a shell outside the machine, in its network.
fn outside(machine: &Machine, commands: &str) -> String {
    let output = machine.beside("sh").args(["-c", commands]).output().expect("sh");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The metric with the number of channels of a role.
fn channels<'a>(metrics: &'a str, role: &str) -> Option<&'a str> {
    let role = format!("role=\"{role}\"");
    metrics.lines().find(|line| line.starts_with("asterisk_websocket_channels{") && line.contains(&role))
}

/// AMI and the metrics, with the commands of the page on operation.
fn see_elsewhere(machine: &Machine, app: &App, call: &str) {
    let blocks = blocks("docs/operation.md");
    let [setting_up, looking] = blocks.as_slice() else { panic!("{blocks:?}") };
    machine.sh(setting_up);
    machine.sh(call.lines().next().expect("a command"));
    app.wait_line(&["MEDIA_START"]);
    let said = outside(machine, looking);
    let has_line = |begin: &str| said.lines().any(|line| line.starts_with(begin));
    for line in [
        "Event: WebSocketShowChannel",
        "Channel: WebSocket/my-app/",
        "ConnectionId: my-app",
        "Event: WebSocketShowChannelsComplete",
    ] {
        assert!(has_line(line), "no {line} in\n{said}");
    }
    assert!(channels(&said, "outgoing").is_some_and(|line| line.ends_with(" 1")), "{said}");
    machine.cli("channel request hangup all");
    app.wait_line(&["closed, code 1000"]);
}

/// A call with the module that is installed now; the README's configuration and application are still in place.
pub fn call_once_more(machine: &Machine) {
    let blocks = blocks("README.md");
    let find = |what: &str| {
        blocks.iter().flat_map(|block| block.lines()).find(|line| line.contains(what)).expect("a command")
    };
    // The package's removal removes the example.
    let doc = PathBuf::from("/usr/share/doc/asterisk-chan-websocket-rust/examples/python");
    let command = find("app.py listen").replace(&format!("{}", doc.display()), "/root");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python/app.py");
    machine.put(&script);
    let app = App::start(machine, &command);
    machine.sh(find("channel originate WebSocket/my-app"));
    app.wait_line(&["MEDIA_START"]);
    app.wait_line(&["FLUSH_MEDIA"]);
    machine.cli("channel request hangup all");
    app.wait_line(&["closed, code"]);
    machine.sh("rm /root/app.py");
}
