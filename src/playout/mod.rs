//! What is played when: the media path as pure logic. Bytes, commands and time in, frames and actions out.
//!
//! Nothing here knows an Asterisk symbol or a socket, and nothing here waits or makes a syscall.
//!
//! | module | concern |
//! | --- | --- |
//! | [`session`] | one call: what the application's messages do to its media, and what goes to the core when |
//! | [`framing`], [`reframing`], [`queue`], [`overflow`], [`pacing`], [`delivery`] | its parts: frames out of messages, what waits, how much of it may, when it is due, the times that frames are stamped with |
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
