//! Nothing that the module shows contains tokens, or the values of headers and URIs.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use parking_lot::Mutex;

use super::super::super::harness::{Context, Reply, Suite, wait};
use super::super::peer::Peer;
use super::super::tls;
use super::{WHY, dial_string, with_functions};

pub fn tests(suite: &mut Suite) {
    suite.ours("connect/per_call/secrets", WHY, secrets).private_from(|| {
        with_functions().ami().debug(5).dialplan("HIDDEN = hush4711\nHIDDEN_HOST = app.test\n")
    });
    // Evaluated when the test runs: listing the tests needs neither nginx nor certificates.
    let ways: [(_, fn() -> String); 2] =
        [("ws", || "ws://{address}/media".to_owned()), ("wss", tls::trusted_uri)];
    for (name, uri) in ways {
        suite
            .ours(format!("connect/per_call/core_dump/{name}"), WHY, move |t| core_dump(t, &uri()))
            .private_from(with_functions);
    }
}

const SECRET: &str = "hush4711";

/// Everything that is shown of a call while it is up.
fn told(t: &Context, channel: &str) -> String {
    let mut all = String::new();
    for command in [
        "websocket show channels",
        &format!("websocket show channel {channel}"),
        "websocket show stats",
        "websocket show settings",
        "websocket show figures",
    ] {
        all += &t.asterisk.cli(command);
    }
    let (_, blocks, _) = t.ami("all").list("WebSocketShowChannels", &[]);
    all + &format!("{blocks:?}")
}

fn secrets(t: &Context) {
    super::super::allow_failure(t);
    t.allow_log("chan_websocket.conf: ");
    t.allow_log("the call is not made");
    t.asterisk.cli("core set debug 0");
    t.asterisk.cli("core set debug 5 chan_websocket");
    let ami = t.ami("all");
    let mark = t.asterisk.log.len();
    let token = t.asterisk.folder().join("etc/token");
    fs::write(&token, SECRET).expect("token");
    let file = t.asterisk.inside("etc/token");
    let refusing = Peer::listen(|stream| {
        super::super::peer::read_request(stream);
        super::super::peer::write(stream, "HTTP/1.1 401 No\r\n\r\n");
        let _ = stream.shutdown(std::net::Shutdown::Write);
    });
    let mut all = String::new();
    for bearer in [("bearer_token", SECRET), ("bearer_token_file", file.as_str())] {
        let server = t.server(&[]);
        let down =
            super::super::client(t, &[("uri", &format!("ws://{}/", refusing.address)), super::super::ONCE]);
        let uri = |address: std::net::SocketAddr| format!("ws://{address}/${{HIDDEN}}?token=${{HIDDEN}}");
        let section = |uri: &str, fallback: &str| {
            let headers =
                [("header", "X-Key: ${HIDDEN}"), ("header", "X-Literal: hush4711"), bearer, ("uri", uri)];
            [&headers[..], &[("fallback", fallback)][..]]
                .concat()
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect::<Vec<_>>()
        };
        let add = |client: &str, section: &[(String, String)]| {
            let section: Vec<_> =
                section.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            t.asterisk.add_connection(client, &section);
        };
        add(&server.client, &section(&uri(server.address), "nobody"));
        add(&down, &section(&uri(refusing.address), &server.client));
        // The first server refuses; its fallback takes the call.
        let call = t.call(&dial_string(&down)).originate();
        let app = server.accept();
        app.expect_media_start();
        let head = server.request(0);
        assert_eq!(head.header("Authorization"), Some("Bearer hush4711"));
        assert_eq!(head.target, "/hush4711?token=hush4711");
        assert_eq!(super::values(&head, "X-Key"), [SECRET]);
        all += &told(t, &call.name);
        app.command("HANGUP");
        app.expect_close();
        // A value that is not valid anywhere.
        let bad = t.server(&[]);
        let section = [("header", "X-Key: ${HIDDEN}${SHELL(printf 'x\\ny')}"), bearer];
        t.asterisk.add_connection(&bad.client, &section);
        assert_eq!(t.call(&dial_string(&bad.client)).originate().ending().cause, 38);
    }
    t.asterisk
        .add_connection("refused", &[("bearer_token", "hush4711 ${HIDDEN}"), ("header", "Host: hush4711")]);
    ami.wait("the events of the calls", |block| block.get("Event") == "WebSocketDisconnected");
    let log = t.asterisk.log.since(mark);
    assert!(log.contains("DEBUG") && log.contains("its fallback"), "no debug messages:\n{log}");
    all += &log;
    all += &format!("{:?}", t.ari().events());
    let blocks = Mutex::new(String::new());
    ami.find(Duration::ZERO, |block| {
        *blocks.lock() += &format!("{block:?}\n");
        false
    });
    all += &blocks.into_inner();
    assert!(all.contains("Client") && all.contains("X-Key"), "{all}");
    let leak = all.lines().find(|line| line.contains(SECRET));
    assert!(leak.is_none(), "{leak:?}");
}

/// How often the memory of a process, as a core dump would have it, contains this text.
fn in_memory(pid: u32, text: &str) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("maps");
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("mem");
    let found = maps.lines().filter(|line| !line.contains("[v")).filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let address = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (address(start)?, address(end)?);
        let mut bytes = vec![0; usize::try_from(end - start).ok().filter(|_| rest.starts_with("rw"))?];
        let len = memory.read_at(&mut bytes, start).ok()?;
        Some(memmem(&bytes[..len], text.as_bytes()))
    });
    found.sum()
}

fn memmem(bytes: &[u8], text: &[u8]) -> usize {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == text[0]).map(|(at, _)| at);
    starts.filter(|at| bytes[*at..].starts_with(text)).count()
}

/// A token from a file is not in Asterisk's memory once it has been sent, whatever the server answers.
fn core_dump(t: &Context, uri: &str) {
    super::super::allow_failure(t);
    // It must be this long: the allocator uses the first bytes of freed memory.
    let token = format!("forget-me.{}.forget-me", "0123456789".repeat(20));
    let path = t.asterisk.folder().join("etc/token");
    fs::write(&path, format!("{token}\n")).expect("token");
    let file = t.asterisk.inside("etc/token");
    let section = [("bearer_token_file", file.as_str()), ("header", "X-Call: ${UNIQUEID}")];
    let refusing = t.server_with(&[super::super::ONCE], |_, _| Reply::Refuse(401));
    let server = tls::server(t, uri, &[tls::CA]);
    t.asterisk.add_connection(&refusing.client, &section);
    t.asterisk.add_connection(&server.client, &section);
    t.call(&dial_string(&refusing.client)).originate().ending();
    let call = t.call(&dial_string(&server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    let sent = format!("Bearer {token}");
    assert_eq!(server.request(0).header("Authorization"), Some(&*sent));
    assert_eq!(refusing.request(0).header("Authorization"), Some(&*sent));
    let pid = t.asterisk.pid();
    assert!(in_memory(pid, &server.client) > 0, "the search does not find a text that is in memory");
    // The rest is long enough to be searched for.
    wait::until("the token is forgotten", || in_memory(pid, &token[100..]) == 0);
    call.hangup();
    call.ending();
    assert_eq!(in_memory(pid, &token[100..]), 0);
}
