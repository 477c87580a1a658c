//! The channel changes under the call: transfers, and what the core calls a masquerade.

use super::harness::call::Call;
use super::harness::{App, Context, Suite};
use super::media::noise;

pub fn tests(suite: &mut Suite) {
    const WHY: &str = "the C module goes on with the channel that is gone (16)";
    suite.ours("masquerade/hangup_command", WHY, hangup_command);
    suite.ours("masquerade/app_closes", WHY, app_closes);
    suite.ours("masquerade/core_hangs_up", WHY, core_hangs_up);
    suite.ours("masquerade/answer", WHY, answer);
    suite.ours("masquerade/unload_afterwards", WHY, unload_afterwards).private();
    suite.same("masquerade/redirect_with_dialplan", redirect);
    suite.same("masquerade/redirect_from_bridge", redirect_from_bridge);
}

/// A call that the test had in Stasis and that is now in the dialplan's Echo(). It had no dialplan, so the core has
/// moved its driver's part to another channel.
fn masqueraded(t: &Context) -> (Call<'_>, App) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").create();
    call.dial();
    let app = call.connect();
    app.expect_media_start();
    call.wait_up();
    move_to_echo(t, &call);
    let media = noise(1600);
    app.send_media(&media);
    assert_eq!(app.collect_media(1600), media);
    app.command("GET_STATUS");
    assert_eq!(app.expect_event("STATUS").get("channel_id"), call.id);
    (call, app)
}

pub fn move_to_echo(t: &Context, call: &Call<'_>) {
    let answer = t.asterisk.cli(&format!("channel redirect {} harness,echo,1", call.name));
    assert!(answer.contains("successfully redirected"), "{answer}");
    call.wait_application("Echo");
}

fn hangup_command(t: &Context) {
    let (call, app) = masqueraded(t);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    call.ending();
}

fn app_closes(t: &Context) {
    let (call, app) = masqueraded(t);
    app.close(1000);
    assert_eq!(app.expect_close(), 1000);
    call.ending();
}

fn core_hangs_up(t: &Context) {
    let (call, app) = masqueraded(t);
    t.asterisk.cli(&format!("channel request hangup {}", call.name));
    assert_eq!(app.expect_close(), 1000);
    call.ending();
}

/// ANSWER after the channel has changed.
fn answer(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)n").create();
    call.dial();
    let app = call.connect();
    app.expect_media_start();
    move_to_echo(t, &call);
    app.command("ANSWER");
    call.wait_up();
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    call.ending();
}

/// Such calls leave no reference to the driver.
fn unload_afterwards(t: &Context) {
    hangup_command(t);
    app_closes(t);
    core_hangs_up(t);
    t.asterisk.unload_driver();
}

/// A channel that runs a dialplan is redirected without a masquerade.
fn redirect(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").extension("wait").originate();
    let app = call.connect();
    app.expect_media_start();
    call.wait_application("Wait");
    move_to_echo(t, &call);
    let media = noise(1600);
    app.send_media(&media);
    assert_eq!(app.collect_media(1600), media);
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

/// The called end of a Dial() is redirected.
fn redirect_from_bridge(t: &Context) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)", server.client);
    let _caller = t.call("Local/park@harness").formats("ulaw").dials(&dial, "10", "").originate();
    let app = server.accept();
    let start = app.expect_media_start();
    let (id, name) = (start.get("channel_id"), start.get("channel"));
    t.ari().wait_channel("ChannelEnteredBridge", &id);
    let answer = t.asterisk.cli(&format!("channel redirect {name} harness,echo,1"));
    assert!(answer.contains("successfully redirected"), "{answer}");
    t.ari().wait_application(&id, "Echo");
    let media = noise(1600);
    app.send_media(&media);
    assert_eq!(app.collect_media(1600), media);
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    t.ari().wait_channel("ChannelDestroyed", &id);
}
