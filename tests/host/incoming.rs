//! The app connects to Asterisk.

use super::harness::{Context, Suite};

pub fn tests(suite: &mut Suite) {
    suite.same("incoming/connects", connects);
}

fn connects(t: &Context) {
    let call = t.incoming("c(ulaw)");
    let app = call.connect();
    let start = app.expect_media_start();
    assert_eq!(start.get("channel_id"), call.id);
    call.wait_up();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    t.note(format!("{:?}", call.ending()));
}
