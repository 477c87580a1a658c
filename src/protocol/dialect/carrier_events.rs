//! Which events a carrier's application is told of, where a clear brings the marks back that wait. The messages are each carrier's own.

use crate::protocol::event::{AddedEvent, Event, MediaStart};

/// The messages of a carrier, as text.
pub(super) trait CarrierEvents {
    /// The first one.
    const CONNECTED: &str;

    /// What the stream is.
    fn start(&self, start: &MediaStart, channel_id: &str) -> String;

    /// A digit has ended.
    fn dtmf(&self, digit: char, duration_ms: Option<u32>) -> String;

    /// All before a mark has been played, or was thrown away.
    fn mark(&self, name: &str) -> String;

    /// The last one.
    fn stop(&self) -> String;

    /// The application has done wrong. `None`: the carrier has no message for that.
    fn error(&self, _error_text: &str) -> Option<String> {
        None
    }

    /// Writes the messages of an event, in their order.
    fn write(&self, event: &Event, channel_id: &str, write: &mut dyn FnMut(String)) {
        match event {
            Event::MediaStart(start) => {
                write(Self::CONNECTED.to_owned());
                write(self.start(start, channel_id));
            }
            Event::DtmfEnd { digit, duration_ms } => write(self.dtmf(*digit, *duration_ms)),
            Event::MediaMarkProcessed { correlation_id, .. } => {
                write(self.mark(correlation_id.as_deref().unwrap_or_default()));
            }
            Event::Added(added) => match &**added {
                AddedEvent::MediaFlushed(flushed) => {
                    flushed.marks.iter().for_each(|mark| write(self.mark(mark)));
                }
                AddedEvent::MediaStop(_) => write(self.stop()),
                _ => {}
            },
            _ => {
                if let Some(text) = event.error_text().and_then(|error_text| self.error(error_text)) {
                    write(text);
                }
            }
        }
    }
}
