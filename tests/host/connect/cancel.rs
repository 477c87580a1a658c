//! The Dial() timeout and a hangup end the connecting at once, in every phase.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use super::super::harness::{App, Context, Item, Reply, Suite, wait};
use super::peer::Peer;
use super::{Hole, LOCALHOST, allow_failure, caller, client, dial_string, instance};

pub fn tests(suite: &mut Suite) {
    suite.ours("connect/cancel/race", IN_TURN, race).shares("connect", instance);
    for phase in Phase::ALL {
        suite
            .ours(format!("connect/cancel/{}/dial_timeout", phase.name()), LOCKED, move |t| {
                dial_timeout(t, phase);
            })
            .shares("connect", instance);
        suite
            .ours(format!("connect/cancel/{}/hangup", phase.name()), LOCKED, move |t| hangup(t, phase))
            .shares("connect", instance);
    }
}

/// Two applications are dialled at once and both accept at the same moment. The one that loses the race gets a close
/// frame, and no connection is reset.
fn race(t: &Context) {
    const RACES: usize = 50;
    let both_asked = Arc::new(Barrier::new(2));
    let server = || {
        let both_asked = Arc::clone(&both_asked);
        t.server_with(&[], move |_, _| {
            both_asked.wait();
            Reply::Accept
        })
    };
    let (one, other) = (server(), server());
    let dial = format!("{}&{}", dial_string(&one.client), dial_string(&other.client));
    let mut endings = BTreeMap::new();
    for _ in 0..RACES {
        let caller = t.call("Local/park@harness").formats("ulaw").dials(&dial, "10", "").originate();
        let apps = [one.accept(), other.accept()];
        let over = |app: &App| app.received().iter().any(|received| matches!(received.item, Item::End(_)));
        wait::until("one of them has lost", || apps.iter().any(over));
        caller.hangup();
        for app in apps {
            let mut ending = app.rest();
            ending.retain(|item| !matches!(item, Item::Event(_)));
            *endings.entry(format!("{ending:?}")).or_insert(0) += 1;
        }
        caller.ending();
    }
    let wanted = format!("{:?}", [Item::Close(1000), Item::End(None)]);
    assert_eq!(endings, BTreeMap::from([(wanted, 2 * RACES)]));
}

/// On a machine that is busy with other tests. Each phase would last a minute.
const AT_ONCE: Duration = Duration::from_secs(5);

const IN_TURN: &str = "the C module asks the second server when the first one has answered (1)";

const LOCKED: &str = "the C module connects in the caller's thread, with the channel locked (1)";

#[derive(Debug, Clone, Copy)]
enum Phase {
    Lookup,
    Tcp,
    Proxy,
    Tls,
    Upgrade,
    BetweenAttempts,
}

/// A server or a listener that keeps a call in a phase.
enum Keeper {
    NameServer,
    Hole(Hole),
    Peer(Peer),
    Nobody,
}

impl Phase {
    const ALL: [Self; 6] =
        [Self::Lookup, Self::Tcp, Self::Proxy, Self::Tls, Self::Upgrade, Self::BetweenAttempts];

    fn name(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Upgrade => "upgrade",
            Self::BetweenAttempts => "between_attempts",
        }
    }

    /// Makes a client whose calls stay in this phase for a minute.
    fn client(self, t: &Context) -> (Keeper, String) {
        let minute = ("connection_timeout", "60000");
        let silent = || Peer::listen(|_| {});
        let (keeper, uri) = match self {
            Self::Lookup => (Keeper::NameServer, "ws://silent.test:80/media".to_owned()),
            Self::Tcp => {
                let hole = Hole::at((LOCALHOST, 0)).expect("127.0.0.1");
                let uri = format!("ws://{}/media", hole.address);
                (Keeper::Hole(hole), uri)
            }
            Self::Proxy => (Keeper::Peer(silent()), "ws://app.test/media".to_owned()),
            Self::Tls | Self::Upgrade => {
                let peer = silent();
                let scheme = if matches!(self, Self::Tls) { "wss" } else { "ws" };
                let uri = format!("{scheme}://{}/media", peer.address);
                (Keeper::Peer(peer), uri)
            }
            Self::BetweenAttempts => {
                let closed =
                    TcpListener::bind((LOCALHOST, 0)).expect("listen").local_addr().expect("address");
                (Keeper::Nobody, format!("ws://{closed}/media"))
            }
        };
        let client = client(t, &[("uri", &uri), minute, ("reconnect_interval", "60000")]);
        let mut options = vec![("handshake_timeout", "60000".to_owned())];
        if let (Self::Proxy, Keeper::Peer(peer)) = (self, &keeper) {
            options.push(("proxy_host", peer.address.to_string()));
        }
        let options: Vec<_> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
        t.asterisk.add_connection(&client, &options);
        (keeper, client)
    }
}

impl Keeper {
    /// Waits until a call is in the phase.
    fn wait_kept(&self) {
        match self {
            Self::NameServer | Self::Nobody => std::thread::sleep(Duration::from_millis(200)),
            Self::Hole(hole) => wait::until("Asterisk connects", || connecting(hole.address)),
            Self::Peer(peer) => peer.wait_visits(1),
        }
    }

    /// Fails the test unless the connection is soon closed.
    fn expect_closed(&self) {
        match self {
            Self::NameServer | Self::Nobody => {}
            Self::Hole(hole) => wait::until("Asterisk gives up connecting", || !connecting(hole.address)),
            Self::Peer(peer) => {
                peer.wait_ended();
            }
        }
    }
}

/// Whether a socket has sent its SYN to this address and waits for an answer.
fn connecting(to: SocketAddr) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    // In the kernel's format: 0100007F:1F90 and SYN_SENT.
    let wanted = format!(" 0100007F:{:04X} 02 ", to.port());
    sockets.contains(&wanted)
}

fn dial_timeout(t: &Context, phase: Phase) {
    let (keeper, client) = phase.client(t);
    let start = Instant::now();
    let result = caller(t, &client, "1").dial_result();
    let took = start.elapsed();
    assert_eq!(result.status, "NOANSWER");
    assert!(took >= Duration::from_secs(1) && took < AT_ONCE, "it took {took:?}");
    expect_forgotten(t, &keeper, &client, Instant::now());
}

fn hangup(t: &Context, phase: Phase) {
    let (keeper, client) = phase.client(t);
    let caller = caller(t, &client, "60");
    keeper.wait_kept();
    let start = Instant::now();
    caller.hangup();
    caller.ending();
    expect_forgotten(t, &keeper, &client, start);
}

/// The channel and its connection are gone at once.
#[track_caller]
fn expect_forgotten(t: &Context, keeper: &Keeper, client: &str, since: Instant) {
    let name = format!("WebSocket/{client}/");
    t.ari().wait("ChannelDestroyed", |event| {
        event["channel"]["name"].as_str().is_some_and(|channel| channel.starts_with(&name))
    });
    keeper.expect_closed();
    let took = since.elapsed();
    assert!(took < AT_ONCE, "it took {took:?}");
    // The call is over, so its failure is not reported.
    allow_failure(t);
    assert!(!t.log_contains(&["connection failed", &name]));
}
