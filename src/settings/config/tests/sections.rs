//! Whole files: which section is what, and the sample.

use proptest::prelude::*;

use super::*;
use crate::protocol::dialect::ControlMessageFormat;

/// A row of a table: description, name of the section, its contents, the error.
type SectionRow = (&'static str, &'static str, &'static [(&'static str, &'static str)], Option<&'static str>);

#[test]
fn which_section_is_what() {
    const JSON: (&str, &str) = ("control_message_format", "json");
    let rows: [SectionRow; 7] = [
        ("global without type", "global", &[JSON], None),
        ("global with type", "global", &[("type", "global"), JSON], None),
        (
            "global of another type",
            "global",
            &[("type", "client"), JSON],
            Some("Section [global] has type = client. Must be [global], or have type = connection; ignored"),
        ),
        (
            "another name with type global",
            "main",
            &[("type", "global"), JSON],
            Some("Section [main] has type = global. Must be [global], or have type = connection; ignored"),
        ),
        (
            "another case",
            "Global",
            &[JSON],
            Some("Section [Global] has no type. Must be [global], or have type = connection; ignored"),
        ),
        (
            "no type",
            "conn1",
            &[("proxy_host", "p:1")],
            Some("Section [conn1] has no type. Must be [global], or have type = connection; ignored"),
        ),
        (
            "a websocket_client in the wrong file",
            "conn1",
            &[("type", "websocket_client"), ("uri", "ws://x")],
            Some(
                "Section [conn1] has type = websocket_client. Must be [global], or have type = connection; \
                  ignored",
            ),
        ),
    ];
    for (name, section_name, variables, error) in rows {
        let (config, errors) = load(&ConfigFile { sections: vec![section(section_name, variables)] });
        let is_json = config.settings.control_message_format == ControlMessageFormat::Json;
        assert_eq!(is_json, error.is_none(), "{name}");
        assert!(config.connections.is_empty(), "{name}");
        let expected: Vec<String> =
            error.iter().map(|error| format!("chan_websocket.conf: {error}")).collect();
        assert_eq!(errors, expected, "{name}");
    }
}

#[test]
fn a_section_in_error_leaves_the_others_alone() {
    let connection = ("type", "connection");
    let file = ConfigFile {
        sections: vec![
            section("good", &[connection, ("proxy_host", "proxy.example:3128"), ("proxy_username", "joe")]),
            section("bad", &[connection, ("proxy_host", "proxy.example")]),
            section("global", &[("control_message_format", "json")]),
            section("odd", &[]),
        ],
    };
    let (config, errors) = load(&file);
    assert_eq!(config.settings.control_message_format, ControlMessageFormat::Json);
    assert_eq!(config.connections.keys().collect::<Vec<_>>(), ["good"]);
    assert_eq!(
        errors,
        [
            "chan_websocket.conf: Invalid value 'proxy.example' for proxy_host in [bad]. Must be host:port, or \
             [IPv6 address]:port",
            "chan_websocket.conf: Section [odd] has no type. Must be [global], or have type = connection; ignored",
            "chan_websocket.conf: [bad] is refused because of these errors; its client cannot be called",
        ]
    );
}

/// The sample with every option turned on, read line by line.
fn sample() -> ConfigFile {
    let mut file = ConfigFile::default();
    for line in include_str!("../../../../configs/chan_websocket.conf.sample").lines() {
        let line = line.strip_prefix(';').unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            file.sections.push(section(name, &[]));
        } else if let (false, Some((option, value))) = (line.starts_with(' '), line.split_once('=')) {
            let variables = &mut file.sections.last_mut().unwrap().variables;
            variables.push((option.trim().to_owned(), value.trim().to_owned()));
        }
    }
    file
}

#[test]
fn the_sample_names_the_options_and_their_defaults() {
    let (config, errors) = load(&sample());
    assert_eq!(errors, [""; 0]);
    assert_eq!(config.settings.incoming_acl.len(), 3);
    let examples = Settings { incoming_acl: Vec::new(), incoming_origins: Vec::new(), ..config.settings };
    let queue_overflow = Some(QueueOverflow::Drop);
    assert_eq!(examples, Settings { queue_overflow, ..Settings::default() });
    let connection = &config.connections["my-voicebot"];
    assert_eq!(connection.proxy_host.as_deref(), Some("proxy.example.com:3128"));
    let LivenessOptions { pings, tcp_keepalives } = connection.liveness;
    assert_eq!((pings.resolve(), tcp_keepalives.resolve()), (None, None));
}

proptest! {
    #[test]
    fn any_file_gives_settings_that_make_sense(
        file in proptest::collection::vec(
            (
                prop_oneof![Just("global".to_owned()), any::<String>()],
                proptest::collection::vec(
                    (
                        proptest::sample::select(vec![
                            "type", "queue_xon", "queue_xoff", "queue_max", "write_timeout", "proxy_host", "x",
                        ]),
                        prop_oneof!["[0-9]{1,5}", "connection|global|yes", "[a-z:]{0,5}[0-9]{0,3}", any::<String>()],
                    ),
                    0..5,
                ),
            ),
            0..4,
        ),
    ) {
        let section = |(name, variables): (String, Vec<(&str, String)>)| Section {
            name,
            variables: variables.into_iter().map(|(option, value)| (option.to_owned(), value)).collect(),
        };
        let file = ConfigFile { sections: file.into_iter().map(section).collect() };
        let (config, errors) = parse(FILE, &file, None);
        let Settings { queue_xon, queue_xoff, queue_max, write_timeout, .. } = config.settings;
        prop_assert!(0 < queue_xon && queue_xon < queue_xoff && queue_xoff <= queue_max);
        prop_assert!(!write_timeout.is_zero());
        for error in errors {
            prop_assert!(error.to_string().starts_with("chan_websocket.conf: "));
        }
    }
}
