//! What a worker is told, and what it tells.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::super::connection::Connection;
use super::super::speech::Manner;
use super::super::stats::{Point, Totals, Window};

/// What a worker is told.
#[derive(Debug)]
pub enum Command {
    /// Take a connection over.
    Add(Box<Connection>),
    /// Begin to speak.
    Speak(Who, Manner),
    /// End all that goes by time.
    Hush(Who),
    /// Ask for STATUS every so often.
    AskStatus(Who, Duration),
    /// Send bulks this often, to be dropped.
    SendBulks(Who, Duration),
    /// Send one bulk, to be played.
    SendBulk(Who),
    /// Drop what is queued.
    Flush(Who),
    /// Read no more.
    StopReading(Who),
    /// Break connections off.
    Drop(Who),
    /// Begin to keep the course of things.
    Trace,
    /// Send close frames.
    Close(Who),
    /// Begin to measure.
    OpenWindow,
    /// Give what was measured.
    CloseWindow(Sender<Window>),
    /// Give the counts since the beginning.
    Totals(Sender<Totals>),
    /// Give the courses, by app.
    TakeTraces(Sender<Vec<(u32, Vec<Point>)>>),
    /// Give how long media still came after FLUSH_MEDIA, ns.
    Silences(Sender<Vec<u64>>),
    /// From now on look at once whenever something comes: what is measured is short.
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

/// What a worker tells.
#[derive(Debug, Clone)]
pub enum Event {
    /// MEDIA_START has come.
    Started {
        /// The app.
        id: u32,
        /// The channel's unique id.
        channel: String,
        /// The app now begins to speak by itself.
        speaks: bool,
    },
    /// An app with the life of one frame has heard it.
    Heard {
        /// The app.
        id: u32,
        /// When.
        at: u64,
    },
    /// A connection is over: the code of Asterisk's close frame, or why there was none.
    Ended {
        /// The app.
        id: u32,
        /// How.
        how: std::result::Result<u16, String>,
    },
    /// Something that should not be.
    Fault {
        /// What.
        what: String,
    },
}
