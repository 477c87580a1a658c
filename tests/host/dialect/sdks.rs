//! Voice bots on other SDKs, which share no code with Pipecat: the OpenAI Agents SDK (npm) for Twilio, and getpatter
//! (PyPI) for Twilio, Telnyx and Plivo. A server of the bot replaces OpenAI's service.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::super::harness::call::Call;
use super::super::harness::program::Program;
use super::super::harness::{Context, Suite};
use super::super::media::noise;
use super::OURS;
use super::pipecat::{signal_to_noise, tone_bytes};

pub fn tests(suite: &mut Suite) {
    suite.ours("dialect/twilio/openai_agents/echo", OURS, agents_echo);
    suite.ours("dialect/twilio/openai_agents/interruption", OURS, agents_interruption);
    for vendor in ["twilio", "telnyx", "plivo"] {
        suite.ours(format!("dialect/{vendor}/getpatter"), OURS, move |t| getpatter(t, vendor));
    }
}

const FRAME: usize = 160;

#[track_caller]
fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))
}

/// Asterisk calls a bot.
#[track_caller]
fn call<'t>(t: &'t Context, script: &str, job: &Value, options: &str) -> (Program, Call<'t>) {
    let program = Program::start(script, &[&job.to_string()], &std::env::temp_dir());
    let port = value(&program.wait_line("listening"))["listening"].clone();
    let client = t.unique("client");
    let uri = format!("ws://127.0.0.1:{port}/media");
    t.asterisk.add_client(&client, &[("uri", &uri), ("protocols", "media")]);
    if let Some(token) = job["token"].as_str() {
        t.asterisk.add_connection(&client, &[("twilio_auth_token", token)]);
    }
    let call = t.call(&format!("WebSocket/{client}/{options}")).originate();
    call.wait_up();
    (program, call)
}

/// The media without silence.
fn sounding(media: Vec<u8>) -> Vec<u8> {
    media.into_iter().filter(|byte| *byte != 0xff).collect()
}

const AGENTS: &str = "tests/clients/app_openai_agents.js";

/// The caller hears what it has sent, byte for byte; the SDK's marks are returned; the end of the SDK's session ends
/// the call.
fn agents_echo(t: &Context) {
    let (mut program, bot) = call(t, AGENTS, &json!({}), "f(twilio)v(tenant=acme)");
    let start = value(&program.wait_line("\\\"start\\\""));
    let start = value(start["received"].as_str().expect("a text"));
    assert_eq!(start["start"]["customParameters"]["tenant"], "acme", "{start}");
    program.wait_line("running");
    let caller = t.call("WebSocket/INCOMING/c(ulaw)f(json)").originate();
    let app = caller.connect();
    app.expect_media_start();
    t.ari().bridge(&[&caller.id, &bot.id]);
    let mut media = sounding(noise(FRAME * 51));
    media.truncate(FRAME * 50);
    app.send_media(&media);
    // If a busy machine is late, the SDK fills the gap with silence.
    let mut heard = Vec::new();
    while heard.len() < media.len() {
        heard.extend(sounding(app.collect_media(FRAME)));
    }
    assert!(heard == media, "what comes back is what was sent");
    // One mark for each piece, in the order of the pieces.
    for played_ms in [20, 40, 60] {
        program.wait_line(&format!("item_1:{played_ms}:"));
    }
    program.tell(&json!({ "end": true }).to_string());
    program.wait_line("gone");
    assert_eq!(bot.ending().cause, 16);
    program.end();
}

/// OpenAI detects speech: the SDK clears the queue and tells OpenAI how much was heard, which it knows from the marks.
fn agents_interruption(t: &Context) {
    let (mut program, bot) = call(t, AGENTS, &json!({}), "f(twilio)");
    program.wait_line("running");
    let caller = t.call("WebSocket/INCOMING/c(ulaw)f(json)").originate();
    let app = caller.connect();
    app.expect_media_start();
    t.ari().bridge(&[&caller.id, &bot.id]);
    let mut answer = NamedTempFile::new().expect("a file");
    let media = noise(FRAME * 500);
    answer.write_all(&media).expect("write");
    program.tell(&json!({ "play": answer.path() }).to_string());
    let heard = app.collect_media(FRAME * 100);
    assert!(heard == media[..heard.len()], "the answer is heard");
    program.tell(&json!({ "speech": true }).to_string());
    let truncated = value(&program.wait_line("truncated"))["truncated"].as_u64().expect("ms");
    // By the last mark (there is one each 125 ms), with a tolerance of 50 ms in the SDK.
    assert!((1850..=3500).contains(&truncated), "{truncated} ms of 2000 ms");
    // The remaining 8 s are discarded, but for what had already been played.
    let after = app.collect_media_for(media.len() - heard.len(), Duration::from_secs(3));
    assert!(after.len() < FRAME * 25, "{} more bytes were heard", after.len());
    bot.hangup();
    program.wait_line("gone");
}

const TOKEN: &str = "hush-0123456789abcdef";

/// getpatter finds the call, hears it, is heard, and gets digits; a hangup by Asterisk ends its call. It resamples.
fn getpatter(t: &Context, vendor: &str) {
    let job = match vendor {
        "twilio" => json!({ "vendor": vendor, "token": TOKEN }),
        _ => json!({ "vendor": vendor }),
    };
    let options = format!("f({vendor})v(caller=%2B1,callee=200,from=%2B1,to=200)");
    let (mut program, bot) = call(t, "tests/clients/app_getpatter.py", &job, &options);
    if vendor == "twilio" {
        assert_eq!(value(&program.wait_line("signed"))["signed"], true, "by Twilio's own library");
    }
    let found = value(&program.wait_line("\"call\""))["call"].clone();
    assert_eq!(found["telephony_provider"], vendor, "{found}");
    assert!(found["call_id"].as_str().is_some_and(|id| !id.is_empty()), "{found}");
    // With Plivo it does not take the numbers from the stream.
    if vendor != "plivo" {
        assert_eq!((&found["caller"], &found["callee"]), (&json!("+1"), &json!("200")), "{found}");
    }
    program.wait_line("running");
    let caller = t.call("WebSocket/INCOMING/c(slin)f(json)").originate();
    let app = caller.connect();
    app.expect_media_start();
    t.ari().bridge(&[&caller.id, &bot.id]);
    app.send_media(&tone_bytes(8000, Duration::from_secs(2)));
    let heard = app.collect_media(320 * 80);
    let heard: Vec<f64> =
        heard.chunks_exact(2).map(|bytes| f64::from(i16::from_le_bytes([bytes[0], bytes[1]]))).collect();
    let ratio = signal_to_noise(&heard[heard.len() / 2..], 8000);
    assert!(ratio > 20.0, "{ratio} dB");
    t.ari().post(&format!("channels/{}/dtmf", bot.id), &[("dtmf", "5")]).ok();
    program.wait_line("[DTMF: 5]");
    bot.hangup();
    program.wait_line("ended");
    program.end();
}
