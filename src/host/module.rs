//! Load, reload, unload, and the references that keep the module in memory (asterisk/module.h).

use std::ffi::{CStr, CString, c_char, c_int};
use std::mem::MaybeUninit;

use super::build::{self, BUILD};
use super::channel::owned_string;
use super::engine::Engine;
use super::guard::{guard, here};
use super::{ami, cli, config, http, log as host_log, prometheus, sys, tech};

const SUCCESS: c_int = sys::ast_module_load_result::AST_MODULE_LOAD_SUCCESS as c_int;
const DECLINE: c_int = sys::ast_module_load_result::AST_MODULE_LOAD_DECLINE as c_int;

/// Build options of Asterisk that change what a module sees.
const INCOMPATIBLE_OPTIONS: [&str; 3] = ["DEBUG_THREADS", "LOW_MEMORY", "DEBUG_FD_LEAKS"];

/// Called by the loader, with its list of modules locked; once per load, any number of times per process.
#[unsafe(no_mangle)]
extern "C" fn cw_module_load() -> c_int {
    host_log::install();
    guard("load", DECLINE, || load().map_or_else(|why| decline(&why), |()| SUCCESS))
}

/// Called by the loader. 0 is success.
#[unsafe(no_mangle)]
extern "C" fn cw_module_reload() -> c_int {
    guard("reload", -1, || {
        if let Some(engine) = Engine::current() {
            let config = config::load(Some(&engine.config()));
            engine.set_config(config);
        }
        prometheus::register();
        0
    })
}

/// Called by the loader when nobody holds the module any more.
#[unsafe(no_mangle)]
extern "C" fn cw_module_unload() -> c_int {
    guard("unload", -1, || {
        cli::unregister();
        ami::unregister();
        prometheus::unregister();
        http::unlink();
        tech::unregister();
        Engine::stop();
        0
    })
}

fn load() -> Result<(), String> {
    check_build_options()?;
    build::remember_file();
    let config = config::load(None);
    let started = {
        // Threads inherit the mask: Asterisk's signals are for Asterisk's threads.
        let _blocked = SignalsBlocked::new();
        Engine::start(config)
    };
    started.map_err(|error| format!("cannot start its threads: {error}"))?;
    if !tech::register() {
        Engine::stop();
        return Err("another module has the channel technology 'WebSocket'; unload that first".into());
    }
    http::link();
    cli::register();
    ami::register();
    prometheus::register();
    log::info!("chan_websocket {BUILD} is running");
    Ok(())
}

fn decline(why: &str) -> c_int {
    log::error!("chan_websocket {BUILD} declines to load: {why}");
    DECLINE
}

/// One binary serves every supported Asterisk; some debugging builds lay their structures out differently.
fn check_build_options() -> Result<(), String> {
    // SAFETY: static strings of the core.
    let (version, options) =
        unsafe { (owned_string(sys::ast_get_version()), owned_string(sys::ast_get_build_opts())) };
    let found: Vec<&str> =
        options.split(',').map(str::trim).filter(|option| INCOMPATIBLE_OPTIONS.contains(option)).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(format!("Asterisk {version} is built with {}, which changes the module interface", found.join(", ")))
}

/// Keeps the module in memory: one reference per channel. The partner is [`release`].
pub(crate) fn hold() {
    let (file, line, function) = here!();
    // SAFETY: our own module, registered and running.
    unsafe { sys::__ast_module_ref(sys::cw_module_self(), file, line, function) };
}

/// Gives a reference of [`hold`] back.
pub(crate) fn release() {
    let (file, line, function) = here!();
    // SAFETY: pairs with `hold`.
    unsafe { sys::__ast_module_unref(sys::cw_module_self(), file, line, function) };
}

/// A module reference for a scope.
pub(crate) struct Held(());

impl Held {
    pub(crate) fn new() -> Self {
        hold();
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        release();
    }
}

/// A fresh random UUID, 122 bits of it from the kernel.
pub(crate) fn new_uuid() -> String {
    let mut text = [0 as c_char; sys::AST_UUID_STR_LEN as usize];
    // SAFETY: writes at most the given size, with a NUL.
    unsafe {
        sys::ast_uuid_generate_str(text.as_mut_ptr(), text.len());
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    }
}

/// A string in the core's memory, for the core to free.
pub(crate) fn core_string(text: &str) -> *mut c_char {
    let Ok(text) = CString::new(text) else { return std::ptr::null_mut() };
    let (file, line, function) = here!();
    // SAFETY: copies the string; astmm.h.
    unsafe { sys::__ast_strdup(text.as_ptr(), file, line, function) }
}

/// Blocks every signal of this thread while it lives.
struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    fn new() -> Self {
        let mut old = MaybeUninit::uninit();
        let mut all = MaybeUninit::uninit();
        // SAFETY: both sets are initialised by the calls before they are read.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr());
            Self(old.assume_init())
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the mask that this thread had before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}
