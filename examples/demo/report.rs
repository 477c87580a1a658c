//! What came out, in numbers, and whether that is as it should be.

use std::fmt;
use std::time::{Duration, Instant};

use super::timeline::{self, Entry, What};

/// One frame of ulaw, and how long it lasts.
const FRAME_BYTES: usize = 160;
const PTIME: Duration = Duration::from_millis(20);

/// How far the usual interval may be off.
const INTERVAL_TOLERANCE_MS: f64 = 0.5;

/// How long anything may be late. A machine that is busy with other things stalls now and then; the stalls may add up,
/// because recorded media is not hurried afterwards.
const STALL_TOLERANCE_MS: f64 = 500.0;

/// One playing of a prompt.
#[derive(Debug)]
pub struct Act {
    /// What was played.
    pub prompt: &'static str,
    /// The same, as ulaw.
    pub recording: Vec<u8>,
    /// Whether a key stopped it.
    pub cut_short: bool,
    /// Who played it.
    pub speaker: &'static str,
    /// Who had to hear it.
    pub listener: &'static str,
    /// All that happened meanwhile.
    pub entries: Vec<Entry>,
}

impl Act {
    /// Messages of media that the speaker sent: when, and how many bytes.
    pub fn said(&self) -> Vec<(Instant, usize)> {
        self.media(self.speaker, |what| match what {
            What::Said(media) => Some(media.len()),
            _ => None,
        })
    }

    /// All that the speaker sent of the recording.
    pub fn sent(&self) -> &[u8] {
        let len = self.said().iter().map(|(_, len)| len).sum();
        self.recording.get(..len).unwrap_or(&self.recording)
    }

    /// Messages of media that the listener received: when, and how many bytes.
    pub fn heard(&self) -> Vec<(Instant, usize)> {
        self.media(self.listener, |what| match what {
            What::Heard(media) => Some(media.len()),
            _ => None,
        })
    }

    fn media(&self, who: &str, len: impl Fn(&What) -> Option<usize>) -> Vec<(Instant, usize)> {
        let own = self.entries.iter().filter(|entry| entry.who == who);
        own.filter_map(|entry| Some((entry.at, len(&entry.what)?))).collect()
    }

    /// Labels of the speaker's events, or of its commands, in their order.
    fn controls(&self, events: bool) -> Vec<String> {
        let own = self.entries.iter().filter(|entry| entry.who == self.speaker);
        let labels = own.filter_map(|entry| match &entry.what {
            What::Event(control) if events => Some(control.label()),
            What::Command(control) if !events => Some(control.label()),
            _ => None,
        });
        labels.collect()
    }

    /// When the speaker sent FLUSH_MEDIA.
    pub fn flushed(&self) -> Option<Instant> {
        let flush = self.entries.iter().find(|entry| {
            entry.who == self.speaker
                && matches!(&entry.what, What::Command(control) if control.name == "FLUSH_MEDIA")
        });
        flush.map(|entry| entry.at)
    }
}

/// The numbers of one act.
#[derive(Debug)]
struct Measures {
    said_messages: usize,
    said_bytes: usize,
    frames: usize,
    heard_bytes: usize,
    /// What was heard is what was played, from its beginning as far as it goes.
    exact: bool,
    /// From sending the first message to receiving the first frame.
    latency_ms: f64,
    /// From FLUSH_MEDIA to the last frame; none if that was before.
    after_flush_ms: Option<f64>,
    pacing: Pacing,
}

/// How regularly frames came.
#[derive(Debug)]
struct Pacing {
    mean_ms: f64,
    median_ms: f64,
    /// Standard deviation of the intervals.
    jitter_ms: f64,
    /// Nine intervals of ten are between these.
    usual_ms: (f64, f64),
    longest_ms: f64,
    /// The frame that was furthest behind a schedule of one per 20 ms, on which the earliest one was.
    worst_ms: f64,
}

impl Measures {
    fn of(act: &Act) -> Result<Self, String> {
        let (said, heard) = (act.said(), act.heard());
        let (Some((first_said, _)), Some((first_heard, _)), Some((last_heard, _))) =
            (said.first(), heard.first(), heard.last())
        else {
            return Err("nothing was heard".into());
        };
        let bytes = timeline::heard(&act.entries, act.listener);
        Ok(Self {
            said_messages: said.len(),
            said_bytes: said.iter().map(|(_, len)| len).sum(),
            frames: heard.len(),
            heard_bytes: bytes.len(),
            exact: act.recording.starts_with(&bytes) && heard.iter().all(|(_, len)| *len == FRAME_BYTES),
            latency_ms: ms(first_heard.saturating_duration_since(*first_said)),
            after_flush_ms: act.flushed().and_then(|at| last_heard.checked_duration_since(at)).map(ms),
            pacing: Pacing::of(&heard.iter().map(|(at, _)| *at).collect::<Vec<_>>())?,
        })
    }
}

impl Pacing {
    fn of(arrivals: &[Instant]) -> Result<Self, String> {
        let mut intervals: Vec<f64> =
            arrivals.iter().zip(arrivals.iter().skip(1)).map(|(one, next)| ms(*next - *one)).collect();
        if intervals.len() < 10 {
            return Err(format!("only {} frames were heard", arrivals.len()));
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let mean_ms = mean(&intervals);
        let squares: Vec<f64> = intervals.iter().map(|interval| (interval - mean_ms).powi(2)).collect();
        let mut lateness: Vec<f64> = Vec::new();
        for (number, interval) in intervals.iter().enumerate() {
            let before = if number == 0 { 0.0 } else { lateness.last().copied().unwrap_or_default() };
            lateness.push(before + interval - ms(PTIME));
        }
        let earliest = lateness.iter().copied().fold(0.0, f64::min);
        let latest = lateness.iter().copied().fold(0.0, f64::max);
        intervals.sort_by(f64::total_cmp);
        let at = |part: usize| intervals.get(intervals.len() * part / 100).copied().unwrap_or_default();
        Ok(Self {
            mean_ms,
            median_ms: at(50),
            jitter_ms: mean(&squares).sqrt(),
            usual_ms: (at(5), at(95)),
            longest_ms: intervals.last().copied().unwrap_or_default(),
            worst_ms: latest - earliest,
        })
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// All acts, and what was wrong.
#[derive(Debug, Default)]
pub struct Report {
    /// In their order.
    pub acts: Vec<Act>,
    /// Of each act; none where there was nothing to measure.
    measures: Vec<Option<Measures>>,
    /// What was not as it should be.
    pub problems: Vec<String>,
}

impl Report {
    /// Measures an act and judges it.
    pub fn add(&mut self, act: Act) {
        let mut problems = Vec::new();
        let measures = Measures::of(&act).map_err(|why| problems.push(why)).ok();
        if let Some(measures) = &measures {
            judge(&act, measures, &mut problems);
        }
        self.measures.push(measures);
        let name = format!("{} to {}, {}", act.speaker, act.listener, act.prompt);
        self.problems.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
        self.acts.push(act);
    }

    /// The findings in a few words.
    pub fn summary(&self) -> String {
        let all = || self.measures.iter().flatten();
        let frames: usize = all().map(|measures| measures.frames).sum();
        let exact = if all().all(|measures| measures.exact) { "byte-exact" } else { "NOT byte-exact" };
        let worst = |value: fn(&Measures) -> f64| all().map(value).fold(0.0, f64::max);
        format!(
            "{frames} frames heard, {exact}; the first after {:.1} ms, jitter {:.2} ms",
            worst(|measures| measures.latency_ms),
            worst(|measures| measures.pacing.jitter_ms),
        )
    }
}

fn judge(act: &Act, measures: &Measures, problems: &mut Vec<String>) {
    let mut check = |right: bool, problem: String| {
        if !right {
            problems.push(problem);
        }
    };
    let (said, heard) = (measures.said_bytes, measures.heard_bytes);
    check(measures.exact, "what was heard is not what was played".into());
    if act.cut_short {
        check(heard < act.recording.len(), format!("all {heard} bytes were heard: it was not cut short"));
        let after = measures.after_flush_ms.unwrap_or_default();
        check(after <= STALL_TOLERANCE_MS, format!("heard until {after:.1} ms after FLUSH_MEDIA"));
    } else {
        let len = act.recording.len();
        check(said == len && heard == len, format!("{said} of {len} bytes were sent, {heard} heard"));
    }
    let latency = measures.latency_ms;
    check(latency <= STALL_TOLERANCE_MS, format!("the first frame took {latency:.1} ms"));
    let Pacing { median_ms, longest_ms, .. } = measures.pacing;
    let off = (median_ms - ms(PTIME)).abs();
    check(off <= INTERVAL_TOLERANCE_MS, format!("frames came every {median_ms:.2} ms"));
    check(longest_ms <= STALL_TOLERANCE_MS, format!("there was a gap of {longest_ms:.1} ms"));

    // Where flow control falls among the other events depends on how fast the app is.
    let events = act.controls(true);
    let (flow, events): (Vec<_>, Vec<_>) =
        events.iter().map(String::as_str).partition(|label| matches!(*label, "MEDIA_XOFF" | "MEDIA_XON"));
    check(flow == ["MEDIA_XOFF", "MEDIA_XON"], format!("flow control was {flow:?}"));
    let expected: &[&str] = if act.cut_short {
        &["DTMF_END 1", "DTMF_END 0"]
    } else {
        &["DTMF_END 1", "MEDIA_MARK_PROCESSED half", "MEDIA_BUFFERING_COMPLETED 1"]
    };
    check(events == expected, format!("events were {events:?} instead of {expected:?}"));
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, cells: Vec<String>| {
            let cells = cells.iter().map(|cell| format!("{cell:<29}"));
            writeln!(out, "{}", format!("{name:<19}{}", cells.collect::<String>()).trim_end())
        };
        let acts = |cell: fn(&Act) -> String| self.acts.iter().map(cell).collect();
        let numbers = |cell: fn(&Measures) -> String| {
            let cells =
                self.measures.iter().map(|measures| measures.as_ref().map_or_else(|| "-".into(), cell));
            cells.collect()
        };
        row("", acts(|act| format!("{} to {}", act.speaker, act.listener)))?;
        row("prompt", acts(|act| act.prompt.to_owned() + if act.cut_short { ", cut short" } else { "" }))?;
        row("sent", numbers(|m| format!("{} bytes, {} messages", m.said_bytes, m.said_messages)))?;
        row("heard", numbers(|m| format!("{} bytes, {} frames", m.heard_bytes, m.frames)))?;
        row("byte-exact", numbers(|m| if m.exact { "yes" } else { "NO" }.into()))?;
        row("latency", numbers(|m| format!("{:.2} ms to the first frame", m.latency_ms)))?;
        row("frames came every", numbers(|m| format!("{:.3} ms on average", m.pacing.mean_ms)))?;
        row(
            "9 of 10 within",
            numbers(|m| format!("{:.2} to {:.2} ms", m.pacing.usual_ms.0, m.pacing.usual_ms.1)),
        )?;
        row("jitter", numbers(|m| format!("{:.2} ms (std. deviation)", m.pacing.jitter_ms)))?;
        row("longest gap", numbers(|m| format!("{:.2} ms", m.pacing.longest_ms)))?;
        row("furthest behind", numbers(|m| format!("{:.2} ms", m.pacing.worst_ms)))?;
        row(
            "after the flush",
            self.acts
                .iter()
                .zip(&self.measures)
                .map(|(act, measures)| {
                    let after = measures.as_ref().and_then(|measures| measures.after_flush_ms);
                    match (act.cut_short, after) {
                        (false, _) => "-".into(),
                        (true, None) => "silence at once".into(),
                        (true, Some(time)) => format!("heard for {time:.2} ms more"),
                    }
                })
                .collect(),
        )?;
        writeln!(out)?;
        if self.problems.is_empty() {
            return writeln!(out, "All was as it should be.");
        }
        for problem in &self.problems {
            writeln!(out, "WRONG: {problem}")?;
        }
        Ok(())
    }
}
