//! The one frame that a channel's `read` hands to the core: no allocation per frame.

use std::cell::UnsafeCell;
use std::ffi::c_int;

use super::format::Format;
use super::sys;
use crate::driver::session::MediaFrame;

/// Room before the payload, where RTP writes its header in place (AST_FRIENDLY_OFFSET in frame.h).
const HEADROOM_BYTES: usize = 64;
/// Codecs' sample counters read up to a few bytes past the payload.
const SLACK_BYTES: usize = 8;

/// A frame header and its payload. The core may use both until the channel's next `read`; whoever keeps a frame
/// longer duplicates it, for the header says that nothing in it was allocated (`mallocd` 0).
pub(crate) struct FrameSlot(UnsafeCell<Inner>);

struct Inner {
    header: sys::ast_frame,
    bytes: Vec<u8>,
}

// SAFETY: the content is only touched through `fill`, whose caller holds the channel lock.
unsafe impl Send for FrameSlot {}
// SAFETY: as above.
unsafe impl Sync for FrameSlot {}

impl FrameSlot {
    /// An empty slot.
    pub(crate) fn new() -> Self {
        // SAFETY: all-zero is a valid frame; plain data.
        let header: sys::ast_frame = unsafe { std::mem::zeroed() };
        Self(UnsafeCell::new(Inner { header, bytes: Vec::new() }))
    }

    /// Fills the slot with `frame` of `format` and returns the header for the core.
    ///
    /// `wall_offset_ns` turns the frame's monotonic due time into the wall-clock `delivery` that RTP stamps by.
    ///
    /// # Safety
    /// The caller is the channel's `read` and holds the channel lock: the core is done with the frame before.
    pub(crate) unsafe fn fill(
        &self,
        frame: &MediaFrame,
        format: &Format,
        wall_offset_ns: i64,
    ) -> *mut sys::ast_frame {
        // SAFETY: exclusive by the caller's promise.
        let inner = unsafe { &mut *self.0.get() };
        inner.bytes.clear();
        inner.bytes.resize(HEADROOM_BYTES, 0);
        inner.bytes.extend_from_slice(&frame.payload);
        inner.bytes.resize(HEADROOM_BYTES + frame.payload.len() + SLACK_BYTES, 0);
        let header = &mut inner.header;
        header.frametype = sys::ast_frame_type::AST_FRAME_VOICE;
        header.subclass.__bindgen_anon_1.format = format.as_ptr();
        header.datalen = c_int::try_from(frame.payload.len()).unwrap_or(0);
        header.samples = c_int::try_from(frame.samples).unwrap_or(0);
        header.mallocd = 0;
        header.offset = HEADROOM_BYTES as c_int;
        header.src = std::ptr::null();
        // SAFETY: HEADROOM_BYTES is inside the allocation, whose length is at least that.
        header.data.ptr = unsafe { inner.bytes.as_mut_ptr().add(HEADROOM_BYTES) }.cast();
        let delivery_ns =
            i64::try_from(frame.due.as_nanos()).unwrap_or(i64::MAX).saturating_add(wall_offset_ns);
        header.delivery.tv_sec = delivery_ns.div_euclid(1_000_000_000);
        header.delivery.tv_usec = delivery_ns.rem_euclid(1_000_000_000) / 1000;
        header.frame_list.next = std::ptr::null_mut();
        header.flags = 0;
        header.stream_num = 0;
        &raw mut inner.header
    }
}
