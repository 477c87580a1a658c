//! An application as a queue member and in a conference, together with a telephone.

use super::super::super::harness::{Context, Suite, wait};
use super::super::{drain, expect_all_both_ways, expect_direct, expect_played, is_heard, technology};
use super::{Pair, calls, sip, test};

pub(super) fn tests(suite: &mut Suite) {
    test(suite, "queue", queue);
    test(suite, "conference", conference);
}

/// An application is the member of the queue. The caller's Dial() leads to the queue by SIP.
fn queue(t: &Context) {
    let server = t.server(&[]);
    let member = format!("WebSocket/{}/c(ulaw)", server.client);
    let added = t.asterisk.cli(&format!("queue add member {member} to bots"));
    assert!(added.contains("Added interface"), "{added}");
    let pair = Pair::at(t, "ulaw", "ulaw", "queue", server);
    // The queue may have played something to the caller.
    drain(&pair.app);
    expect_all_both_ways(&pair.app, &pair.other, 100);
    expect_direct(t, &pair.call, 0, 100);
    expect_played(t, &pair.call, 100);
    pair.app.command("HANGUP");
    assert_eq!(pair.app.expect_close(), 1000);
    assert_eq!(pair.other.expect_close(), 1000);
    t.asterisk.cli(&format!("queue remove member {member} from bots"));
}

/// A conference of two, one of them by SIP, is mixed as without our module.
fn conference(t: &Context) {
    sip::allow_log(t);
    let room = t.unique("room");
    let (_call, app) = calls(t, "ulaw", "ulaw", &room);
    let here =
        t.call("WebSocket/INCOMING/c(ulaw)").extension("conference").variable("ROOM", &room).originate();
    let ear = here.connect();
    ear.expect_media_start();
    wait::until("a conference", || technology(t, &here.id) == "softmix");
    is_heard(&app, &ear);
    is_heard(&ear, &app);
}
