//! What a check of a client reports to its operator: a line for each step, with its duration and its result.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use super::connect_error::ConnectError;
use super::observer::ConnectStep;
use crate::report::table::{Align, ascii, table};

/// HTTP dates end with the year 9999, in seconds.
const LAST_DATE: u64 = 253_402_300_799;

/// A check under way.
#[derive(Debug)]
pub struct CheckReport {
    client: String,
    /// The server, once that is known.
    server: Option<String>,
    /// When the last step was done.
    last: Instant,
    rows: Vec<Vec<String>>,
}

/// A check that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// The client's name and a line for each step.
    pub text: String,
    /// Why calls to the client would fail, in one line that begins with its name.
    pub failure: Option<String>,
}

impl CheckReport {
    /// A report on the websocket_client of this name; the check begins now.
    pub fn new(client: &str, now: Instant) -> Self {
        Self { client: client.to_owned(), server: None, last: now, rows: Vec::new() }
    }

    /// A line without a time.
    pub fn remark(&mut self, about: &str, text: String) {
        self.rows.push(vec![about.to_owned(), String::new(), String::new(), text]);
    }

    /// A step is done.
    pub fn step(&mut self, at: Instant, step: ConnectStep) {
        match step {
            ConnectStep::Settings { server, proxy } => {
                self.server = Some(server);
                let proxy = proxy.map_or_else(String::new, |proxy| format!("by way of the proxy {proxy}"));
                self.row(at, "settings", "ok", proxy);
            }
            ConnectStep::Token => self.row(at, "token", "ok", String::new()),
            ConnectStep::Addresses(addresses) => self.row(at, "look-up", "ok", list(&addresses)),
            ConnectStep::AddressFailed { step, why } => self.row(at, step, "failed", why),
            ConnectStep::Tcp(address) => self.row(at, "TCP", "ok", address.to_string()),
            ConnectStep::Proxy => self.row(at, "proxy", "ok", String::new()),
            ConnectStep::Tls { session, valid_until, trusted, name } => {
                self.row(at, "TLS", "ok", session);
                self.remark("certificate", certificate(valid_until, trusted, name.as_deref()));
            }
        }
    }

    /// The server has accepted the WebSocket, with this subprotocol.
    pub fn connected(mut self, at: Instant, subprotocol: Option<&str>) -> CheckResult {
        let chosen =
            subprotocol.map_or_else(|| "no subprotocol".to_owned(), |name| format!("subprotocol {name}"));
        self.row(at, "upgrade", "ok", chosen);
        self.over(None)
    }

    /// The check has failed.
    pub fn failed(mut self, at: Instant, error: &ConnectError) -> CheckResult {
        let why = error.failure.to_string();
        self.row(at, error.failure.step(), "FAILED", why.clone());
        self.over(Some(why))
    }

    /// The check is given up.
    pub fn given_up(mut self, at: Instant, why: String) -> CheckResult {
        self.row(at, "check", "FAILED", why.clone());
        self.over(Some(why))
    }

    fn row(&mut self, at: Instant, step: &str, result: &str, detail: String) {
        let took = at.saturating_duration_since(self.last);
        self.last = at;
        let took = format!("{:.1} ms", took.as_secs_f64() * 1000.0);
        self.rows.push(vec![step.to_owned(), result.to_owned(), took, detail]);
    }

    fn over(self, failure: Option<String>) -> CheckResult {
        let server = self.server.map_or_else(String::new, |server| format!(": {}", ascii(&server)));
        let mut text = format!("{}{server}\n", ascii(&self.client));
        for line in table(&self.rows, &[Align::Left, Align::Left, Align::Right]).lines() {
            let _ = writeln!(text, "  {line}");
        }
        let failure = failure.map(|why| format!("{}: {}", ascii(&self.client), ascii(&why)));
        CheckResult { text, failure }
    }
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn certificate(valid_until: Option<SystemTime>, trusted: bool, name: Option<&str>) -> String {
    let trust = if trusted { "trusted" } else { "not verified (verify_server_cert = no)" };
    let name = match name {
        Some(name) => format!(", for {name}"),
        None if trusted => ", its name not verified (verify_server_hostname = no)".to_owned(),
        None => String::new(),
    };
    format!("{trust}{name}, {}", valid_until.map_or_else(|| "its expiry date is unknown".to_owned(), expiry))
}

fn expiry(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()).min(LAST_DATE);
    let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    match at.duration_since(SystemTime::now()) {
        Ok(left) => format!("until {date} ({} days)", left.as_secs() / 86_400),
        Err(_) => format!("expired since {date}"),
    }
}

/// The last line of a check's output, for scripts.
pub fn verdict(results: &[CheckResult]) -> String {
    let failures: Vec<&str> = results.iter().filter_map(|result| result.failure.as_deref()).collect();
    if failures.is_empty() { "OK".to_owned() } else { format!("FAILED: {}", failures.join("; ")) }
}
