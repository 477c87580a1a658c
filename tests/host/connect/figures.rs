//! How long misbehaving servers delay everything else, with either module. With HOST_TABLE set the figures are printed.

use std::env;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::{Context, Suite, wait};
use super::bystander;
use super::peer::{Peer, read_request, trickle, write};
use super::{Hole, LOCALHOST, ONCE, allow_failure, caller, client, instance, pki};

pub fn tests(suite: &mut Suite) {
    for (name, scheme, behave) in SERVERS {
        suite
            .differs(format!("connect/figures/{name}"), "1", move |t| {
                let peer = Peer::listen(move |stream| {
                    behave(stream);
                    thread::sleep(PATIENCE);
                    let _ = stream.shutdown(std::net::Shutdown::Both);
                });
                let uri = format!("{scheme}://{}/media", peer.address);
                measure(t, name, &uri, &[]);
            })
            .private_from(instance);
    }
    suite
        .differs("connect/figures/slow_name_server", "1", |t| {
            measure(t, "slow_name_server", "ws://3000.slow.test:80/media", &[]);
        })
        .private_from(instance);
    suite
        .differs("connect/figures/no_answer_to_syn", "1", |t| {
            let hole = Hole::at((LOCALHOST, 0)).expect("127.0.0.1");
            let uri = format!("ws://{}/media", hole.address);
            measure(t, "no_answer_to_syn", &uri, &[("connection_timeout", "3000")]);
        })
        .private_from(instance);
}

/// After this time the servers disconnect: the C module would wait for as long as they do not.
const PATIENCE: Duration = Duration::from_secs(3);

type Behave = fn(&mut TcpStream);

/// Name, scheme, and behaviour.
const SERVERS: [(&str, &str, Behave); 5] = [
    ("accepts_and_never_reads", "ws", |_| {}),
    ("half_a_header", "ws", |s| {
        read_request(s);
        write(s, "HTTP/1.1 101 Switching Pro");
    }),
    ("byte_by_byte", "ws", |s| {
        let answer = read_request(s);
        trickle(s, answer.as_bytes(), Duration::from_millis(20));
    }),
    ("accepts_and_speaks_no_tls", "wss", |_| {}),
    ("half_a_server_hello", "wss", |s| write(s, [0x16, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3, 1, 2, 3])),
];

/// A party dials such a server and hangs up after a while. Measures how long ARI then takes to return a variable of the
/// channel that is being connected, how long the hangup takes, and what else is delayed.
fn measure(t: &Context, name: &str, uri: &str, options: &[(&str, &str)]) {
    allow_failure(t);
    let ca = pki::FILES.path("root.crt");
    let tls = if uri.starts_with("wss") { "yes" } else { "no" };
    let mut all = vec![("uri", uri), ONCE, ("tls_enabled", tls), ("ca_list_file", &*ca)];
    all.extend_from_slice(options);
    let client = client(t, &all);
    let ((held, asked), others) = bystander::during(t, || {
        let caller = caller(t, &client, "30");
        let channel = format!("WebSocket/{client}/");
        let created = t.ari().wait("ChannelCreated", |event| {
            event["channel"]["name"].as_str().is_some_and(|name| name.starts_with(&channel))
        });
        let id = created["channel"]["id"].as_str().expect("id");
        thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        t.ari().variable(id, "MEDIA_WEBSOCKET_CONNECTION_ID");
        let asked = start.elapsed();
        let start = Instant::now();
        caller.hangup();
        wait::until("the channel is gone", || {
            let channels = t.asterisk.try_cli("core show channels concise").unwrap_or_default();
            !channels.contains(&channel)
        });
        (start.elapsed(), asked)
    });
    if env::var_os("HOST_TABLE").is_some() {
        let (held, asked) = (held.as_millis(), asked.as_millis());
        println!(
            "{name:<28} {:<8} variable {asked} ms, hangup {held} ms, others: {others}",
            t.module().name()
        );
    }
    if t.is_ours() {
        assert!(held < PATIENCE / 2, "the hangup took {held:?}");
        assert!(asked < PATIENCE / 2, "the channel was locked for {asked:?}");
        others.expect_undisturbed();
    } else {
        assert!(held + asked > PATIENCE / 2, "the C module was held up for {:?} only", held + asked);
    }
}
