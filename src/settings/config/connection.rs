//! A section with `type = connection`, which adds to the websocket_client of its name.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::liveness::{LIVENESS, LivenessOptions};
use super::media_options::{MEDIA, MediaOptions};
use super::option::{ConfigOption, OptionFault, names, option, put, set};
use super::value::{
    QUEUE_BYTES, TIMEOUT_MS, account_sid, boolean, contexts, control_message_format, events_per_second,
    millis, reconnect, signing_key, size, text,
};
use crate::protocol::dialect::ControlMessageFormat;
use crate::settings::client::{PROXY_HOST, parse_proxy_host};
use crate::settings::per_call::{
    Bearer, Evaluate, FillError, Filled, HEADER, HOSTS, HeaderTemplate, Hosts, Secret, TOKEN, URI,
    UriTemplate, parse_token,
};
use crate::settings::secrets::HIDDEN;

/// A section with `type = connection`; `None` for options that it does not set.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// The proxy, as `host:port`.
    pub proxy_host: Option<String>,
    /// User for the proxy.
    pub proxy_username: Option<String>,
    /// Password for the proxy.
    pub proxy_password: Option<String>,
    /// Headers of the upgrade request, in the order of the file.
    pub headers: Vec<HeaderTemplate>,
    /// The token of the upgrade request.
    pub bearer: Option<Bearer>,
    /// Instead of the URI of the websocket_client.
    pub uri: Option<UriTemplate>,
    /// The hosts that this URI may lead to.
    pub uri_hosts: Option<Hosts>,
    /// The websocket_client that is tried when all attempts of this one have failed.
    pub fallback: Option<String>,
    /// Instead of [`Settings::control_message_format`](super::Settings::control_message_format).
    pub control_message_format: Option<ControlMessageFormat>,
    /// The account that calls in Twilio's dialect name.
    pub twilio_account_sid: Option<String>,
    /// The key that signs their requests.
    pub twilio_auth_token: Option<Secret>,
    /// WebSocket pings and TCP keepalives.
    pub liveness: LivenessOptions,
    /// Instead of [`Settings::handshake_timeout`](super::Settings::handshake_timeout).
    pub handshake_timeout: Option<Duration>,
    /// Instead of [`Settings::write_timeout`](super::Settings::write_timeout).
    pub write_timeout: Option<Duration>,
    /// How long a call outlives its connection; `None`: not at all.
    pub reconnect: Option<Duration>,
    /// Instead of [`Settings::queue_bytes`](super::Settings::queue_bytes).
    pub queue_bytes: Option<usize>,
    /// Settings of calls' media.
    pub media: MediaOptions,
    /// Instead of [`Settings::app_events`](super::Settings::app_events).
    pub app_events: Option<bool>,
    /// Instead of [`Settings::app_events_per_second`](super::Settings::app_events_per_second).
    pub app_events_per_second: Option<u32>,
    /// Instead of [`Settings::transfer_contexts`](super::Settings::transfer_contexts).
    pub transfer_contexts: Option<Vec<String>>,
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy_host, proxy_username, proxy_password, headers, bearer, uri, liveness, .. } = self;
        f.debug_struct("ConnectionSettings")
            .field("proxy_host", proxy_host)
            .field("proxy_username", proxy_username)
            .field("proxy_password", &proxy_password.as_ref().map(|_| HIDDEN))
            .field("headers", headers)
            .field("bearer", bearer)
            .field("uri", uri)
            .field("uri_hosts", &self.uri_hosts)
            .field("fallback", &self.fallback)
            .field("control_message_format", &self.control_message_format)
            .field("twilio_account_sid", &self.twilio_account_sid)
            .field("twilio_auth_token", &self.twilio_auth_token)
            .field("liveness", liveness)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("write_timeout", &self.write_timeout)
            .field("reconnect", &self.reconnect)
            .field("queue_bytes", &self.queue_bytes)
            .field("media", &self.media)
            .field("app_events", &self.app_events)
            .field("app_events_per_second", &self.app_events_per_second)
            .field("transfer_contexts", &self.transfer_contexts)
            .finish()
    }
}

/// The options of such a section alone.
static OPTIONS: [ConfigOption<ConnectionSettings>; 19] = [
    option("header", |s, v| {
        s.headers.push(HeaderTemplate::parse(v).ok_or_else(|| invalid(HEADER))?);
        Ok(())
    }),
    // The last of the two counts, so that a section can override its template.
    option("bearer_token", |s, v| {
        put(&mut s.bearer, parse_token(v).map(Bearer::Token).map(Some).ok_or_else(|| invalid(TOKEN)))
    }),
    option("bearer_token_file", |s, v| put(&mut s.bearer, token_file(v).map(Some))),
    option("uri", |s, v| put(&mut s.uri, UriTemplate::parse(v).map(Some).ok_or_else(|| invalid(URI)))),
    option("uri_hosts", |s, v| {
        put(&mut s.uri_hosts, Hosts::parse(v).map(Some).ok_or_else(|| invalid(HOSTS)))
    }),
    option("fallback", |s, v| put(&mut s.fallback, Ok(text(v)))),
    option("control_message_format", |s, v| {
        put(&mut s.control_message_format, control_message_format(v).map(Some))
    }),
    option("twilio_account_sid", |s, v| put(&mut s.twilio_account_sid, account_sid(v).map(Some))),
    option("twilio_auth_token", |s, v| put(&mut s.twilio_auth_token, signing_key(v).map(Some))),
    option("proxy_host", |s, v| put(&mut s.proxy_host, proxy_host(v))),
    option("proxy_username", |s, v| put(&mut s.proxy_username, Ok(text(v)))),
    option("proxy_password", |s, v| put(&mut s.proxy_password, Ok(text(v)))),
    option("handshake_timeout", |s, v| put(&mut s.handshake_timeout, millis(v, TIMEOUT_MS).map(Some))),
    option("write_timeout", |s, v| put(&mut s.write_timeout, millis(v, TIMEOUT_MS).map(Some))),
    option("reconnect", |s, v| put(&mut s.reconnect, reconnect(v))),
    option("queue_bytes", |s, v| put(&mut s.queue_bytes, size(v, QUEUE_BYTES, "bytes").map(Some))),
    option("app_events", |s, v| put(&mut s.app_events, boolean(v).map(Some))),
    option("app_events_per_second", |s, v| put(&mut s.app_events_per_second, events_per_second(v).map(Some))),
    option("transfer_contexts", |s, v| put(&mut s.transfer_contexts, contexts(v).map(Some))),
];

/// The options of a section with `type = connection`.
pub fn connection_options() -> impl Iterator<Item = &'static str> {
    names(&OPTIONS).chain(names(&MEDIA)).chain(names(&LIVENESS))
}

fn token_file(value: &str) -> Result<Bearer, OptionFault> {
    let path = Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    path.map(Bearer::File).ok_or_else(|| invalid(PATH))
}

fn proxy_host(value: &str) -> Result<Option<String>, OptionFault> {
    if !value.is_empty() && parse_proxy_host(value).is_none() {
        return Err(OptionFault::Invalid(PROXY_HOST.to_owned()));
    }
    Ok(text(value))
}

/// The form of a file's name, for messages about an invalid one.
const PATH: &str = "the absolute path of a file";

fn invalid(allowed: &str) -> OptionFault {
    OptionFault::Invalid(allowed.to_owned())
}

impl ConnectionSettings {
    pub(super) fn set(&mut self, option: &str, value: &str) -> Result<(), OptionFault> {
        match set(&OPTIONS, self, option, value) {
            Err(OptionFault::Unknown) => {}
            taken => return taken,
        }
        match set(&MEDIA, &mut self.media, option, value) {
            Err(OptionFault::Unknown) => set(&LIVENESS, &mut self.liveness, option, value),
            taken => taken,
        }
    }

    /// Whether there is a `${…}` to evaluate for each call.
    pub fn has_expressions(&self) -> bool {
        self.uri.as_ref().is_some_and(UriTemplate::has_expressions)
            || self.headers.iter().any(HeaderTemplate::has_expressions)
    }

    /// The headers and the URI of one call.
    ///
    /// # Errors
    /// The value of a `${…}` is not allowed.
    pub fn fill(&self, evaluate: Evaluate<'_>) -> Result<Filled, FillError> {
        let uri = self.uri.as_ref();
        let uri = uri.map(|uri| uri.fill(self.uri_hosts.as_ref(), evaluate)).transpose()?;
        let headers = self.headers.iter().map(|header| header.fill(evaluate)).collect::<Result<_, _>>()?;
        Ok(Filled { headers, uri })
    }
}
