//! What silence is in a format: linear silence, encoded by Asterisk's own translators (asterisk/translate.h). Made when
//! a call asks for it, once for each format, and never on the path of a frame.

use std::collections::BTreeMap;
use std::ptr;
use std::ptr::NonNull;

use bytes::Bytes;
use parking_lot::Mutex;

use super::format::{Format, slin_of};
use super::sys;
use crate::playout::media_format::MediaFormat;
use crate::playout::silence::SilenceFrame;

/// By name of the format. A frame that was made stays valid, even if its translator's module is unloaded.
static MADE: Mutex<BTreeMap<String, SilenceFrame>> = Mutex::new(BTreeMap::new());

/// So many frames of silence, a second, are encoded before one is taken. An encoder that adapts (g722) is not silent
/// before: its first frame, repeated, is a hum of -38 dBov.
const FRAMES_IN: usize = 50;

/// A frame of silence in `format`; `None` if this Asterisk cannot translate to it. No lock held.
pub(super) fn frame_of(format: &Format, facts: &MediaFormat) -> Option<SilenceFrame> {
    let made = MADE.lock().get(&facts.name).cloned();
    if made.is_some() {
        return made;
    }
    let silence = make(format, facts)?;
    MADE.lock().insert(facts.name.clone(), silence.clone());
    Some(silence)
}

fn make(format: &Format, facts: &MediaFormat) -> Option<SilenceFrame> {
    let linear = slin_of(facts.sample_rate)?;
    let samples = facts.frame_samples();
    let silence = vec![0; usize::try_from(samples).ok()?.checked_mul(2)?];
    // SAFETY: a counted reference: the format is alive.
    let (payload, samples) = if unsafe { linear.matches(format.as_ptr()) } {
        (silence, samples)
    } else {
        Translator::new(format, &linear)?.last_frame(silence, samples)?
    };
    let duration = facts.duration_of(samples);
    let is_one = !payload.is_empty() && !duration.is_zero();
    is_one.then(|| SilenceFrame { payload: Bytes::from(payload), samples, duration })
}

/// A new path from linear samples to a format: it has no state from other speech.
struct Translator<'a> {
    path: NonNull<sys::ast_trans_pvt>,
    linear: &'a Format,
}

impl<'a> Translator<'a> {
    /// `None` if there is none.
    fn new(to: &Format, linear: &'a Format) -> Option<Self> {
        // SAFETY: both formats are alive; takes the lock of the translators' table for itself. All bits set: no path.
        let steps = unsafe { sys::ast_translate_path_steps(to.as_ptr(), linear.as_ptr()) };
        if steps == u32::MAX {
            return None;
        }
        // SAFETY: as above. The result is ours until it is freed in `drop`.
        let path = unsafe { sys::ast_translator_build_path(to.as_ptr(), linear.as_ptr()) };
        NonNull::new(path).map(|path| Self { path, linear })
    }

    /// Encodes frames of these bytes; returns the last frame that comes out, and its samples.
    fn last_frame(&self, mut bytes: Vec<u8>, samples: u32) -> Option<(Vec<u8>, u32)> {
        // SAFETY: all-zero is a valid frame; plain data.
        let mut frame: sys::ast_frame = unsafe { std::mem::zeroed() };
        frame.frametype = sys::ast_frame_type::AST_FRAME_VOICE;
        frame.subclass.__bindgen_anon_1.format = self.linear.as_ptr();
        frame.datalen = i32::try_from(bytes.len()).ok()?;
        frame.samples = i32::try_from(samples).ok()?;
        frame.data.ptr = bytes.as_mut_ptr().cast();
        (0..FRAMES_IN).filter_map(|_| self.translate(&mut frame)).last()
    }

    fn translate(&self, frame: &mut sys::ast_frame) -> Option<(Vec<u8>, u32)> {
        // SAFETY: the path is ours, and used by this thread alone; the frame and its data live across the call, which
        // leaves them to us (consume 0).
        let out = Translated(NonNull::new(unsafe { sys::ast_translate(self.path.as_ptr(), frame, 0) })?);
        out.content()
    }
}

impl Drop for Translator<'_> {
    fn drop(&mut self) {
        // SAFETY: the path that `new` made; no other code knows it.
        unsafe { sys::ast_translator_free_path(self.path.as_ptr()) };
    }
}

/// What a translator gives: one frame or a list of them, ours to free.
struct Translated(NonNull<sys::ast_frame>);

impl Translated {
    /// Bytes and samples of the first; `None` if there are none.
    fn content(&self) -> Option<(Vec<u8>, u32)> {
        // SAFETY: alive until it is freed in `drop`.
        let frame = unsafe { self.0.as_ref() };
        let (len, samples) = (usize::try_from(frame.datalen).ok()?, u32::try_from(frame.samples).ok()?);
        // SAFETY: a voice frame's data is a pointer.
        let data = unsafe { frame.data.ptr }.cast::<u8>();
        let is_voice = frame.frametype == sys::ast_frame_type::AST_FRAME_VOICE;
        if !is_voice || data.is_null() || len == 0 {
            return None;
        }
        let mut bytes = vec![0; len];
        // SAFETY: it points to `datalen` bytes, and the vector has as many of its own.
        unsafe { ptr::copy_nonoverlapping(data, bytes.as_mut_ptr(), len) };
        Some((bytes, samples))
    }
}

impl Drop for Translated {
    fn drop(&mut self) {
        // SAFETY: `ast_translate` gave it to us; frees the rest of its list too. 0: not kept for reuse.
        unsafe { sys::ast_frame_free(self.0.as_ptr(), 0) };
    }
}
