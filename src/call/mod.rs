//! A call, as far as it needs no Asterisk: what it is and what it counts, its connection, its playout and who takes the frames
//! that are due, its jobs, how it is dialled, how it ends, and the books about all calls.
//!
//! What a call does with its channel is in `asterisk::call`, which [`CallData`](data::CallData) is a part of. What can be
//! decided without the channel is decided here; there it is done.
//!
//! | file | concern |
//! | --- | --- |
//! | `data` | a call: what it was made of, its parts, its name |
//! | `role` | who connects to whom |
//! | `link`, `connection` | the states of its connection; a connection, before and while it serves the call |
//! | `events` | what the application is told, in one order |
//! | `ending`, `reconnecting` | what ends a call; what one that has lost its connection waits for |
//! | `playout`, `sinks`, `played_by` | its session at work, and where the frames that are due go |
//! | `media_out` | media to the application |
//! | `direct` | when a bridge sends its frames directly |
//! | `hold`, `transfer` | music on hold; a transfer under way |
//! | `permissions` | what its application may ask |
//! | `dialled` | where an outgoing call goes |
//! | `jobs` | what needs a channel's lock, in order |
//! | `report`, `told`, `event_fields`, `debug` | what people see of it, are told of it, and want to see of it |
//! | `books`, `totals`, `module_report` | all calls, and what they have moved |

#![forbid(unsafe_code)]

pub mod books;
pub mod connection;
pub mod data;
pub mod debug;
pub mod dialled;
pub mod direct;
pub mod ending;
pub mod event_fields;
pub mod events;
#[cfg(test)]
mod fixture;
pub mod hold;
pub mod jobs;
pub mod link;
pub mod media_out;
pub mod module_report;
pub mod permissions;
pub mod played_by;
pub mod playout;
pub mod reconnecting;
pub mod report;
pub mod role;
pub mod sinks;
pub mod told;
pub mod totals;
pub mod transfer;
