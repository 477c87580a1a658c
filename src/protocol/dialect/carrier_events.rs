//! Which events become messages, for carriers where a clear returns the waiting marks. Each carrier writes the messages
//! itself.

use crate::protocol::event::{AddedEvent, Event, MediaStart};

/// The messages of a carrier, as text.
pub(super) trait CarrierEvents {
    /// The first message.
    const CONNECTED: &str;

    /// The message that describes the stream.
    fn start(&self, start: &MediaStart, channel_id: &str) -> String;

    /// The message for a digit that has ended.
    fn dtmf(&self, digit: char, duration_ms: Option<u32>) -> String;

    /// The message for a mark whose preceding media has been played or discarded.
    fn mark(&self, name: &str) -> String;

    /// The last message.
    fn stop(&self) -> String;

    /// The message for an error of the application; `None` if the carrier has no such message.
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
