//! Surroundings in which the core calls the driver at odd times, on threads and in states that do not occur in an
//! ordinary call: all figures in the snapshots of ARI and AMI, every event of AMI, CEL and CDR raised and read, debug
//! messages, each channel recorded and spied on, a Stasis application that gets all events, and memory that is filled
//! with a pattern when it is allocated and freed. Tests must have the same results in them.
//!
//! With HOST_SURROUNDINGS set all tests run in them (`make surroundings`). [`Suite::surround`] runs some tests in them
//! as well.
//!
//! [`Suite::surround`]: super::Suite::surround

use std::env;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;

use super::ari::Ari;
use super::asterisk::Asterisk;
use super::conf::{self, DRIVER};

/// The prefix of the names of tests that run a second time in the surroundings.
pub(super) const PREFIX: &str = "surroundings/";

/// The level of the core's debug messages: from level 4 on ARI writes each event to the log that tests read.
pub(super) const DEBUG_LEVEL: u8 = 3;

/// The level of the driver's debug messages: all of them.
const DRIVER_DEBUG_LEVEL: u8 = 5;

/// The modules that the instance needs in addition.
pub(super) const MODULES: &[&str] = &["app_mixmonitor", "cdr_manager", "cel_manager"];

/// Files that replace those of the usual instance.
pub(super) const FILES: &[(&str, &str)] = &[
    ("cdr.conf", "[general]\nenable = yes\nunanswered = yes\nbatch = no\n"),
    ("cdr_manager.conf", "[general]\nenabled = yes\n"),
    ("cel.conf", "[general]\nenable = yes\napps = all\nevents = ALL\n[manager]\nenabled = yes\n"),
];

/// The C library fills memory with this byte when it is freed, and with its complement when it is allocated.
pub(super) const POISONED_MEMORY: (&str, &str) = ("MALLOC_PERTURB_", "165");

/// The number of figures that are evaluated together: their text must fit into the request line of HTTP.
const FIGURES_AT_ONCE: usize = 10;

/// The channel variable in which MixMonitor leaves the name of its file.
pub(super) const RECORDED: &str = "MIXMONITOR_FILENAME";

/// Messages of recording and spying about channels that are gone and about media that Asterisk cannot translate for
/// them, and about spies that enter an application whose test is over.
const NOISE: &[&str] = &[
    "translate.c",
    "codec_amr.c",
    "codec_gsm.c: Invalid GSM data",
    "Unable to add 'MixMonitor' spy to channel",
    "res_stasis.c: Stasis app '",
];

static INSTANCES: AtomicU32 = AtomicU32::new(0);

/// Whether HOST_SURROUNDINGS is set, so that all tests run in them.
pub(super) fn are_everywhere() -> bool {
    env::var_os("HOST_SURROUNDINGS").is_some()
}

/// The Stasis application and the AMI session that watch an instance. They end with its process.
pub(super) struct Surroundings {
    ari: Ari,
    ami: TcpStream,
    recorded: u32,
}

impl Surroundings {
    /// Begins to watch an instance that has just started, and all its channels.
    pub(super) fn begin(asterisk: &Asterisk) {
        for text in NOISE {
            asterisk.log.allow(text);
        }
        asterisk.cli(&format!("core set debug {DRIVER_DEBUG_LEVEL} {DRIVER}"));
        let (names, channels) = mpsc::channel();
        let app = format!("surroundings-{}", INSTANCES.fetch_add(1, Ordering::Relaxed));
        let ari = Ari::listening(asterisk.http, &asterisk.path("ari"), &app, move |event| {
            if event["type"] == "ChannelCreated" {
                // The worker ends with the instance.
                let _ = names.send(event["channel"].clone());
            }
        });
        report_figures(asterisk, &ari);
        let ami = listen(asterisk.ami.expect("surroundings have AMI")).expect("AMI");
        let surroundings = Self { ari, ami, recorded: 0 };
        thread::Builder::new()
            .name("surroundings".into())
            .spawn(move || surroundings.work(&channels))
            .expect("thread");
    }

    /// Records and spies on each channel. The channel may be gone before that, and so may the instance.
    fn work(mut self, channels: &Receiver<Value>) {
        for channel in channels {
            let (Some(id), Some(name)) = (channel["id"].as_str(), channel["name"].as_str()) else { continue };
            // The spies are not spied on.
            if !["WebSocket/", "Local/"].iter().any(|tech| name.starts_with(tech)) {
                continue;
            }
            let path = format!("channels/{id}/snoop");
            let _ =
                self.ari.try_request("POST", &path, &[("spy", "both"), ("app", &self.ari.app)], &Value::Null);
            self.recorded += 1;
            let record =
                format!("Action: MixMonitor\r\nChannel: {name}\r\nFile: {}.sln\r\n\r\n", self.recorded);
            let _ = self.ami.write_all(record.as_bytes());
        }
    }
}

/// An AMI session that reads all events.
fn listen(address: SocketAddr) -> io::Result<TcpStream> {
    let mut ami = TcpStream::connect(address)?;
    ami.write_all(b"Action: Login\r\nUsername: all\r\nSecret: all\r\nEvents: on\r\n\r\n")?;
    let mut reading = ami.try_clone()?;
    thread::Builder::new()
        .name("surroundings".into())
        .spawn(move || io::copy(&mut reading, &mut io::sink()))?;
    Ok(ami)
}

/// Adds every figure of the driver to the snapshots of ARI and AMI.
fn report_figures(asterisk: &Asterisk, ari: &Ari) {
    let text = asterisk.cli("websocket show figures");
    // There are none if the driver is not loaded.
    let names: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let mut entries = Vec::new();
    for (number, names) in names.chunks(FIGURES_AT_ONCE).enumerate() {
        let figures: Vec<String> =
            names.iter().map(|name| format!("{name}=${{CHANNEL(websocket,{name})}}")).collect();
        // Channels of other technologies have no figures, and the core would log an error for each.
        let (variable, value) = (format!("FIGURES{number}_WebSocket"), figures.join(" "));
        ari.post("asterisk/variable", &[("variable", &variable), ("value", &value)]).ok();
        entries.push(format!("EVAL(${{EVAL(${{FIGURES{number}_${{CHANNEL(channeltype)}}}}.)}})"));
    }
    let line = conf::channelvars(&entries.join(","));
    asterisk.add_general("ari.conf", &line, "res_ari.so");
    asterisk.add_general("manager.conf", &line, "manager");
}
