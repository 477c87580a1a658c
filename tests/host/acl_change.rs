//! `incoming_acl`: a changed acl.conf takes effect as soon as it is reloaded, as for Asterisk's other users of it.

use super::harness::{Context, InstanceConfig, Suite, wait};

const WHY: &str = "the C module has no access rules";

pub fn tests(suite: &mut Suite) {
    let config = || {
        InstanceConfig::new()
            .file("acl.conf", ALLOWED)
            .our_file("chan_websocket.conf", "[global]\nincoming_acl = apps\n")
    };
    suite.ours("acl_change/reload", WHY, reload).private_from(config);
    suite.ours("acl_change/call", WHY, call_that_is_up).private_from(config);
    suite.ours("acl_change/cycles", WHY, cycles).private_from(config);
}

const ALLOWED: &str = "[apps]\ndeny = 0.0.0.0/0\npermit = 127.0.0.1\n";
const DENIED: &str = "[apps]\ndeny = 0.0.0.0/0\n";

/// The status for an application that connects with an unknown id: 404 if it may connect at all.
fn status(t: &Context) -> u16 {
    t.send(&t.upgrade("no-such-id")).status
}

/// Makes Asterisk reload a changed acl.conf, and waits until it takes effect: the core announces it some time later.
#[track_caller]
fn change(t: &Context, text: &str, status_then: u16) {
    t.asterisk.write_config("acl.conf", text);
    t.asterisk.cli("module reload acl");
    wait::until(&format!("{status_then} with {text:?}"), || status(t) == status_then);
}

fn prepare(t: &Context) {
    for text in ["refused", "not found", "ACL"] {
        t.allow_log(text);
    }
}

/// Changed rules, a list that is removed (then nobody may connect), a list that is added, and a list of another module.
fn reload(t: &Context) {
    prepare(t);
    assert_eq!(status(t), 404);
    change(t, DENIED, 403);
    change(t, ALLOWED, 404);
    change(t, "", 403);
    change(t, &format!("[others]\npermit = 0.0.0.0/0\n{ALLOWED}"), 404);
    change(t, &format!("{DENIED}\n; more"), 403);
    // The list is named at a reload of our module before it exists.
    t.asterisk.write_config("chan_websocket.conf", "[global]\nincoming_acl = later\n");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 403);
    change(t, &ALLOWED.replace("apps", "later"), 404);
    // Rules beside `incoming_acl` apply in their position.
    t.asterisk
        .write_config("chan_websocket.conf", "[global]\nincoming_acl = later\nincoming_deny = 127.0.0.1\n");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 403);
    t.asterisk.write_config("chan_websocket.conf", "[global]\nincoming_acl = later\n");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 404);
}

/// A call that is up continues, even if its application would be refused now.
fn call_that_is_up(t: &Context) {
    prepare(t);
    let (_call, app) = t.incoming_app("c(ulaw)");
    change(t, DENIED, 403);
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}

/// The number of subscribers to the core's security events, as the core counts them.
fn subscribers(t: &Context) -> usize {
    let text = t.asterisk.cli("stasis show topic security:all");
    let count = text.lines().find_map(|line| line.strip_prefix("Subscribers count: "));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

/// An unloaded module gets no messages and leaves nothing behind. It gets them again once it is loaded.
fn cycles(t: &Context) {
    prepare(t);
    let while_loaded = subscribers(t);
    for _ in 0..5 {
        t.asterisk.unload_driver();
        assert_eq!(subscribers(t), while_loaded - 1);
        t.asterisk.write_config("acl.conf", DENIED);
        t.asterisk.cli("module reload acl");
        t.asterisk.driver("load");
        assert_eq!(subscribers(t), while_loaded);
        assert_eq!(status(t), 403);
        change(t, ALLOWED, 404);
        // The change is announced while the module unloads: neither waits for the other.
        t.asterisk.write_config("acl.conf", DENIED);
        t.asterisk.cli("module reload acl");
        t.asterisk.unload_driver();
        t.asterisk.driver("load");
        assert_eq!(status(t), 403);
        change(t, ALLOWED, 404);
    }
}
