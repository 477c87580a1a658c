//! The statement of docs/scaling.md: applications behind nginx or HAProxy are replaced one after the other, and no call
//! ends.

use std::time::Duration;

use super::super::connect::daemon::{self, Daemon, haproxy};
use super::super::connect::pki;
use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, Reply, Suite, wait};
use super::{INTERVAL, Server, WHY, WINDOW, expect_reconnected, instance};

pub fn tests(suite: &mut Suite) {
    suite.ours("reconnect/rolling/nginx", WHY, nginx).private_with(instance());
    suite.ours("reconnect/rolling/haproxy", WHY, haproxy_).private_with(instance());
}

const CALLS: usize = 50;

/// nginx with TLS in front of both servers; it passes requests that one refuses to the other. Returns its URI.
fn balancer(one: &AppServer, other: &AppServer) -> (Daemon, String) {
    let (one, other, folder) = (one.address, other.address, pki::FILES.path(""));
    let (daemon, ports) = daemon::nginx(1, |ports| {
        format!(
            "upstream apps {{\nleast_conn;\nserver {one} max_fails=0;\nserver {other} max_fails=0;\n}}\n\
             server {{\nlisten 127.0.0.1:{} ssl;\nssl_certificate {folder}address.crt;\n\
             ssl_certificate_key {folder}key.pem;\n\
             location / {{ proxy_pass http://apps; proxy_next_upstream error timeout http_503; }}\n}}\n",
            ports[0]
        )
    });
    (daemon, format!("wss://127.0.0.1:{}/media", ports[0]))
}

/// Fifty calls to two servers through a balancer.
struct Calls<'t> {
    t: &'t Context,
    dial: String,
    calls: Vec<Call<'t>>,
}

impl<'t> Calls<'t> {
    /// Makes the calls. Returns them and their applications, by server.
    fn begin(t: &'t Context, uri: &str, one: &Server, other: &Server) -> (Self, Vec<App>, Vec<App>) {
        let (client, ca) = (t.unique("rolling"), pki::FILES.path("root.crt"));
        let options = [("uri", uri), ("protocols", "media"), ("ca_list_file", &ca), INTERVAL];
        t.asterisk.add_client(&client, &options);
        t.asterisk.add_connection(&client, &[("reconnect", WINDOW)]);
        let dial = format!("WebSocket/{client}/c(ulaw)f(json)");
        let calls: Vec<_> = (0..CALLS).map(|_| t.call(&dial).extension("echo").originate()).collect();
        let (old, kept) = (accept(one, CALLS / 2), accept(other, CALLS / 2));
        for app in old.iter().chain(&kept) {
            app.expect_media_start();
        }
        calls.iter().for_each(Call::wait_up);
        (Self { t, dial, calls }, old, kept)
    }

    /// The calls of a server that closes them continue on the other one. Returns their applications there.
    fn move_on(&self, old: Vec<App>, to: &Server) -> Vec<App> {
        for app in old {
            app.close(1012);
            app.rest();
        }
        let moved = accept(to, CALLS / 2);
        let longest: Option<Duration> = moved.iter().map(expect_reconnected).max();
        println!("{} calls were without a connection for up to {longest:?}", moved.len());
        moved
    }

    /// The new server gets the next call, and the existing calls carry media.
    fn go_on(&self, new: &Server, apps: &[Vec<App>; 2]) {
        let call = self.t.call(&self.dial).originate();
        let app = new.app.accept();
        app.expect_media_start();
        call.wait_up();
        for app in apps.iter().flatten() {
            app.send_media(&[0x55; 160]);
            assert_eq!(app.collect_media(160), [0x55; 160]);
        }
        assert!(self.calls.iter().all(|call| call.state().as_deref() == Some("Up")));
    }
}

/// Accepts this many connections.
fn accept(server: &Server, count: usize) -> Vec<App> {
    (0..count).map(|_| server.app.accept()).collect()
}

/// Half of the calls are on a server that is drained, closes with 1012, and returns.
fn nginx(t: &Context) {
    super::allow_loss(t);
    let (one, other) = (Server::new(t, false, WINDOW), Server::new(t, false, WINDOW));
    let (_daemon, uri) = balancer(&one.app, &other.app);
    let (calls, old, kept) = Calls::begin(t, &uri, &one, &other);
    one.answer(503);
    let moved = calls.move_on(old, &other);
    one.answer(101);
    calls.go_on(&one, &[kept, moved]);
}

/// A server that reports its health at /health.
fn healthy(t: &Context) -> Server {
    Server::with_reply(t, |head| (head.target == "/health").then(|| Reply::Raw(HEALTHY.into())))
}

const HEALTHY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// The operator drains one server in HAProxy, it closes with 1012, and another process at another address replaces it.
fn haproxy_(t: &Context) {
    super::allow_loss(t);
    let (one, other) = (healthy(t), healthy(t));
    let (daemon, port) = haproxy(&format!(
        "    balance leastconn\n    option httpchk GET /health\n    default-server check inter 200ms\n    \
         server app1 {}\n    server app2 {}\n",
        one.app.address, other.app.address
    ));
    let state = |name: &str, wanted: &str| {
        let (stat, start) = (daemon.admin("show stat"), format!("apps,{name},"));
        let line = stat.lines().find(|line| line.starts_with(&start));
        line.is_some_and(|line| line.split(',').nth(17) == Some(wanted))
    };
    let (calls, old, kept) = Calls::begin(t, &format!("wss://127.0.0.1:{port}/media"), &one, &other);
    daemon.admin("set server apps/app1 state drain");
    wait::until("the server is drained", || state("app1", "DRAIN"));
    let moved = calls.move_on(old, &other);
    assert!(one.app.try_accept(Duration::ZERO).is_none(), "a drained server gets no call");
    let new = healthy(t);
    drop(one);
    let (host, port) = (new.app.address.ip(), new.app.address.port());
    let answer = daemon.admin(&format!("set server apps/app1 addr {host} port {port}"));
    assert!(answer.contains("changed"), "{answer}");
    daemon.admin("set server apps/app1 state ready");
    wait::until("the new server is up", || state("app1", "UP"));
    calls.go_on(&new, &[kept, moved]);
}
