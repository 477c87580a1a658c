//! Media to the application, as its dialect needs it: frame by frame, collected, or with the time at which it plays.

use std::time::Duration;

use parking_lot::Mutex;

use crate::call::data::CallData;
use crate::net::outbound::{MediaTime, Outbound};
use crate::protocol::dialect::{Outgoing, OutgoingMedia};

impl CallData {
    /// Sends a frame of the core, unless the frame has to wait for others. Never waits. One thread at a time.
    pub fn send_media(&self, out: &Outbound, frame: &[u8], samples: u32) {
        let duration = self.media_format.duration_of(samples);
        match &self.outgoing_media {
            None => out.send_media(frame, duration),
            Some(outgoing) => self.send_in_dialect(out, outgoing, frame, duration),
        }
    }

    fn send_in_dialect(
        &self,
        out: &Outbound,
        outgoing: &Mutex<OutgoingMedia>,
        frame: &[u8],
        duration: Duration,
    ) {
        let elapsed = self.stats.connected_at().map(|since| since.elapsed()).unwrap_or_default();
        let ready = outgoing.lock().push(frame, elapsed, duration);
        match ready {
            Outgoing::Nothing => {}
            Outgoing::Frame(at) => out.send_timed_media(frame, MediaTime { duration, at }),
            Outgoing::Gathered { media, duration, at } => {
                out.send_timed_media(&media, MediaTime { duration, at });
                outgoing.lock().keep(media);
            }
        }
    }
}
