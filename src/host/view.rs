//! One call as an operator sees it: a line of `websocket show channels`, or all of `websocket show channel`.

use std::fmt;
use std::time::Duration;

use crate::driver::command::ControlMessageFormat;
use crate::driver::event::Status;
use crate::driver::media_format::MediaFormat;
use crate::driver::session::{MediaMode, SessionStats};

/// The connection's side of a [`CallView`].
#[derive(Debug, Clone)]
pub(crate) struct LinkView {
    /// The application's address.
    pub(crate) peer: String,
    /// TLS version and cipher.
    pub(crate) tls: Option<String>,
    /// Frames sent to the application, and their bytes.
    pub(crate) frames_out: u64,
    pub(crate) bytes_out: u64,
    /// Frames dropped because it read too slowly.
    pub(crate) frames_out_dropped: u64,
    /// Media that waits for it.
    pub(crate) out_queue: Duration,
    pub(crate) events: u64,
    /// The last ping's round trip.
    pub(crate) round_trip: Option<Duration>,
}

/// A call at one moment.
#[derive(Debug, Clone)]
pub(crate) struct CallView {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) connection_id: String,
    pub(crate) format: MediaFormat,
    pub(crate) direction: &'static str,
    pub(crate) mode: MediaMode,
    pub(crate) control_message_format: ControlMessageFormat,
    pub(crate) age: Duration,
    pub(crate) status: Status,
    pub(crate) stats: SessionStats,
    pub(crate) link: Option<LinkView>,
}

impl CallView {
    /// Over the columns of [`row`](Self::row).
    pub(crate) const HEADINGS: [&'static str; 11] = [
        "Channel",
        "Role",
        "Peer",
        "Format",
        "Dir",
        "Mode",
        "State",
        "Queue",
        "Age",
        "In/Out frames",
        "Drops",
    ];

    /// A line of the list.
    pub(crate) fn row(&self) -> [String; 11] {
        let (peer, frames_out, dropped) = match &self.link {
            Some(link) => (link.peer.clone(), link.frames_out, link.frames_out_dropped),
            None => ("-".into(), 0, 0),
        };
        [
            self.name.clone(),
            self.role.into(),
            peer,
            self.format.name.clone(),
            self.direction.into(),
            self.mode_name().into(),
            self.state().into(),
            format!("{} ms", self.queue().as_millis()),
            age(self.age),
            format!("{}/{frames_out}", self.stats.frames_in),
            (self.stats.frames_dropped + dropped).to_string(),
        ]
    }

    /// Whether an application is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    fn state(&self) -> &'static str {
        match (&self.link, self.status.media_paused, self.status.bulk_media) {
            (None, _, _) => "connecting",
            (_, true, _) => "paused",
            (_, _, true) => "buffering",
            _ => "connected",
        }
    }

    fn mode_name(&self) -> &'static str {
        match self.mode {
            MediaMode::Framed => "framed",
            MediaMode::Passthrough => "passthrough",
            MediaMode::Unbuffered => "unbuffered",
        }
    }

    /// Playing time of the media that waits for the core; an estimate in passthrough.
    fn queue(&self) -> Duration {
        self.format.ptime() * u32::try_from(self.status.queue_length).unwrap_or(u32::MAX)
    }
}

/// All that there is to know, a line each.
impl fmt::Display for CallView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = &self.stats;
        writeln!(f, "Channel:              {}", self.name)?;
        writeln!(f, "Role:                 {}", self.role)?;
        writeln!(f, "Connection id:        {}", self.connection_id)?;
        writeln!(f, "State:                {}, for {}", self.state(), age(self.age))?;
        writeln!(f, "Format:               {:?}, {}", self.format, self.mode_name())?;
        writeln!(f, "Direction:            {}", self.direction)?;
        writeln!(f, "Control messages:     {}", self.control_message_format.as_str())?;
        writeln!(
            f,
            "Queue:                {} frames ({} ms), at most {}",
            self.status.queue_length,
            self.queue().as_millis(),
            stats.queue_high_water
        )?;
        writeln!(
            f,
            "From the application: {} messages, {} bytes, {} commands",
            stats.messages, stats.bytes, stats.commands
        )?;
        writeln!(
            f,
            "  frames:             {} queued, {} played, {} flushed, {} dropped",
            stats.frames_in, stats.frames_played, stats.frames_flushed, stats.frames_dropped
        )?;
        writeln!(f, "  underruns:          {}", stats.underruns)?;
        writeln!(
            f,
            "  late reads:         {}, the longest {} ms",
            stats.late_reads,
            stats.longest_lateness.as_millis()
        )?;
        let Some(link) = &self.link else { return Ok(()) };
        writeln!(
            f,
            "To the application:   {} frames, {} bytes, {} events",
            link.frames_out, link.bytes_out, link.events
        )?;
        writeln!(
            f,
            "  waiting, dropped:   {} ms, {} frames",
            link.out_queue.as_millis(),
            link.frames_out_dropped
        )?;
        writeln!(f, "Peer:                 {}", link.peer)?;
        writeln!(f, "TLS:                  {}", link.tls.as_deref().unwrap_or("none"))?;
        match link.round_trip {
            Some(time) => writeln!(f, "Ping round trip:      {:.1} ms", time.as_secs_f64() * 1000.0),
            None => writeln!(f, "Ping round trip:      -"),
        }
    }
}

/// Hours, minutes and seconds.
fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
