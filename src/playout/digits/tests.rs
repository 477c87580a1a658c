//! A queue of digits against a simple model of it.

use proptest::prelude::*;

use super::*;

const SHORTEST: Duration = Duration::from_millis(80);

fn ms(ms: u64) -> MonoTime {
    MonoTime::from_nanos(ms * 1_000_000)
}

fn request(id: &str, digits: &str, duration_ms: u64, pause_ms: u64) -> SendDtmf {
    SendDtmf { correlation_id: Some(id.to_owned()), digits: digits.to_owned(), duration_ms, pause_ms }
}

/// Takes everything that is due until `end`, each `late` ms late. Returns times and digit events.
fn run(digits: &mut Digits, from: u64, end: u64, late: u64) -> Vec<String> {
    let mut seen = Vec::new();
    let mut now = ms(from);
    while let Some(due) = digits.deadline().filter(|due| *due <= ms(end)) {
        now = now.max(due + Duration::from_millis(late));
        let mut answers = Vec::new();
        let frame = digits.take(now, &mut answers);
        let at = now.as_nanos() / 1_000_000;
        if let Some(DigitFrame::End { digit, length, .. }) = frame {
            seen.push(format!("{at} {digit} ends, {} ms", length.as_millis()));
        }
        seen.extend(answers.iter().map(|answer| format!("{at} {}", told(answer))));
        if let Some(DigitFrame::Begin(digit)) = frame {
            seen.push(format!("{at} {digit}"));
        }
    }
    seen
}

fn told(answer: &DtmfSent) -> String {
    let stopped = answer.stopped.map(|stopped| format!(" stopped after {}", stopped.sent));
    format!("{}{}", answer.correlation_id, stopped.unwrap_or_default())
}

fn all_told(answers: &[DtmfSent]) -> Vec<String> {
    answers.iter().map(told).collect()
}

#[test]
fn digits_have_their_length_and_their_pause() {
    let mut digits = Digits::new(SHORTEST);
    digits.press(request("a", "1#", 100, 60), ms(1000)).unwrap();
    digits.press(request("b", "2w3w", 200, 0), ms(1000)).unwrap();
    digits.press(request("c", "4", 40, 0), ms(1000)).unwrap();
    assert_eq!(
        run(&mut digits, 1000, 9000, 0),
        [
            "1000 1",
            "1100 1 ends, 100 ms",
            "1160 #",
            "1260 # ends, 100 ms",
            "1260 a",
            "1320 2",
            "1520 2 ends, 200 ms",
            // The shortest pause with its margin, and half a second.
            "2070 3",
            "2270 3 ends, 200 ms",
            "2820 b",
            // The shortest digit with its margin.
            "2820 4",
            "2905 4 ends, 80 ms",
            "2905 c",
        ]
    );
    assert_eq!(digits.deadline(), None);
}

#[test]
fn a_digit_that_is_read_late_is_not_shorter() {
    let mut digits = Digits::new(SHORTEST);
    digits.press(request("a", "12", 100, 60), ms(1000)).unwrap();
    assert_eq!(
        run(&mut digits, 1000, 9000, 7),
        ["1007 1", "1114 1 ends, 100 ms", "1181 2", "1288 2 ends, 100 ms", "1288 a"]
    );
}

#[test]
fn a_wait_begins_with_its_command_and_after_what_is_before_it() {
    let mut digits = Digits::new(SHORTEST);
    digits.press(request("a", "w", 100, 60), ms(1000)).unwrap();
    assert_eq!(digits.deadline(), Some(ms(1000)));
    assert_eq!(run(&mut digits, 1000, 1499, 0), [""; 0]);
    assert_eq!(digits.deadline(), Some(ms(1500)));
    assert_eq!(run(&mut digits, 1000, 1500, 0), ["1500 a"]);
    digits.press(request("b", "w5", 100, 60), ms(8000)).unwrap();
    assert_eq!(run(&mut digits, 8000, 8500, 0), ["8500 5"]);
}

#[test]
fn a_pause_is_kept_to_the_next_command_too() {
    let mut digits = Digits::new(SHORTEST);
    digits.press(request("a", "1", 100, 300), ms(1000)).unwrap();
    assert_eq!(run(&mut digits, 1000, 1100, 0), ["1000 1", "1100 1 ends, 100 ms", "1100 a"]);
    digits.press(request("b", "2", 100, 60), ms(1101)).unwrap();
    assert_eq!(digits.deadline(), Some(ms(1400)));
    // A digit that is over does not count.
    assert_eq!(run(&mut digits, 1000, 1600, 0), ["1400 2", "1500 2 ends, 100 ms", "1500 b"]);
    digits.press(request("c", "3", 100, 60), ms(1600)).unwrap();
    assert_eq!(digits.deadline(), Some(ms(1600)));
}

#[test]
fn a_stop_ends_the_digit_at_once_but_not_before_the_core_would() {
    for (stopped_at, end) in [(1010, 1085), (1085, 1085), (3000, 3000), (4999, 4999)] {
        let mut digits = Digits::new(SHORTEST);
        digits.press(request("a", "w12", 4000, 0), ms(500)).unwrap();
        digits.press(request("b", "3", 100, 0), ms(500)).unwrap();
        assert_eq!(run(&mut digits, 500, stopped_at, 0), ["1000 1"]);
        assert_eq!(digits.stop(Some("s".to_owned()), ms(stopped_at)), []);
        assert_eq!(digits.deadline(), Some(ms(end)));
        // A new command waits for the digit's end and its pause.
        digits.press(request("c", "4", 100, 0), ms(stopped_at)).unwrap();
        let ends = format!("{end} 1 ends, 4000 ms");
        let answers = ["a stopped after 1", "b stopped after 0", "s"].map(|told| format!("{end} {told}"));
        let begins = format!("{} 4", end + 50);
        let mut expected = vec![ends];
        expected.extend(answers);
        expected.push(begins);
        assert_eq!(run(&mut digits, stopped_at, end + 50, 0), expected, "{stopped_at}");
    }
}

#[test]
fn a_stop_is_answered_at_once_where_no_digit_is_being_sent() {
    let mut digits = Digits::new(SHORTEST);
    assert_eq!(all_told(&digits.stop(None, ms(1000))), [""]);
    digits.press(request("a", "1w", 100, 60), ms(1000)).unwrap();
    run(&mut digits, 1000, 1200, 0);
    assert_eq!(all_told(&digits.stop(Some("s".into()), ms(1300))), ["a stopped after 1", "s"]);
    assert_eq!(digits.deadline(), None);
}

#[test]
fn the_end_of_the_call_answers_everything() {
    let mut digits = Digits::new(SHORTEST);
    digits.press(request("a", "12", 100, 60), ms(1000)).unwrap();
    run(&mut digits, 1000, 1000, 0);
    digits.stop(Some("s".into()), ms(1001));
    digits.press(request("b", "3", 100, 60), ms(1002)).unwrap();
    assert_eq!(all_told(&digits.end()), ["a stopped after 1", "s", "b stopped after 0"]);
    assert_eq!((digits.deadline(), digits.is_sounding()), (None, false));
}

#[test]
fn at_most_256_wait() {
    let mut digits = Digits::new(SHORTEST);
    digits.press(request("a", &"1".repeat(255), 100, 60), ms(1000)).unwrap();
    assert_eq!(digits.press(request("b", "22", 100, 60), ms(1000)), Err(257));
    digits.press(request("b", "w", 100, 60), ms(1000)).unwrap();
    assert_eq!(digits.press(request("c", "3", 100, 60), ms(1000)), Err(257));
    // The digit that is being sent does not count as waiting.
    run(&mut digits, 1000, 1000, 0);
    digits.press(request("c", "3", 100, 60), ms(1000)).unwrap();
    digits.stop(None, ms(1000));
    digits.press(request("d", &"4".repeat(256), 100, 60), ms(1000)).unwrap();
}

#[derive(Debug, Clone)]
enum Op {
    Press {
        digits: String,
        duration: u64,
        pause: u64,
    },
    Stop,
    /// The channel is read so late while time passes.
    Run {
        time: u64,
        late: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        ("[0-9A-D*#w]{1,6}", 40..400_u64, 0..300_u64).prop_map(|(digits, duration, pause)| Op::Press {
            digits,
            duration,
            pause
        }),
        Just(Op::Stop),
        (0..2000_u64, 0..40_u64).prop_map(|(time, late)| Op::Run { time, late }),
    ]
}

/// The digits that the core has been given, as it sees them.
#[derive(Default)]
struct Heard {
    begun: Option<(char, u64)>,
    ended: Option<u64>,
    /// The digits in their order, and the commands that are answered after each.
    digits: String,
    answers: Vec<(String, Option<usize>)>,
}

impl Heard {
    /// The rules of the core, without which it would emulate a digit or ignore its begin.
    fn hear(&mut self, frame: DigitFrame, now: u64, stopped: bool, duration: impl Fn(usize) -> u64) {
        match frame {
            DigitFrame::Begin(digit) => {
                assert_eq!(self.begun, None, "no digit begins in another");
                assert!(self.ended.is_none_or(|ended| now - ended >= 45), "pause");
                self.begun = Some((digit, now));
                self.digits.push(digit);
            }
            DigitFrame::End { digit, length, lasted } => {
                let (begun, since) = self.begun.take().expect("never an end alone");
                assert_eq!((digit, lasted), (begun, Duration::from_millis(now - since)));
                let asked = duration(self.digits.len() - 1);
                assert!(now - since >= if stopped { 80 } else { asked.max(80) }, "length");
                assert_eq!(length, Duration::from_millis(asked.max(80)));
                self.ended = Some(now);
            }
        }
    }
}

proptest! {
    #[test]
    fn every_digit_is_sent_once_in_order_and_every_command_is_answered_once(
        ops in prop::collection::vec(op(), 1..40),
    ) {
        let mut digits = Digits::new(SHORTEST);
        let (mut now, mut ids) = (1000_u64, 0_usize);
        let mut heard = Heard::default();
        // All digits that were pressed: digit, command and length.
        let mut pressed: Vec<(char, usize, u64)> = Vec::new();
        let mut commands: Vec<(usize, bool)> = Vec::new();
        // Which of these digits was being sent at a stop.
        let mut cut: Vec<usize> = Vec::new();
        let end = Op::Run { time: 10_000_000, late: 0 };
        for op in ops.into_iter().chain([end]) {
            ids += 1;
            match op {
                Op::Press { digits: text, duration, pause } => {
                    if digits.press(request(&ids.to_string(), &text, duration, pause), ms(now)).is_ok() {
                        commands.push((ids, false));
                        pressed.extend(text.chars().filter(|c| *c != 'w').map(|c| (c, ids, duration)));
                    }
                }
                Op::Stop => {
                    // Digits that have not begun never begin.
                    pressed.truncate(heard.digits.len());
                    if digits.is_sounding() {
                        cut.push(pressed.len() - 1);
                    }
                    commands.push((ids, true));
                    let answers = digits.stop(Some(ids.to_string()), ms(now));
                    heard.answers.extend(
                        answers.into_iter().map(|told| (told.correlation_id, told.stopped.map(|s| s.sent))));
                }
                Op::Run { time, late } => {
                    let until = now + time;
                    while let Some(due) = digits.deadline().filter(|due| *due <= ms(until)) {
                        now = now.max(due.as_nanos() / 1_000_000 + late);
                        let mut answers = Vec::new();
                        if let Some(frame) = digits.take(ms(now), &mut answers) {
                            let stopped = cut.contains(&heard.digits.len().saturating_sub(1));
                            heard.hear(frame, now, stopped, |n| pressed[n].2);
                        }
                        heard.answers.extend(
                            answers.into_iter().map(|told| (told.correlation_id, told.stopped.map(|s| s.sent))));
                    }
                    now = now.max(until);
                }
            }
        }
        let sent: String = pressed.iter().map(|(digit, ..)| digit).collect();
        prop_assert_eq!(&heard.digits, &sent);
        prop_assert!(!digits.is_sounding() && digits.deadline().is_none());
        let ids: Vec<String> = commands.iter().map(|(id, _)| id.to_string()).collect();
        let answered: Vec<String> = heard.answers.iter().map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(answered, ids);
        for ((_, sent), (id, _)) in heard.answers.iter().zip(&commands) {
            if let Some(sent) = sent {
                prop_assert_eq!(*sent, pressed.iter().filter(|(_, of, _)| of == id).count());
            }
        }
    }
}
