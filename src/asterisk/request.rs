//! A channel is asked for: dial string in, channel out.

use std::sync::Arc;

use super::call::{Call, CallRole, NewCall};
use super::channel::{ChannelSetup, NewChannel, owned_string};
use super::driver::Driver;
use super::format::Format;
use super::log::call_debug;
use super::{fault, module, silence, sys, tech, websocket_clients};
use crate::net::clock::Clock;
use crate::net::coalescing;
use crate::playout::media_format::MediaFormat;
use crate::playout::overflow::{Overflow, WaitLimits};
use crate::playout::sample_counter;
use crate::playout::session::{ConnectionLimits, MediaMode, QueueLimits, Session, SessionConfig};
use crate::playout::silence::SilenceFrame;
use crate::settings::config::{QueueOverflow, Settings};
use crate::settings::dial_string::{self, DialString};

/// What the core asks for.
pub(crate) struct Request {
    /// The dial string behind `WebSocket/`.
    pub(crate) data: String,
    /// On whose behalf, for log lines.
    pub(crate) requestor_name: String,
    /// The first format of the requested capabilities.
    pub(crate) offered: Option<Format>,
    pub(crate) assigned_ids: *const sys::ast_assigned_ids,
    pub(crate) requestor: *const sys::ast_channel,
}

/// The name that a failed request is logged under: the requesting channel, else the assigned unique id.
///
/// # Safety
/// Both pointers are NULL or live for this call.
pub(crate) unsafe fn requestor_name(
    requestor: *const sys::ast_channel,
    ids: *const sys::ast_assigned_ids,
) -> String {
    // SAFETY: the caller's promise.
    let name = unsafe {
        match (requestor.is_null(), ids.as_ref()) {
            (false, _) => owned_string(sys::ast_channel_name(requestor)),
            (true, Some(ids)) => owned_string(ids.uniqueid),
            (true, None) => String::new(),
        }
    };
    if name.is_empty() { "<unknown>".to_owned() } else { name }
}

/// Makes the channel, unlocked, for the core. `None`: the request failed, the log says why, nothing is left behind.
pub(crate) fn request(request: &Request) -> Option<*mut sys::ast_channel> {
    fault::point("requester");
    let driver = Driver::current()?;
    let channel = make_channel(request, &driver);
    if channel.is_none() {
        driver.count_failed_request();
    }
    channel
}

fn make_channel(request: &Request, driver: &Arc<Driver>) -> Option<*mut sys::ast_channel> {
    let who = &request.requestor_name;
    let dial = match dial_string::parse(&request.data) {
        Ok(dial) => dial,
        Err(error) => {
            log::error!("{who}: {error}");
            return None;
        }
    };
    for warning in &dial.warnings {
        log::warn!("{who}: {warning}");
    }
    let (format, media_format) = choose_format(who, &dial, request.offered.as_ref())?;
    if !dial.is_incoming() && !websocket_clients::exists(&dial.connection_id) {
        // res_websocket_client tells nobody but the log what it has refused.
        log::error!(
            "{who}: WebSocket client connection '{}' not found in websocket_client.conf as it was loaded. If it stands \
             there, it was refused when it was loaded: it needs 'type = websocket_client', and each of its options \
             has to be right. Asterisk's log names the wrong one, at its start or at the last \
             'module reload res_websocket_client.so'",
            dial.connection_id
        );
        return None;
    }
    if let Some(why) = driver.config().refused.get(&dial.connection_id).filter(|_| !dial.is_incoming()) {
        log::error!("{who}: WebSocket client connection '{}' cannot be called: {why}", dial.connection_id);
        return None;
    }
    let call = new_call(who, driver.clone(), &dial, format, media_format)?;
    create_channel(request, &dial, call)
}

fn choose_format(who: &str, dial: &DialString, offered: Option<&Format>) -> Option<(Format, MediaFormat)> {
    let format = match &dial.options.codec {
        Some(name) => Format::by_name(name),
        None => offered.cloned(),
    };
    let Some(format) = format else {
        log::warn!(
            "{who}: No codec found for sending media to connection '{}': {}",
            dial.connection_id,
            without_format(dial.options.codec.as_deref())
        );
        return None;
    };
    // DIVERGES: the C module divides by zero on a format that is not audio.
    match MediaFormat::new(&format.facts()) {
        Ok(media_format) => Some((format, media_format)),
        Err(error) => {
            log::error!("{who}: WebSocket/{}: {error}", dial.connection_id);
            None
        }
    }
}

/// Why there is no format, and what to do about it. The core takes what is no format (`none`) out of a request before
/// the driver sees it.
fn without_format(codec: Option<&str>) -> String {
    let allowed = "'core show codecs' lists the formats that there are";
    match codec {
        Some(name) => format!("format '{name}' in c({name}) is unknown here; {allowed}"),
        None => format!(
            "no format was asked for (the format 'none' is none), neither by the caller nor by c(<format>); {allowed}"
        ),
    }
}

fn new_call(
    who: &str,
    driver: Arc<Driver>,
    dial: &DialString,
    format: Format,
    media_format: MediaFormat,
) -> Option<Arc<Call>> {
    let config = driver.config();
    let (role, connection_id, connection) = if dial.is_incoming() {
        (CallRole::Incoming, module::new_uuid(), None)
    } else {
        (CallRole::Outgoing, dial.connection_id.clone(), config.connections.get(&dial.connection_id))
    };
    let reconnect = match role {
        CallRole::Incoming => config.settings.incoming_reconnect,
        CallRole::Outgoing => connection.and_then(|own| own.reconnect),
    };
    let settings = Arc::new(config.settings.for_call(connection, dial.options.media));
    let silence = match settings.silence_fill {
        true => Some(silence_of(who, dial, &format, &media_format)?),
        false => None,
    };
    let clock = match Clock::new() {
        Ok(clock) => clock,
        Err(error) => {
            log::error!("{who}: cannot make a clock for WebSocket/{}: {error}", dial.connection_id);
            return None;
        }
    };
    let known = sample_counter::by_codec(&media_format);
    let is_known = known.is_some();
    let samples = known.unwrap_or_else(|| sample_counter::by_frame_size(&media_format));
    let overflow = overflow(&driver, &settings);
    let session_config =
        SessionConfig { silence, ..session_config(dial, &settings, &media_format, overflow) };
    let session = Session::new(session_config, samples);
    Some(Call::new(NewCall {
        driver,
        role,
        connection_id,
        uri_params: dial.options.uri_params.clone(),
        auto_answer: !dial.options.no_auto_answer,
        format,
        media_format,
        counts_messages: !is_known && session.mode() != MediaMode::Framed,
        session,
        settings,
        clock,
        reconnect,
    }))
}

/// What `silence_fill` fills the call's gaps with. `None`: there is none, and the log says so.
fn silence_of(
    who: &str,
    dial: &DialString,
    format: &Format,
    media_format: &MediaFormat,
) -> Option<SilenceFrame> {
    let silence = silence::frame_of(format, media_format);
    if silence.is_none() {
        log::error!(
            "{who}: silence_fill = yes is not possible for WebSocket/{} with format '{}': this Asterisk cannot translate \
             to it, and so does not know what its silence is. Allowed are the formats that 'core show translation paths \
             slin' leads to, or silence_fill = no",
            dial.connection_id,
            media_format.name
        );
    }
    silence
}

fn overflow(driver: &Driver, settings: &Settings) -> Overflow {
    match settings.queue_overflow {
        QueueOverflow::Drop => Overflow::Drop,
        QueueOverflow::Wait => Overflow::Wait(WaitLimits {
            queue_bytes: settings.queue_bytes,
            queue_bytes_total: settings.queue_bytes_total,
            total: driver.queued_bytes.clone(),
        }),
    }
}

fn session_config(
    dial: &DialString,
    settings: &Settings,
    format: &MediaFormat,
    overflow: Overflow,
) -> SessionConfig {
    let mode = if dial.options.passthrough {
        MediaMode::Passthrough
    } else if dial.options.unbuffered {
        // Also for a codec that cannot be cut: an app that paces itself is not held back.
        MediaMode::Unbuffered
    } else if format.passthrough_forced {
        MediaMode::Passthrough
    } else {
        MediaMode::Framed
    };
    SessionConfig {
        format: format.clone(),
        mode,
        direction: dial.options.direction,
        control_message_format: dial.options.format.unwrap_or(settings.control_message_format),
        limits: QueueLimits { max: settings.queue_max, xoff: settings.queue_xoff, xon: settings.queue_xon },
        overflow,
        silence: None,
        max_latency: settings.max_latency,
        clock_grid: coalescing::TICK,
        connection_limits: ConnectionLimits {
            max_message_size: settings.max_message_size,
            max_command_size: settings.max_command_size,
            out_queue: settings.out_queue,
        },
    }
}

fn create_channel(request: &Request, dial: &DialString, call: Arc<Call>) -> Option<*mut sys::ast_channel> {
    // Channel names must be unique; connection ids of clients are not.
    let name = format!("WebSocket/{}/{:#010x}", dial.connection_id, call.number);
    let new = NewChannel {
        name: &name,
        assigned_ids: request.assigned_ids,
        requestor: request.requestor,
        tech: tech::Extras::default().table(),
    };
    // SAFETY: the core's own pointers from the requester's arguments, and our static table.
    let Some(setup) = (unsafe { ChannelSetup::new(&new) }) else {
        log::error!("{}: Unable to allocate channel {name}", request.requestor_name);
        return None;
    };
    if !call.attach(setup.reference(), setup.locked()) {
        log::error!("{}: Unable to set up channel {name}: out of memory", request.requestor_name);
        return None;
    }
    let held = module::Held::new();
    fault::point("create");
    let given = tech::give_call(setup.locked(), call.clone(), held);
    call.driver.enter(&call);
    call.driver.jobs.watch_incoming(&call);
    fault::point("created");
    call_debug!(&call, 1, "made for {}: {}", request.requestor_name, call.role.as_str());
    given.keep();
    Some(setup.finish())
}
