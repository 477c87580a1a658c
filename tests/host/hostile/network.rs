//! The network between Asterisk and the application is gone: packets vanish, nobody says anything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::super::connect::bystander;
use super::super::harness::call::Call;
use super::super::harness::http::Request;
use super::super::harness::stream::Stream;
use super::super::harness::{App, Context, InstanceConfig, Suite};
use super::{NOT_ON_C, Partner, client, figures};

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &'static str, options: &'static str, expected: Expected| {
        let config = InstanceConfig::new()
            .http_everywhere()
            .our_file("chan_websocket.conf", &format!("[global]\n{}", options.replace(';', "\n")));
        suite
            .ours(format!("hostile/network_gone/{name}"), NOT_ON_C, move |t| {
                gone(t, name, options, &expected)
            })
            .private_with(config);
    };
    const PINGS: &str = "enable_pingpongs = yes;pingpong_interval = 1;pingpong_probes = 2;";
    const KEEPALIVES: &str = "enable_tcp_keepalives = yes;tcp_keepalive_time = 1;tcp_keepalive_interval = 1;\
                              tcp_keepalive_probes = 2;";
    let pings = || Expected {
        format: "c(ulaw)",
        talking: true,
        tech_cause: 1001,
        log: Some("the application answered none of 2 pings"),
    };
    ours("pings", PINGS, pings());
    ours("pings_in_silence", PINGS, Expected { talking: false, ..pings() });
    // Without data on its way the kernel probes; else it waits for the acknowledgement.
    ours("keepalives", KEEPALIVES, Expected { tech_cause: 1006, log: None, ..pings() });
    ours(
        "keepalives_in_silence",
        KEEPALIVES,
        Expected { talking: false, tech_cause: 1006, log: None, ..pings() },
    );
    ours(
        "write_timeout",
        "write_timeout = 3000;",
        Expected {
            format: "c(slin48)",
            talking: true,
            tech_cause: 1001,
            log: Some("the application took nothing for 3000 ms"),
        },
    );
}

struct Expected {
    format: &'static str,
    /// Whether anything is sent meanwhile.
    talking: bool,
    tech_cause: i64,
    log: Option<&'static str>,
}

/// A network namespace with a wire to ours.
struct Elsewhere {
    name: String,
    here: Ipv4Addr,
    there: Ipv4Addr,
}

fn ip(arguments: &str) -> Result<(), String> {
    let output =
        Command::new("ip").args(arguments.split(' ')).output().map_err(|error| format!("ip: {error}"))?;
    let error = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("ip {arguments}: {error}")) }
}

impl Elsewhere {
    /// The error says why this machine cannot have one.
    fn new() -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        // Out of the range for benchmarks, which nobody routes (RFC 2544).
        let net = [(pid >> 6) as u8, (pid << 2) as u8, (number * 4) as u8];
        let net = [18 + (net[0] & 1), net[1] ^ net[0], net[2]];
        let address = |last: u8| Ipv4Addr::new(198, net[0], net[1], net[2] | last);
        let (wire, end) = (format!("cw{pid}.{number}"), format!("cx{pid}.{number}"));
        let elsewhere = Self { name: format!("cw-{pid}-{number}"), here: address(1), there: address(2) };
        let Self { name, here, there } = &elsewhere;
        ip(&format!("netns add {name}"))?;
        ip(&format!("link add {wire} type veth peer name {end} netns {name}"))?;
        ip(&format!("address add {here}/30 dev {wire}"))?;
        ip(&format!("link set {wire} up"))?;
        ip(&format!("-n {name} address add {there}/30 dev {end}"))?;
        ip(&format!("-n {name} link set {end} up"))?;
        Ok(elsewhere)
    }

    /// Does something there. A socket stays where it was made.
    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = std::fs::File::open(format!("/run/netns/{}", self.name)).expect("network namespace");
        thread::scope(|scope| {
            let enter_and_work = || {
                use std::os::fd::AsFd;
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("setns");
                work()
            };
            scope.spawn(enter_and_work).join().expect("thread")
        })
    }

    /// Nothing comes back from there any more, not even from its kernel.
    fn vanish(&self) {
        ip(&format!("-n {} route add blackhole {}/32", self.name, self.here)).expect("a route");
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = ip(&format!("netns delete {}", self.name));
    }
}

/// A call in each role, with its application elsewhere.
fn calls<'t>(t: &'t Context, elsewhere: &Elsewhere, options: &str, format: &str) -> Vec<(Call<'t>, App)> {
    let incoming = t.incoming(format);
    let http = SocketAddr::new(IpAddr::V4(elsewhere.here), t.asterisk.http.port());
    let stream = elsewhere.inside(|| TcpStream::connect(http).expect("HTTP server from elsewhere"));
    let request = t.upgrade(&incoming.connection_id());
    let app = t.app(request.send(Stream::accepted(stream).expect("stream")).expect("an answer"));
    let listener = elsewhere.inside(|| TcpListener::bind((elsewhere.there, 0)).expect("listen"));
    let client = client(t, &format!("ws://{}/media", listener.local_addr().expect("address")));
    let settings: Vec<(&str, &str)> =
        options.split(';').filter_map(|option| option.split_once(" = ")).collect();
    t.asterisk.add_connection(&client, &settings);
    let outgoing = t.call(&format!("WebSocket/{client}/{format}")).originate();
    let (stream, _) = listener.accept().expect("Asterisk connects");
    let other = t.accept(Request::read(Stream::accepted(stream).expect("stream")).expect("a request"));
    let calls = vec![(incoming, app), (outgoing, other)];
    for (call, app) in &calls {
        app.expect_media_start();
        call.wait_up();
    }
    calls
}

fn gone(t: &Context, name: &str, options: &str, expected: &Expected) {
    let elsewhere = match Elsewhere::new() {
        Ok(elsewhere) => elsewhere,
        Err(why) => {
            eprintln!("hostile/network_gone/{name}: no network namespace here, nothing tested: {why}");
            return;
        }
    };
    t.allow_log("WebSocket connection given up");
    t.allow_log("the application reads too slowly");
    let calls = calls(t, &elsewhere, options, expected.format);
    let partners: Vec<Partner<'_>> = if expected.talking {
        calls.iter().map(|(call, _)| Partner::of(t, call, expected.format)).collect()
    } else {
        Vec::new()
    };
    let (took, others) = bystander::during(t, || {
        elsewhere.vanish();
        let start = Instant::now();
        let over = |call: &Call<'_>| call.state().is_none();
        while !calls.iter().all(|(call, _)| over(call)) {
            assert!(start.elapsed() < Duration::from_secs(25), "nobody notices");
            for partner in &partners {
                partner.app.send_media(&[0x2a; 1920]);
            }
            thread::sleep(Duration::from_millis(20));
        }
        start.elapsed()
    });
    figures(format!("network gone, {name}: noticed after {took:?}; others: {others}"));
    for (call, _) in &calls {
        let ending = call.ending();
        assert_eq!((ending.cause, ending.tech_cause), (38, expected.tech_cause), "{}", call.name);
        if let Some(log) = expected.log {
            t.wait_log(&["WARNING", &call.name, log]);
        }
    }
    others.expect_undisturbed();
}
