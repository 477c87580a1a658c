//! A bridge technology of our own, `websocket`, for two channels of which one at least is a WebSocket (docs/bridge.md).
//!
//! | file | concern |
//! | --- | --- |
//! | `technology` | the technology's table, its callbacks, registration |
//! | `simple` | `simple_bridge`, to which goes all that is not ours |
//! | `direct` | a frame that goes to the application at once, by the thread that brought it |
//! | `player` | a frame from the application that goes to the bridge when it is due, by a thread of ours |
//! | `locked` | bridges and bridge channels whose locks are held |
//! | `describe` | what `websocket show channel` says of it |
//!
//! When a frame may go directly is [`crate::call::direct`]'s to say, who plays is [`crate::call::played_by`]'s.
//!
//! Lock order: bridge, bridge channel, channel, then ours. The core holds the bridge in every callback. Per frame a bridge
//! channel and a channel are only tried.

mod describe;
mod direct;
mod locked;
mod player;
mod simple;
mod technology;

pub(crate) use self::describe::describe;
pub(crate) use self::player::take_turn;
pub(crate) use self::technology::{register, unregister};
