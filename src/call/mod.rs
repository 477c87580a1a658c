//! The part of a call that needs no Asterisk: its data and counters, its connection, its playout and who fetches the
//! frames that are due, its jobs, how it is dialled, how it ends, and the books about all calls.
//!
//! What a call does with its channel is in `asterisk::call`, which contains [`CallData`](data::CallData). Decisions
//! that need no channel are made here and carried out there.
//!
//! | file | concern |
//! | --- | --- |
//! | `data` | a call: its parameters, its parts, its name |
//! | `role` | who connects to whom |
//! | `link`, `connection` | the states of its connection; a connection, before and while it serves the call |
//! | `events` | events to the application, in one order |
//! | `ending`, `reconnecting` | what ends a call; the timers of a call that has lost its connection |
//! | `playout`, `sinks`, `played_by` | its session at work, and where the frames that are due go |
//! | `media_out` | media to the application |
//! | `direct` | when a bridge sends its frames directly |
//! | `hold`, `transfer` | music on hold; a transfer under way |
//! | `permissions` | what its application may ask for |
//! | `dialled` | where an outgoing call goes |
//! | `jobs` | work that needs a channel's lock, in order |
//! | `report`, `told`, `event_fields`, `debug` | what people see of a call, which events they get, and debug settings |
//! | `books`, `totals`, `module_report` | all calls, and their traffic |

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
