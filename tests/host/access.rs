//! Who may connect to an INCOMING channel, and until when: the `incoming_` options of chan_websocket.conf.

use super::harness::{Context, InstanceConfig, Suite};

const WHY: &str = "the C module has no such checks";

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &str, options: &str, body: fn(&Context)| {
        let config = InstanceConfig::new().our_file("chan_websocket.conf", &format!("[global]\n{options}"));
        suite.ours(format!("access/{name}"), WHY, body).private_with(config);
    };
    ours("denied", "incoming_deny = 127.0.0.0/8\n", refused);
    ours("permitted_again", "incoming_deny = 0.0.0.0/0\nincoming_permit = 127.0.0.1\n", let_in);
    ours("unreadable_rule", "incoming_permit = not-an-address\n", |t| {
        t.allow_log("not-an-address");
        refused(t);
    });
    ours("tls_required", "incoming_require_tls = yes\n", tls_required);
    ours("origins", "incoming_origins = https://app.example, https://b.example\n", origins);
    ours("timeout", "incoming_timeout = 1\n", timeout);
}

/// The answer is 403, whether the id is known or not. The channel keeps waiting.
fn refused(t: &Context) {
    t.allow_log("refused");
    let call = t.incoming("c(ulaw)");
    for id in [call.connection_id(), "no-such-id".to_owned()] {
        assert_eq!(t.send(&t.upgrade(&id)).status, 403);
    }
    assert_eq!(call.state().as_deref(), Some("Down"));
}

fn let_in(t: &Context) {
    let call = t.incoming("c(ulaw)");
    call.connect().expect_media_start();
}

fn tls_required(t: &Context) {
    t.allow_log("refused");
    // Asterisk's HTTPS server logs this when an app disconnects without a TLS close_notify.
    t.allow_log("SSL_shutdown");
    let call = t.incoming("c(ulaw)");
    assert_eq!(t.send(&t.upgrade(&call.connection_id())).status, 403);
    t.connect_tls(&call.connection_id()).expect_media_start();
}

/// A browser from another origin is refused. A client that is not a browser sends no Origin.
fn origins(t: &Context) {
    t.allow_log("refused");
    let call = t.incoming("c(ulaw)");
    let upgrade = || t.upgrade(&call.connection_id());
    assert_eq!(t.send(&upgrade().header("Origin", "https://evil.example")).status, 403);
    t.app(t.send(&upgrade().header("Origin", "https://B.example"))).expect_media_start();
    t.incoming("c(ulaw)").connect().expect_media_start();
}

/// A channel to which no application connects is hung up; a channel with an application is not.
fn timeout(t: &Context) {
    t.allow_log("no application has connected in time");
    let (kept, app) = t.incoming_app("c(ulaw)");
    let call = t.incoming("c(ulaw)");
    assert_eq!(call.ending().cause, 19);
    assert!(kept.state().is_some());
    app.command("HANGUP");
    assert_eq!(kept.ending().cause, 16);
}
