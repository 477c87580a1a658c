//! A call survives its connection: `reconnect` of a client's section, and `incoming_reconnect`.

mod claims;
mod ends;
mod goes_on;
mod losses;
mod many;
mod network;
mod playback;
mod proxies;
mod rolling;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use super::connect::{pki, tls};
use super::harness::call::Call;
use super::harness::server::{AppServer, Head};
use super::harness::{App, Context, InstanceConfig, Item, Reply, Suite, wait};
use super::protocol::rtp;

const WHY: &str = "with the C module a call ends with its connection";

pub fn tests(suite: &mut Suite) {
    claims::tests(suite);
    ends::tests(suite);
    goes_on::tests(suite);
    losses::tests(suite);
    many::tests(suite);
    network::tests(suite);
    playback::tests(suite);
    proxies::tests(suite);
    rolling::tests(suite);
    state::tests(suite);
}

/// Longer than anything that a test does without a connection, and longer than a test waits for anything.
const WINDOW: &str = "120000";

/// An instance with a phone and AMI, whose INCOMING channels wait for [`WINDOW`].
fn instance() -> InstanceConfig {
    waiting(WINDOW)
}

/// Like [`instance`], with another time.
fn waiting(window: &str) -> InstanceConfig {
    let global = format!("[global]\nincoming_reconnect = {window}\n");
    rtp::instance().ami().our_file("chan_websocket.conf", &global)
}

/// Which side connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Incoming,
    Outgoing,
}

impl Role {
    const BOTH: [Self; 2] = [Self::Incoming, Self::Outgoing];

    const fn name(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }
}

/// A call, and the means to connect its application.
struct Line<'t> {
    t: &'t Context,
    call: Call<'t>,
    tls: bool,
    server: Option<Server>,
}

/// An application's server that can be told to refuse.
struct Server {
    app: AppServer,
    /// The status of its answers; 101: it accepts.
    status: Arc<AtomicU16>,
}

impl Server {
    /// Adds a websocket_client whose calls wait for this many ms.
    fn new(t: &Context, tls: bool, window: &str) -> Self {
        Self::listen(t, tls, window, |_| None)
    }

    /// A server with its own reply to some requests, whatever the status.
    fn with_reply(t: &Context, own: impl Fn(&Head) -> Option<Reply> + Send + 'static) -> Self {
        Self::listen(t, false, WINDOW, own)
    }

    fn listen(
        t: &Context,
        tls: bool,
        window: &str,
        own: impl Fn(&Head) -> Option<Reply> + Send + 'static,
    ) -> Self {
        let status = Arc::new(AtomicU16::new(101));
        let answers = Arc::clone(&status);
        let reply = move |head: &Head, _| {
            own(head).unwrap_or_else(|| match answers.load(Ordering::SeqCst) {
                101 => Reply::Accept,
                // As a server that hangs.
                0 => Reply::Silence,
                status => Reply::Refuse(status),
            })
        };
        let ca = pki::FILES.path("root.crt");
        let uri = tls::uri("address").replace("app.test", "127.0.0.1");
        let over_tls = [("uri", &*uri), ("ca_list_file", &*ca), INTERVAL];
        let app = t.server_with(if tls { &over_tls } else { &[INTERVAL] }, reply);
        t.asterisk.add_connection(&app.client, &[("reconnect", window)]);
        Self { app, status }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

/// The least time between two attempts; the most is twice that.
const INTERVAL: (&str, &str) = ("reconnect_interval", "200");

impl<'t> Line<'t> {
    /// A call that is up, in the test's Stasis application.
    #[track_caller]
    fn up(t: &'t Context, role: Role, tls: bool, options: &str) -> (Self, App) {
        let server = (role == Role::Outgoing).then(|| Server::new(t, tls, WINDOW));
        Self::with(t, server, tls, options)
    }

    #[track_caller]
    fn with(t: &'t Context, server: Option<Server>, tls: bool, options: &str) -> (Self, App) {
        allow_loss(t);
        let name = server.as_ref().map_or("INCOMING", |server| &server.app.client);
        let call = t.call(&format!("WebSocket/{name}/{options}")).originate();
        let line = Self { t, call, tls, server };
        let app = line.connect();
        app.expect_media_start();
        line.call.wait_up();
        line.call.wait_stasis();
        (line, app)
    }

    /// The application's next connection.
    #[track_caller]
    fn connect(&self) -> App {
        match &self.server {
            Some(server) => {
                server.answer(101);
                server.app.accept()
            }
            None if self.tls => self.t.connect_tls(&self.call.connection_id()),
            None => self.t.connect(&self.call.connection_id()),
        }
    }

    /// From now on there is no application, until [`Self::connect`].
    fn go_away(&self) {
        if let Some(server) = &self.server {
            server.answer(503);
        }
    }

    fn figure(&self, name: &str) -> String {
        self.call.variable(&format!("CHANNEL(websocket,{name})")).unwrap_or_default()
    }

    #[track_caller]
    fn wait_figure(&self, name: &str, value: &str) {
        wait::until(&format!("{name} is {value}"), || self.figure(name) == value);
    }

    /// Ends the connection, and waits until the module has noticed.
    #[track_caller]
    fn lose(&self, app: App) {
        self.go_away();
        app.reset();
        self.wait_figure("state", "lost");
    }
}

/// The warning about the loss is expected.
fn allow_loss(t: &Context) {
    t.allow_log("the WebSocket connection is gone");
}

/// Takes MEDIA_START of a connection that follows another.
#[track_caller]
fn expect_reconnected(app: &App) -> Duration {
    let start = app.expect_media_start();
    assert_eq!(start.get("reconnected"), "true", "{start:?}");
    let keys = start.keys();
    assert_eq!(keys[keys.len() - 2..], ["reconnected", "lost_ms"], "{start:?}");
    Duration::from_millis(start.get("lost_ms").parse().expect("a whole number"))
}

/// The application's command ends the call in an orderly way.
#[track_caller]
fn hang_up(line: &Line<'_>, app: &App) {
    app.command("HANGUP");
    assert!(app.rest().contains(&Item::Close(1000)), "{:?}", app.received());
    assert_eq!(line.call.ending().cause, 16);
}
