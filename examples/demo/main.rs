//! Two calls through the module, in a real Asterisk: app 1 is called by Asterisk, app 2 connects to it, and a bridge
//! joins them. What one plays, a prompt of Asterisk's own, the other must hear, byte for byte and in time. Keys
//! pressed on the calls steer the apps (`app.rs`).
//!
//! `make demo` runs it. It prints what happens and a report, leaves what was heard and a picture in `target/demo`,
//! and fails when anything was not as it should be.

// Like the tests, from which the harness is, this says what is wrong by panicking where it can do nothing else.
#![allow(clippy::expect_used, clippy::panic, unreachable_pub)]

mod app;
mod audio;
#[path = "../../benches/media/report/canvas.rs"]
mod canvas;
#[allow(unused_imports, clippy::unwrap_used, clippy::indexing_slicing, reason = "it is written for tests")]
#[path = "../../tests/host/harness/mod.rs"]
mod harness;
mod picture;
mod report;
mod timeline;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;
use tungstenite::WebSocket;

use harness::asterisk::{Asterisk, Module};
use harness::call::Call;
use harness::{Context, InstanceConfig, sandbox, wait};
use report::{Act, Report};
use timeline::{Entry, Timeline, What};

/// What app 1 and app 2 play, of Asterisk's sounds.
const PROMPTS: [&str; 2] = ["demo-thanks", "queue-youarenext"];

/// Flow control at small numbers, so that it shows in prompts of a few seconds: at 200 waiting frames Asterisk has
/// enough, under 100 it wants more.
const CONFIG: &str = "[global]\nqueue_max = 300\nqueue_xoff = 200\nqueue_xon = 100\n";

/// For whatever happens within a prompt's time, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where nothing more is to be heard, so long is listened for it.
const QUIET: Duration = Duration::from_millis(300);

/// How much of the prompt is heard before it is cut short: 1.5 s.
const CUT_SHORT_AT: usize = 12_000;

/// The hangup cause of a normal ending (Q.850), and the WebSocket's close code.
const NORMAL: (i64, u16) = (16, 1000);

fn main() -> ExitCode {
    let timeline = Timeline::new();
    match run(&timeline) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nThe demo FAILED: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(timeline: &Timeline) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/demo");
    // Nothing of an earlier run shall be taken for this one's.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;

    timeline.step("demo", "starts Asterisk");
    let config =
        InstanceConfig::new().module("codec_gsm").module("res_convert").file("chan_websocket.conf", CONFIG);
    let context = Context::new(Asterisk::start(Module::Ours, &config));
    let asterisk = context.asterisk.clone();
    let version = asterisk.cli("core show version");
    let version = version.split_whitespace().nth(1).unwrap_or_default();
    timeline.step("Asterisk", format!("{version} is up, with {}", sandbox::our_module().display()));

    let played = play(timeline, &context);
    // Hangs up what is left of the calls, if they failed.
    drop(context);
    let report = match played {
        Ok(mut report) => {
            timeline.step("demo", "stops Asterisk");
            report.problems.extend(asterisk.stop().err().map(|unclean| unclean.text));
            report
        }
        Err(why) => return Err(format!("{why}\n{}", asterisk.report(0))),
    };

    let entries = timeline.since(0);
    for app in ["app 1", "app 2"] {
        let path = folder.join(format!("{}-heard.wav", app.replace(' ', "-")));
        let samples = audio::decode(&timeline::heard(&entries, app));
        audio::write_wav(&path, &samples).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    let path = folder.join("waveforms.png");
    picture::write(&path, &entries, &report).map_err(|why| format!("{}: {why}", path.display()))?;
    println!("\n{report}");
    println!("In {}: waveforms.png, app-1-heard.wav and app-2-heard.wav.", folder.display());
    match report.problems.len() {
        0 => Ok(()),
        _ => Err("see above".into()),
    }
}

/// The two calls.
fn play(timeline: &Timeline, context: &Context) -> Result<Report, String> {
    let asterisk = &context.asterisk;
    let prompt_1 = prompt(timeline, asterisk, PROMPTS[0])?;
    let prompt_2 = prompt(timeline, asterisk, PROMPTS[1])?;

    // Call 1: Asterisk knows the app by websocket_client.conf and connects to it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|why| why.to_string())?;
    let address = listener.local_addr().map_err(|why| why.to_string())?;
    asterisk.add_client("demo-app", &[("uri", &format!("ws://{address}/media")), ("protocols", "media")]);
    let app_1 = App::start(timeline, "app 1", &prompt_1, move || app::accept(listener.accept()?.0));
    timeline.step("call 1", "ARI: POST channels endpoint=WebSocket/demo-app/c(ulaw)f(json)");
    let call_1 = context.call("WebSocket/demo-app/c(ulaw)f(json)").originate();
    let first = Leg::begin(timeline, context, "call 1", call_1, app_1)?;

    // Call 2: Asterisk waits for the app, which connects to its HTTP server.
    timeline.step("call 2", "ARI: POST channels/externalMedia external_host=INCOMING format=ulaw");
    let call_2 = context.external_media_call(&[
        ("external_host", "INCOMING"),
        ("connection_type", "server"),
        ("format", "ulaw"),
        ("transport_data", "f(json)"),
    ]);
    let path = asterisk.path(&format!("media/{}", call_2.connection_id()));
    let uri = format!("ws://{}{path}", asterisk.http);
    timeline.step("app 2", format!("connects to {uri}"));
    let app_2 = App::start(timeline, "app 2", &prompt_2, move || app::connect(&uri));
    let second = Leg::begin(timeline, context, "call 2", call_2, app_2)?;

    let bridge = context.ari().bridge(&[&first.call.id, &second.call.id]);
    let bridge = context.ari().get(&format!("bridges/{bridge}"), &[]).ok();
    let technology = bridge.get("technology").and_then(Value::as_str).unwrap_or_default();
    timeline.step("Asterisk", format!("both calls are in a bridge, technology {technology}"));

    let mut report = Report::default();
    report.add(first.plays_to(&second, PROMPTS[0])?);
    report.add(second.plays_to(&first, PROMPTS[1])?);
    report.add(first.is_cut_short(&second, PROMPTS[0])?);

    // The first call ends by its app, the second by Asterisk.
    let mark = timeline.mark();
    first.press("#");
    report.problems.extend(first.ended(mark));
    let mark = timeline.mark();
    timeline.step("call 2", "ARI: DELETE channels/<id>");
    second.call.hangup();
    report.problems.extend(second.ended(mark));
    // Asterisk lets go of a channel a moment after it has said that it is gone.
    let unused = || asterisk.driver_status().is_some_and(|status| status.running && status.use_count == 0);
    if wait::poll(PATIENCE, || unused().then_some(())).is_none() {
        report.problems.push(format!("no call is left, but the module is {:?}", asterisk.driver_status()));
    }
    Ok(report)
}

/// One of Asterisk's sounds as ulaw. Asterisk converts it.
fn prompt(timeline: &Timeline, asterisk: &Asterisk, name: &str) -> Result<Vec<u8>, String> {
    let folder = asterisk.folder();
    let inside = Path::new("/").join(folder.strip_prefix(sandbox::root()).unwrap_or(folder));
    let file = PathBuf::from(format!("spool/{name}.ulaw"));
    let from = format!("/usr/share/asterisk/sounds/en/{name}.gsm");
    let answer = asterisk.cli(&format!("file convert {from} {}", inside.join(&file).display()));
    let ulaw = fs::read(folder.join(file)).map_err(|why| format!("{from}: {why}: {}", answer.trim()))?;
    let seconds = ulaw.len() as f64 / f64::from(audio::SAMPLE_RATE);
    timeline.step("Asterisk", format!("converts its {name} to ulaw: {} bytes, {seconds:.2} s", ulaw.len()));
    Ok(ulaw)
}

/// An app, running in a thread of its own.
struct App {
    name: &'static str,
    prompt: Vec<u8>,
    /// How it ended.
    outcome: mpsc::Receiver<Result<(), app::Error>>,
}

impl App {
    fn start(
        timeline: &Timeline,
        name: &'static str,
        prompt: &[u8],
        connect: impl FnOnce() -> Result<WebSocket<TcpStream>, app::Error> + Send + 'static,
    ) -> Self {
        let (sender, outcome) = mpsc::channel();
        let (timeline, recording) = (timeline.clone(), prompt.to_vec());
        thread::spawn(move || {
            let run = |socket| app::Call::new(socket, recording, |note| timeline.note(name, note)).run();
            // Nobody waits for it any more when the demo has failed.
            let _ = sender.send(connect().and_then(run));
        });
        Self { name, prompt: prompt.to_vec(), outcome }
    }
}

/// A call and its app.
struct Leg<'t> {
    timeline: &'t Timeline,
    context: &'t Context,
    name: &'static str,
    call: Call<'t>,
    app: App,
}

impl<'t> Leg<'t> {
    /// Waits until the app has its MEDIA_START and the channel is up.
    fn begin(
        timeline: &'t Timeline,
        context: &'t Context,
        name: &'static str,
        call: Call<'t>,
        app: App,
    ) -> Result<Self, String> {
        let leg = Self { timeline, context, name, call, app };
        leg.wait_for(0, "MEDIA_START")?;
        leg.call.wait_up();
        leg.timeline.step(name, format!("{} is up", leg.call.name));
        Ok(leg)
    }

    /// Waits for an event or a command of the app.
    fn wait_for(&self, mark: usize, label: &str) -> Result<(), String> {
        let what = format!("{label} of {}", self.app.name);
        self.timeline.wait(mark, PATIENCE, &what, |entries| {
            entries.iter().any(|entry| self.is_control(entry, label)).then_some(())
        })
    }

    fn is_control(&self, entry: &Entry, label: &str) -> bool {
        match &entry.what {
            What::Event(control) | What::Command(control) => {
                entry.who == self.app.name && control.label() == label
            }
            _ => false,
        }
    }

    /// Waits until the app has heard so much since a mark.
    fn wait_heard(&self, mark: usize, bytes: usize) -> Result<(), String> {
        let what = format!("{bytes} bytes heard by {}", self.app.name);
        self.timeline.wait(mark, PATIENCE, &what, |entries| {
            let media =
                entries.iter().filter(|entry| entry.who == self.app.name).map(|entry| match &entry.what {
                    What::Heard(media) => media.len(),
                    _ => 0,
                });
            (media.sum::<usize>() >= bytes).then_some(())
        })
    }

    /// Presses a key: the app hears of it.
    fn press(&self, key: &str) {
        self.timeline.step(self.name, format!("ARI: POST channels/<id>/dtmf dtmf={key}"));
        self.context.ari().post(&format!("channels/{}/dtmf", self.call.id), &[("dtmf", key)]).ok();
    }

    /// The app plays its prompt to the other one, from the beginning to the end.
    fn plays_to(&self, other: &Self, prompt: &'static str) -> Result<Act, String> {
        let mark = self.timeline.mark();
        self.press("1");
        self.wait_for(mark, "MEDIA_BUFFERING_COMPLETED 1")?;
        // The last frame is on its way. That all have come is judged by the report.
        let _ = other.wait_heard(mark, self.app.prompt.len());
        thread::sleep(QUIET);
        Ok(self.act(mark, other, prompt, false))
    }

    /// The app plays its prompt to the other one, and a key stops it.
    fn is_cut_short(&self, other: &Self, prompt: &'static str) -> Result<Act, String> {
        let mark = self.timeline.mark();
        self.press("1");
        other.wait_heard(mark, CUT_SHORT_AT)?;
        self.press("0");
        self.wait_for(mark, "FLUSH_MEDIA")?;
        thread::sleep(QUIET);
        Ok(self.act(mark, other, prompt, true))
    }

    fn act(&self, mark: usize, other: &Self, prompt: &'static str, cut_short: bool) -> Act {
        Act {
            prompt,
            cut_short,
            recording: self.app.prompt.clone(),
            speaker: self.app.name,
            listener: other.app.name,
            entries: self.timeline.since(mark),
        }
    }

    /// Waits for the call's end, and says what was wrong with it.
    fn ended(&self, mark: usize) -> Vec<String> {
        let mut problems = Vec::new();
        let ending = self.call.ending();
        let (cause, code) = NORMAL;
        self.timeline
            .step(self.name, format!("is over: cause {}, tech cause {}", ending.cause, ending.tech_cause));
        if ending.cause != cause {
            problems.push(format!("{} ended with cause {} instead of {cause}", self.name, ending.cause));
        }
        match self.app.outcome.recv_timeout(PATIENCE) {
            Ok(Ok(())) => {}
            Ok(Err(why)) => problems.push(format!("{} failed: {why}", self.app.name)),
            Err(_) => problems.push(format!("{} did not end", self.app.name)),
        }
        let entries = self.timeline.since(mark);
        let closed = entries.iter().find_map(|entry| match entry.what {
            What::Closed(code) if entry.who == self.app.name => Some(code),
            _ => None,
        });
        if closed != Some(Some(code)) {
            problems.push(format!("{}: closed with {closed:?} instead of {code}", self.app.name));
        }
        problems
    }
}
