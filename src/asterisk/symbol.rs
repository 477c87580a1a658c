//! Functions that this Asterisk may have or not: looked up by name when they are needed.

use std::ffi::CStr;

/// The function `name` of the core, or of a module that exports it to all others; `None` if no module has it now.
///
/// # Safety
/// `F` is the type of a function pointer, and the type of the function of this name wherever there is one. It must not
/// be called once its module may have been unloaded.
pub(crate) unsafe fn find<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut libc::c_void>()) };
    // Through the program's own handle: a search by RTLD_DEFAULT would make this library, which is never unmapped,
    // depend on the library that is found, so that Asterisk could never unload that module either.
    // SAFETY: the handle of the program itself, which is closed at once (dlopen(3)); what it finds is exported to all.
    let address = unsafe {
        let program = libc::dlopen(std::ptr::null(), libc::RTLD_LAZY);
        if program.is_null() {
            return None;
        }
        let address = libc::dlsym(program, name.as_ptr());
        libc::dlclose(program);
        address
    };
    if address.is_null() {
        return None;
    }
    // SAFETY: the caller's promise; a function pointer is an address of this size.
    Some(unsafe { std::mem::transmute_copy::<*mut libc::c_void, F>(&address) })
}
