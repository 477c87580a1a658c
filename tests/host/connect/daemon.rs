//! Other servers that run in the sandbox: Debian's nginx, HAProxy, tinyproxy and Prometheus.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::super::harness::sandbox::Mounts;
use super::super::harness::{ports, process, sandbox, wait};
use super::{LOCALHOST, pki};

/// A running server. It ends when this is dropped, and at the latest with this process.
#[derive(Debug)]
pub struct Daemon {
    process: Child,
    folder: PathBuf,
    /// The path of the folder as the server sees it.
    inside: String,
    recipe: Recipe,
    ports: Vec<u16>,
}

/// How to run a server.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// Program and arguments; `{}` stands for its folder, `{port}` for its first port.
    pub command: &'static [&'static str],
    /// The name of its configuration file.
    pub config: &'static str,
    /// The name of its log file. Its output goes there, too.
    pub log: &'static str,
    /// The mounts that it needs and the sandbox does not have.
    pub mounts: Mounts,
}

impl Daemon {
    /// Starts a server with this many free ports. `config` makes its configuration from its folder and the ports.
    pub fn start(recipe: &Recipe, count: usize, config: impl Fn(&str, &[u16]) -> String) -> (Self, Vec<u16>) {
        for _ in 0..3 {
            let ports: Vec<u16> = (0..count).map(|_| ports::free()).collect();
            if let Some(daemon) = Self::try_start(recipe, &ports, &config) {
                return (daemon, ports);
            }
        }
        panic!("{} found its ports taken three times", recipe.command[0]);
    }

    /// `None` if another process has taken a port.
    fn try_start(recipe: &Recipe, ports: &[u16], config: impl Fn(&str, &[u16]) -> String) -> Option<Self> {
        let (folder, inside) = sandbox::instance_folder();
        fs::write(folder.join(recipe.config), config(&inside, ports)).expect("configuration");
        let process = run(recipe, &folder, &inside, ports);
        let mut daemon = Self { process, folder, inside, recipe: *recipe, ports: ports.to_vec() };
        if daemon.listens() {
            return Some(daemon);
        }
        let log = daemon.log();
        let taken = ["ddress already in use", "Unable to bind", "cannot bind socket"]
            .iter()
            .any(|text| log.contains(text));
        assert!(taken, "{} did not start:\n{log}", recipe.command[0]);
        None
    }

    /// Waits until it listens on all of its ports. False if it has ended.
    fn listens(&mut self) -> bool {
        let listens = |port: &u16| TcpStream::connect((LOCALHOST, *port)).is_ok();
        let ready = wait::poll(wait::PATIENCE, || match self.process.try_wait().expect("wait") {
            Some(_) => Some(false),
            None => self.ports.iter().all(listens).then_some(true),
        });
        ready == Some(true)
    }

    /// Kills it, with all of its connections.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again, after [`Daemon::kill`], on the same ports.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.process = run(&self.recipe, &self.folder, &self.inside, &self.ports);
        assert!(self.listens(), "{} did not start again:\n{}", self.recipe.command[0], self.log());
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join(self.recipe.log)).unwrap_or_default()
    }

    /// HAProxy's answer to a command on its admin socket.
    #[track_caller]
    pub fn admin(&self, command: &str) -> String {
        let mut socket = UnixStream::connect(self.folder.join("admin.sock")).expect("HAProxy's admin socket");
        writeln!(socket, "{command}").expect("a command");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

fn run(recipe: &Recipe, folder: &std::path::Path, inside: &str, ports: &[u16]) -> Child {
    let mut command = sandbox::command(folder, recipe.mounts);
    let port = ports.first().map(u16::to_string).unwrap_or_default();
    command
        .args(recipe.command.iter().map(|argument| argument.replace("{}", inside).replace("{port}", &port)));
    let output = File::options().create(true).append(true).open(folder.join(recipe.log)).expect("its log");
    command.stdin(Stdio::null()).stdout(output.try_clone().expect("its log")).stderr(output);
    process::spawn(command).expect("chroot")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::env::var_os("HOST_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// nginx; `http` gives the body of its `http` block.
pub fn nginx(count: usize, http: impl Fn(&[u16]) -> String) -> (Daemon, Vec<u16>) {
    let recipe = Recipe {
        command: &["nginx", "-e", "{}/error.log", "-c", "{}/nginx.conf"],
        config: "nginx.conf",
        log: "error.log",
        mounts: Mounts::default(),
    };
    Daemon::start(&recipe, count, |folder, ports| {
        format!(
            "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log info;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\naccess_log off;\nclient_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\n\
             fastcgi_temp_path {folder}/fastcgi;\nuwsgi_temp_path {folder}/uwsgi;\nscgi_temp_path {folder}/scgi;\n\
             proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection Upgrade;\n\
             proxy_set_header Host $http_host;\nproxy_connect_timeout 2s;\nproxy_read_timeout 60s;\n{}\n}}\n",
            http(ports)
        )
    })
}

/// HAProxy with TLS, a `frontend` that uses the backend `apps`, and these lines in that backend. It accepts
/// [`Daemon::admin`].
pub fn haproxy(backend: &str) -> (Daemon, u16) {
    let recipe = Recipe {
        command: &["haproxy", "-db", "-f", "{}/haproxy.cfg"],
        config: "haproxy.cfg",
        log: "log",
        mounts: Mounts::default(),
    };
    let (daemon, ports) = Daemon::start(&recipe, 1, |folder, ports| {
        let certificate = pki::FILES.path("address_with_key.crt");
        format!(
            "global\n    stats socket {folder}/admin.sock level admin\n\
             defaults\n    mode http\n    timeout connect 1s\n    timeout client 1h\n    timeout server 1h\n    \
             timeout tunnel 1h\n\
             frontend wss\n    bind 127.0.0.1:{} ssl crt {certificate}\n    default_backend apps\n\
             backend apps\n{backend}",
            ports[0]
        )
    });
    (daemon, ports[0])
}

/// tinyproxy with these further lines in its configuration.
pub fn tinyproxy(lines: &str) -> (Daemon, u16) {
    let recipe = Recipe {
        command: &["tinyproxy", "-d", "-c", "{}/tinyproxy.conf"],
        config: "tinyproxy.conf",
        log: "log",
        mounts: Mounts { name_server: Some(super::name_server::address().into()), ..Mounts::default() },
    };
    let (daemon, ports) = Daemon::start(&recipe, 1, |folder, ports| {
        format!(
            "Port {}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nLogFile \"{folder}/log\"\nLogLevel Connect\n\
             PidFile \"{folder}/pid\"\n{lines}",
            ports[0]
        )
    });
    (daemon, ports[0])
}
