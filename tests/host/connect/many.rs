//! Five hundred calls dialled in about a second: everything else continues, and each call ends at its own deadline.

use std::collections::HashSet;
use std::env;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::harness::asterisk::Resources;
use super::super::harness::{Context, InstanceConfig, Suite, ports, wait};
use super::bystander::{self, Figures};
use super::peer::{Peer, read_request, write};
use super::{LOCALHOST, ONCE, allow_failure, client, dial_string, pki, tls};

pub fn tests(suite: &mut Suite) {
    const BLOCKS: &str = "the C module has a thread for each, with its channel locked (1)";
    suite.ours("connect/many", BLOCKS, many).private_from(instance);
}

/// The kinds run one after the other: each is enough load for a machine with two cores.
fn many(t: &Context) {
    // The core logs this when ARI has five hundred events to process at once.
    t.allow_log("queue reached 500 scheduled tasks");
    let before = t.asterisk.settled();
    for (name, dial) in KINDS {
        let others = dial(t);
        report(&format!("{name}: {others}"));
        others.expect_undisturbed();
    }
    // Anything that each connection left behind would be there two thousand times.
    let left = t.asterisk.settled();
    let count = |now: &Resources| format!("{} files and {} threads", now.files.len(), now.threads.len());
    report(&format!("{} before, {} after", count(&before), count(&left)));
    assert!(left.files.len() < before.files.len() + 50, "{:#?}", left.files);
    assert!(left.threads.len() < before.threads.len() + 50, "{:#?}", left.threads);
}

type Kind = fn(&Context) -> Figures;

const KINDS: [(&str, Kind); 4] = [
    ("never answered", never_answered),
    ("refused", refused),
    ("accepted slowly", accepted_slowly),
    ("accepted with TLS", encrypted),
];

const CALLS: usize = 500;

fn instance() -> InstanceConfig {
    InstanceConfig::new().our_file("chan_websocket.conf", "[global]\nhandshake_timeout = 3000\n")
}

/// Makes the calls and returns their ids.
fn dial_all(t: &Context, client: &str) -> HashSet<String> {
    const THREADS: usize = 4;
    let dial = dial_string(client);
    let some = || {
        let call = || t.call(&dial).try_originate().ok()["id"].as_str().expect("id").to_owned();
        (0..CALLS / THREADS).map(|_| call()).collect::<Vec<_>>()
    };
    t.ari();
    let start = Instant::now();
    let ids = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("calls")).collect()
    });
    report(&format!("dialled in {} ms", start.elapsed().as_millis()));
    ids
}

/// Each call has failed, not before this time and not long after it, and the log has a line for each.
fn expect_all_failed(t: &Context, ids: &HashSet<String>, words: &str, after: Duration) {
    let ends = t.ari().wait_many("ChannelDestroyed", CALLS, |event| ids.contains(channel(event)));
    assert!(ends.iter().all(|event| event["cause"] == 3));
    let lifetimes: Vec<Duration> = ends.iter().map(lifetime).collect();
    let (shortest, longest) =
        (lifetimes.iter().min().expect("calls"), lifetimes.iter().max().expect("calls"));
    report(&format!("ended after {} to {} ms", shortest.as_millis(), longest.as_millis()));
    assert!(*shortest >= after, "one ended after {shortest:?}");
    assert!(*longest < after + Duration::from_secs(2), "one ended after {longest:?}");
    let channels = || -> HashSet<String> {
        let log = t.asterisk.log.since(t.log_mark);
        let lines = log.lines().filter(|line| line.contains("connection failed to") && line.contains(words));
        lines
            .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("WebSocket/")))
            .map(str::to_owned)
            .collect()
    };
    wait::until("each failure is in the log", || channels().len() >= CALLS);
}

/// The id of the channel in this event.
fn channel(event: &Value) -> &str {
    event["channel"]["id"].as_str().unwrap_or_default()
}

/// The lifetime of the channel in this event.
fn lifetime(event: &Value) -> Duration {
    let read = |time: &Value| time_of_day(time.as_str().expect("a time"));
    let (from, to) = (read(&event["channel"]["creationtime"]), read(&event["timestamp"]));
    let day = Duration::from_secs(24 * 3600);
    if to < from { to + day - from } else { to - from }
}

/// The time of day in `2026-11-23T08:03:24.739+0000`.
fn time_of_day(text: &str) -> Duration {
    let time = text.get(11..23).expect("a time");
    let number = |range: std::ops::Range<usize>| time[range].parse::<u64>().expect("digits");
    let seconds = (number(0..2) * 60 + number(3..5)) * 60 + number(6..8);
    Duration::from_millis(seconds * 1000 + number(9..12))
}

fn report(text: &str) {
    if env::var_os("HOST_TABLE").is_some() {
        println!("{CALLS} calls: {text}");
    }
}

/// A server that accepts the connection and sends nothing.
fn never_answered(t: &Context) -> Figures {
    allow_failure(t);
    let peer = Peer::listen(|_| {});
    let uri = format!("ws://{}/media", peer.address);
    let client = client(t, &[("uri", &uri), ONCE]);
    let ((), others) = bystander::during(t, || {
        let ids = dial_all(t, &client);
        expect_all_failed(t, &ids, "did not come within 3000 ms", Duration::from_millis(3000));
    });
    peer.wait_ended();
    assert_eq!(peer.visits(), CALLS);
    others
}

/// A port without a listener; three attempts.
fn refused(t: &Context) -> Figures {
    allow_failure(t);
    let uri = format!("ws://{LOCALHOST}:{}/media", ports::free());
    let client = client(t, &[("uri", &uri), ("reconnect_attempts", "3"), ("reconnect_interval", "500")]);
    let ((), others) = bystander::during(t, || {
        let ids = dial_all(t, &client);
        expect_all_failed(t, &ids, "failed 3 times, at last: TCP connection", Duration::from_millis(1000));
    });
    others
}

/// A server that needs a while for each connection: the calls wait in line, and all are connected in the end.
fn accepted_slowly(t: &Context) -> Figures {
    let peer = Peer::listen_slowly(Duration::from_millis(4), |stream| {
        let answer = read_request(stream);
        write(stream, answer);
    });
    let uri = format!("ws://{}/media", peer.address);
    let client = client(t, &[("uri", &uri), ONCE, ("connection_timeout", "5000")]);
    t.asterisk.add_connection(&client, &[("handshake_timeout", "20000")]);
    connect_all(t, &client, &peer)
}

/// As many TLS handshakes, through nginx.
fn encrypted(t: &Context) -> Figures {
    let peer = Peer::listen(|stream| {
        let answer = read_request(stream);
        write(stream, answer);
    });
    let uri =
        tls::uri("address").replace("app.test", "127.0.0.1").replace("{address}", &peer.address.to_string());
    let ca = pki::FILES.path("root.crt");
    let client = client(t, &[("uri", &uri), ("ca_list_file", &ca), ONCE, ("connection_timeout", "5000")]);
    t.asterisk.add_connection(&client, &[("handshake_timeout", "20000")]);
    connect_all(t, &client, &peer)
}

/// All calls are answered, and hung up.
fn connect_all(t: &Context, client: &str, peer: &Peer) -> Figures {
    let ((), others) = bystander::during(t, || {
        let ids = dial_all(t, client);
        t.ari().wait_many("ChannelStateChange", CALLS, |event| {
            event["channel"]["state"] == "Up" && ids.contains(channel(event))
        });
        assert_eq!(peer.visits(), CALLS);
        for id in &ids {
            t.ari().hangup(id);
        }
        peer.wait_ended();
    });
    others
}
