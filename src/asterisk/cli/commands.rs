//! What each CLI command prints. Nothing here knows the core; strings in, text out.

use std::fmt::Write as _;
use std::sync::Arc;

use super::channel_facts;
use super::command::{CliCommand, Outcome};
use crate::asterisk::build::{self, BUILD, OnDisk};
use crate::asterisk::call::Call;
use crate::asterisk::check;
use crate::asterisk::driver::Driver;
use crate::call::debug::DebuggedPeer;
use crate::call::module_report::ModuleMetric;
use crate::call::report::{CallReport, METRICS, MetricSection};
use crate::report::metric::{Kind, Unit, Value};
use crate::report::table::{Align, ascii, table};

pub(super) const COMMANDS: [CliCommand; 8] = [
    CliCommand {
        command: c"websocket show channels",
        summary: c"List WebSocket channels",
        usage: c"Usage: websocket show channels\n       Lists the channels of chan_websocket, one line each.\n",
        words: 3,
        run: |driver, args| if args.is_empty() { Outcome::Text(channels(driver)) } else { Outcome::Usage },
        complete: no_completion,
    },
    CliCommand {
        command: c"websocket show channel",
        summary: c"Show everything about a WebSocket channel",
        usage: c"Usage: websocket show channel <channel>\n       Shows all figures of one channel, its connection, and the settings that\n       it was made with. CHANNEL(websocket,<figure>) reads them in the\n       dialplan and in ARI.\n",
        words: 3,
        run: |driver, args| with_call(driver, args, |call| Outcome::Text(channel(call))),
        complete: |driver, args, _| if args.is_empty() { names(driver) } else { Vec::new() },
    },
    CliCommand {
        command: c"websocket show figures",
        summary: c"List the figures that a WebSocket channel has",
        usage: c"Usage: websocket show figures\n       Lists the figures of 'websocket show channel' with their meaning.\n       CHANNEL(websocket,<figure>) reads them in the dialplan and in ARI.\n",
        words: 3,
        run: |_, args| if args.is_empty() { Outcome::Text(metrics()) } else { Outcome::Usage },
        complete: no_completion,
    },
    CliCommand {
        command: c"websocket show stats",
        summary: c"Show totals of chan_websocket",
        usage: c"Usage: websocket show stats\n       Shows the totals of all channels since chan_websocket was loaded,\n       including those that are over, and what the module's threads are doing.\n",
        words: 3,
        run: |driver, args| if args.is_empty() { Outcome::Text(stats(driver)) } else { Outcome::Usage },
        complete: no_completion,
    },
    CliCommand {
        command: c"websocket show settings",
        summary: c"Show build and settings of chan_websocket",
        usage: c"Usage: websocket show settings\n       Shows the build that is running, and the settings for new channels.\n       Warns if the module's file on disk is not the one that was loaded.\n       Asterisk runs the new file after a restart.\n",
        words: 3,
        run: |driver, args| if args.is_empty() { Outcome::Text(settings(driver)) } else { Outcome::Usage },
        complete: no_completion,
    },
    CliCommand {
        command: c"websocket set debug {on|off}",
        summary: c"Show control messages of WebSocket channels",
        usage: c"Usage: websocket set debug {on|off} [channel <channel>|peer <address>]\n       Shows commands and events at the console: those of all channels, of one\n       channel, or of all channels with one peer (an IP address, with or without\n       a port). Without 'channel', it also applies to channels that are made\n       later. 'off' alone turns all of it off.\n",
        words: 3,
        run: set_debug,
        complete: complete_set_debug,
    },
    CliCommand {
        command: c"websocket check",
        summary: c"Check whether WebSocket clients can be reached",
        usage: c"Usage: websocket check [<client>]\n       Connects to the server of one client of websocket_client.conf, or of all\n       clients with connection_type = per_call_config, as a call would, and\n       closes the connection with code 1000. No call is made. Shows each step\n       and how long it took. The last line is OK, or FAILED: with the reason.\n",
        words: 2,
        run: |driver, args| match args {
            [] => Outcome::Text(check::all(driver)),
            [client] => Outcome::Text(check::one(driver, client)),
            _ => Outcome::Usage,
        },
        complete: |_, args, _| if args.is_empty() { check::names_in_memory() } else { Vec::new() },
    },
    CliCommand {
        command: c"websocket hangup",
        summary: c"Hang up a WebSocket channel",
        usage: c"Usage: websocket hangup <channel>\n       Hangs up one channel, as its application's HANGUP would.\n",
        words: 2,
        run: |driver, args| {
            with_call(driver, args, |call| {
                call.hang_up_by_operator();
                Outcome::Text(format!("Hanging up {}\n", call.name()))
            })
        },
        complete: |driver, args, _| if args.is_empty() { names(driver) } else { Vec::new() },
    },
];

fn no_completion(_: &Driver, _: &[String], _: &str) -> Vec<String> {
    Vec::new()
}

fn names(driver: &Driver) -> Vec<String> {
    driver.books.calls().iter().map(|call| call.name().to_owned()).collect()
}

/// Runs `run` on the call that the only argument names, by channel name or unique id. Case is ignored, as in the core's
/// own commands.
fn with_call(driver: &Driver, args: &[String], run: impl FnOnce(&Arc<Call>) -> Outcome) -> Outcome {
    let [name] = args else { return Outcome::Usage };
    match driver.books.call_by_name(name) {
        Some(call) => run(&call),
        None => unknown(name),
    }
}

fn unknown(name: &str) -> Outcome {
    Outcome::Failure(format!("There is no WebSocket channel '{name}'; see 'websocket show channels'\n"))
}

fn channels(driver: &Driver) -> String {
    use Align::{Left, Right};
    const HEADINGS: [&str; 13] = [
        "Channel",
        "Role",
        "Peer",
        "Connection id",
        "Format",
        "Dir",
        "Mode",
        "State",
        "Queue ms",
        "Age",
        "Frames in",
        "Frames out",
        "Drops",
    ];
    let calls = driver.books.calls();
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    rows.extend(calls.iter().map(|call| row(&call.report()).to_vec()));
    let aligns = [Left, Left, Left, Left, Left, Left, Left, Left, Right, Right, Right, Right, Right];
    let plural = if calls.len() == 1 { "" } else { "s" };
    format!("{}{} WebSocket channel{plural}\n", table(&rows, &aligns), calls.len())
}

fn row(report: &CallReport<'_>) -> [String; 13] {
    let call = report.call;
    [
        call.name().into(),
        call.role.as_str().into(),
        report.peer().unwrap_or("-").into(),
        call.connection_id.clone(),
        report.format().name.clone(),
        report.direction.as_str().into(),
        report.mode_name().into(),
        report.state().into(),
        report.queued.as_millis().to_string(),
        clock_time(report.age().as_secs()),
        report.stats.frames_in.to_string(),
        report.frames_out().to_string(),
        report.frames_dropped().to_string(),
    ]
}

fn clock_time(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn channel(call: &Call) -> String {
    let report = call.report();
    let mut sections: Vec<(&str, Vec<(String, String)>)> = Vec::new();
    for section in [
        MetricSection::Call,
        MetricSection::Connection,
        MetricSection::FromApplication,
        MetricSection::ToApplication,
    ] {
        let metrics = METRICS.iter().filter(|metric| metric.section == section);
        let mut rows: Vec<(String, String)> = metrics
            .map(|metric| (metric.name.to_owned(), with_unit(&(metric.get)(&report), metric.unit)))
            .collect();
        if section == MetricSection::Call {
            rows.extend(channel_facts::of(call));
        }
        sections.push((section.as_str(), rows));
    }
    let settings = call.settings.of_calls().into_iter().chain([reconnect(call)]);
    sections.push(("Settings", settings.map(|(name, value)| (name.to_owned(), value)).collect()));
    let width = sections.iter().flat_map(|(_, rows)| rows).map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (heading, rows) in sections {
        let _ = writeln!(text, "{heading}:");
        for (name, value) in rows {
            let _ = writeln!(text, "  {name:width$}  {}", ascii(&value));
        }
    }
    text
}

/// How long the call outlives a connection, under the name of the option.
fn reconnect(call: &Call) -> (&'static str, String) {
    let limit = call.link.reconnect();
    (
        call.role.reconnect_option(),
        limit.map_or_else(|| "no".to_owned(), |limit| format!("{} ms", limit.as_millis())),
    )
}

fn with_unit(value: &Value, unit: Unit) -> String {
    match (value, unit.as_str()) {
        (Value::Absent, _) => "-".to_owned(),
        (value, "") => value.to_string(),
        (value, unit) => format!("{value} {unit}"),
    }
}

fn metrics() -> String {
    let mut rows = vec![["Figure", "Kind", "Unit", "Meaning"].map(str::to_owned).to_vec()];
    rows.extend(METRICS.iter().map(|metric| {
        [metric.name, metric.kind.as_str(), metric.unit.as_str(), metric.help].map(str::to_owned).to_vec()
    }));
    table(&rows, &[])
}

fn stats(driver: &Driver) -> String {
    let report = driver.report();
    let mut rows = vec![["Metric", "Of", "Value", "Meaning"].map(str::to_owned).to_vec()];
    rows.extend(report.metrics().iter().map(|metric| {
        vec![metric.name.to_owned(), labels(metric), with_unit(&metric.value, metric.unit), meaning(metric)]
    }));
    let mut text = table(&rows, &[Align::Left, Align::Left, Align::Right]);
    let wait = &report.calls.totals.traffic.queue_wait;
    text.push_str("\nHow long frames from applications waited for the core:\n");
    let (mut rows, mut before) = (Vec::new(), 0);
    for (bound, count) in wait.cumulative() {
        let bound = bound.map_or("longer".to_owned(), |bound| format!("<= {} ms", bound.as_millis()));
        rows.push(vec![bound, (count - before).to_string()]);
        before = count;
    }
    text.push_str(&table(&rows, &[Align::Right, Align::Right]));
    text
}

fn labels(metric: &ModuleMetric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    labels.join(" ")
}

fn meaning(metric: &ModuleMetric) -> String {
    match metric.kind {
        Kind::Counter => format!("{}, in total", metric.help),
        Kind::Gauge | Kind::Info => metric.help.to_owned(),
    }
}

fn settings(driver: &Driver) -> String {
    let config = driver.config();
    let mut text = format!("Build:  {BUILD}\n");
    if let Some(path) = build::path() {
        let _ = writeln!(text, "File:   {}", ascii(&path.to_string_lossy()));
        match build::on_disk(&path) {
            OnDisk::Same => {}
            OnDisk::Other => text.push_str(
                "WARNING: the file is not the one that was loaded; \
                 restart Asterisk to run it\n",
            ),
            OnDisk::Gone(why) => {
                let _ = writeln!(text, "WARNING: the file cannot be read: {}", ascii(&why));
            }
            OnDisk::Unknown => text.push_str(
                "The file could not be read when it was loaded: \
                 it is not known whether it has changed since\n",
            ),
        }
    }
    text.push('\n');
    let rows: Vec<Vec<String>> =
        config.settings.listing().into_iter().map(|(name, value)| vec![name.into(), value]).collect();
    text.push_str(&table(&rows, &[]));
    let mut names: Vec<&String> = config.connections.keys().collect();
    names.sort();
    for name in names {
        let _ = writeln!(text, "Connection section: [{}]", ascii(name));
    }
    text
}

fn set_debug(driver: &Driver, args: &[String]) -> Outcome {
    let Some((on, what)) = args.split_first() else { return Outcome::Usage };
    let on = on.eq_ignore_ascii_case("on");
    let state = if on { "enabled" } else { "disabled" };
    match what {
        [] => {
            driver.debug.set_all(on);
            for call in driver.books.calls() {
                call.set_debug(on);
            }
            Outcome::Text(format!("WebSocket debugging {state}\n"))
        }
        [keyword, name] if keyword.eq_ignore_ascii_case("channel") => match driver.books.call_by_name(name) {
            Some(call) => {
                call.set_debug(on);
                Outcome::Text(format!("WebSocket debugging {state} for {}\n", call.name()))
            }
            None => unknown(name),
        },
        [keyword, address] if keyword.eq_ignore_ascii_case("peer") => match DebuggedPeer::parse(address) {
            Some(peer) => {
                driver.debug.set_peer(peer, on);
                for call in driver.books.calls() {
                    if call.link.connection().is_some_and(|connection| peer.matches(&connection.peer)) {
                        call.set_debug(on);
                    }
                }
                Outcome::Text(format!("WebSocket debugging {state} for peer {address}\n"))
            }
            None => Outcome::Failure(format!(
                "'{address}' is not an IP address; write 192.0.2.1, 192.0.2.1:8080 or [2001:db8::1]:8080\n"
            )),
        },
        _ => Outcome::Usage,
    }
}

fn complete_set_debug(driver: &Driver, args: &[String], _word: &str) -> Vec<String> {
    match args {
        // The core completes 'on' and 'off' itself.
        [_] => vec!["channel".to_owned(), "peer".to_owned()],
        [_, keyword] if keyword.eq_ignore_ascii_case("channel") => names(driver),
        [_, keyword] if keyword.eq_ignore_ascii_case("peer") => {
            let calls = driver.books.calls();
            let mut peers: Vec<String> =
                calls.iter().filter_map(|call| Some(call.link.connection()?.peer.clone())).collect();
            peers.sort();
            peers.dedup();
            peers
        }
        _ => Vec::new(),
    }
}
