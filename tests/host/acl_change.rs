//! `incoming_acl`: what acl.conf says of it counts as soon as that is reloaded, as with Asterisk's other users of it.

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

/// The status for an application that connects with an id that nobody knows: 404 if it may connect at all.
fn status(t: &Context) -> u16 {
    t.send(&t.upgrade("no-such-id")).status
}

/// Has Asterisk take up another acl.conf, and waits until it counts: the core tells of it in its own time.
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

/// Changed rules, a list that vanishes (then nobody is let in), one that appears, and one that is not ours.
fn reload(t: &Context) {
    prepare(t);
    assert_eq!(status(t), 404);
    change(t, DENIED, 403);
    change(t, ALLOWED, 404);
    change(t, "", 403);
    change(t, &format!("[others]\npermit = 0.0.0.0/0\n{ALLOWED}"), 404);
    change(t, &format!("{DENIED}\n; more"), 403);
    // Named at a reload of ours before it is there.
    t.asterisk.write_config("chan_websocket.conf", "[global]\nincoming_acl = later\n");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 403);
    change(t, &ALLOWED.replace("apps", "later"), 404);
    // Lines beside it keep their place.
    t.asterisk
        .write_config("chan_websocket.conf", "[global]\nincoming_acl = later\nincoming_deny = 127.0.0.1\n");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 403);
    t.asterisk.write_config("chan_websocket.conf", "[global]\nincoming_acl = later\n");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 404);
}

/// A call is not taken from an application that would not be let in any more.
fn call_that_is_up(t: &Context) {
    prepare(t);
    let (_call, app) = t.incoming_app("c(ulaw)");
    change(t, DENIED, 403);
    app.command("GET_STATUS");
    app.expect_event("STATUS");
}

/// Who listens to the core's security events, as it counts them itself.
fn subscribers(t: &Context) -> usize {
    let text = t.asterisk.cli("stasis show topic security:all");
    let count = text.lines().find_map(|line| line.strip_prefix("Subscribers count: "));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

/// An unloaded module hears of nothing, leaves nothing, and hears again once it is loaded.
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
        // Told of it while it goes: neither waits for the other.
        t.asterisk.write_config("acl.conf", DENIED);
        t.asterisk.cli("module reload acl");
        t.asterisk.unload_driver();
        t.asterisk.driver("load");
        assert_eq!(status(t), 403);
        change(t, ALLOWED, 404);
    }
}
