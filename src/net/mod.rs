//! Sockets: everything that reads, writes or connects, on threads of our own, never waiting.

#![forbid(unsafe_code)]

pub mod clock;
pub mod coalescing;
pub mod connection;
pub mod connector;
pub(crate) mod contain;
mod frame_reader;
pub mod heartbeat;
pub(crate) mod helpers;
mod mask;
pub mod outbound;
pub mod players;
pub mod reactor;
pub(crate) mod sync;
pub mod task_thread;
pub mod transport;
pub mod upgrade;
pub mod watchdog;
