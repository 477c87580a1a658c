//! SIP: an instance with chan_pjsip, and peers that play scenarios with SIPp (Debian's package sip-tester).

mod scenario;

use std::fs;
use std::process::{Child, Stdio};
use std::thread;

use tempfile::TempDir;

pub use self::scenario::{ALAW, Dialog, EVENTS, NAME, NUMBER, Step, ULAW};
use super::{Context, InstanceConfig, ports, process, wait};

const MODULES: [&str; 13] = [
    "res_pjproject",
    "res_sorcery_memory",
    "res_sorcery_astdb",
    "res_rtp_asterisk",
    "res_pjsip",
    "res_pjsip_pubsub",
    "res_pjsip_session",
    "res_pjsip_refer",
    "res_pjsip_sdp_rtp",
    "res_pjsip_endpoint_identifier_ip",
    "res_pjsip_endpoint_identifier_user",
    "res_pjsip_caller_id",
    "chan_pjsip",
];

/// Adds chan_pjsip, with this as its configuration.
pub fn configured(config: InstanceConfig, pjsip: &str) -> InstanceConfig {
    MODULES
        .iter()
        .fold(config, |config, module| config.module(module))
        .file("pjsip.conf", pjsip)
        .file("pjproject.conf", "[startup]\nlog_level = 0\n")
        .file("rtp.conf", "[general]\nicesupport = no\nstrictrtp = no\n")
}

/// An endpoint of pjsip.conf that speaks ulaw.
const PHONE: &str = "[phone](!)\ntype = endpoint\ncontext = harness\ndisallow = all\nallow = ulaw\n\
    direct_media = no\nsend_connected_line = no\ntrust_id_inbound = yes\n";

/// Adds chan_pjsip, and endpoints to dial a [`Peer`] by: `peer` gets digits as events of RFC 4733, `told` as INFO,
/// which a [`Step::ExpectInfo`] waits for. `endpoints` are further ones, which may use the template `phone`.
pub fn with_peers(config: InstanceConfig, endpoints: &str) -> InstanceConfig {
    let port = ports::free();
    let pjsip = format!(
        "[udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{port}\n{PHONE}\
         [peer](phone)\n[told](phone)\ndtmf_mode = info\n{endpoints}"
    );
    configured(config, &pjsip)
}

/// The port of the instance's SIP.
#[track_caller]
pub fn port(t: &Context) -> u16 {
    let shown = t.asterisk.cli("pjsip show transports");
    let port = shown.split_whitespace().find_map(|word| word.strip_prefix("127.0.0.1:")?.parse().ok());
    port.unwrap_or_else(|| panic!("no transport: {shown}"))
}

/// The machine may be unable to resolve its own name and may have no name server. Nobody logs in.
pub fn allow_log(t: &Context) {
    for line in ["getaddrinfo(", "Unable to lookup", "No SIP authenticator registered"] {
        t.allow_log(line);
    }
}

/// Tells a peer of the endpoint `told` to go on, by sending a digit to its channel of this name.
#[track_caller]
pub fn tell(t: &Context, channel: &str) {
    let headers = [("Channel", channel), ("Digit", "1"), ("Duration", "100")];
    assert_eq!(t.ami("all").action("PlayDTMF", &headers).get("Response"), "Success");
}

/// A peer that makes or takes one call. It is killed when it is dropped.
#[derive(Debug)]
pub struct Peer {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Peer {
    /// Waits for a call, and then plays these steps.
    #[track_caller]
    pub fn start(steps: &[Step<'_>]) -> Self {
        Self::launch(&scenario::called(steps), None)
    }

    /// Calls this extension by the endpoint `peer`, with media at this port. Plays these steps once it has answered.
    #[track_caller]
    pub fn call(t: &Context, extension: &str, media: u16, steps: &[Step<'_>]) -> Self {
        Self::launch(&scenario::caller(extension, media, steps), Some(port(t)))
    }

    #[track_caller]
    fn launch(scenario: &str, asterisk: Option<u16>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("scenario.xml"), scenario).expect("the scenario");
        let port = ports::free();
        let mut command = process::command("sipp");
        command
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-m", "1", "-nostdin"])
            .args(["-sf", "scenario.xml", "-recv_timeout", "30000"])
            .args(["-trace_err", "-error_file", "errors", "-trace_logs", "-log_file", "log"])
            .args(asterisk.map(|port| format!("127.0.0.1:{port}")))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = process::spawn(command).expect("sipp: scripts/setup installs sip-tester");
        let peer = Self { process, port, folder };
        wait::until("SIPp listens", || is_bound(port));
        peer
    }

    /// The dial string for Dial().
    pub fn dial(&self) -> String {
        self.dial_by("peer")
    }

    /// The dial string with this endpoint.
    pub fn dial_by(&self, endpoint: &str) -> String {
        format!("PJSIP/{endpoint}/sip:bob@127.0.0.1:{}", self.port)
    }

    /// Its dialogue; waits until there is one.
    #[track_caller]
    pub fn dialog(&self) -> Dialog {
        let found = wait::poll(wait::PATIENCE, || Dialog::of(&self.log()));
        found.unwrap_or_else(|| panic!("no dialogue\n{}", self.errors()))
    }

    /// Whether this many of its steps are done.
    pub fn has_done(&self, steps: u32) -> bool {
        self.log().contains(&scenario::done_line(steps))
    }

    /// Waits until this many of its steps are done.
    #[track_caller]
    pub fn wait_done(&self, steps: u32) {
        let done = wait::poll(wait::PATIENCE, || self.has_done(steps).then_some(()));
        assert!(done.is_some(), "{steps} steps are not done\n{}", self.errors());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until all steps are done. Fails the test if one of them failed.
    #[track_caller]
    pub fn end(&mut self) {
        let status = wait::poll(wait::PATIENCE, || self.process.try_wait().expect("wait"));
        assert!(status.is_some_and(|status| status.success()), "SIPp: {status:?}\n{}", self.errors());
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("SIPp: {}", self.errors());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether this UDP port is in use.
fn is_bound(port: u16) -> bool {
    let sockets = fs::read_to_string("/proc/net/udp").expect("the kernel's sockets");
    sockets.contains(&format!(" 0100007F:{port:04X} "))
}
