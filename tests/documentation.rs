//! The options of chan_websocket.conf: the driver, the sample file, Asterisk's own help and the configuration page have
//! the same ones.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use chan_websocket::settings::config::{connection_options, global_options};

const SAMPLE: &str = include_str!("../configs/chan_websocket.conf.sample");
const HELP: &str = include_str!("../docs/chan_websocket-en_US.xml");
const PAGE: &str = include_str!("../docs/configuration.md");

/// Options and their written defaults.
type Options<'a> = BTreeMap<&'a str, &'a str>;

/// The sample's commented options: those of `[global]`, and those of the section for one server.
fn sample() -> (Options<'static>, Options<'static>) {
    let (global, connection) =
        SAMPLE.split_once(";[my-voicebot]\n;type = connection\n").expect("both sections");
    let options = |text: &'static str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(';')?.split_once('='));
        lines
            .filter(|(name, _)| !name.starts_with(' '))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect()
    };
    (options(global), options(connection))
}

/// The options of one object of the help.
fn help(object: &str) -> Options<'static> {
    let begin = format!("<configObject name=\"{object}\">");
    let (_, text) = HELP.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (text, _) = text.split_once("</configObject>").expect("its end");
    let option = |text: &'static str| {
        let (name, rest) = text.split_once('"').expect("a name");
        let tag = rest.split('>').next().expect("the tag's end");
        (name, tag.split_once("default=\"").map_or("", |(_, value)| value.trim_end_matches('"')))
    };
    text.split("<configOption name=\"").skip(1).map(option).collect()
}

#[test]
fn the_sample_and_the_help_have_every_option() {
    let (global, connection) = sample();
    for (what, driver, sample, help) in [
        ("global", global_options().collect::<Vec<_>>(), global, help("global")),
        ("connection", connection_options().collect(), connection, help("connection")),
    ] {
        let mut driver = driver;
        driver.sort_unstable();
        assert_eq!(sample.keys().copied().collect::<Vec<_>>(), driver, "the sample's [{what}]");
        assert_eq!(help.keys().copied().collect::<Vec<_>>(), driver, "the help for {what}");
    }
}

/// A default in the help is also in the sample. (For an option without a default the sample has an example.)
#[test]
fn the_help_and_the_sample_agree_on_defaults() {
    let (global, connection) = sample();
    for (sample, help) in [(global, help("global")), (connection, help("connection"))] {
        for (name, default) in help.iter().filter(|(_, default)| !default.is_empty()) {
            assert_eq!(sample.get(name), Some(default), "{name}");
        }
    }
}

#[test]
fn the_configuration_page_has_every_option() {
    for name in global_options().chain(connection_options()) {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}
