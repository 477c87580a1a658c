//! Configuration: chan_websocket.conf as Asterisk passes it, and a websocket_client made of the same text.

use super::input::text;
use crate::net::upgrade::UpgradeRequest;
use crate::settings::client::ClientSettings;
use crate::settings::config::{Config, ConfigFile, Section, Settings, parse};

const FILE: &str = "chan_websocket.conf";

/// Lines: `[section]` or `name=value`. A first line `?…` is what `v()` adds to the URI.
pub fn config(bytes: &[u8]) {
    let text = text(bytes);
    let (params, lines) = match text.strip_prefix('?') {
        Some(rest) => rest.split_once('\n').map_or((Some(rest), ""), |(params, rest)| (Some(params), rest)),
        None => (None, text.as_str()),
    };
    let file = file(lines);
    let (loaded, errors) = parse(FILE, &file, None);
    check_settings(&loaded.settings);
    for error in &errors {
        assert!(!error.to_string().contains('\n') && error.to_string().starts_with(FILE), "{error}");
    }
    // Loading the same file again changes nothing, and a good file has the same result on top of other settings.
    let (again, errors_again) = parse(FILE, &file, Some(&loaded));
    assert_eq!(again.settings, loaded.settings);
    assert_eq!(errors.is_empty(), errors_again.is_empty());
    if errors.is_empty() {
        assert_eq!(again, loaded);
        assert_eq!(parse(FILE, &file, Some(&other())).0, loaded);
    }
    client(&file, &loaded, params);
}

fn file(lines: &str) -> ConfigFile {
    let mut file = ConfigFile::default();
    for line in lines.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            file.sections.push(Section { name: name.to_owned(), variables: Vec::new() });
        } else if let (Some((name, value)), Some(section)) = (line.split_once('='), file.sections.last_mut())
        {
            section.variables.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    file
}

/// Settings that differ from the defaults.
fn other() -> Config {
    let variables = [("queue_max", "7"), ("queue_xoff", "6"), ("queue_xon", "5"), ("out_queue", "333")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let sections = vec![Section { name: "global".to_owned(), variables }];
    let (config, errors) = parse(FILE, &ConfigFile { sections }, None);
    assert!(errors.is_empty());
    config
}

/// The active settings are consistent, whatever the file contains.
fn check_settings(settings: &Settings) {
    let hour = 3_600_000;
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap();
    assert!((1..=hour).contains(&millis(settings.write_timeout)));
    assert!((1..=hour).contains(&millis(settings.handshake_timeout)));
    assert!((1..=60_000).contains(&millis(settings.close_timeout)));
    assert!((20..=60_000).contains(&millis(settings.out_queue)));
    assert!((1024..=64 << 20).contains(&settings.max_message_size));
    assert!((128..=1 << 20).contains(&settings.max_command_size));
    assert!(1 <= settings.queue_xon && settings.queue_xon < settings.queue_xoff);
    assert!(settings.queue_xoff <= settings.queue_max && settings.queue_max <= 100_000);
    assert!((64 << 10..=1 << 30).contains(&settings.queue_bytes));
    assert!(settings.queue_bytes <= settings.queue_bytes_total && settings.queue_bytes_total <= 1 << 40);
    assert!(settings.max_latency.is_none_or(|limit| (20..=60_000).contains(&millis(limit))));
    assert!(settings.incoming_timeout.is_none_or(|time| !time.is_zero() && time.as_secs() <= 86_400));
    assert!(settings.incoming_acl.iter().all(|rule| !rule.value.is_empty()));
    assert!(settings.incoming_origins.iter().all(|origin| !origin.is_empty()));
    assert!(settings.pings.is_none_or(|pings| pings.probes > 0 && !pings.interval.is_zero()));
    assert!(settings.tcp_keepalives.is_none_or(|keepalives| keepalives.probes > 0));
    assert!(settings.reactor_threads <= 64);
    assert!(settings.listing().iter().all(|(_, value)| !value.is_empty()));
}

/// The first section gives the fields of a websocket_client, with another section of `type = connection`.
fn client(file: &ConfigFile, config: &Config, params: Option<&str>) {
    let Some(section) = file.sections.first() else { return };
    let fields = section.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let connection = config.connections.values().next();
    let Ok(mut client) = ClientSettings::new(fields, connection, &config.settings) else { return };
    // A value that a caller may have sent for each ${…}.
    let value = params.unwrap_or("a\r\nHost: b").as_bytes();
    match connection.map(|connection| connection.fill(&mut |_| value.to_vec())) {
        Some(Ok(filled)) => client.fill(filled),
        Some(Err(_)) => return,
        None => {}
    }
    assert!(client.reconnect_attempts >= 1);
    check_secrets(&client);
    let Ok(target) = client.target(params) else { return };
    assert!(target.port != 0 && !target.host.is_empty());
    assert!(
        target.path_and_query.starts_with('/') && target.path_and_query.chars().all(|c| c.is_ascii_graphic())
    );
    check_request(&client, params);
}

/// A password is neither in the log nor in debug output.
fn check_secrets(client: &ClientSettings) {
    let secret = &client.password;
    let elsewhere = [&client.uri, &client.username, &client.protocols];
    let files = [&client.ca_list_file, &client.ca_list_path, &client.cert_file, &client.priv_key_file];
    let proxy = client.proxy.as_ref().map(|proxy| &proxy.host);
    let mut texts = elsewhere.into_iter().chain(files.into_iter().flatten()).chain(proxy);
    let is_public = texts.any(|text| text.contains(secret) || format!("{text:?}").contains(secret));
    // A short one may occur by chance.
    if secret.len() >= 12 && !is_public && secret.bytes().any(|byte| byte.is_ascii_digit()) {
        assert!(!format!("{client:?}").contains(secret), "{client:?}");
    }
}

/// The request has the expected lines and no others.
fn check_request(client: &ClientSettings, params: Option<&str>) {
    let target = client.target(params).unwrap();
    let request = UpgradeRequest {
        host: &target.host,
        port: target.port,
        path_and_query: &target.path_and_query,
        credentials: client.credentials(&target),
        bearer: None,
        headers: &client.headers,
        protocols: Some(&client.protocols),
    };
    let Ok((bytes, _)) = request.start() else { return };
    let mut fields = vec![httparse::EMPTY_HEADER; 7 + client.headers.len()];
    let mut parsed = httparse::Request::new(&mut fields);
    let status = parsed.parse(&bytes).unwrap_or_else(|error| panic!("{error}: {:?}", text(&bytes)));
    assert_eq!(status, httparse::Status::Complete(bytes.len()), "{:?}", text(&bytes));
    assert_eq!((parsed.method, parsed.path), (Some("GET"), Some(target.path_and_query.as_str())));
    let wanted = 5
        + usize::from(request.credentials.is_some())
        + usize::from(!client.protocols.trim().is_empty())
        + client.headers.len();
    assert_eq!(parsed.headers.len(), wanted, "{:?}", text(&bytes));
}
