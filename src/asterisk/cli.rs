//! The CLI commands `websocket …`: how the core calls them (asterisk/cli.h). What they print is in [`commands`].

mod channel_facts;
mod command;
mod commands;

use std::cell::UnsafeCell;
use std::ffi::{CString, c_char, c_int};

use self::command::{CliCommand, Outcome};
use self::commands::COMMANDS;
use super::driver;
use super::guard::trampoline;
use super::text::owned_string;
use super::{sys, text};
use crate::report::table::ascii;

/// What the core asks a handler for, and its answers (the enum and macros of cli.h).
const CLI_INIT: c_int = -2;
const CLI_GENERATE: c_int = -3;
const CLI_SUCCESS: *mut c_char = std::ptr::null_mut();
const CLI_SHOWUSAGE: *mut c_char = std::ptr::without_provenance_mut(1);
const CLI_FAILURE: *mut c_char = std::ptr::without_provenance_mut(2);

/// The entries that the core links into its list.
struct CliEntries(UnsafeCell<Option<[sys::ast_cli_entry; COMMANDS.len()]>>);

// SAFETY: written by `register` before the core knows them; then the core's, under its own lock.
unsafe impl Sync for CliEntries {}

static ENTRIES: CliEntries = CliEntries(UnsafeCell::new(None));

/// Registers the commands.
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

/// Unregisters the commands. No handler runs then: the core holds the module while one does.
pub(crate) fn unregister() {
    // SAFETY: as for `register`.
    unsafe {
        if let Some(entries) = (*ENTRIES.0.get()).as_mut() {
            sys::ast_cli_unregister_multiple(entries.as_mut_ptr(), entries.len() as c_int);
        }
    }
}

trampoline! {
    /// Called by the core, on a console's thread, with no lock held: for the command's words and usage, for
    /// completions, and to run it.
    fn handler(
        entry: *mut sys::ast_cli_entry, what: c_int, args: *mut sys::ast_cli_args,
    ) -> *mut c_char, fail CLI_FAILURE, {
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
    }
}

/// # Safety
/// `entry` is one of `ENTRIES`.
unsafe fn command_of(entry: *const sys::ast_cli_entry) -> Option<&'static CliCommand> {
    // SAFETY: the entries are static and not replaced while they are registered.
    let entries = unsafe { (*ENTRIES.0.get()).as_ref() }?;
    let number = entries.iter().position(|other| std::ptr::eq(other, entry))?;
    COMMANDS.get(number)
}

/// # Safety
/// `args` are the core's, for one call.
unsafe fn run(command: &CliCommand, args: &sys::ast_cli_args) -> *mut c_char {
    let Some(driver) = driver::current() else { return CLI_FAILURE };
    // SAFETY: the caller's promise; argv has argc strings.
    let arguments = unsafe { arguments(command, args, usize::try_from(args.argc).unwrap_or(0)) };
    let (text, result) = match (command.run)(&driver, &arguments) {
        Outcome::Text(text) => (text, CLI_SUCCESS),
        Outcome::Failure(text) => (text, CLI_FAILURE),
        Outcome::Usage => return CLI_SHOWUSAGE,
    };
    for line in text.lines() {
        let Ok(line) = CString::new(ascii(line)) else { continue };
        // SAFETY: the format is ours and takes one string.
        unsafe { sys::ast_cli(args.fd, c"%s\n".as_ptr(), line.as_ptr()) };
    }
    result
}

/// The words after the command's own, up to the word number `end`.
///
/// # Safety
/// `args` are the core's, for one call, and have at least `end` words or a NULL before that.
unsafe fn arguments(command: &CliCommand, args: &sys::ast_cli_args, end: usize) -> Vec<String> {
    let mut arguments = Vec::new();
    for number in command.words..end {
        // SAFETY: the caller's promise.
        let word = unsafe { *args.argv.add(number) };
        if word.is_null() {
            break;
        }
        // SAFETY: a string of the core's.
        arguments.push(unsafe { owned_string(word) });
    }
    arguments
}

/// The `n`-th word that may stand at the cursor, in the core's memory. Case is ignored, as in the core.
///
/// # Safety
/// As for `run`.
unsafe fn completion(command: &CliCommand, args: &sys::ast_cli_args) -> *mut c_char {
    let position = usize::try_from(args.pos).unwrap_or(0);
    let known = position.min(usize::try_from(args.argc).unwrap_or(0));
    let Some(driver) = driver::current().filter(|_| position >= command.words) else {
        return std::ptr::null_mut();
    };
    // SAFETY: the core's string lives across the call; argv has argc strings.
    let (word, arguments) = unsafe { (owned_string(args.word), arguments(command, args, known)) };
    let begins = |candidate: &String| {
        let start = candidate.as_bytes().get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    let candidates = (command.complete)(&driver, &arguments, &word);
    let nth =
        candidates.iter().filter(|candidate| begins(candidate)).nth(usize::try_from(args.n).unwrap_or(0));
    nth.map_or(std::ptr::null_mut(), |name| text::core_string(name))
}
