//! Sections with `type = connection`.

use std::time::Duration;

use super::*;
use crate::protocol::dialect::ControlMessageFormat;
use crate::settings::per_call::{Bearer, HeaderTemplate, Hosts, Secret, UriTemplate, parse_token};

#[test]
fn every_connection_option_is_taken() {
    let variables = [
        ("type", "connection"),
        ("header", "X-Call: ${UNIQUEID}"),
        ("header", "X-Key: secret"),
        ("bearer_token", "secret"),
        ("uri", "wss://jim:secret@${HOST}/calls"),
        ("uri_hosts", "*.example"),
        ("fallback", "conn2"),
        ("proxy_host", "[::1]:3128"),
        ("proxy_username", "joe"),
        ("proxy_password", "secret"),
        ("enable_pingpongs", "yes"),
        ("pingpong_interval", "5"),
        ("pingpong_probes", "2"),
        ("enable_tcp_keepalives", "no"),
        ("tcp_keepalive_time", "6"),
        ("tcp_keepalive_interval", "7"),
        ("tcp_keepalive_probes", "8"),
        ("handshake_timeout", "900"),
        ("write_timeout", "800"),
        ("music_on_hold", "yes"),
        ("silence_fill", "yes"),
        ("app_events", "yes"),
        ("app_events_per_second", "1000"),
        ("transfer_contexts", "agents, queues,agents,"),
        ("reconnect", "15000"),
        ("queue_overflow", "wait"),
        ("control_message_format", "TWILIO"),
        ("twilio_account_sid", "AC00000000000000000000000000000001"),
        ("twilio_auth_token", "secret"),
        ("max_latency", "0"),
        ("queue_bytes", "65536"),
    ];
    let file = ConfigFile { sections: vec![section("conn1", &variables)] };
    let (config, errors) = load(&file);
    assert_eq!(errors, [""; 0]);
    let expected = ConnectionSettings {
        headers: vec![
            HeaderTemplate::parse("X-Call: ${UNIQUEID}").unwrap(),
            HeaderTemplate::parse("X-Key: secret").unwrap(),
        ],
        bearer: parse_token("secret").map(Bearer::Token),
        uri: UriTemplate::parse("wss://jim:secret@${HOST}/calls"),
        uri_hosts: Hosts::parse("*.example"),
        fallback: Some("conn2".into()),
        control_message_format: Some(ControlMessageFormat::Twilio),
        twilio_account_sid: Some("AC00000000000000000000000000000001".into()),
        twilio_auth_token: Some(Secret("secret".into())),
        proxy_host: Some("[::1]:3128".into()),
        proxy_username: Some("joe".into()),
        proxy_password: Some("secret".into()),
        liveness: LivenessOptions {
            pings: PingOptions {
                enable: Some(true),
                interval: Some(Duration::from_secs(5)),
                probes: Some(2),
            },
            tcp_keepalives: TcpKeepaliveOptions {
                enable: Some(false),
                time: Some(Duration::from_secs(6)),
                interval: Some(Duration::from_secs(7)),
                probes: Some(8),
            },
        },
        handshake_timeout: Some(Duration::from_millis(900)),
        write_timeout: Some(Duration::from_millis(800)),
        reconnect: Some(Duration::from_secs(15)),
        queue_bytes: Some(65_536),
        media: MediaOptions {
            queue_overflow: Some(QueueOverflow::Wait),
            max_latency: Some(Duration::ZERO),
            music_on_hold: Some(true),
            silence_fill: Some(true),
        },
        app_events: Some(true),
        app_events_per_second: Some(1000),
        transfer_contexts: Some(vec!["agents".into(), "queues".into()]),
    };
    assert_eq!(config.connections["conn1"], expected);
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn the_dial_string_comes_before_the_section_and_that_before_global() {
    for (name, dialled, own, global, expected) in [
        ("none", "", None, "no", false),
        ("global alone", "", None, "yes", true),
        ("its own alone", "", Some("yes"), "no", true),
        ("its own says no", "", Some("no"), "yes", false),
        ("dialled alone", "music_on_hold=yes", None, "no", true),
        ("dialled over its own", "music_on_hold=no", Some("yes"), "yes", false),
        ("another one dialled", "queue_overflow=drop", Some("yes"), "no", true),
    ] {
        let own = own.map(|own| section("conn1", &[("type", "connection"), ("music_on_hold", own)]));
        let sections = [section("global", &[("music_on_hold", global)])].into_iter().chain(own).collect();
        let (config, errors) = load(&ConfigFile { sections });
        assert_eq!(errors, [""; 0], "{name}");
        let dialled = MediaOptions::parse(dialled).unwrap();
        let settings = config.settings.for_call(config.connections.get("conn1"), dialled);
        let queue_overflow = dialled.queue_overflow;
        assert_eq!(
            settings,
            Settings { music_on_hold: expected, queue_overflow, ..config.settings },
            "{name}"
        );
    }
}

/// Options of one section, and the error; no error shows a secret.
const REFUSED: &[(&[(&str, &str)], &str)] = &[
    (
        &[("header", "Authorization: Bearer secret")],
        "Invalid value 'Authorization: ***' for header in [conn1]. Must be Name: value",
    ),
    (&[("header", "my secret")], "Invalid value '***' for header in [conn1]"),
    (
        &[("bearer_token", "my secret")],
        "Invalid value '***' for bearer_token in [conn1]. Must be a token of RFC 6750",
    ),
    (
        &[("bearer_token_file", "token")],
        "Invalid value 'token' for bearer_token_file in [conn1]. Must be the absolute path of a file",
    ),
    (
        &[("uri", "http://a:secret@b/?t=secret")],
        "Invalid value 'http://b/' for uri in [conn1]. Must be ws://host/",
    ),
    (
        &[("uri", "ws://a:secret@${HOST}/x")],
        "Invalid value 'ws://${HOST}/x' for uri in [conn1]. Must be a uri without ${…} in its host, unless uri_hosts",
    ),
    (
        &[("uri_hosts", "a")],
        "Invalid value 'a' for uri_hosts in [conn1]. Must be left out where there is no uri",
    ),
    (
        &[("uri", "ws://a/"), ("uri_hosts", "*")],
        "Invalid value '*' for uri_hosts in [conn1]. Must be names, *.names",
    ),
    (
        &[("fallback", "conn1")],
        "Invalid value 'conn1' for fallback in [conn1]. Must be another websocket_client",
    ),
];

#[test]
fn what_is_refused_in_a_section_fails_its_clients_calls() {
    for (options, error) in REFUSED {
        let variables: Vec<_> = [("type", "connection")].iter().chain(*options).copied().collect();
        let file = ConfigFile { sections: vec![section("conn1", &variables)] };
        let (config, errors) = load(&file);
        assert!(errors[0].contains(error), "{}", errors[0]);
        assert_eq!(
            errors[1],
            "chan_websocket.conf: [conn1] is refused because of these errors; its client cannot be called"
        );
        assert_eq!((errors.len(), config.connections.len()), (2, 0));
        assert_eq!(config.refused["conn1"], errors[0]);
        assert!(!format!("{config:?}{errors:?}").contains("secret"), "{config:?}{errors:?}");
    }
}

#[test]
fn of_token_and_file_the_last_counts() {
    let (token, file) = (("bearer_token", "secret"), ("bearer_token_file", "/t"));
    let bearer = |options: &[(&str, &str)]| {
        let options = [&[("type", "connection")][..], options].concat();
        let (config, errors) = load(&ConfigFile { sections: vec![section("conn1", &options)] });
        assert_eq!(errors, [""; 0]);
        config.connections["conn1"].bearer.clone()
    };
    assert_eq!(bearer(&[token, file]), Some(Bearer::File("/t".into())));
    assert_eq!(bearer(&[file, token]), parse_token("secret").map(Bearer::Token));
}

#[test]
fn a_section_of_no_type_with_a_token_is_meant_to_be_a_connection() {
    let file =
        ConfigFile { sections: vec![section("conn1", &[("Bearer_Token", "secret")]), section("other", &[])] };
    let (config, errors) = load(&file);
    assert_eq!(config.refused.keys().collect::<Vec<_>>(), ["conn1"]);
    assert!(errors.iter().any(|error| error.contains("[conn1] has no type")), "{errors:?}");
}

#[test]
fn fallbacks_come_to_an_end() {
    let connection =
        |name: &str, fallback: &str| section(name, &[("type", "connection"), ("fallback", fallback)]);
    let chain = [("a", "b"), ("b", "c"), ("x", "y"), ("y", "z"), ("z", "y")];
    let sections: Vec<_> = chain.iter().map(|(name, fallback)| connection(name, fallback)).collect();
    let (config, errors) = load(&ConfigFile { sections });
    // x leads into a circle but is not part of it.
    assert_eq!(errors.iter().filter(|error| error.contains("for fallback in [")).count(), 2, "{errors:?}");
    let mut refused: Vec<_> = config.refused.keys().collect();
    refused.sort();
    assert_eq!(refused, ["y", "z"]);
    assert_eq!(config.with_fallbacks("a"), ["a", "b", "c"]);
    assert_eq!(config.with_fallbacks("c"), ["c"]);
    assert_eq!(config.with_fallbacks("x"), ["x", "y"]);
    // A file that is good by itself, and a last good section.
    let (last_good, _) = load(&ConfigFile { sections: vec![connection("a", "b")] });
    let broken = section("a", &[("type", "connection"), ("write_timeout", "never")]);
    let (config, _) = reload(&ConfigFile { sections: vec![broken, connection("b", "a")] }, Some(&last_good));
    assert_eq!(config.with_fallbacks("a"), ["a", "b"]);
}

#[test]
fn a_call_does_not_outlive_its_connection_unless_it_is_told_to() {
    for (value, expected) in [("0", Ok(None)), ("500", Ok(Some(500))), ("600001", Err(()))] {
        let file =
            ConfigFile { sections: vec![section("a", &[("type", "connection"), ("reconnect", value)])] };
        let (config, errors) = load(&file);
        match expected {
            Ok(limit) => assert_eq!(config.connections["a"].reconnect, limit.map(Duration::from_millis)),
            Err(()) => assert_eq!(
                errors[0],
                "chan_websocket.conf: Invalid value '600001' for reconnect in [a]. Must be 0, or a number from 500 to \
                 600000 (milliseconds)"
            ),
        }
    }
    assert_eq!(ConnectionSettings::default().reconnect, None);
}

#[test]
fn a_limit_that_is_switched_off_is_off() {
    let own = section("conn1", &[("type", "connection"), ("max_latency", "0"), ("queue_bytes", "70000")]);
    let file = ConfigFile { sections: vec![section("global", &[("max_latency", "200")]), own] };
    let (config, errors) = load(&file);
    assert_eq!(errors, [""; 0]);
    let conn1 = config.connections.get("conn1");
    let limit = |connection, dialled| {
        config.settings.for_call(connection, MediaOptions::parse(dialled).unwrap()).max_latency
    };
    assert_eq!(limit(None, ""), Some(Duration::from_millis(200)));
    assert_eq!(limit(None, "max_latency=0"), None);
    assert_eq!(limit(conn1, ""), None);
    assert_eq!(limit(conn1, "max_latency=60000"), Some(Duration::from_secs(60)));
    assert_eq!(config.settings.for_call(conn1, MediaOptions::default()).queue_bytes, 70_000);
}

#[test]
fn a_connection_may_not_let_more_wait_than_all_together() {
    let sections = vec![
        section("conn1", &[("type", "connection"), ("queue_bytes", "100001"), ("write_timeout", "5")]),
        section("global", &[("queue_bytes_total", "100000"), ("queue_bytes", "100000")]),
    ];
    let (config, errors) = load(&ConfigFile { sections });
    assert_eq!(
        errors,
        [
            "chan_websocket.conf: Invalid queue_bytes 100001 in [conn1]. Must be at most queue_bytes_total, which is \
             100000 (bytes)",
            "chan_websocket.conf: [conn1] is refused because of these errors; its client cannot be called",
        ]
    );
    assert!(config.connections.is_empty());
    assert_eq!(config.settings.queue_bytes_total, 100_000);
}

#[test]
fn a_connection_in_error_keeps_its_last_good_settings() {
    let connection = |timeout| ConfigFile {
        sections: vec![section("conn1", &[("type", "connection"), ("write_timeout", timeout)])],
    };
    let (last_good, _) = load(&connection("5"));
    let (config, errors) = reload(&connection("never"), Some(&last_good));
    assert_eq!(config, last_good);
    assert_eq!(
        errors[1],
        "chan_websocket.conf: [conn1] is refused because of these errors; its last good settings stay"
    );
    assert_eq!(reload(&ConfigFile::default(), Some(&last_good)).0, Config::default());
}
