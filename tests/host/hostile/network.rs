//! The network between Asterisk and the application fails: packets are lost without an error.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::super::connect::bystander;
use super::super::harness::call::Call;
use super::super::harness::elsewhere::{Elsewhere, inside};
use super::super::harness::http::Request;
use super::super::harness::stream::Stream;
use super::super::harness::{App, Context, InstanceConfig, Suite};
use super::relay::{Caller, Relay};
use super::{Partner, beside, client, figures, long, outcomes};

pub fn tests(suite: &mut Suite) {
    for tls in [false, true] {
        for (name, options, expected) in cases() {
            // Silence is the same with TLS.
            if tls && name.ends_with("_in_silence") && long().is_none() {
                continue;
            }
            let config = InstanceConfig::new()
                .http_everywhere()
                .our_file("chan_websocket.conf", &format!("[global]\n{}", options.replace(';', "\n")));
            let scheme = if tls { "wss" } else { "ws" };
            let body = move |t: &Context| gone(t, name, tls, options, &expected);
            beside(suite, format!("hostile/network_gone/{scheme}/{name}"), body).private_with(config);
        }
    }
}

/// Name, options, and how the call ends.
fn cases() -> [(&'static str, &'static str, Expected); 5] {
    const PINGS: &str = "enable_pingpongs = yes;pingpong_interval = 1;pingpong_probes = 2;";
    const KEEPALIVES: &str = "enable_tcp_keepalives = yes;tcp_keepalive_time = 1;tcp_keepalive_interval = 1;\
                              tcp_keepalive_probes = 2;";
    let pings = || Expected {
        format: "c(ulaw)",
        talking: true,
        tech_cause: 1001,
        log: Some("the application answered none of 2 pings"),
    };
    let write_timeout = Expected {
        format: "c(slin48)",
        talking: true,
        tech_cause: 1001,
        log: Some("the application took nothing for 3000 ms"),
    };
    // With no data in transit the kernel sends probes; otherwise it waits for the acknowledgement.
    let keepalives = || Expected { tech_cause: 1006, log: None, ..pings() };
    [
        ("pings", PINGS, pings()),
        ("pings_in_silence", PINGS, Expected { talking: false, ..pings() }),
        ("keepalives", KEEPALIVES, keepalives()),
        ("keepalives_in_silence", KEEPALIVES, Expected { talking: false, ..keepalives() }),
        ("write_timeout", "write_timeout = 3000;", write_timeout),
    ]
}

struct Expected {
    format: &'static str,
    /// Whether media is sent meanwhile.
    talking: bool,
    tech_cause: i64,
    log: Option<&'static str>,
}

/// A call, its application, and the relay between them, if any.
type Remote<'t> = (Call<'t>, App, Option<Relay>);

/// A call in each role, with its application in another namespace. With TLS there is a relay, and Asterisk sees only
/// the relay.
fn calls<'t>(
    t: &'t Context,
    elsewhere: &Elsewhere,
    tls: bool,
    options: &str,
    format: &str,
) -> Vec<Remote<'t>> {
    let calls = vec![incoming(t, elsewhere, tls, format), outgoing(t, elsewhere, tls, options, format)];
    for (call, app, _) in &calls {
        app.expect_media_start();
        call.wait_up();
    }
    calls
}

fn incoming<'t>(t: &'t Context, elsewhere: &Elsewhere, tls: bool, format: &str) -> Remote<'t> {
    let call = t.incoming(format);
    let port = if tls { t.asterisk.https } else { t.asterisk.http }.port();
    let server = SocketAddr::new(IpAddr::V4(elsewhere.here), port);
    let (stream, relay) = if tls {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let namespace = elsewhere.name.clone();
        let connect = move || inside(&namespace, || TcpStream::connect(server));
        let relay = Relay::between(listener, connect, Caller::App, true);
        (Stream::tls(relay.address).expect("relay"), Some(relay))
    } else {
        let stream = elsewhere.inside(|| TcpStream::connect(server)).expect("HTTP server from elsewhere");
        (Stream::accepted(stream).expect("stream"), None)
    };
    let request = t.upgrade(&call.connection_id());
    (call, t.app(request.send(stream).expect("an answer")), relay)
}

fn outgoing<'t>(t: &'t Context, elsewhere: &Elsewhere, tls: bool, options: &str, format: &str) -> Remote<'t> {
    let listener = elsewhere.inside(|| TcpListener::bind((elsewhere.there, 0))).expect("listen");
    let address = listener.local_addr().expect("address");
    let client = client(t, &format!("{}://{address}/media", if tls { "wss" } else { "ws" }));
    if t.is_ours() {
        let settings: Vec<(&str, &str)> =
            options.split(';').filter_map(|option| option.split_once(" = ")).collect();
        t.asterisk.add_connection(&client, &settings);
    }
    let dial = || t.call(&format!("WebSocket/{client}/{format}")).originate();
    if tls {
        let folder = t.asterisk.inside("etc");
        let (stream, port) =
            Stream::tls_listener(&format!("{folder}/server.crt"), &format!("{folder}/server.key"))
                .expect("openssl s_server");
        let connect = move || TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let relay = Relay::between(listener, connect, Caller::Asterisk, true);
        let call = dial();
        return (call, t.accept(Request::read(stream).expect("a request")), Some(relay));
    }
    let call = dial();
    let (stream, _) = listener.accept().expect("Asterisk connects");
    let app = t.accept(Request::read(Stream::accepted(stream).expect("stream")).expect("a request"));
    (call, app, None)
}

fn gone(t: &Context, name: &str, tls: bool, options: &str, expected: &Expected) {
    let elsewhere = match Elsewhere::new() {
        Ok(elsewhere) => elsewhere,
        Err(why) => {
            eprintln!("hostile/network_gone/{name}: no network namespace here, nothing tested: {why}");
            return;
        }
    };
    t.allow_log("WebSocket connection given up");
    t.allow_log("the application reads too slowly");
    t.allow_log("SSL_shutdown");
    let calls = calls(t, &elsewhere, tls, options, expected.format);
    let partners: Vec<Partner<'_>> = if expected.talking {
        calls.iter().map(|(call, ..)| Partner::of(t, call, expected.format)).collect()
    } else {
        Vec::new()
    };
    let (took, others) = bystander::during(t, || {
        elsewhere.vanish();
        let start = Instant::now();
        let over = |call: &Call<'_>| call.state().is_none();
        while !calls.iter().all(|(call, ..)| over(call)) {
            if !t.is_ours() && start.elapsed() > Duration::from_secs(12) {
                return None;
            }
            assert!(start.elapsed() < Duration::from_secs(25), "nobody notices");
            for partner in &partners {
                partner.app.send_media(&[0x2a; 1920]);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Some(start.elapsed())
    });
    figures(t, format!("network gone, {name}, TLS {tls}: noticed after {took:?}; others: {others}"));
    if !t.is_ours() {
        return t.note(outcomes(t, calls.iter().map(|(call, ..)| call)));
    }
    for (call, ..) in &calls {
        let ending = call.ending();
        assert_eq!((ending.cause, ending.tech_cause), (38, expected.tech_cause), "{}", call.name);
        if let Some(log) = expected.log {
            t.wait_log(&["WARNING", &call.name, log]);
        }
    }
    others.expect_undisturbed();
}
