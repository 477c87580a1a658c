//! One running Asterisk.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::conf::{DRIVER, InstanceConfig};
use super::log::{self, Log};
use super::loss::{Loss, Unclean};
use super::surroundings::Surroundings;
use super::{ports, process, sandbox, tls, wait};

/// The documentation that Asterisk itself shows of the module.
const DOCUMENTATION: &str = "chan_websocket-en_US.xml";

/// The module's own configuration file.
const OWN_CONFIG: &str = "chan_websocket.conf";

/// Which chan_websocket.so an instance has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Module {
    /// Debian's, written in C.
    Oracle,
    /// The one under test.
    Ours,
}

impl Module {
    /// A word for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oracle => "oracle",
            Self::Ours => "ours",
        }
    }
}

/// A running Asterisk with its own folders and ports. It ends when its last owner drops it, or at the latest with this
/// process.
#[derive(Debug)]
pub struct Asterisk {
    /// Which chan_websocket.so it has.
    pub module: Module,
    /// Where its HTTP server listens.
    pub http: SocketAddr,
    /// Where its HTTPS server listens, with [`tls::SERVER`].
    pub https: SocketAddr,
    /// Where AMI listens, if it does.
    pub ami: Option<SocketAddr>,
    /// Whether our module may have direct bridges there.
    pub has_direct_bridge: bool,
    /// Its log.
    pub log: Log,
    http_root: String,
    folder: PathBuf,
    process: Mutex<Option<Child>>,
    pid: u32,
    clients: Mutex<BTreeMap<String, String>>,
    /// chan_websocket.conf: its first content, and the sections that were added.
    connections: Mutex<String>,
}

impl Asterisk {
    /// Starts an instance and waits until it is ready.
    pub fn start(module: Module, config: &InstanceConfig) -> Arc<Self> {
        // Another process may take a port between the probe and Asterisk's bind.
        let mut tries = 3;
        loop {
            let asterisk = Self::try_start(module, config);
            tries -= 1;
            if tries == 0 || !asterisk.log.contains(&["Address already in use"]) {
                if config.is_surrounded() {
                    Surroundings::begin(&asterisk);
                }
                return Arc::new(asterisk);
            }
            asterisk.kill();
        }
    }

    fn try_start(module: Module, config: &InstanceConfig) -> Self {
        let (folder, home) = sandbox::instance_folder();
        let (http, https) = (ports::free(), ports::free());
        let ami = config.has_ami().then(ports::free);
        for name in ["etc", "modules", "lib", "spool", "run", "log", "log/cdr-custom"] {
            fs::create_dir(folder.join(name)).expect("instance folder");
        }
        let files = config.render(module, &home, &format!("{home}/modules"), http, https, ami);
        for (name, text) in &files {
            fs::write(folder.join("etc").join(name), text).expect("configuration");
        }
        fs::write(folder.join("etc/server.crt"), &tls::SERVER.cert).expect("certificate");
        fs::write(folder.join("etc/server.key"), &tls::SERVER.key).expect("key");
        install_modules(&folder.join("modules"), module, config);
        if config.is_documented() {
            install_documentation(&folder.join("data"));
        }

        let console = File::create(folder.join("log/console")).expect("console");
        let mut command = sandbox::command(&folder, config.mounts());
        command
            .args([&*sandbox::asterisk(), "-C", &format!("{home}/etc/asterisk.conf"), "-f", "-n"])
            .env("LANG", "C.UTF-8")
            .envs(config.variables().iter().cloned())
            .stdin(Stdio::null())
            .stdout(console.try_clone().expect("console"))
            .stderr(console);
        let child = process::spawn(command).expect("chroot asterisk");
        // The log of a small disk cannot be read after the process has ended.
        let log = match config.mounts().small_disk {
            Some(_) => sandbox::seen_by(child.id(), &format!("{home}/log/full")),
            None => folder.join("log/full"),
        };
        let asterisk = Self {
            module,
            http: (Ipv4Addr::LOCALHOST, http).into(),
            https: (Ipv4Addr::LOCALHOST, https).into(),
            ami: ami.map(|port| (Ipv4Addr::LOCALHOST, port).into()),
            has_direct_bridge: config.has_direct_bridge(),
            log: Log::new(log),
            http_root: config.http_root(),
            folder,
            pid: child.id(),
            process: Mutex::new(Some(child)),
            clients: Mutex::default(),
            connections: Mutex::new(files[OWN_CONFIG].clone()),
        };
        if module == Module::Oracle {
            // The C module's WebSocket logs this when an app is gone before it has read the close frame.
            asterisk.log.allow("SSL_shutdown() failed");
            asterisk.log.allow("Error reading from web socket");
        }
        asterisk.wait_ready();
        asterisk
    }

    fn wait_ready(&self) {
        let booted = wait::poll(wait::PATIENCE, || match self.try_cli("core waitfullybooted") {
            Ok(answer) if answer.contains("fully booted") => Some(true),
            _ if self.is_running() => None,
            _ => Some(false),
        });
        assert!(booted == Some(true), "Asterisk did not start\n{}", self.report(0));
    }

    /// Runs a CLI command and returns what it printed.
    #[track_caller]
    pub fn cli(&self, command: &str) -> String {
        match self.try_cli(command) {
            Ok(answer) => answer,
            Err(err) => panic!("CLI `{command}`: {err}"),
        }
    }

    /// Like [`Asterisk::cli`], for an Asterisk that may be gone or stuck.
    pub fn try_cli(&self, command: &str) -> std::io::Result<String> {
        self.try_cli_within(wait::PATIENCE, command)
    }

    /// Like [`Asterisk::try_cli`], with another time limit for each part of the answer.
    pub(super) fn try_cli_within(&self, timeout: Duration, command: &str) -> std::io::Result<String> {
        // Through the folder's descriptor, because the path of a socket is limited to 107 bytes.
        let run = File::open(self.folder.join("run"))?;
        let mut socket = UnixStream::connect(format!("/proc/self/fd/{}/asterisk.ctl", run.as_raw_fd()))?;
        socket.set_read_timeout(Some(wait::at_most(timeout)))?;
        socket.write_all(format!("logger mute silent\0{command}\0").as_bytes())?;
        socket.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        // The first line is a greeting: host, process id and version.
        Ok(answer.split_once('\n').map_or_else(String::new, |(_, rest)| rest.to_owned()))
    }

    /// Unloads the driver, once no call that has just ended holds it.
    #[track_caller]
    pub fn unload_driver(&self) {
        // An attempt that is refused would be logged.
        wait::until("no call holds the driver", || {
            self.driver_status().is_none_or(|status| status.use_count == 0)
        });
        wait::until("the driver is unloaded", || self.driver("unload").contains("Unloaded"));
    }

    /// `module load`, `unload` or `reload` of the driver.
    pub fn driver(&self, verb: &str) -> String {
        self.cli(&format!("module {verb} {DRIVER}.so"))
    }

    /// The use count and status of the driver in `module show`. `None` if it is not listed.
    pub fn driver_status(&self) -> Option<ModuleStatus> {
        let text = self.cli(&format!("module show like {DRIVER}.so"));
        let line = text.lines().find(|line| line.starts_with(DRIVER))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let count = words.iter().rposition(|word| word.parse::<u32>().is_ok())?;
        Some(ModuleStatus {
            use_count: words[count].parse().ok()?,
            running: !line.contains("Not Running") && line.contains("Running"),
        })
    }

    /// Replaces the driver's file by a changed copy, as an installation does: the file itself is never written to. The
    /// result puts the first one back.
    pub fn replace_driver(&self, change: impl FnOnce(&mut Vec<u8>)) -> Box<dyn FnOnce()> {
        let path = self.folder.join("modules").join(format!("{DRIVER}.so"));
        let mut changed = fs::read(&path).expect("the driver");
        change(&mut changed);
        let (new, kept) = (path.with_extension("new"), path.with_extension("kept"));
        fs::write(&new, changed).expect("a copy of the driver");
        fs::rename(&path, &kept).expect("the driver's old file");
        fs::rename(&new, &path).expect("the driver's new file");
        Box::new(move || fs::rename(&kept, &path).expect("the driver's old file"))
    }

    /// Removes the driver's file.
    pub fn remove_driver(&self) {
        fs::remove_file(self.folder.join("modules").join(format!("{DRIVER}.so"))).expect("the driver");
    }

    /// Overwrites a configuration file. Nothing is reloaded.
    pub fn write_config(&self, name: &str, text: &str) {
        fs::write(self.folder.join("etc").join(name), text).expect("configuration");
    }

    /// Adds a section to websocket_client.conf and makes Asterisk read it.
    pub fn add_client(&self, name: &str, options: &[(&str, &str)]) {
        let mut section = format!("[{name}]\ntype = websocket_client\nconnection_type = per_call_config\n");
        for (option, value) in options {
            let _ = writeln!(section, "{option} = {value}");
        }
        let mut clients = self.clients.lock();
        clients.insert(name.to_owned(), section);
        let all: Vec<&str> = clients.values().map(String::as_str).collect();
        self.write_config("websocket_client.conf", &all.join("\n"));
        self.reload("res_websocket_client.so");
    }

    /// Omits these sections when websocket_client.conf is written the next time.
    pub fn forget_clients(&self, names: &[String]) {
        self.clients.lock().retain(|name, _| !names.contains(name));
    }

    /// Adds a section with `type = connection` to chan_websocket.conf and makes our module read it.
    pub fn add_connection(&self, client: &str, options: &[(&str, &str)]) {
        let mut file = self.connections.lock();
        let _ = write!(file, "\n[{client}]\ntype = connection\n");
        for (option, value) in options {
            let _ = writeln!(file, "{option} = {value}");
        }
        self.write_config(OWN_CONFIG, &file);
        self.reload(&format!("{DRIVER}.so"));
    }

    /// Adds a line to the section `[general]` of a configuration file and makes this module read it.
    pub(super) fn add_general(&self, name: &str, line: &str, module: &str) {
        let text = fs::read_to_string(self.folder.join("etc").join(name)).expect("configuration");
        self.write_config(name, &text.replacen("[general]\n", &format!("[general]\n{line}"), 1));
        self.reload(module);
    }

    /// Asterisk refuses to reload a module while it reloads another.
    #[track_caller]
    pub fn reload(&self, module: &str) {
        let command = format!("module reload {module}");
        let mut answer = String::new();
        let done = wait::poll(wait::PATIENCE, || {
            answer = self.cli(&command);
            answer.contains("reloaded successfully").then_some(())
        });
        assert!(done.is_some(), "{command}: {answer}");
    }

    /// A path on the HTTP server, with http.conf's prefix.
    pub fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.http_root)
    }

    /// The folder with its configuration, log and modules.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path below that folder as the process sees it: on the small disk, if there is one
    /// ([`InstanceConfig::small_disk`]).
    pub fn seen(&self, path: &str) -> PathBuf {
        sandbox::seen_by(self.pid, &self.inside(path))
    }

    /// A path below that folder as it is inside the sandbox.
    pub fn inside(&self, path: &str) -> String {
        sandbox::inside(&self.folder.join(path))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its threads and open files at this moment.
    pub fn resources(&self) -> Resources {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten();
        let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
        let files = fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().flatten();
        let target = |file: fs::DirEntry| Some(fs::read_link(file.path()).ok()?.display().to_string());
        let mut resources = Resources {
            threads: tasks.filter_map(name).collect(),
            files: files.filter_map(target).collect(),
        };
        resources.threads.sort();
        resources.files.sort();
        resources
    }

    /// Its threads and open files, once there are no channels and the numbers have stopped changing: the sessions of
    /// the HTTP server, and connections that wait for a close frame, end later.
    #[track_caller]
    pub fn settled(&self) -> Resources {
        self.wait_no_channels();
        let mut last = self.resources();
        wait::until("threads and descriptors settle", || {
            thread::sleep(Duration::from_millis(300));
            let before = std::mem::replace(&mut last, self.resources());
            before.counts() == last.counts()
        });
        last
    }

    /// Fails the test unless the numbers of threads and open files soon fall to those of `before` or less.
    #[track_caller]
    pub fn expect_no_more_than(&self, before: &Resources) {
        self.wait_no_channels();
        let fewer = || {
            let (now, before) = (self.resources().counts(), before.counts());
            (now.0 <= before.0 && now.1 <= before.1).then_some(())
        };
        let settled = wait::poll(wait::PATIENCE, fewer).is_some();
        assert!(settled, "there were {before:#?}\nand there are {:#?}", self.resources());
    }

    /// Waits until the last channel is gone.
    #[track_caller]
    pub fn wait_no_channels(&self) {
        wait::until("all channels are gone", || self.try_has_no_channels().expect("CLI"));
    }

    /// Whether there is no channel, for an Asterisk that may be gone or stuck.
    pub fn try_has_no_channels(&self) -> std::io::Result<bool> {
        Ok(self.try_cli("core show channels count")?.lines().any(|line| line == "0 active channels"))
    }

    /// Whether the process is running.
    pub fn is_running(&self) -> bool {
        self.exit_status().is_none()
    }

    /// How the process ended, if it has.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.process.lock().as_mut().and_then(|child| child.try_wait().expect("wait"))
    }

    /// Waits until the process has ended without a crash and with a clean log, and removes its folder. The error has
    /// all that helps to find the cause.
    pub fn wait_end(&self) -> Result<(), String> {
        let status = wait::poll(2 * wait::PATIENCE, || self.exit_status());
        let surprises = self.log.surprises();
        let clean = status.is_some_and(|status| status.success()) && surprises.is_empty();
        let report = if clean { String::new() } else { self.report(0) };
        self.kill();
        if clean { Ok(()) } else { Err(format!("it ended with {status:?}, {surprises:?}\n{report}")) }
    }

    /// Sends the process a signal, by its name.
    pub fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill").args(["-s", name, &self.pid.to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    /// Stops the process in the ordinary way, unless it has been stopped. The error says what was wrong: a crash, a
    /// hang, or warnings or errors in the log that no test had allowed.
    pub fn stop(&self) -> Result<(), Unclean> {
        if self.process.lock().is_none() {
            return Ok(());
        }
        let mut problems = Vec::new();
        let lost = if let Some(status) = self.exit_status() {
            problems.push(format!("Asterisk was gone: {status}"));
            Some(Loss::Ended(status))
        } else {
            let _ = self.try_cli("core stop now");
            match wait::poll(wait::PATIENCE, || self.exit_status()) {
                None => {
                    problems.push("Asterisk did not stop".into());
                    Some(Loss::Hung)
                }
                Some(status) if status.signal().is_some() => {
                    problems.push(format!("Asterisk crashed when stopping: {status}"));
                    Some(Loss::Ended(status))
                }
                Some(_) => None,
            }
        };
        problems
            .extend(self.log.surprises().into_iter().map(|line| format!("unexpected in the log: {line}")));
        let report = if problems.is_empty() { String::new() } else { self.report(0) };
        self.kill();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Unclean { text: format!("{}\n{report}", problems.join("\n")), lost })
        }
    }

    /// Log and console after `mark`, for a failed test.
    pub fn report(&self, mark: usize) -> String {
        let console = fs::read_to_string(self.folder.join("log/console")).unwrap_or_default();
        format!(
            "--- log of {} with the module {}\n{}\n--- console\n{}\n---",
            self.folder.display(),
            self.module.name(),
            log::tail(&self.log.since(mark), 80),
            log::tail(&console, 20),
        )
    }

    /// Ends the process with SIGKILL, unless it has been stopped, and removes its folder.
    pub(super) fn kill(&self) {
        if let Some(mut child) = self.process.lock().take() {
            let _ = child.kill();
            let _ = child.wait();
            if std::env::var_os("HOST_KEEP").is_none() {
                let _ = fs::remove_dir_all(&self.folder);
            }
        }
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        let there = self.process.lock().is_some();
        if there && std::thread::panicking() {
            eprintln!("{}", self.report(0));
        }
        self.kill();
    }
}

/// The driver's status in `module show`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleStatus {
    /// How many calls hold it.
    pub use_count: u32,
    /// False if it is listed but was declined or unloaded.
    pub running: bool,
}

/// What a process has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// Names of its threads, as the kernel knows them.
    pub threads: Vec<String>,
    /// What its file descriptors refer to.
    pub files: Vec<String>,
}

impl Resources {
    fn counts(&self) -> (usize, usize) {
        (self.threads.len(), self.files.len())
    }
}

/// Fills an instance's module folder: links to Debian's modules, and the driver under test.
fn install_modules(folder: &Path, module: Module, config: &InstanceConfig) {
    let debian = sandbox::asterisk_modules();
    let link = |name: &str| {
        symlink(debian.join(name), folder.join(name)).unwrap_or_else(|err| panic!("link to {name}: {err}"));
    };
    let driver = format!("{DRIVER}.so");
    let names: Vec<String> = if config.is_autoload() {
        config.modules().iter().map(|module| format!("{module}.so")).collect()
    } else {
        let here = sandbox::root().join(debian.strip_prefix("/").expect("absolute"));
        let entries = fs::read_dir(&here).unwrap_or_else(|err| panic!("{}: {err}", here.display()));
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    for name in names.iter().filter(|name| **name != driver) {
        link(name);
    }
    match module {
        Module::Oracle => link(&driver),
        Module::Ours => {
            let ours = if config.has_faults() { sandbox::our_faulty_module() } else { sandbox::our_module() };
            fs::copy(&ours, folder.join(&driver)).unwrap_or_else(|err| panic!("{}: {err}", ours.display()));
        }
    }
}

/// Makes an instance's data folder: links to Debian's files, and our documentation in the folder for third parties.
fn install_documentation(folder: &Path) {
    fs::create_dir_all(folder.join("documentation/thirdparty")).expect("data folder");
    for (sub, to) in [("", folder.to_owned()), ("documentation", folder.join("documentation"))] {
        let debian = Path::new(&sandbox::data()).join(sub);
        let here = sandbox::root().join(debian.strip_prefix("/").expect("absolute"));
        for entry in fs::read_dir(&here).unwrap_or_else(|err| panic!("{}: {err}", here.display())).flatten() {
            if !to.join(entry.file_name()).exists() {
                symlink(debian.join(entry.file_name()), to.join(entry.file_name())).expect("link");
            }
        }
    }
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(DOCUMENTATION);
    fs::copy(ours, folder.join("documentation/thirdparty").join(DOCUMENTATION)).expect("our documentation");
}
