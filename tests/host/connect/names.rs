//! Name look-up, with our own name server.

use std::time::{Duration, Instant};

use super::super::harness::{Context, Suite, ports};
use super::{
    ONCE, caller, client, dial_string, expect_failure, expect_failure_logged, has_ipv6, instance, unavailable,
};

pub fn tests(suite: &mut Suite) {
    suite.same("connect/names/resolves", |t| connects(t, "app.test")).shares("connect", instance);
    suite.same("connect/names/slow", |t| connects(t, "400.slow.test")).shares("connect", instance);
    for name in ["many.test", "both.test"] {
        suite
            .differs(format!("connect/names/first_refuses/{name}"), "13", move |t| first_refuses(t, name))
            .shares("connect", instance);
    }
    suite.same("connect/names/all_refuse", all_refuse).shares("connect", instance);
    for (name, words) in [
        ("missing.test", "look-up of the name missing.test failed: Name or service not known"),
        ("broken.test", "look-up of the name broken.test failed: Temporary failure in name resolution"),
        ("empty.test", "look-up of the name empty.test failed: No address associated with hostname"),
    ] {
        suite
            .same(format!("connect/names/fails/{name}"), move |t| {
                let uri = format!("ws://{name}:{}/media", ports::free());
                expect_failure(t, &client(t, &[("uri", &uri), ONCE]), &[words]);
            })
            .shares("connect", instance);
    }
    suite
        .ours("connect/names/first_hangs", "the C module knows one address (13)", first_hangs)
        .shares("connect", instance);
    suite
        .ours("connect/names/silent", "the C module waits for as long as the resolver does (1)", silent)
        .shares("connect", instance);
}

/// The URI of a server on a free port, reached by this name.
fn uri(name: &str) -> String {
    format!("ws://{name}:{{port}}/media")
}

fn connects(t: &Context, name: &str) {
    let server = t.server(&[("uri", &uri(name)), ONCE]);
    let call = t.call(&dial_string(&server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    assert_eq!(server.request(0).header("Host"), Some(&*format!("{name}:{}", server.address.port())));
}

/// The last of the addresses has a listener; those before it do not.
fn first_refuses(t: &Context, name: &str) {
    let server = t.server(&[("uri", &uri(name)), ONCE]);
    if t.is_ours() || !has_ipv6() {
        let call = t.call(&dial_string(&server.client)).originate();
        let app = server.accept();
        app.expect_media_start();
        call.wait_up();
    } else {
        expect_failure(t, &server.client, &[]);
    }
}

fn all_refuse(t: &Context) {
    let uri = format!("ws://four.test:{}/media", ports::free());
    expect_failure(
        t,
        &client(t, &[("uri", &uri), ONCE]),
        &["Connection refused", "(the last of 4 addresses)"],
    );
}

/// The first address does not answer the SYN: the next one is tried after connection_timeout.
fn first_hangs(t: &Context) {
    let server = t.server(&[("uri", &uri("both.test")), ONCE, ("connection_timeout", "300")]);
    let Some(_hole) = super::Hole::at(("::1", server.address.port())) else {
        eprintln!("connect/names/first_hangs: this machine has no IPv6, nothing tested");
        return;
    };
    let start = Instant::now();
    let call = t.call(&dial_string(&server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    call.wait_up();
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(6), "it took {took:?}");
}

/// A name server that does not answer delays only this call, and for no longer than handshake_timeout.
fn silent(t: &Context) {
    let client = client(t, &[("uri", "ws://silent.test:80/media"), ONCE]);
    t.asterisk.add_connection(&client, &[("handshake_timeout", "2000")]);
    super::allow_failure(t);
    let start = Instant::now();
    let waiting = caller(t, &client, "10");
    connects(t, "app.test");
    assert!(waiting.try_dial_result(Duration::ZERO).is_none(), "another call took as long");
    assert_eq!(waiting.dial_result(), unavailable());
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(6), "it took {took:?}");
    expect_failure_logged(t, &client, &["look-up of the name silent.test did not end within 2000 ms"]);
}
