//! Reads chan_websocket.conf with Asterisk's own parser (asterisk/config.h), including templates and includes.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::time::Duration;

use super::sys;
use super::text::owned_string;
use crate::playout::digits::DEFAULT_SHORTEST_DIGIT;
use crate::settings::config::{self, Config, ConfigFile, Section};

const FILE: &CStr = c"chan_websocket.conf";
/// The file of res_websocket_client.
const CLIENTS: &CStr = c"websocket_client.conf";

/// The configuration as the file has it now. Errors are logged, and `previous` (or the default) is kept for what is
/// wrong.
pub(crate) fn load(previous: Option<&Config>) -> Config {
    let file = FILE.to_string_lossy();
    let loaded = match Loaded::new(FILE) {
        Ok(loaded) => loaded,
        Err(why) => {
            let (config, error) = Config::unreadable(&file, why, previous);
            log::error!("{error}");
            return config;
        }
    };
    let sections = loaded.map_or_else(Vec::new, |loaded| loaded.sections());
    let (config, errors) = config::parse(&file, &ConfigFile { sections }, previous);
    for error in errors {
        log::error!("{error}");
    }
    config
}

/// Whether the file permits an Asterisk that is not supported. Errors in that option are logged. Reads no structure of
/// the core. (If the option is given twice, the first or the last one counts, depending on the version.)
pub(crate) fn allows_untested_version() -> bool {
    let loaded = Loaded::new(FILE).unwrap_or_else(|why| {
        log::error!("{}: cannot be read: {why}", FILE.to_string_lossy());
        None
    });
    let value = loaded.and_then(|loaded| loaded.value(c"global", c"allow_untested_version"));
    config::allows_untested_version(&FILE.to_string_lossy(), value.as_deref()).unwrap_or_else(|error| {
        log::error!("{error}");
        false
    })
}

/// The shortest digit that the core passes on (`mindtmfduration` in asterisk.conf; 80 ms if none can be read there, as
/// in the core).
pub(crate) fn shortest_digit() -> Duration {
    // SAFETY: a static string of the core.
    let file = unsafe { CStr::from_ptr(sys::ast_config_AST_CONFIG_FILE) };
    let loaded = Loaded::new(file).ok().flatten();
    let value = loaded.and_then(|loaded| loaded.value(c"options", c"mindtmfduration"));
    let milliseconds = value.and_then(|value| value.trim().parse::<u32>().ok());
    milliseconds.map_or(DEFAULT_SHORTEST_DIGIT, |ms| Duration::from_millis(ms.into()))
}

/// The value that the section `client` of websocket_client.conf itself has for `option`; `None` if there is no value,
/// or no file that can be read. Reads the file: not for a channel's thread.
pub(crate) fn written_in_client(client: &str, option: &CStr) -> Option<String> {
    let client = CString::new(client).ok()?;
    Loaded::new(CLIENTS).ok()??.value(&client, option)
}

/// The sections of websocket_client.conf, as the file has them now: their names, and whether each is meant to be a
/// client. Empty if there is no file that can be read. Templates are not sections.
pub(crate) fn client_sections() -> Vec<(String, bool)> {
    let Ok(Some(loaded)) = Loaded::new(CLIENTS) else { return Vec::new() };
    let is_client = |section: &Section| {
        let mut types = section.variables.iter().filter(|(name, _)| name == "type");
        types.next_back().is_some_and(|(_, value)| value == "websocket_client")
    };
    loaded.sections().into_iter().map(|section| (section.name.clone(), is_client(&section))).collect()
}

/// A file as Asterisk has read it.
struct Loaded(NonNull<sys::ast_config>);

impl Loaded {
    /// `None` if there is no file.
    ///
    /// # Errors
    /// Why an existing file cannot be read.
    fn new(file: &CStr) -> Result<Option<Self>, String> {
        let no_flags = sys::ast_flags { flags: 0 };
        // SAFETY: C strings; returns a configuration of ours, NULL if there is no file, or a sentinel.
        let config = unsafe { sys::ast_config_load2(file.as_ptr(), c"chan_websocket".as_ptr(), no_flags) };
        // CONFIG_STATUS_FILEUNCHANGED and CONFIG_STATUS_FILEINVALID are -1 and -2 as pointers (config.h).
        if isize::try_from(config.addr()).is_err() {
            return Err("Asterisk cannot parse it, and has logged why".to_owned());
        }
        match NonNull::new(config) {
            Some(config) => Ok(Some(Self(config))),
            // Asterisk does not distinguish a file that it cannot open from one that does not exist.
            None => why_unreadable().map_or(Ok(None), Err),
        }
    }

    /// The last value of an option in the sections of this name.
    fn value(&self, section: &CStr, option: &CStr) -> Option<String> {
        // SAFETY: the configuration is alive; the value lives as long, and is copied.
        unsafe {
            let value = sys::ast_variable_retrieve(self.0.as_ptr(), section.as_ptr(), option.as_ptr());
            (!value.is_null()).then(|| owned_string(value))
        }
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections = Vec::new();
        let mut name = ptr::null();
        loop {
            // SAFETY: the configuration is alive; a category's name lives as long and leads to the next.
            name = unsafe { sys::ast_category_browse(self.0.as_ptr(), name) };
            if name.is_null() {
                return sections;
            }
            // SAFETY: as above.
            let variables = unsafe { variables(sys::ast_variable_browse(self.0.as_ptr(), name)) };
            // SAFETY: as above.
            sections.push(Section { name: unsafe { owned_string(name) }, variables });
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: ours, and not used any more.
        unsafe { sys::ast_config_destroy(self.0.as_ptr()) };
    }
}

/// Why Asterisk got nothing from the file, or from the database that extconfig.conf names in its place; `None` if there
/// is neither.
fn why_unreadable() -> Option<String> {
    // SAFETY: a C string.
    if unsafe { sys::ast_realtime_is_mapping_defined(FILE.as_ptr()) } != 0 {
        return Some("extconfig.conf has it come from a database, which gives nothing".to_owned());
    }
    // SAFETY: a static string of the core.
    let folder = unsafe { CStr::from_ptr(sys::ast_config_AST_CONFIG_DIR) };
    let path = Path::new(OsStr::from_bytes(folder.to_bytes())).join(OsStr::from_bytes(FILE.to_bytes()));
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return Some(error.to_string()),
        Ok(_) => {}
    }
    Some(match fs::metadata(&path) {
        Err(error) => error.to_string(),
        Ok(found) if !found.is_file() => "it is not a regular file".to_owned(),
        Ok(_) => match File::open(&path) {
            Err(error) => error.to_string(),
            Ok(_) => "Asterisk could not open it".to_owned(),
        },
    })
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
