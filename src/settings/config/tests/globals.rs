//! `[global]`: each option, each refused value, and what an error leaves in force.

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::protocol::dialect::{ControlMessageFormat, control_message_formats};
use crate::report::notification::NotificationClasses;

#[test]
fn nothing_is_the_defaults() {
    for file in [ConfigFile::default(), global(&[]), global(&[("type", "global")])] {
        let (config, errors) = load(&file);
        assert_eq!(config, Config::default());
        assert_eq!(errors, [""; 0]);
    }
    let settings = Settings::default();
    assert_eq!(settings.control_message_format, ControlMessageFormat::PlainText);
    assert_eq!(settings.write_timeout, Duration::from_secs(30));
    assert_eq!(settings.handshake_timeout, Duration::from_secs(10));
    assert_eq!(settings.close_timeout, Duration::from_secs(2));
    assert_eq!((settings.max_message_size, settings.max_command_size), (1_048_576, 65_536));
    assert_eq!((settings.queue_max, settings.queue_xoff, settings.queue_xon), (1000, 900, 800));
    assert_eq!(settings.out_queue, Duration::from_secs(2));
    assert_eq!(settings.incoming_timeout, None);
    assert_eq!((settings.pings, settings.tcp_keepalives), (None, None));
    assert!(!settings.music_on_hold && !settings.silence_fill);
    assert_eq!((settings.queue_overflow, settings.max_latency), (None, None));
    assert_eq!((settings.queue_bytes, settings.queue_bytes_total), (16 << 20, 1 << 30));
}

#[test]
fn every_global_option_is_taken() {
    type Expect = fn(&mut Settings);
    let rows: Vec<(&[(&str, &str)], Expect)> = vec![
        (&[("control_message_format", "JSON")], |s| s.control_message_format = ControlMessageFormat::Json),
        (&[("Control_Message_Format", " json ")], |s| s.control_message_format = ControlMessageFormat::Json),
        (&[("write_timeout", "1500")], |s| s.write_timeout = Duration::from_millis(1500)),
        (&[("handshake_timeout", "1")], |s| s.handshake_timeout = Duration::from_millis(1)),
        (&[("close_timeout", "60000")], |s| s.close_timeout = Duration::from_secs(60)),
        (&[("max_message_size", "1024")], |s| s.max_message_size = 1024),
        (&[("max_command_size", "128")], |s| s.max_command_size = 128),
        (&[("queue_max", "900")], |s| s.queue_max = 900),
        (&[("queue_xoff", "1000")], |s| s.queue_xoff = 1000),
        (&[("queue_xon", "1")], |s| s.queue_xon = 1),
        (&[("queue_xon", "5"), ("queue_max", "6"), ("queue_xoff", "6")], |s| {
            (s.queue_xon, s.queue_xoff, s.queue_max) = (5, 6, 6);
        }),
        (&[("out_queue", "500")], |s| s.out_queue = Duration::from_millis(500)),
        (&[("incoming_timeout", "30")], |s| s.incoming_timeout = Some(Duration::from_secs(30))),
        (&[("incoming_timeout", "30"), ("incoming_timeout", "0")], |s| s.incoming_timeout = None),
        (
            &[("incoming_deny", "0.0.0.0/0"), ("incoming_acl", "office"), ("incoming_permit", "10.0.0.0/8")],
            |s| {
                let rule = |sense, value: &str| AclRule { sense, value: value.into() };
                s.incoming_acl = vec![
                    rule(AclSense::Deny, "0.0.0.0/0"),
                    rule(AclSense::Acl, "office"),
                    rule(AclSense::Permit, "10.0.0.0/8"),
                ];
            },
        ),
        (&[("incoming_reconnect", "10000")], |s| s.incoming_reconnect = Some(Duration::from_secs(10))),
        (&[("incoming_reconnect", "0")], |_| {}),
        (&[("incoming_require_tls", "Yes")], |s| s.incoming_require_tls = true),
        (&[("incoming_require_tls", "on"), ("incoming_require_tls", "off")], |_| {}),
        (&[("incoming_origins", "https://a.example, https://b.example,,")], |s| {
            s.incoming_origins = vec!["https://a.example".into(), "https://b.example".into()];
        }),
        (&[("incoming_origins", "")], |_| {}),
        (&[("enable_pingpongs", "yes")], |s| {
            s.pings = Some(Pings { interval: Duration::from_secs(20), probes: 3 });
        }),
        (&[("pingpong_probes", "5"), ("enable_pingpongs", "t"), ("pingpong_interval", "7")], |s| {
            s.pings = Some(Pings { interval: Duration::from_secs(7), probes: 5 });
        }),
        (&[("pingpong_interval", "7")], |_| {}),
        (&[("enable_pingpongs", "no"), ("pingpong_interval", "7")], |_| {}),
        (&[("manager_events", "Connected, stalled")], |s| {
            s.manager_events = NotificationClasses::parse("connected,stalled").unwrap();
        }),
        (&[("manager_events", "none"), ("user_events", "all")], |s| {
            (s.manager_events, s.user_events) = (NotificationClasses::NONE, NotificationClasses::ALL);
        }),
        (&[("music_on_hold", "yes")], |s| s.music_on_hold = true),
        (&[("silence_fill", "yes")], |s| s.silence_fill = true),
        (&[("queue_overflow", "Wait")], |s| s.queue_overflow = Some(QueueOverflow::Wait)),
        (&[("queue_overflow", "wait"), ("queue_overflow", "drop")], |s| {
            s.queue_overflow = Some(QueueOverflow::Drop);
        }),
        (&[("queue_bytes", "1073741824")], |s| s.queue_bytes = 1 << 30),
        (&[("queue_bytes_total", "65536"), ("queue_bytes", "65536")], |s| {
            (s.queue_bytes, s.queue_bytes_total) = (65_536, 65_536);
        }),
        (&[("max_latency", "20")], |s| s.max_latency = Some(Duration::from_millis(20))),
        (&[("max_latency", "20"), ("max_latency", "0")], |_| {}),
        (&[("enable_tcp_keepalives", "1")], |s| {
            let interval = Duration::from_secs(20);
            s.tcp_keepalives = Some(TcpKeepalives { time: interval, interval, probes: 3 });
        }),
        (
            &[
                ("enable_tcp_keepalives", "y"),
                ("tcp_keepalive_time", "1"),
                ("tcp_keepalive_interval", "2"),
                ("tcp_keepalive_probes", "127"),
            ],
            |s| {
                let (time, interval) = (Duration::from_secs(1), Duration::from_secs(2));
                s.tcp_keepalives = Some(TcpKeepalives { time, interval, probes: 127 });
            },
        ),
        (&[("reactor_threads", "4")], |s| s.reactor_threads = 4),
        (&[("coalesce_reads", "no")], |s| s.coalesce_reads = false),
        (&[("direct_bridge", "no")], |s| s.direct_bridge = false),
        (&[("allow_untested_version", "yes")], |s| s.allow_untested_version = true),
        (&[("write_timeout", "1"), ("write_timeout", "2")], |s| s.write_timeout = Duration::from_millis(2)),
    ];
    for (variables, expect) in rows {
        let mut expected = Settings::default();
        expect(&mut expected);
        let (config, errors) = load(&global(variables));
        assert_eq!(errors, [""; 0], "{variables:?}");
        assert_eq!(config.settings, expected, "{variables:?}");
    }
}

#[test]
fn values_that_do_not_fit_are_refused_by_name() {
    let formats = control_message_formats();
    let rows = [
        ("control_message_format", "xml", formats.as_str()),
        ("control_message_format", "", &formats),
        ("write_timeout", "0", "a number from 1 to 3600000 (milliseconds)"),
        ("write_timeout", "3600001", "a number from 1 to 3600000 (milliseconds)"),
        ("write_timeout", "-1", "a number from 1 to 3600000 (milliseconds)"),
        ("write_timeout", "+1", "a number from 1 to 3600000 (milliseconds)"),
        ("write_timeout", "30s", "a number from 1 to 3600000 (milliseconds)"),
        ("write_timeout", "1.5", "a number from 1 to 3600000 (milliseconds)"),
        ("write_timeout", "", "a number from 1 to 3600000 (milliseconds)"),
        ("handshake_timeout", "99999999999999999999999", "a number from 1 to 3600000 (milliseconds)"),
        ("close_timeout", "60001", "a number from 1 to 60000 (milliseconds)"),
        ("max_message_size", "1023", "a number from 1024 to 67108864 (bytes)"),
        ("max_command_size", "127", "a number from 128 to 1048576 (bytes)"),
        ("queue_max", "100001", "a number from 1 to 100000 (frames)"),
        ("queue_xoff", "0", "a number from 1 to 100000 (frames)"),
        ("queue_xon", "0", "a number from 1 to 100000 (frames)"),
        ("out_queue", "19", "a number from 20 to 60000 (milliseconds)"),
        ("incoming_timeout", "86401", "a number from 0 to 86400 (seconds)"),
        ("incoming_reconnect", "499", "0, or a number from 500 to 600000 (milliseconds)"),
        ("incoming_acl", "", "names of ACLs of acl.conf"),
        ("incoming_permit", "", "addresses, with or without a mask"),
        ("incoming_require_tls", "maybe", "yes or no"),
        ("coalesce_reads", "5", "yes or no"),
        ("direct_bridge", "sometimes", "yes or no"),
        ("music_on_hold", "default", "yes or no"),
        ("silence_fill", "comfort", "yes or no"),
        ("queue_overflow", "block", "'drop' or 'wait'"),
        ("queue_overflow", "", "'drop' or 'wait'"),
        ("queue_bytes", "65535", "a number from 65536 to 1073741824 (bytes)"),
        ("queue_bytes", "16M", "a number from 65536 to 1073741824 (bytes)"),
        ("queue_bytes_total", "1099511627777", "a number from 65536 to 1099511627776 (bytes)"),
        ("max_latency", "19", "0 (off), or a number from 20 to 60000 (milliseconds)"),
        ("max_latency", "60001", "0 (off), or a number from 20 to 60000 (milliseconds)"),
        ("max_latency", "", "0 (off), or a number from 20 to 60000 (milliseconds)"),
        ("enable_pingpongs", "2", "yes or no"),
        ("pingpong_interval", "0", "a number from 1 to 32767 (seconds)"),
        ("pingpong_probes", "128", "a number from 1 to 127 (probes)"),
        ("enable_tcp_keepalives", "", "yes or no"),
        ("tcp_keepalive_time", "32768", "a number from 1 to 32767 (seconds)"),
        ("tcp_keepalive_interval", "0", "a number from 1 to 32767 (seconds)"),
        ("tcp_keepalive_probes", "0", "a number from 1 to 127 (probes)"),
        ("reactor_threads", "65", "a number from 0 to 64 (threads)"),
        ("manager_events", "yes", "all, none, or some of connected, disconnected, failed, stalled, lost"),
        ("user_events", "", "all, none, or some of connected, disconnected, failed, stalled, lost"),
    ];
    for (option, value, allowed) in rows {
        let is_rule = matches!(option, "incoming_acl" | "incoming_permit" | "incoming_require_tls");
        let expected = [
            format!(
                "chan_websocket.conf: Invalid value '{value}' for {option} in [global]. Must be {allowed}"
            ),
            format!(
                "chan_websocket.conf: [global] is refused because of these errors; the defaults are in force, {}",
                if is_rule { CLOSED } else { "but for its access checks that are valid" }
            ),
        ];
        let (config, errors) = load(&global(&[(option, value)]));
        assert_eq!(errors, expected);
        assert_eq!(config.settings, Settings { incoming_closed: is_rule, ..Settings::default() }, "{option}");
    }
}

#[test]
fn an_error_in_global_keeps_the_last_good_settings_as_a_whole() {
    let good = global(&[("control_message_format", "json"), ("write_timeout", "5")]);
    let (last_good, _) = load(&good);
    let bad = global(&[("control_message_format", "xml"), ("write_timeout", "6")]);
    let (config, errors) = reload(&bad, Some(&last_good));
    assert_eq!(config, last_good);
    assert_eq!(
        errors,
        [
            format!(
                "chan_websocket.conf: Invalid value 'xml' for control_message_format in [global]. Must be {}",
                control_message_formats()
            ),
            "chan_websocket.conf: [global] is refused because of these errors; its last good settings stay"
                .into(),
        ]
    );
    let (config, errors) = load(&bad);
    assert_eq!(config, Config::default(), "at load the defaults are in force");
    assert_eq!(errors.len(), 2);
    let (config, errors) = reload(&ConfigFile::default(), Some(&last_good));
    assert_eq!((config, errors.len()), (Config::default(), 0), "an option that is gone has its default");
}

#[test]
fn an_option_has_one_name_in_lower_case() {
    for options in [global_options().collect::<Vec<_>>(), connection_options().collect()] {
        let names: HashSet<String> = options.iter().map(|option| option.to_ascii_lowercase()).collect();
        assert_eq!(names.len(), options.len(), "{options:?}");
        assert!(options.iter().all(|option| names.contains(*option)), "{options:?}");
    }
}

#[test]
fn an_unknown_option_refuses_its_section() {
    let (config, errors) = load(&global(&[("write_timeout", "6"), ("Write_Timout", "7")]));
    assert_eq!(config, Config::default());
    assert_eq!(errors[0], "chan_websocket.conf: Unknown option Write_Timout in [global]");
    assert_eq!(errors.len(), 2);
    let (last_good, _) = load(&global(&[]));
    assert_eq!(reload(&global(&[("proxy_host", "p:1")]), Some(&last_good)).0, last_good);
}

#[test]
fn a_mistyped_option_keeps_the_access_rules() {
    let (config, errors) = load(&global(&[
        ("incoming_deny", "0.0.0.0/0"),
        ("incoming_require_tls", "yes"),
        ("incoming_origins", "https://a.example"),
        ("write_timout", "6"),
    ]));
    assert_eq!(config.settings.incoming_acl.len(), 1);
    assert!(config.settings.incoming_require_tls);
    assert_eq!(config.settings.incoming_origins, ["https://a.example"]);
    assert_eq!(errors.len(), 2);
}

const CLOSED: &str = "and nobody may connect to INCOMING channels, for it is not known who may";

/// Files in which a rule on who may connect is not understood, or is in the wrong place.
#[test]
fn an_invalid_rule_refuses_everybody() {
    let wrong = section("globall", &[("incoming_deny", "0.0.0.0/0")]);
    let other_kind = section("global", &[("type", "globals"), ("incoming_acl", "apps")]);
    let behind = section("my-app", &[("type", "connection"), ("incoming_require_tls", "yes")]);
    let rows = [
        ("an unknown option", section("global", &[("incomming_deny", "0.0.0.0/0")])),
        ("another", section("global", &[("Permit", "192.0.2.1")])),
        ("a bad value", section("global", &[("incoming_require_tls", "yess")])),
        ("an unknown section", wrong.clone()),
        ("a section of another kind", other_kind),
        ("a connection's section", behind),
    ];
    for (name, section) in rows {
        let file = ConfigFile { sections: vec![section] };
        let (config, errors) = load(&file);
        assert_eq!(config.settings, Settings { incoming_closed: true, ..Settings::default() }, "{name}");
        assert_eq!(errors.len(), if name == "a connection's section" { 3 } else { 2 }, "{name}: {errors:?}");
        assert!(errors[1].ends_with(CLOSED), "{name}: {errors:?}");
        // On reload the last good settings stay; after a load that refused everybody there are none.
        let (last_good, _) = load(&global(&[("incoming_deny", "10.0.0.0/8")]));
        let (again, errors) = reload(&file, Some(&last_good));
        assert_eq!(again.settings, last_good.settings, "{name}");
        assert!(errors[1].ends_with("its last good settings stay"), "{name}: {errors:?}");
        assert_eq!(reload(&file, Some(&config)).0, config, "{name}");
        assert_eq!(reload(&global(&[]), Some(&config)).0, Config::default(), "{name}");
    }
    // A valid rule beside the mistake is kept, so that the listing shows it. Options that are no rules do not change
    // who may connect.
    let file = ConfigFile { sections: vec![section("global", &[("incoming_deny", "10.0.0.0/8")]), wrong] };
    let settings = load(&file).0.settings;
    assert!(settings.incoming_closed && settings.incoming_acl.len() == 1);
    for (option, value) in
        [("incoming_timeout", "soon"), ("allow_untested_version", "?"), ("write_timout", "6")]
    {
        assert!(!load(&global(&[(option, value)])).0.settings.incoming_closed, "{option}");
    }
}

#[test]
fn an_unreadable_file_changes_nothing_and_at_load_refuses_everybody() {
    let (config, error) = Config::unreadable(FILE, "no such luck".to_owned(), None);
    assert_eq!(config.settings, Settings { incoming_closed: true, ..Settings::default() });
    let begin = "chan_websocket.conf: cannot be read: no such luck;";
    assert_eq!(error.to_string(), format!("{begin} the defaults are in force, {CLOSED}"));
    assert_eq!(Config::unreadable(FILE, "no such luck".to_owned(), Some(&config)).1, error);
    let (last_good, _) = load(&global(&[("out_queue", "33")]));
    let (config, error) = Config::unreadable(FILE, "no such luck".to_owned(), Some(&last_good));
    assert_eq!(config, last_good);
    assert_eq!(error.to_string(), format!("{begin} the last good configuration stays"));
}

#[test]
fn an_untested_version_is_allowed_by_a_plain_yes() {
    for (value, allowed) in [(None, false), (Some("yes"), true), (Some(" On "), true), (Some("no"), false)] {
        assert_eq!(allows_untested_version(FILE, value), Ok(allowed), "{value:?}");
    }
    let error = allows_untested_version(FILE, Some("perhaps")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "chan_websocket.conf: Invalid value 'perhaps' for allow_untested_version in [global]. Must be yes or no"
    );
}

#[test]
fn one_call_may_not_let_more_wait_than_all_together() {
    for (name, variables, bytes, total) in [
        ("both", &[("queue_bytes", "70001"), ("queue_bytes_total", "70000")][..], 70_001, 70_000),
        ("the total alone", &[("queue_bytes_total", "16777215")], 16 << 20, 16_777_215),
    ] {
        let (config, errors) = load(&global(variables));
        let expected = format!(
            "chan_websocket.conf: Invalid queue_bytes {bytes} in [global]. Must be at most queue_bytes_total, which is \
             {total} (bytes)"
        );
        assert_eq!(errors[0], expected, "{name}");
        assert_eq!(config.settings, Settings::default(), "{name}");
    }
}

#[test]
fn levels_must_fit_together() {
    let rows = [
        ("xon is xoff", "900", "900", "1000"),
        ("xon above xoff", "901", "900", "1000"),
        ("xoff above max", "800", "1001", "1000"),
        ("max alone too low", "800", "900", "899"),
    ];
    for (name, xon, xoff, max) in rows {
        let file = global(&[("queue_xon", xon), ("queue_xoff", xoff), ("queue_max", max)]);
        let (config, errors) = load(&file);
        let expected = format!(
            "chan_websocket.conf: Invalid levels in [global]: queue_xon {xon}, queue_xoff {xoff}, queue_max \
             {max}. Must be queue_xon < queue_xoff <= queue_max"
        );
        assert_eq!(errors[0], expected, "{name}");
        assert_eq!(config.settings, Settings::default(), "{name}");
    }
}
