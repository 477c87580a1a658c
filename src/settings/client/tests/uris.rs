//! URIs: where they lead, what is wrong with them, and that passwords stay out of sight.

use proptest::prelude::*;

use super::*;

/// A row of a table: the URI, TLS, user and password, host, port, path and query.
type Row = (&'static str, bool, Option<(&'static str, &'static str)>, &'static str, u16, &'static str);

#[test]
fn uris_that_lead_somewhere() {
    let rows: [Row; 32] = [
        ("ws://app.example", false, None, "app.example", 80, "/"),
        ("wss://app.example", true, None, "app.example", 443, "/"),
        ("WSS://App.Example", true, None, "App.Example", 443, "/"),
        ("ws://app.example/", false, None, "app.example", 80, "/"),
        ("ws://app.example:8765/media", false, None, "app.example", 8765, "/media"),
        ("ws://app.example:/media", false, None, "app.example", 80, "/media"),
        ("ws://app.example:65535", false, None, "app.example", 65_535, "/"),
        ("ws://app.example?a=1", false, None, "app.example", 80, "/?a=1"),
        ("ws://app.example/a/b?c=d&e=f?g", false, None, "app.example", 80, "/a/b?c=d&e=f?g"),
        ("ws://app.example/a%20b", false, None, "app.example", 80, "/a%20b"),
        ("ws://app.example/#part", false, None, "app.example", 80, "/"),
        ("ws://app.example#part", false, None, "app.example", 80, "/"),
        ("ws://app.example/a?b#c?d", false, None, "app.example", 80, "/a?b"),
        ("app.example", false, None, "app.example", 80, "/"),
        ("app.example:8765/media", false, None, "app.example", 8765, "/media"),
        ("localhost:8765", false, None, "localhost", 8765, "/"),
        ("wsserver.example/media", false, None, "wsserver.example", 80, "/media"),
        ("app.example/?to=http://x/", false, None, "app.example", 80, "/?to=http://x/"),
        ("ws://10.0.0.1:8765", false, None, "10.0.0.1", 8765, "/"),
        ("ws://my_container:8765", false, None, "my_container", 8765, "/"),
        ("ws://[::1]", false, None, "::1", 80, "/"),
        ("wss://[2001:db8::1]:8443/x", true, None, "2001:db8::1", 8443, "/x"),
        ("ws://[::ffff:10.0.0.1]:1/x", false, None, "::ffff:10.0.0.1", 1, "/x"),
        ("ws://[fe80::1%25eth0]:1/x", false, None, "fe80::1%eth0", 1, "/x"),
        ("[::1]:8765/x", false, None, "::1", 8765, "/x"),
        ("ws://u:p@app.example:1/x", false, Some(("u", "p")), "app.example", 1, "/x"),
        ("ws://u@app.example", false, Some(("u", "")), "app.example", 80, "/"),
        ("ws://u:@app.example", false, Some(("u", "")), "app.example", 80, "/"),
        ("ws://u:p:q@app.example", false, Some(("u", "p:q")), "app.example", 80, "/"),
        ("ws://u:p@q@app.example", false, Some(("u", "p@q")), "app.example", 80, "/"),
        ("ws://u:p%40q@[::1]:1", false, Some(("u", "p%40q")), "::1", 1, "/"),
        ("u:p@app.example:1", false, Some(("u", "p")), "app.example", 1, "/"),
    ];
    for (uri, tls, user_info, host, port, path_and_query) in rows {
        let expected = TargetUri {
            tls,
            user_info: user_info.map(|(user, password)| (user.to_owned(), password.to_owned())),
            host: host.into(),
            port,
            path_and_query: path_and_query.into(),
        };
        assert_eq!(target(uri).expect(uri), expected, "{uri}");
    }
}

#[test]
fn uris_that_lead_nowhere() {
    let rows = [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("http://app.example", "scheme 'http' is not ws or wss"),
        ("://app.example", "scheme '' is not ws or wss"),
        ("ws://", "'' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws:///media", "'' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://:8765", "'' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://u:p@", "'' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://app,example", "'app,example' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://app%2eexample", "'app%2eexample' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://::1/", "'::1' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://[::1", "'[::1' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://[::1:8765", "'[::1:8765' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://[]", "'[]' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://[app.example]", "'[app.example]' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://[::1%25]", "'[::1%25]' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://[::1%eth0]", "'[::1%eth0]' is not a host name, an IPv4 address or an [IPv6 address]"),
        ("ws://[::1]x", "'x' is not a port"),
        ("ws://app.example:0", "'0' is not a port"),
        ("ws://app.example:65536", "'65536' is not a port"),
        ("ws://app.example:+1", "'+1' is not a port"),
        ("ws://app.example:http", "'http' is not a port"),
        ("ws://app.example:1:2", "'1:2' is not a port"),
        ("ws://app.example/a b", "character ' ' must be URI-encoded"),
        ("ws://app.example/a\r\nX: y", r"character '\r' must be URI-encoded"),
        ("ws://app.example/é", "character 'é' must be URI-encoded"),
        ("ws://app.example/\0", r"character '\0' must be URI-encoded"),
    ];
    for (uri, text) in rows {
        assert_eq!(target(uri).expect_err(uri).to_string(), format!("Invalid uri: {text}"), "{uri}");
    }
}

#[test]
fn parameters_belong_to_one_call() {
    let rows = [
        ("ws://app.example", Some("a=1&b=2"), "/?a=1&b=2"),
        ("ws://app.example/x", Some("a=1"), "/x?a=1"),
        ("ws://app.example/x?y=z", Some("a=1"), "/x?y=z&a=1"),
        ("ws://app.example/x#y", Some("a=1"), "/x?a=1"),
        ("ws://app.example/x", Some(""), "/x"),
        ("ws://app.example/x", None, "/x"),
    ];
    for (uri, params, path_and_query) in rows {
        let settings = settings(&[("uri", uri)]);
        assert_eq!(settings.target(params).unwrap().path_and_query, path_and_query, "{uri} {params:?}");
        assert_eq!(settings.uri, uri);
    }
    let error = settings(&[]).target(Some("a=\r\n")).unwrap_err();
    assert_eq!(error, ClientError::Uri(UriError::Character('\r')));
}

#[test]
fn tls_is_what_either_says() {
    for (uri, tls_enabled, tls, port) in [
        ("ws://a", "no", false, 80),
        ("ws://a", "yes", true, 80),
        ("wss://a", "no", true, 443),
        ("a", "yes", true, 80),
    ] {
        let target = settings(&[("uri", uri), ("tls_enabled", tls_enabled)]).target(None).unwrap();
        assert_eq!((target.tls, target.port), (tls, port), "{uri} {tls_enabled}");
    }
}

#[test]
fn credentials_of_the_uri_come_first() {
    let rows = [
        ("ws://a", "", "", None),
        ("ws://a", "u", "", None),
        ("ws://a", "", "p", None),
        ("ws://a", "u", "p", Some(("u", "p"))),
        ("ws://x:y@a", "u", "p", Some(("x", "y"))),
        ("ws://x@a", "u", "p", Some(("x", ""))),
    ];
    for (uri, username, password, credentials) in rows {
        let settings = settings(&[("uri", uri), ("username", username), ("password", password)]);
        let target = settings.target(None).unwrap();
        assert_eq!(settings.credentials(&target), credentials, "{uri} {username} {password}");
    }
}

#[test]
fn passwords_are_not_shown() {
    let uris = [
        "ws://u:hush@app.example/x",
        "u:hush@app.example/x",
        "ws://u:hush@x@app.example/x",
        "http://u:hush@app.example/x",
        "ws://u:hush@",
    ];
    for uri in uris {
        let changes = [("uri", uri), ("password", "hush"), ("proxy_host", "p:1"), ("proxy_username", "u")];
        let mut settings = settings(&changes);
        settings.proxy.as_mut().unwrap().credentials = Some(("u".into(), "hush".into()));
        let target = settings.target(None);
        if let Err(error) = &target {
            assert!(!error.to_string().contains("hush"), "{error}");
        }
        let shown = format!("{settings:?} {target:?} {}", settings.uri_for_log());
        assert!(!shown.contains("hush"), "{shown}");
    }
    assert_eq!(settings(&[("uri", uris[0])]).uri_for_log(), "ws://app.example/x");
    assert_eq!(settings(&[("uri", "ws://a/b?c@d")]).uri_for_log(), "ws://a/b?c@d");
}
proptest! {
    #[test]
    fn any_uri_gets_an_answer(uri in any::<String>(), params in proptest::option::of(any::<String>())) {
        let settings = settings(&[("uri", &uri)]);
        let _ = settings.uri_for_log();
        if let Ok(target) = settings.target(params.as_deref()) {
            prop_assert!(target.path_and_query.starts_with('/'));
            prop_assert!(target.path_and_query.chars().all(|c| c.is_ascii_graphic()));
            prop_assert!(!target.host.is_empty() && target.port != 0);
        }
    }

    #[test]
    fn any_text_like_a_uri_gets_an_answer(uri in r"(wss?://)?[a@:\[\]]{0,6}(:[0-9]{0,6})?[/?#a%]{0,6}") {
        let settings = settings(&[("uri", &uri)]);
        let _ = settings.uri_for_log();
        if let Ok(target) = settings.target(Some("x=1")) {
            prop_assert!(target.path_and_query.ends_with("x=1") && !target.path_and_query.contains('#'));
        }
    }

    #[test]
    fn a_uri_comes_apart_as_it_was_put_together(
        tls in any::<bool>(),
        user_info in proptest::option::of(("[a-z]{1,5}", "[a-z:@%0-9]{0,5}")),
        host in "[a-z][a-z0-9._-]{0,10}",
        port in 1..=u16::MAX,
        path_and_query in r"/[a-z/]{0,5}(\?[a-z=&?/:@]{0,9})?",
    ) {
        let scheme = if tls { "wss" } else { "ws" };
        let info = user_info.as_ref().map(|(user, password)| format!("{user}:{password}@")).unwrap_or_default();
        let uri = format!("{scheme}://{info}{host}:{port}{path_and_query}");
        prop_assert_eq!(target(&uri).unwrap(), TargetUri { tls, user_info, host, port, path_and_query });
    }

}
