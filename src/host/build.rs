//! Which build is running, and whether the file that it came from is still the same.

use std::ffi::{CStr, c_int, c_void};
use std::fs::File;
use std::path::{Path, PathBuf};

use super::guard::trampoline;
use crate::driver::build_id;

/// What this build calls itself in the log and the CLI.
pub(crate) const BUILD: &str = env!("CHAN_WEBSOCKET_BUILD");

/// What the module's file on disk is, compared with the code that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OnDisk {
    /// The same build.
    Same,
    /// Another one: it runs after a restart of Asterisk.
    Other,
    /// It is not there any more, or cannot be read.
    Gone(String),
    /// One of the two has no build id.
    Unknown,
}

/// Looks at the file. May read from a slow disk: for consoles.
pub(crate) fn on_disk(path: &Path) -> OnDisk {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return OnDisk::Gone(error.to_string()),
    };
    match (build_id::of_file(file), running()) {
        (Some(on_disk), Some(running)) if on_disk == running => OnDisk::Same,
        // Also a file that is no module, or one cut off.
        (_, Some(_)) => OnDisk::Other,
        (_, None) => OnDisk::Unknown,
    }
}

/// The file that the running code was loaded from, as the loader was told.
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

/// The build id of the code that runs, out of its own memory.
fn running() -> Option<Vec<u8>> {
    let mut found: Option<Vec<u8>> = None;
    // SAFETY: `visit` has the type that dl_iterate_phdr(3) wants, and `found` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast()) };
    found
}

trampoline! {
    /// Called by the dynamic loader for each loaded object; not 0 ends the search.
    fn visit(object: *mut libc::dl_phdr_info, _size: usize, found: *mut c_void) -> c_int, fail 1, {
        // SAFETY: the loader's description of one object, with its program headers, alive for this call.
        let (base, headers) = unsafe {
            let object = &*object;
            (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)))
        };
        // SAFETY: what `running` passed, and nothing else uses meanwhile.
        let found = unsafe { &mut *found.cast::<Option<Vec<u8>>>() };
        c_int::from(look_at(base, headers, found))
    }
}

/// Whether an object at this address is ours; then with its build id in `found`, if it has one.
fn look_at(base: u64, headers: &[libc::Elf64_Phdr], found: &mut Option<Vec<u8>>) -> bool {
    let own = own_address().addr() as u64;
    let is_ours = headers.iter().any(|header| {
        let start = base.wrapping_add(header.p_vaddr);
        header.p_type == libc::PT_LOAD && (start..start.wrapping_add(header.p_memsz)).contains(&own)
    });
    if !is_ours {
        return false;
    }
    for header in headers.iter().filter(|header| header.p_type == libc::PT_NOTE) {
        let start = std::ptr::with_exposed_provenance(base.wrapping_add(header.p_vaddr) as usize);
        // SAFETY: a segment of notes is mapped as long as its object, which is ours and never unmapped.
        let notes: &[u8] = unsafe { std::slice::from_raw_parts(start, header.p_memsz as usize) };
        if let Some(id) = build_id::in_notes(notes) {
            *found = Some(id.to_vec());
        }
    }
    true
}
