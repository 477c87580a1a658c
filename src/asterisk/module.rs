//! Load, reload, unload (asterisk/module.h).

use std::ffi::c_int;

use super::build::{self, BUILD};
use super::driver;
use super::guard::{guard, trampoline};
use super::text::owned_string;
use super::{
    acl_change, ami, bridge_technology, cli, config_file, fault, http, log as host_log, prometheus, sys,
    tech, threads,
};
use crate::settings::asterisk_version::{self, SUPPORTED_VERSIONS};

const SUCCESS: c_int = sys::ast_module_load_result::AST_MODULE_LOAD_SUCCESS as c_int;
const DECLINE: c_int = sys::ast_module_load_result::AST_MODULE_LOAD_DECLINE as c_int;

/// Build options of Asterisk that change what a module sees.
const INCOMPATIBLE_OPTIONS: [&str; 3] = ["DEBUG_THREADS", "LOW_MEMORY", "DEBUG_FD_LEAKS"];

trampoline! {
    /// Called by the loader, with its list of modules locked; once per load, any number of times per process.
    #[unsafe(no_mangle)]
    fn cw_module_load() -> c_int, fail DECLINE, {
        host_log::install();
        load().map_or_else(|why| decline(&why), |()| SUCCESS)
    }
}

trampoline! {
    /// Called by the loader. 0 is success.
    #[unsafe(no_mangle)]
    fn cw_module_reload() -> c_int, fail -1, {
        if let Some(driver) = driver::current() {
            let config = config_file::load(Some(&driver.config()));
            driver.set_config(config);
        }
        prometheus::register();
        0
    }
}

trampoline! {
    /// Called by the loader when nobody holds the module any more.
    #[unsafe(no_mangle)]
    fn cw_module_unload() -> c_int, fail -1, {
        take_back(&REGISTRATIONS);
        0
    }
}

/// A registration with the core, and how to undo it. Undoing does nothing if the core does not have the registration.
struct Registration {
    /// The fault point after it, where a test can make the load fail.
    point: &'static str,
    /// The error is for people.
    register: fn() -> Result<(), String>,
    take_back: fn(),
}

/// In the order in which they are made: the tech first, because another module may have it.
static REGISTRATIONS: [Registration; 7] = [
    Registration { point: "load_tech", register: register_tech, take_back: tech::unregister },
    Registration {
        point: "load_bridge",
        register: bridge_technology::register,
        take_back: bridge_technology::unregister,
    },
    Registration {
        point: "load_acl_change",
        register: || {
            acl_change::subscribe();
            Ok(())
        },
        take_back: acl_change::unsubscribe,
    },
    Registration {
        point: "load_http",
        register: || {
            http::link();
            Ok(())
        },
        take_back: http::unlink,
    },
    Registration {
        point: "load_cli",
        register: || {
            cli::register();
            Ok(())
        },
        take_back: cli::unregister,
    },
    Registration {
        point: "load_ami",
        register: || {
            ami::register();
            Ok(())
        },
        take_back: ami::unregister,
    },
    Registration {
        point: "load_prometheus",
        register: || {
            prometheus::register();
            Ok(())
        },
        take_back: prometheus::unregister,
    },
];

fn register_tech() -> Result<(), String> {
    let registered = tech::register();
    registered
        .then_some(())
        .ok_or_else(|| "another module has the channel technology 'WebSocket'; unload that first".to_owned())
}

/// Undoes these, the last one first, and ends the driver. If one step panics, the others are still done.
fn take_back(registrations: &[Registration]) {
    for registration in registrations.iter().rev() {
        guard("take_back", (), registration.take_back);
    }
    guard("stop", (), driver::stop);
}

/// A load under way. If it is dropped before it is done, also by a panic, it undoes what was begun, so that the module
/// can be loaded again. A call that was made since the tech was registered then loses its application; its channel
/// stays until it is hung up.
struct Loading {
    /// How many registrations were begun.
    begun: usize,
    is_done: bool,
}

impl Loading {
    fn begin() -> Self {
        Self { begun: 0, is_done: false }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        if !self.is_done {
            take_back(REGISTRATIONS.get(..self.begun).unwrap_or_default());
        }
    }
}

fn load() -> Result<(), String> {
    check_version()?;
    check_build_options()?;
    build::remember_file();
    let config = config_file::load(None);
    let mut loading = Loading::begin();
    {
        // Threads inherit the mask: Asterisk's signals are for Asterisk's threads.
        let _blocked = threads::SignalsBlocked::new();
        driver::start(config, bridge_technology::take_turn)
            .map_err(|error| format!("cannot start its threads: {error}"))?;
    }
    fault::point("load_driver");
    for registration in &REGISTRATIONS {
        loading.begun += 1;
        (registration.register)()?;
        fault::point(registration.point);
    }
    loading.is_done = true;
    log::info!("chan_websocket {BUILD} is running");
    Ok(())
}

fn decline(why: &str) -> c_int {
    log::error!("chan_websocket {BUILD} declines to load: {why}");
    DECLINE
}

/// One binary serves every supported Asterisk; any other version may lay its structures out differently. Called before
/// any structure of the core is read.
fn check_version() -> Result<(), String> {
    // SAFETY: a static string of the core.
    let version = unsafe { owned_string(sys::ast_get_version()) };
    let Err(why) = asterisk_version::check(&version) else { return Ok(()) };
    if config_file::allows_untested_version() {
        log::warn!(
            "Asterisk {version} is not tested ({why}), but allow_untested_version = yes: at your own risk"
        );
        return Ok(());
    }
    Err(format!(
        "Asterisk {version} is not supported: {why}. Supported are {SUPPORTED_VERSIONS}. With allow_untested_version = yes \
         in [global] of chan_websocket.conf it runs here at your own risk: a structure that this version lays out \
         differently would corrupt memory"
    ))
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
