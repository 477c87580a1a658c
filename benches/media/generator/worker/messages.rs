//! The messages to and from a worker.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::super::connection::Connection;
use super::super::speech::Manner;
use super::super::stats::{Point, Totals, Window};

/// A command to a worker.
#[derive(Debug)]
pub enum Command {
    /// Take over a connection.
    Add(Box<Connection>),
    /// Begin to send media.
    Speak(Who, Manner),
    /// End everything that is done by time.
    Hush(Who),
    /// Ask for STATUS at this interval.
    AskStatus(Who, Duration),
    /// Send bulks at this interval, which are dropped.
    SendBulks(Who, Duration),
    /// Send one bulk, which is played.
    SendBulk(Who),
    /// Send FLUSH_MEDIA.
    Flush(Who),
    /// Stop reading.
    StopReading(Who),
    /// Drop connections.
    Drop(Who),
    /// Begin to record each frame.
    Trace,
    /// Send close frames.
    Close(Who),
    /// Begin to measure.
    OpenWindow,
    /// Return what was measured.
    CloseWindow(Sender<Window>),
    /// Return the counts since the start.
    Totals(Sender<Totals>),
    /// Return the recorded frames, by app.
    TakeTraces(Sender<Vec<(u32, Vec<Point>)>>),
    /// Return how long media still came after FLUSH_MEDIA, ns.
    Silences(Sender<Vec<u64>>),
    /// From now on check at once whenever something comes, because short times are measured.
    LookAtOnce,
    /// End.
    Stop,
}

/// Which apps.
#[derive(Debug, Clone)]
pub enum Who {
    /// All.
    All,
    /// These.
    These(Arc<[u32]>),
}

impl Who {
    pub(super) fn includes(&self, id: u32) -> bool {
        match self {
            Self::All => true,
            Self::These(ids) => ids.contains(&id),
        }
    }
}

/// An event from a worker.
#[derive(Debug, Clone)]
pub enum Event {
    /// MEDIA_START has come.
    Started {
        /// The app.
        id: u32,
        /// The channel's unique id.
        channel: String,
        /// Whether the app now begins to send by itself.
        speaks: bool,
    },
    /// An app of the kind `OneFrame` has heard its frame.
    Heard {
        /// The app.
        id: u32,
        /// The time.
        at: u64,
    },
    /// A connection has ended: the code of Asterisk's close frame, or why there was none.
    Ended {
        /// The app.
        id: u32,
        /// How.
        how: std::result::Result<u16, String>,
    },
    /// An error.
    Fault {
        /// What it was.
        what: String,
    },
}
