//! Outgoing calls: Asterisk connects to an application's server.

use std::sync::Arc;

use tungstenite::protocol::Role;

use super::call::Call;
use super::channel::Locked;
use super::log::{call_debug, call_warn};
use super::websocket_clients::WebsocketClients;
use super::{fault, substitution};
use crate::call::connection::Established;
use crate::call::dialled::{Dialled, Route};
use crate::call::role::CallRole;
use crate::net::connector::{ConnectError, Connected};
use crate::settings::secrets::dialled_for_log;

/// Starts connecting, on the connector's own threads. Returns at once, except that dialplan functions in the sections
/// of the call's clients may take their time. False: the channel was hung up meanwhile.
///
/// # Safety
/// The channel's lock is held once, and may be released: see [`Locked::let_go`].
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
    let route = Route::to(&call.connection_id, call.driver.config());
    // SAFETY: the caller's promise; the channel is not used meanwhile.
    let route = match unsafe { fill(call, route, channel) } {
        Ok(route) => Arc::new(route),
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
    if call.link.reconnect().is_some() {
        call.keep_dialled(route.clone());
    }
    connect(call, &route, false, move |call, error| {
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

/// Evaluates the `${…}` of the clients' sections, once per call, with the channel's lock released: functions may wait,
/// and lock other channels.
///
/// # Safety
/// As [`start`].
unsafe fn fill(call: &Call, route: Route, channel: Locked<'_>) -> Result<Dialled, String> {
    if !route.has_expressions() {
        return route.fill(&mut |_| Vec::new());
    }
    // SAFETY: the caller's promise.
    unsafe {
        channel.let_go(|channel| {
            fault::point("substitute");
            route.fill(&mut |expression| {
                // A masquerade may have given the call another channel, which then has what this one had.
                let current = call.channel();
                substitution::value(current.as_ref().unwrap_or(channel), expression)
            })
        })
    }
}

/// `again`: a connection was lost. `on_failure` logs that the attempt has failed.
fn connect(
    call: &Arc<Call>,
    dialled: &Dialled,
    again: bool,
    on_failure: impl FnOnce(&Call, &ConnectError) + Send + 'static,
) {
    let for_done = call.clone();
    let on_done = Box::new(move |result| on_done(&for_done, on_failure, result));
    if let Some(job) = dialled.job::<WebsocketClients>(call, again, call.driver.tls.clone(), on_done) {
        call.keep_attempt(call.driver.connector.connect(job));
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
