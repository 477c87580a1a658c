//! Which build is running, and whether the file that it came from is still the same.

use std::ffi::{CStr, c_void};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The name of this build in the log and the CLI.
pub(crate) const BUILD: &str = env!("CHAN_WEBSOCKET_BUILD");

/// How the module's file on disk compares with the code that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnDisk {
    /// The one that was loaded.
    Same,
    /// Another one, which runs after a restart of Asterisk.
    Other,
    /// It is not there any more, or cannot be read.
    Gone(String),
    /// It could not be read when it was loaded.
    Unknown,
}

/// Distinguishes a file from another one that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl FileId {
    fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino(), modified: (file.mtime(), file.mtime_nsec()) }
    }
}

/// The file that the running code came from, as it was when it was loaded.
static LOADED: OnceLock<Option<FileId>> = OnceLock::new();

/// Remembers the module's file. Called at each load; only the first call counts, because the code of the first load
/// stays in memory.
pub(crate) fn remember_file() {
    LOADED.get_or_init(|| Some(FileId::of(&fs::metadata(path()?).ok()?)));
}

/// Compares the file on disk. May wait for a slow disk: only for consoles.
pub(crate) fn on_disk(path: &Path) -> OnDisk {
    let on_disk = match fs::metadata(path) {
        Ok(file) => FileId::of(&file),
        Err(error) => return OnDisk::Gone(error.to_string()),
    };
    match LOADED.get().copied().flatten() {
        Some(loaded) if loaded == on_disk => OnDisk::Same,
        Some(_) => OnDisk::Other,
        None => OnDisk::Unknown,
    }
}

/// The path of the file that the running code was loaded from, as the loader got it.
pub(crate) fn path() -> Option<PathBuf> {
    // SAFETY: all-zero is a valid Dl_info.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: the address of a function of ours, which is never unmapped; dladdr(3) fills the structure in.
    let found = unsafe { libc::dladdr(own_address(), &raw mut info) } != 0;
    if !found || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader's own string; it lives as long as the library, which is never unmapped.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(name.to_string_lossy().into_owned()))
}

fn own_address() -> *const c_void {
    (path as fn() -> Option<PathBuf>) as *const c_void
}
