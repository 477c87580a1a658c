//! Servers of other people's that run in the sandbox: Debian's nginx and tinyproxy.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::super::harness::sandbox::Mounts;
use super::super::harness::{ports, process, sandbox, wait};
use super::LOCALHOST;

/// One of them. It ends when this is dropped, and at the latest with this process.
#[derive(Debug)]
pub struct Daemon {
    process: Child,
    folder: PathBuf,
    log: &'static str,
}

/// How to run a server.
#[derive(Debug)]
pub struct Recipe {
    /// Program and arguments; `{}` stands for its folder.
    pub command: &'static [&'static str],
    /// Its configuration's file name.
    pub config: &'static str,
    /// Its log's file name.
    pub log: &'static str,
    /// What it has that the sandbox has not.
    pub mounts: Mounts,
}

impl Daemon {
    /// Starts one with as many ports of its own as asked for. `config` makes its configuration of its folder and them.
    pub fn start(recipe: &Recipe, count: usize, config: impl Fn(&str, &[u16]) -> String) -> (Self, Vec<u16>) {
        for _ in 0..3 {
            let ports: Vec<u16> = (0..count).map(|_| ports::free()).collect();
            if let Some(daemon) = Self::try_start(recipe, &ports, &config) {
                return (daemon, ports);
            }
        }
        panic!("{} found its ports taken three times", recipe.command[0]);
    }

    /// `None` if somebody else has taken a port.
    fn try_start(recipe: &Recipe, ports: &[u16], config: impl Fn(&str, &[u16]) -> String) -> Option<Self> {
        let (folder, inside) = sandbox::instance_folder();
        fs::write(folder.join(recipe.config), config(&inside, ports)).expect("configuration");
        let mut command = sandbox::command(&folder, recipe.mounts);
        command.args(recipe.command.iter().map(|argument| argument.replace("{}", &inside)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = process::spawn(command).expect("chroot");
        let mut daemon = Self { process, folder, log: recipe.log };
        let listens = |port: &u16| TcpStream::connect((LOCALHOST, *port)).is_ok();
        let ready = wait::poll(wait::PATIENCE, || match daemon.process.try_wait().expect("wait") {
            Some(_) => Some(false),
            None => ports.iter().all(listens).then_some(true),
        });
        if ready == Some(true) {
            return Some(daemon);
        }
        let log = daemon.log();
        let taken = ["Address already in use", "Unable to bind"].iter().any(|text| log.contains(text));
        assert!(taken, "{} did not start:\n{log}", recipe.command[0]);
        None
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join(self.log)).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::env::var_os("HOST_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// nginx with what `http` puts into the body of its `http` block.
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
