//! Dialplan around a WebSocket call, where the two modules differ.

use std::thread;
use std::time::Duration;

use super::harness::call::Call;
use super::harness::{Context, InstanceConfig, Item, Suite};
use super::media::noise;
use super::protocol::rtp::{self, Phone};

pub fn tests(suite: &mut Suite) {
    let mut differs = |name: &str, row: &'static str, body: fn(&Context)| {
        suite.differs(format!("dialplan/{name}"), row, body).shares("dialplan", instance);
    };
    differs("file_after_dial", "40", file_after_dial);
    differs("page", "40", page);
    differs("jitterbuffer", "42", jitterbuffer);
    differs("wait_for_silence", "43", wait_for_silence);
}

fn instance() -> InstanceConfig {
    let modules = ["app_page", "app_waitforsilence", "func_env", "func_jitterbuffer"];
    modules.iter().fold(rtp::instance(), |config, module| config.module(module)).dialplan(
        "exten => reads,1,Dial(${DIAL},10,g)\n\
         \x20same => n,Stasis(${APP},read,${FILE(/etc/passwd,0,4)})\n\
         exten => pages,1,Page(${DIAL},q)\n\
         exten => silence,1,WaitForSilence(300,1,2)\n\
         \x20same => n,Stasis(${APP},waited,${WAITSTATUS})\n",
    )
}

/// A function that Asterisk refuses in the threads of external protocols works for a caller that has dialled a
/// WebSocket.
fn file_after_dial(t: &Context) {
    let server = t.server(&[]);
    if !t.is_ours() {
        t.allow_log("Dangerous function FILE read blocked");
    }
    let caller = caller(t, "reads", &server.client);
    let app = server.accept();
    let start = app.expect_media_start();
    t.ari().wait_channel("ChannelEnteredBridge", &start.get("channel_id"));
    app.command("HANGUP");
    let event = t
        .ari()
        .wait("StasisStart", |event| event["channel"]["id"] == *caller.id && event["args"][0] == "read");
    assert_eq!(event["args"][1].as_str().unwrap_or_default(), t.either("", "root"));
}

/// Page() itself uses such a function for its conference, after the call to the WebSocket. With the C module it may
/// not, and its options have no effect.
fn page(t: &Context) {
    let server = t.server(&[]);
    if !t.is_ours() {
        // The conference is then not quiet.
        for line in ["Dangerous function", "codec translation path", "Unable to open con"] {
            t.allow_log(line);
        }
    }
    let caller = caller(t, "pages", &server.client);
    server.accept().expect_media_start();
    t.ari().wait_channel("ChannelEnteredBridge", &caller.id);
    assert_eq!(t.log_contains(&["Dangerous function CONFBRIDGE write blocked"]), !t.is_ours());
}

/// A caller whose dialplan calls the client.
fn caller<'t>(t: &'t Context, extension: &str, client: &str) -> Call<'t> {
    t.call("Local/park@harness/n")
        .formats("ulaw")
        .extension(extension)
        .variable("DIAL", &format!("WebSocket/{client}/c(ulaw)"))
        .variable("APP", &t.ari().app)
        .originate()
}

/// The jitter buffer of a telephone replaces lost packets by frames without media. The application gets no message for
/// them.
fn jitterbuffer(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    call.wait_up();
    let phone = Phone::new(t);
    t.ari().set_variable(&phone.call.id, "JITTERBUFFER(adaptive)", "default");
    t.ari().bridge(&[&call.id, &phone.call.id]);
    for number in (0..100_u16).filter(|number| number % 10 < 7) {
        // At the real pace, because the buffer measures time.
        thread::sleep(Duration::from_millis(if number % 10 == 0 { 80 } else { 20 }));
        phone.send(0, number == 0, number, u32::from(number) * 160, &noise(160));
    }
    app.command("HANGUP");
    app.expect_close();
    let messages = app.received().into_iter().filter_map(|received| match received.item {
        Item::Media(bytes) => Some(bytes.len()),
        _ => None,
    });
    let messages: Vec<usize> = messages.collect();
    assert!(messages.contains(&160), "{messages:?}");
    assert_eq!(messages.contains(&0), !t.is_ours(), "{messages:?}");
}

/// A WebSocket is silent while its application sends nothing.
fn wait_for_silence(t: &Context) {
    let call =
        t.call("WebSocket/INCOMING/c(ulaw)").extension("silence").variable("APP", &t.ari().app).originate();
    let app = call.connect();
    app.expect_media_start();
    let event = t
        .ari()
        .wait("StasisStart", |event| event["channel"]["id"] == *call.id && event["args"][0] == "waited");
    assert_eq!(event["args"][1], t.either("TIMEOUT", "SILENCE"));
}
