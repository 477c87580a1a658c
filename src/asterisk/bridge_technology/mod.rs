//! A bridge technology of our own, `websocket`, for two channels of which one at least is a WebSocket (docs/bridge.md).
//!
//! | file | concern |
//! | --- | --- |
//! | `technology` | the technology's table, its callbacks, registration |
//! | `simple` | `simple_bridge`, which handles all that is not ours |
//! | `direct` | sends a frame to the application at once, on the thread that brought it |
//! | `player` | passes a frame from the application to the bridge when it is due, on a thread of ours |
//! | `locked` | bridges and bridge channels whose locks are held |
//! | `describe` | what `websocket show channel` says of it |
//!
//! [`crate::call::direct`] decides when a frame may go directly, [`crate::call::played_by`] which thread plays.
//!
//! Lock order: bridge, bridge channel, channel, then ours. The core holds the bridge's lock in every callback. On the
//! path of a frame, the locks of a bridge channel and of a channel are only tried.

mod describe;
mod direct;
mod locked;
mod player;
mod simple;
mod technology;

pub(crate) use self::describe::describe;
pub(crate) use self::player::take_turn;
pub(crate) use self::technology::{register, unregister};
