//! `websocket check`: tests whether the servers of websocket_clients can be reached, as a call would reach them. No
//! call is made.
//!
//! The connector connects, as for a call; the console's thread waits for its reports. Nothing else waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::driver::Driver;
use super::websocket_clients::WebsocketClients;
use super::{config_file, substitution, websocket_clients};
use crate::call::dialled::Leg;
use crate::net::connector::{
    CheckReport, CheckResult, ConnectError, ConnectHandle, ConnectJob, ConnectSettings, ConnectStep, verdict,
};
use crate::settings::config::Config;
use crate::settings::per_call::Filled;

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How many clients are checked at the same time: each takes a descriptor, which calls may need.
const AT_ONCE: usize = 16;

/// The type of clients that other modules of Asterisk keep connected: calls do not make these connections.
const PERSISTENT: &str = "persistent";

/// Checks one client; text for the console.
pub(crate) fn one(driver: &Driver, client: &str) -> String {
    text(&run(driver, vec![client.to_owned()], LIMIT))
}

/// Checks all clients that calls connect to; text for the console.
pub(crate) fn all(driver: &Driver) -> String {
    let (clients, passed_over) = per_call_clients();
    if clients.is_empty() {
        return format!(
            "{passed_over}FAILED: there is no websocket_client with connection_type = per_call_config\n"
        );
    }
    passed_over + &text(&run(driver, clients, LIMIT))
}

/// The clients' names, for completion; none if reading them may ask a database.
pub(crate) fn names_in_memory() -> Vec<String> {
    if websocket_clients::are_in_memory() { websocket_clients::names() } else { Vec::new() }
}

fn text(results: &[CheckResult]) -> String {
    let blocks: String = results.iter().map(|result| format!("{}\n", result.text)).collect();
    format!("{blocks}{}\n", verdict(results))
}

/// The clients that calls connect to, including those that Asterisk has refused; and a line for each of the others.
fn per_call_clients() -> (Vec<String>, String) {
    let written = config_file::client_sections().into_iter().filter(|(_, is_client)| *is_client);
    let mut names: BTreeSet<String> = websocket_clients::names().into_iter().collect();
    names.extend(written.map(|(name, _)| name));
    let is_persistent = |name: &String| {
        let fields = websocket_clients::fields(name).unwrap_or_default();
        fields.iter().any(|(name, value)| name == "connection_type" && value == PERSISTENT)
    };
    let (persistent, per_call): (Vec<String>, Vec<String>) = names.into_iter().partition(is_persistent);
    let passed_over: String = persistent
        .iter()
        .map(|name| format!("{name}: not checked, its connection_type is {PERSISTENT}\n\n"))
        .collect();
    (per_call, passed_over)
}

fn run(driver: &Driver, clients: Vec<String>, limit: Duration) -> Vec<CheckResult> {
    let deadline = Instant::now() + limit;
    let mut results = Vec::new();
    let mut clients = clients.into_iter().peekable();
    while clients.peek().is_some() {
        let begun: Vec<Check> =
            clients.by_ref().take(AT_ONCE).map(|client| Check::begin(driver, client)).collect();
        results.extend(begun.into_iter().map(|check| check.wait(deadline, limit)));
    }
    results
}

/// A check under way. Dropped, it is cancelled.
struct Check {
    report: CheckReport,
    news: Receiver<CheckNews>,
    handle: ConnectHandle,
}

/// What the connector reports, and when.
enum CheckNews {
    Step(Instant, ConnectStep),
    /// With the subprotocol.
    Done(Instant, Result<Option<String>, ConnectError>),
}

impl Check {
    fn begin(driver: &Driver, client: String) -> Self {
        let mut report = CheckReport::new(&client, Instant::now());
        let config = driver.config();
        let filled = fill(&config, &client, &mut report);
        let (sender, news) = mpsc::channel();
        let steps = sender.clone();
        // The console may have given up: then nobody receives it.
        let job = ConnectJob {
            client: client.clone(),
            settings: settings(config, client.clone(), filled),
            fallbacks: Vec::new(),
            tls: driver.tls.clone(),
            on_done: Box::new(move |result| {
                let _ = sender
                    .send(CheckNews::Done(Instant::now(), result.map(|connected| connected.subprotocol)));
            }),
            label: format!("websocket check {client}"),
            again: true,
            on_step: Some(Box::new(move |step| {
                let _ = steps.send(CheckNews::Step(Instant::now(), step));
            })),
        };
        Self { report, news, handle: driver.connector.connect(job) }
    }

    fn wait(self, deadline: Instant, limit: Duration) -> CheckResult {
        let Self { mut report, news, handle } = self;
        loop {
            match news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(CheckNews::Step(at, step)) => report.step(at, step),
                Ok(CheckNews::Done(at, Ok(subprotocol))) => {
                    return report.connected(at, subprotocol.as_deref());
                }
                Ok(CheckNews::Done(at, Err(error))) => return report.failed(at, &error),
                Err(why) => {
                    handle.cancel();
                    let why = match why {
                        RecvTimeoutError::Timeout => {
                            format!("not done within the {} s that a check may take", limit.as_secs())
                        }
                        RecvTimeoutError::Disconnected => "the module is being unloaded".to_owned(),
                    };
                    return report.given_up(Instant::now(), why);
                }
            }
        }
    }
}

/// The client's section, with the values that its `${…}` have without a channel.
fn fill(config: &Config, client: &str, report: &mut CheckReport) -> Result<Filled, String> {
    let Some(section) = config.connections.get(client) else { return Ok(Filled::default()) };
    let mut empty = BTreeSet::new();
    let filled = section.fill(&mut |expression| {
        let value = substitution::value_without_channel(expression);
        if value.is_empty() {
            empty.insert(expression.to_owned());
        }
        value
    });
    if !empty.is_empty() {
        let names = empty.into_iter().collect::<Vec<_>>().join(" ");
        report.remark("values", format!("empty, because a check has no channel: {names}"));
    }
    filled.map_err(|error| format!("chan_websocket.conf: [{client}]: {error}"))
}

/// Reads the client on one of the connector's helper threads: a database may be asked.
fn settings(config: Arc<Config>, client: String, filled: Result<Filled, String>) -> ConnectSettings {
    ConnectSettings::Read(Box::new(move || {
        if !websocket_clients::exists(&client) {
            return Err(why_absent(&client));
        }
        let settings = Arc::new(config.settings.clone());
        let own = config.connections.get(&client).and_then(|own| own.control_message_format);
        let dialect = own.unwrap_or(config.settings.control_message_format);
        Leg { config, settings, dialect, client, filled: filled?, uri_params: None, once: true }
            .read::<WebsocketClients>()
    }))
}

/// Why Asterisk has no object of this name.
fn why_absent(client: &str) -> String {
    let sections = config_file::client_sections();
    let of_name: Vec<bool> =
        sections.into_iter().filter(|(name, _)| name == client).map(|(_, is_client)| is_client).collect();
    if of_name.is_empty() {
        return "websocket_client.conf has no section of this name, and no realtime database has an object of it"
            .to_owned();
    }
    if of_name.contains(&true) {
        return "Asterisk has refused its section of websocket_client.conf, or has not read it yet: after 'module reload \
                res_websocket_client.so' the log says why"
            .to_owned();
    }
    "its section of websocket_client.conf has no type = websocket_client: Asterisk ignores it".to_owned()
}
