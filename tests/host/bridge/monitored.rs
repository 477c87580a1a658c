//! Monitor(), which Asterisk 20 has and later versions do not. It is not an audiohook: the core records in its own read
//! and write functions.

use super::super::harness::{Context, InstanceConfig, Suite};
use super::hooks::has_all;
use super::{ROW, direct, expect_all_both_ways, expect_direct, expect_technology, figure, is_direct};

const MODULE: &str = "res_monitor";

pub fn tests(suite: &mut Suite) {
    suite.differs("bridge/monitored", ROW, monitored).needs(MODULE).shares("monitored", instance);
}

fn instance() -> InstanceConfig {
    InstanceConfig::new().ami().module(MODULE)
}

/// In a direct bridge the recording contains everything that both sides said: no frame bypasses it. Afterwards the
/// bridge is direct again. The recorder fills gaps with silence by its clock, which happens on a busy machine: then the
/// next recording counts.
fn monitored(t: &Context) {
    t.allow_log("The deprecated module 'res_monitor.so'");
    let [(one, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    expect_technology(t, &one.id, "websocket");
    expect_all_both_ways(&app, &ear, 25);
    let ami = t.ami("all");
    let is_whole = (0..5).any(|_| {
        let file = t.unique("monitored");
        let to = t.asterisk.inside(&format!("spool/monitor/{file}"));
        let start = [("Channel", &*one.name), ("File", &to), ("Format", "ulaw")];
        assert_eq!(ami.action("Monitor", &start).get("Response"), "Success");
        let before = if is_direct(t) { direct(&one) } else { 0 };
        expect_all_both_ways(&app, &ear, 100);
        if is_direct(t) {
            let others = figure(&one, "frames_not_direct");
            assert_eq!(direct(&one), before, "frames went past the recording; others: {others}");
        }
        assert_eq!(ami.action("StopMonitor", &[("Channel", &*one.name)]).get("Response"), "Success");
        ["in", "out"].iter().all(|direction| has_all(t, &format!("{file}-{direction}.ulaw")))
    });
    assert!(is_whole, "no recording is whole");
    let before = if is_direct(t) { direct(&one) } else { 0 };
    expect_all_both_ways(&app, &ear, 50);
    expect_direct(t, &one, before, 50);
}
