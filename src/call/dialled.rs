//! Where an outgoing call goes: its websocket_client and the fallbacks of that, what is sent to each of them, and the
//! connector's job, at first and after a loss.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::sync::Arc;

use crate::call::data::CallData;
use crate::net::connector::{
    ConnectJob, ConnectSettings, Destination, Fallback, OnDone, SettingsFn, TlsConnector,
};
use crate::protocol::dialect::{CallFacts, ControlMessageFormat};
use crate::settings::client::{ClientSettings, clear_write_timeout, has_unclear_write_timeout};
use crate::settings::config::{Config, Settings};
use crate::settings::per_call::{Filled, FilledHeader};

/// The websocket_client objects, as they are now.
pub trait ClientStore: 'static {
    /// Whether every client is in memory, so that a look-up asks no database and no other machine.
    fn are_in_memory() -> bool;

    /// The fields of a client; `None` if there is none of that name. A look-up may ask a database.
    fn fields(client: &str) -> Option<Vec<(String, String)>>;

    /// The value of an option of a client in the file itself, if it is set there. Reads the file.
    fn written(client: &str, option: &CStr) -> Option<String>;
}

/// What is sent to each client's server in a call. Not a HashMap, which needs thread-local data: glibc ends the process
/// if a new thread of the core has no memory for that.
type PerClient = BTreeMap<String, Filled>;

/// Where an outgoing call goes: the sections of its client and the fallbacks, as they were when it was dialled.
pub struct Route {
    config: Arc<Config>,
    /// The client and its fallbacks.
    clients: Vec<String>,
}

/// A route with what is sent on it: where a call goes, now and after a loss.
pub struct Dialled {
    route: Route,
    filled: PerClient,
}

impl std::fmt::Debug for Dialled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialled").field("clients", &self.route.clients).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route").field("clients", &self.clients).finish_non_exhaustive()
    }
}

impl Route {
    /// The route that begins with this client.
    pub fn to(client: &str, config: Arc<Config>) -> Self {
        let clients = config.with_fallbacks(client);
        Self { config, clients }
    }

    /// Whether a section has anything to be evaluated for a call.
    pub fn has_expressions(&self) -> bool {
        self.sections().any(|(_, section)| section.has_expressions())
    }

    fn sections(&self) -> impl Iterator<Item = (&String, &crate::settings::config::ConnectionSettings)> {
        self.clients.iter().filter_map(|client| Some((client, self.config.connections.get(client)?)))
    }

    /// Evaluates the `${…}` of the sections, once per call.
    ///
    /// # Errors
    /// A value is not allowed in its place. The text is for the log.
    pub fn fill(self, evaluate: &mut dyn FnMut(&str) -> Vec<u8>) -> Result<Dialled, String> {
        let filled = self.sections().map(|(client, section)| match section.fill(evaluate) {
            Ok(filled) => Ok((client.clone(), filled)),
            Err(error) => Err(format!("chan_websocket.conf: [{client}]: {error}")),
        });
        let filled = filled.collect::<Result<_, _>>()?;
        Ok(Dialled { route: self, filled })
    }
}

impl Dialled {
    /// The connector's job for `call`. `again`: a connection was lost. Then each client is tried once, because the call
    /// itself decides how often it tries again. `None`: there is no client.
    pub fn job<S: ClientStore>(
        &self,
        call: &CallData,
        again: bool,
        tls: Arc<dyn TlsConnector>,
        on_done: OnDone,
    ) -> Option<ConnectJob> {
        let mut legs = self.route.clients.iter().map(|client| Leg {
            config: self.route.config.clone(),
            settings: call.settings.clone(),
            dialect: call.control_message_format,
            client: client.clone(),
            filled: self.filled.get(client).cloned().unwrap_or_default(),
            uri_params: call.uri_params.clone(),
            once: again,
        });
        let first = legs.next()?;
        let fallbacks = legs.map(|leg| Fallback {
            client: leg.client.clone(),
            settings: Box::new(|| leg.read::<S>()) as SettingsFn,
        });
        Some(ConnectJob {
            client: first.client.clone(),
            fallbacks: fallbacks.collect(),
            settings: first.settings::<S>(),
            tls,
            on_done,
            label: call.name().to_owned(),
            again,
            on_step: None,
        })
    }
}

/// A client that a call tries, or that an operator checks, and its current configuration.
pub struct Leg {
    /// The module's configuration, with the client's section.
    pub config: Arc<Config>,
    /// The settings of the call.
    pub settings: Arc<Settings>,
    /// The call's dialect, which may sign the request.
    pub dialect: ControlMessageFormat,
    /// The client's name.
    pub client: String,
    /// The values of its section's `${…}`.
    pub filled: Filled,
    /// Parameters that the dial string adds to the URI.
    pub uri_params: Option<String>,
    /// Try only once: other code decides about further attempts.
    pub once: bool,
}

impl std::fmt::Debug for Leg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leg").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Leg {
    /// Reads the websocket_client at once, if that is in memory.
    pub fn settings<S: ClientStore>(self) -> ConnectSettings {
        if S::are_in_memory() {
            let fields = S::fields(&self.client);
            // To decide that, the file has to be read.
            if !fields.as_deref().is_some_and(has_unclear_write_timeout) {
                return ConnectSettings::Known(self.destination(fields).map(Box::new));
            }
        }
        ConnectSettings::Read(Box::new(|| self.read::<S>()))
    }

    /// The websocket_client as it is now. May ask a database (realtime): not for a channel's thread.
    ///
    /// # Errors
    /// Why it is not possible to connect to the client, in words for the log.
    pub fn read<S: ClientStore>(self) -> Result<Destination, String> {
        let mut fields = S::fields(&self.client);
        if let Some(fields) = fields.as_mut().filter(|fields| has_unclear_write_timeout(fields)) {
            let written = S::written(&self.client, c"write_timeout");
            clear_write_timeout(fields, written.as_deref());
        }
        self.destination(fields)
    }

    fn destination(self, fields: Option<Vec<(String, String)>>) -> Result<Destination, String> {
        let Self { config, settings, dialect, client: name, filled, uri_params, once } = self;
        if let Some(why) = config.refused.get(&name) {
            return Err(why.clone());
        }
        let fields = fields.ok_or_else(|| format!("websocket_client '{name}' does not exist any more"))?;
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut client = ClientSettings::new(fields, config.connections.get(&name), &settings)
            .map_err(|error| error.to_string())?;
        client.fill(filled);
        let key = config.connections.get(&name).and_then(|own| own.twilio_auth_token.as_ref());
        let signature = key
            .and_then(|key| dialect.dialect(&CallFacts::default()).signature(&client.dialled_uri(), &key.0));
        client.headers.extend(
            signature.map(|(name, value)| FilledHeader { name: name.to_owned(), value: value.into_bytes() }),
        );
        if once {
            client.reconnect_attempts = 1;
        }
        let target = client.target(uri_params.as_deref()).map_err(|error| error.to_string())?;
        Ok(Destination { client, target })
    }
}
