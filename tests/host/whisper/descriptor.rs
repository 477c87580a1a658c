//! The module that puts further descriptors on a channel (descriptor.c), compiled for the sandbox's Asterisk.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use parking_lot::Mutex;

use super::super::harness::call::Call;
use super::super::harness::{Context, sandbox};

const MODULE: &str = "cw_descriptor.so";

/// Held while the module is checked for and loaded, because tests share their instance.
static LOADING: Mutex<()> = Mutex::new(());

/// Compiles the module into the instance's folder and loads it, unless the instance already has it.
#[track_caller]
pub fn load(t: &Context) {
    let _one_at_a_time = LOADING.lock();
    let headers = t.asterisk.folder().join("include");
    if headers.exists() {
        return;
    }
    fs::create_dir(&headers).expect("a folder for the headers");
    // Asterisk's headers only: the sandbox's C library is not this machine's.
    for name in ["asterisk", "asterisk.h"] {
        symlink(sandbox::root().join("usr/include").join(name), headers.join(name)).expect("link");
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/whisper/descriptor.c");
    let status = Command::new("cc")
        .args(["-O1", "-g", "-Wall", "-Werror", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I"])
        .arg(&headers)
        .arg("-o")
        .args([&t.asterisk.folder().join("modules").join(MODULE), &source])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "cc {}", source.display());
    t.allow_log("Couldn't find function DESCRIPTOR in XML documentation");
    let answer = t.asterisk.cli(&format!("module load {MODULE}"));
    assert!(answer.contains("Loaded"), "{answer}");
}

/// Puts descriptors on a channel; kind and value are as in the module.
#[track_caller]
pub fn add(call: &Call<'_>, kind: &str, value: u16) {
    let command = format!("dialplan set chanvar {} DESCRIPTOR({kind}) {value}", call.name);
    let answer = call.context().asterisk.cli(&command);
    assert!(answer.contains("set to"), "{command}: {answer}");
}

/// How often the descriptors have woken this channel so far.
#[track_caller]
pub fn wakes(call: &Call<'_>) -> u64 {
    let wakes = call.variable("DESCRIPTOR(wakes)").expect("the module's function");
    wakes.parse().expect("a number")
}
