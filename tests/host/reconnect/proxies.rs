//! A proxy between Asterisk and the application is killed and started again: each call continues.

use std::net::{Ipv4Addr, SocketAddr};

use super::super::connect::daemon::{Daemon, haproxy, nginx};
use super::super::connect::pki;
use super::super::harness::call::Call;
use super::super::harness::stream::Stream;
use super::super::harness::{App, Context, Item, Suite, wait};
use super::super::media::noise;
use super::super::protocol::rtp::Phone;
use super::{INTERVAL, Role, Server, WHY, WINDOW, expect_reconnected, instance};

/// Starts a proxy in front of a server. Returns its port for TLS.
type Start = fn(SocketAddr) -> (Daemon, u16);

pub fn tests(suite: &mut Suite) {
    let proxies: [(&str, Start); 2] = [
        ("nginx", |server| {
            let folder = pki::FILES.path("");
            let (daemon, ports) = nginx(1, |ports| {
                format!(
                    "server {{\nlisten 127.0.0.1:{} ssl;\nssl_certificate {folder}address.crt;\n\
                     ssl_certificate_key {folder}key.pem;\nlocation / {{ proxy_pass http://{server}; }}\n}}\n",
                    ports[0]
                )
            });
            (daemon, ports[0])
        }),
        ("haproxy", |server| haproxy(&format!("    server app {server}\n"))),
    ];
    for (name, start) in proxies {
        for role in Role::BOTH {
            suite
                .ours(format!("reconnect/proxy_restarts/{name}/{}", role.name()), WHY, move |t| {
                    restarts(t, role, start);
                })
                .private_with(instance());
        }
    }
}

/// The calls besides the one that a phone is bridged to.
const OTHERS: usize = 9;

/// Calls that go through the proxy.
struct Proxied<'t> {
    t: &'t Context,
    server: Option<Server>,
    daemon: Daemon,
    port: u16,
    dial: String,
}

impl<'t> Proxied<'t> {
    fn begin(t: &'t Context, role: Role, start: Start) -> Self {
        let server = (role == Role::Outgoing).then(|| Server::new(t, false, WINDOW));
        let (daemon, port) = start(server.as_ref().map_or(t.asterisk.http, |server| server.app.address));
        let client = match server {
            None => "INCOMING".to_owned(),
            Some(_) => {
                let (client, ca) = (t.unique("proxied"), pki::FILES.path("root.crt"));
                let uri = format!("wss://127.0.0.1:{port}/media");
                let options = [("uri", &*uri), ("protocols", "media"), ("ca_list_file", &ca), INTERVAL];
                t.asterisk.add_client(&client, &options);
                t.asterisk.add_connection(&client, &[("reconnect", WINDOW)]);
                client
            }
        };
        Self { t, server, daemon, port, dial: format!("WebSocket/{client}/c(ulaw)f(json)") }
    }

    /// The connections of all of these calls, in any order.
    fn connect<'c>(&self, calls: impl Iterator<Item = &'c Call<'t>>) -> Vec<App>
    where
        't: 'c,
    {
        let proxy = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let connect = |call: &Call<'_>| match &self.server {
            Some(server) => server.app.accept(),
            None => {
                let stream = Stream::tls(proxy).expect("the proxy");
                self.t.app(self.t.upgrade(&call.connection_id()).send(stream).expect("an answer"))
            }
        };
        calls.map(connect).collect()
    }
}

/// The index of the application with this call, by its MEDIA_START.
fn of(apps: &[App], call: &Call<'_>) -> usize {
    let is_its = |app: &App| {
        let first = app.received().into_iter().find_map(|received| match received.item {
            Item::Event(event) => Some(event.get("channel_id")),
            _ => None,
        });
        first.is_some_and(|id| id == call.id)
    };
    apps.iter().position(is_its).expect("the call's application")
}

/// The phone hears the queued media to its end, and then the media that comes through the new proxy.
fn restarts(t: &Context, role: Role, start: Start) {
    super::allow_loss(t);
    let mut proxied = Proxied::begin(t, role, start);
    let phone = Phone::new(t);
    let line = t.call(&proxied.dial).originate();
    let others = (0..OTHERS).map(|_| t.call(&proxied.dial).extension("echo").originate());
    let calls: Vec<Call<'_>> = [line].into_iter().chain(others).collect();
    let apps = proxied.connect(calls.iter());
    apps.iter().for_each(|app| drop(app.expect_media_start()));
    calls.iter().for_each(Call::wait_up);
    let line = &calls[0];
    line.wait_stasis();
    t.ari().bridge(&[&phone.call.id, &line.id]);

    let sentence = noise(160 * 100);
    let app = &apps[of(&apps, line)];
    app.command("START_MEDIA_BUFFERING");
    app.send_media(&sentence);
    phone.collect_media(&sentence[..160 * 10]);
    proxied.daemon.kill();
    let lost = || t.asterisk.cli("websocket show channels").matches(" lost ").count();
    wait::until("all are lost", || lost() == calls.len());
    phone.collect_media(&sentence[160 * 10..]);
    proxied.daemon.start_again();
    let apps = proxied.connect(calls.iter());
    for app in &apps {
        expect_reconnected(app);
    }
    let answer = noise(160 * 150).split_off(160 * 100);
    apps[of(&apps, line)].send_media(&answer);
    phone.collect_media(&answer);
    for app in &apps {
        app.command("HANGUP");
        assert!(app.rest().contains(&Item::Close(1000)), "{:?}", app.received());
    }
    for call in &calls {
        assert_eq!(call.ending().cause, 16);
    }
}
