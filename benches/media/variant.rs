//! The modules to compare.

use std::path::PathBuf;

use crate::Result;
use crate::harness::asterisk::Module;

/// A module with its settings.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Its name in reports.
    pub name: String,
    /// Which module it is.
    pub module: Module,
    /// The file, if it is not the default one.
    pub file: Option<PathBuf>,
    /// Lines of chan_websocket.conf's `[global]`.
    pub settings: Vec<String>,
}

impl Variant {
    /// Debian's module in C.
    pub fn oracle() -> Self {
        Self { name: "C".into(), module: Module::Oracle, file: None, settings: Vec::new() }
    }

    /// Our module in its default build.
    pub fn ours() -> Self {
        Self { name: "ours".into(), module: Module::Ours, file: None, settings: Vec::new() }
    }

    /// Our module in another build or with other settings, from `name[=part,…]`: a part is a file, or `option:value`.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, parts) = text.split_once('=').unwrap_or((text, ""));
        let mut variant = Self { name: name.to_owned(), ..Self::ours() };
        for part in parts.split(',').filter(|part| !part.is_empty()) {
            match part.split_once(':') {
                Some((option, value)) => variant.settings.push(format!("{option} = {value}")),
                None => {
                    variant.file =
                        Some(std::fs::canonicalize(part).map_err(|error| format!("{part}: {error}"))?);
                }
            }
        }
        Ok(variant)
    }

    /// Whether it is our module, in any build.
    pub fn is_ours(&self) -> bool {
        self.module == Module::Ours
    }

    /// Its chan_websocket.conf.
    pub fn config(&self) -> String {
        if self.settings.is_empty() {
            return String::new();
        }
        format!("[global]\n{}\n", self.settings.join("\n"))
    }
}
