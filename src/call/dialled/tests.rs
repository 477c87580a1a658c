//! Which clients a call tries, where each of them leads, and what is sent there.

use super::*;
use crate::call::fixture::outgoing;
use crate::settings::config::{ConfigFile, Section, parse};

/// Objects in memory: `client` and `second`.
struct InMemory;

/// The same, in a database.
struct InDatabase;

/// `client`, whose `write_timeout` may be Asterisk's own.
struct Unclear;

fn object(client: &str, more: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    if !["client", "second"].contains(&client) {
        return None;
    }
    let uri = format!("ws://{client}.example/media");
    let fields = [("uri", &*uri), ("reconnect_attempts", "4"), ("connection_timeout", "500")];
    let fields = fields.iter().chain(more);
    Some(fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

impl ClientStore for InMemory {
    fn are_in_memory() -> bool {
        true
    }

    fn fields(client: &str) -> Option<Vec<(String, String)>> {
        object(client, &[])
    }

    fn written(_: &str, _: &CStr) -> Option<String> {
        None
    }
}

impl ClientStore for InDatabase {
    fn are_in_memory() -> bool {
        false
    }

    fn fields(client: &str) -> Option<Vec<(String, String)>> {
        object(client, &[])
    }

    fn written(_: &str, _: &CStr) -> Option<String> {
        None
    }
}

impl ClientStore for Unclear {
    fn are_in_memory() -> bool {
        true
    }

    fn fields(client: &str) -> Option<Vec<(String, String)>> {
        object(client, &[("write_timeout", "100")])
    }

    fn written(_: &str, _: &CStr) -> Option<String> {
        Some("100".to_owned())
    }
}

/// These servers speak no TLS.
struct NoTls;

impl TlsConnector for NoTls {
    fn prepare(&self, _: &ClientSettings) -> Result<Arc<dyn crate::net::connector::TlsContext>, String> {
        Err("no TLS".to_owned())
    }
}

/// The sections of chan_websocket.conf.
fn config(sections: &[(&str, &[(&str, &str)])]) -> Arc<Config> {
    let sections = sections.iter().map(|(name, options)| {
        let options = [("type", "connection")].iter().chain(*options);
        let variables = options.map(|(option, value)| ((*option).into(), (*value).into())).collect();
        Section { name: (*name).into(), variables }
    });
    let (config, errors) = parse("chan_websocket.conf", &ConfigFile { sections: sections.collect() }, None);
    assert!(errors.is_empty(), "{errors:?}");
    Arc::new(config)
}

fn dialled(config: Arc<Config>) -> Dialled {
    let evaluate = |expression: &str| format!("value of {expression}").into_bytes();
    Route::to("client", config).fill(&mut { evaluate }).unwrap()
}

fn job<S: ClientStore>(dialled: &Dialled, again: bool) -> ConnectJob {
    let (call, tls) = (outgoing("client"), Arc::new(NoTls));
    dialled.job::<S>(&call, again, tls, Box::new(|_| {})).unwrap()
}

/// The settings, as the connector reads them.
fn read(settings: ConnectSettings) -> Result<Destination, String> {
    match settings {
        ConnectSettings::Known(known) => known.map(|known| *known),
        ConnectSettings::Read(read) => read(),
    }
}

#[test]
fn a_call_tries_its_client_and_then_each_fallback() {
    let dialled = dialled(config(&[("client", &[("fallback", "second")])]));
    let job = job::<InMemory>(&dialled, false);
    assert_eq!((job.client.as_str(), job.again), ("client", false));
    let first = read(job.settings).unwrap();
    assert_eq!(
        (first.client.uri.as_str(), first.client.reconnect_attempts),
        ("ws://client.example/media", 4)
    );
    let fallbacks: Vec<_> =
        job.fallbacks.into_iter().map(|fallback| (fallback.client, fallback.settings)).collect();
    let [(name, settings)] = <[_; 1]>::try_from(fallbacks).ok().unwrap();
    assert_eq!(
        (name.as_str(), settings().unwrap().client.uri.as_str()),
        ("second", "ws://second.example/media")
    );
}

#[test]
fn after_a_loss_each_client_is_tried_once_in_each_attempt() {
    let dialled = dialled(config(&[("client", &[("fallback", "second")])]));
    let job = job::<InMemory>(&dialled, true);
    assert!(job.again);
    assert_eq!(read(job.settings).unwrap().client.reconnect_attempts, 1);
    for fallback in job.fallbacks {
        assert_eq!((fallback.settings)().unwrap().client.reconnect_attempts, 1);
    }
}

#[test]
fn a_client_in_memory_is_read_at_once() {
    let dialled = dialled(config(&[]));
    assert!(matches!(job::<InMemory>(&dialled, false).settings, ConnectSettings::Known(Ok(_))));
    assert!(matches!(job::<InDatabase>(&dialled, false).settings, ConnectSettings::Read(_)));
    // To decide that, the file has to be read.
    let unclear = job::<Unclear>(&dialled, false).settings;
    assert!(matches!(unclear, ConnectSettings::Read(_)));
    assert_eq!(read(unclear).unwrap().client.write_timeout.as_millis(), 100);
}

#[test]
fn each_server_gets_the_values_of_its_section_for_this_call() {
    let config = config(&[
        ("client", &[("header", "X-Call: ${UNIQUEID}"), ("fallback", "second")]),
        ("second", &[("header", "X-Other: fixed")]),
    ]);
    assert!(Route::to("client", config.clone()).has_expressions());
    assert!(!Route::to("second", config.clone()).has_expressions());
    let job = job::<InMemory>(&dialled(config), false);
    let header = |destination: &Destination| {
        let headers = destination.client.headers.iter();
        headers
            .map(|header| (header.name.clone(), String::from_utf8(header.value.clone()).unwrap()))
            .collect::<Vec<_>>()
    };
    let first = read(job.settings).unwrap();
    assert_eq!(header(&first), [("X-Call".to_owned(), "value of ${UNIQUEID}".to_owned())]);
    for fallback in job.fallbacks {
        let second = (fallback.settings)().unwrap();
        assert_eq!(header(&second), [("X-Other".to_owned(), "fixed".to_owned())]);
    }
}

#[test]
fn a_value_that_is_not_possible_makes_no_call() {
    let config = config(&[("client", &[("uri", "wss://${HOST}/media"), ("uri_hosts", "*.example")])]);
    let filled = Route::to("client", config).fill(&mut |_| b"elsewhere.test".to_vec());
    let why = filled.err().unwrap();
    assert!(why.starts_with("chan_websocket.conf: [client]: "), "{why}");
}

#[test]
fn a_client_that_cannot_be_connected_to_has_a_reason() {
    let mut config = Config::default();
    let leg = |config: &Config, client: &str| Leg {
        config: Arc::new(config.clone()),
        settings: Arc::default(),
        dialect: ControlMessageFormat::PlainText,
        client: client.to_owned(),
        filled: Filled::default(),
        uri_params: None,
        once: false,
    };
    let gone = leg(&config, "gone").read::<InMemory>().err();
    assert_eq!(gone.as_deref(), Some("websocket_client 'gone' does not exist any more"));
    config.refused.insert("client".to_owned(), "its section has an error".to_owned());
    let refused = leg(&config, "client").read::<InMemory>().err();
    assert_eq!(refused.as_deref(), Some("its section has an error"));
}
