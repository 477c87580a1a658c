//! One Asterisk with one of the modules, the generator at the other end, and the calls between them.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::ari::Ari;
use crate::generator::app::Life;
use crate::generator::stats::Window;
use crate::generator::worker::{Command, Event, Who};
use crate::generator::{Connector, Generator, WORKER_NAME};
use crate::harness::InstanceConfig;
use crate::harness::asterisk::Asterisk;
use crate::harness::conf::DRIVER;
use crate::procfs::{self, Difference, Snapshot};
use crate::variant::Variant;

/// The dialplan that the calls are connected to.
const DIALPLAN: &str = "
[bench]
; Plays back to the app what it says.
exten => echo,1,Echo()
; Calls a second app and bridges the two.
exten => pair,1,Dial(WebSocket/bench/c(ulaw))
; Calls a telephone, so to speak.
exten => phone,1,Dial(UnicastRTP/127.0.0.1:${PHONE_PORT}/c(ulaw))
";

/// How long calls may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many calls may be starting at a time: more would only wait for each other.
const PENDING: usize = 8;

/// Which side connects, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Asterisk connects to the app.
    Out,
    /// The app connects to Asterisk.
    In,
    /// As `Out`, with TLS.
    OutTls,
    /// As `In`, with TLS.
    InTls,
}

impl Way {
    /// The dial string, with these options.
    pub fn endpoint(self, options: &str) -> String {
        let connection = match self {
            Self::Out => "bench",
            Self::OutTls => "bench_tls",
            Self::In | Self::InTls => "INCOMING",
        };
        format!("WebSocket/{connection}/{options}")
    }

    /// Whether the app connects.
    pub fn is_in(self) -> bool {
        matches!(self, Self::In | Self::InTls)
    }
}

/// Asterisk without calls, for comparison.
#[derive(Debug, Clone)]
pub struct Idle {
    /// Its threads.
    pub snapshot: Snapshot,
    /// Anonymous memory, KiB.
    pub memory_kib: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

/// The usage during a window.
#[derive(Debug)]
pub struct Measured {
    /// The usage of Asterisk.
    pub asterisk: Difference,
    /// The processor time of the generator's workers, as a share of the elapsed time.
    pub generator_load: f64,
    /// Cores used by unrelated processes.
    pub others: f64,
    /// The measurements of the apps.
    pub window: Window,
}

/// An instance under load.
#[derive(Debug)]
pub struct Rig {
    /// The instance.
    pub asterisk: Arc<Asterisk>,
    /// The generator at the other end.
    pub generator: Generator,
    /// ARI, for one thread.
    pub ari: Ari,
    /// Asterisk before the calls, after one call of each way in use.
    pub idle: Option<Idle>,
    /// Apps that have started, and their channels' unique ids.
    pub apps: HashMap<u32, String>,
    /// What went wrong.
    pub notes: Vec<String>,
    calls: usize,
}

impl Rig {
    /// Starts Asterisk and the generator. `extension phone` sends RTP to `phone_port`, if there is one.
    pub fn start(variant: &Variant, workers: usize, phone_port: Option<u16>) -> Result<Self> {
        let generator = Generator::start(workers)?;
        let client = |name: &str, scheme: &str, port: u16, more: &str| {
            format!(
                "[{name}]\ntype = websocket_client\nconnection_type = per_call_config\n\
                 uri = {scheme}://127.0.0.1:{port}/media\nprotocols = media\nconnection_timeout = 5000\n{more}"
            )
        };
        let plain = client("bench", "ws", generator.address.port(), "");
        let tls = "tls_enabled = yes\nverify_server_cert = no\n";
        let tls = client("bench_tls", "wss", generator.tls_address.port(), tls);
        let mut config = InstanceConfig::new()
            .file("websocket_client.conf", &format!("{plain}{tls}"))
            .file("chan_websocket.conf", &variant.config())
            .without_direct_bridge()
            .dialplan(&format!("[globals]\nPHONE_PORT = {}\n{DIALPLAN}", phone_port.unwrap_or(9)));
        if phone_port.is_some() {
            config = config.file("rtp.conf", "[general]\n").file("pjproject.conf", "");
            // For comparison, phones are bridged to AudioSocket instead of our module.
            let rivals = ["res_audiosocket", "chan_audiosocket"];
            for module in ["res_pjproject", "res_rtp_asterisk", "res_rtp_multicast", "chan_rtp"]
                .into_iter()
                .chain(rivals)
            {
                config = config.module(module);
            }
        }
        if variant.file.is_some() {
            config = config.without(DRIVER);
        }
        let asterisk = Asterisk::start(variant.module, &config);
        if let Some(file) = &variant.file {
            fs::copy(file, asterisk.folder().join(format!("modules/{DRIVER}.so")))?;
            asterisk.driver("load");
        }
        if !asterisk.driver_status().is_some_and(|status| status.running) {
            return Err(format!("the module does not run\n{}", asterisk.report(0)).into());
        }
        let ari = Ari::new(asterisk.http, asterisk.path("ari"));
        Ok(Self { asterisk, generator, ari, idle: None, apps: HashMap::new(), notes: Vec::new(), calls: 0 })
    }

    /// The process id of Asterisk.
    pub fn pid(&self) -> u32 {
        self.asterisk.pid()
    }

    /// Makes a call and ends it, so that everything that Asterisk does only once is done, and notes the usage of
    /// Asterisk without calls.
    pub fn warm_up(&mut self, way: Way) -> Result<()> {
        self.call(way, "c(ulaw)", "echo", 2, 1)?;
        self.end_calls()?;
        let snapshot = Snapshot::take(self.pid())?;
        let memory_kib = procfs::memory_kib(self.pid())?;
        let descriptors = procfs::descriptors(self.pid())?;
        self.idle = Some(Idle { snapshot, memory_kib, descriptors });
        Ok(())
    }

    /// Makes `count` calls with `apps` apps each, and waits until all apps are up.
    pub fn call(
        &mut self,
        way: Way,
        options: &str,
        extension: &str,
        count: usize,
        apps: usize,
    ) -> Result<()> {
        let before = self.apps.len();
        for number in 0..count {
            self.originate(way, options, extension)?;
            // INCOMING calls are made one after the other: the C module deadlocks if they are made in parallel.
            let pending = if way.is_in() { 0 } else { PENDING };
            self.wait_for_apps(before + ((number + 1) * apps).saturating_sub(pending))?;
        }
        self.wait_for_apps(before + count * apps)
    }

    fn originate(&mut self, way: Way, options: &str, extension: &str) -> Result<()> {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        let connector = self.generator.connector();
        originate(&mut self.ari, &self.asterisk, &connector, &Call { way, options, extension, id: &id })
    }

    /// Waits until this many apps are up.
    pub fn wait_for_apps(&mut self, count: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.apps.len() < count {
            if let Some(event) = self.generator.event(deadline) {
                self.note(event);
            } else {
                let refused = self.generator.refused().join(", ");
                let have = self.apps.len();
                return Err(format!("only {have} of {count} apps came up {refused}").into());
            }
        }
        Ok(())
    }

    /// Handles an event.
    pub fn note(&mut self, event: Event) {
        match event {
            Event::Started { id, channel, .. } => drop(self.apps.insert(id, channel)),
            Event::Ended { id, how } => {
                self.apps.remove(&id);
                match how {
                    Ok(1000 | 1001) => {}
                    Ok(code) => self.complain(format!("a connection was closed with {code}")),
                    Err(why) => self.complain(format!("a connection ended: {why}")),
                }
            }
            Event::Fault { what } => self.complain(what),
            Event::Heard { .. } => {}
        }
    }

    /// Notes an error, once.
    pub fn complain(&mut self, what: String) {
        if !self.notes.contains(&what) && self.notes.len() < 20 {
            self.notes.push(what);
        }
    }

    /// Handles all events that have come.
    pub fn note_events(&mut self) {
        while let Some(event) = self.generator.event(Instant::now()) {
            self.note(event);
        }
    }

    /// Ends all calls and waits until Asterisk has no channel left.
    pub fn end_calls(&mut self) -> Result<()> {
        self.generator.tell(|| Command::Close(Who::All));
        let deadline = Instant::now() + PATIENCE;
        while !self.apps.is_empty() {
            let Some(event) = self.generator.event(deadline) else {
                return Err(format!("{} connections were not closed", self.apps.len()).into());
            };
            self.note(event);
        }
        self.wait_for_no_channels()
    }

    /// Waits until Asterisk has no channel left.
    pub fn wait_for_no_channels(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.ari.channels()? {
                0 => return Ok(()),
                left if Instant::now() > deadline => return Err(format!("{left} channels are left").into()),
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Measures for this time.
    pub fn measure(&mut self, duration: Duration) -> Result<Measured> {
        self.measure_while(|_| {
            thread::sleep(duration);
            Ok(())
        })
    }

    /// Measures while `work` runs.
    pub fn measure_while(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<Measured> {
        let own = std::process::id();
        let own_before = Snapshot::take(own)?;
        let machine_before = procfs::machine_cpu()?;
        let before = Snapshot::take(self.pid())?;
        self.generator.open_window();
        work(self)?;
        let window = self.generator.close_window()?;
        let after = Snapshot::take(self.pid())?;
        let machine = procfs::machine_cpu()?.saturating_sub(machine_before);
        let own_after = Snapshot::take(own)?;
        self.note_events();
        let asterisk = Difference::between(&before, &after, self.idle.as_ref().map(|idle| &idle.snapshot));
        let seconds = asterisk.elapsed.as_secs_f64();
        let workers = own_after.cpu_of(&own_before, WORKER_NAME).as_secs_f64();
        let all_own = own_after.cpu_of(&own_before, "").as_secs_f64();
        let others = machine.as_secs_f64() - asterisk.cpu.as_secs_f64() - all_own;
        Ok(Measured {
            generator_load: workers / seconds,
            others: others.max(0.0) / seconds,
            asterisk,
            window,
        })
    }

    /// Stops Asterisk. Returns what went wrong.
    pub fn finish(self) -> Vec<String> {
        let mut notes = self.notes;
        drop(self.generator);
        if let Err(unclean) = self.asterisk.stop() {
            notes.extend(unclean.text.lines().filter(|line| !line.is_empty()).take(5).map(str::to_owned));
        }
        notes
    }

    /// For scenarios whose apps do more than send media.
    pub fn set_life(&self, life: Life) {
        self.generator.set_life(life);
    }
}

/// A call to be made.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The side that connects.
    pub way: Way,
    /// The dial string's options.
    pub options: &'a str,
    /// The extension that it is connected to.
    pub extension: &'a str,
    /// The channel's unique id.
    pub id: &'a str,
}

/// Makes a call, and connects the app if the app has to connect. Each thread uses a separate `ari`.
pub fn originate(ari: &mut Ari, asterisk: &Asterisk, connector: &Connector, call: &Call<'_>) -> Result<()> {
    ari.originate(&call.way.endpoint(call.options), call.id, call.extension)?;
    if !call.way.is_in() {
        return Ok(());
    }
    let id = ari.variable(call.id, "MEDIA_WEBSOCKET_CONNECTION_ID")?;
    let encrypted = call.way == Way::InTls;
    let address = if encrypted { asterisk.https } else { asterisk.http };
    connector.connect(address, encrypted, &asterisk.path(&format!("media/{id}")))
}
