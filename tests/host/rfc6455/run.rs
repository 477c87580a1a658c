//! Runs a case: sends, collects what is received, and compares.

use std::fmt;
use std::time::{Duration, Instant};

use super::super::harness::call::Ending;
use super::super::harness::wire::opcode;
use super::super::harness::{Context, Frame, wait};
use super::super::media::noise;
use super::case::{Answer, Case, Delivery, End, Part, Step};
use super::link::Arrival;
use super::peer::{Peer, Way};

/// How long the C module gets for something that may never come.
const ORACLE_PATIENCE: Duration = Duration::from_millis(700);

/// The pause between two messages that the C module has to take one by one.
const ORACLE_PAUSE: Duration = Duration::from_millis(50);

/// The pause between two bytes that must arrive separately.
const OCTET_PAUSE: Duration = Duration::from_micros(50);

/// The time in which nothing may happen.
const QUIET: Duration = Duration::from_millis(300);

/// The bytes of media that every call has to carry in the end.
const PROBE_BYTES: usize = 160;

/// A message of media; a short form of it is enough for a report.
#[derive(PartialEq, Eq, Clone)]
struct Media(Vec<u8>);

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes {:02x?}…", self.0.len(), &self.0[..self.0.len().min(4)])
    }
}

/// The media that shows whether media is still carried: different from any that a case sends.
fn probe_media() -> Media {
    Media(noise(PROBE_BYTES).into_iter().rev().collect())
}

/// The result of a case.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    answers: Vec<Answer>,
    media: Vec<Media>,
    /// The payload of the close frame.
    close: Option<Vec<u8>>,
    /// How TCP ended, if it did.
    end: Option<String>,
    /// The masking keys of Asterisk's frames.
    keys: Vec<[u8; 4]>,
    /// Whether commands and media were carried after the script.
    went_on: bool,
    ending: Option<Ending>,
}

/// An orderly end of TCP, and of TLS.
const IN_ORDER: &str = "in order";

/// Why collecting stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Enough,
    End,
    Silence,
}

/// Runs one case, one way.
pub fn run(t: &Context, case: &Case, way: Way, delivery: Delivery) {
    t.share_ari();
    let mut running = Running { peer: Peer::open(t, way, &options(t, case)), outcome: Outcome::default() };
    let name = running.peer.call.name.clone();
    if t.is_ours() && matches!(case.end, End::Fails(_)) {
        t.allow_log(&name);
    }
    running.play(t, case, delivery);
    // The C module continues after faults that it does not notice.
    let goes_on = case.end == End::GoesOn || (running.await_end(t, case) == Reached::Silence && !t.is_ours());
    if goes_on {
        running.probe(t);
    }
    if running.outcome.went_on {
        let frame = running.peer.encode(&Frame::close(Some(1000), ""));
        let _ = running.peer.link.send(&frame);
        running.await_end(t, case);
    }
    running.peer.link.finish();
    running.outcome.ending = t.is_ours().then(|| running.peer.call.ending());
    let (outcome, app_masks) = (running.outcome, running.peer.masks);
    t.note(outcome.to_string());
    if t.is_ours() {
        let expected = expected(case);
        assert!(outcome.is_as(&expected), "expected {expected:?}\ncame     {outcome:?}");
        if !app_masks {
            assert_fresh(outcome.keys);
        }
        if let End::Fails(code) = case.end {
            t.wait_log(&["WARNING", &name, "protocol fault", &format!("closed with {code}")]);
        }
    }
}

/// Every frame that Asterisk masks has a new key (section 5.3).
fn assert_fresh(mut keys: Vec<[u8; 4]>) {
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count, "a masking key was used twice");
}

/// Unbuffered: a message is a frame, which comes back at once. The C module has no such mode; its passthrough mode is
/// similar, but has no marks.
fn options(t: &Context, case: &Case) -> String {
    let mode = match (t.is_ours(), case.media.is_empty()) {
        (true, _) => "u",
        (false, false) => "p",
        (false, true) => "",
    };
    format!("c({}){mode}", case.codec)
}

/// The expected result on ours.
fn expected(case: &Case) -> Outcome {
    let (answers, media) = (case.answers.clone(), case.media.iter().cloned().map(Media).collect());
    let mut outcome = Outcome { answers, media, end: Some(IN_ORDER.into()), ..Outcome::default() };
    let ending = |cause, tech_cause| Some(Ending { cause, tech_cause });
    match &case.end {
        End::GoesOn => {
            outcome.answers.push(Answer::Status);
            outcome.media.push(probe_media());
            outcome.went_on = true;
            outcome.close = Some(1000_u16.to_be_bytes().to_vec());
            outcome.ending = ending(16, 1000);
        }
        End::Fails(code) => {
            outcome.close = Some(code.to_be_bytes().to_vec());
            outcome.ending = ending(38, (*code).into());
        }
        End::Lost => outcome.ending = ending(38, 1006),
        End::Closes(payload, tech_cause) => {
            outcome.close = Some(payload.clone());
            outcome.ending = ending(16, *tech_cause);
        }
    }
    outcome
}

struct Running<'t> {
    peer: Peer<'t>,
    outcome: Outcome,
}

impl Running<'_> {
    fn play(&mut self, t: &Context, case: &Case, delivery: Delivery) {
        for step in &case.script {
            match step {
                Step::Await(count) => drop(self.gather(t, |outcome| outcome.answers.len() >= *count)),
                Step::AwaitClose => drop(self.gather(t, |outcome| outcome.close.is_some())),
                Step::Quiet => self.expect_quiet(t),
                Step::Cut => self.peer.link.cut(),
                Step::Send(parts) => {
                    let pieces: Vec<Vec<u8>> = parts.iter().map(|part| self.encode(part)).collect();
                    // Asterisk may have ended the connection before all is sent: the result is found when reading.
                    let link = &mut self.peer.link;
                    let _ = match delivery {
                        Delivery::Whole => link.send(&pieces.concat()),
                        Delivery::Octets => link.trickle(&pieces.concat(), OCTET_PAUSE),
                        Delivery::Frames => pieces.iter().try_for_each(|piece| link.send(piece)),
                    };
                }
            }
        }
    }

    fn encode(&self, part: &Part) -> Vec<u8> {
        match part {
            Part::Frame(frame) => self.peer.encode(frame),
            Part::WronglyMasked(frame) => self.peer.encode_wrongly(frame),
            Part::Beginning(frame, count) => self.peer.encode(frame)[..*count].to_vec(),
            Part::Raw(bytes) => bytes.clone(),
        }
    }

    /// Sends a command and media, to check whether both are still carried.
    fn probe(&mut self, t: &Context) {
        let frames = [Frame::text("GET_STATUS"), Frame::binary(probe_media().0)];
        if t.is_ours() {
            let bytes: Vec<u8> = frames.iter().flat_map(|frame| self.peer.encode(frame)).collect();
            let _ = self.peer.link.send(&bytes);
        } else {
            // The C module takes one message a poll and may leave a second one unread, which is not tested here.
            for frame in &frames {
                let bytes = self.peer.encode(frame);
                let _ = self.peer.link.send(&bytes);
                std::thread::sleep(ORACLE_PAUSE);
            }
        }
        self.gather(t, carried);
        self.outcome.went_on = carried(&self.outcome);
    }

    /// Collects until the end. A server ends TCP first when both close frames have been sent.
    fn await_end(&mut self, t: &Context, case: &Case) -> Reached {
        let fails = matches!(case.end, End::Fails(_) | End::Lost);
        if !self.peer.masks && !fails && !case.waits_for_end {
            match self.gather(t, |outcome| outcome.close.is_some()) {
                Reached::Enough => self.peer.link.finish(),
                other => return other,
            }
        }
        self.gather(t, |_| false)
    }

    /// As the client Asterisk waits for us to end TCP; as the server it ends TCP itself.
    fn expect_quiet(&mut self, t: &Context) {
        if t.is_ours() && !self.peer.masks {
            let arrival = self.peer.link.next(Instant::now() + QUIET);
            assert_eq!(arrival, Arrival::Nothing, "while the server has not ended TCP");
        }
    }

    /// Collects until there is enough, or until the end.
    fn gather(&mut self, t: &Context, enough: impl Fn(&Outcome) -> bool) -> Reached {
        let patience = if t.is_ours() { wait::PATIENCE } else { ORACLE_PATIENCE };
        while !enough(&self.outcome) {
            match self.peer.link.next(Instant::now() + patience) {
                Arrival::Frame(frame) => self.take(frame),
                Arrival::Nothing => return Reached::Silence,
                Arrival::End => {
                    self.outcome.end = Some(IN_ORDER.into());
                    return Reached::End;
                }
                Arrival::Broken(how) => {
                    self.outcome.end = Some(how);
                    return Reached::End;
                }
            }
        }
        Reached::Enough
    }

    fn take(&mut self, frame: Frame) {
        let Frame { fin, reserved, opcode, masked, mask, payload, .. } = frame;
        self.outcome.keys.push(mask);
        let flawless = fin && reserved == 0 && masked != self.peer.masks && self.outcome.close.is_none();
        let answer = match opcode {
            _ if !flawless => {
                Answer::Other(format!("opcode {opcode}, fin {fin}, reserved {reserved:#x}, masked {masked}"))
            }
            opcode::BINARY => return self.outcome.media.push(Media(payload)),
            opcode::CLOSE => {
                self.outcome.close = Some(payload);
                return;
            }
            opcode::PONG => Answer::Pong(payload),
            opcode::TEXT => event(&payload),
            other => Answer::Other(format!("opcode {other}")),
        };
        self.outcome.answers.push(answer);
    }
}

fn event(payload: &[u8]) -> Answer {
    let Ok(text) = std::str::from_utf8(payload) else { return Answer::Other("bad UTF-8".into()) };
    match text.split_once(' ') {
        Some(("MEDIA_MARK_PROCESSED", id)) => Answer::Mark(id.into()),
        Some(("STATUS", _)) => Answer::Status,
        Some(("ERROR", rest)) => {
            Answer::Error(rest.split_once("error_text:").map_or(rest, |(_, text)| text).trim_end().into())
        }
        _ => Answer::Other(text.into()),
    }
}

/// Whether the probe came back.
fn carried(outcome: &Outcome) -> bool {
    outcome.answers.contains(&Answer::Status)
        && outcome.media.last().is_some_and(|last| *last == probe_media())
}

impl Outcome {
    /// Whether this is the expected result; a part of an ERROR's text is enough.
    fn is_as(&self, expected: &Self) -> bool {
        let same = |(came, wanted): (&Answer, &Answer)| match (came, wanted) {
            (Answer::Error(text), Answer::Error(part)) => text.contains(part),
            _ => came == wanted,
        };
        self.answers.len() == expected.answers.len()
            && self.answers.iter().zip(&expected.answers).all(same)
            && self.media == expected.media
            && self.close == expected.close
            && self.end == expected.end
            && self.went_on == expected.went_on
            && self.ending == expected.ending
    }
}

/// For the table: the answers, and whether the call continued or how it ended.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let probes = usize::from(self.went_on);
        let media = self.media.len() - probes;
        let mut parts: Vec<String> = Vec::new();
        for answer in self.answers.iter().filter(|answer| **answer != Answer::Status) {
            let part = match answer {
                Answer::Pong(_) => "pong",
                Answer::Mark(_) => "mark",
                Answer::Error(_) => "ERROR",
                Answer::Status => "status",
                Answer::Other(what) => what,
            };
            match parts.last_mut() {
                Some(last) if *last == part => last.push('s'),
                Some(last) if last.trim_end_matches('s') == part => {}
                _ => parts.push(part.to_owned()),
            }
        }
        if media > 0 {
            parts.push("media".into());
        }
        let code = |payload: &[u8]| match payload.first_chunk() {
            Some(code) => u16::from_be_bytes(*code).to_string(),
            None => "without code".into(),
        };
        parts.push(match (&self.close, self.went_on) {
            (_, true) => "goes on".into(),
            (Some(payload), false) => format!("closed {}", code(payload)),
            (None, false) => match self.end.as_deref() {
                None => "hangs".into(),
                Some(IN_ORDER) => "end without close".into(),
                Some(how) => how.into(),
            },
        });
        f.write_str(&parts.join(" "))
    }
}
