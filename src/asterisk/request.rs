//! Requests for a channel: dial string in, channel out.

use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::channel::{ChannelSetup, NewChannel};
use super::driver::{self, Driver};
use super::extras::Extras;
use super::format::Format;
use super::held::Held;
use super::log::call_debug;
use super::text::owned_string;
use super::{fault, silence, sys, tech, text, websocket_clients};
use crate::call::data::NewCall;
use crate::call::role::CallRole;
use crate::net::clock::Clock;
use crate::net::coalescing;
use crate::playout::media_format::MediaFormat;
use crate::playout::overflow::{Overflow, WaitLimits};
use crate::playout::sample_counter;
use crate::playout::session::{ConnectionLimits, MediaMode, QueueLimits, Session, SessionConfig};
use crate::playout::silence::SilenceFrame;
use crate::protocol::dialect::{CallFacts, ControlMessageFormat};
use crate::settings::config::{Config, ConnectionSettings, QueueOverflow, Settings};
use crate::settings::dial_string::{self, DialString};

/// What the core asks for.
pub(crate) struct Request {
    /// The dial string after `WebSocket/`.
    pub(crate) data: String,
    /// Who requests the channel, for log lines.
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
    let driver = driver::current()?;
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
    let config = driver.config();
    let dialect = dialect_of(who, &dial, &config)?;
    let (format, media_format) = choose_format(who, &dial, dialect, request.offered.as_ref())?;
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
    if let Some(why) = config.refused.get(&dial.connection_id).filter(|_| !dial.is_incoming()) {
        log::error!("{who}: WebSocket client connection '{}' cannot be called: {why}", dial.connection_id);
        return None;
    }
    let call = new_call(who, driver.clone(), &config, &dial, dialect, format, media_format)?;
    create_channel(request, &dial, call)
}

/// The section of the client that is dialled, if it has one.
fn section<'a>(dial: &DialString, config: &'a Config) -> Option<&'a ConnectionSettings> {
    config.connections.get(&dial.connection_id).filter(|_| !dial.is_incoming())
}

/// The dialect of the call: from the dial string, else from its client's section, else from `[global]`. `None`: the
/// dial string asks for what that dialect cannot do, and the log says so.
fn dialect_of(who: &str, dial: &DialString, config: &Config) -> Option<ControlMessageFormat> {
    let own = section(dial, config).and_then(|own| own.control_message_format);
    let dialect = dial.options.format.or(own).unwrap_or(config.settings.control_message_format);
    match dial.check(dialect) {
        Ok(()) => Some(dialect),
        Err(error) => {
            log::error!("{who}: {error}");
            None
        }
    }
}

fn choose_format(
    who: &str,
    dial: &DialString,
    dialect: ControlMessageFormat,
    offered: Option<&Format>,
) -> Option<(Format, MediaFormat)> {
    let codecs = dialect.profile().codecs;
    let format = match dial.options.codec.as_deref().or(codecs.first().copied()) {
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
        Ok(media_format) if !codecs.is_empty() && !codecs.contains(&media_format.name.as_str()) => {
            log::error!(
                "{who}: format '{}' in c() is not possible with f({}) in WebSocket/{}. Must be {}",
                media_format.name,
                dialect.as_str(),
                dial.connection_id,
                codecs.join(", ")
            );
            None
        }
        Ok(media_format) => Some((format, media_format)),
        Err(error) => {
            log::error!("{who}: WebSocket/{}: {error}", dial.connection_id);
            None
        }
    }
}

/// Why there is no format, and what to do about it. The core removes from a request what is not a format (`none`)
/// before the driver sees it.
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
    config: &Config,
    dial: &DialString,
    dialect: ControlMessageFormat,
    format: Format,
    media_format: MediaFormat,
) -> Option<Arc<Call>> {
    let connection = section(dial, config);
    let (role, connection_id) = if dial.is_incoming() {
        (CallRole::Incoming, text::new_uuid())
    } else {
        (CallRole::Outgoing, dial.connection_id.clone())
    };
    let reconnect = match role {
        CallRole::Incoming => config.settings.incoming_reconnect,
        CallRole::Outgoing => connection.and_then(|own| own.reconnect),
    };
    let mut settings = config.settings.for_call(connection, dial.options.media);
    settings.queue_overflow.get_or_insert(usual_overflow(dialect));
    // So that the call is shown with it.
    settings.control_message_format = dialect;
    let settings = Arc::new(settings);
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
    let session_config = SessionConfig {
        silence,
        ..session_config(dial, dialect, &settings, &media_format, overflow, driver.shortest_digit)
    };
    let session = Session::new(session_config, samples);
    let counts_messages = !is_known && session.mode() != MediaMode::Framed;
    let new = NewCall {
        role,
        connection_id,
        dialect: dialect.dialect(&facts_of(dial, dialect, connection, &media_format)),
        uri_params: dial.options.uri_params.clone().filter(|_| !dialect.profile().carries_parameters),
        auto_answer: !dial.options.no_auto_answer,
        media_format,
        session,
        settings,
        clock,
        reconnect,
        debug: driver.debug.clone(),
    };
    Some(Call::new(new, driver, format, counts_messages))
}

/// What `silence_fill` fills the call's gaps with. `None`: there is no silence for the format, and the log says so.
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

/// The facts for the call's dialect. A dialect that tells its application no parameters of the call needs none.
fn facts_of(
    dial: &DialString,
    dialect: ControlMessageFormat,
    connection: Option<&ConnectionSettings>,
    media_format: &MediaFormat,
) -> CallFacts {
    if !dialect.profile().carries_parameters {
        return CallFacts::default();
    }
    let mut random = [0; 32];
    if let Err(error) = getrandom::fill(&mut random) {
        log::error!("no randomness from the kernel for a call's ids: {error}");
    }
    CallFacts {
        format: media_format.name.clone(),
        sample_rate: media_format.sample_rate,
        direction: dial.options.direction,
        parameters: dial.options.parameters(),
        account: connection.and_then(|own| own.twilio_account_sid.clone()),
        system_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        random,
    }
}

/// What a full queue does if nothing is configured.
fn usual_overflow(dialect: ControlMessageFormat) -> QueueOverflow {
    if dialect.profile().waits { QueueOverflow::Wait } else { QueueOverflow::Drop }
}

fn overflow(driver: &Driver, settings: &Settings) -> Overflow {
    match settings.queue_overflow {
        None | Some(QueueOverflow::Drop) => Overflow::Drop,
        Some(QueueOverflow::Wait) => Overflow::Wait(WaitLimits {
            queue_bytes: settings.queue_bytes,
            queue_bytes_total: settings.queue_bytes_total,
            total: driver.queued_bytes.clone(),
        }),
    }
}

fn session_config(
    dial: &DialString,
    dialect: ControlMessageFormat,
    settings: &Settings,
    format: &MediaFormat,
    overflow: Overflow,
    shortest_digit: Duration,
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
        control_message_format: dialect,
        joins_media: dialect.profile().joins_media,
        topics: dialect.profile().topics,
        limits: QueueLimits { max: settings.queue_max, xoff: settings.queue_xoff, xon: settings.queue_xon },
        overflow,
        silence: None,
        shortest_digit,
        max_latency: settings.max_latency,
        clock_grid: coalescing::CLOCK_GRID,
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
        tech: tech::table(Extras::default()),
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
    let held = Held::new();
    fault::point("create");
    let given = tech::give_call(setup.locked(), call.clone(), held);
    call.driver.enter(&call);
    fault::point("created");
    call_debug!(&call, 1, "made for {}: {}", request.requestor_name, call.role.as_str());
    given.keep();
    Some(setup.finish())
}
