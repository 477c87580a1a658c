//! Sections with `type = connection`.

use std::time::Duration;

use super::*;

#[test]
fn every_connection_option_is_taken() {
    let variables = [
        ("type", "connection"),
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
        ("app_events", "yes"),
        ("app_events_per_second", "1000"),
        ("transfer_contexts", "agents, queues,agents,"),
    ];
    let file = ConfigFile { sections: vec![section("conn1", &variables)] };
    let (config, errors) = load(&file);
    assert_eq!(errors, [""; 0]);
    let expected = ConnectionSettings {
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
        music_on_hold: Some(true),
        app_events: Some(true),
        app_events_per_second: Some(1000),
        transfer_contexts: Some(vec!["agents".into(), "queues".into()]),
    };
    assert_eq!(config.connections["conn1"], expected);
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn a_connections_own_setting_comes_before_the_global_one() {
    for (name, global, own, expected) in [
        ("neither", "no", None, false),
        ("global alone", "yes", None, true),
        ("its own alone", "no", Some("yes"), true),
        ("its own says no", "yes", Some("no"), false),
    ] {
        let own = own.map(|own| section("conn1", &[("type", "connection"), ("music_on_hold", own)]));
        let sections = [section("global", &[("music_on_hold", global)])].into_iter().chain(own).collect();
        let (config, errors) = load(&ConfigFile { sections });
        assert_eq!(errors, [""; 0], "{name}");
        let settings = config.settings.for_connection(config.connections.get("conn1"));
        assert_eq!(settings, Settings { music_on_hold: expected, ..config.settings }, "{name}");
    }
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
