//! What docs/scaling.md promises: applications behind nginx are replaced one after the other, and no call ends.

use std::time::Duration;

use super::super::connect::daemon::{Daemon, nginx};
use super::super::connect::pki;
use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, Suite};
use super::{INTERVAL, Server, WHY, WINDOW, expect_reconnected, instance};

pub fn tests(suite: &mut Suite) {
    suite.ours("reconnect/rolling", WHY, rolling).private_with(instance());
}

const CALLS: usize = 50;

/// nginx with TLS before the two, which passes on what one of them refuses. Its URI.
fn balancer(one: &AppServer, other: &AppServer) -> (Daemon, String) {
    let (one, other, folder) = (one.address, other.address, pki::FILES.path(""));
    let (daemon, ports) = nginx(1, |ports| {
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

/// Those that are connected to a server.
fn accept(server: &Server, count: usize) -> Vec<App> {
    (0..count).map(|_| server.app.accept()).collect()
}

/// Fifty calls, half of them on a server that is drained, closes with 1012, and is replaced.
fn rolling(t: &Context) {
    super::allow_loss(t);
    let (one, other) = (Server::new(t, false, WINDOW), Server::new(t, false, WINDOW));
    let (_daemon, uri) = balancer(&one.app, &other.app);
    let (client, ca) = (t.unique("rolling"), pki::FILES.path("root.crt"));
    t.asterisk.add_client(&client, &[("uri", &uri), ("protocols", "media"), ("ca_list_file", &ca), INTERVAL]);
    t.asterisk.add_connection(&client, &[("reconnect", WINDOW)]);
    let dial = format!("WebSocket/{client}/c(ulaw)f(json)");
    let calls: Vec<Call<'_>> = (0..CALLS).map(|_| t.call(&dial).extension("echo").originate()).collect();
    let (old, kept) = (accept(&one, CALLS / 2), accept(&other, CALLS / 2));
    for app in old.iter().chain(&kept) {
        app.expect_media_start();
    }
    calls.iter().for_each(Call::wait_up);

    one.answer(503);
    for app in old {
        app.close(1012);
        app.rest();
    }
    let moved = accept(&other, CALLS / 2);
    let longest: Option<Duration> = moved.iter().map(expect_reconnected).max();
    println!("{} calls were without a connection for up to {longest:?}", moved.len());

    one.answer(101);
    let new = t.call(&dial).originate();
    let app = one.app.accept();
    app.expect_media_start();
    new.wait_up();
    for app in kept.iter().chain(&moved) {
        app.send_media(&[0x55; 160]);
        assert_eq!(app.collect_media(160), [0x55; 160]);
    }
    assert!(calls.iter().all(|call| call.state().as_deref() == Some("Up")));
}
