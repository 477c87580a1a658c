//! Asterisk's logger behind the `log` crate, so that the safe modules log without knowing Asterisk.
//!
//! error, warn and info are ERROR, WARNING and NOTICE; debug is debug level 3, trace level 5 (`core set debug 3
//! chan_websocket`).

use std::ffi::{CString, c_int};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::guard::here;
use super::sys;

const LOG_DEBUG: c_int = 0;
const LOG_NOTICE: c_int = 2;
const LOG_WARNING: c_int = 3;
const LOG_ERROR: c_int = 4;

/// Debug levels as `core set debug` counts them.
const DEBUG_LEVEL: u32 = 3;
const TRACE_LEVEL: u32 = 5;

struct AsteriskLog;

/// `log::warn!` for what a peer can provoke at will: `limit` is a static of its own for each kind. What is left out is
/// there at debug level 3.
macro_rules! warn_limited {
    ($limit:expr, $($arg:tt)+) => {
        match $limit.admit($crate::host::clock::now()) {
            Some(0) => log::warn!($($arg)+),
            Some(left_out) => log::warn!("{} ({left_out} more like it were not logged)", format_args!($($arg)+)),
            None => log::debug!($($arg)+),
        }
    };
}
pub(crate) use warn_limited;

/// Makes Asterisk's logger the target of the `log` crate and of panics. Called at every load.
pub(crate) fn install() {
    // Fails at a second load of the same image: then it is installed already.
    let _ = log::set_logger(&AsteriskLog);
    log::set_max_level(LevelFilter::Trace);
    std::panic::set_hook(Box::new(|info| log::error!("internal error: {info}")));
}

/// Whether `core set debug` asks for `level`, in general or for this module.
pub(crate) fn debug_enabled(level: u32) -> bool {
    // SAFETY: a plain global of the core, read as its own macro DEBUG_ATLEAST does.
    let general = unsafe { sys::option_debug };
    // SAFETY: takes a C string and locks nothing of ours; logger.h.
    general >= level as c_int || unsafe { sys::ast_debug_get_by_module(c"chan_websocket".as_ptr()) } >= level
}

impl Log for AsteriskLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("chan_websocket");
        match metadata.level() {
            Level::Error | Level::Warn | Level::Info => true,
            Level::Debug if ours => debug_enabled(DEBUG_LEVEL),
            Level::Debug | Level::Trace => debug_enabled(TRACE_LEVEL),
        }
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Error => LOG_ERROR,
            Level::Warn => LOG_WARNING,
            Level::Info => LOG_NOTICE,
            Level::Debug | Level::Trace => LOG_DEBUG,
        };
        write_line(
            level,
            record.file().unwrap_or("?"),
            record.line().unwrap_or(0),
            &record.args().to_string(),
        );
    }

    fn flush(&self) {}
}

/// Shows a line at every console and in the logs that take verbose messages, whatever the verbosity.
pub(crate) fn verbose(message: &str) {
    const ALWAYS: c_int = -1;
    let (file, line, function) = here!();
    let Ok(message) = CString::new(one_line(message)) else { return };
    // SAFETY: the format is ours and takes one string; all pointers live across the call. logger.h: any thread.
    unsafe { sys::__ast_verbose(file, line as c_int, function, ALWAYS, c"%s\n".as_ptr(), message.as_ptr()) };
}

/// A peer's text must not forge log lines.
fn one_line(message: &str) -> String {
    message.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn write_line(level: c_int, file: &str, line: u32, message: &str) {
    let file = file.rsplit('/').next().unwrap_or(file);
    let (Ok(message), Ok(file)) = (CString::new(one_line(message)), CString::new(file)) else { return };
    let (_, _, function) = here!();
    // SAFETY: the format is ours and takes one string; all pointers live across the call. logger.h: any thread.
    unsafe {
        sys::ast_log(level, file.as_ptr(), line as c_int, function, c"%s\n".as_ptr(), message.as_ptr());
    }
}
