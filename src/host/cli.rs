//! The CLI: `websocket show channels|channel|stats|settings` and `websocket hangup` (asterisk/cli.h).

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt::Write as _;
use std::sync::Arc;

use super::call::Call;
use super::channel::owned_string;
use super::effects::Job;
use super::engine::Engine;
use super::guard::guard;
use super::view::CallView;
use super::{module, sys};

/// What the core asks a handler for, and its answers (the enum and macros of cli.h).
const CLI_INIT: c_int = -2;
const CLI_GENERATE: c_int = -3;
const CLI_SUCCESS: *mut c_char = std::ptr::null_mut();
const CLI_SHOWUSAGE: *mut c_char = std::ptr::without_provenance_mut(1);
const CLI_FAILURE: *mut c_char = std::ptr::without_provenance_mut(2);

/// One command: what it is called, what it prints.
struct Command {
    command: &'static CStr,
    summary: &'static CStr,
    usage: &'static CStr,
    /// Words of the command, before its argument.
    words: usize,
    takes_channel: bool,
    /// The text to print; `Err` is printed too, and the command has failed.
    run: fn(&Engine, &str) -> Result<String, String>,
}

const COMMANDS: [Command; 5] = [
    Command {
        command: c"websocket show channels",
        summary: c"List the WebSocket channels",
        usage: c"Usage: websocket show channels\n       Lists the channels of chan_websocket, a line each.\n",
        words: 3,
        takes_channel: false,
        run: |engine, _| Ok(channels(engine)),
    },
    Command {
        command: c"websocket show channel",
        summary: c"Show all about one WebSocket channel",
        usage: c"Usage: websocket show channel <name>\n       Shows settings, totals and the connection of one channel.\n",
        words: 3,
        takes_channel: true,
        run: |engine, name| Ok(find(engine, name)?.view().to_string()),
    },
    Command {
        command: c"websocket show stats",
        summary: c"Show chan_websocket's totals",
        usage: c"Usage: websocket show stats\n       Shows calls and threads of chan_websocket.\n",
        words: 3,
        takes_channel: false,
        run: |engine, _| Ok(stats(engine)),
    },
    Command {
        command: c"websocket show settings",
        summary: c"Show chan_websocket's build and settings",
        usage: c"Usage: websocket show settings\n       Shows the running build and the settings for new calls.\n",
        words: 3,
        takes_channel: false,
        run: |engine, _| Ok(settings(engine)),
    },
    Command {
        command: c"websocket hangup",
        summary: c"Hang up a WebSocket channel",
        usage: c"Usage: websocket hangup <name>\n       Hangs up, as the application's own HANGUP does.\n",
        words: 2,
        takes_channel: true,
        run: hangup,
    },
];

/// The entries that the core links into its list.
struct Entries(UnsafeCell<Option<[sys::ast_cli_entry; COMMANDS.len()]>>);

// SAFETY: written by `register` before the core knows them; then the core's, under its own lock.
unsafe impl Sync for Entries {}

static ENTRIES: Entries = Entries(UnsafeCell::new(None));

/// Adds the commands.
pub(crate) fn register() {
    let entries = COMMANDS.each_ref().map(|command| {
        // SAFETY: all-zero is a valid entry.
        let mut entry: sys::ast_cli_entry = unsafe { std::mem::zeroed() };
        entry.summary = command.summary.as_ptr();
        entry.handler = Some(handler);
        entry
    });
    // SAFETY: load and unload do not run at the same time, and the entries are not linked now.
    unsafe {
        let entries = (*ENTRIES.0.get()).insert(entries);
        sys::__ast_cli_register_multiple(entries.as_mut_ptr(), entries.len() as c_int, sys::cw_module_self());
    }
}

/// Takes the commands back. The core has no handler running then: it holds the module while one does.
pub(crate) fn unregister() {
    // SAFETY: as for `register`.
    unsafe {
        if let Some(entries) = (*ENTRIES.0.get()).as_mut() {
            sys::ast_cli_unregister_multiple(entries.as_mut_ptr(), entries.len() as c_int);
        }
    }
}

/// Called by the core, on a console's thread, with no lock held: for the command's words and usage, for
/// completions, and to run it.
unsafe extern "C" fn handler(
    entry: *mut sys::ast_cli_entry,
    what: c_int,
    args: *mut sys::ast_cli_args,
) -> *mut c_char {
    guard("cli", CLI_FAILURE, || {
        // SAFETY: the core passes one of our entries.
        let Some(command) = (unsafe { command_of(entry) }) else { return CLI_FAILURE };
        match what {
            CLI_INIT => {
                // SAFETY: our entry; both strings are static, and the core does not write to them.
                unsafe {
                    (*entry).command = command.command.as_ptr().cast_mut();
                    (*entry).usage = command.usage.as_ptr();
                }
                CLI_SUCCESS
            }
            // SAFETY: the core's arguments live across the call.
            CLI_GENERATE => unsafe { completion(command, &*args) },
            // SAFETY: as above.
            _ => unsafe { run(command, &*args) },
        }
    })
}

/// # Safety
/// `entry` is one of `ENTRIES`.
unsafe fn command_of(entry: *const sys::ast_cli_entry) -> Option<&'static Command> {
    // SAFETY: the entries are static and not replaced while they are registered.
    let entries = unsafe { (*ENTRIES.0.get()).as_ref() }?;
    let number = entries.iter().position(|other| std::ptr::eq(other, entry))?;
    COMMANDS.get(number)
}

/// # Safety
/// `args` are the core's, for one call.
unsafe fn run(command: &Command, args: &sys::ast_cli_args) -> *mut c_char {
    let argc = usize::try_from(args.argc).unwrap_or(0);
    if argc != command.words + usize::from(command.takes_channel) {
        return CLI_SHOWUSAGE;
    }
    let argument = if command.takes_channel {
        // SAFETY: argv has argc strings, and the channel's name is the last.
        unsafe { owned_string(*args.argv.add(argc - 1)) }
    } else {
        String::new()
    };
    let Some(engine) = Engine::current() else { return CLI_FAILURE };
    let (text, result) = match (command.run)(&engine, &argument) {
        Ok(text) => (text, CLI_SUCCESS),
        Err(text) => (text, CLI_FAILURE),
    };
    for line in text.lines() {
        let Ok(line) = CString::new(line) else { continue };
        // SAFETY: the format is ours and takes one string.
        unsafe { sys::ast_cli(args.fd, c"%s\n".as_ptr(), line.as_ptr()) };
    }
    result
}

/// The `n`-th channel name that begins with the word at the cursor, in the core's memory.
///
/// # Safety
/// As for `run`.
unsafe fn completion(command: &Command, args: &sys::ast_cli_args) -> *mut c_char {
    let at_argument = command.takes_channel && usize::try_from(args.pos) == Ok(command.words);
    let Some(engine) = Engine::current().filter(|_| at_argument) else { return std::ptr::null_mut() };
    // SAFETY: the core's string lives across the call.
    let word = unsafe { owned_string(args.word) };
    let calls = engine.calls();
    let mut matching = calls.iter().map(|call| call.name()).filter(|name| name.starts_with(&word));
    let nth = matching.nth(usize::try_from(args.n).unwrap_or(usize::MAX));
    nth.map_or(std::ptr::null_mut(), module::core_string)
}

fn find(engine: &Engine, name: &str) -> Result<Arc<Call>, String> {
    let found = engine.calls().into_iter().find(|call| call.name() == name);
    found.ok_or_else(|| format!("There is no WebSocket channel '{name}'; see 'websocket show channels'"))
}

fn channels(engine: &Engine) -> String {
    let views: Vec<CallView> = engine.calls().iter().map(|call| call.view()).collect();
    let mut rows = vec![CallView::HEADINGS.map(str::to_owned).to_vec()];
    rows.extend(views.iter().map(|view| view.row().to_vec()));
    format!("{}{} WebSocket channels\n", table(&rows), views.len())
}

fn stats(engine: &Engine) -> String {
    let mut text = String::new();
    let views: Vec<CallView> = engine.calls().iter().map(|call| call.view()).collect();
    let connected = views.iter().filter(|view| view.is_connected()).count();
    // Writing into a String cannot fail.
    let _ = writeln!(text, "Channels:     {} up, {connected} connected", views.len());
    let _ = writeln!(text, "              {} since Asterisk was started", Call::count());
    let reactors: Vec<String> = engine.reactors.connections().iter().map(usize::to_string).collect();
    let _ = writeln!(text, "Reactors:     {}, with {} connections", reactors.len(), reactors.join(", "));
    text
}

fn settings(engine: &Engine) -> String {
    let config = engine.config();
    let mut text = format!("Build: {}\n\n", module::BUILD);
    let rows: Vec<Vec<String>> =
        config.settings.listing().into_iter().map(|(name, value)| vec![name.into(), value]).collect();
    text.push_str(&table(&rows));
    for name in config.connections.keys() {
        let _ = writeln!(text, "Connection section: [{name}]");
    }
    text
}

fn hangup(engine: &Engine, name: &str) -> Result<String, String> {
    let call = find(engine, name)?;
    engine.effects.post(Job::Hangup { call, cause: super::call::NORMAL_HANGUP });
    Ok(format!("Hanging up {name}"))
}

/// Lines up columns, two spaces between.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
