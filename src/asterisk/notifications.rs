//! Tells operators about a call: which events there are to be, and what stands in them. Any thread; what is found here is
//! told by the notifier's thread.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::call::Call;
use super::call_report::{CallReport, METRICS};
use super::channel::{Channel, owned_string};
use super::notifier::Message;
use super::{ami, sys};
use crate::call::ending::End;
use crate::net::clock;
use crate::net::connection::Closed;
use crate::net::outbound::Dropped;
use crate::report::call_record::Ending;
use crate::report::log_limit::LogLimit;
use crate::report::metric::{Kind, Value};
use crate::report::notification::{Fields, Notification, NotificationKind, header_name};

/// What every event begins with.
const IDENTITY: [&str; 5] = ["channel", "uniqueid", "connection_id", "role", "peer"];

/// Media that does not get through: to which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToApplication,
    FromApplication,
}

impl Way {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ToApplication => "to_application",
            Self::FromApplication => "from_application",
        }
    }
}

/// A time in which messages of the application find the queue full.
#[derive(Debug, Clone, Copy)]
struct Overflow {
    since: Instant,
    frames_dropped_before: u64,
    /// Its beginning was told, so its end is.
    told: bool,
}

/// What a call keeps for its events.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    overflow: Mutex<Option<Overflow>>,
    /// An application can stall, and fill the queue, as often as it likes.
    limit_in: LogLimit,
    limit_out: LogLimit,
    /// The stall that lasts was told.
    stall_told: AtomicBool,
    /// The cause that the core has hung up with.
    cause: AtomicU32,
    departed: Mutex<Departed>,
}

/// The channel of a call that the core has hung up, for the event that its connection has ended.
#[derive(Debug, Default)]
enum Departed {
    /// It has not been hung up.
    #[default]
    NotYet,
    /// It has, and waits for the event.
    Waiting(Channel),
    /// There has been that event.
    Past,
}

/// The core has hung the channel up, with this cause. `channel`: if there is a connection that is still to end.
pub(crate) fn hung_up(call: &Call, cause: u32, channel: Option<Channel>) {
    call.notifications.cause.store(cause, Ordering::Relaxed);
    if !call.settings.user_events.has(NotificationKind::Disconnected.class()) {
        return;
    }
    let mut departed = call.notifications.departed.lock();
    if let (Departed::NotYet, Some(channel)) = (&*departed, channel) {
        *departed = Departed::Waiting(channel);
    }
}

/// The application is connected.
pub(crate) fn connected(call: &Call) {
    tell(call, NotificationKind::Connected, call.channel(), |view| {
        pick(view, &["tls", "format", "mode", "direction", "control_messages", "connect_time"])
    });
}

/// The connection has ended. `cause`: the one that the channel will end with; `None` if it has ended before.
pub(crate) fn disconnected(call: &Call, cause: Option<u32>) {
    let departed = std::mem::replace(&mut *call.notifications.departed.lock(), Departed::Past);
    let channel = match departed {
        Departed::NotYet => call.channel(),
        Departed::Waiting(channel) => Some(channel),
        Departed::Past => return,
    };
    let cause = cause.unwrap_or_else(|| core_cause(call));
    tell(call, NotificationKind::Disconnected, channel, |view| {
        pick(view, &["ended_by", "close_code", "close_reason"]).and(cause_of(cause)).and(totals(view))
    });
}

/// The connection is lost, and the call waits so long for another.
pub(crate) fn lost(call: &Call, closed: &Closed, wait: Duration) {
    let Ending { code, reason, .. } = End::of_loss(closed).ending;
    tell(call, NotificationKind::Lost, call.channel(), |_| {
        Fields::default()
            .with("CloseCode", Value::from(code.map(u64::from)))
            .with("CloseReason", reason)
            .with("WaitMs", wait.as_millis())
    });
}

/// Another connection is there; the call was so long without one.
pub(crate) fn reconnected(call: &Call, lost: Duration) {
    tell(call, NotificationKind::Reconnected, call.channel(), |view| {
        Fields::default()
            .with("LostMs", lost.as_millis())
            .and(pick(view, &["reconnects", "tls", "frames_dropped_out"]))
    });
}

/// No connection came about, and the channel will end with `cause`.
pub(crate) fn failed(call: &Call, cause: u32) {
    tell(call, NotificationKind::Failed, call.channel(), |view| {
        pick(view, &["ended_by", "close_reason", "age"]).and(cause_of(cause))
    });
}

/// The application does not take what is sent to it.
pub(crate) fn stalled(call: &Call) {
    let told = is_admitted(call, &call.notifications.limit_out);
    call.notifications.stall_told.store(told, Ordering::Relaxed);
    if !told {
        return;
    }
    tell(call, NotificationKind::Stalled, call.channel(), |view| {
        way(Way::ToApplication).and(pick(view, &["out_queue_time", "frames_dropped_out"]))
    });
}

/// It takes it again.
pub(crate) fn resumed(call: &Call, lasted: Duration, dropped: Dropped) {
    if !call.notifications.stall_told.load(Ordering::Relaxed) {
        return call.driver.notifier.hold_back();
    }
    tell(call, NotificationKind::Resumed, call.channel(), |_| {
        over(Way::ToApplication, lasted, dropped.messages)
    });
}

/// The application's media finds the queue full. So many frames had been dropped before. On the connection's reactor.
pub(crate) fn overflowing(call: &Call, frames_dropped_before: u64) {
    let told = is_admitted(call, &call.notifications.limit_in);
    *call.notifications.overflow.lock() =
        Some(Overflow { since: Instant::now(), frames_dropped_before, told });
    if !told {
        return;
    }
    tell(call, NotificationKind::Stalled, call.channel(), |view| {
        way(Way::FromApplication).and(pick(view, &["queue_time", "frames_dropped_in"]))
    });
}

/// It finds room again.
pub(crate) fn flowing(call: &Call) {
    let overflow = call.notifications.overflow.lock().take();
    if let Some(Overflow { since, frames_dropped_before, told }) = overflow {
        if !told {
            return call.driver.notifier.hold_back();
        }
        tell(call, NotificationKind::Resumed, call.channel(), |view| {
            let dropped = view.stats.frames_dropped.saturating_sub(frames_dropped_before);
            over(Way::FromApplication, since.elapsed(), dropped)
        });
    }
}

/// Whether one more event about a stall is told. If not it is counted.
fn is_admitted(call: &Call, limit: &LogLimit) -> bool {
    let admitted = limit.admit(clock::now()).is_some();
    if !admitted {
        call.driver.notifier.hold_back();
    }
    admitted
}

fn way(way: Way) -> Fields {
    Fields::default().with("Media", way.as_str())
}

fn over(which: Way, lasted: Duration, frames_dropped: u64) -> Fields {
    way(which).with("Lasted", Value::Milliseconds(lasted)).with("FramesDropped", frames_dropped)
}

fn cause_of(cause: u32) -> Fields {
    Fields::default().with("Cause", cause).with("Cause-txt", cause_text(cause))
}

/// Asterisk's words for a hangup cause.
pub(crate) fn cause_text(cause: u32) -> String {
    let code = i32::try_from(cause).unwrap_or(0);
    // SAFETY: a static string of the core for every number.
    unsafe { owned_string(sys::ast_cause2str(code)) }
}

/// The cause that the core has hung the channel up with; 0 before that.
pub(crate) fn core_cause(call: &Call) -> u32 {
    call.notifications.cause.load(Ordering::Relaxed)
}

/// The metrics of these names, in this order.
fn pick(view: &CallReport<'_>, names: &[&str]) -> Fields {
    let mut fields = Fields::default();
    for name in names {
        fields.push(&header_name(name), view.value(name).unwrap_or(Value::Absent));
    }
    fields
}

/// Everything that is counted or measured.
fn totals(view: &CallReport<'_>) -> Fields {
    let mut fields = Fields::default();
    for metric in METRICS.iter().filter(|metric| metric.kind != Kind::Info) {
        fields.push(&header_name(metric.name), (metric.get)(view));
    }
    fields
}

fn tell(
    call: &Call,
    kind: NotificationKind,
    channel: Option<Channel>,
    more: impl FnOnce(&CallReport<'_>) -> Fields,
) {
    let manager = call.settings.manager_events.has(kind.class()) && ami::is_enabled();
    let user = call.settings.user_events.has(kind.class());
    if !manager && !user {
        return;
    }
    let view = call.report();
    let notification = Notification { kind, fields: pick(&view, &IDENTITY).and(more(&view)) };
    let notifier = &call.driver.notifier;
    if user && let Some(channel) = channel {
        notifier.post(Message::User { channel, notification: Box::new(notification.clone()) });
    }
    if manager {
        notifier.post(Message::Manager { notification: Box::new(notification) });
    }
}

/// Publishes an event as a user event of the channel (asterisk/stasis.h). `None` if the channel is locked by somebody:
/// try again. On the notifier's thread.
pub(crate) fn publish_user_event(channel: &Channel, notification: &Notification) -> Option<()> {
    let guard = channel.try_lock()?;
    let Ok(text) = CString::new(notification.fields.user_event(notification.kind.name())) else {
        return Some(());
    };
    // SAFETY: a C string in; the object is ours until it is given back below.
    let blob = unsafe { sys::ast_json_load_string(text.as_ptr(), std::ptr::null_mut()) };
    if blob.is_null() {
        return Some(());
    }
    // SAFETY: the channel is alive and locked; the message takes references of its own.
    unsafe {
        sys::ast_multi_object_blob_single_channel_publish(
            guard.locked().as_ptr(),
            sys::ast_multi_user_event_type(),
            blob,
        );
        sys::ast_json_unref(blob);
    }
    Some(())
}
