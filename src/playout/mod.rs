//! The media path as pure logic: bytes, commands and time in, frames and actions out.
//!
//! The code here uses no Asterisk symbol and no socket, never waits and makes no syscall.
//!
//! | module | concern |
//! | --- | --- |
//! | [`session`] | one call: what the application's messages do to its media, and what goes to the core when |
//! | [`framing`], [`reframing`], [`queue`], [`overflow`], [`pacing`], [`delivery`] | its parts: frames out of messages, the queue and its limits, when frames are due, the times that they carry for RTP |
//! | [`digits`] | digits that the application presses |
//! | [`fade`], [`silence`] | media faded out to silence, and silence itself |
//! | [`media_format`], [`sample_counter`], [`g723`], [`g729`], [`ilbc`], [`opus`], [`speex`] | a codec's frames and their length |

#![forbid(unsafe_code)]

pub mod delivery;
pub mod digits;
pub mod fade;
pub mod framing;
pub mod g723;
pub mod g729;
pub mod ilbc;
pub mod media_format;
pub mod opus;
pub mod overflow;
pub mod pacing;
pub mod queue;
pub mod reframing;
pub mod sample_counter;
pub mod session;
pub mod silence;
pub mod speex;
