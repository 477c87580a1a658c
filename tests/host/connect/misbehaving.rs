//! Servers that misbehave, phase by phase: how the call ends, and what the log says.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::super::harness::{Context, Suite, ports, process, wait};
use super::peer::{Peer, read_request, reset, trickle, write};
use super::{ONCE, client, dial_string, expect_failure, instance, pki};

pub fn tests(suite: &mut Suite) {
    for (name, behave, words) in ANSWERING {
        suite
            .same(format!("connect/answers/{name}"), move |t| answers(t, behave, words))
            .shares("connect", instance);
    }
    for (name, scheme, behave, words) in HANGING {
        suite
            .ours(format!("connect/hangs/{name}"), HANGS, move |t| hangs(t, scheme, behave, words))
            .shares("connect", instance);
    }
    suite.ours("connect/hangs/each_attempt", HANGS, each_attempt).shares("connect", instance);
    for (name, behave, words) in SPEAKING_NO_TLS {
        suite
            .same(format!("connect/no_tls/{name}"), move |t| no_tls(t, behave, words))
            .shares("connect", instance);
    }
    suite.same("connect/tls/alert", alert).shares("connect", instance);
    suite.same("connect/no_answer_to_syn", no_answer_to_syn).shares("connect", instance);
    suite.same("connect/byte_by_byte", byte_by_byte).shares("connect", instance);
    suite
        .ours("connect/closed_behind_101", "the C module does not always notice (3)", closed_behind_101)
        .shares("connect", instance);
}

const HANGS: &str = "the C module waits for ever, with locks held (1)";

type Behave = fn(&mut TcpStream);

/// Answers that do not upgrade to WebSocket, each followed by the end of the connection, and what ours logs about them.
const ANSWERING: [(&str, Behave, &str); 24] = [
    ("status_401", |s| answer(s, "401 Unauthorized", ""), "the server does not accept the credentials (401)"),
    ("status_403", |s| answer(s, "403 Forbidden", ""), "the server forbids it (403)"),
    ("status_404", |s| answer(s, "404 Not Found", ""), "the server does not know the path of the uri (404)"),
    ("status_400", |s| answer(s, "400 Bad Request", ""), "the server refused (400 Bad Request)"),
    ("status_426", |s| answer(s, "426 Upgrade Required", ""), "the server refused (426 Upgrade Required)"),
    (
        "status_500",
        |s| answer(s, "500 Internal Server Error", ""),
        "the server failed (500 Internal Server Error)",
    ),
    (
        "status_503",
        |s| answer(s, "503 Service Unavailable", ""),
        "the server failed (503 Service Unavailable)",
    ),
    (
        "redirect",
        |s| answer(s, "302 Found", "Location: https://u:hush@other.test/login?token=hush\r\n"),
        "the server redirects to https://other.test/login?… (302 Found), which is not followed",
    ),
    (
        "page",
        |s| {
            read_request(s);
            write(s, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>");
        },
        "the server answered with a page instead of a WebSocket (200 OK)",
    ),
    (
        "body_without_head",
        |s| {
            read_request(s);
            write(s, "<html></html>\r\n\r\n");
        },
        "the server's answer is not HTTP",
    ),
    (
        "garbage",
        |s| {
            read_request(s);
            write(s, [0xff; 64]);
        },
        "the server's answer is not HTTP",
    ),
    ("greeting", |s| write(s, "220 mail.test ESMTP\r\n"), "the server's answer is not HTTP"),
    (
        "malformed_status",
        |s| {
            read_request(s);
            write(s, "HTTP/1.1 hello\r\n\r\n");
        },
        "the server's answer is malformed HTTP",
    ),
    (
        "endless_header",
        |s| {
            read_request(s);
            write(s, format!("HTTP/1.1 101 OK\r\n{}", "X-More: and more\r\n".repeat(2000)));
        },
        "the server's answer has an endless header",
    ),
    (
        "endless_line",
        |s| {
            read_request(s);
            write(s, format!("HTTP/1.1 101 OK\r\nX-Long: {}", "x".repeat(40_000)));
        },
        "the server's answer has an endless header",
    ),
    ("closes_at_once", |_| {}, ""),
    (
        "closes_without_answer",
        |s| drop(read_request(s)),
        "the server closed the connection without an answer",
    ),
    (
        "half_a_header",
        |s| {
            read_request(s);
            write(s, "HTTP/1.1 101 Switching");
        },
        "the server closed the connection in the middle of its answer (after 22 bytes)",
    ),
    (
        "resets",
        |s| {
            read_request(s);
            reset(s);
        },
        "lost while waiting for the answer to the upgrade request",
    ),
    (
        "wrong_accept_key",
        |s| {
            let answer = read_request(s).replace("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x");
            write(s, answer);
        },
        "the server's 101 has a wrong Sec-WebSocket-Accept header",
    ),
    (
        "no_accept_key",
        |s| {
            let answer = read_request(s).replace("Sec-WebSocket-Accept", "X-Accept");
            write(s, answer);
        },
        "the server's 101 has no Sec-WebSocket-Accept header",
    ),
    (
        "no_upgrade_header",
        |s| {
            let answer = read_request(s).replace("Upgrade: websocket", "Upgrade: h2c");
            write(s, answer);
        },
        "the server's 101 has the Upgrade header \"h2c\" instead of \"websocket\"",
    ),
    (
        "other_subprotocol",
        |s| {
            let answer = read_request(s).replace("Protocol: media", "Protocol: chat");
            write(s, answer);
        },
        "the server chose the subprotocol \"chat\", which was not offered",
    ),
    (
        "extension",
        |s| {
            let extension = "Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
            let answer = read_request(s).replace("Upgrade\r\n", extension);
            write(s, answer);
        },
        "the server chose the extension \"permessage-deflate\", which was not offered",
    ),
];

fn answer(stream: &mut TcpStream, status: &str, headers: &str) {
    read_request(stream);
    write(stream, format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers}\r\n"));
}

/// A server that behaves like this, and then ends the connection.
fn ending(behave: Behave) -> Peer {
    Peer::listen(move |stream| {
        behave(stream);
        let _ = stream.shutdown(Shutdown::Write);
    })
}

const SECRETS: [(&str, &str); 2] = [("username", "joe"), ("password", "hush")];

/// A client for this server, with a password that must not be shown.
fn client_of(t: &Context, scheme: &str, peer: &Peer, options: &[(&str, &str)]) -> String {
    let uri = format!("{scheme}://jim:hush@{}/media?token=hush", peer.address);
    let mut all = vec![("uri", &*uri), ONCE, ("connection_timeout", "2000")];
    all.extend(SECRETS);
    all.extend_from_slice(options);
    client(t, &all)
}

#[track_caller]
fn expect_no_secrets_logged(t: &Context) {
    if t.is_ours() {
        let log = t.asterisk.log.since(t.log_mark);
        if let Some(line) = log.lines().find(|line| line.contains("hush") || line.contains("aHVza")) {
            panic!("a password in the log: {line}");
        }
    }
}

fn answers(t: &Context, behave: Behave, words: &str) {
    let peer = ending(behave);
    let client = client_of(t, "ws", &peer, &[]);
    expect_failure(t, &client, &[words]);
    expect_no_secrets_logged(t);
    peer.wait_ended();
    assert_eq!(peer.visits(), 1);
}

/// Servers with which connecting does not progress: scheme, behaviour, and what the call waits for.
const HANGING: [(&str, &str, Behave, &str); 8] = [
    ("silent", "ws", |_| {}, "the answer to the upgrade request did not come within 1000 ms"),
    (
        "never_reads",
        "ws",
        |_| std::thread::sleep(Duration::from_secs(2)),
        "the answer to the upgrade request did not",
    ),
    (
        "half_a_header",
        "ws",
        |s| {
            read_request(s);
            write(s, "HTTP/1.1 101 Switching Pro");
        },
        "the answer to the upgrade request did not come within 1000 ms",
    ),
    (
        "byte_by_byte",
        "ws",
        |s| {
            let answer = read_request(s);
            trickle(s, answer.as_bytes(), Duration::from_millis(100));
        },
        "the answer to the upgrade request did not come within 1000 ms",
    ),
    (
        "answers_for_ever",
        "ws",
        |s| {
            read_request(s);
            trickle(s, &b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100), Duration::from_millis(20));
        },
        "the answer to the upgrade request did not come within 1000 ms",
    ),
    ("silent_tls", "wss", |_| {}, "the TLS handshake did not come within 1000 ms"),
    (
        "half_a_server_hello",
        "wss",
        |s| write(s, HALF_A_SERVER_HELLO),
        "the TLS handshake did not come within 1000 ms",
    ),
    (
        "server_hello_byte_by_byte",
        "wss",
        |s| trickle(s, &HALF_A_SERVER_HELLO.repeat(10), Duration::from_millis(100)),
        "the TLS handshake did not come within 1000 ms",
    ),
];

/// The first bytes of a handshake record of 122 bytes.
const HALF_A_SERVER_HELLO: &[u8] = &[0x16, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3, 1, 2, 3];

/// handshake_timeout ends the attempt, and the connection is closed.
fn hangs(t: &Context, scheme: &str, behave: Behave, words: &str) {
    let peer = Peer::listen(behave);
    let client = client_of(t, scheme, &peer, &[("ca_list_file", &pki::FILES.path("root.crt"))]);
    t.asterisk.add_connection(&client, &[("handshake_timeout", "1000")]);
    let start = Instant::now();
    expect_failure(t, &client, &[words, "(handshake_timeout)", &peer.address.to_string()]);
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(8), "it took {took:?}");
    expect_no_secrets_logged(t);
    peer.wait_ended();
    assert_eq!(peer.visits(), 1);
}

/// Each attempt has its own time.
fn each_attempt(t: &Context) {
    let peer = Peer::listen(|_| {});
    let client = client_of(t, "ws", &peer, &[]);
    let again = format!("ws://{}/media", peer.address);
    t.asterisk
        .add_client(&client, &[("uri", &again), ("reconnect_attempts", "3"), ("reconnect_interval", "100")]);
    t.asterisk.add_connection(&client, &[("handshake_timeout", "300")]);
    let start = Instant::now();
    expect_failure(t, &client, &["failed 3 times, at last: ", "did not come within 300 ms"]);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(1100) && took < Duration::from_secs(8), "it took {took:?}");
    peer.wait_ended();
    assert_eq!(peer.visits(), 3);
}

/// Servers that should use TLS and send something else, or nothing.
const SPEAKING_NO_TLS: [(&str, Behave, &str); 4] = [
    (
        "http",
        |s| {
            read_hello(s);
            write(s, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        },
        "the server does not speak TLS",
    ),
    (
        "garbage",
        |s| {
            read_hello(s);
            write(s, [0xff; 64]);
        },
        "the server does not speak TLS",
    ),
    ("closes", |s| read_hello(s), "the server closed the connection during the TLS handshake"),
    (
        "resets",
        |s| {
            read_hello(s);
            reset(s);
        },
        "TLS handshake: Connection reset by peer",
    ),
];

fn read_hello(stream: &mut TcpStream) {
    let mut header = [0; 5];
    stream.read_exact(&mut header).expect("a record");
    let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    stream.read_exact(&mut hello).expect("a record");
}

const TLS: (&str, &str) = ("tls_enabled", "yes");

fn no_tls(t: &Context, behave: Behave, words: &str) {
    let peer = ending(behave);
    let client = client_of(t, "wss", &peer, &[TLS, ("ca_list_file", &pki::FILES.path("root.crt"))]);
    expect_failure(t, &client, &[words]);
    expect_no_secrets_logged(t);
    peer.wait_ended();
}

/// A server that reports the fault with a TLS alert, here after the handshake, as TLS 1.3 does.
fn alert(t: &Context) {
    let port = ports::free();
    let folder = pki::FILES.path("");
    let mut command = process::command("chroot");
    command.arg(super::super::harness::sandbox::root()).args(["openssl", "s_server", "-quiet", "-tls1_3"]);
    command.args(["-accept", &port.to_string(), "-Verify", "1", "-verify_return_error"]);
    command.args(["-CAfile", &format!("{folder}root.crt"), "-cert", &format!("{folder}plain.crt")]);
    command.args(["-key", &format!("{folder}key.pem")]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = process::spawn(command).expect("openssl s_server");
    wait::until("openssl s_server listens", || TcpStream::connect((super::LOCALHOST, port)).is_ok());
    let (uri, ca) = (format!("wss://app.test:{port}/media"), format!("{folder}root.crt"));
    let client =
        client(t, &[("uri", &uri), TLS, ("ca_list_file", &ca), ONCE, ("connection_timeout", "2000")]);
    expect_failure(t, &client, &["alert certificate required"]);
    let _ = server.kill();
    let _ = server.wait();
}

/// connection_timeout is for each attempt.
fn no_answer_to_syn(t: &Context) {
    let hole = super::Hole::at((super::LOCALHOST, 0)).expect("127.0.0.1");
    let uri = format!("ws://{}/media", hole.address);
    let options = [("connection_timeout", "300"), ("reconnect_attempts", "2"), ("reconnect_interval", "100")];
    let client = client(t, &[&[("uri", &*uri)], &options[..]].concat());
    let start = Instant::now();
    let words = format!(
        "failed 2 times, at last: no TCP connection to {} within 300 ms (connection_timeout)",
        hole.address
    );
    expect_failure(t, &client, &[&words]);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(700) && took < Duration::from_secs(5), "it took {took:?}");
}

/// A valid answer, one byte at a time.
fn byte_by_byte(t: &Context) {
    let peer = Peer::listen(|stream| {
        let answer = read_request(stream);
        trickle(stream, answer.as_bytes(), Duration::from_millis(1));
    });
    let client = client_of(t, "ws", &peer, &[]);
    let call = t.call(&dial_string(&client)).originate();
    call.wait_up();
}

/// The connection is up for a moment: the call ends like one whose connection is lost.
fn closed_behind_101(t: &Context) {
    let peer = ending(|stream| {
        let answer = read_request(stream);
        write(stream, answer);
    });
    let client = client_of(t, "ws", &peer, &[]);
    let call = t.call(&dial_string(&client)).originate();
    let ending = call.ending();
    assert_eq!((ending.cause, ending.tech_cause), (38, 1006));
    peer.wait_ended();
}
