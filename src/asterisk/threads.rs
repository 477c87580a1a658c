//! What distinguishes the core's threads from ours: a new thread inherits the signal mask and the name of the thread
//! that starts it.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// The signal mask of the thread that loaded the module, which is that of the core's threads.
static CORES_MASK: OnceLock<libc::sigset_t> = OnceLock::new();

/// The name of the core's threads.
const CORES_NAME: &CStr = c"asterisk";

/// Blocks every signal of this thread while it lives.
pub(super) struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    pub(super) fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        // SAFETY: the set is initialised by the call before it is read.
        let all = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            all.assume_init()
        };
        let before = set_mask(&all);
        CORES_MASK.get_or_init(|| before);
        Self(before)
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        set_mask(&self.0);
    }
}

/// Runs work that may start threads of the core, on a thread of ours of this name.
pub(super) fn as_a_thread_of_the_core<T>(name: &CStr, work: impl FnOnce() -> T) -> T {
    let _restored = CORES_MASK.get().map(|mask| OfTheCore { mask: set_mask(mask), name });
    set_name(CORES_NAME);
    work()
}

/// What the thread had before; it gets it back when this is dropped, also in a panic.
struct OfTheCore<'a> {
    mask: libc::sigset_t,
    name: &'a CStr,
}

impl Drop for OfTheCore<'_> {
    fn drop(&mut self) {
        set_mask(&self.mask);
        set_name(self.name);
    }
}

/// Returns the previous mask.
fn set_mask(mask: &libc::sigset_t) -> libc::sigset_t {
    let mut before = MaybeUninit::uninit();
    // SAFETY: an initialised set in; the other is initialised by the call, which cannot fail with these arguments.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, mask, before.as_mut_ptr());
        before.assume_init()
    }
}

fn set_name(name: &CStr) {
    // SAFETY: a C string of at most 15 bytes, or the call fails and does nothing.
    unsafe { libc::pthread_setname_np(libc::pthread_self(), name.as_ptr()) };
}
