//! examples/grafana and examples/prometheus with Debian's Prometheus, which reads a real instance: each query of the
//! dashboard has an answer, each metric of the alerts exists, and the alert for a missing module fires.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::connect::daemon::{Daemon, Recipe};
use super::harness::sandbox::{self, Mounts};
use super::harness::schema::EVENTS;
use super::harness::{Context, Suite, wait};
use super::prometheus::{metrics, with_prometheus};

const WHY: &str = "the C module has no metrics";

const DASHBOARD: &str = include_str!("../../examples/grafana/chan_websocket.json");
const CONFIG: &str = include_str!("../../examples/prometheus/prometheus.yml");
const RULES: &str = include_str!("../../examples/prometheus/chan_websocket.rules.yml");
const RULES_TEST: &str = include_str!("../../examples/prometheus/chan_websocket.test.yml");
const README: &str = include_str!("../../examples/grafana/README.md");

const RULES_FILE: &str = "chan_websocket.rules.yml";

pub fn tests(suite: &mut Suite) {
    suite.of_harness("monitoring/rules", rules);
    suite.of_harness("monitoring/names", names);
    suite.ours("monitoring/dashboard", WHY, dashboard).private_from(|| {
        let pings = "[global]\nenable_pingpongs = yes\npingpong_interval = 1\ndirect_bridge = yes\n";
        with_prometheus().our_file("chan_websocket.conf", pings)
    });
    suite.ours("monitoring/alerts", WHY, alerts).private_with(with_prometheus());
}

/// Runs promtool in the sandbox, in a folder with the examples.
fn promtool(arguments: &[&str]) {
    let (folder, inside) = sandbox::instance_folder();
    for (name, text) in
        [("prometheus.yml", CONFIG), (RULES_FILE, RULES), ("chan_websocket.test.yml", RULES_TEST)]
    {
        fs::write(folder.join(name), text).expect("a file");
    }
    let mut command = sandbox::command(&folder, Mounts::default());
    command.arg("promtool").args(arguments.iter().map(|argument| argument.replace("{}", &inside)));
    let output = command.output().expect("promtool");
    let _ = fs::remove_dir_all(&folder);
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

fn rules() {
    promtool(&["check", "config", "--lint=all", "{}/prometheus.yml"]);
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", "{}/chan_websocket.rules.yml"]);
    promtool(&["test", "rules", "{}/chan_websocket.test.yml"]);
}

/// The names of the alerts in the rules.
fn alert_names() -> BTreeSet<&'static str> {
    RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect()
}

/// Each alert has a test and a row of the README; the words for how calls end are those of the module; the panels can
/// be told apart.
fn names() {
    let alerts = alert_names();
    assert!(alerts.len() > 5, "{alerts:?}");
    for alert in &alerts {
        assert!(RULES_TEST.contains(alert), "{alert} has no test");
        assert!(README.contains(&format!("| {alert} |")), "{alert} has no row");
    }
    let words = EVENTS.of("MEDIA_STOP")["properties"]["ended_by"]["enum"].as_array().expect("words");
    let (_, rest) = RULES.split_once("by=~\"").expect("a matcher");
    for word in rest.split('"').next().unwrap_or_default().split('|') {
        assert!(words.contains(&word.into()), "no call is ended by {word}");
    }
    let panels = panels();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", panel["title"]);
    }
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    dashboard["panels"].as_array().expect("panels").clone()
}

/// The queries of the dashboard, with its variables filled in as Grafana does, each with its panel's title.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for panel in panels() {
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        assert!(!targets.is_empty() || panel["type"] == "row", "{}", panel["title"]);
        for target in targets {
            let query = target["expr"].as_str().expect("a query");
            let query = query.replace("$__rate_interval", "10s").replace("$instance", ".*");
            assert!(!query.contains('$'), "{query}");
            queries.push((panel["title"].to_string(), query));
        }
    }
    queries
}

/// All metrics named in a text.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_name(c));
    words.filter(|word| word.starts_with("asterisk_websocket_")).collect()
}

/// A Prometheus with the example's configuration, which scrapes this instance each second.
struct Prometheus {
    _daemon: Daemon,
    port: u16,
}

impl Prometheus {
    fn reading(t: &Context) -> Self {
        let recipe = Recipe {
            command: &[
                "prometheus",
                "--config.file={}/prometheus.yml",
                "--storage.tsdb.path={}/data",
                "--web.listen-address=127.0.0.1:{port}",
            ],
            config: "prometheus.yml",
            log: "log",
            mounts: Mounts::default(),
        };
        let config = CONFIG
            .replace("127.0.0.1:8088", &t.asterisk.http.to_string())
            .replace("/metrics", &t.asterisk.path("metrics"))
            .replace("15s", "1s");
        assert_eq!(config.matches(" 1s").count(), 2, "{config}");
        let (daemon, ports) = Daemon::start(&recipe, 1, |inside, _| {
            let folder = sandbox::root().join(inside.trim_start_matches('/'));
            fs::write(Path::new(&folder).join(RULES_FILE), RULES).expect("the rules");
            config.clone()
        });
        let started = Self { _daemon: daemon, port: ports[0] };
        // It listens before it can answer.
        let ready = || ureq::get(format!("http://127.0.0.1:{}/-/ready", started.port)).call().is_ok();
        wait::until("Prometheus is ready", ready);
        wait::until("Prometheus reads the metrics", || !started.answer("up == 1").is_empty());
        started
    }

    /// The answer of its HTTP interface.
    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let uri = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let request = ureq::get(&uri).query_pairs(parameters.iter().copied()).config();
        let mut answer = request.http_status_as_error(false).build().call().expect("an answer");
        let text = answer.body_mut().read_to_string().expect("its text");
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"));
        assert_eq!(answer["status"], "success", "{parameters:?}: {text}");
        answer["data"].clone()
    }

    /// The series in its answer to a query.
    fn answer(&self, query: &str) -> Vec<Value> {
        self.get("query", &[("query", query)])["result"].as_array().expect("series").clone()
    }

    /// The state of an alert; `None` if it is not active.
    fn alert(&self, name: &str) -> Option<String> {
        let alerts = self.get("alerts", &[])["alerts"].as_array().cloned().unwrap_or_default();
        let alert = alerts.iter().find(|alert| alert["labels"]["alertname"] == name)?;
        alert["state"].as_str().map(str::to_owned)
    }
}

/// With calls of all kinds, each query has an answer.
fn dashboard(t: &Context) {
    let prometheus = Prometheus::reading(t);
    let (_echo, app) = t.incoming_echo("c(ulaw)");
    let _bridged = t.bridged("c(ulaw)", "c(ulaw)");
    let (over, over_app) = t.incoming_app("c(ulaw)");
    over_app.command("HANGUP");
    over.ending();
    t.allow_log("nobody-waits: WebSocket instance not found");
    assert_eq!(t.send(&t.upgrade("nobody-waits")).status, 404);
    app.send_media(&[0x55; 160 * 5]);
    assert_eq!(app.collect_media(160 * 5).len(), 160 * 5);
    let queries = queries();
    assert!(queries.len() > 50, "{}", queries.len());
    let mut unanswered = queries.clone();
    let answered = wait::poll(wait::PATIENCE, || {
        unanswered.retain(|(_, query)| prometheus.answer(query).is_empty());
        unanswered.is_empty().then_some(())
    });
    assert!(answered.is_some(), "without an answer: {unanswered:#?}");
    let text = metrics(t);
    let exposed = metrics_in(&text);
    for (title, query) in &queries {
        let strange: Vec<_> = metrics_in(query).into_iter().filter(|name| !exposed.contains(name)).collect();
        assert!(strange.is_empty(), "{title}: {strange:?}");
    }
    let strange: Vec<_> = metrics_in(RULES).into_iter().filter(|name| !exposed.contains(name)).collect();
    assert!(strange.is_empty(), "the alerts: {strange:?}");
    let unused = unused(&exposed);
    assert!(unused.is_empty(), "the dashboard shows neither: {unused:?}");
}

/// Metrics that the dashboard does not show.
fn unused<'a>(exposed: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let shown: BTreeSet<&str> = metrics_in(DASHBOARD).into_iter().map(histogram).collect();
    exposed.iter().copied().filter(|name| !shown.contains(histogram(name))).collect()
}

/// The name of the histogram that a series belongs to, or that of the metric itself.
fn histogram(series: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|part| series.strip_suffix(part)).unwrap_or(series)
}

/// Prometheus can evaluate each rule. A healthy instance has no alert; one without the module has one.
fn alerts(t: &Context) {
    let prometheus = Prometheus::reading(t);
    let all_healthy = || {
        let groups = prometheus.get("rules", &[])["groups"].as_array().cloned().unwrap_or_default();
        let rules: Vec<Value> =
            groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect();
        assert!(rules.iter().all(|rule| rule["health"] != "err"), "{rules:#?}");
        rules.len() == alert_names().len() && rules.iter().all(|rule| rule["health"] == "ok")
    };
    wait::until("each rule was evaluated", all_healthy);
    for name in alert_names() {
        assert_eq!(prometheus.alert(name), None, "{name}");
    }
    t.asterisk.unload_driver();
    let missing = || prometheus.alert("WebSocketModuleMissing").as_deref() == Some("pending");
    wait::until("the missing module is noticed", missing);
    assert!(t.asterisk.driver("load").contains("Loaded"));
    wait::until("it is there again", || prometheus.alert("WebSocketModuleMissing").is_none());
}
