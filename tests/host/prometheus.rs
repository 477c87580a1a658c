//! Our metrics in the output of res_prometheus, whichever of the two modules is loaded or unloaded first.

use std::sync::atomic::{AtomicBool, Ordering};

use super::harness::{Context, InstanceConfig, Suite, wait};

const WHY: &str = "the C module has no metrics";

/// The modules that res_prometheus needs here, in an order in which they can be loaded: Debian's build has metrics of
/// PJSIP.
const MODULES: [&str; 4] = ["res_pjproject", "res_sorcery_memory", "res_sorcery_astdb", "res_pjsip"];

pub fn tests(suite: &mut Suite) {
    suite.ours("prometheus/scrape", WHY, scrape).private_with(with_prometheus());
    suite.ours("prometheus/pings", WHY, pings).private_from(|| {
        let pings = "[global]\nenable_pingpongs = yes\npingpong_interval = 1\n";
        with_prometheus().our_file("chan_websocket.conf", pings)
    });
    suite.ours("prometheus/reloads", WHY, reloads).private_with(with_prometheus());
    suite.ours("prometheus/declined", WHY, declined).private_with(
        with_prometheus().file("prometheus.conf", "[general]\nenabled = yes\nauth_username = x\n"),
    );
    suite.ours("prometheus/comes_and_goes", WHY, comes_and_goes).private_with(without_prometheus());
    suite.ours("prometheus/under_scrapes", WHY, under_scrapes).private_with(with_prometheus());
}

fn without_prometheus() -> InstanceConfig {
    let config = InstanceConfig::new()
        .file("prometheus.conf", "[general]\nenabled = yes\nuri = metrics\ncore_metrics_enabled = no\n")
        .file("pjproject.conf", "[startup]\nlog_level = 0\n")
        .file("pjsip.conf", "[global]\ntype = global\n");
    MODULES.iter().fold(config, |config, module| config.module(module))
}

/// It comes after ours in modules.conf, but starts before it.
pub(super) fn with_prometheus() -> InstanceConfig {
    without_prometheus().module("res_prometheus")
}

/// The metrics that Prometheus would read, without Asterisk's own.
pub(super) fn metrics(t: &Context) -> String {
    let uri = format!("http://{}{}", t.asterisk.http, t.asterisk.path("metrics"));
    let mut answer = ureq::get(&uri).call().expect("a scrape");
    let text = answer.body_mut().read_to_string().expect("its text");
    text.lines().filter(|line| line.contains("asterisk_websocket_")).map(|line| format!("{line}\n")).collect()
}

/// Pings of calls that are up and of calls that are over.
fn pings(t: &Context) {
    let count = || value(&metrics(t), "asterisk_websocket_ping_rtt_seconds_count");
    let (call, _app) = t.incoming_app("c(ulaw)");
    wait::until("a ping is answered", || count() >= 1.0);
    let read = |figure: &str| call.variable(&format!("CHANNEL(websocket,{figure})"));
    let longest: f64 = read("longest_ping_rtt_ms").and_then(|text| text.parse().ok()).expect("a number");
    assert!((0.001..1000.0).contains(&longest), "{longest}");
    call.hangup();
    call.ending();
    let over = count();
    let (_call, _app) = t.incoming_app("c(ulaw)");
    wait::until("another is answered", || count() > over);
}

fn has_ours(text: &str) -> bool {
    text.contains("asterisk_websocket_channels{")
}

/// The value of one sample, selected by name and labels.
#[track_caller]
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in {text}")).parse().expect("a number")
}

fn scrape(t: &Context) {
    let text = metrics(t);
    assert_eq!(value(&text, "asterisk_websocket_channels{role=\"incoming\"}"), 0.0);
    let (call, app) = t.incoming_echo("c(ulaw)");
    let _waiting = t.incoming("c(ulaw)");
    app.send_media(&[0x55; 160 * 5]);
    assert_eq!(app.collect_media(160 * 5).len(), 160 * 5);
    let text = metrics(t);
    for (sample, expected) in [
        ("channels{role=\"incoming\"}", 2.0),
        ("channels{role=\"outgoing\"}", 0.0),
        ("channels_connected{role=\"incoming\"}", 1.0),
        ("calls_total{role=\"incoming\"}", 2.0),
        ("bytes_in_total", 800.0),
        ("frames_played_total", 5.0),
        ("queue_wait_seconds_count", 5.0),
        ("queue_wait_seconds_bucket{le=\"+Inf\"}", 5.0),
        ("read_lateness_seconds_count", 5.0),
        ("first_media_seconds_count", 1.0),
        ("first_media_seconds_bucket{le=\"+Inf\"}", 1.0),
        ("ping_rtt_seconds_count", 0.0),
    ] {
        assert_eq!(value(&text, &format!("asterisk_websocket_{sample}")), expected, "{sample}");
    }
    // Five frames at once: the last one waits for four.
    let sum = value(&text, "asterisk_websocket_queue_wait_seconds_sum");
    assert!((0.15..2.0).contains(&sum), "{sum}");
    assert!(!text.contains(&call.name) && !text.contains(&call.connection_id()), "a label of one call");
    assert_format(&text);

    app.close(4321);
    call.ending();
    let text = metrics(t);
    assert_eq!(
        value(&text, "asterisk_websocket_calls_ended_total{by=\"application\",close_code=\"4000\"}"),
        1.0
    );
    assert_eq!(value(&text, "asterisk_websocket_frames_played_total"), 5.0, "totals outlive their calls");
}

/// Every sample comes after the type of its metric, each metric is described once, and no bucket is less than the one
/// before.
#[track_caller]
fn assert_format(text: &str) {
    let (mut described, mut current, mut bucket) = (Vec::new(), String::new(), 0.0);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("name and type");
            assert!(["gauge", "counter", "histogram"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert!(!described.contains(&name.to_owned()), "{name} is described twice");
            described.push(name.to_owned());
            name.clone_into(&mut current);
            bucket = 0.0;
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&current), "{line} stands behind {current}");
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            if sample.contains("_bucket{") {
                assert!(value >= bucket, "{line}");
                bucket = value;
            }
        }
    }
    assert!(described.len() > 20, "{described:?}");
}

/// Reloads of either module change nothing, and res_prometheus may be unloaded.
fn reloads(t: &Context) {
    t.asterisk.cli("module reload res_prometheus.so");
    assert!(has_ours(&metrics(t)));
    t.asterisk.driver("reload");
    let text = metrics(t);
    assert_eq!(text.matches("# TYPE asterisk_websocket_channels ").count(), 1, "asked once: {text}");
    let answer = t.asterisk.cli("module unload res_prometheus.so");
    assert!(answer.contains("Unloaded"), "{answer}");
    t.asterisk.unload_driver();
    assert!(t.asterisk.driver("load").contains("Loaded"));
}

/// If res_prometheus declines to load, calls work without it.
fn declined(t: &Context) {
    for text in ["res_prometheus", "auth_username", "prometheus.conf"] {
        t.allow_log(text);
    }
    t.allow_log("Some non-required modules failed to load");
    assert!(t.asterisk.cli("module show like res_prometheus").contains("Not Running"));
    assert!(t.asterisk.driver_status().is_some_and(|status| status.running));
    let (_call, app) = t.incoming_app("c(ulaw)");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

/// res_prometheus is loaded after ours, unloaded, and loaded again.
fn comes_and_goes(t: &Context) {
    for _ in 0..2 {
        let answer = t.asterisk.cli("module load res_prometheus.so");
        assert!(answer.contains("Loaded"), "{answer}");
        assert!(!has_ours(&metrics(t)), "it came after ours");
        t.asterisk.driver("reload");
        assert!(has_ours(&metrics(t)), "a reload of ours finds it");
        let answer = t.asterisk.cli("module unload res_prometheus.so");
        assert!(answer.contains("Unloaded"), "{answer}");
        // res_prometheus is gone, so there is nothing to unregister from.
        t.asterisk.driver("reload");
    }
    t.asterisk.unload_driver();
    t.asterisk.driver("load");
    let (_call, app) = t.incoming_app("c(ulaw)");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
}

/// Our module is unloaded and loaded during scrapes.
fn under_scrapes(t: &Context) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut found = 0;
            while !done.load(Ordering::Relaxed) {
                found += usize::from(has_ours(&metrics(t)));
            }
            found
        });
        for _ in 0..20 {
            t.asterisk.unload_driver();
            assert!(!has_ours(&metrics(t)), "unloaded");
            assert!(t.asterisk.driver("load").contains("Loaded"));
            assert!(has_ours(&metrics(t)), "loaded");
        }
        done.store(true, Ordering::Relaxed);
        assert!(scraper.join().expect("scraper") > 0);
    });
}
