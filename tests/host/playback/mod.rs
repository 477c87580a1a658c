//! Playback that the application controls: subscriptions, answered flushes, positions, packet codecs, and the last
//! message of a call.

pub mod barge_in;
mod fading;
mod flood;
mod latency;
mod overflow;
mod packets;
mod stopping;
mod subscribing;

use std::env;
use std::net::Ipv4Addr;

use super::harness::call::{Call, CallBuilder};
use super::harness::event::Event;
use super::harness::http::Request;
use super::harness::stream::Stream;
use super::harness::{App, Context, Item, Suite, wait};

/// Why these tests do not run on the C module.
const OURS: &str = "the C module knows none of it";

pub fn tests(suite: &mut Suite) {
    barge_in::tests(suite);
    fading::tests(suite);
    flood::tests(suite);
    latency::tests(suite);
    overflow::tests(suite);
    packets::tests(suite);
    stopping::tests(suite);
    subscribing::tests(suite);
}

/// Which side connects, and how.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub name: &'static str,
    incoming: bool,
    tls: bool,
}

pub const WAYS: [Way; 4] = [
    Way { name: "incoming/ws", incoming: true, tls: false },
    Way { name: "incoming/wss", incoming: true, tls: true },
    Way { name: "outgoing/ws", incoming: false, tls: false },
    Way { name: "outgoing/wss", incoming: false, tls: true },
];

impl Way {
    /// A call that is up, with its application.
    #[track_caller]
    fn call<'t>(self, t: &'t Context, options: &str) -> (Call<'t>, App) {
        self.call_that(t, options, |call| call)
    }

    /// A call that plays back what it receives.
    #[track_caller]
    fn echo<'t>(self, t: &'t Context, options: &str) -> (Call<'t>, App) {
        let (call, app) = self.call_that(t, options, |call| call.extension("echo"));
        call.wait_application("Echo");
        (call, app)
    }

    #[track_caller]
    fn call_that<'t>(
        self,
        t: &'t Context,
        options: &str,
        does: fn(CallBuilder<'t>) -> CallBuilder<'t>,
    ) -> (Call<'t>, App) {
        let (call, app) = self.dial(t, options, does);
        app.expect_media_start();
        call.wait_up();
        (call, app)
    }

    /// A call with its application, before any message.
    #[track_caller]
    pub fn dial<'t>(
        self,
        t: &'t Context,
        options: &str,
        does: fn(CallBuilder<'t>) -> CallBuilder<'t>,
    ) -> (Call<'t>, App) {
        let dial = |to: &str| does(t.call(&format!("WebSocket/{to}/{options}"))).originate();
        match self {
            Self { incoming: true, tls, .. } => {
                let call = dial("INCOMING");
                let id = call.connection_id();
                let app = if tls { t.connect_tls(&id) } else { t.connect(&id) };
                (call, app)
            }
            Self { tls: false, .. } => {
                let server = t.server(&[]);
                let call = dial(&server.client);
                (call, server.accept())
            }
            Self { tls: true, .. } => dial_by_tls(t, dial),
        }
    }
}

#[track_caller]
fn dial_by_tls<'t>(t: &'t Context, dial: impl FnOnce(&str) -> Call<'t>) -> (Call<'t>, App) {
    let folder = t.asterisk.inside("etc");
    let files = (format!("{folder}/server.crt"), format!("{folder}/server.key"));
    let (stream, port) = Stream::tls_listener(&files.0, &files.1).expect("openssl s_server");
    let (client, uri) = (t.unique("client"), format!("wss://{}:{port}/media", Ipv4Addr::LOCALHOST));
    let tls = [("tls_enabled", "yes"), ("verify_server_cert", "no")];
    let all = [&[("uri", &*uri), ("protocols", "media")][..], &tls].concat();
    t.asterisk.add_client(&client, &all);
    let call = dial(&client);
    (call, t.accept(Request::read(stream).expect("a request")))
}

/// Sends a command with these further fields.
fn command(app: &App, name: &str, fields: &str) {
    let fields = if fields.is_empty() { String::new() } else { format!(",{fields}") };
    app.send_text(&format!(r#"{{"command":"{name}"{fields}}}"#));
}

/// The next event of this name; skips others.
#[track_caller]
fn next(app: &App, name: &str) -> Event {
    loop {
        match app.next_event(wait::PATIENCE) {
            Some(Item::Event(event)) if event.name == name => return event,
            Some(Item::Event(_)) => {}
            other => panic!("expected {name}, received {other:?}"),
        }
    }
}

/// A number in an event.
#[track_caller]
fn number(event: &Event, key: &str) -> u64 {
    event.value(key).as_u64().unwrap_or_else(|| panic!("no number '{key}' in {}", event.raw))
}

/// All events of this name so far.
fn received(app: &App, name: &str) -> Vec<Event> {
    let event = |item| match item {
        Item::Event(event) if event.name == name => Some(event),
        _ => None,
    };
    app.received().into_iter().filter_map(|received| event(received.item)).collect()
}

/// Prints a measurement if HOST_TABLE is set.
pub(super) fn report(text: &str) {
    if env::var_os("HOST_TABLE").is_some() {
        println!("{text}");
    }
}
