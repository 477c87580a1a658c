//! `[global]` once it is read: what each option means for calls, and its default.

use std::time::Duration;

use super::connection::ConnectionSettings;
use super::liveness::{Pings, TcpKeepalives};
use super::media_options::{MediaOptions, QueueOverflow};
use crate::protocol::dialect::ControlMessageFormat;
use crate::report::notification::NotificationClasses;

/// `[global]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How control messages are written unless the dial string says otherwise.
    pub control_message_format: ControlMessageFormat,
    /// How long an app may read nothing at all before its call ends.
    pub write_timeout: Duration,
    /// The limit of one outgoing attempt: name look-up, proxy, TLS and upgrade together.
    pub handshake_timeout: Duration,
    /// How long to wait for the app's close frame after ours.
    pub close_timeout: Duration,
    /// Bytes of one message from the app, its fragments together.
    pub max_message_size: usize,
    /// Bytes of one text message from the app.
    pub max_command_size: usize,
    /// Frames at which messages are dropped.
    pub queue_max: usize,
    /// Frames at which MEDIA_XOFF is sent; more than `queue_xon`, at most `queue_max`.
    pub queue_xoff: usize,
    /// Frames under which MEDIA_XON is sent; at least 1.
    pub queue_xon: usize,
    /// What happens to a message that finds the queue full; `None`: the default of the call's dialect.
    pub queue_overflow: Option<QueueOverflow>,
    /// With [`QueueOverflow::Wait`], the bytes that may wait on one call before its socket is not read; at most
    /// `queue_bytes_total`.
    pub queue_bytes: usize,
    /// The same limit for all such calls together.
    pub queue_bytes_total: usize,
    /// Live media that may wait before the oldest of it is dropped; `None`: any.
    pub max_latency: Option<Duration>,
    /// Media kept for an app that reads slowly.
    pub out_queue: Duration,
    /// The time after which an INCOMING channel without an app is hung up; `None`: never.
    pub incoming_timeout: Option<Duration>,
    /// How long an INCOMING call outlives its connection; `None`: not at all.
    pub incoming_reconnect: Option<Duration>,
    /// No client may connect, because the rules are not known: at load, the file or a rule in it could not be read.
    pub incoming_closed: bool,
    /// The rules on who may connect, in the order of the file, which matters. The host makes an Asterisk ACL of them,
    /// and must refuse everybody if it cannot.
    pub incoming_acl: Vec<AclRule>,
    /// Refuse apps that use plain ws.
    pub incoming_require_tls: bool,
    /// Allowed Origin headers; empty: any.
    pub incoming_origins: Vec<String>,
    /// Pings on incoming connections; `None`: none.
    pub pings: Option<Pings>,
    /// TCP keepalives on incoming connections; `None`: none of ours.
    pub tcp_keepalives: Option<TcpKeepalives>,
    /// Whether an app that is on hold hears music.
    pub music_on_hold: bool,
    /// Whether silence goes to the core while there is nothing to play.
    pub silence_fill: bool,
    /// Whether an app may send events to ARI and AMI.
    pub app_events: bool,
    /// How many of these events per second.
    pub app_events_per_second: u32,
    /// The contexts that an app may transfer calls to, each once, in the order of the file.
    pub transfer_contexts: Vec<String>,
    /// Events for AMI.
    pub manager_events: NotificationClasses,
    /// Events for ARI, and for AMI as UserEvent.
    pub user_events: NotificationClasses,
    /// Reactor threads; 0: by the number of cores. Taken at load only.
    pub reactor_threads: usize,
    /// Whether a reactor with much to do reads all sockets at once every few milliseconds. Taken at load only.
    pub coalesce_reads: bool,
    /// Whether bridges may be direct. For bridges that are made or change after a reload.
    pub direct_bridge: bool,
    /// Whether to load in an Asterisk that [`version::check`](crate::settings::asterisk_version::check) refuses. At
    /// load the host reads this option before all others.
    pub allow_untested_version: bool,
}

impl Settings {
    /// The settings of a call: its dial string takes precedence over its client's section, and that over `self`.
    pub fn for_call(&self, connection: Option<&ConnectionSettings>, dialled: MediaOptions) -> Self {
        let mut settings = self.clone();
        if let Some(own) = connection {
            own.media.apply_to(&mut settings);
            settings.queue_bytes = own.queue_bytes.unwrap_or(settings.queue_bytes);
            settings.app_events = own.app_events.unwrap_or(self.app_events);
            settings.app_events_per_second = own.app_events_per_second.unwrap_or(self.app_events_per_second);
            settings.transfer_contexts =
                own.transfer_contexts.clone().unwrap_or_else(|| self.transfer_contexts.clone());
        }
        dialled.apply_to(&mut settings);
        settings
    }

    /// The defaults, with the checks on who may connect of `self`.
    pub(super) fn access_checks_only(self) -> Self {
        Self {
            incoming_acl: self.incoming_acl,
            incoming_require_tls: self.incoming_require_tls,
            incoming_origins: self.incoming_origins,
            ..Self::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            control_message_format: ControlMessageFormat::default(),
            write_timeout: Duration::from_millis(30_000),
            handshake_timeout: Duration::from_millis(10_000),
            close_timeout: Duration::from_millis(2000),
            max_message_size: 1_048_576,
            max_command_size: 65_536,
            queue_max: 1000,
            queue_xoff: 900,
            queue_xon: 800,
            queue_overflow: None,
            queue_bytes: 16 << 20,
            queue_bytes_total: 1 << 30,
            max_latency: None,
            out_queue: Duration::from_millis(2000),
            incoming_timeout: None,
            incoming_reconnect: None,
            incoming_closed: false,
            incoming_acl: Vec::new(),
            incoming_require_tls: false,
            incoming_origins: Vec::new(),
            pings: None,
            tcp_keepalives: None,
            // Off, because a bot would transcribe the music.
            music_on_hold: false,
            silence_fill: false,
            app_events: false,
            app_events_per_second: 20,
            transfer_contexts: Vec::new(),
            // Clients of AMI ignore events that they do not know; every version of Asterisk has new ones.
            manager_events: NotificationClasses::ALL,
            user_events: NotificationClasses::NONE,
            reactor_threads: 0,
            coalesce_reads: true,
            direct_bridge: false,
            allow_untested_version: false,
        }
    }
}

/// One line of `incoming_acl`, `incoming_permit` or `incoming_deny`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclRule {
    /// Which of the three options.
    pub sense: AclSense,
    /// In Asterisk's ACL syntax, which only the host can check; not empty.
    pub value: String,
}

/// What an [`AclRule`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclSense {
    /// Names of ACLs of acl.conf.
    Acl,
    /// Addresses that may connect.
    Permit,
    /// Addresses that may not.
    Deny,
}

impl AclSense {
    /// The word that `ast_append_acl` (asterisk/acl.h) knows it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acl => "acl",
            Self::Permit => "permit",
            Self::Deny => "deny",
        }
    }
}
