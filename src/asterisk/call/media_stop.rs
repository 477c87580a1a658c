//! MEDIA_STOP: the last event before our close frame, for an application that has subscribed to it.

use super::Call;
use crate::asterisk::log::call_debug;
use crate::asterisk::text::cause_text;
use crate::call::ending::End;
use crate::call::link::Happening;
use crate::net::connection::Closed;
use crate::protocol::dialect::shown;
use crate::protocol::event::{AddedEvent, Event, MediaStop, whole_ms};
use crate::protocol::topic::Topic;
use crate::report::call_stats::EndedBy;

impl Call {
    /// The event as text, if the application has subscribed to it. The connection is about to be closed as `closed`
    /// says; the call may have had earlier reasons for that. On the connection's reactor.
    pub(super) fn media_stop(&self, closed: &Closed) -> Option<String> {
        if !self.playout.session().wants(Topic::MediaStop) {
            return None;
        }
        if closed.is_loss() && self.link.reconnect().is_some() && self.link.end().is_none() {
            // The call goes on.
            return None;
        }
        let by_connection = End::of(&Happening::<()>::Over { connection: 0, closed: closed.clone() }, true);
        let end = self.link.end().or(by_connection.as_ref())?;
        let by = self.link.ending().unwrap_or(&end.ending).by;
        let cause = end.hangup.map_or_else(|| self.told.core_cause(), |hangup| hangup.cause.number());
        let event = Event::Added(Box::new(AddedEvent::MediaStop(self.stopped(by, cause))));
        let text = self.written(&event).into_iter().next()?;
        call_debug!(self, 2, "sending {}", shown(&text));
        self.show_about_peer(|peer| format!("event to {peer}: {}", shown(&text)));
        Some(text)
    }

    fn stopped(&self, by: EndedBy, cause: u32) -> MediaStop {
        let report = self.report();
        let connected = self.stats.connected_at().map(|at| at.elapsed()).unwrap_or_default();
        MediaStop {
            ended_by: by.as_str(),
            cause,
            cause_txt: cause_text(cause),
            duration_ms: whole_ms(connected),
            played_ms: whole_ms(report.stats.media_played),
            queued_ms: whole_ms(report.queued),
            dropped_ms: whole_ms(report.stats.media_dropped),
            frames_in: report.stats.frames_in,
            frames_out: report.frames_out(),
            underruns: report.stats.underruns,
            longest_stall_ms: whole_ms(report.stats.longest_lateness),
        }
    }
}
