//! The one frame that a channel's `read`, or a player in its place, hands to the core: no allocation per frame.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_long};

use super::format::Format;
use super::{sys, wall_clock};
use crate::mono_time::MonoTime;
use crate::playout::digits::DigitFrame;
use crate::playout::session::MediaFrame;

/// Room before the payload, where RTP writes its header in place (AST_FRIENDLY_OFFSET in frame.h).
const HEADROOM_BYTES: usize = 64;
/// Codecs' sample counters read up to a few bytes past the payload.
const SLACK_BYTES: usize = 8;

/// A frame header and its payload. The core may use both until the channel's next `read`; code that keeps a frame
/// longer duplicates it, because the header says that nothing in it was allocated (`mallocd` 0).
pub(crate) struct FrameSlot(UnsafeCell<SlotContent>);

struct SlotContent {
    header: sys::ast_frame,
    /// The header for a digit. Its fields have other meanings, and the core writes into them.
    digit: sys::ast_frame,
    bytes: Vec<u8>,
    /// The wall clock minus the monotonic clock, ns. Consecutive frames that carry a time share one value, so that the
    /// distance between them is exact.
    wall_offset_ns: Option<i64>,
}

impl SlotContent {
    /// A frame's `delivery`: zero stands for none.
    fn wall_time(&mut self, delivery: Option<MonoTime>) -> sys::timeval {
        let Some(at) = delivery else {
            self.wall_offset_ns = None;
            return sys::timeval { tv_sec: 0, tv_usec: 0 };
        };
        let offset = *self.wall_offset_ns.get_or_insert_with(wall_clock::wall_offset_ns);
        let nanos = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX).saturating_add(offset);
        sys::timeval {
            tv_sec: nanos.div_euclid(NANOS_PER_SEC),
            tv_usec: nanos.rem_euclid(NANOS_PER_SEC) / NANOS_PER_USEC,
        }
    }
}

const NANOS_PER_SEC: i64 = 1_000_000_000;
const NANOS_PER_USEC: i64 = 1000;

// SAFETY: the content is only touched through `fill` and `fill_digit`, whose callers hold the channel lock.
unsafe impl Send for FrameSlot {}
// SAFETY: as above.
unsafe impl Sync for FrameSlot {}

impl FrameSlot {
    /// An empty slot.
    pub(crate) fn new() -> Self {
        // SAFETY: all-zero is a valid frame; plain data.
        let header: sys::ast_frame = unsafe { std::mem::zeroed() };
        Self(UnsafeCell::new(SlotContent { header, digit: header, bytes: Vec::new(), wall_offset_ns: None }))
    }

    /// Fills the slot with a digit's begin or end and returns the header for the core.
    ///
    /// # Safety
    /// As for [`fill`](Self::fill).
    pub(crate) unsafe fn fill_digit(&self, frame: DigitFrame) -> *mut sys::ast_frame {
        // SAFETY: exclusive by the caller's promise.
        let inner = unsafe { &mut *self.0.get() };
        // SAFETY: all-zero is a valid frame; plain data.
        inner.digit = unsafe { std::mem::zeroed() };
        let (kind, digit) = match frame {
            DigitFrame::Begin(digit) => (sys::ast_frame_type::AST_FRAME_DTMF_BEGIN, digit),
            DigitFrame::End { digit, .. } => (sys::ast_frame_type::AST_FRAME_DTMF_END, digit),
        };
        inner.digit.frametype = kind;
        inner.digit.subclass.integer = c_int::try_from(u32::from(digit)).unwrap_or(0);
        inner.digit.len = c_long::try_from(frame.length_ms()).unwrap_or(0);
        &raw mut inner.digit
    }

    /// Fills the slot with `frame` of `format` and returns the header for the core.
    ///
    /// # Safety
    /// The caller holds the channel lock, and the core is done with the previous frame: the caller is the channel's
    /// `read`, or a player that has found the channel's thread at rest and keeps it from reading until its frame is
    /// passed on.
    pub(crate) unsafe fn fill(&self, frame: &MediaFrame, format: &Format) -> *mut sys::ast_frame {
        // SAFETY: exclusive by the caller's promise.
        let inner = unsafe { &mut *self.0.get() };
        inner.bytes.clear();
        inner.bytes.resize(HEADROOM_BYTES, 0);
        inner.bytes.extend_from_slice(&frame.payload);
        inner.bytes.resize(HEADROOM_BYTES + frame.payload.len() + SLACK_BYTES, 0);
        let delivery = inner.wall_time(frame.delivery);
        let header = &mut inner.header;
        header.delivery = delivery;
        header.frametype = sys::ast_frame_type::AST_FRAME_VOICE;
        header.subclass.__bindgen_anon_1.format = format.as_ptr();
        header.datalen = c_int::try_from(frame.payload.len()).unwrap_or(0);
        header.samples = c_int::try_from(frame.samples).unwrap_or(0);
        header.mallocd = 0;
        header.offset = HEADROOM_BYTES as c_int;
        header.src = std::ptr::null();
        // SAFETY: HEADROOM_BYTES is inside the allocation, whose length is at least that.
        header.data.ptr = unsafe { inner.bytes.as_mut_ptr().add(HEADROOM_BYTES) }.cast();
        header.frame_list.next = std::ptr::null_mut();
        header.flags = 0;
        header.stream_num = 0;
        &raw mut inner.header
    }
}
