//! TLS, with nginx as terminator and as load balancer.

use std::sync::LazyLock;

use super::super::harness::http::Request;
use super::super::harness::server::AppServer;
use super::super::harness::stream::Stream;
use super::super::harness::{Context, Frame, Suite, sandbox};
use super::super::media::noise;
use super::daemon::{Daemon, nginx};
use super::{LOCALHOST, ONCE, dial_string, expect_failure, has_ipv6, instance, pki};

pub fn tests(suite: &mut Suite) {
    for case in CASES {
        let name = format!("connect/tls/{}", case.name);
        let run = move |t: &Context| case.run(t);
        match case.differs {
            None => suite.same(name, run),
            Some(number) => suite.differs(name, number, run),
        }
        .shares("connect", instance);
    }
    suite.same("connect/tls/renewed_file", renewed_file).shares("connect", instance);
    suite
        .ours("connect/tls/behind_handshake", "the C module may leave part of a TLS record unread (3)", |t| {
            behind_handshake(t);
        })
        .shares("connect", instance);
    suite.same("connect/tls/audio", audio).shares("connect", instance);
    suite
        .ours("connect/tls/burst", "the C module may leave part of a TLS record unread (3)", burst)
        .shares("connect", instance);
    suite.same("connect/tls/balanced", balanced).shares("connect", instance);
    suite.same("connect/tls/balanced_around_dead_server", around_dead_server).shares("connect", instance);
    suite.same("connect/tls/balancer_without_servers", without_servers).shares("connect", instance);
}

/// The listeners of nginx: name, and `ssl_` directives other than the key.
const LISTENERS: &[(&str, &str)] = &[
    ("plain", "ssl_certificate @plain.crt;"),
    ("common_name", "ssl_certificate @common_name.crt;"),
    ("other", "ssl_certificate @other.crt;"),
    ("wildcard", "ssl_certificate @wildcard.crt;"),
    ("besides_names", "ssl_certificate @besides_names.crt;"),
    ("address", "ssl_certificate @address.crt;"),
    ("address_as_name", "ssl_certificate @address_as_name.crt;"),
    ("expired", "ssl_certificate @expired.crt;"),
    ("not_yet", "ssl_certificate @not_yet.crt;"),
    ("unchained", "ssl_certificate @unchained.crt;"),
    ("chained", "ssl_certificate @chained.crt;"),
    ("self_signed", "ssl_certificate @self_signed.crt;"),
    ("tls_1_2", "ssl_certificate @plain.crt; ssl_protocols TLSv1.2;"),
    ("tls_1_3", "ssl_certificate @plain.crt; ssl_protocols TLSv1.3;"),
    ("wants_client", "ssl_certificate @plain.crt; ssl_verify_client on; ssl_client_certificate @root.crt;"),
];

/// nginx with all listeners. The first part of a path is the address of the app's server: `/127.0.0.1:8000/media`.
static TERMINATOR: LazyLock<(Daemon, Vec<u16>)> = LazyLock::new(|| {
    let folder = pki::FILES.path("");
    // The last port has two names: the first certificate is used for a client without SNI.
    nginx(LISTENERS.len() + 1, |ports| {
        let (by_name, ports) = ports.split_last().expect("ports");
        let server = |port: &u16, name: &str, directives: &str| {
            let directives = directives.replace('@', &folder);
            let v6 = if has_ipv6() { format!("listen [::1]:{port} ssl;") } else { String::new() };
            format!(
                "server {{\nlisten 127.0.0.1:{port} ssl;\n{v6}\nserver_name {name};\n\
                 ssl_certificate_key {folder}key.pem;\n{directives}\n\
                 location ~ ^/(127\\.0\\.0\\.1:\\d+)(/.*)$ {{ proxy_pass http://$1$2$is_args$args; }}\n}}\n"
            )
        };
        let servers = ports.iter().zip(LISTENERS);
        let mut all: String = servers
            .map(|(port, (name, directives))| server(port, &format!("{name}.listener"), directives))
            .collect();
        all.push_str(&server(by_name, "other.test", "ssl_certificate @other.crt;"));
        all.push_str(&server(by_name, "app.test", "ssl_certificate @plain.crt;"));
        all
    })
});

fn port(listener: &str) -> u16 {
    let (_, ports) = &*TERMINATOR;
    let index = LISTENERS.iter().position(|(name, _)| *name == listener).unwrap_or(LISTENERS.len());
    ports[index]
}

/// One way to connect through nginx.
struct Case {
    name: &'static str,
    listener: &'static str,
    /// Scheme and host of the URI.
    to: &'static str,
    /// Options of the client; `@` stands for the folder with the certificates.
    options: &'static [(&'static str, &'static str)],
    /// What the log says if our module fails; `None` if it connects.
    fails: Option<&'static str>,
    /// The number of the difference, if the C module fails and ours does not.
    differs: Option<&'static str>,
}

const TLS: (&str, &str) = ("tls_enabled", "yes");
/// Trusts our authority.
pub const CA: (&str, &str) = ("ca_list_file", "@root.crt");
const NO_CERT: (&str, &str) = ("verify_server_cert", "no");
const NO_NAME: (&str, &str) = ("verify_server_hostname", "no");

const fn connects(
    name: &'static str,
    listener: &'static str,
    to: &'static str,
    options: &'static [(&'static str, &'static str)],
) -> Case {
    Case { name, listener, to, options, fails: None, differs: None }
}

/// A case in which the C module fails.
const fn ours_connects(
    name: &'static str,
    listener: &'static str,
    to: &'static str,
    options: &'static [(&'static str, &'static str)],
    number: &'static str,
) -> Case {
    Case { name, listener, to, options, fails: None, differs: Some(number) }
}

const fn fails(
    name: &'static str,
    listener: &'static str,
    to: &'static str,
    options: &'static [(&'static str, &'static str)],
    words: &'static str,
) -> Case {
    Case { name, listener, to, options, fails: Some(words), differs: None }
}

const CASES: &[Case] = &[
    connects("trusted", "plain", "wss://app.test", &[TLS, CA]),
    connects("authorities_in_folder", "plain", "wss://app.test", &[TLS, ("ca_list_path", "@authorities")]),
    connects("enabled_for_ws", "plain", "ws://app.test", &[TLS, CA]),
    connects("tls_1_2", "tls_1_2", "wss://app.test", &[TLS, CA]),
    connects("tls_1_3", "tls_1_3", "wss://app.test", &[TLS, CA]),
    connects("common_name", "common_name", "wss://app.test", &[TLS, CA]),
    connects("common_name/besides_names", "besides_names", "wss://app.test", &[TLS, CA]),
    connects("common_name/address", "address_as_name", "wss://127.0.0.1", &[TLS, CA]),
    connects("chain", "chained", "wss://app.test", &[TLS, CA]),
    connects("by_name", "by name", "wss://app.test", &[TLS, CA]),
    connects(
        "self_signed/trusted",
        "self_signed",
        "wss://app.test",
        &[TLS, ("ca_list_file", "@self_signed.crt")],
    ),
    connects("self_signed/unverified", "self_signed", "wss://app.test", &[TLS, NO_CERT]),
    connects("expired/unverified", "expired", "wss://app.test", &[TLS, CA, NO_CERT]),
    connects("wrong_name/unverified_name", "other", "wss://app.test", &[TLS, CA, NO_NAME]),
    connects("wrong_name/unverified", "other", "wss://app.test", &[TLS, CA, NO_CERT]),
    connects(
        "client_certificate",
        "wants_client",
        "wss://app.test",
        &[TLS, CA, ("cert_file", "@client.crt"), ("priv_key_file", "@key.pem")],
    ),
    connects(
        "client_certificate/one_file",
        "wants_client",
        "wss://app.test",
        &[TLS, CA, ("cert_file", "@client_with_key.crt")],
    ),
    connects("missing_file/cert_file", "plain", "wss://app.test", &[TLS, CA, ("cert_file", "@missing.crt")]),
    connects(
        "missing_file/priv_key_file",
        "plain",
        "wss://app.test",
        &[TLS, CA, ("cert_file", "@client.crt"), ("priv_key_file", "@missing.key")],
    ),
    connects(
        "missing_file/unverified",
        "plain",
        "wss://app.test",
        &[TLS, ("ca_list_file", "@missing.crt"), NO_CERT],
    ),
    ours_connects("wss_is_tls", "plain", "wss://app.test", &[CA], "12"),
    ours_connects("absolute_name", "plain", "wss://app.test.", &[TLS, CA], "12"),
    ours_connects("wildcard", "wildcard", "wss://app.wild.test", &[TLS, CA], "12"),
    ours_connects("address", "address", "wss://127.0.0.1", &[TLS, CA], "12"),
    ours_connects("address_v6", "address", "wss://[::1]", &[TLS, CA], "12, 13"),
    ours_connects("system_authorities", "plain", "wss://app.test", &[TLS], "12"),
    fails(
        "expired",
        "expired",
        "wss://app.test",
        &[TLS, CA],
        "certificate of 'app.test' is not trusted: certificate has expired",
    ),
    fails("not_yet", "not_yet", "wss://app.test", &[TLS, CA], "is not trusted: certificate is not yet valid"),
    fails("wrong_name", "other", "wss://app.test", &[TLS, CA], "certificate is not for 'app.test'"),
    fails("wrong_address", "plain", "wss://127.0.0.1", &[TLS, CA], "certificate is not for '127.0.0.1'"),
    fails(
        "wildcard/too_deep",
        "wildcard",
        "wss://a.b.wild.test",
        &[TLS, CA],
        "certificate is not for 'a.b.wild.test'",
    ),
    fails(
        "chain/incomplete",
        "unchained",
        "wss://app.test",
        &[TLS, CA],
        "unable to get local issuer certificate",
    ),
    fails(
        "self_signed",
        "self_signed",
        "wss://app.test",
        &[TLS, CA],
        "is not trusted: self-signed certificate",
    ),
    fails(
        "other_authorities",
        "plain",
        "wss://app.test",
        &[TLS, ("ca_list_file", "@self_signed.crt")],
        "is not trusted",
    ),
    fails(
        "system_authorities/unknown",
        "self_signed",
        "wss://app.test",
        &[TLS],
        "is not trusted: self-signed certificate",
    ),
    fails(
        "client_certificate/missing",
        "wants_client",
        "wss://app.test",
        &[TLS, CA],
        "the server refused (400 Bad Request)",
    ),
    fails(
        "missing_file/ca_list_file",
        "plain",
        "wss://app.test",
        &[TLS, ("ca_list_file", "@missing.crt")],
        "missing.crt' cannot be loaded: No such file or directory",
    ),
    fails(
        "missing_file/no_certificate",
        "plain",
        "wss://app.test",
        &[TLS, ("ca_list_file", "@no_certificate.crt")],
        "no_certificate.crt' cannot be loaded",
    ),
];

impl Case {
    fn run(&self, t: &Context) {
        if self.to.contains("::1") && !has_ipv6() {
            eprintln!("connect/tls/{}: this machine has no IPv6, nothing tested", self.name);
            return;
        }
        // Ours logs this when it connects without the certificate.
        t.allow_log("connecting without a client certificate");
        let uri = format!("{}:{}/{{address}}/media", self.to, port(self.listener));
        let server = server(t, &uri, self.options);
        if self.fails.is_none() && (t.is_ours() || self.differs.is_none()) {
            connect(t, &server);
        } else {
            expect_failure(t, &server.client, &[self.fails.unwrap_or_default()]);
        }
    }
}

/// The path to an app's server through this listener, whose certificate should be for app.test.
pub fn uri(listener: &str) -> String {
    format!("wss://app.test:{}/{{address}}/media", port(listener))
}

/// The path through a listener with a valid certificate.
pub fn trusted_uri() -> String {
    uri("plain")
}

/// An app's server with this URI.
pub fn server(t: &Context, uri: &str, options: &[(&str, &str)]) -> AppServer {
    let folder = pki::FILES.path("");
    let options: Vec<_> = options.iter().map(|(name, value)| (*name, value.replace('@', &folder))).collect();
    let mut all = vec![("uri", uri), ONCE, ("connection_timeout", "2000")];
    all.extend(options.iter().map(|(name, value)| (*name, value.as_str())));
    t.server(&all)
}

fn connect(t: &Context, server: &AppServer) {
    let call = t.call(&dial_string(&server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    assert_eq!(server.request(0).target, "/media");
}

/// An app's server behind a listener with a valid certificate.
fn trusted(t: &Context) -> AppServer {
    server(t, &trusted_uri(), &[TLS, CA])
}

/// Media in both directions.
fn audio(t: &Context) {
    let server = trusted(t);
    let call = t.call(&dial_string(&server.client)).extension("echo").originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_application("Echo");
    let media = noise(8000);
    for message in media.chunks(160) {
        app.send_media(message);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(app.collect_media(media.len()), media);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

/// The app sends everything in one write and so in one TLS record; no later data would wake the reader.
fn burst(t: &Context) {
    let server = trusted(t);
    let call = t.call(&dial_string(&server.client)).extension("echo").originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_application("Echo");
    let media = noise(800);
    let mut frames = vec![Frame::text("PAUSE_MEDIA")];
    frames.extend(media.chunks(160).map(Frame::binary));
    frames.extend([Frame::text("GET_STATUS"), Frame::text("CONTINUE_MEDIA"), Frame::text("MARK_MEDIA end")]);
    app.send_frames(&frames);
    assert_eq!(app.expect_event("STATUS").get("queue_length"), "5");
    assert_eq!(app.collect_media(media.len()), media);
    assert_eq!(app.expect_event("MEDIA_MARK_PROCESSED").get("correlation_id"), "end");
}

/// A replaced list of authorities is used by the next call.
fn renewed_file(t: &Context) {
    let file = t.asterisk.folder().join("etc/authorities.crt");
    let path = sandbox::inside(&file);
    let copy = |name: &str| {
        std::fs::copy(sandbox::root().join(&pki::FILES.path(name)[1..]), &file).expect("copy");
    };
    copy("self_signed.crt");
    let server = server(t, &trusted_uri(), &[TLS]);
    let uri = trusted_uri().replace("{address}", &server.address.to_string());
    let client = super::client(
        t,
        &[("uri", &uri), TLS, ("ca_list_file", &path), ONCE, ("connection_timeout", "2000")],
    );
    expect_failure(t, &client, &["is not trusted"]);
    copy("root.crt");
    let call = t.call(&dial_string(&client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
}

/// A record that begins with the 101 and continues with many messages: OpenSSL has all of them at once, and the socket
/// has no more data.
fn behind_handshake(t: &Context) {
    let (listener, port) = tls_listener();
    let (uri, ca) = (format!("wss://app.test:{port}/media"), pki::FILES.path("root.crt"));
    let client =
        super::client(t, &[("uri", &uri), ("ca_list_file", &ca), ONCE, ("connection_timeout", "2000")]);
    let call = t.call(&dial_string(&client)).originate();
    let mut request = Request::read(listener).expect("a request");
    let mut frames = vec![Frame::text("PAUSE_MEDIA")];
    frames.extend((0..70).map(|_| Frame::binary(vec![0x55; 160])));
    frames.push(Frame::text("GET_STATUS"));
    let behind: Vec<u8> = frames.into_iter().flat_map(|frame| frame.unmasked().encode()).collect();
    assert!((8192..16000).contains(&behind.len()), "{} bytes", behind.len());
    let answer = request.accepted("Sec-WebSocket-Protocol: media\r\n", &behind);
    request.respond(&answer);
    let mut next = || {
        let frame = Frame::read(&mut request.stream).expect("a frame");
        String::from_utf8(frame.payload).expect("an event")
    };
    assert!(next().starts_with("MEDIA_START "));
    let status = next();
    assert!(status.starts_with("STATUS ") && status.contains(" queue_length:70 "), "{status}");
    drop(call);
}

/// A TLS server for one connection. What is written to the stream is sent as one record.
fn tls_listener() -> (Stream, u16) {
    let folder = pki::FILES.path("");
    let (cert, key) = (format!("{folder}plain.crt"), format!("{folder}key.pem"));
    Stream::tls_listener(&cert, &key).expect("openssl s_server")
}

/// nginx as a load balancer in front of these servers, and its port.
fn balancer(servers: &[String]) -> (Daemon, u16) {
    let folder = pki::FILES.path("");
    let servers: String = servers.iter().map(|server| format!("server {server};\n")).collect();
    let (daemon, ports) = nginx(1, |ports| {
        format!(
            "upstream apps {{\n{servers}}}\nserver {{\nlisten 127.0.0.1:{} ssl;\nssl_certificate {folder}plain.crt;\n\
             ssl_certificate_key {folder}key.pem;\nlocation / {{ proxy_pass http://apps; }}\n}}\n",
            ports[0]
        )
    });
    (daemon, ports[0])
}

/// A client whose URI leads to a load balancer in front of these servers.
pub fn balanced_client(t: &Context, servers: &[String]) -> (Daemon, String) {
    let (daemon, port) = balancer(servers);
    let (uri, ca) = (format!("wss://app.test:{port}/media"), pki::FILES.path("root.crt"));
    let client =
        super::client(t, &[("uri", &uri), TLS, ("ca_list_file", &ca), ONCE, ("connection_timeout", "2000")]);
    (daemon, client)
}

/// Two apps share the calls; each call stays with its app to the end.
fn balanced(t: &Context) {
    let (one, other) = (t.server(&[]), t.server(&[]));
    let (_nginx, client) = balanced_client(t, &[one.address.to_string(), other.address.to_string()]);
    let calls: Vec<_> = (0..4).map(|_| t.call(&dial_string(&client)).originate()).collect();
    let apps = [one.accept(), one.accept(), other.accept(), other.accept()];
    let mut ids: Vec<String> = apps.iter().map(|app| app.expect_media_start().get("channel_id")).collect();
    let mut expected: Vec<String> = calls.iter().map(|call| call.id.clone()).collect();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
    for app in &apps {
        app.command("HANGUP");
        assert_eq!(app.expect_close(), 1000);
    }
    for call in &calls {
        call.ending();
    }
}

/// One of the two is down: the balancer skips it.
fn around_dead_server(t: &Context) {
    let alive = t.server(&[]);
    let dead = format!("{LOCALHOST}:{}", super::super::harness::ports::free());
    let (_nginx, client) = balanced_client(t, &[dead, alive.address.to_string()]);
    for _ in 0..2 {
        let call = t.call(&dial_string(&client)).originate();
        let app = alive.accept();
        app.expect_media_start();
        call.wait_up();
    }
}

/// The balancer answers, but it has no server.
fn without_servers(t: &Context) {
    let dead = format!("{LOCALHOST}:{}", super::super::harness::ports::free());
    let (_nginx, client) = balanced_client(t, &[dead]);
    expect_failure(t, &client, &["the server failed (502 Bad Gateway)"]);
}
