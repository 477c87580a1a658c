//! Applications that stall, flood or vanish on established connections, in both roles, over ws and wss: how their own
//! calls end, and that nothing else is affected.

mod asleep;
mod causes;
mod flooding;
mod ids;
mod key_update;
mod network;
mod relay;
mod stalling;
pub mod usage;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;
use std::time::{Duration, Instant};

use super::connect::bystander::{self, Figures};
use super::harness::app::Item;
use super::harness::call::Call;
use super::harness::http::Request;
use super::harness::stream::Stream;
use super::harness::suite::Test;
use super::harness::{App, Context, Frame, Suite};
use relay::{Caller, Relay};
use usage::Usage;

pub fn tests(suite: &mut Suite) {
    asleep::tests(suite);
    causes::tests(suite);
    flooding::tests(suite);
    ids::tests(suite);
    key_update::tests(suite);
    network::tests(suite);
    stalling::tests(suite);
}

/// The duration of the long form: `make hostile`.
fn long() -> Option<Duration> {
    env::var("HOSTILE_SECONDS").ok()?.parse().ok().map(Duration::from_secs)
}

/// Adds a test of our module. With HOST_BESIDE it also runs on the C module, on a private instance, and the notes of
/// both are shown side by side.
fn beside(
    suite: &mut Suite,
    name: impl Into<String>,
    body: impl Fn(&Context) + Send + Sync + 'static,
) -> &mut Test {
    suite.beside(name, move |t| watched(t, &body)).may_ruin_oracle()
}

/// Runs a body. In the long form, and on the C module, it also notes the effect on everything else.
fn watched(t: &Context, body: &dyn Fn(&Context)) {
    if t.is_ours() && long().is_none() {
        return body(t);
    }
    let before = Usage::of(t);
    let (result, others) = bystander::during(t, || catch_unwind(AssertUnwindSafe(|| body(t))));
    t.note(format!("others: {others}"));
    match Usage::try_of(t) {
        Some(now) => t.note(format!("{}, {} lines logged", now.since(&before), lines(t))),
        None => t.note("Asterisk is gone"),
    }
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

/// Lines of the log since the test began.
fn lines(t: &Context) -> usize {
    t.asterisk.log.since(t.log_mark).lines().count()
}

/// Notes something for the table in docs/robustness.md, and prints it if HOST_TABLE is set.
fn figures(t: &Context, line: impl std::fmt::Display) {
    if env::var_os("HOST_TABLE").is_some() {
        println!("[{}] {line}", t.module().name());
    }
    t.note(line.to_string());
}

/// How a call has ended after some seconds. Kills Asterisk if it does not answer.
fn outcome(t: &Context, call: &Call<'_>) -> String {
    outcomes(t, [call])
}

/// How several calls have ended.
fn outcomes<'c>(t: &Context, calls: impl IntoIterator<Item = &'c Call<'c>>) -> String {
    let (texts, answered): (Vec<_>, Vec<_>) = calls.into_iter().map(|call| ask(t, call)).unzip();
    if answered.contains(&false) {
        // A request that waits for this Asterisk would wait long.
        t.asterisk.signal("KILL");
    }
    texts.join("; ")
}

/// The state of a call, and whether Asterisk answered.
fn ask(t: &Context, call: &Call<'_>) -> (String, bool) {
    let start = Instant::now();
    let over = |event: &serde_json::Value| event["channel"]["id"] == *call.id;
    if let Some(event) = t.ari().find("ChannelDestroyed", Duration::from_secs(5), over) {
        let number = |key: &str| event[key].as_i64().unwrap_or(0);
        let (cause, tech_cause) = (number("cause"), number("tech_cause"));
        let after = start.elapsed().as_millis();
        return (format!("the call has ended with {cause}, {tech_cause} ({after} ms)"), true);
    }
    let asked = Instant::now();
    let path = format!("channels/{}/variable", call.id);
    let answer =
        t.ari().try_request("GET", &path, &[("variable", "CHANNEL(state)")], &serde_json::Value::Null);
    let after = asked.elapsed();
    match answer {
        Ok(_) => (format!("the call is up, ARI answers about it after {} ms", after.as_millis()), true),
        Err(_) => (format!("ARI does not answer about the call within {} s", after.as_secs()), false),
    }
}

/// Makes the C module fill the buffers of both kernels with its answers, at ten thousand commands a second. The buffers
/// towards it have room for all of them.
fn overfill(app: &App) {
    let batch = app.encode(&Frame::text("GET_STATUS")).repeat(100);
    for _ in 0..600 {
        if app.try_send_raw(&batch).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// How the application and Asterisk are connected.
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
    // The order matters: the call is hung up first, and the relay ends last.
    call: Call<'t>,
    app: App,
    relay: Relay,
}

/// Makes such a call; the application has received MEDIA_START.
fn wired<'t>(t: &'t Context, way: Way, options: &str) -> Wired<'t> {
    wired_with(t, way, options, |_| {})
}

/// Like [`wired`], but first prepares the relay before anything is sent.
fn wired_with<'t>(t: &'t Context, way: Way, options: &str, prepare: impl FnOnce(&Relay)) -> Wired<'t> {
    // Asterisk's HTTPS server logs this when an application disconnects without a TLS close_notify.
    t.allow_log("SSL_shutdown");
    let (call, app, relay) = match way {
        Way { outgoing: false, tls } => {
            let call = t.incoming(options);
            let target = if tls { t.asterisk.https } else { t.asterisk.http };
            let relay = Relay::to(target, Caller::App, tls);
            prepare(&relay);
            let stream = if tls { Stream::tls(relay.address) } else { Stream::tcp(relay.address) };
            let request = t.upgrade(&call.connection_id());
            let response = request.send(stream.expect("relay")).expect("an answer to the upgrade");
            (call, t.app(response), relay)
        }
        Way { tls: false, .. } => {
            let server = t.server(&[]);
            let relay = Relay::to(server.address, Caller::Asterisk, false);
            prepare(&relay);
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
            prepare(&relay);
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
        &[
            ("uri", uri),
            ("protocols", "media"),
            // The C module needs this option for wss://.
            ("tls_enabled", if uri.starts_with("wss:") { "yes" } else { "no" }),
            ("verify_server_cert", "no"),
            ("connection_timeout", "2000"),
        ],
    );
    client
}

/// The other party of a call in a bridge. It talks all the time, and the application may listen.
struct Partner<'t> {
    _call: Call<'t>,
    app: App,
}

impl<'t> Partner<'t> {
    fn of(t: &'t Context, call: &Call<'_>, options: &str) -> Self {
        let (partner, app) = t.bridged_to(call, options);
        Self { _call: partner, app }
    }

    /// Both talk for this time. Returns the longest time between two frames that the partner heard.
    fn talk(&self, wired: &Wired<'_>, frame_bytes: usize, time: Duration) -> Duration {
        let start = Instant::now();
        let mut number = 0;
        while start.elapsed() < time {
            number += 1;
            // The relay may have been cut on purpose.
            let _ = wired.app.try_send_media(&vec![0x55; frame_bytes]);
            self.app.send_media(&vec![0x2a; frame_bytes]);
            let next = start + Duration::from_millis(20) * number;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        gap(&self.app, start, Instant::now())
    }
}

/// The longest time without a media message between two points in time, including both.
fn gap(app: &App, start: Instant, end: Instant) -> Duration {
    let received = app.received();
    let media = received.iter().filter(|received| matches!(received.item, Item::Media(_)));
    let inner = media.map(|received| received.at).filter(|at| (start..end).contains(at));
    let times: Vec<Instant> = [start].into_iter().chain(inner).chain([end]).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

/// Tries up to three times, because other processes may need the machine.
fn undisturbed(t: &Context, name: &str, mut look: impl FnMut() -> Figures) {
    for left in (0..3).rev() {
        let others = look();
        figures(t, format!("{name}: {others}"));
        if !t.is_ours() {
            return;
        }
        if left == 0 {
            others.expect_undisturbed();
        } else if std::panic::catch_unwind(|| others.expect_undisturbed()).is_ok() {
            return;
        }
    }
}
