//! The effect of connecting calls on everything else: the audio of another call, ARI and the CLI.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::harness::Context;
use super::super::harness::app::Item;

/// The longest delay of each.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// The longest time between two frames of a call that plays back what its app says.
    pub audio: Duration,
    /// The longest time that ARI took to tell a channel's state.
    pub ari: Duration,
    /// The longest time that the CLI took to list the channels.
    pub cli: Duration,
    /// The longest delay of a thread that has nothing to do with Asterisk.
    pub machine: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [audio, ari, cli, machine] =
            [self.audio, self.ari, self.cli, self.machine].map(|time| time.as_millis());
        write!(f, "audio gap {audio} ms, ARI {ari} ms, CLI {cli} ms (the machine's own noise {machine} ms)")
    }
}

impl Figures {
    /// Fails the test if something was delayed for longer than a busy machine explains.
    #[track_caller]
    pub fn expect_undisturbed(&self) {
        let noise = self.machine * 3;
        assert!(self.audio < Duration::from_millis(400) + noise, "{self}");
        assert!(self.ari.max(self.cli) < Duration::from_secs(1) + noise, "{self}");
    }
}

const PTIME: Duration = Duration::from_millis(20);

/// Ends the watching threads, even if the work panics: the scope waits for them.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Does something while a call is up, ARI is asked and the CLI is used.
pub fn during<T>(t: &Context, work: impl FnOnce() -> T) -> (T, Figures) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    let over = AtomicBool::new(false);
    let goes_on = || !over.load(Ordering::SeqCst);
    // A slow answer counts when it arrives, or when its time is over.
    let watch = |ask: &(dyn Fn() + Sync)| {
        let mut worst = Duration::ZERO;
        while goes_on() {
            let start = Instant::now();
            ask();
            worst = worst.max(start.elapsed());
            thread::sleep(Duration::from_millis(50));
        }
        worst
    };
    let ask_ari = || {
        let path = format!("channels/{}", call.id);
        let _ = t.ari().try_request("GET", &path, &[], &Value::Null);
    };
    let ask_cli = || drop(t.asterisk.try_cli("core show channels concise"));
    thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            for number in 1.. {
                if !goes_on() {
                    return;
                }
                // Asterisk may be gone, with the C module in it.
                let _ = app.try_send_media(&[0x55; 160]);
                thread::sleep((start + PTIME * number).saturating_duration_since(Instant::now()));
            }
        });
        let machine = scope.spawn(|| {
            let mut worst = Duration::ZERO;
            while goes_on() {
                let start = Instant::now();
                thread::sleep(PTIME);
                worst = worst.max(start.elapsed() - PTIME);
            }
            worst
        });
        let ari = scope.spawn(|| watch(&ask_ari));
        let cli = scope.spawn(|| watch(&ask_cli));
        // Waits until the audio comes back.
        app.wait_item(Duration::from_secs(5), |item| matches!(item, Item::Media(_)).then_some(()));
        thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        let watching = Over(&over);
        let result = work();
        let end = Instant::now();
        thread::sleep(Duration::from_millis(100));
        drop(watching);
        let frames = app.received().into_iter().filter(|received| matches!(received.item, Item::Media(_)));
        let inner = frames.map(|received| received.at).filter(|at| (start..end).contains(at));
        let times: Vec<Instant> = [start].into_iter().chain(inner).chain([end]).collect();
        let audio = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        let [ari, cli, machine] = [ari, cli, machine].map(|thread| thread.join().expect("thread"));
        (result, Figures { audio, ari, cli, machine })
    })
}
