//! Fields, their defaults, and which file takes precedence if both set an option.

use proptest::prelude::*;

use super::*;

#[test]
fn defaults_are_res_websocket_clients() {
    let bare = ClientSettings::new(
        [("uri", "ws://app.example:8765/media"), ("protocols", "media")],
        None,
        &Settings::default(),
    );
    let bare = bare.unwrap();
    assert_eq!(bare, settings(&[]));
    assert_eq!(bare.connection_timeout, Duration::from_millis(500));
    assert_eq!((bare.reconnect_attempts, bare.reconnect_interval), (4, Duration::from_millis(500)));
    assert!(!bare.tls_enabled && bare.verify_server_cert && bare.verify_server_hostname);
    assert_eq!(
        (&bare.ca_list_file, &bare.proxy, bare.pings, bare.tcp_keepalives),
        (&None, &None, None, None)
    );
    assert_eq!(
        (bare.handshake_timeout, bare.write_timeout),
        (Duration::from_secs(10), Duration::from_secs(30))
    );
    assert_eq!(bare, settings(&NEWER_FIELDS));
}

#[test]
fn every_field_is_taken() {
    type Expect = fn(&mut ClientSettings);
    let rows: Vec<(&[(&str, &str)], Expect)> = vec![
        (&[("protocols", "media, ari")], |s| s.protocols = "media, ari".into()),
        (&[("username", "u"), ("password", "p")], |s| {
            s.username = "u".into();
            s.password = "p".into();
        }),
        (&[("connection_timeout", "1500")], |s| s.connection_timeout = Duration::from_millis(1500)),
        (&[("connection_timeout", "0")], |s| s.connection_timeout = Duration::from_millis(500)),
        (&[("connection_timeout", "-1")], |s| s.connection_timeout = Duration::from_millis(500)),
        (&[("connection_timeout", "9223372036854775807")], |s| {
            s.connection_timeout = Duration::from_secs(86_400);
        }),
        (&[("reconnect_attempts", "0")], |s| s.reconnect_attempts = 1),
        (&[("reconnect_attempts", "-2147483648")], |s| s.reconnect_attempts = 1),
        (&[("reconnect_attempts", "2147483647")], |s| s.reconnect_attempts = 2_147_483_647),
        (&[("reconnect_interval", "0")], |s| s.reconnect_interval = Duration::ZERO),
        (&[("reconnect_interval", "70")], |s| s.reconnect_interval = Duration::from_millis(70)),
        (&[("tls_enabled", "true")], |s| s.tls_enabled = true),
        (&[("ca_list_file", "/f")], |s| s.ca_list_file = Some("/f".into())),
        (&[("ca_list_path", "/p")], |s| s.ca_list_path = Some("/p".into())),
        (&[("cert_file", "/c")], |s| s.cert_file = Some("/c".into())),
        (&[("priv_key_file", "/k")], |s| s.priv_key_file = Some("/k".into())),
        (&[("verify_server_cert", "no")], |s| s.verify_server_cert = false),
        (&[("verify_server_hostname", "false")], |s| s.verify_server_hostname = false),
        (&[("proxy_host", "proxy.example:3128")], |s| {
            s.proxy = Some(Proxy { host: "proxy.example".into(), port: 3128, credentials: None });
        }),
        (&[("proxy_host", "[::1]:80"), ("proxy_username", "u"), ("proxy_password", "p")], |s| {
            let credentials = Some(("u".into(), "p".into()));
            s.proxy = Some(Proxy { host: "::1".into(), port: 80, credentials });
        }),
        (&[("proxy_username", "u")], |_| {}),
        (&[("enable_pingpongs", "yes"), ("pingpong_interval", "5"), ("pingpong_probes", "0")], |s| {
            s.pings = Some(Pings { interval: Duration::from_secs(5), probes: 3 });
        }),
        (
            &[
                ("enable_tcp_keepalives", "yes"),
                ("tcp_keepalive_time", "1"),
                ("tcp_keepalive_interval", "99999"),
                ("tcp_keepalive_probes", "4"),
            ],
            |s| {
                let (time, interval) = (Duration::from_secs(1), Duration::from_secs(32_767));
                s.tcp_keepalives = Some(TcpKeepalives { time, interval, probes: 4 });
            },
        ),
        (&[("write_timeout", "70")], |s| s.write_timeout = Duration::from_millis(70)),
        (&[("write_timeout", "0")], |_| {}),
        (&[("some_day", "x")], |_| {}),
    ];
    for (changes, expect) in rows {
        let mut expected = settings(&[]);
        expect(&mut expected);
        assert_eq!(settings(changes), expected, "{changes:?}");
    }
}

#[test]
fn fields_that_do_not_fit_are_refused_by_name() {
    let rows = [
        ("connection_timeout", "soon", "Invalid value 'soon' for connection_timeout. Must be a number"),
        ("reconnect_attempts", "", "Invalid value '' for reconnect_attempts. Must be a number"),
        ("tls_enabled", "maybe", "Invalid value 'maybe' for tls_enabled. Must be yes or no"),
        (
            "proxy_host",
            "proxy.example",
            "Invalid value 'proxy.example' for proxy_host. Must be host:port, or [IPv6 address]:port",
        ),
    ];
    for (field, value, text) in rows {
        let error = ClientSettings::new([(field, value)], None, &Settings::default());
        assert_eq!(error.expect_err(field).to_string(), text);
    }
}

#[test]
fn our_section_supplies_options_that_are_not_set() {
    let ours = connection();
    let global = Settings::default();
    for newer in [&[][..], &NEWER_FIELDS[..]] {
        let fields = FIELDS.iter().chain(newer).copied();
        let settings = ClientSettings::new(fields, Some(&ours), &global).unwrap();
        let credentials = Some(("joe".into(), "secret".into()));
        assert_eq!(settings.proxy, Some(Proxy { host: "ours.example".into(), port: 3128, credentials }));
        assert_eq!(settings.pings, Some(Pings { interval: Duration::from_secs(5), probes: 3 }));
        assert_eq!(settings.tcp_keepalives.unwrap().time, Duration::from_secs(20));
        assert_eq!(settings.handshake_timeout, Duration::from_millis(900));
        assert_eq!(settings.write_timeout, Duration::from_millis(800));
    }
}

#[test]
fn what_asterisk_switches_on_counts() {
    let theirs = [
        ("proxy_host", "theirs.example:8080"),
        ("enable_pingpongs", "yes"),
        ("pingpong_interval", "30"),
        ("enable_tcp_keepalives", "yes"),
        ("tcp_keepalive_time", "40"),
        ("write_timeout", "70"),
    ];
    let fields = FIELDS.iter().chain(&theirs).copied();
    let settings = ClientSettings::new(fields.clone(), Some(&connection()), &Settings::default()).unwrap();
    let proxy = Proxy { host: "theirs.example".into(), port: 8080, credentials: None };
    assert_eq!(settings.proxy, Some(proxy), "no password of ours for a proxy of theirs");
    assert_eq!(settings.pings, Some(Pings { interval: Duration::from_secs(30), probes: 3 }));
    assert_eq!(settings.tcp_keepalives.unwrap().time, Duration::from_secs(40));
    assert_eq!(settings.write_timeout, Duration::from_millis(800), "written in our file");
    let settings = ClientSettings::new(fields, None, &Settings::default()).unwrap();
    assert_eq!(settings.write_timeout, Duration::from_millis(70), "of the client rather than of [global]");
}

proptest! {
    #[test]
    fn any_fields_get_an_answer(fields in proptest::collection::vec(
        (proptest::sample::select(FIELDS.iter().chain(&NEWER_FIELDS).map(|(field, _)| *field).collect::<Vec<_>>()), any::<String>()),
        0..8,
    )) {
        let fields = fields.iter().map(|(field, value)| (*field, value.as_str()));
        let _ = ClientSettings::new(fields, Some(&connection()), &Settings::default());
    }
}

/// Only the file tells Asterisk's default from a written value.
#[test]
fn asterisks_own_write_timeout_counts_only_where_it_is_written() {
    let rows: [(&str, Option<&str>, Option<u64>); 6] = [
        ("100", None, None),
        ("100", Some(" 100 "), Some(100)),
        // The file has changed, and has not been reloaded yet.
        ("100", Some("5000"), None),
        ("100", Some("soon"), None),
        ("5000", None, Some(5000)),
        ("99", Some("5000"), Some(99)),
    ];
    for (field, written, expected) in rows {
        let mut fields =
            vec![("uri".to_owned(), "ws://a".to_owned()), ("write_timeout".to_owned(), field.to_owned())];
        assert_eq!(has_unclear_write_timeout(&fields), field == "100");
        clear_write_timeout(&mut fields, written);
        assert_eq!(fields[0].0, "uri");
        let pairs = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let client = ClientSettings::new(pairs, None, &Settings::default()).unwrap();
        assert_eq!(
            client.write_timeout,
            Duration::from_millis(expected.unwrap_or(30_000)),
            "{field} {written:?}"
        );
    }
}

#[test]
fn a_token_and_a_user_exclude_each_other() {
    let connection = ConnectionSettings {
        bearer: Some(Bearer::Token(Secret("hush".into()))),
        ..ConnectionSettings::default()
    };
    for (uri, username, fits) in [
        ("ws://a/", "", true),
        ("ws://a/", "joe", false),
        ("ws://joe:pw@a/", "", false),
        ("ws://joe@a/", "", false),
    ] {
        let fields = [("uri", uri), ("username", username)];
        let client = ClientSettings::new(fields, Some(&connection), &Settings::default()).unwrap();
        let target = client.target(None);
        assert_eq!(target.is_ok(), fits, "{uri} {username}");
        assert!(fits || target == Err(ClientError::TwoCredentials));
        assert!(!format!("{client:?}").contains("hush"));
    }
}

#[test]
fn what_a_call_says_replaces_the_clients_uri() {
    let mut client = settings(&[]);
    let header = FilledHeader { name: "X-Call".into(), value: b"hush".to_vec() };
    client.fill(Filled { headers: vec![header.clone()], uri: None });
    assert_eq!((client.uri.as_str(), &client.headers), ("ws://app.example:8765/media", &vec![header]));
    client.fill(Filled { headers: Vec::new(), uri: Some(Secret("wss://b.example/x?y".into())) });
    let target = client.target(Some("z=1")).unwrap();
    assert_eq!((target.host.as_str(), target.path_and_query.as_str()), ("b.example", "/x?y&z=1"));
    assert!(client.headers.is_empty());
}
