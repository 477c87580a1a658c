//! Voice bots on Pipecat, for each carrier that it has a serializer for: `tests/clients/app_pipecat.py`, with Pipecat's
//! own serializers and its FastAPI transport, unmodified.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::super::harness::call::Call;
use super::super::harness::program::Program;
use super::super::harness::{App, Context, Suite, wait};
use super::super::media::noise;
use super::super::protocol::rtp::{self, Phone};
use super::OURS;

pub fn tests(suite: &mut Suite) {
    for vendor in VENDORS {
        let name = |what: &str| format!("dialect/{}/pipecat/{what}", vendor.name);
        suite.ours(name("echo"), OURS, move |t| echo(t, vendor));
        suite.ours(name("interruption"), OURS, move |t| interruption(t, vendor)).shares("rtp", rtp::instance);
    }
    for vendor in [TWILIO, VONAGE] {
        suite.ours(format!("dialect/{}/pipecat/resampled", vendor.name), OURS, move |t| {
            resampled(t, vendor);
        });
    }
}

/// The serializer of a bot, and the media of its call.
#[derive(Debug, Clone, Copy)]
struct Vendor {
    name: &'static str,
    codec: &'static str,
    sample_rate: u32,
    frame: usize,
    /// The message that asks for an answer once everything has been played; `$` stands for the stream's id, if the
    /// message needs it.
    mark: &'static str,
}

const TWILIO: Vendor = Vendor {
    name: "twilio",
    codec: "ulaw",
    sample_rate: 8000,
    frame: 160,
    mark: r#"{"event":"mark","streamSid":"$","mark":{"name":"m"}}"#,
};
const VONAGE: Vendor = Vendor {
    name: "vonage",
    codec: "slin16",
    sample_rate: 16000,
    frame: 640,
    mark: r#"{"action":"notify","payload":{"name":"m"}}"#,
};
const VENDORS: [Vendor; 6] = [
    TWILIO,
    VONAGE,
    Vendor { name: "telnyx", mark: r#"{"event":"mark","mark":{"name":"m"}}"#, ..TWILIO },
    Vendor { name: "telnyx/alaw", codec: "alaw", mark: r#"{"event":"mark","mark":{"name":"m"}}"#, ..TWILIO },
    Vendor { name: "plivo", mark: r#"{"event":"checkpoint","streamId":"$","name":"m"}"#, ..TWILIO },
    Vendor {
        name: "exotel",
        codec: "slin",
        frame: 320,
        mark: r#"{"event":"mark","stream_sid":"$","mark":{"name":"m"}}"#,
        ..TWILIO
    },
];

impl Vendor {
    /// The name of the dialect, which is Pipecat's name for its serializer.
    fn dialect(self) -> &'static str {
        self.name.split('/').next().unwrap_or(self.name)
    }
}

/// A bot in a call.
struct Bot<'t> {
    program: Program,
    call: Call<'t>,
}

impl<'t> Bot<'t> {
    /// Asterisk calls a bot. Its pipeline uses this rate for input and output, and writes `chunk_ms` of media at a
    /// time. `None` uses Pipecat's own rates.
    #[track_caller]
    fn call(t: &'t Context, vendor: Vendor, pipeline_rate: Option<u32>, chunk_ms: u32) -> Self {
        let mut job =
            json!({ "vendor": vendor.dialect(), "wire_rate": vendor.sample_rate, "chunk_ms": chunk_ms });
        if let Some(rate) = pipeline_rate {
            job["in_rate"] = rate.into();
            job["out_rate"] = rate.into();
        }
        let program =
            Program::start("tests/clients/app_pipecat.py", &[&job.to_string()], &std::env::temp_dir());
        let port = value(&program.wait_line("listening"))["listening"].clone();
        let client = t.unique("client");
        let uri = format!("ws://127.0.0.1:{port}/media");
        t.asterisk.add_client(&client, &[("uri", &uri), ("protocols", "media")]);
        let options = format!("f({})c({})", vendor.dialect(), vendor.codec);
        let call = t.call(&format!("WebSocket/{client}/{options}")).originate();
        call.wait_up();
        Self { program, call }
    }

    /// Waits until the pipeline runs, and returns what Pipecat found in the opening messages. Plivo sends only one
    /// opening message, and Pipecat waits for a second message, so the caller must be heard first.
    #[track_caller]
    fn wait_running(&self, vendor: Vendor) -> Value {
        let found = value(&self.program.wait_line("\"kind\""));
        assert_eq!(found["kind"], vendor.dialect(), "Pipecat knows whose stream it is: {found}");
        self.program.wait_line("running");
        found["call"].clone()
    }

    fn tell(&mut self, order: &Value) {
        self.program.tell(&order.to_string());
    }
}

#[track_caller]
fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))
}

/// A caller with this codec, bridged with the bot; one frame of silence has been sent.
#[track_caller]
fn caller<'t>(t: &'t Context, bot: &Bot<'_>, codec: &str, silence: &[u8]) -> (Call<'t>, App) {
    let caller = t.call(&format!("WebSocket/INCOMING/c({codec})f(json)")).originate();
    let app = caller.connect();
    app.expect_media_start();
    t.ari().bridge(&[&caller.id, &bot.call.id]);
    app.send_media(silence);
    (caller, app)
}

/// The caller hears what it has sent, byte for byte. EndFrame ends the call.
fn echo(t: &Context, vendor: Vendor) {
    let mut bot = Bot::call(t, vendor, Some(vendor.sample_rate), 20);
    let silence = match vendor.codec {
        "ulaw" => vec![0xff; vendor.frame],
        "alaw" => vec![0xd5; vendor.frame],
        _ => vec![0; vendor.frame],
    };
    let (_caller, app) = caller(t, &bot, vendor.codec, &silence);
    let found = bot.wait_running(vendor);
    if vendor.dialect() != "vonage" {
        let id = |name: &str| found[name].as_str().is_some_and(|id| !id.is_empty());
        assert!(id("stream_id") && id("call_id"), "{found}");
    }
    // Pipecat decodes and encodes: it maps one of the two zeros of ulaw to the other.
    let mut media = noise(vendor.frame * 50);
    if vendor.codec == "ulaw" {
        media.iter_mut().filter(|byte| **byte == 0x7f).for_each(|byte| *byte = 0xff);
    }
    app.send_media(&media);
    let mut heard = app.collect_media(media.len());
    // The silence may have come back, too.
    if heard.starts_with(&silence) {
        heard.drain(..vendor.frame);
        heard.extend(app.collect_media(vendor.frame));
    }
    assert!(heard == media, "what comes back is what was sent");
    bot.tell(&json!({ "end": true }));
    bot.program.wait_line("gone");
    assert_eq!(bot.call.ending().cause, 16);
    bot.program.end();
}

/// InterruptionFrame silences a phone within two frames, and the outstanding mark is returned. A digit arrives as a
/// frame of Pipecat.
fn interruption(t: &Context, vendor: Vendor) {
    let phone = Phone::new(t);
    let mut bot = Bot::call(t, vendor, Some(vendor.sample_rate), 1000);
    t.ari().bridge(&[&bot.call.id, &phone.call.id]);
    phone.send(0, true, 1, 160, &[0xff; 160]);
    let found = bot.wait_running(vendor);
    let stream = found["stream_id"].as_str().unwrap_or_default();
    let mark = value(&vendor.mark.replace('$', stream));
    let tone = tone(vendor.sample_rate, Duration::from_secs(20));
    let mut measure = || interrupt(&mut bot, vendor, &phone, &mark, tone.path().to_str().expect("a path"));
    wait::until_fits("old media at the phone", &mut measure, |late: &Duration| {
        *late <= Duration::from_millis(40)
    });
    t.ari().post(&format!("channels/{}/dtmf", bot.call.id), &[("dtmf", "7#")]).ok();
    for digit in ["7", "#"] {
        let line = value(&bot.program.wait_line("\"dtmf\": "));
        assert_eq!(line["dtmf"], digit);
    }
    bot.call.hangup();
    bot.program.wait_line("gone");
    bot.program.end();
}

/// How long the phone heard old media after the interruption was sent.
#[track_caller]
fn interrupt(bot: &mut Bot<'_>, vendor: Vendor, phone: &Phone<'_>, mark: &Value, tone: &str) -> Duration {
    bot.tell(&json!({ "play": tone }));
    // The pipeline writes a second of media at a time.
    let waiting = || {
        let length = bot.call.variable("CHANNEL(websocket,queue_length)");
        length.and_then(|length| length.parse().ok()).unwrap_or(0_u32)
    };
    wait::until("media waits", || waiting() > 30);
    let mut last_old = phone.collect(1).last().expect("a packet").at;
    bot.tell(&json!({ "message": mark }));
    bot.program.wait_line("\"sent\"");
    let told = Instant::now();
    bot.tell(&json!({ "interrupt": true }));
    let sent = value(&bot.program.wait_line("\"sent\""));
    let cleared_at = told + Duration::from_secs_f64(sent["after_ms"].as_f64().expect("a time") / 1000.0);
    let back = value(&bot.program.wait_line("\"received\""));
    let back = value(back["received"].as_str().expect("a text"));
    match vendor.dialect() {
        "vonage" => {
            assert_eq!(back, json!({ "event": "websocket:notify", "payload": { "name": "m" } }));
            bot.program.wait_line("websocket:cleared");
        }
        // Plivo reports only marks that have been played.
        "plivo" => assert_eq!(back["event"], "clearedAudio", "{back}"),
        _ => assert_eq!((&back["event"], &back["mark"]), (&json!("mark"), &json!({ "name": "m" })), "{back}"),
    }
    while let Some(packet) = phone.receive() {
        last_old = packet.at;
    }
    last_old.saturating_duration_since(cleared_at)
}

const TONE_HZ: f64 = 440.0;

/// A tone, in 16-bit samples.
fn samples(sample_rate: u32, time: Duration) -> Vec<i16> {
    let count = f64::from(sample_rate) * time.as_secs_f64();
    let phase = |n: u32| f64::from(n) * TONE_HZ / f64::from(sample_rate) * std::f64::consts::TAU;
    (0..count as u32).map(|n| (phase(n).sin() * 8000.0) as i16).collect()
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn tone(sample_rate: u32, time: Duration) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(&bytes(&samples(sample_rate, time))).expect("write");
    file
}

/// With Pipecat's own rates, between which it resamples: a tone comes back as the same tone, with little noise.
fn resampled(t: &Context, vendor: Vendor) {
    let mut bot = Bot::call(t, vendor, None, 20);
    let codec = if vendor.sample_rate == 16000 { "slin16" } else { "slin" };
    let frame = vendor.sample_rate as usize / 50 * 2;
    let (_caller, app) = caller(t, &bot, codec, &vec![0; frame]);
    bot.wait_running(vendor);
    app.send_media(&bytes(&samples(vendor.sample_rate, Duration::from_secs(2))));
    let heard = app.collect_media(frame * 80);
    let heard: Vec<f64> =
        heard.chunks_exact(2).map(|bytes| f64::from(i16::from_le_bytes([bytes[0], bytes[1]]))).collect();
    let ratio = signal_to_noise(&heard[heard.len() / 2..], vendor.sample_rate);
    assert!(ratio > 25.0, "{ratio} dB");
    bot.tell(&json!({ "end": true }));
    bot.program.wait_line("gone");
    assert_eq!(bot.call.ending().cause, 16);
}

/// The level of the tone against everything else, in dB.
pub fn signal_to_noise(heard: &[f64], sample_rate: u32) -> f64 {
    let phase = |n: usize| n as f64 * TONE_HZ / f64::from(sample_rate) * std::f64::consts::TAU;
    let scale = 2.0 / heard.len() as f64;
    let correlated = |with: fn(f64) -> f64| {
        heard.iter().enumerate().map(|(n, sample)| sample * with(phase(n))).sum::<f64>() * scale
    };
    let (sine, cosine) = (correlated(f64::sin), correlated(f64::cos));
    let tone = |n: usize| sine * phase(n).sin() + cosine * phase(n).cos();
    let noise: f64 = heard.iter().enumerate().map(|(n, sample)| (sample - tone(n)).powi(2)).sum();
    let signal: f64 = (0..heard.len()).map(|n| tone(n).powi(2)).sum();
    10.0 * (signal / noise.max(1.0)).log10()
}

/// A tone of this length for a bot to play or to hear, in 16-bit samples.
pub fn tone_bytes(sample_rate: u32, time: Duration) -> Vec<u8> {
    bytes(&samples(sample_rate, time))
}
