//! Text messages of the app: what each command does, and when it is refused.

use super::{Action, MediaMode, Session, send_error};
use crate::mono_time::MonoTime;
use crate::playout::framing::Cut;
use crate::playout::pacing::Pace;
use crate::protocol::command::{Command, CommandError, MediaDirection, RequestError};
use crate::protocol::event::Event;

impl Session {
    /// Takes a text message from the app, as [`command::parse`] understood it. Called on the reactor thread, which
    /// parses without the session's lock: a large command must not hold up the channel's thread.
    ///
    /// Every error is answered with an ERROR event; none is ignored.
    ///
    /// [`command::parse`]: crate::protocol::command::parse
    pub fn on_command(
        &mut self,
        command: Result<Command, CommandError>,
        now: MonoTime,
        actions: &mut Vec<Action>,
    ) {
        self.notice_stall(now);
        self.stats.commands += 1;
        let command = match command {
            Ok(command) => command,
            Err(CommandError::Request(error)) => return self.refuse_request(actions, error),
            Err(error) => return self.refuse(actions, error.to_string()),
        };
        self.stats.last_command = Some(command.name());
        if let Some(error_text) = self.refusal(&command) {
            return self.refuse(actions, error_text);
        }
        self.obey(command, now, actions);
        self.settle(now, actions);
        self.set_clock(now);
    }

    fn obey(&mut self, command: Command, now: MonoTime, actions: &mut Vec<Action>) {
        match command {
            Command::Answer => {
                self.answering();
                actions.push(Action::Answer);
            }
            Command::Hangup => actions.push(Action::Hangup),
            Command::GetStatus => actions.push(Action::Send(Event::Status(self.status_told()))),
            Command::StartMediaBuffering => self.start_media_buffering(actions),
            Command::StopMediaBuffering { correlation_id } => {
                self.stop_media_buffering(correlation_id, now, actions);
            }
            Command::MarkMedia { correlation_id } => {
                self.settle_bulk(now, actions);
                self.mark(Event::MediaMarkProcessed { correlation_id, played_ms: None }, now, actions);
            }
            Command::Subscribe(request) => self.subscribe(*request, actions),
            Command::SendDtmf(request) => self.send_dtmf(*request, now, actions),
            Command::SendText(request) => actions.push(Action::SendText(request)),
            Command::SendEvent(request) => actions.push(Action::SendEvent(request)),
            Command::Transfer(request) => actions.push(Action::Transfer(request)),
            Command::FlushMedia(flush) => self.flush_media(flush, now, actions),
            Command::PauseMedia => self.paused = true,
            Command::ContinueMedia => self.paused = false,
            Command::ReportQueueDrained => self.report_queue_drained = true,
            Command::SetMediaDirection(Ok(direction)) => self.direction = direction,
            Command::SetMediaDirection(Err(error)) => self.refuse(actions, error.to_string()),
        }
    }

    /// Why `command` is not allowed now; passthrough is looked at first, as in the C module.
    fn refusal(&self, command: &Command) -> Option<String> {
        use Command::{
            Answer, ContinueMedia, FlushMedia, GetStatus, Hangup, MarkMedia, PauseMedia, ReportQueueDrained,
            SendDtmf, SendEvent, SendText, SetMediaDirection, StartMediaBuffering, StopMediaBuffering,
            Subscribe, Transfer,
        };
        let (in_passthrough, in_direction_in) = match command {
            Answer | Hangup | GetStatus | Subscribe(_) | SendDtmf(_) | SendText(_) | SendEvent(_)
            | Transfer(_) => (true, true),
            // DIVERGES: the C module refuses the commands of the next two arms in passthrough mode; its newer versions
            // refuse all of them but MARK_MEDIA.
            StartMediaBuffering
            | StopMediaBuffering { .. }
            | PauseMedia
            | ContinueMedia
            | MarkMedia { .. } => (true, false),
            FlushMedia(_) | ReportQueueDrained => (true, true),
            SetMediaDirection(_) => (false, true),
        };
        let name = command.name();
        if self.mode == MediaMode::Passthrough && !in_passthrough {
            Some(format!("{name} not supported in passthrough mode"))
        } else if self.direction == MediaDirection::In && !in_direction_in {
            Some(format!("{name} not supported while media direction is 'in'"))
        } else {
            None
        }
    }

    fn refuse(&mut self, actions: &mut Vec<Action>, error_text: String) {
        self.stats.commands_refused += 1;
        send_error(actions, error_text);
    }

    /// Refuses an added command, with an ERROR that names the command. The caller also uses it, if it finds an error
    /// when it carries out the command's action.
    pub fn refuse_request(&mut self, actions: &mut Vec<Action>, error: Box<RequestError>) {
        self.stats.commands_refused += 1;
        actions.push(Action::Send(Event::RequestRefused(error)));
    }

    fn start_media_buffering(&mut self, actions: &mut Vec<Action>) {
        // DIVERGES: the C module (22.10) accepts a second START without an ERROR; its newer versions send one.
        if self.buffering {
            send_error(actions, "START_MEDIA_BUFFERING while media is being buffered already".to_owned());
        }
        self.buffering = true;
    }

    fn stop_media_buffering(
        &mut self,
        correlation_id: Option<String>,
        now: MonoTime,
        actions: &mut Vec<Action>,
    ) {
        // DIVERGES: the C module (22.10) sends no ERROR for a STOP without START; its newer versions do. The app waits
        // for the event in any case, so it gets it.
        if !self.buffering {
            send_error(actions, "STOP_MEDIA_BUFFERING without START_MEDIA_BUFFERING".to_owned());
        }
        self.buffering = false;
        self.settle_bulk(now, actions);
        let last = self.reframer.as_mut().and_then(|reframer| reframer.finish(self.format.silence));
        if let Some(last) = last {
            self.push_media(last, Cut::Whole, Pace::Bulk, now, actions);
        }
        let completed = Event::MediaBufferingCompleted { correlation_id, played_ms: None };
        self.push_mark("STOP_MEDIA_BUFFERING", completed, actions);
    }

    pub(super) fn push_mark(&mut self, command: &str, event: Event, actions: &mut Vec<Action>) {
        if let Err(error) = self.queue.push_mark(event) {
            send_error(actions, format!("{command} refused: {error}"));
        }
    }
}
