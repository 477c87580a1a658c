//! What an operator sees in the CLI.

use super::harness::call::Call;
use super::harness::{Asterisk, Context, InstanceConfig, Suite, wait};

const WHY: &str = "the C module has no CLI commands";

pub fn tests(suite: &mut Suite) {
    suite.ours("cli/show_channels", WHY, show_channels).private();
    suite.ours("cli/show_channel", WHY, show_channel);
    suite.ours("cli/show_figures", WHY, show_figures);
    suite.ours("cli/show_settings", WHY, show_settings);
    suite.ours("cli/another_build_on_disk", WHY, another_build_on_disk).private();
    suite.ours("cli/hangup", WHY, hangup);
    suite.ours("cli/unknown_channel", WHY, unknown_channel);
    suite.ours("cli/usage", WHY, usage);
    suite.ours("cli/completion", WHY, completion).private();
    suite.ours("cli/ascii", WHY, ascii);
    suite.ours("cli/totals", WHY, totals).private();
    suite.ours("cli/debug_channel", WHY, debug_channel);
    suite.ours("cli/debug_peer", WHY, debug_peer);
    suite.ours("cli/debug_all", WHY, debug_all).private_with(InstanceConfig::new());
}

/// A line for each channel, with columns that line up.
fn show_channels(t: &Context) {
    assert!(t.asterisk.cli("websocket show channels").contains("\n0 WebSocket channels\n"));
    let (call, app) = t.incoming_echo("c(ulaw)");
    assert!(t.asterisk.cli("websocket show channels").contains("\n1 WebSocket channel\n"));
    let waiting = t.incoming("c(slin16)d(in)p");
    app.send_media(&[0x55; 160]);
    assert_eq!(app.collect_media(160), [0x55; 160]);
    let text = t.asterisk.cli("websocket show channels");
    let lines: Vec<&str> = text.lines().collect();
    let line_of =
        |name: &str| *lines.iter().find(|line| line.starts_with(name)).expect("a line for each channel");
    let (head, first, second) = (line_of("Channel "), line_of(&call.name), line_of(&waiting.name));
    let peer = app.local_address().to_string();
    // Words are aligned with the beginning of their heading.
    for (heading, in_first, in_second) in [
        ("Channel", &*call.name, &*waiting.name),
        ("Role", "incoming", "incoming"),
        ("Peer", &peer, "-"),
        ("Connection id", &call.connection_id(), &waiting.connection_id()),
        ("Format", "ulaw", "slin16"),
        ("Dir", "both", "in"),
        ("Mode", "framed", "passthrough"),
        ("State", "connected", "waiting"),
    ] {
        let column = head.find(heading).expect(heading);
        for (line, word) in [(first, in_first), (second, in_second)] {
            assert!(line[column..].starts_with(&format!("{word} ")), "{heading}: {text}");
        }
    }
    // Numbers are aligned with the end of their heading.
    for (heading, in_first, in_second) in
        [("Queue ms", "0", "0"), ("Frames in", "1", "0"), ("Frames out", "", "0"), ("Drops", "0", "0")]
    {
        let end = head.find(heading).expect(heading) + heading.len();
        for (line, word) in [(first, in_first), (second, in_second)] {
            assert!(line[..end].ends_with(word), "{heading}: {text}");
        }
    }
    let age = head.find(" Age ").expect("Age") + 4;
    assert!(
        first[..age].ends_with(|c: char| c.is_ascii_digit()) && first[..age].contains("  00:00:"),
        "{text}"
    );
    assert!(text.contains("2 WebSocket channels") && text.is_ascii(), "{text}");
    assert!(lines.iter().all(|line| line.trim_end() == *line), "no blanks at the ends: {text}");
}

/// The value of a figure in `websocket show channel` or `websocket show stats`.
#[track_caller]
fn figure<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("{name} is missing in: {text}"));
    line.trim_start()[name.len()..].trim()
}

fn show_channel(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)f(json)");
    app.send_media(&[0x55; 400]);
    assert_eq!(app.collect_media(320).len(), 320);
    app.command("NONSENSE");
    app.expect_event("ERROR");
    app.command("GET_STATUS");
    app.expect_event("STATUS");
    let text = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    let (id, peer) = (call.connection_id(), app.local_address().to_string());
    for (name, value) in [
        ("channel", &*call.name),
        ("uniqueid", &call.id),
        ("role", "incoming"),
        ("connection_id", &id),
        ("state", "connected"),
        ("format", "ulaw"),
        ("ptime", "20 ms"),
        ("optimal_frame_size", "160 bytes"),
        ("mode", "framed"),
        ("direction", "both"),
        ("control_messages", "json"),
        ("auto_answer", "yes"),
        ("debug", "no"),
        ("ended_by", "-"),
        ("channel_state", "Up"),
        ("bridged_with", "-"),
        ("peer", &peer),
        ("tls", "none"),
        ("pings", "0"),
        ("ping_rtt_ms", "-"),
        ("messages_in", "1"),
        ("bytes_in", "400 bytes"),
        ("bytes_cut_off", "80 bytes"),
        ("frames_in", "2 frames"),
        ("frames_played", "2 frames"),
        ("frames_dropped_in", "0 frames"),
        ("queue_length", "0 frames"),
        ("queue_high_water", "2 frames"),
        ("commands", "2"),
        ("commands_refused", "1"),
        ("last_command", "GET_STATUS"),
        ("bytes_out", "320 bytes"),
        ("frames_out", "2 frames"),
        // MEDIA_START, ERROR, STATUS.
        ("events", "3"),
        ("errors", "1"),
        ("write_timeout", "30000 ms"),
        ("out_queue", "2000 ms"),
    ] {
        assert_eq!(figure(&text, name), value, "{name} in: {text}");
    }
    assert!(figure(&text, "last_error").contains("NONSENSE"), "{text}");
    assert!(figure(&text, "longest_queue_wait").ends_with(" ms"), "{text}");
    // Names and values stand in two columns.
    for line in text.lines().filter(|line| !line.ends_with(':')) {
        let (name, value) = line.split_at(2 + "queue_max, queue_xoff, queue_xon".len() + 2);
        assert!(name.starts_with("  ") && name.ends_with("  ") && !value.starts_with(' '), "{line:?}");
    }
    // The name can be the unique id, and case does not matter, as in the core.
    for name in [call.id.clone(), call.name.to_uppercase()] {
        let again = t.asterisk.cli(&format!("websocket show channel {name}"));
        assert_eq!(figure(&again, "channel"), call.name);
    }
    let (tls_call, tls_app) = {
        let call = t.incoming("c(ulaw)");
        let app = t.connect_tls(&call.connection_id());
        app.expect_media_start();
        (call, app)
    };
    let text = t.asterisk.cli(&format!("websocket show channel {}", tls_call.name));
    assert!(figure(&text, "tls").starts_with("TLSv1."), "{text}");
    drop(tls_app);
}

/// The list has every figure of `show channel`, each with its meaning.
fn show_figures(t: &Context) {
    let (call, _app) = t.incoming_app("c(ulaw)");
    let list = t.asterisk.cli("websocket show figures");
    let shown = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    let mut count = 0;
    for line in list.lines().skip(1) {
        let name = line.split_whitespace().next().expect("a name");
        figure(&shown, name);
        count += 1;
    }
    assert!(count > 50, "{list}");
}

fn show_settings(t: &Context) {
    let text = t.asterisk.cli("websocket show settings");
    for part in ["Build:  0.", "File:   /", "write_timeout", "30000 ms", "1000, 900, 800 frames", "everybody"]
    {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert!(!text.contains("WARNING"), "{text}");
}

/// The file is not the one that was loaded, or it is gone.
fn another_build_on_disk(t: &Context) {
    let shown = || t.asterisk.cli("websocket show settings");
    let restore = t.asterisk.replace_driver(|file| {
        // One bit of the build id, which comes after the type and name of the note.
        let note = file.windows(8).position(|bytes| bytes == b"\x03\0\0\0GNU\0");
        let at = note.expect("a build id") + 8;
        file[at] ^= 1;
    });
    assert!(shown().contains("WARNING: the file is not the one that was loaded"), "{}", shown());
    // Unloading and loading does not reload the code in memory, so the file is still another one.
    t.asterisk.unload_driver();
    t.asterisk.driver("load");
    assert!(shown().contains("WARNING: the file is not the one"), "{}", shown());
    restore();
    assert!(!shown().contains("WARNING"), "{}", shown());
    t.asterisk.remove_driver();
    assert!(shown().contains("WARNING: the file cannot be read"), "{}", shown());
}

fn hangup(t: &Context) {
    let (call, app) = t.incoming_echo("c(ulaw)");
    let mark = t.asterisk.cli("websocket show stats");
    assert!(t.asterisk.cli(&format!("websocket hangup {}", call.name)).contains("Hanging up"));
    let ending = call.ending();
    assert_eq!((ending.cause, ending.tech_cause), (16, 1000));
    assert_eq!(app.expect_close(), 1000);
    wait::until("the channel to go", || !t.asterisk.cli("websocket show channels").contains(&call.name));
    let ended = |text: &str| {
        let line = text.lines().find(|line| line.contains("by=operator close_code=1000")).map(str::to_owned);
        line.map_or(0, |line| line.split_whitespace().nth(3).and_then(|n| n.parse().ok()).expect("a count"))
    };
    let after = t.asterisk.cli("websocket show stats");
    assert!(ended(&after) > ended(&mark), "{after}");
}

fn unknown_channel(t: &Context) {
    for command in
        ["websocket show channel nobody", "websocket hangup nobody", "websocket set debug on channel nobody"]
    {
        assert!(t.asterisk.cli(command).contains("There is no WebSocket channel 'nobody'"), "{command}");
    }
    let answer = t.asterisk.cli("websocket set debug on peer nobody");
    assert!(answer.contains("'nobody' is not an IP address"), "{answer}");
}

fn usage(t: &Context) {
    for (command, usage) in [
        ("websocket show channels now", "Usage: websocket show channels\n"),
        ("websocket show channel", "Usage: websocket show channel <channel>\n"),
        ("websocket show channel a b", "Usage: websocket show channel <channel>\n"),
        ("websocket show figures now", "Usage: websocket show figures\n"),
        ("websocket show stats now", "Usage: websocket show stats\n"),
        ("websocket show settings now", "Usage: websocket show settings\n"),
        (
            "websocket set debug on channel",
            "Usage: websocket set debug {on|off} [channel <channel>|peer <address>]\n",
        ),
        (
            "websocket set debug off nonsense x",
            "Usage: websocket set debug {on|off} [channel <channel>|peer <address>]\n",
        ),
        ("websocket hangup", "Usage: websocket hangup <channel>\n"),
    ] {
        let answer = t.asterisk.cli(command);
        assert!(answer.contains(usage), "{command}: {answer}");
        let help =
            t.asterisk.cli(&format!("core show help {}", usage[7..].split(['<', '[', '\n']).next().unwrap()));
        assert!(help.contains(usage) || usage.contains('{'), "{command}: {help}");
        assert!(answer.lines().all(|line| line.len() <= 80), "{answer}");
    }
    // The case of keywords does not matter, as in the core.
    assert!(t.asterisk.cli("WEBSOCKET SHOW Channels").contains("WebSocket channel"));
}

/// The completions that the core offers after `line`.
fn offered(asterisk: &Asterisk, line: &str) -> Vec<String> {
    let word = line.rsplit(' ').next().unwrap_or_default();
    let answer = asterisk.cli(&format!("_command matchesarray \"{line}\" \"{word}\""));
    // The first word is the common prefix; the list ends with a marker.
    let mut words: Vec<String> = answer.split_whitespace().map(str::to_owned).collect();
    words.retain(|word| word != "_EOF_");
    words.sort();
    words.dedup();
    words
}

fn completion(t: &Context) {
    let (first, app) = t.incoming_app("c(ulaw)");
    let second = t.incoming("c(ulaw)");
    let offers = |line: &str| offered(&t.asterisk, line);
    let both = |line: &str| {
        let words = offers(line);
        assert!(words.contains(&first.name) && words.contains(&second.name), "{line}: {words:?}");
    };
    for line in ["websocket show channel ", "websocket hangup ", "websocket set debug on channel "] {
        both(line);
        both(&format!("{line}web"));
        let words = offers(&format!("{line}{}", first.name));
        assert!(words.contains(&first.name) && !words.contains(&second.name), "{line}: {words:?}");
        assert!(!offers(&format!("{line}x")).contains(&first.name));
    }
    for (line, words) in [
        ("websocket set debug ", &["on", "off"][..]),
        ("websocket set debug on ", &["channel", "peer"]),
        ("websocket set debug off P", &["peer"]),
        ("websocket s", &["show", "set"]),
        ("websocket show s", &["stats", "settings"]),
    ] {
        let offered = offers(line);
        for word in words {
            assert!(offered.iter().any(|o| o == word), "{line}: {offered:?}");
        }
    }
    let peer = app.local_address().to_string();
    assert!(offers("websocket set debug on peer 127").contains(&peer));
    // Nothing is offered after a complete command.
    for line in ["websocket show stats ", "websocket show channel x ", "websocket set debug on peer x "] {
        assert!(offers(line).iter().all(|word| word == "NULL"), "{line}: {:?}", offers(line));
    }
}

/// The name of a client may contain anything; a console gets ASCII.
fn ascii(t: &Context) {
    let client = t.unique("caf\u{e9}\u{1b}x");
    t.asterisk.add_client(&client, &[("uri", "ws://127.0.0.1:9/"), ("reconnect_interval", "20000")]);
    let call = t.call(&format!("WebSocket/{client}/c(ulaw)")).originate();
    for command in ["websocket show channels", &format!("websocket show channel {}", call.id)] {
        let text = t.asterisk.cli(command);
        assert!(text.is_ascii() && text.contains("caf\\u{e9}\\u{1b}x"), "{text}");
        assert!(text.lines().all(|line| line.chars().all(|c| !c.is_control())), "{text:?}");
    }
}

/// The module's totals, which remain after the calls.
fn totals(t: &Context) {
    let stats = || t.asterisk.cli("websocket show stats");
    let value = |text: &str, name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is missing in: {text}"));
        line[name.len()..].split_whitespace().next().and_then(|n| n.parse().ok()).expect(line)
    };
    let (call, app) = t.incoming_echo("c(ulaw)");
    app.send_media(&[0x55; 480]);
    assert_eq!(app.collect_media(480).len(), 480);
    t.allow_log("WebSocket instance not found");
    assert_eq!(t.send(&t.upgrade("nobody")).status, 404);
    t.allow_log("Unable to request channel");
    t.allow_log("WebSocket client connection 'nobody' not found");
    assert_ne!(t.call("WebSocket/nobody/c(ulaw)").try_originate().status, 200);
    let text = stats();
    for (name, expected) in [
        ("channels            role=incoming", 1),
        ("channels            role=outgoing", 0),
        ("channels_connected  role=incoming", 1),
        ("calls               role=incoming", 1),
        ("calls_connected     role=incoming", 1),
        ("channels_high_water", 1),
        ("requests_failed", 1),
        ("upgrades_refused    status=404", 1),
        ("reactor_connections  reactor=0", 1),
        ("frames_in", 3),
        ("frames_played", 3),
        ("bytes_in", 480),
        ("frames_out", 3),
        ("events", 1),
        ("connect_jobs", 0),
    ] {
        let name = name.split_whitespace().collect::<Vec<_>>();
        let line = text.lines().find(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.starts_with(&name)
        });
        let line = line.unwrap_or_else(|| panic!("{name:?} is missing in: {text}"));
        let number = line.split_whitespace().nth(name.len());
        assert_eq!(number.and_then(|n| n.parse().ok()), Some(expected), "{line}");
    }
    call.hangup();
    t.asterisk.wait_no_channels();
    wait::until("the totals to stay", || {
        let text = stats();
        text.contains("by=core close_code=1000") && value(&text, "frames_in") == 3
    });
    let waits = stats();
    let waits = waits.split_once("waited for the core:\n").expect("a histogram").1.lines();
    let counted: u64 =
        waits.map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(counted, 3);
}

/// Whether the log has a line of `websocket set debug` with this text for a call.
fn debugged(t: &Context, name: &str, text: &str) -> bool {
    t.log_contains(&["VERBOSE", name, text])
}

fn debug_channel(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    let (other, other_app) = t.incoming_app("c(ulaw)");
    let set = |how: &str, call: &Call<'_>| {
        t.asterisk.cli(&format!("websocket set debug {how} channel {}", call.name)).trim().to_owned()
    };
    assert_eq!(set("on", &call), format!("WebSocket debugging enabled for {}", call.name));
    for app in [&app, &other_app] {
        app.command("GET_STATUS");
        app.expect_event("STATUS");
    }
    t.wait_log(&["VERBOSE", &call.name, "command from", "GET_STATUS"]);
    t.wait_log(&["VERBOSE", &call.name, "event to", "STATUS channel_id"]);
    assert_eq!(set("off", &call), format!("WebSocket debugging disabled for {}", call.name));
    app.command("REPORT_QUEUE_DRAINED");
    app.expect_event("QUEUE_DRAINED");
    // The log is in order: once it has a later line, no earlier one is outstanding.
    set("on", &other);
    other_app.command("REPORT_QUEUE_DRAINED");
    t.wait_log(&["VERBOSE", &other.name, "QUEUE_DRAINED"]);
    assert!(!debugged(t, &call.name, "QUEUE_DRAINED"));
    assert!(!debugged(t, &other.name, "STATUS"));
}

fn debug_peer(t: &Context) {
    let (call, app) = t.incoming_app("c(ulaw)");
    let (other, other_app) = t.incoming_app("c(ulaw)");
    let peer = app.local_address();
    t.asterisk.cli(&format!("websocket set debug on peer {peer}"));
    for app in [&app, &other_app] {
        app.command("GET_STATUS");
        app.expect_event("STATUS");
    }
    t.wait_log(&["VERBOSE", &call.name, "event to", "STATUS"]);
    assert!(!debugged(t, &other.name, "STATUS"));
    t.asterisk.cli(&format!("websocket set debug off peer {peer}"));
    let text = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    assert_eq!(figure(&text, "debug"), "no");
}

/// New calls are included, with MEDIA_START and the end of the call.
fn debug_all(t: &Context) {
    assert_eq!(t.asterisk.cli("websocket set debug ON").trim(), "WebSocket debugging enabled");
    let (call, app) = t.incoming_app("c(ulaw)");
    t.wait_log(&["VERBOSE", &call.name, "event to", "MEDIA_START"]);
    app.close(4000);
    t.wait_log(&["VERBOSE", &call.name, "4000"]);
    t.asterisk.cli("websocket set debug on peer 127.0.0.1");
    assert_eq!(t.asterisk.cli("websocket set debug off").trim(), "WebSocket debugging disabled");
    let (call, _app) = t.incoming_app("c(ulaw)");
    let text = t.asterisk.cli(&format!("websocket show channel {}", call.name));
    assert_eq!(figure(&text, "debug"), "no", "off alone ends that of peers too");
}
