//! Reads chan_websocket.conf with Asterisk's own parser (asterisk/config.h), templates and includes and all.

use std::ffi::CStr;
use std::ptr;

use super::channel::owned_string;
use super::sys;
use crate::driver::config::{self, Config, ConfigFile, Section};

const FILE: &CStr = c"chan_websocket.conf";

/// The configuration as the file has it now. What is wrong in it is logged, and `previous` (or the default) stays in
/// its place.
pub(crate) fn load(previous: Option<&Config>) -> Config {
    let file = FILE.to_string_lossy();
    let Some(content) = read() else {
        return previous.cloned().unwrap_or_default();
    };
    let (config, errors) = config::parse(&file, &content, previous);
    for error in errors {
        log::error!("{error}");
    }
    config
}

/// `None` if the file cannot be parsed, which Asterisk logs. A missing file is an empty one.
fn read() -> Option<ConfigFile> {
    let no_flags = sys::ast_flags { flags: 0 };
    // SAFETY: C strings; returns a configuration of ours, NULL if there is no file, or a sentinel.
    let config = unsafe { sys::ast_config_load2(FILE.as_ptr(), c"chan_websocket".as_ptr(), no_flags) };
    if config.is_null() {
        return Some(ConfigFile { sections: Vec::new() });
    }
    // CONFIG_STATUS_FILEUNCHANGED and CONFIG_STATUS_FILEINVALID are -1 and -2 as pointers (config.h).
    if isize::try_from(config.addr()).is_err() {
        return None;
    }
    let sections = sections(config);
    // SAFETY: ours, and not used any more.
    unsafe { sys::ast_config_destroy(config) };
    Some(ConfigFile { sections })
}

fn sections(config: *mut sys::ast_config) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut name = ptr::null();
    loop {
        // SAFETY: the configuration is alive; a category's name lives as long and leads to the next.
        name = unsafe { sys::ast_category_browse(config, name) };
        if name.is_null() {
            return sections;
        }
        // SAFETY: as above.
        let section = unsafe {
            Section { name: owned_string(name), variables: variables(sys::ast_variable_browse(config, name)) }
        };
        sections.push(section);
    }
}

/// # Safety
/// `next` is NULL or a list of variables that lives for this call.
pub(crate) unsafe fn variables(mut next: *mut sys::ast_variable) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    // SAFETY: the caller's promise.
    while let Some(variable) = unsafe { next.as_ref() } {
        // SAFETY: a variable's name and value are C strings.
        variables.push(unsafe { (owned_string(variable.name), owned_string(variable.value)) });
        next = variable.next;
    }
    variables
}
