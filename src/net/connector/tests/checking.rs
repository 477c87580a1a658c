//! Checks: each step is reported in order, and a WebSocket that opens is closed in order.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant, SystemTime};

use super::fixture::*;
use crate::net::connector::*;
use crate::settings::client::Proxy;
use crate::settings::per_call::Bearer;

/// A job that reports its steps.
fn check(destination: Destination) -> (ConnectJob, Receiver<Outcome>, Receiver<ConnectStep>) {
    let (mut job, outcome) = job(destination);
    let (tell, steps) = mpsc::channel();
    job.on_step = Some(Box::new(move |step| tell.send(step).unwrap()));
    (job, outcome, steps)
}

fn run(connector: &Connector, destination: Destination) -> (Outcome, Vec<ConnectStep>) {
    let (job, outcome, steps) = check(destination);
    let _handle = connector.connect(job);
    let outcome = outcome.recv_timeout(LONG).expect("no result");
    (outcome, steps.try_iter().collect())
}

fn settings(server: &str) -> ConnectStep {
    ConnectStep::Settings { server: server.to_owned(), proxy: None }
}

/// Accepts, and reports what arrived after that, up to the end.
fn accepting() -> (Server, Receiver<Vec<u8>>) {
    let (tell, rest) = mpsc::channel();
    let server = Server::start(move |_, mut stream: TcpStream| {
        let request = read_head(&mut stream);
        stream
            .write_all((switching(&request, "Sec-WebSocket-Protocol: media\r\n") + "hello").as_bytes())
            .unwrap();
        tell.send(read_to_end(&mut stream).unwrap()).unwrap();
    });
    (server, rest)
}

#[test]
fn a_connection_is_closed_with_1000_and_not_counted() {
    let (server, rest) = accepting();
    let connector = connector();
    let (outcome, steps) = run(&connector, to(server.addr));
    assert_eq!(outcome.unwrap().subprotocol.as_deref(), Some("media"));
    let addr = server.addr;
    let expected =
        [settings(&format!("ws://{addr}")), ConnectStep::Addresses(vec![addr]), ConnectStep::Tcp(addr)];
    assert_eq!(steps, expected);
    let rest = rest.recv_timeout(LONG).unwrap();
    let [0x88, 0x82, a, b, _, _, high, low] = rest[..] else { panic!("no close frame: {rest:?}") };
    assert_eq!(u16::from_be_bytes([high ^ a, low ^ b]), 1000);
    let (refused, _kept) = refusing();
    run(&connector, to(refused)).0.unwrap_err();
    assert_eq!(
        ConnectorStats { resolver_threads: 0, settings_threads: 0, ..connector.stats() },
        ConnectorStats::default()
    );
}

#[test]
fn a_call_is_told_nothing_and_keeps_its_connection() {
    let (server, rest) = accepting();
    let connected = connect(&connector(), to(server.addr)).unwrap();
    assert_eq!(rest.recv_timeout(Duration::from_millis(50)), Err(mpsc::RecvTimeoutError::Timeout));
    drop(connected);
    assert_eq!(rest.recv_timeout(LONG).unwrap(), b"");
}

#[test]
fn every_address_and_its_result() {
    let (refused, _kept) = refusing();
    let (server, _rest) = accepting();
    let addresses = vec![refused, server.addr];
    let (resolver, _release) = TestResolver::new(vec![("app.example", addresses.clone())]);
    let connector = Connector::start_with("ws-connector", resolver, SETTINGS_TIMEOUT).unwrap();
    let (outcome, steps) = run(&connector, destination("app.example", 80));
    outcome.unwrap();
    let [first, found, ConnectStep::AddressFailed { step, why }, tcp] = &steps[..] else {
        panic!("{steps:?}")
    };
    assert_eq!((first, found), (&settings("ws://app.example:80"), &ConnectStep::Addresses(addresses)));
    assert_eq!((*step, tcp), ("TCP", &ConnectStep::Tcp(server.addr)));
    assert!(why.contains("refused"), "{why}");
}

#[test]
fn a_proxy_tls_and_a_token_are_steps() {
    let proxy = Server::start(|_, mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        xor_welcome(stream, true);
    });
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "hush4711").unwrap();
    let mut destination = destination("app.example", 443);
    destination.target.tls = true;
    destination.client.bearer = Some(Bearer::File(token));
    let (host, port) = (proxy.addr.ip().to_string(), proxy.addr.port());
    destination.client.proxy = Some(Proxy { host, port, credentials: Some(("jim".into(), "hush".into())) });
    let (outcome, steps) = run(&connector(), destination);
    outcome.unwrap();
    let expected = [
        ConnectStep::Settings {
            server: "wss://app.example:443".to_owned(),
            proxy: Some(proxy.addr.to_string()),
        },
        ConnectStep::Token,
        ConnectStep::Addresses(vec![proxy.addr]),
        ConnectStep::Tcp(proxy.addr),
        ConnectStep::Proxy,
        ConnectStep::Tls {
            session: "XOR".to_owned(),
            valid_until: None,
            trusted: true,
            name: Some("app.example".to_owned()),
        },
    ];
    assert_eq!(steps, expected);
    assert!(!format!("{steps:?}").contains("hush"));
}

#[test]
fn a_check_that_is_cancelled_leaves_in_order() {
    let (server, streams) = Server::silent();
    let connector = connector();
    let (job, _outcome, _steps) = check(to(server.addr));
    let handle = connector.connect(job);
    let mut stream = streams.recv_timeout(LONG).unwrap();
    read_head(&mut stream);
    assert!(handle.cancel());
    assert_eq!(read_to_end(&mut stream).unwrap(), b"");
    assert_eq!(connector.stats().cancelled, 0);
}

/// The report of a check that was told these steps, and then the result.
fn report(steps: Vec<ConnectStep>, result: Result<Option<&str>, ConnectError>) -> CheckResult {
    let began = Instant::now();
    let mut report = CheckReport::new("my-app", began);
    for step in steps {
        report.step(began, step);
    }
    match result {
        Ok(subprotocol) => report.connected(began, subprotocol),
        Err(error) => report.failed(began + Duration::from_millis(1500), &error),
    }
}

fn error(failure: Failure) -> ConnectError {
    ConnectError::before_any_attempt(failure)
}

#[test]
fn the_report_has_a_line_for_each_step_and_a_verdict_for_scripts() {
    let in_days = |days: u64| SystemTime::now() + Duration::from_secs(days * 86_400 + 60);
    let tls = |valid_until, trusted, name: Option<&str>| ConnectStep::Tls {
        session: "TLSv1.3 X".to_owned(),
        valid_until: Some(valid_until),
        trusted,
        name: name.map(str::to_owned),
    };
    let good = report(
        vec![
            settings("wss://app.example:443"),
            ConnectStep::Addresses(vec![
                "192.0.2.1:443".parse().unwrap(),
                "[2001:db8::1]:443".parse().unwrap(),
            ]),
            tls(in_days(30), true, Some("app.example")),
        ],
        Ok(Some("media")),
    );
    assert_eq!(good.failure, None);
    for line in [
        "my-app: wss://app.example:443\n",
        "\n  settings     ok  0.0 ms\n",
        "\n  look-up      ok  0.0 ms  192.0.2.1:443, [2001:db8::1]:443\n",
        "\n  TLS          ok  0.0 ms  TLSv1.3 X\n",
        "\n  certificate              trusted, for app.example, until ",
        " GMT (30 days)\n",
        "\n  upgrade      ok  0.0 ms  subprotocol media\n",
    ] {
        assert!(good.text.contains(line), "{line:?} is not in:\n{}", good.text);
    }
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    let open = report(vec![tls(long_ago, true, None)], Ok(None));
    assert!(
        open.text.contains("its name not verified (verify_server_hostname = no), expired since "),
        "{open:?}"
    );
    assert!(open.text.contains("no subprotocol"), "{open:?}");
    // RFC 5280's "no date".
    let for_ever = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    let unverified = report(vec![tls(for_ever, false, None)], Ok(None));
    let text = "not verified (verify_server_cert = no), until Fri, 31 Dec 9999 23:59:59 GMT";
    assert!(unverified.text.contains(text), "{unverified:?}");

    let bad = report(vec![], Err(error(Failure::Settings("no\nobject".to_owned()))));
    assert_eq!(bad.failure.as_deref(), Some("my-app: no\\nobject"));
    assert!(bad.text.contains("  settings  FAILED  1500.0 ms  no\\nobject\n"), "{}", bad.text);
    assert_eq!(verdict(&[good.clone(), open.clone()]), "OK");
    assert_eq!(verdict(&[good, bad.clone(), bad]), "FAILED: my-app: no\\nobject; my-app: no\\nobject");
}

#[test]
fn every_failure_belongs_to_a_step() {
    let addr = "192.0.2.1:80".parse().unwrap();
    let io = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let lost = |phase| Failure::Lost { addr, phase, error: io() };
    let late = |phase| Failure::HandshakeTimeout { addr, phase, after: LONG };
    for (failure, step) in [
        (Failure::TlsSetup("x".into()), "settings"),
        (Failure::Token("x".into()), "token"),
        (Failure::LookupTimeout { host: "x".into(), after: LONG }, "look-up"),
        (Failure::TcpTimeout { addr, after: LONG }, "TCP"),
        (Failure::Tls { addr, text: "x".into() }, "TLS"),
        (lost(Phase::Proxy), "proxy"),
        (lost(Phase::Tls), "TLS"),
        (late(Phase::Upgrade), "upgrade"),
        (Failure::Stopped, "module"),
    ] {
        assert_eq!(failure.step(), step, "{failure}");
        let line = format!("  {step}  FAILED  1500.0 ms  {failure}\n");
        let result = report(vec![], Err(error(failure)));
        assert!(result.text.contains(&line), "{line:?}: {}", result.text);
    }
}
