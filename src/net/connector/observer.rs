//! What a job reports to an observer: an operator who checks a client.

use std::net::SocketAddr;
use std::time::SystemTime;

use super::connect_error::{Failure, Phase};
use super::opening::{Opening, Plan};
use crate::net::upgrade::authority;

/// A step that a job has completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectStep {
    /// The settings were read and give a valid request, and what TLS needs is loaded.
    Settings {
        /// `ws` or `wss`, and `host:port` of the app's server.
        server: String,
        /// `host:port` of the proxy, if there is one.
        proxy: Option<String>,
    },
    /// The token was read from its file.
    Token,
    /// The name was looked up, or the host is an address.
    Addresses(Vec<SocketAddr>),
    /// An address failed; the next one is tried.
    AddressFailed {
        /// What failed, by [`Failure::step`].
        step: &'static str,
        /// In words for an operator.
        why: String,
    },
    /// The TCP connection to this address is established.
    Tcp(SocketAddr),
    /// The proxy has made a tunnel.
    Proxy,
    /// TLS is established.
    Tls {
        /// Version and cipher.
        session: String,
        /// When the server's certificate expires.
        valid_until: Option<SystemTime>,
        /// The certificate was verified and is trusted.
        trusted: bool,
        /// The name that the certificate was verified to be for.
        name: Option<String>,
    },
}

/// Takes the steps of one job, on the connector's thread: must not block.
pub type OnStep = Box<dyn FnMut(ConnectStep) + Send>;

/// The observer of a job; usually there is none.
#[derive(Default)]
pub(super) struct Observer(Option<OnStep>);

impl Observer {
    pub(super) fn new(on_step: Option<OnStep>) -> Self {
        Self(on_step)
    }

    /// Whether there is an observer.
    pub(super) fn is_watched(&self) -> bool {
        self.0.is_some()
    }

    /// Calls the observer; costs nothing without one.
    pub(super) fn tell(&mut self, step: impl FnOnce() -> ConnectStep) {
        if let Some(on_step) = &mut self.0 {
            on_step(step());
        }
    }

    pub(super) fn settings(&mut self, plan: &Plan) {
        self.tell(|| {
            let client = &plan.destination.client;
            let scheme = if plan.destination.target.tls { "wss" } else { "ws" };
            ConnectStep::Settings {
                server: format!("{scheme}://{}", plan.server()),
                proxy: client.proxy.as_ref().map(|proxy| authority(&proxy.host, proxy.port)),
            }
        });
    }

    pub(super) fn address_failed(&mut self, failure: &Failure) {
        self.tell(|| ConnectStep::AddressFailed { step: failure.step(), why: failure.to_string() });
    }

    /// `passed` is done, and `link` is what comes next.
    pub(super) fn passed(&mut self, passed: Option<Phase>, link: &Opening, plan: &Plan, addr: SocketAddr) {
        self.tell(|| match passed {
            None => ConnectStep::Tcp(addr),
            Some(Phase::Proxy) => ConnectStep::Proxy,
            Some(Phase::Tls | Phase::Upgrade) => tls(link, plan),
        });
    }
}

fn tls(link: &Opening, plan: &Plan) -> ConnectStep {
    let client = &plan.destination.client;
    let (trusted, named) = (client.verify_server_cert, client.verify_server_hostname);
    let transport = match link {
        Opening::Upgrade(upgrade) => Some(&upgrade.transport),
        _ => None,
    };
    ConnectStep::Tls {
        session: transport.and_then(|transport| transport.tls_description()).unwrap_or_default(),
        valid_until: transport.and_then(|transport| transport.certificate_expiry()),
        trusted,
        name: (trusted && named).then(|| plan.destination.target.host.clone()),
    }
}

impl Failure {
    /// The step that failed, by its name for people.
    pub fn step(&self) -> &'static str {
        match self {
            Self::Settings(_) | Self::SettingsTimeout(_) | Self::TlsSetup(_) | Self::Request(_) => "settings",
            Self::Token(_) | Self::TokenTimeout(_) => "token",
            Self::Lookup { .. } | Self::LookupTimeout { .. } => "look-up",
            Self::Tcp { .. } | Self::TcpTimeout { .. } => "TCP",
            Self::Proxy { .. } => "proxy",
            Self::Tls { .. } => "TLS",
            Self::Upgrade { .. } => "upgrade",
            Self::Lost { phase, .. } | Self::HandshakeTimeout { phase, .. } => match phase {
                Phase::Proxy => "proxy",
                Phase::Tls => "TLS",
                Phase::Upgrade => "upgrade",
            },
            Self::Internal(_) | Self::Stopped => "module",
        }
    }
}
