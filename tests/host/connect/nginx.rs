//! Debian's nginx, in the sandbox.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::super::harness::{ports, process, sandbox, wait};
use super::LOCALHOST;

/// One nginx of a test's own. It ends when this is dropped, and at the latest with this process.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    folder: PathBuf,
}

impl Nginx {
    /// Starts one with as many ports of its own as asked for, in the order in which `http` puts them into the body
    /// of its `http` block.
    pub fn start(count: usize, http: impl Fn(&[u16]) -> String) -> (Self, Vec<u16>) {
        for _ in 0..3 {
            let ports: Vec<u16> = (0..count).map(|_| ports::free()).collect();
            if let Some(nginx) = Self::try_start(&ports, &http(&ports)) {
                return (nginx, ports);
            }
        }
        panic!("nginx found its ports taken three times");
    }

    /// `None` if somebody else has taken a port.
    fn try_start(ports: &[u16], http: &str) -> Option<Self> {
        let (folder, inside) = sandbox::instance_folder();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {inside}/pid;\nerror_log {inside}/error.log info;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\naccess_log off;\nclient_body_temp_path {inside}/body;\nproxy_temp_path {inside}/proxy;\n\
             fastcgi_temp_path {inside}/fastcgi;\nuwsgi_temp_path {inside}/uwsgi;\nscgi_temp_path {inside}/scgi;\n\
             proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection Upgrade;\n\
             proxy_set_header Host $http_host;\nproxy_connect_timeout 2s;\nproxy_read_timeout 60s;\n{http}\n}}\n"
        );
        fs::write(folder.join("nginx.conf"), config).expect("nginx.conf");
        let mut command = process::command("chroot");
        command
            .arg(sandbox::root())
            .args(["nginx", "-e", &format!("{inside}/error.log"), "-c", &format!("{inside}/nginx.conf")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = process::spawn(command).expect("chroot nginx");
        let mut nginx = Self { process, folder };
        let listens = |port: &u16| TcpStream::connect((LOCALHOST, *port)).is_ok();
        let ready = wait::poll(wait::PATIENCE, || match nginx.process.try_wait().expect("wait") {
            Some(_) => Some(false),
            None => ports.iter().all(listens).then_some(true),
        });
        if ready == Some(true) {
            return Some(nginx);
        }
        let log = fs::read_to_string(nginx.folder.join("error.log")).unwrap_or_default();
        assert!(log.contains("Address already in use"), "nginx did not start:\n{log}");
        None
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::env::var_os("HOST_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
