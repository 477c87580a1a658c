//! One test of each kind runs a second time in the surroundings that make the core call the driver at odd times (see
//! `harness/surroundings.rs`). `make surroundings` runs all tests in them.

use super::harness::{Context, Suite, wait};

/// A test of each kind, except those that measure times.
const OF_EACH_KIND: &[&str] = &[
    "ami/disconnected/lost",
    "bulk/plain-text/large",
    "cli/show_channel",
    "commands/json/media_start",
    "config/reload",
    "connect/cancel/tcp/hangup",
    "dial/refused/unknown_codec",
    "direction/both_to_in",
    "ending/hangup_command",
    "ends/close/1011",
    "figures/variables",
    "flow/plain-text/xoff",
    "framing/fragments/primes",
    "incoming/connects",
    "incoming/connects_tls",
    "marks/plain-text/order",
    "masquerade/redirect_from_bridge",
    "media/bridge",
    "media/echo",
    "module/unload_refused",
    "outgoing/connects",
    "outgoing/dialplan",
    "passthrough/lasts/opus_60_ms",
    "status/plain-text/paused_bulk",
    "unbuffered/as_it_comes",
];

pub fn tests(suite: &mut Suite) {
    suite.surround(OF_EACH_KIND);
    let test = suite.ours("are_there", "the C module has no figures", are_there);
    test.only_surrounded();
    test.private();
}

/// The surroundings are in effect; otherwise the tests in them would show nothing.
fn are_there(t: &Context) {
    let ami = t.ami("all");
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 320]);
    assert_eq!(app.collect_media(320).len(), 320);
    wait::until("the channel is spied on", || {
        t.asterisk.cli("core show channels concise").contains(&format!("Snoop/{}-", call.id))
    });
    app.command("HANGUP");
    call.ending();
    let record = t.asterisk.folder().join("spool/monitor/1.sln");
    wait::until("the record", || record.metadata().is_ok_and(|record| record.len() > 0));
    for (event, id) in [("CEL", "UniqueID"), ("Cdr", "UniqueID")] {
        ami.wait(event, |block| block.get("Event") == event && block.get(id) == call.id);
    }
    let figure = |text: &str, wanted: &str| text.split(' ').any(|figure| figure == wanted);
    ami.wait("AMI's snapshot with figures", |block| {
        block.get("Uniqueid") == call.id
            && block.all("ChanVariable").any(|text| figure(text, "state=connected"))
    });
    t.ari().wait("ChannelVarset", |event| {
        let figures = event["channel"]["channelvars"].as_object().into_iter().flatten();
        let said =
            |wanted| figures.clone().any(|(_, text)| figure(text.as_str().unwrap_or_default(), wanted));
        event["channel"]["id"] == *call.id && said("format=ulaw") && said("frames_in=2")
    });
    let debug =
        std::fs::read_to_string(t.asterisk.log.path().with_file_name("debug")).expect("debug messages");
    assert!(debug.contains("chan_websocket") && debug.contains("] DEBUG["), "no debug messages");
}
