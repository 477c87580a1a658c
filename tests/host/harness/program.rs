//! Programs in Python and Node that stand for apps that share no code with ours, and the examples. `scripts/clients`
//! installs what they need.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use super::{process, wait};

/// How long a program may take to print the next line: an interpreter has to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder with the examples in Rust, which are built here: cargo builds them when it builds all tests, but not when
/// it builds some.
static EXAMPLES: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--no-default-features", "--locked", "--example", "app"]);
    let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo");
    assert!(status.success(), "examples/app.rs does not build");
    // The executable of this test is in debug/deps.
    let this = std::env::current_exe().expect("a test's path");
    this.ancestors().nth(2).expect("debug").join("examples")
});

/// A running program. It is killed when it is dropped.
#[derive(Debug)]
pub struct Program {
    name: String,
    process: Child,
    lines: Receiver<String>,
    stderr: NamedTempFile,
}

impl Program {
    /// Builds what a script needs, so that no call has to wait for the build.
    pub fn prepare(script: &str) {
        if Path::new(script).extension() == Some(OsStr::new("rs")) {
            LazyLock::force(&EXAMPLES);
        }
    }

    /// Starts a script, given by its path from the repository's root, in this folder.
    #[track_caller]
    pub fn start(script: &str, arguments: &[&str], folder: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let clients = root.join("target/clients");
        assert!(clients.join("stamp").exists(), "nothing in {}: run scripts/clients", clients.display());
        let script = root.join(script);
        let text = |path: PathBuf| path.to_str().expect("a path in UTF-8").to_owned();
        let mut command = match script.extension().and_then(OsStr::to_str) {
            Some("js") => process::command("node"),
            Some("rs") => process::command(&text(EXAMPLES.join(script.file_stem().expect("a name")))),
            _ => process::command(&text(clients.join("venv/bin/python"))),
        };
        if script.extension() != Some(OsStr::new("rs")) {
            command.arg(&script);
        }
        let stderr = NamedTempFile::new().expect("temporary file");
        command
            .args(arguments)
            .current_dir(folder)
            .env("NODE_PATH", clients.join("node_modules"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr.reopen().expect("temporary file"));
        let mut process = process::spawn(command).expect("an interpreter");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        let read = move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("program".into()).spawn(read).expect("a thread for reading");
        Self { name: script.display().to_string(), process, lines, stderr }
    }

    /// The next line that it prints.
    #[track_caller]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap_or_else(|why| self.fail(&why.to_string()))
    }

    /// Writes a line to its standard input.
    #[track_caller]
    pub fn tell(&mut self, line: &str) {
        let written = self.process.stdin.as_mut().expect("piped").write_all(format!("{line}\n").as_bytes());
        if let Err(why) = written {
            self.fail(&format!("it takes no line: {why}"));
        }
    }

    /// Skips lines up to one that contains `text`, and returns that line.
    #[track_caller]
    pub fn wait_line(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut passed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => passed.push(line),
                Err(why) => self.fail(&format!("{why}: no {text:?}, but\n{}", passed.join("\n"))),
            }
        }
    }

    /// Waits until it ends with success.
    #[track_caller]
    pub fn end(&mut self) {
        let status = wait::poll(PATIENCE, || self.process.try_wait().expect("wait"));
        if !status.as_ref().is_some_and(ExitStatus::success) {
            self.fail(&format!("it ended with {status:?}"));
        }
    }

    /// Fails the test, with the program's error output.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        let stderr = fs::read_to_string(self.stderr.path()).unwrap_or_default();
        panic!("{}: {what}\n{stderr}", self.name);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
