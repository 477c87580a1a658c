//! `WebSocket/<connection id>/<options>`: what is accepted, what is refused, and the resulting channel.

use super::harness::{Context, Suite};

pub fn tests(suite: &mut Suite) {
    for (name, dial, log) in REFUSED {
        suite.same(format!("dial/refused/{name}"), move |t| refused(t, name, dial, log));
    }
    for (name, options, log) in WARNED {
        suite.same(format!("dial/warned/{name}"), move |t| warned(t, options, log));
    }
    for (codec, size) in CODECS {
        suite.same(format!("dial/codec/{codec}"), move |t| codec_size(t, codec, size));
    }
    suite.ours("dial/refused/not_audio", "the C module divides by zero", |t| {
        refused(t, "not_audio", "WebSocket/INCOMING/c(h264)", "h264");
    });
    for (name, settings, log) in SETTINGS_REFUSED {
        suite.ours(format!("dial/refused/settings/{name}"), "the C module has no X()", move |t| {
            refused(t, name, &format!("WebSocket/INCOMING/c(ulaw)X({settings})"), log);
        });
    }
    suite.ours("dial/settings", "the C module has no X()", settings);
    suite.same("dial/format_of_caller", format_of_caller);
    suite.same("dial/no_format", no_format);
    for (name, section) in REFUSED_AT_LOAD {
        suite.same(format!("dial/refused_at_load/{name}"), move |t| refused_at_load(t, section)).private();
    }
    suite.same("dial/channel", channel);
    suite.same("dial/refused/no_data", no_data);
    suite.same("dial/refused/leaves_nothing", leaves_nothing).private();
    suite.ours("dial/protocol_id", "the C module leaves it empty", protocol_id);
    suite.same("dial/requestor_unknown", requestor_unknown);
}

/// Case, dial string, and the text of the error or warning. `{client}` is an existing websocket_client.
const REFUSED: &[(&str, &str, &str)] = &[
    ("no_connection_id", "WebSocket//c(ulaw)", "connection_id is required"),
    ("unknown_client", "WebSocket/nobody-there/c(ulaw)", "client connection 'nobody-there' not found"),
    ("incoming_in_lower_case", "WebSocket/incoming/c(ulaw)", "client connection 'incoming' not found"),
    ("option_without_end", "WebSocket/INCOMING/c(ulaw", "parse error"),
    ("unknown_codec", "WebSocket/INCOMING/c(nonsense)", "No codec found"),
    ("unknown_direction", "WebSocket/INCOMING/c(ulaw)d(sideways)", "media direction: 'sideways'"),
    ("parameters_not_encoded", "WebSocket/{client}/c(ulaw)v(a b=1)", "Invalid URI parameters"),
    ("parameters_with_incoming", "WebSocket/INCOMING/c(ulaw)v(a=1)", "URI parameters are not allowed"),
];

/// Case, content of `X()`, and the text of the error.
const SETTINGS_REFUSED: &[(&str, &str, &str)] = &[
    (
        "unknown_name",
        "out_queue=20",
        "'out_queue' in X() of the 'WebSocket' dial string. Must be queue_overflow, ",
    ),
    ("space", "max_latency=20, queue_overflow=wait", "Unknown name ' queue_overflow' in X()"),
    (
        "overflow",
        "queue_overflow=block",
        "'block' for queue_overflow in X() of the 'WebSocket' dial string. Must be 'drop'",
    ),
    (
        "latency",
        "max_latency=19",
        "'19' for max_latency in X() of the 'WebSocket' dial string. Must be 0 (off), or a number",
    ),
    (
        "music",
        "music_on_hold=default",
        "'default' for music_on_hold in X() of the 'WebSocket' dial string. Must be yes or no",
    ),
    (
        "silence",
        "silence_fill=comfort",
        "'comfort' for silence_fill in X() of the 'WebSocket' dial string. Must be yes or no",
    ),
    ("no_value", "max_latency", "'' for max_latency in X()"),
];

/// The settings are used for this call only; its figures show them.
fn settings(t: &Context) {
    for (options, overflow, latency) in [
        ("X(queue_overflow=wait,max_latency=nonsense,max_latency=200)", "wait", "200 ms"),
        ("X()", "drop", "off"),
        ("", "drop", "off"),
    ] {
        let call = t.incoming(&format!("c(ulaw){options}"));
        let text = t.asterisk.cli(&format!("websocket show channel {}", call.name));
        for (name, value) in [("queue_overflow", overflow), ("max_latency", latency)] {
            let line = text.lines().map(str::trim).find(|line| line.starts_with(name));
            let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
            assert_eq!(line[name.len()..].trim(), value, "{options}: {name}");
        }
    }
}

fn refused(t: &Context, name: &str, dial: &str, log: &str) {
    let mark = t.asterisk.log.len();
    let server = t.server(&[]);
    let dial = dial.replace("{client}", &server.client);
    t.allow_log(log);
    t.allow_log("Unable to create channel of type 'WebSocket'");
    t.allow_log("Missing closing parenthesis");
    t.allow_log("Failed to allocate WebSocket channel pvt");
    let caller = t.call("Local/park@harness").formats("ulaw").dials(&dial, "5", "").originate();
    let result = caller.dial_result();
    assert_eq!(result.status, "CHANUNAVAIL");
    t.note(format!("{result:?}"));
    let line = t.asterisk.log.wait_since(mark, &[log]);
    t.note(level(&line));
    // The log names the requesting channel, so that the call can be found among many. (The C module omits it for
    // directions.)
    assert!(line.contains(&caller.name) || name == "unknown_direction" && !t.is_ours(), "{line}");
}

/// The numbers of channels, threads and file descriptors do not change.
fn leaves_nothing(t: &Context) {
    let refuse_all = || {
        for (name, dial, log) in REFUSED {
            refused(t, name, dial, log);
        }
    };
    refuse_all();
    let before = t.asterisk.settled();
    refuse_all();
    t.asterisk.expect_no_more_than(&before);
}

/// Case, options, and the text of the warning. The call continues.
const WARNED: &[(&str, &str, &str)] = &[
    ("unknown_control_format", "c(ulaw)f(xml)", "'f/control message format'"),
    ("empty_control_format", "c(ulaw)f()", "'f/control message format'"),
    ("unknown_letter", "c(ulaw)z", "{unknown}"),
];

fn warned(t: &Context, options: &str, log: &str) {
    // The C module leaves this one to Asterisk's option parser.
    let log = &log.replace("{unknown}", t.either("Unrecognized option: 'z'", "Unknown options 'z'"));
    t.allow_log(log);
    let server = t.server(&[]);
    let dial = format!("WebSocket/{}/{options}", server.client);
    let caller = t.call("Local/park@harness").formats("ulaw").dials(&dial, "5", "g").originate();
    let app = server.accept();
    app.expect_media_start();
    assert_eq!(level(&t.wait_log(&["WARNING", log])), "WARNING");
    app.command("HANGUP");
    assert_eq!(app.expect_close(), 1000);
    t.note(format!("{:?}", caller.dial_result()));
}

/// Formats, and the optimal frame size in MEDIA_START.
const CODECS: &[(&str, &str)] = &[
    ("ulaw", "160"),
    ("alaw", "160"),
    ("g722", "160"),
    ("gsm", "33"),
    ("g726", "80"),
    ("g726aal2", "80"),
    ("adpcm", "80"),
    ("ilbc", "38"),
    ("siren7", "80"),
    ("siren14", "120"),
    ("g719", "160"),
    ("slin", "320"),
    ("slin12", "480"),
    ("slin16", "640"),
    ("slin24", "960"),
    ("slin32", "1280"),
    ("slin44", "1764"),
    ("slin48", "1920"),
    ("slin96", "3840"),
    ("slin192", "7680"),
    ("silk8", "160"),
    ("g723", "20"),
    ("opus", "0"),
    ("speex", "0"),
    ("g729", "0"),
    ("lpc10", "0"),
    ("codec2", "0"),
];

fn codec_size(t: &Context, codec: &str, size: &str) {
    let call = t.call(&format!("WebSocket/INCOMING/c({codec})n")).formats(codec).originate();
    let app = call.connect();
    let start = app.expect_media_start();
    assert_eq!(start.get("format"), codec);
    assert_eq!(start.get("optimal_frame_size"), size);
    assert_eq!(start.get("ptime"), if codec == "g723" { "30" } else { "20" });
    assert_eq!(call.variable("MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE").as_deref(), Some(size));
}

/// Without `c()` the first of the requested formats is used.
fn format_of_caller(t: &Context) {
    for options in ["", "/", "/c()"] {
        let dial = format!("WebSocket/INCOMING{options}");
        let call = t.call(&dial).formats("alaw,ulaw").originate();
        assert_eq!(call.connect().expect_media_start().get("format"), "alaw", "{dial}");
    }
}

/// ARI requests an unknown format: the error says what was requested, and what is allowed.
fn no_format(t: &Context) {
    let words = "No codec found for sending media to connection 'INCOMING'";
    t.allow_log(words);
    let incoming = [("external_host", "INCOMING"), ("connection_type", "server"), ("format", "none")];
    let mark = t.asterisk.log.len();
    t.note(format!("{}", t.external_media(&incoming).status));
    let line = t.asterisk.log.wait_since(mark, &[words]);
    t.note(level(&line));
    for said in ["none", "c(<format>)", "core show codecs"] {
        assert!(!t.is_ours() || line.contains(said), "'{said}' is not in: {line}");
    }
}

/// Case, and a section of websocket_client.conf that res_websocket_client refuses.
const REFUSED_AT_LOAD: [(&str, &str); 3] = [
    ("connection_type", "type = websocket_client\nconnection_type = per_call\n"),
    ("type", "type = client\nconnection_type = per_call_config\n"),
    ("unknown_option", "type = websocket_client\nconnection_type = per_call_config\ncolour = red\n"),
];

/// The file has the section, so it would not help to say only that there is no such client.
fn refused_at_load(t: &Context, section: &str) {
    for words in ["not found", "Failed to allocate WebSocket channel pvt", "config_options.c", "sorcery"] {
        t.allow_log(words);
    }
    t.allow_log("Unable to create channel of type 'WebSocket'");
    let uri = "uri = ws://127.0.0.1:9/media\nprotocols = media\n";
    t.asterisk.write_config("websocket_client.conf", &format!("[refused]\n{section}{uri}"));
    t.asterisk.reload("res_websocket_client.so");
    let dial = "WebSocket/refused/c(ulaw)";
    let caller = t.call("Local/park@harness").formats("ulaw").dials(dial, "5", "").originate();
    t.note(format!("{:?}", caller.dial_result()));
    let line = t.wait_log(&["ERROR", "client connection 'refused' not found"]);
    let said =
        ["websocket_client.conf", "refused when it was loaded", "type = websocket_client", "module reload"];
    for words in said {
        assert!(!t.is_ours() || line.contains(words), "'{words}' is not in: {line}");
    }
}

/// What is visible of a channel before an application connects.
fn channel(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").create();
    assert_eq!(call.state().as_deref(), Some("Down"));
    assert!(call.name.starts_with("WebSocket/INCOMING/"), "{}", call.name);
    let id = call.connection_id();
    let groups: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{id} is no UUID");
    for function in ["CHANNEL(audioreadformat)", "CHANNEL(audiowriteformat)", "CHANNEL(audionativeformat)"] {
        t.note(format!("{function} {:?}", call.variable(function)));
    }
    t.note(format!("{:?}", call.variable("MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE")));

    let server = t.server(&[]);
    let call = t.call(&format!("WebSocket/{}/c(ulaw)", server.client)).create();
    assert!(call.name.starts_with(&format!("WebSocket/{}/", server.client)), "{}", call.name);
    assert_eq!(call.connection_id(), server.client);
}

/// The core's field for the driver's name of a channel: ARI shows it.
fn protocol_id(t: &Context) {
    let call = t.call("WebSocket/INCOMING/c(ulaw)").create();
    let channel = t.ari().get(&format!("channels/{}", call.id), &[]).ok();
    assert_eq!(channel["protocol_id"], *call.connection_id());
}

/// Dial() and ARI refuse this themselves, so only other callers reach the driver with it.
fn no_data(t: &Context) {
    let error = "A connection id is required for the 'WebSocket' channel";
    t.allow_log(error);
    let app = &t.ari().app;
    let caller = t.call("Local/park@harness").extension("available").variable("DIAL", "WebSocket/");
    let caller = caller.variable("APP", app).originate();
    let event = t.ari().wait_channel("StasisStart", &caller.id);
    t.note(format!("{}", event["args"]));
    assert!(t.wait_log(&["ERROR", error]).contains(&caller.name));
}

/// A request by ARI has no requesting channel: the log names the id that was requested for the channel.
fn requestor_unknown(t: &Context) {
    t.allow_log("client connection 'nobody' not found");
    let answer = t.call("WebSocket/nobody/c(ulaw)").try_originate();
    t.note(format!("{} {}", answer.status, answer.body));
    let line = t.wait_log(&["ERROR", "client connection 'nobody' not found"]);
    assert!(line.contains("call-"), "{line}");
}

fn level(line: &str) -> &str {
    ["ERROR", "WARNING", "NOTICE"]
        .into_iter()
        .find(|level| line.contains(&format!("] {level}[")))
        .unwrap_or("")
}
