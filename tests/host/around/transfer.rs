//! TRANSFER in each kind of bridge, and the transfers that are refused.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, Suite, wait};
use super::{CONFIG, ONLY_OURS, call, command, goes_on, instance, ours, subscribe};

pub fn tests(suite: &mut Suite) {
    ours(suite, "transfer/of_the_caller", of_the_caller);
    ours(suite, "transfer/of_whom_it_has_dialled", of_whom_it_has_dialled);
    ours(suite, "transfer/in_stasis", in_stasis);
    ours(suite, "transfer/of_three", of_three);
    ours(suite, "transfer/not_bridged", not_bridged);
    ours(suite, "transfer/no_such_extension", no_such_extension);
    ours(suite, "transfer/forbidden_by_the_bridge", forbidden_by_the_bridge);
    ours(suite, "transfer/contexts", contexts);
    suite.ours("around/transfer/none_permitted", ONLY_OURS, none_permitted);
    suite.ours("around/transfer/cdr", ONLY_OURS, cdr).private_with(
        instance().module("cdr_csv").file("cdr.conf", "[general]\nenable = yes\n[csv]\nloguniqueid = yes\n"),
    );
    let mut faulty = |name: &str, fault: &str, body: fn(&Context)| {
        suite.ours(format!("around/transfer/{name}"), ONLY_OURS, body).private_with(
            instance()
                .our_file("chan_websocket.conf", &format!("{CONFIG}close_timeout = 1000\n"))
                .fault(fault),
        );
    };
    faulty("stuck", "transfer=15000", stuck);
    faulty("hangup_before_the_result", "transferred=400", hangup_before_the_result);
    faulty("abandoned", "transferred=8000", abandoned);
    faulty("panic", "transfer", panic);
}

fn transfer(app: &App, exten: &str, id: &str) {
    command(app, "TRANSFER", json!({"exten": exten, "context": "agents", "correlation_id": id}));
}

#[track_caller]
fn expect_result(app: &App, id: &str, result: &str) {
    let event = app.expect_event("TRANSFERRED");
    assert_eq!(event.keys(), ["event", "channel_id", "correlation_id", "result"]);
    assert_eq!((&*event.get("correlation_id"), &*event.get("result")), (id, result));
}

/// The result, and then the close frame.
#[track_caller]
fn expect_success(app: &App, id: &str) {
    expect_result(app, id, "success");
    assert_eq!(app.expect_close(), 1000);
}

/// The result, the figures, and then the close frame: the core has ended the call.
#[track_caller]
fn expect_success_and_figures(app: &App, id: &str) {
    expect_result(app, id, "success");
    let stop = app.expect_event("MEDIA_STOP");
    assert_eq!((&*stop.get("ended_by"), &*stop.get("cause")), ("core", "16"), "{}", stop.raw);
    assert_eq!(app.expect_close(), 1000);
}

/// Waits until a channel is at this extension of the dialplan.
#[track_caller]
pub(super) fn arrives(t: &Context, channel: &str, exten: &str) {
    let mut seen = Value::Null;
    let done = wait::poll(wait::PATIENCE, || {
        seen = t.ari().get(&format!("channels/{channel}"), &[]).body;
        let at = &seen["dialplan"];
        (at["context"] == "agents" && at["exten"] == *exten && at["app_name"] == "Wait").then_some(())
    });
    assert!(done.is_some(), "it is at {seen}");
}

/// Waits until some channel is at this extension.
#[track_caller]
fn somebody_arrives(t: &Context, exten: &str) {
    let place = format!("!agents!{exten}!2!Up!Wait!");
    wait::until("somebody arrives", || t.asterisk.cli("core show channels concise").contains(&place));
}

/// Checks the end that the channel's last event reports.
#[track_caller]
fn ended_by_the_core(t: &Context, channel: &str) {
    let event = t.ari().wait_channel("ChannelDestroyed", channel);
    assert_eq!(event["cause"], 16, "{event}");
}

/// A caller who has dialled an application.
#[track_caller]
fn dialled(t: &Context) -> (AppServer, Call<'_>, App, String) {
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/c(ulaw)f(json)", server.client);
    let caller = t.call("Local/park@harness/n").formats("ulaw").dials(&dial, "10", "").originate();
    let app = server.accept();
    let id = app.expect_media_start().get("channel_id");
    t.ari().wait_channel("ChannelEnteredBridge", &id);
    t.ari().wait_channel("ChannelEnteredBridge", &caller.id);
    (server, caller, app, id)
}

fn of_the_caller(t: &Context) {
    let ami = t.ami("all");
    let (_server, caller, app, id) = dialled(t);
    subscribe(&app, &["MEDIA_STOP"]);
    transfer(&app, "200", "t1");
    expect_success_and_figures(&app, "t1");
    arrives(t, &caller.id, "200");
    ended_by_the_core(t, &id);
    let ended = ami.event("WebSocketDisconnected", &id);
    assert_eq!(
        (ended.get("EndedBy"), ended.get("Cause"), ended.get("CloseCode")),
        ("core", "16", "1000"),
        "{ended:?}"
    );
    let event = ami.wait("BlindTransfer", |block| {
        block.get("Event") == "BlindTransfer" && block.get("TransfererUniqueid") == id
    });
    assert_eq!(
        (event.get("Result"), event.get("Extension"), event.get("Context")),
        ("Success", "200", "agents")
    );
    assert_eq!(event.get("TransfereeUniqueid"), caller.id);
}

/// The application is the caller. Its channel does not continue in the dialplan.
fn of_whom_it_has_dialled(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)f(json)");
    call.wait_up();
    call.wait_stasis();
    let station = format!("Local/at{}@harness/n", t.ari().app);
    for (name, value) in [("DIAL", &*station), ("DIAL_TIMEOUT", "30"), ("APP", &t.ari().app)] {
        t.ari().set_variable(&call.id, name, value);
    }
    let parameters = [("context", "harness"), ("extension", "dial"), ("priority", "1")];
    t.ari().post(&format!("channels/{}/continue", call.id), &parameters).ok();
    let station = t.ari().wait("StasisStart", |event| event["args"] == json!(["station"]));
    let station = station["channel"]["id"].as_str().expect("an id").to_owned();
    t.ari().post(&format!("channels/{station}/answer"), &[]).ok();
    t.ari().wait_channel("ChannelEnteredBridge", &call.id);
    t.ari().wait("ChannelEnteredBridge", |event| {
        event["channel"]["name"].as_str().is_some_and(|name| name.starts_with("Local/at"))
    });
    // The context may be omitted only if exactly one is permitted.
    transfer(&app, "31", "t");
    expect_success(&app, "t");
    somebody_arrives(t, "31");
    ended_by_the_core(t, &call.id);
}

/// In ARI's bridges a channel from the extension replaces the application's. The core leaves the application's channel
/// in Stasis: the module hangs it up.
fn in_stasis(t: &Context) {
    let ((a, app), (b, _app_b)) = (call(t), call(t));
    let bridge = t.ari().bridge(&[&a.id, &b.id]);
    subscribe(&app, &["MEDIA_STOP"]);
    transfer(&app, "32", "t");
    expect_success_and_figures(&app, "t");
    let event = t.ari().wait("BridgeBlindTransfer", |event| event["channel"]["id"] == *a.id);
    assert_eq!(
        (&event["result"], &event["exten"], &event["context"], &event["bridge"]["id"]),
        (&json!("Success"), &json!("32"), &json!("agents"), &json!(bridge)),
        "{event}"
    );
    somebody_arrives(t, "32");
    in_bridge(t, &bridge, &[&b.id], 2);
    ended_by_the_core(t, &a.id);
}

/// The other channels stay together, and a channel from the extension joins them.
fn of_three(t: &Context) {
    let ((a, app), (b, _app_b), (c, _app_c)) = (call(t), call(t), call(t));
    let bridge = t.ari().bridge(&[&a.id, &b.id, &c.id]);
    transfer(&app, "33", "t");
    expect_success(&app, "t");
    somebody_arrives(t, "33");
    ended_by_the_core(t, &a.id);
    in_bridge(t, &bridge, &[&b.id, &c.id], 3);
    only_our_threads_block_signals(t);
}

/// The dialplan thread that a transfer of ours has started is like any other thread of the core: it does not block
/// SIGURG, and does not have the name of our threads, which end soon.
#[track_caller]
fn only_our_threads_block_signals(t: &Context) {
    const SIGURG: u64 = 1 << 22;
    let threads = || -> Vec<(String, bool)> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", t.asterisk.pid())).expect("threads");
        let status =
            tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
        let fields = status.map(|status| {
            let field =
                |name| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
            let blocked = u64::from_str_radix(field("SigBlk:"), 16).expect("a mask");
            (field("Name:").to_owned(), blocked & SIGURG != 0)
        });
        fields.collect()
    };
    wait::until("the thread for transfers ends", || threads().iter().all(|(name, _)| name != "ws-transfer"));
    // A new thread has its name and its mask only after a moment.
    let odd = || threads().into_iter().filter(|(name, blocks)| *blocks != name.starts_with("ws-"));
    let none_odd = wait::poll(wait::PATIENCE, || (odd().count() == 0).then_some(())).is_some();
    assert!(none_odd, "{:?}", odd().collect::<Vec<_>>());
}

/// These channels are in the bridge, and `count` channels in all.
#[track_caller]
fn in_bridge(t: &Context, bridge: &str, channels: &[&str], count: usize) {
    wait::until("they are in the bridge", || {
        let members = t.ari().get(&format!("bridges/{bridge}"), &[]).body["channels"].clone();
        let members: Vec<&str> = members.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        members.len() == count && channels.iter().all(|id| members.contains(id))
    });
}

fn not_bridged(t: &Context) {
    let (a, app) = call(t);
    transfer(&app, "200", "alone");
    expect_result(&app, "alone", "not_bridged");
    let bridge = t.ari().bridge(&[&a.id]);
    command(&app, "TRANSFER", json!({"exten": "200", "context": "agents"}));
    expect_result(&app, "", "not_bridged");
    goes_on(&app);
    assert!(!bridge.is_empty());
    assert_eq!(a.state().as_deref(), Some("Up"));
}

/// Asterisk does not check the extension, and would hang the other side up.
fn no_such_extension(t: &Context) {
    let ((a, app), (b, app_b)) = (call(t), call(t));
    t.ari().bridge(&[&a.id, &b.id]);
    for (exten, context) in [("999", "agents"), ("20", "agents"), ("200", "queues")] {
        let id = format!("{exten}@{context}");
        command(&app, "TRANSFER", json!({"exten": exten, "context": context, "correlation_id": id}));
        expect_result(&app, &id, "invalid");
    }
    goes_on(&app);
    app_b.command("GET_STATUS");
    app_b.expect_event("STATUS");
}

/// BridgeWait()'s bridge does not allow transfers.
fn forbidden_by_the_bridge(t: &Context) {
    let ((a, app), (b, _app_b)) = (call(t), call(t));
    let room = t.unique("room");
    for call in [&a, &b] {
        t.ari().set_variable(&call.id, "ROOM", &room);
        let parameters = [("context", "harness"), ("extension", "room"), ("priority", "1")];
        t.ari().post(&format!("channels/{}/continue", call.id), &parameters).ok();
        t.ari().wait_channel("ChannelEnteredBridge", &call.id);
    }
    transfer(&app, "200", "t");
    expect_result(&app, "t", "not_permitted");
    goes_on(&app);
}

/// Only permitted contexts are accepted; another one is logged in one line.
fn contexts(t: &Context) {
    let ((a, app), (b, _app_b)) = (call(t), call(t));
    t.ari().bridge(&[&a.id, &b.id]);
    t.allow_log("TRANSFER refused");
    let refused = |fields: Value, text: &str| {
        command(&app, "TRANSFER", fields);
        let error = app.expect_event("ERROR");
        assert_eq!(error.get("error_text"), format!("TRANSFER: {text}"));
        assert_eq!((error.get("command"), error.get("correlation_id")), ("TRANSFER".into(), "t".into()));
        t.wait_log(&["WARNING", &a.name, text]);
    };
    let internal = json!({"exten": "200", "context": "internal", "correlation_id": "t"});
    refused(internal, "'context' is \"internal\"; allowed: agents, queues");
    refused(json!({"exten": "200", "correlation_id": "t"}), "'context' is missing; allowed: agents, queues");
    goes_on(&app);
    let log = t.asterisk.log.since(t.log_mark);
    assert_eq!(log.lines().filter(|line| line.contains(&a.name)).count(), 2, "{log}");
    assert_eq!(b.state().as_deref(), Some("Up"));
}

fn none_permitted(t: &Context) {
    let (a, app) = call(t);
    t.allow_log("TRANSFER refused");
    command(&app, "TRANSFER", json!({"exten": "park", "context": "harness", "correlation_id": "t"}));
    let text = "no transfer is permitted; the operator permits contexts with transfer_contexts";
    assert_eq!(app.expect_error(), format!("TRANSFER: {text}"));
    t.wait_log(&["WARNING", &a.name, text]);
    goes_on(&app);
}

/// The caller's CDR continues at the extension; the application's leg ends with the transfer.
fn cdr(t: &Context) {
    let folder = t.asterisk.seen("log/cdr-csv");
    std::fs::create_dir_all(&folder).expect("a folder");
    let (_server, caller, app, id) = dialled(t);
    transfer(&app, "200", "t");
    expect_success(&app, "t");
    arrives(t, &caller.id, "200");
    ended_by_the_core(t, &id);
    caller.hangup();
    caller.ending();
    let records = || std::fs::read_to_string(folder.join("Master.csv")).unwrap_or_default();
    let is_of_dial = |line: &str| {
        line.contains("\"Dial\"") && line.contains("\"WebSocket/") && line.contains("\"ANSWERED\"")
    };
    t.asterisk.cli("cdr submit");
    let is_at_agents = |line: &str| line.contains("\"agents\"") && line.contains("\"200\"");
    let done = wait::poll(wait::PATIENCE, || {
        let records = records();
        (records.lines().any(is_of_dial) && records.lines().any(is_at_agents)).then_some(())
    });
    let records = records();
    assert!(done.is_some(), "{records}");
    assert_eq!(records.lines().filter(|line| is_of_dial(line)).count(), 1, "{records}");
}

/// The job thread works, and so does the channel's own thread.
#[track_caller]
fn does_its_jobs(app: &App) {
    command(app, "SEND_TEXT", json!({"text": "t", "correlation_id": "text"}));
    assert_eq!(app.expect_event("TEXT_SENT").get("correlation_id"), "text");
    command(app, "SEND_EVENT", json!({"name": "e", "correlation_id": "event"}));
    assert_eq!(app.expect_event("EVENT_SENT").get("correlation_id"), "event");
    command(app, "SEND_DTMF", json!({"digits": "1", "correlation_id": "digits"}));
    assert_eq!(app.expect_event("DTMF_SENT").get("correlation_id"), "digits");
}

/// A transfer that is stuck in Asterisk delays no other call.
fn stuck(t: &Context) {
    let (_server, caller, app, id) = dialled(t);
    transfer(&app, "31", "stuck");
    let began = Instant::now();
    goes_on(&app);
    transfer(&app, "32", "second");
    assert_eq!(app.expect_error(), "TRANSFER: a transfer is under way");
    for exten in ["33", "34"] {
        let (_server, caller, other, _id) = dialled(t);
        subscribe(&other, &["DTMF_BEGIN"]);
        does_its_jobs(&other);
        transfer(&other, exten, exten);
        expect_success(&other, exten);
        arrives(t, &caller.id, exten);
    }
    does_its_jobs(&app);
    assert!(began.elapsed() < Duration::from_secs(15), "too late to say anything: {:?}", began.elapsed());
    assert_eq!(t.ari().get(&format!("channels/{id}"), &[]).body["state"], "Up");
    t.allow_log("Soft unload failed");
    let unload = t.asterisk.driver("unload");
    assert!(!unload.contains("Unloaded"), "{unload}");
    expect_success(&app, "stuck");
    arrives(t, &caller.id, "31");
}

/// The core hangs up before the transfer is done: the result still comes first.
fn hangup_before_the_result(t: &Context) {
    let (_server, caller, app, id) = dialled(t);
    subscribe(&app, &["MEDIA_STOP"]);
    transfer(&app, "200", "t");
    t.ari().wait_channel("ChannelDestroyed", &id);
    expect_success_and_figures(&app, "t");
    arrives(t, &caller.id, "200");
}

/// The transfer takes longer than `close_timeout`: the application is told that the result is unknown, and the
/// connection is closed.
fn abandoned(t: &Context) {
    t.allow_log("no result within close_timeout");
    t.allow_log("Soft unload failed");
    let (_server, caller, app, id) = dialled(t);
    transfer(&app, "200", "t");
    let error = app.expect_event("ERROR");
    let text = "TRANSFER: Asterisk has not said within close_timeout what has become of it";
    assert_eq!((error.get("error_text"), error.get("correlation_id")), (text.into(), "t".into()));
    assert_eq!(app.expect_close(), 1000);
    t.ari().wait_channel("ChannelDestroyed", &id);
    arrives(t, &caller.id, "200");
    drop(caller);
    t.asterisk.wait_no_channels();
    // The thread holds a reference to the module until it is done.
    wait::until("the module can be unloaded", || t.asterisk.driver("unload").contains("Unloaded"));
}

/// A panic of ours during a transfer is reported as a failure, and the call continues.
fn panic(t: &Context) {
    t.allow_log("internal error");
    t.allow_log("fault in chan_websocket");
    let ((a, app), (b, _app_b)) = (call(t), call(t));
    t.ari().bridge(&[&a.id, &b.id]);
    transfer(&app, "200", "t");
    expect_result(&app, "t", "failed");
    goes_on(&app);
    transfer(&app, "200", "again");
    expect_success(&app, "again");
}
