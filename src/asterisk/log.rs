//! Asterisk's logger behind the `log` crate, so that the safe modules log without knowing Asterisk.
//!
//! That crate's levels error, warn and info become ERROR, WARNING and NOTICE; debug becomes debug level 3. Messages
//! about one call are logged by [`call_warn`] and [`call_debug`] instead, with the channel's name and call id:
//!
//! | `core set debug N chan_websocket` | shows |
//! | --- | --- |
//! | 1 | the life of a call: made, connected, over with its totals |
//! | 2 | commands and events |
//! | 3 | attempts to connect, upgrades, TLS |
//! | 4 | the queue and the direction after each command, pings |
//! | 5 | every message and frame |

use std::ffi::{CString, c_int};
use std::fmt;

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::guard::here;
use super::sys;
use crate::call::data::CallData;
use crate::report::table::one_line;

pub(crate) const LOG_DEBUG: c_int = 0;
const LOG_NOTICE: c_int = 2;
pub(crate) const LOG_WARNING: c_int = 3;
const LOG_ERROR: c_int = 4;

/// Debug levels as `core set debug` counts them.
const DEBUG_LEVEL: u32 = 3;
/// Other crates' own messages.
const OTHERS_LEVEL: u32 = 5;

/// AST_OPT_FLAG_DEBUG_MODULE (options.h), bit 23 of `ast_options` in every version: some module has a level of its own.
const DEBUG_MODULE: u32 = 1 << 23;

struct AsteriskLog;

/// `log::warn!` for messages that a peer can provoke at will: `limit` is a separate static for each kind. Messages that
/// it leaves out are logged at debug level 3.
macro_rules! warn_limited {
    ($limit:expr, $($arg:tt)+) => {
        match $limit.admit($crate::net::clock::now()) {
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
    log::set_max_level(LevelFilter::Debug);
    std::panic::set_hook(Box::new(|info| log::error!("internal error: {info}")));
}

/// Whether `core set debug` asks for `level`, in general or for this module. Takes two loads while no debugging is on.
#[inline]
pub(crate) fn debug_enabled(level: u32) -> bool {
    // SAFETY: plain globals of the core, read as its own macro DEBUG_ATLEAST does; of the options, which are 32 or 64
    // bits wide, the low half.
    let (general, options) =
        unsafe { (sys::option_debug, (&raw const sys::ast_options).cast::<u32>().read()) };
    general >= level as c_int || (options & DEBUG_MODULE != 0 && module_level() >= level)
}

#[cold]
fn module_level() -> u32 {
    // SAFETY: takes a C string and locks nothing of ours; logger.h.
    unsafe { sys::ast_debug_get_by_module(c"chan_websocket".as_ptr()) }
}

/// Logs a warning about a call.
macro_rules! call_warn {
    ($call:expr, $($text:tt)+) => {
        $crate::asterisk::log::about($call, $crate::asterisk::log::LOG_WARNING, file!(), line!(), format_args!($($text)+))
    };
}
pub(crate) use call_warn;

/// Logs a debug message about a call, if its level is asked for.
macro_rules! call_debug {
    ($call:expr, $level:literal, $($text:tt)+) => {
        if $crate::asterisk::log::debug_enabled($level) {
            $crate::asterisk::log::about($call, $crate::asterisk::log::LOG_DEBUG, file!(), line!(), format_args!($($text)+));
        }
    };
}
pub(crate) use call_debug;

/// A line about a call, with its call id and its name.
#[cold]
pub(crate) fn about(call: &CallData, level: c_int, file: &str, line: u32, text: fmt::Arguments<'_>) {
    write_line(level, call.callid(), file, line, &format!("{}: {text}", call.name()));
}

impl Log for AsteriskLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("chan_websocket");
        match metadata.level() {
            Level::Error | Level::Warn | Level::Info => true,
            Level::Debug if ours => debug_enabled(DEBUG_LEVEL),
            Level::Debug | Level::Trace => debug_enabled(OTHERS_LEVEL),
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
            0,
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
    let Ok(message) = CString::new(&*one_line(message)) else { return };
    // SAFETY: the format is ours and takes one string; all pointers live across the call. logger.h: any thread.
    unsafe { sys::__ast_verbose(file, line as c_int, function, ALWAYS, c"%s\n".as_ptr(), message.as_ptr()) };
}

/// `callid` 0: this thread's own, if it has one.
fn write_line(level: c_int, callid: u32, file: &str, line: u32, message: &str) {
    let file = file.rsplit('/').next().unwrap_or(file);
    let (Ok(message), Ok(file)) = (CString::new(&*one_line(message)), CString::new(file)) else { return };
    let (_, _, function) = here!();
    // SAFETY: the format is ours and takes one string; all pointers live across the call. logger.h: any thread.
    unsafe {
        let (file, line, format) = (file.as_ptr(), line as c_int, c"%s\n".as_ptr());
        match callid {
            0 => sys::ast_log(level, file, line, function, format, message.as_ptr()),
            _ => sys::ast_log_callid(level, file, line, function, callid, format, message.as_ptr()),
        }
    }
}
