//! Asterisk's reference-counted objects (asterisk/astobj2.h).

use std::ffi::{c_int, c_void};
use std::fmt;
use std::ptr::{self, NonNull};

use super::guard::here;
use super::sys;

/// One counted reference to an ao2 object; dropping it gives the reference back.
pub(crate) struct Ao2<T>(NonNull<T>);

// SAFETY: ao2 counts references atomically; what may be done with the object is up to the newtype around it.
unsafe impl<T> Send for Ao2<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Ao2<T> {}

impl<T> Ao2<T> {
    /// Takes over a reference that the caller owns; `None` for NULL.
    ///
    /// # Safety
    /// `object` is NULL or an ao2 object, and one reference to it is the caller's to give.
    pub(crate) unsafe fn from_owned(object: *mut T) -> Option<Self> {
        NonNull::new(object).map(Self)
    }

    /// A further reference to an object that somebody else holds; `None` for NULL.
    ///
    /// # Safety
    /// `object` is NULL or an ao2 object with a reference that lasts at least for this call.
    pub(crate) unsafe fn from_borrowed(object: *mut T) -> Option<Self> {
        let object = NonNull::new(object)?;
        add_reference(object, 1);
        Some(Self(object))
    }

    /// The object; alive as long as `self`.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    /// The object, as a pointer that is never NULL.
    pub(crate) fn as_non_null(&self) -> NonNull<T> {
        self.0
    }
}

impl<T> Clone for Ao2<T> {
    fn clone(&self) -> Self {
        add_reference(self.0, 1);
        Self(self.0)
    }
}

impl<T> Drop for Ao2<T> {
    fn drop(&mut self) {
        add_reference(self.0, -1);
    }
}

impl<T> PartialEq for Ao2<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> fmt::Debug for Ao2<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ao2({:p})", self.0)
    }
}

fn add_reference<T>(object: NonNull<T>, delta: i32) {
    let (file, line, function) = here!();
    // SAFETY: every Ao2 stands for one counted reference, so the object is alive here. astobj2.h: any thread.
    unsafe {
        sys::__ao2_ref(object.as_ptr().cast::<c_void>(), delta, c"".as_ptr(), file, line, function);
    }
}

/// What `ao2_callback` calls for each object of a container: object, argument, flags; 0: no match, go on.
pub(crate) type Callback = unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int;

/// Calls `callback` for each object of a container, with its lock held, on this thread.
///
/// # Safety
/// `argument` is what `callback` expects, and lives across this call.
pub(crate) unsafe fn for_each(
    container: &Ao2<sys::ao2_container>,
    callback: Callback,
    argument: *mut c_void,
) {
    let (file, line, function) = here!();
    let flags = sys::search_flags::OBJ_MULTIPLE | sys::search_flags::OBJ_NODATA;
    // SAFETY: the container is alive through our reference; the rest is the caller's promise.
    unsafe {
        sys::__ao2_callback(
            container.as_ptr(),
            flags,
            Some(callback),
            argument,
            ptr::null(),
            file,
            line,
            function,
        );
    }
}
