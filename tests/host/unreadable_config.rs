//! A chan_websocket.conf that cannot be read, or whose access rules are invalid: no application may connect that the
//! file might have refused.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::harness::{Context, Format, Suite};

const WHY: &str = "the C module has no access rules";
const FILE: &str = "chan_websocket.conf";

/// Replaces the file by something that cannot be read.
type Spoil = fn(&Path);

/// Mistakes of an operator.
const SPOILS: &[(&str, Spoil)] = &[
    ("directory", |path| fs::create_dir(path).unwrap()),
    ("dangling_link", |path| symlink("no-such-file", path).unwrap()),
    ("link_to_itself", |path| symlink(FILE, path).unwrap()),
    ("device", |path| symlink("/dev/null", path).unwrap()),
    ("missing_include", |path| fs::write(path, "[global]\n#include \"no-such-file.conf\"\n").unwrap()),
    ("no_closing_bracket", |path| fs::write(path, "[global\nincoming_timeout = 1\n").unwrap()),
    ("no_section", |path| fs::write(path, "incoming_deny = 0.0.0.0/0\n").unwrap()),
];

/// Rules that are refused, without which the file does not restrict who may connect.
const SLIPS: &[(&str, &str)] = &[
    ("option", "[global]\nincoming_denny = 0.0.0.0/0\n"),
    ("value", "[global]\nincoming_require_tls = yess\n"),
    ("empty", "[global]\nincoming_acl =\n"),
    ("section", "[globall]\nincoming_deny = 0.0.0.0/0\n"),
    ("type", "[global]\ntype = globals\nincoming_origins = https://a.example\n"),
];

pub fn tests(suite: &mut Suite) {
    for (name, spoil) in SPOILS {
        suite.ours(format!("unreadable_config/load/{name}"), WHY, |t| at_load(t, *spoil)).private();
        suite.ours(format!("unreadable_config/reload/{name}"), WHY, |t| on_reload(t, *spoil)).private();
    }
    for (name, text) in SLIPS {
        let name = format!("unreadable_config/slip/{name}");
        suite.ours(name, WHY, |t| slip(t, text)).private();
    }
    suite.ours("unreadable_config/missing", WHY, missing).private();
}

fn path(t: &Context) -> PathBuf {
    t.asterisk.folder().join("etc").join(FILE)
}

/// Removes whatever is in place of the file.
fn remove(t: &Context) {
    let path = path(t);
    if fs::symlink_metadata(&path).unwrap().is_dir() {
        fs::remove_dir(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
}

/// The status for an application that connects with an unknown id: 404 if it may connect at all.
fn status(t: &Context) -> u16 {
    t.send(&t.upgrade("no-such-id")).status
}

fn prepare(t: &Context) {
    for text in [FILE, "no-such-file", "refused", "not found", "no category context", "include"] {
        t.allow_log(text);
    }
}

fn outgoing_works(t: &Context) {
    let server = t.server(&[]);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).originate();
    let app = server.accept();
    app.expect_media_start();
    app.command("HANGUP");
    assert_eq!(call.ending().cause, 16);
}

/// No application may connect; calls to applications work; a readable file ends this state.
fn at_load(t: &Context, spoil: Spoil) {
    prepare(t);
    t.asterisk.unload_driver();
    remove(t);
    spoil(&path(t));
    assert!(t.asterisk.driver("load").contains("Loaded"));
    t.wait_log(&["ERROR", FILE, "nobody may connect"]);
    let call = t.incoming("c(ulaw)");
    assert_eq!(t.send(&t.upgrade(&call.connection_id())).status, 503);
    assert_eq!(status(t), 503);
    assert!(t.asterisk.cli("websocket show settings").contains("nobody"), "the operator sees it");
    outgoing_works(t);
    // A reload that finds the same file does not help.
    t.asterisk.driver("reload");
    assert_eq!(status(t), 503);
    remove(t);
    t.asterisk.write_config(FILE, "[global]\ncontrol_message_format = json\n");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 404);
    assert_eq!(call.connect().expect_media_start().format(), Format::PlainText);
    assert_eq!(t.incoming("c(ulaw)").connect().expect_media_start().format(), Format::Json);
}

/// The last good settings stay, including the rules.
fn on_reload(t: &Context, spoil: Spoil) {
    prepare(t);
    let text = "[global]\ncontrol_message_format = json\nincoming_deny = 127.0.0.0/8\n";
    t.asterisk.write_config(FILE, text);
    t.asterisk.driver("reload");
    assert_eq!(status(t), 403);
    remove(t);
    spoil(&path(t));
    t.asterisk.driver("reload");
    t.wait_log(&["ERROR", FILE, "stays"]);
    assert_eq!(status(t), 403);
    let settings = t.asterisk.cli("websocket show settings");
    assert!(settings.contains("json") && settings.contains("deny 127.0.0.0/8"), "{settings}");
    outgoing_works(t);
    remove(t);
    t.asterisk.write_config(FILE, "");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 404);
}

/// A refused rule does not count: at load no application may connect; on reload the last good rules stay.
fn slip(t: &Context, text: &str) {
    prepare(t);
    t.asterisk.unload_driver();
    t.asterisk.write_config(FILE, text);
    t.asterisk.driver("load");
    t.wait_log(&["ERROR", FILE, "nobody may connect"]);
    assert_eq!(status(t), 503);
    for (rules, status_then) in [("incoming_deny = 127.0.0.0/8\n", 403), ("", 404)] {
        t.asterisk.write_config(FILE, &format!("[global]\n{rules}"));
        t.asterisk.driver("reload");
        assert_eq!(status(t), status_then);
        t.asterisk.write_config(FILE, text);
        t.asterisk.driver("reload");
        assert_eq!(status(t), status_then);
    }
    t.asterisk.write_config(FILE, "[global]\n");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 404);
}

/// A missing file means the defaults, at load and on reload.
fn missing(t: &Context) {
    prepare(t);
    t.asterisk.unload_driver();
    remove(t);
    t.asterisk.driver("load");
    assert_eq!(status(t), 404);
    t.asterisk.write_config(FILE, "[global]\nincoming_deny = 127.0.0.0/8\n");
    t.asterisk.driver("reload");
    assert_eq!(status(t), 403);
    remove(t);
    t.asterisk.driver("reload");
    assert_eq!(status(t), 404);
    assert!(!t.log_contains(&["ERROR", FILE]));
}
