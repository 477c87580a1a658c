//! Tokens, and the values of headers and URIs, stand in nothing that the module shows.

use std::fs;
use std::time::Duration;

use parking_lot::Mutex;

use super::super::super::harness::{Context, Suite};
use super::super::peer::Peer;
use super::{WHY, dial_string, with_functions};

pub fn tests(suite: &mut Suite) {
    suite.ours("connect/per_call/secrets", WHY, secrets).private_from(|| {
        with_functions().ami().debug(5).dialplan("HIDDEN = hush4711\nHIDDEN_HOST = app.test\n")
    });
}

const SECRET: &str = "hush4711";

/// Everything that is told of a call while it is up, put together.
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
        // The first server refuses, its fallback takes the call.
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
        // A value that fits nowhere.
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
