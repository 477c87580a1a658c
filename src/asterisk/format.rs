//! Asterisk's media formats (asterisk/format.h): by accessors only, because codec structs differ between versions.

use std::ffi::{CStr, CString};
use std::mem::ManuallyDrop;

use super::ao2::Ao2;
use super::guard::here;
use super::sys;
use crate::playout::media_format::CodecFacts;

/// Codecs' sample counters may read up to a few bytes past the payload.
const SLACK_BYTES: usize = 8;

/// A counted reference to a format.
#[derive(Clone, Debug)]
pub(crate) struct Format(Ao2<sys::ast_format>);

impl Format {
    /// The cached format of that name, if any module registered it.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        let (file, line, function) = here!();
        // SAFETY: returns a reference of our own, or NULL; format_cache.h.
        unsafe {
            Ao2::from_owned(sys::__ast_format_cache_get(name.as_ptr(), c"".as_ptr(), file, line, function))
        }
        .map(Self)
    }

    /// The first format of the capabilities that the core asks a channel for.
    ///
    /// # Safety
    /// `caps` is NULL or capabilities that live for this call.
    pub(crate) unsafe fn first_of(caps: *mut sys::ast_format_cap) -> Option<Self> {
        // SAFETY: a getter on a live set. The core asserts that the index exists.
        if caps.is_null() || unsafe { sys::ast_format_cap_count(caps) } == 0 {
            return None;
        }
        // SAFETY: returns a reference of our own, or NULL; format_cap.h.
        unsafe { Ao2::from_owned(sys::ast_format_cap_get_format(caps, 0)) }.map(Self)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::ast_format {
        self.0.as_ptr()
    }

    /// What the core knows about the codec.
    pub(crate) fn facts(&self) -> CodecFacts {
        let format = self.as_ptr();
        // SAFETY: getters on a live format; the name is never NULL.
        unsafe {
            CodecFacts {
                name: CStr::from_ptr(sys::ast_format_get_name(format)).to_string_lossy().into_owned(),
                is_audio: sys::ast_format_get_type(format) == sys::ast_media_type::AST_MEDIA_TYPE_AUDIO,
                sample_rate: sys::ast_format_get_sample_rate(format),
                default_ms: sys::ast_format_get_default_ms(format),
                minimum_ms: sys::ast_format_get_minimum_ms(format),
                minimum_bytes: sys::ast_format_get_minimum_bytes(format),
            }
        }
    }

    /// Samples per channel in `payload`, as Asterisk's own counter for the codec has them; 0 where that is unknown. It
    /// may log a warning for what it cannot read. Any thread, no lock held.
    pub(crate) fn samples(&self, payload: &[u8]) -> u32 {
        let mut bytes = Vec::with_capacity(payload.len() + SLACK_BYTES);
        bytes.extend_from_slice(payload);
        bytes.resize(payload.len() + SLACK_BYTES, 0);
        let Ok(datalen) = i32::try_from(payload.len()) else { return 0 };
        // SAFETY: all-zero is a valid frame; plain data.
        let mut frame: sys::ast_frame = unsafe { std::mem::zeroed() };
        frame.frametype = sys::ast_frame_type::AST_FRAME_VOICE;
        frame.subclass.__bindgen_anon_1.format = self.as_ptr();
        frame.data.ptr = bytes.as_mut_ptr().cast();
        frame.datalen = datalen;
        // SAFETY: the frame and its data live across the call; codec.h: takes no lock, keeps nothing.
        unsafe { sys::ast_codec_samples_count(&raw mut frame) }
    }

    /// Whether `other`, as found in a frame, is this format.
    ///
    /// # Safety
    /// `other` is NULL or a format that lives for this call.
    pub(crate) unsafe fn matches(&self, other: *const sys::ast_format) -> bool {
        if std::ptr::eq(self.as_ptr(), other) {
            return true;
        }
        // SAFETY: both are alive; takes no lock.
        !other.is_null()
            && unsafe { sys::ast_format_cmp(self.as_ptr(), other) }
                != sys::ast_format_cmp_res::AST_FORMAT_CMP_NOT_EQUAL
    }
}

/// Asterisk's linear format of this sample rate, else the nearest that it has.
pub(super) fn slin_of(sample_rate: u32) -> Option<Format> {
    // SAFETY: returns a format of the cache's, which lives as long as Asterisk, and takes no reference.
    unsafe { Ao2::from_borrowed(sys::ast_format_cache_get_slin_by_rate(sample_rate)) }.map(Format)
}

/// A set of formats.
pub(crate) struct Capabilities(Ao2<sys::ast_format_cap>);

impl Capabilities {
    /// An empty set; `None` if the core is out of memory.
    fn new() -> Option<Self> {
        let (file, line, function) = here!();
        let flags = sys::ast_format_cap_flags::AST_FORMAT_CAP_FLAG_DEFAULT;
        // SAFETY: a new object whose one reference is ours, or NULL.
        unsafe { Ao2::from_owned(sys::__ast_format_cap_alloc(flags, c"".as_ptr(), file, line, function)) }
            .map(Self)
    }

    /// All formats that Asterisk knows: the dial string decides what a channel gets.
    pub(crate) fn of_every_format() -> Option<Self> {
        let caps = Self::new()?;
        // SAFETY: a live set of ours; the media type UNKNOWN stands for all of them.
        let failed = unsafe {
            sys::ast_format_cap_append_by_type(caps.as_ptr(), sys::ast_media_type::AST_MEDIA_TYPE_UNKNOWN)
        };
        (failed == 0).then_some(caps)
    }

    /// A set of this format alone.
    pub(crate) fn of(format: &Format) -> Option<Self> {
        let caps = Self::new()?;
        let (file, line, function) = here!();
        // SAFETY: both objects are alive; the set takes a reference of its own.
        let failed = unsafe {
            sys::__ast_format_cap_append(
                caps.as_ptr(),
                format.as_ptr(),
                0,
                c"".as_ptr(),
                file,
                line,
                function,
            )
        };
        (failed == 0).then_some(caps)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::ast_format_cap {
        self.0.as_ptr()
    }

    /// Gives the reference away as a plain pointer; [`reclaim`](Self::reclaim) takes it back.
    pub(crate) fn leak(self) -> *mut sys::ast_format_cap {
        ManuallyDrop::new(self).as_ptr()
    }

    /// Takes back what [`leak`](Self::leak) gave away; `None` for NULL.
    ///
    /// # Safety
    /// `pointer` is NULL or comes from `leak`, and is not used any more.
    pub(crate) unsafe fn reclaim(pointer: *mut sys::ast_format_cap) -> Option<Self> {
        // SAFETY: the caller's promise.
        unsafe { Ao2::from_owned(pointer) }.map(Self)
    }
}
