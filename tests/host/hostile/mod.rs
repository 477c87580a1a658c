//! Applications that stall, flood or vanish on established connections, in both roles, over ws and wss: what becomes of
//! their own calls, and that nobody else notices.

mod asleep;
mod flooding;
mod ids;
mod network;
mod relay;
mod stalling;
mod usage;

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use super::connect::bystander::Figures;
use super::harness::app::Item;
use super::harness::call::Call;
use super::harness::http::Request;
use super::harness::stream::Stream;
use super::harness::{App, Context, Suite};
use relay::{Caller, Relay};

pub fn tests(suite: &mut Suite) {
    asleep::tests(suite);
    flooding::tests(suite);
    ids::tests(suite);
    network::tests(suite);
    stalling::tests(suite);
}

const NOT_ON_C: &str = "the C module is held up by such an application (1, 3, 9, 14, 21)";

/// How long the long form lasts: `make hostile`.
fn long() -> Option<Duration> {
    env::var("HOSTILE_SECONDS").ok()?.parse().ok().map(Duration::from_secs)
}

/// Prints a line for the table in SECURITY.md, if HOST_TABLE is set.
fn figures(line: impl std::fmt::Display) {
    if env::var_os("HOST_TABLE").is_some() {
        println!("{line}");
    }
}

/// How application and Asterisk are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    outgoing: bool,
    tls: bool,
}

impl Way {
    const ALL: [Self; 4] = [
        Self { outgoing: false, tls: false },
        Self { outgoing: false, tls: true },
        Self { outgoing: true, tls: false },
        Self { outgoing: true, tls: true },
    ];

    fn name(self) -> &'static str {
        match (self.outgoing, self.tls) {
            (false, false) => "incoming_ws",
            (false, true) => "incoming_wss",
            (true, false) => "outgoing_ws",
            (true, true) => "outgoing_wss",
        }
    }
}

/// A call whose application is connected through a relay.
struct Wired<'t> {
    // In this order: the call is hung up first, the wire ends last.
    call: Call<'t>,
    app: App,
    relay: Relay,
}

/// Makes such a call; the application has its MEDIA_START.
fn wired<'t>(t: &'t Context, way: Way, options: &str) -> Wired<'t> {
    // Asterisk's HTTPS server says so of an application that is gone without a TLS goodbye.
    t.allow_log("SSL_shutdown");
    let (call, app, relay) = match way {
        Way { outgoing: false, tls } => {
            let call = t.incoming(options);
            let target = if tls { t.asterisk.https } else { t.asterisk.http };
            let relay = Relay::to(target, Caller::App, tls);
            let stream = if tls { Stream::tls(relay.address) } else { Stream::tcp(relay.address) };
            let request = t.upgrade(&call.connection_id());
            let response = request.send(stream.expect("relay")).expect("an answer to the upgrade");
            (call, t.app(response), relay)
        }
        Way { tls: false, .. } => {
            let server = t.server(&[]);
            let relay = Relay::to(server.address, Caller::Asterisk, false);
            let call = dial(t, &format!("ws://{}/media", relay.address), options);
            let app = server.accept();
            (call, app, relay)
        }
        Way { tls: true, .. } => {
            let folder = t.asterisk.inside("etc");
            let (stream, port) =
                Stream::tls_listener(&format!("{folder}/server.crt"), &format!("{folder}/server.key"))
                    .expect("openssl s_server");
            let relay = Relay::to((std::net::Ipv4Addr::LOCALHOST, port).into(), Caller::Asterisk, true);
            let call = dial(t, &format!("wss://{}/media", relay.address), options);
            let app = t.accept(Request::read(stream).expect("a request"));
            (call, app, relay)
        }
    };
    app.expect_media_start();
    call.wait_up();
    Wired { call, app, relay }
}

/// Calls the application at this URI.
fn dial<'t>(t: &'t Context, uri: &str, options: &str) -> Call<'t> {
    let client = client(t, uri);
    t.call(&format!("WebSocket/{client}/{options}")).originate()
}

/// A websocket_client for this URI.
fn client(t: &Context, uri: &str) -> String {
    let client = t.unique("client");
    t.asterisk.add_client(
        &client,
        &[("uri", uri), ("protocols", "media"), ("verify_server_cert", "no"), ("connection_timeout", "2000")],
    );
    client
}

/// The other party of a call in a bridge. It talks all the time and is heard as far as the application listens.
struct Partner<'t> {
    _call: Call<'t>,
    app: App,
}

impl<'t> Partner<'t> {
    fn of(t: &'t Context, call: &Call<'_>, options: &str) -> Self {
        let (partner, app) = t.incoming_app(options);
        partner.wait_up();
        t.ari().bridge(&[&call.id, &partner.id]);
        Self { _call: partner, app }
    }

    /// Both talk for so long. Returns the longest time between two frames that the partner heard.
    fn talk(&self, wired: &Wired<'_>, frame_bytes: usize, time: Duration) -> Duration {
        let start = Instant::now();
        let mut number = 0;
        while start.elapsed() < time {
            number += 1;
            // The wire may be spoiled on purpose.
            let _ = wired.app.try_send_media(&vec![0x55; frame_bytes]);
            self.app.send_media(&vec![0x2a; frame_bytes]);
            let next = start + Duration::from_millis(20) * number;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        gap(&self.app, start, Instant::now())
    }
}

/// The longest time without a media message between two points in time, these included.
fn gap(app: &App, start: Instant, end: Instant) -> Duration {
    let received = app.received();
    let media = received.iter().filter(|received| matches!(received.item, Item::Media(_)));
    let inner = media.map(|received| received.at).filter(|at| (start..end).contains(at));
    let times: Vec<Instant> = [start].into_iter().chain(inner).chain([end]).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

/// Looks up to three times, for others may need the machine.
fn undisturbed(name: &str, mut look: impl FnMut() -> Figures) {
    for left in (0..3).rev() {
        let others = look();
        figures(format!("{name}: {others}"));
        if left == 0 {
            others.expect_undisturbed();
        } else if std::panic::catch_unwind(|| others.expect_undisturbed()).is_ok() {
            return;
        }
    }
}
