//! Faults inside the process, made by a preloaded library (shim.c) that a file controls.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::super::harness::{Context, InstanceConfig, sandbox};

/// The position of a fault's number in the file: `struct control` of shim.c.
#[derive(Debug, Clone, Copy)]
pub enum Field {
    WallOffset = 0,
    ThreadsDenied = 1,
    ThreadsLeft = 2,
    FailAt = 3,
    Seen = 4,
    Failed = 5,
    PollsDenied = 6,
    LocksBusy = 7,
    LocksForeign = 8,
    LocksBusyElsewhere = 9,
}

const CONTROL_BYTES: u64 = 80;

/// The library, as a path inside the sandbox.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let (folder, _) = sandbox::instance_folder();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/life/shim.c");
    let library = folder.join("shim.so");
    let status = Command::new("cc")
        .args(["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "cc {}", source.display());
    sandbox::inside(&library).into()
});

/// The control file of an instance.
pub struct Control(File);

impl Control {
    /// Makes an instance preload the library. [`Control::of`] finds its file.
    pub fn preload(config: InstanceConfig) -> InstanceConfig {
        let (folder, _) = sandbox::instance_folder();
        let file = folder.join("control");
        fs::write(&file, vec![0; CONTROL_BYTES as usize]).expect("control file");
        config
            .environment("LD_PRELOAD", LIBRARY.to_str().expect("a path in UTF-8"))
            .environment("FAULT_CONTROL", &sandbox::inside(&file))
    }

    /// The file of an instance that preloads the library.
    pub fn of(t: &Context) -> Self {
        let environment = fs::read(format!("/proc/{}/environ", t.asterisk.pid())).expect("environment");
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let path = environment.split('\0').find_map(|entry| entry.strip_prefix("FAULT_CONTROL="));
        let path = sandbox::root().join(path.expect("preloaded").trim_start_matches('/'));
        Self(File::options().read(true).write(true).open(path).expect("control file"))
    }

    pub fn set(&self, field: Field, value: i64) {
        self.0.write_all_at(&value.to_ne_bytes(), field as u64 * 8).expect("control file");
    }

    pub fn get(&self, field: Field) -> i64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, field as u64 * 8).expect("control file");
        i64::from_ne_bytes(bytes)
    }
}
