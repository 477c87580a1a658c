//! Outgoing connections through an HTTP proxy: Debian's tinyproxy.

use std::sync::LazyLock;

use super::super::harness::{Context, Suite, ports};
use super::super::media::noise;
use super::daemon::{Daemon, tinyproxy};
use super::peer::Peer;
use super::{ONCE, dial_string, expect_failure, instance, tls};

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &str, body: fn(&Context)| {
        let reason = "22.10.1 has no proxy_host";
        suite.ours(format!("connect/proxy/{name}"), reason, body).shares("connect", instance);
    };
    ours("plain", |t| carries(t, &OPEN, "ws://127.0.0.1:{port}/media", &[]));
    ours("name", |t| carries(t, &OPEN, "ws://app.test:{port}/media", &[]));
    ours("tls", |t| carries(t, &OPEN, &tls::trusted_uri(), &[]));
    ours("authorization", |t| carries(t, &GUARDED, "ws://127.0.0.1:{port}/media", &CREDENTIALS));
    ours("authorization_and_tls", |t| carries(t, &GUARDED, &tls::trusted_uri(), &CREDENTIALS));
    ours("no_authorization", |t| refused(t, &GUARDED, &[], "does not accept the credentials (407)"));
    ours("wrong_authorization", |t| refused(t, &GUARDED, &WRONG, "does not accept the credentials (407)"));
    ours("forbidden", |t| refused(t, &STRICT, &[], "refused to connect us (403"));
    ours("nobody_behind_it", nobody_behind_it);
    ours("by_name", by_name);
    ours("wrong_certificate_behind_it", wrong_certificate);
    ours("not_there", not_there);
    ours("silent", silent);
}

static OPEN: LazyLock<(Daemon, u16)> = LazyLock::new(|| tinyproxy(""));
static GUARDED: LazyLock<(Daemon, u16)> = LazyLock::new(|| tinyproxy("BasicAuth jim hushhush\n"));
static STRICT: LazyLock<(Daemon, u16)> = LazyLock::new(|| tinyproxy("ConnectPort 443\n"));

/// The port of the proxy that requires credentials: `jim`, `hushhush`.
pub fn guarded_port() -> u16 {
    GUARDED.1
}

type Proxy = LazyLock<(Daemon, u16)>;
type Options = [(&'static str, &'static str)];

const CREDENTIALS: [(&str, &str); 2] = [("proxy_username", "jim"), ("proxy_password", "hushhush")];
const WRONG: [(&str, &str); 2] = [("proxy_username", "jim"), ("proxy_password", "hush")];

fn use_proxy(t: &Context, client: &str, host: &str, options: &Options) {
    let mut all = vec![("proxy_host", host)];
    all.extend_from_slice(options);
    t.asterisk.add_connection(client, &all);
}

/// A call through the proxy, with media both ways.
fn carries(t: &Context, proxy: &Proxy, uri: &str, options: &Options) {
    let (daemon, port) = &**proxy;
    let server = tls::server(t, uri, &[tls::CA]);
    use_proxy(t, &server.client, &format!("127.0.0.1:{port}"), options);
    let call = t.call(&dial_string(&server.client)).extension("echo").originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_application("Echo");
    let media = noise(800);
    app.send_media(&media);
    assert_eq!(app.collect_media(media.len()), media);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    // The connection goes through the proxy: it is in the proxy's log.
    let target = uri.split('/').nth(2).unwrap_or_default();
    let connect = format!("CONNECT {}", target.replace("{port}", &server.address.port().to_string()));
    assert!(daemon.log().contains(&connect), "no {connect} in the proxy's log:\n{}", daemon.log());
}

fn refused(t: &Context, proxy: &Proxy, options: &Options, words: &str) {
    let server = t.server(&[ONCE]);
    let host = format!("127.0.0.1:{}", proxy.1);
    use_proxy(t, &server.client, &host, options);
    expect_failure(t, &server.client, &[words, &format!("the proxy {host}")]);
    assert_eq!(server.requests(), 0);
}

fn nobody_behind_it(t: &Context) {
    let uri = format!("ws://127.0.0.1:{}/media", ports::free());
    let client = super::client(t, &[("uri", &uri), ONCE]);
    use_proxy(t, &client, &format!("127.0.0.1:{}", OPEN.1), &[]);
    expect_failure(t, &client, &["refused to connect us (50"]);
}

/// Asterisk resolves the proxy's name, the proxy that of the server.
fn by_name(t: &Context) {
    let server = t.server(&[ONCE]);
    use_proxy(t, &server.client, &format!("both.test:{}", OPEN.1), &[]);
    let call = t.call(&dial_string(&server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
}

/// The certificate has to be the server's; the proxy does not matter.
fn wrong_certificate(t: &Context) {
    let server = tls::server(t, &tls::uri("other"), &[tls::CA]);
    use_proxy(t, &server.client, &format!("127.0.0.1:{}", OPEN.1), &[]);
    expect_failure(t, &server.client, &["certificate is not for 'app.test'"]);
}

fn not_there(t: &Context) {
    let server = t.server(&[ONCE]);
    let host = format!("127.0.0.1:{}", ports::free());
    use_proxy(t, &server.client, &host, &[]);
    expect_failure(t, &server.client, &[&format!("TCP connection to {host} failed: Connection refused")]);
}

fn silent(t: &Context) {
    let server = t.server(&[ONCE]);
    let proxy = Peer::listen(|_| {});
    use_proxy(t, &server.client, &proxy.address.to_string(), &[("handshake_timeout", "700")]);
    expect_failure(t, &server.client, &["the proxy's answer did not come within 700 ms (handshake_timeout)"]);
    proxy.wait_ended();
}
