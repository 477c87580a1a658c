//! Every command in every mode and both formats, on a channel that plays nothing.

use super::super::harness::{Context, Format, Suite};
use super::{QUIET, ulaw};

pub fn tests(suite: &mut Suite) {
    for format in Format::ALL {
        for mode in MODES {
            for command in COMMANDS {
                add(suite, format, mode, command);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Framed,
    Passthrough,
    In,
    Out,
    PassthroughIn,
    Unbuffered,
}

use Mode::{Framed, In, Out, Passthrough, PassthroughIn, Unbuffered};

const MODES: [Mode; 6] = [Framed, Passthrough, In, Out, PassthroughIn, Unbuffered];

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Framed => "framed",
            Passthrough => "passthrough",
            In => "in",
            Out => "out",
            PassthroughIn => "passthrough_in",
            Unbuffered => "unbuffered",
        }
    }

    fn options(self) -> &'static str {
        match self {
            Framed => "",
            Passthrough => "p",
            In => "d(in)",
            Out => "d(out)",
            PassthroughIn => "pd(in)",
            Unbuffered => "u",
        }
    }

    fn is_passthrough(self) -> bool {
        matches!(self, Passthrough | PassthroughIn)
    }

    fn is_in(self) -> bool {
        matches!(self, In | PassthroughIn)
    }
}

const COMMANDS: [&str; 12] = [
    "ANSWER",
    "HANGUP",
    "START_MEDIA_BUFFERING",
    "STOP_MEDIA_BUFFERING",
    "STOP_MEDIA_BUFFERING an id",
    "MARK_MEDIA",
    "MARK_MEDIA an id",
    "FLUSH_MEDIA",
    "PAUSE_MEDIA",
    "CONTINUE_MEDIA",
    "REPORT_QUEUE_DRAINED",
    "SET_MEDIA_DIRECTION both",
];

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Event(&'static str),
    Error(String),
}

fn word(command: &str) -> &str {
    command.split(' ').next().unwrap_or(command)
}

/// The answers of our module; and those of the C module with the number of the difference, if there is one.
fn answers(format: Format, mode: Mode, command: &str) -> (Vec<Answer>, Option<(&'static str, Vec<Answer>)>) {
    let name = word(command);
    let error = |text: &str| Answer::Error(text.to_owned());
    let passthrough = || vec![error(&format!("{name} not supported in passthrough mode"))];
    let direction = || vec![error(&format!("{name} not supported while media direction is 'in'"))];
    let in_passthrough = |refused| mode.is_passthrough().then_some(("49", refused));
    match name {
        "ANSWER" | "HANGUP" => (Vec::new(), None),
        "MARK_MEDIA" => {
            let processed = vec![Answer::Event("MEDIA_MARK_PROCESSED")];
            match mode {
                Passthrough => (processed, Some(("28", passthrough()))),
                PassthroughIn => (direction(), Some(("28", passthrough()))),
                In => (direction(), None),
                _ => (processed, None),
            }
        }
        "SET_MEDIA_DIRECTION" if mode.is_passthrough() => (passthrough(), None),
        "REPORT_QUEUE_DRAINED" => {
            let drained = vec![Answer::Event("QUEUE_DRAINED")];
            let oracle = match mode {
                In => Some(("17", Vec::new())),
                _ => in_passthrough(passthrough()),
            };
            (drained, oracle)
        }
        "FLUSH_MEDIA" => (Vec::new(), in_passthrough(passthrough())),
        "SET_MEDIA_DIRECTION" if format == Format::PlainText => {
            let text = "SET_MEDIA_DIRECTION only supports JSON format.";
            (vec![error(text)], Some(("30", vec![error(&format!("{text}\n"))])))
        }
        "SET_MEDIA_DIRECTION" => (Vec::new(), None),
        _ if mode.is_in() => (direction(), in_passthrough(passthrough())),
        "STOP_MEDIA_BUFFERING" => {
            let completed = Answer::Event("MEDIA_BUFFERING_COMPLETED");
            let without = error("STOP_MEDIA_BUFFERING without START_MEDIA_BUFFERING");
            let oracle = in_passthrough(passthrough()).or(Some(("27", vec![completed.clone()])));
            (vec![without, completed], oracle)
        }
        "START_MEDIA_BUFFERING" | "PAUSE_MEDIA" | "CONTINUE_MEDIA" => {
            (Vec::new(), in_passthrough(passthrough()))
        }
        other => panic!("no answer for {other}"),
    }
}

fn add(suite: &mut Suite, format: Format, mode: Mode, command: &'static str) {
    let test = command.replace(' ', "_").to_lowercase();
    let name = format!("table/{}/{}/{test}", format.name(), mode.name());
    let (ours, oracle) = answers(format, mode, command);
    let body = move |t: &Context| {
        let expected = match &oracle {
            Some((_, oracle)) if !t.is_ours() => oracle,
            _ => &ours,
        };
        row(t, format, mode, command, expected);
    };
    match (mode, answers(format, mode, command).1) {
        (Unbuffered, _) => suite.ours(name, "it came with a later Asterisk (28)", body),
        (_, Some((number, _))) => suite.differs(name, number, body),
        _ => suite.same(name, body),
    };
}

/// The expected answers come, and nothing else; the STATUS after them goes into the trace.
fn row(t: &Context, format: Format, mode: Mode, command: &str, expected: &[Answer]) {
    let (call, app) = t.incoming_app(&format!("{}{}", ulaw(format), mode.options()));
    call.wait_up();
    app.command(command);
    if command == "HANGUP" {
        assert_eq!(app.expect_close(), 1000);
        app.expect_end();
        call.ending();
        return;
    }
    let id = if command.ends_with("an id") { "an id" } else { "" };
    for answer in expected {
        match answer {
            Answer::Event(name) => assert_eq!(app.expect_event(name).get("correlation_id"), id),
            Answer::Error(text) => assert_eq!(app.expect_error(), *text),
        }
    }
    app.command("GET_STATUS");
    let status = app.expect_event("STATUS");
    let refused = expected.iter().any(|answer| matches!(answer, Answer::Error(_)));
    let took = |name: &str| word(command) == name && !refused;
    assert_eq!(status.get("bulk_media"), took("START_MEDIA_BUFFERING").to_string());
    assert_eq!(status.get("media_paused"), took("PAUSE_MEDIA").to_string());
    assert_eq!(status.get("queue_length"), "0");
    assert_eq!(status.get("queue_full"), "false");
    if expected.is_empty() {
        app.expect_quiet(QUIET);
    }
}
