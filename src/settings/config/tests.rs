//! Files, and the settings and log lines that each gives.

mod connections;
mod globals;
mod sections;

use super::*;

const FILE: &str = "chan_websocket.conf";

fn section(name: &str, variables: &[(&str, &str)]) -> Section {
    let variables = variables.iter().map(|(option, value)| ((*option).into(), (*value).into())).collect();
    Section { name: name.into(), variables }
}

fn global(variables: &[(&str, &str)]) -> ConfigFile {
    ConfigFile { sections: vec![section("global", variables)] }
}

fn load(file: &ConfigFile) -> (Config, Vec<String>) {
    reload(file, None)
}

fn reload(file: &ConfigFile, previous: Option<&Config>) -> (Config, Vec<String>) {
    let (config, errors) = parse(FILE, file, previous);
    (config, errors.iter().map(ToString::to_string).collect())
}
