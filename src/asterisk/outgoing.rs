//! Outgoing calls: Asterisk connects to an application's server.

use std::sync::Arc;

use tungstenite::protocol::Role;

use super::call::{Call, CallRole};
use super::channel::Locked;
use super::established::Established;
use super::log::{call_debug, call_warn};
use super::{fault, websocket_clients};
use crate::net::connector::{ConnectError, ConnectJob, ConnectSettings, Connected, Destination};
use crate::settings::client::ClientSettings;
use crate::settings::secrets::dialled_for_log;

/// Starts connecting, on the connector's own threads. Returns at once.
pub(crate) fn start(call: &Arc<Call>, _channel: Locked<'_>, dialled: &str) {
    fault::point("call");
    if call.role == CallRole::Incoming {
        call_debug!(call, 1, "waiting for the application to connect with id {}", call.connection_id);
        return;
    }
    if !call.begin_connecting() {
        return;
    }
    call_debug!(call, 1, "connecting to {}", call.connection_id);
    let for_done = call.clone();
    let dialled = dialled_for_log(dialled);
    let job = ConnectJob {
        settings: settings(call),
        tls: call.driver.tls.clone(),
        on_done: Box::new(move |result| on_done(&for_done, &dialled, result)),
        label: call.name().to_owned(),
    };
    call.keep_attempt(call.driver.connector.connect(job));
}

/// Reads the websocket_client at once, if that is in memory.
fn settings(call: &Arc<Call>) -> ConnectSettings {
    if websocket_clients::are_in_memory() {
        return ConnectSettings::Known(destination(call).map(Box::new));
    }
    let call = call.clone();
    ConnectSettings::Read(Box::new(move || destination(&call)))
}

/// The websocket_client as it is now. May ask a database (realtime): not for a channel's thread.
fn destination(call: &Call) -> Result<Destination, String> {
    let fields = websocket_clients::fields(&call.connection_id)
        .ok_or_else(|| format!("websocket_client '{}' does not exist any more", call.connection_id))?;
    let config = call.driver.config();
    let connection = config.connections.get(&call.connection_id);
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let client =
        ClientSettings::new(fields, connection, &call.settings).map_err(|error| error.to_string())?;
    let target = client.target(call.uri_params.as_deref()).map_err(|error| error.to_string())?;
    Ok(Destination { client, target })
}

fn on_done(call: &Arc<Call>, dialled: &str, result: Result<Connected, ConnectError>) {
    fault::point("connected");
    match result {
        Ok(connected) => {
            let link = Established {
                transport: connected.transport,
                leftover: connected.leftover,
                role: Role::Client,
                peer: connected.peer.to_string(),
                write_timeout: connected.settings.write_timeout,
                pings: connected.settings.pings,
            };
            call.driver.jobs.start_link(call.clone(), link);
        }
        Err(error) => {
            call_warn!(call, "WebSocket connection failed to {dialled}: {error}");
            call.connecting_failed(&error);
        }
    }
}
