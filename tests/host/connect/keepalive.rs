//! Detecting that an app is gone: TCP keepalives and WebSocket pings, on outgoing and incoming connections.

use std::fs;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::super::harness::app::Item;
use super::super::harness::call::Call;
use super::super::harness::{App, Context, InstanceConfig, Suite};
use super::{dial_string, instance};

pub fn tests(suite: &mut Suite) {
    const LACKS: &str = "22.10.1 has no such option";
    suite.ours("connect/keepalive/tcp", LACKS, tcp).shares("connect", instance);
    suite
        .ours("connect/keepalive/pings", LACKS, |t| pings(&outgoing(t, PINGS).1))
        .shares("connect", instance);
    suite
        .ours("connect/keepalive/pings_missed", LACKS, |t| {
            let (call, app) = outgoing(t, PINGS);
            missed(t, &call, &app);
        })
        .shares("connect", instance);
    suite.ours("connect/keepalive/incoming/tcp", LACKS, incoming_tcp).shares("keepalive", incoming_instance);
    suite
        .ours("connect/keepalive/incoming/pings", LACKS, |t| pings(&t.incoming_app("c(ulaw)").1))
        .shares("keepalive", incoming_instance);
    suite
        .ours("connect/keepalive/incoming/pings_missed", LACKS, |t| {
            let (call, app) = t.incoming_app("c(ulaw)");
            missed(t, &call, &app);
        })
        .shares("keepalive", incoming_instance);
}

const PINGS: &[(&str, &str)] =
    &[("enable_pingpongs", "yes"), ("pingpong_interval", "1"), ("pingpong_probes", "2")];

fn incoming_instance() -> InstanceConfig {
    InstanceConfig::new().our_file(
        "chan_websocket.conf",
        "[global]\nenable_pingpongs = yes\npingpong_interval = 1\npingpong_probes = 2\n\
         enable_tcp_keepalives = yes\ntcp_keepalive_time = 12\ntcp_keepalive_interval = 8\ntcp_keepalive_probes = 6\n",
    )
}

fn outgoing<'t>(t: &'t Context, options: &[(&str, &str)]) -> (Call<'t>, App) {
    let server = t.server(&[]);
    t.asterisk.add_connection(&server.client, options);
    let call = t.call(&dial_string(&server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    (call, app)
}

/// Idle time and interval in seconds, and the number of probes, of one socket.
type Keepalives = (u64, u64, u32);

/// The TCP keepalives of all sockets of Asterisk that have them enabled.
fn keepalives(t: &Context) -> Vec<Keepalives> {
    let pid = i32::try_from(t.asterisk.pid()).expect("pid");
    let process = pidfd_open(Pid::from_raw(pid).expect("pid"), PidfdFlags::empty()).expect("pidfd_open");
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("descriptors").flatten();
    let sockets = files.filter_map(|file| {
        let target = fs::read_link(file.path()).ok()?;
        target.to_str()?.starts_with("socket:").then(|| file.file_name().to_str()?.parse().ok())?
    });
    let get = |number: i32| {
        let socket = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()?;
        let on = sockopt::socket_keepalive(&socket).ok()?;
        let time = sockopt::tcp_keepidle(&socket).ok()?.as_secs();
        let interval = sockopt::tcp_keepintvl(&socket).ok()?.as_secs();
        on.then_some((time, interval, sockopt::tcp_keepcnt(&socket).ok()?))
    };
    sockets.filter_map(get).collect()
}

fn tcp(t: &Context) {
    const WANTED: Keepalives = (11, 7, 5);
    let (_plain, _app) = outgoing(t, &[("write_timeout", "30000")]);
    let before = keepalives(t);
    assert!(!before.contains(&WANTED), "{before:?}");
    let (_call, _app) = outgoing(
        t,
        &[
            ("enable_tcp_keepalives", "yes"),
            ("tcp_keepalive_time", "11"),
            ("tcp_keepalive_interval", "7"),
            ("tcp_keepalive_probes", "5"),
        ],
    );
    let after = keepalives(t);
    assert!(after.contains(&WANTED), "{after:?}");
}

fn incoming_tcp(t: &Context) {
    const WANTED: Keepalives = (12, 8, 6);
    let (_call, _app) = t.incoming_app("c(ulaw)");
    let after = keepalives(t);
    assert!(after.contains(&WANTED), "{after:?}");
}

fn ping_times(app: &App) -> Vec<Instant> {
    let received = app.received();
    received
        .iter()
        .filter(|received| matches!(received.item, Item::Ping(_)))
        .map(|received| received.at)
        .collect()
}

/// Pings that are answered come at their interval, and have no other effect.
fn pings(app: &App) {
    app.expect_quiet(Duration::from_millis(4300));
    let times = ping_times(app);
    assert!(times.len() == 4 || times.len() == 3, "{} pings in 4.3 s", times.len());
    for pair in times.windows(2) {
        let interval = pair[1] - pair[0];
        assert!(
            interval > Duration::from_millis(600) && interval < Duration::from_millis(1900),
            "{interval:?}"
        );
    }
}

/// Two pings without an answer, and one more interval to wait for the second answer. (The app may still answer a ping
/// that is outstanding when it stops reading.)
fn missed(t: &Context, call: &Call<'_>, app: &App) {
    t.allow_log("WebSocket connection given up: the application answered none of 2 pings");
    app.stop_reading();
    let start = Instant::now();
    let ending = call.ending();
    let took = start.elapsed();
    assert_eq!((ending.cause, ending.tech_cause), (38, 1001));
    t.wait_log(&[
        "WARNING",
        &call.name,
        "WebSocket connection given up: the application answered none of 2 pings",
    ]);
    assert!(took > Duration::from_millis(1800) && took < Duration::from_millis(8000), "it took {took:?}");
}
