//! Outgoing calls: Asterisk connects to an application's server.

use std::collections::BTreeMap;
use std::sync::Arc;

use tungstenite::protocol::Role;

use super::call::{Call, CallRole};
use super::channel::Locked;
use super::established::Established;
use super::log::{call_debug, call_warn};
use super::{config_file, fault, substitution, websocket_clients};
use crate::net::connector::{ConnectError, ConnectJob, ConnectSettings, Connected, Destination, Fallback};
use crate::settings::client::{ClientSettings, clear_write_timeout, has_unclear_write_timeout};
use crate::settings::config::Config;
use crate::settings::per_call::Filled;
use crate::settings::secrets::dialled_for_log;

/// Starts connecting, on the connector's own threads. Returns at once, but for dialplan functions in the sections of
/// the call's clients, which may take their time. False: the channel was hung up meanwhile.
///
/// # Safety
/// The channel's lock is held once, and may be let go: see [`Locked::let_go`].
pub(crate) unsafe fn start(call: &Arc<Call>, channel: Locked<'_>, dialled: &str) -> bool {
    fault::point("call");
    if call.role == CallRole::Incoming {
        call_debug!(call, 1, "waiting for the application to connect with id {}", call.connection_id);
        return true;
    }
    if !call.begin_connecting() {
        return true;
    }
    call_debug!(call, 1, "connecting to {}", call.connection_id);
    let config = call.driver.config();
    let clients = config.with_fallbacks(&call.connection_id);
    // SAFETY: the caller's promise; the channel is not used meanwhile.
    let filled = match unsafe { fill(&config, &clients, channel) } {
        Ok(filled) => filled,
        Err(why) => {
            log::error!("{}: {why}; the call is not made", call.name());
            call.cannot_be_made(why);
            return true;
        }
    };
    // A call that has got another channel meanwhile is connected like any other.
    if call.is_on(channel) && channel.is_hung_up() || !call.is_connecting() {
        return false;
    }
    let dialled_for_log = dialled_for_log(dialled);
    let dialled = Arc::new(Dialled { config, clients, filled });
    if call.link.reconnect().is_some() {
        call.keep_dialled(dialled.clone());
    }
    connect(call, &dialled, false, move |call, error| {
        call_warn!(call, "WebSocket connection failed to {dialled_for_log}: {error}");
    });
    true
}

/// The connection is lost: makes one attempt to get another. Returns at once. Nothing happens if the call has ended, or
/// has a connection. On the job thread.
pub(crate) fn reconnect(call: &Arc<Call>) {
    let Some(dialled) = call.dialled().filter(|_| call.begin_connecting()) else { return };
    call_debug!(call, 1, "connecting to {} again", call.connection_id);
    connect(call, dialled, true, |call, error| {
        if error.failure.is_refusal() {
            call_warn!(call, "the lost WebSocket connection does not come back: {error}");
        }
    });
}

/// What a call was dialled with: where it goes, now and after a loss.
pub(crate) struct Dialled {
    config: Arc<Config>,
    /// The client and its fallbacks.
    clients: Vec<String>,
    filled: PerClient,
}

/// What is said to each client's server in this call. Not a HashMap, which needs thread-local data: glibc ends the process
/// where a new thread of the core's finds no memory for that.
type PerClient = BTreeMap<String, Filled>;

/// Evaluates the `${…}` of the clients' sections, once per call, with the channel's lock let go: functions may wait, and
/// lock other channels.
///
/// # Safety
/// As [`start`].
unsafe fn fill(config: &Config, clients: &[String], channel: Locked<'_>) -> Result<PerClient, String> {
    let sections = || clients.iter().filter_map(|client| Some((client, config.connections.get(client)?)));
    let fill_all = |evaluate: &mut dyn FnMut(&str) -> Vec<u8>| {
        let filled = sections().map(|(client, section)| match section.fill(evaluate) {
            Ok(filled) => Ok((client.clone(), filled)),
            Err(error) => Err(format!("chan_websocket.conf: [{client}]: {error}")),
        });
        filled.collect()
    };
    if !sections().any(|(_, section)| section.has_expressions()) {
        return fill_all(&mut |_| Vec::new());
    }
    // SAFETY: the caller's promise.
    unsafe {
        channel.let_go(|channel| {
            fault::point("substitute");
            fill_all(&mut |expression| substitution::value(channel, expression))
        })
    }
}

/// `again`: a connection was lost. `on_failure` logs that none has come of it.
fn connect(
    call: &Arc<Call>,
    dialled: &Dialled,
    again: bool,
    on_failure: impl FnOnce(&Call, &ConnectError) + Send + 'static,
) {
    let mut legs = dialled.clients.iter().map(|client| {
        let filled = dialled.filled.get(client).cloned().unwrap_or_default();
        Leg { call: call.clone(), config: dialled.config.clone(), client: client.clone(), filled, again }
    });
    let Some(first) = legs.next() else { return };
    let fallbacks =
        legs.map(|leg| Fallback { client: leg.client.clone(), settings: Box::new(|| leg.read()) });
    let for_done = call.clone();
    let job = ConnectJob {
        client: first.client.clone(),
        fallbacks: fallbacks.collect(),
        settings: first.settings(),
        tls: call.driver.tls.clone(),
        on_done: Box::new(move |result| on_done(&for_done, on_failure, result)),
        label: call.name().to_owned(),
        again,
    };
    call.keep_attempt(call.driver.connector.connect(job));
}

/// A client that a call tries.
struct Leg {
    call: Arc<Call>,
    config: Arc<Config>,
    client: String,
    filled: Filled,
    again: bool,
}

impl Leg {
    /// Reads the websocket_client at once, if that is in memory.
    fn settings(self) -> ConnectSettings {
        if websocket_clients::are_in_memory() {
            let fields = websocket_clients::fields(&self.client);
            // A file has to be read to tell.
            if !fields.as_deref().is_some_and(has_unclear_write_timeout) {
                return ConnectSettings::Known(self.destination(fields).map(Box::new));
            }
        }
        ConnectSettings::Read(Box::new(|| self.read()))
    }

    /// The websocket_client as it is now. May ask a database (realtime): not for a channel's thread.
    fn read(self) -> Result<Destination, String> {
        let mut fields = websocket_clients::fields(&self.client);
        if let Some(fields) = fields.as_mut().filter(|fields| has_unclear_write_timeout(fields)) {
            let written = config_file::written_in_client(&self.client, c"write_timeout");
            clear_write_timeout(fields, written.as_deref());
        }
        self.destination(fields)
    }

    fn destination(self, fields: Option<Vec<(String, String)>>) -> Result<Destination, String> {
        let Self { call, config, client: name, filled, again } = self;
        if let Some(why) = config.refused.get(&name) {
            return Err(why.clone());
        }
        let fields = fields.ok_or_else(|| format!("websocket_client '{name}' does not exist any more"))?;
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut client = ClientSettings::new(fields, config.connections.get(&name), &call.settings)
            .map_err(|error| error.to_string())?;
        client.fill(filled);
        if again {
            // How often one that was lost is tried again is the call's to say.
            client.reconnect_attempts = 1;
        }
        let target = client.target(call.uri_params.as_deref()).map_err(|error| error.to_string())?;
        Ok(Destination { client, target })
    }
}

fn on_done(
    call: &Arc<Call>,
    on_failure: impl FnOnce(&Call, &ConnectError),
    result: Result<Connected, ConnectError>,
) {
    fault::point("connected");
    match result {
        Ok(connected) => {
            let link = Established {
                transport: connected.transport,
                leftover: connected.leftover,
                role: Role::Client,
                peer: connected.peer.to_string(),
                client: Some(connected.client),
                write_timeout: connected.settings.write_timeout,
                pings: connected.settings.pings,
            };
            call.driver.jobs.start_link(call.clone(), link);
        }
        Err(error) => {
            on_failure(call, &error);
            call.connecting_failed(&error);
        }
    }
}
