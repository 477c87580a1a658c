//! Clients as Asterisk returns them, and the options that chan_websocket.conf adds.

mod fields;
mod uris;

use std::time::Duration;

use super::*;
use crate::settings::config::{
    ConnectionSettings, LivenessOptions, PingOptions, Settings, TcpKeepaliveOptions,
};

/// The fields that Asterisk 22.10 returns for an object that sets only its URI.
const FIELDS: [(&str, &str); 16] = [
    ("connection_type", "per_call_config"),
    ("uri", "ws://app.example:8765/media"),
    ("protocols", "media"),
    ("username", ""),
    ("password", ""),
    ("ca_list_file", ""),
    ("ca_list_path", ""),
    ("cert_file", ""),
    ("priv_key_file", ""),
    ("connection_timeout", "500"),
    ("reconnect_attempts", "4"),
    ("reconnect_interval", "500"),
    ("tls_enabled", "no"),
    ("verify_server_cert", "yes"),
    ("verify_server_hostname", "yes"),
    ("type", ""),
];

/// The fields that newer versions of Asterisk add, all turned off.
const NEWER_FIELDS: [(&str, &str); 10] = [
    ("proxy_host", ""),
    ("proxy_username", ""),
    ("proxy_password", ""),
    ("enable_tcp_keepalives", "no"),
    ("tcp_keepalive_time", "20"),
    ("tcp_keepalive_interval", "20"),
    ("tcp_keepalive_probes", "3"),
    ("enable_pingpongs", "no"),
    ("pingpong_interval", "20"),
    ("pingpong_probes", "3"),
];

/// `FIELDS` with `changes`, which come last.
fn settings(changes: &[(&str, &str)]) -> ClientSettings {
    let fields = FIELDS.iter().chain(changes).copied();
    ClientSettings::new(fields, None, &Settings::default()).unwrap()
}

fn target(uri: &str) -> Result<TargetUri, ClientError> {
    settings(&[("uri", uri)]).target(None)
}

fn connection() -> ConnectionSettings {
    ConnectionSettings {
        proxy_host: Some("ours.example:3128".into()),
        proxy_username: Some("joe".into()),
        proxy_password: Some("secret".into()),
        liveness: LivenessOptions {
            pings: PingOptions { enable: Some(true), interval: Some(Duration::from_secs(5)), probes: None },
            tcp_keepalives: TcpKeepaliveOptions { enable: Some(true), ..TcpKeepaliveOptions::default() },
        },
        handshake_timeout: Some(Duration::from_millis(900)),
        write_timeout: Some(Duration::from_millis(800)),
        ..ConnectionSettings::default()
    }
}
