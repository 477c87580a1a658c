//! Very many calls, set up and ended in all ways at once: nothing remains of them.
//!
//! `HOST_CHURN` is the number of calls; `make churn` makes ten thousand.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, TcpListener};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde_json::Value;

use super::super::harness::call::{Call, Ending};
use super::super::harness::server::AppServer;
use super::super::harness::{App, Context, Item, Reply, Suite, wait};
use super::super::media::noise;

pub fn tests(suite: &mut Suite) {
    // The C module deadlocks (22) and is unmapped during calls (15): it gets few calls and no attempt to unload it.
    suite.beside("life/churn", churn).may_ruin_oracle().private();
}

/// Callers at the same time.
const WORKERS: usize = 16;

/// How long one call may take on a machine that does nothing but churn.
const PATIENCE: Duration = Duration::from_secs(60);

fn count(t: &Context) -> usize {
    if !t.is_ours() {
        return 5 * WAYS.len();
    }
    std::env::var("HOST_CHURN").map_or(400, |count| count.parse().expect("HOST_CHURN is a number"))
}

/// A way for a call to begin and end.
type Way = fn(&Worker<'_>) -> Result<(), String>;

const WAYS: [(&str, Way); 18] = [
    ("incoming, the app closes", |w| w.ends(w.incoming(), App::close_1000, 16, 1000)),
    ("incoming, the app resets", |w| w.ends(w.incoming(), App::reset, 38, 1006)),
    ("incoming, HANGUP", |w| w.ends(w.incoming(), App::hang_up, 16, 1000)),
    ("incoming, media and cut", |w| w.ends(w.incoming(), App::cut, 38, 1006)),
    ("incoming, the core hangs up", |w| w.core_hangs_up(w.incoming())),
    ("incoming, the operator hangs up", |w| w.operator_hangs_up(w.incoming())),
    ("incoming, nobody comes", |w| w.nobody_comes()),
    ("incoming, half a handshake", |w| w.half_a_handshake()),
    ("outgoing, the app closes", |w| w.ends(w.outgoing(), App::close_1000, 16, 1000)),
    ("outgoing, the app resets", |w| w.ends(w.outgoing(), App::reset, 38, 1006)),
    ("outgoing, HANGUP", |w| w.ends(w.outgoing(), App::hang_up, 16, 1000)),
    ("outgoing, media and cut", |w| w.ends(w.outgoing(), App::cut, 38, 1006)),
    ("outgoing, the core hangs up", |w| w.core_hangs_up(w.outgoing())),
    ("outgoing, the caller gives up", |w| w.caller_gives_up()),
    ("outgoing, Dial timeout", |w| w.dial_timeout()),
    ("outgoing, the server refuses", |w| w.no_route(&w.refusing.client)),
    ("outgoing, no server", |w| w.no_route(&w.absent)),
    ("outgoing, given up in the handshake", |w| w.given_up_in_the_handshake()),
];

/// Ways in which an app ends its call.
impl App {
    fn close_1000(self) {
        self.close(1000);
        self.expect_close();
    }

    fn hang_up(self) {
        self.command("HANGUP");
        self.expect_close();
    }

    fn cut(self) {
        let media = noise(1600);
        self.send_media(&media);
        assert_eq!(self.collect_media_for(160, PATIENCE).len(), 160, "media comes back");
        self.disconnect();
    }
}

/// What Asterisk has reported of each channel that has ended, or each Dial() that is over.
#[derive(Debug, Default)]
struct Verdicts {
    known: Mutex<HashMap<String, Value>>,
    arrival: Condvar,
}

impl Verdicts {
    fn hear(&self, event: Value) {
        let about = match event["type"].as_str() {
            Some("ChannelDestroyed") => "ended",
            Some("StasisStart") if event["args"][0] == "dialled" => "dialled",
            Some("ChannelStateChange") if event["channel"]["state"] == "Up" => "up",
            _ => return,
        };
        let id = event["channel"]["id"].as_str().unwrap_or_default();
        self.known.lock().insert(format!("{about} {id}"), event);
        self.arrival.notify_all();
    }

    fn wait(&self, about: &str, id: &str) -> Result<Value, String> {
        let (key, deadline) = (format!("{about} {id}"), Instant::now() + PATIENCE);
        let mut known = self.known.lock();
        loop {
            if let Some(event) = known.remove(&key) {
                return Ok(event);
            }
            if self.arrival.wait_until(&mut known, deadline).timed_out() {
                return Err(format!("no verdict: {key}"));
            }
        }
    }

    fn ending(&self, call: &Call<'_>) -> Result<Ending, String> {
        let event = self.wait("ended", &call.id)?;
        let number = |key: &str| event[key].as_i64().unwrap_or(0);
        Ok(Ending { cause: number("cause"), tech_cause: number("tech_cause") })
    }
}

/// A caller with its own servers: it makes one call at a time.
struct Worker<'t> {
    t: &'t Context,
    verdicts: &'t Verdicts,
    server: AppServer,
    refusing: AppServer,
    /// A client whose server does not exist.
    absent: String,
    /// A client whose server accepts the connection and sends nothing.
    mute: String,
    _listener: TcpListener,
}

impl<'t> Worker<'t> {
    fn new(t: &'t Context, verdicts: &'t Verdicts) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let mute = t.unique("mute");
        let uri = format!("ws://{}/media", listener.local_addr().expect("address"));
        t.asterisk.add_client(&mute, &[("uri", &uri)]);
        let absent = t.unique("absent");
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let uri = format!("ws://{}/media", gone.local_addr().expect("address"));
        t.asterisk.add_client(&absent, &[("uri", &uri), ("reconnect_attempts", "1")]);
        Self {
            t,
            verdicts,
            server: t.server(&[]),
            refusing: t.server_with(&[], |_, _| Reply::Refuse(403)),
            absent,
            mute,
            _listener: listener,
        }
    }

    fn incoming(&self) -> (Call<'t>, App) {
        let call = self.t.call("WebSocket/INCOMING/c(ulaw)").extension("echo").originate();
        let app = call.connect();
        (call, self.started(app))
    }

    fn outgoing(&self) -> (Call<'t>, App) {
        let dial = format!("WebSocket/{}/c(ulaw)", self.server.client);
        let call = self.t.call(&dial).extension("echo").originate();
        (call, self.accept())
    }

    fn accept(&self) -> App {
        self.started(self.server.try_accept(PATIENCE).expect("Asterisk connects"))
    }

    fn started(&self, app: App) -> App {
        let start = app.wait_item(PATIENCE, |item| matches!(item, Item::Event(_)).then(|| item.clone()));
        assert!(matches!(start, Some(Item::Event(event)) if event.name == "MEDIA_START"));
        app.next_event(wait::PATIENCE);
        app
    }

    fn ended(&self, call: &Call<'_>, cause: i64, tech_cause: i64) -> Result<(), String> {
        let ending = self.verdicts.ending(call)?;
        let expected = Ending { cause, tech_cause };
        if ending == expected { Ok(()) } else { Err(format!("{ending:?} instead of {expected:?}")) }
    }

    fn ends(&self, (call, app): (Call<'t>, App), end: fn(App), cause: i64, tech: i64) -> Result<(), String> {
        // An app that talks would wait, too: a call that ends before the answer may have another cause.
        self.verdicts.wait("up", &call.id)?;
        end(app);
        self.ended(&call, cause, tech)
    }

    fn core_hangs_up(&self, (call, app): (Call<'t>, App)) -> Result<(), String> {
        self.verdicts.wait("up", &call.id)?;
        call.hangup();
        expect_close(&app)?;
        self.ended(&call, 16, 0)
    }

    fn operator_hangs_up(&self, (call, app): (Call<'t>, App)) -> Result<(), String> {
        self.verdicts.wait("up", &call.id)?;
        self.t.asterisk.cli(&format!("websocket hangup {}", call.name));
        expect_close(&app)?;
        self.ended(&call, 16, 1000)
    }

    fn nobody_comes(&self) -> Result<(), String> {
        let call = self.t.incoming("c(ulaw)");
        call.hangup();
        self.ended(&call, 16, 0)
    }

    fn half_a_handshake(&self) -> Result<(), String> {
        let call = self.t.incoming("c(ulaw)");
        let request = self.t.upgrade(&call.connection_id()).encode();
        let mut stream = self.t.http();
        std::io::Write::write_all(&mut stream, &request[..request.len() / 2])
            .map_err(|err| err.to_string())?;
        call.hangup();
        self.ended(&call, 16, 0)
    }

    fn dials(&self, client: &str, options: &str, timeout: &str) -> Call<'t> {
        let dial = format!("WebSocket/{client}/c(ulaw){options}");
        self.t.call("Local/park@harness").formats("ulaw").dials(&dial, timeout, "").originate()
    }

    fn caller_gives_up(&self) -> Result<(), String> {
        let caller = self.dials(&self.server.client, "n", "60");
        let app = self.accept();
        caller.hangup();
        expect_close(&app)?;
        self.verdicts.ending(&caller).map(|_| ())
    }

    fn given_up_in_the_handshake(&self) -> Result<(), String> {
        let caller = self.dials(&self.mute, "", "60");
        thread::sleep(Duration::from_millis(20));
        caller.hangup();
        self.verdicts.ending(&caller).map(|_| ())
    }

    fn dial_timeout(&self) -> Result<(), String> {
        let caller = self.dials(&self.server.client, "n", "1");
        let app = self.accept();
        expect_close(&app)?;
        self.dialled(&caller, "NOANSWER", None)
    }

    fn no_route(&self, client: &str) -> Result<(), String> {
        let caller = self.dials(client, "", "60");
        self.dialled(&caller, "CHANUNAVAIL", Some("3"))
    }

    fn dialled(&self, caller: &Call<'_>, status: &str, cause: Option<&str>) -> Result<(), String> {
        let event = self.verdicts.wait("dialled", &caller.id)?;
        let args = &event["args"];
        if args[1] != *status || cause.is_some_and(|cause| args[2] != *cause) {
            return Err(format!("{args} instead of {status} {cause:?}"));
        }
        caller.hangup();
        self.verdicts.ending(caller).map(|_| ())
    }
}

/// Expects a close frame with 1000.
fn expect_close(app: &App) -> Result<(), String> {
    let close = app.wait_item(PATIENCE, |item| match item {
        Item::Close(code) => Some(Ok(*code)),
        Item::End(why) => Some(Err(why.clone())),
        _ => None,
    });
    match close {
        Some(Ok(1000)) => Ok(()),
        other => Err(format!("no close frame of 1000, but {other:?}")),
    }
}

/// The number of attempts and of failures, by way.
#[derive(Debug, Default)]
struct Tally {
    tried: BTreeMap<&'static str, usize>,
    failed: Vec<String>,
}

/// Makes this many calls with all workers.
fn run(workers: &[Worker<'_>], calls: usize, tally: &Mutex<Tally>) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in workers {
            let work = || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= calls {
                        return;
                    }
                    let (name, way) = WAYS[number % WAYS.len()];
                    let outcome = panic::catch_unwind(AssertUnwindSafe(|| way(worker)));
                    let outcome = outcome.unwrap_or_else(|_| Err("panic, see above".into()));
                    let mut tally = tally.lock();
                    *tally.tried.entry(name).or_default() += 1;
                    tally.failed.extend(outcome.err().map(|why| format!("call {number}, {name}: {why}")));
                }
            };
            thread::Builder::new().name("churn".into()).spawn_scoped(scope, work).expect("thread");
        }
    });
}

/// Does everything to the module that an operator can do. Returns how often.
fn meddle(t: &Context, stop: &AtomicBool) -> usize {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        if !t.is_ours() {
            t.asterisk.driver("reload");
            t.asterisk.cli("core show channels");
            thread::sleep(Duration::from_millis(50));
            continue;
        }
        let refused = t.asterisk.driver("unload");
        assert!(refused.contains("Unable to unload"), "{refused}");
        let reloaded = t.asterisk.driver("reload");
        assert!(reloaded.contains("reloaded"), "{reloaded}");
        let channels = t.asterisk.cli("websocket show channels");
        let last = channels.lines().filter_map(|line| line.split_whitespace().next()).next_back();
        if let Some(name) = last {
            t.asterisk.cli(&format!("websocket show channel {name}"));
        }
        t.asterisk.cli("websocket show stats");
        t.asterisk.cli("websocket show settings");
        t.asterisk.cli("core show channels");
        rounds += 1;
        thread::sleep(Duration::from_millis(50));
    }
    rounds
}

fn churn(t: &Context) {
    for text in [
        "use count",
        "connection failed",
        "ended during the handshake",
        "WebSocket instance not found",
        "iostream.c",
        "Unable to find the channel",
    ] {
        t.allow_log(text);
    }
    let verdicts = Arc::<Verdicts>::default();
    let listener = Arc::clone(&verdicts);
    t.listen(move |event| listener.hear(event));
    let workers: Vec<_> = (0..WORKERS).map(|_| Worker::new(t, &verdicts)).collect();
    let tally = Mutex::<Tally>::default();
    // First makes everything that is made only once, and memory that the core never frees.
    let total = count(t);
    run(&workers, total / 5, &tally);
    if !t.is_ours() {
        note_failures(t, &std::mem::take(&mut *tally.lock()));
    }
    let before = t.asterisk.settled();
    let memory_before = memory_kib(t);

    // One call is always up, so no attempt to unload may succeed.
    let (anchor, anchored) = workers[0].incoming();
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let rounds = thread::scope(|scope| {
        let meddler = scope.spawn(|| meddle(t, &stop));
        run(&workers, total, &tally);
        stop.store(true, Ordering::Relaxed);
        meddler.join().expect("an operator's command failed")
    });
    let took = start.elapsed();
    let media = noise(1600);
    anchored.send_media(&media);
    assert_eq!(anchored.collect_media(1600), media, "the call that was up all the time");
    anchor.hangup();
    workers[0].ended(&anchor, 16, 0).expect("the call that was up all the time");
    drop((anchored, anchor));

    let tally = tally.into_inner();
    if !t.is_ours() {
        note_failures(t, &tally);
        return t.asterisk.expect_no_more_than(&before);
    }
    assert!(tally.failed.is_empty(), "{} calls failed:\n{}", tally.failed.len(), tally.failed.join("\n"));
    t.asterisk.expect_no_more_than(&before);
    assert_eq!(t.asterisk.driver_status().map(|status| status.use_count), Some(0));
    let shown = t.asterisk.cli("websocket show channels");
    assert!(shown.contains("\n0 WebSocket channels"), "{shown}");
    let memory = memory_kib(t);
    println!(
        "churn: {total} calls in {:.1} s, {rounds} rounds of operators' commands; {} threads and {} descriptors; \
         resident {memory_before} -> {memory} KiB\n{:#?}",
        took.as_secs_f64(),
        before.threads.len(),
        before.files.len(),
        tally.tried,
    );
    assert!(memory < memory_before + MEMORY_NOISE_KIB, "{memory_before} -> {memory} KiB");
    t.asterisk.unload_driver();
}

/// Notes how many of the C module's calls ended in another way than ours, and how.
fn note_failures(t: &Context, tally: &Tally) {
    let mut kinds = BTreeMap::<&str, usize>::new();
    for failed in &tally.failed {
        let kind = failed.split_once(", ").map_or(&**failed, |(_, kind)| kind);
        *kinds.entry(kind.split("ended ").next().unwrap_or(kind)).or_default() += 1;
    }
    let tried: usize = tally.tried.values().sum();
    t.note(format!("{} of {tried} calls otherwise: {kinds:?}", tally.failed.len()));
}

/// The variation in resident memory of an Asterisk with sixteen callers.
const MEMORY_NOISE_KIB: usize = 8 * 1024;

/// Resident memory after the allocator has returned free memory.
fn memory_kib(t: &Context) -> usize {
    t.asterisk.cli("malloc trim");
    let status = std::fs::read_to_string(format!("/proc/{}/status", t.asterisk.pid())).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
