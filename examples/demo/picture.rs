//! The picture: what each app said, below it what the other one heard, and the events and commands where they fell.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Instant;

use embedded_graphics::mono_font::ascii::{FONT_7X13, FONT_8X13_BOLD, FONT_10X20};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Alignment;

use super::audio::{SAMPLE_RATE, decode};
use super::canvas::Canvas;
use super::report::{Act, Report};
use super::timeline::{Entry, What};

const PAPER: Rgb888 = Rgb888::WHITE;
const INK: Rgb888 = Rgb888::new(40, 44, 52);
const GREY: Rgb888 = Rgb888::new(130, 136, 145);
const LANE: Rgb888 = Rgb888::new(245, 246, 248);
const GRID: Rgb888 = Rgb888::new(228, 230, 234);
const EVENT: Rgb888 = Rgb888::new(192, 57, 43);
const COMMAND: Rgb888 = Rgb888::new(36, 92, 180);
const SAID: Rgb888 = Rgb888::new(70, 130, 205);
const HEARD: Rgb888 = Rgb888::new(46, 145, 92);
const NOT_PLAYED: Rgb888 = Rgb888::new(200, 204, 210);

const WIDTH: u32 = 1800;
const HEIGHT: u32 = 815;
/// Where time begins and ends.
const LEFT: i32 = 150;
const RIGHT: i32 = 1770;
const LABEL_ROWS: usize = 6;
const LABEL_HEIGHT: i32 = 14;
const MESSAGES_HEIGHT: i32 = 10;
const LANE_HEIGHT: i32 = 110;
const PAIR_HEIGHT: i32 = LABEL_ROWS as i32 * LABEL_HEIGHT + MESSAGES_HEIGHT + 2 * LANE_HEIGHT + 14;

/// Draws it.
pub fn write(path: &Path, entries: &[Entry], report: &Report) -> io::Result<()> {
    Sheet::new(entries, report).draw().save(path)
}

/// An event or a command where it fell.
struct Mark {
    x: i32,
    text: String,
    colour: Rgb888,
}

/// The sheet in the drawing.
struct Sheet<'a> {
    entries: &'a [Entry],
    report: &'a Report,
    canvas: Canvas,
    start: Instant,
    pixels_per_second: f64,
    /// The loudest sample.
    peak: i32,
}

impl<'a> Sheet<'a> {
    fn new(entries: &'a [Entry], report: &'a Report) -> Self {
        let now = Instant::now();
        let is_app = |entry: &&Entry| !matches!(entry.what, What::Step(_));
        let start = entries.iter().find(is_app).map_or(now, |entry| entry.at);
        let end = entries.iter().rev().find(is_app).map_or(now, |entry| entry.at);
        // What was sent and not played reaches beyond the end; the last label wants room.
        let ends = report.acts.iter().filter_map(|act| {
            let (begin, _) = act.said().first().copied()?;
            Some(begin.duration_since(start).as_secs_f64() + seconds(act.sent().len()))
        });
        let seconds = ends.fold(end.duration_since(start).as_secs_f64() + 0.6, f64::max) + 0.1;
        let loudest =
            report.acts.iter().flat_map(|act| decode(&act.recording)).map(|sample| i32::from(sample).abs());
        Self {
            entries,
            report,
            canvas: Canvas::new(WIDTH, HEIGHT),
            start,
            pixels_per_second: f64::from(RIGHT - LEFT) / seconds,
            peak: loudest.max().unwrap_or(1).max(1),
        }
    }

    fn x(&self, at: Instant) -> i32 {
        LEFT + (self.seconds_at(at) * self.pixels_per_second) as i32
    }

    fn seconds_at(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.start).as_secs_f64()
    }

    fn draw(mut self) -> Canvas {
        self.canvas.fill(0, 0, WIDTH as i32, HEIGHT as i32, PAPER);
        self.heading();
        let top = 80;
        let bottom = top + 2 * PAIR_HEIGHT + 24;
        self.axis(bottom);
        self.pair(top, ["app 1 says", "call 1, outgoing"], ["app 2 hears", "call 2, INCOMING"], "app 1");
        let top = top + PAIR_HEIGHT + 24;
        self.pair(top, ["app 2 says", "call 2, INCOMING"], ["app 1 hears", "call 1, outgoing"], "app 2");
        self.canvas
    }

    fn heading(&mut self) {
        let title = "Two calls through chan_websocket, joined by a bridge";
        self.canvas.text(title, 20, 14, &FONT_10X20, INK, Alignment::Left);
        let summary = self.report.summary();
        self.canvas.text(&summary, 20, 42, &FONT_8X13_BOLD, GREY, Alignment::Left);
        let legend = [
            ("event from Asterisk", EVENT),
            ("command of the app", COMMAND),
            ("sent, flushed before it was played", NOT_PLAYED),
        ];
        for (row, (text, colour)) in (0..).zip(legend) {
            let y = 12 + row * 16;
            self.canvas.fill(RIGHT - 262, y + 2, 12, 10, colour);
            self.canvas.text(text, RIGHT - 242, y, &FONT_7X13, INK, Alignment::Left);
        }
    }

    fn axis(&mut self, y: i32) {
        let seconds = (f64::from(RIGHT - LEFT) / self.pixels_per_second) as i32;
        for second in 0..=seconds {
            let x = LEFT + (f64::from(second) * self.pixels_per_second) as i32;
            self.canvas.fill(x, y, 1, 6, GREY);
            self.canvas.text(&format!("{second} s"), x, y + 9, &FONT_7X13, INK, Alignment::Center);
        }
        self.canvas.fill(LEFT, y, RIGHT - LEFT, 1, GREY);
        self.canvas.text("time since the first MEDIA_START", LEFT, y + 24, &FONT_7X13, GREY, Alignment::Left);
    }

    /// One direction: what `speaker` said, and what the other one heard of it.
    fn pair(&mut self, top: i32, said: [&str; 2], heard: [&str; 2], speaker: &str) {
        let messages = top + LABEL_ROWS as i32 * LABEL_HEIGHT;
        let upper = messages + MESSAGES_HEIGHT + 4;
        let lower = upper + LANE_HEIGHT + 4;
        for (y, names) in [(upper, said), (lower, heard)] {
            self.canvas.fill(LEFT, y, RIGHT - LEFT, LANE_HEIGHT, LANE);
            let middle = y + LANE_HEIGHT / 2;
            self.canvas.text(names[0], LEFT - 12, middle - 14, &FONT_8X13_BOLD, INK, Alignment::Right);
            self.canvas.text(names[1], LEFT - 12, middle + 2, &FONT_7X13, GREY, Alignment::Right);
        }
        self.canvas.text("messages sent", LEFT - 12, messages - 2, &FONT_7X13, GREY, Alignment::Right);
        self.grid(upper, lower + LANE_HEIGHT);
        self.marks(top, lower + LANE_HEIGHT, speaker);

        let report = self.report;
        for act in report.acts.iter().filter(|act| act.speaker == speaker) {
            for (at, _) in act.said() {
                let x = self.x(at);
                self.canvas.fill(x, messages, 1, MESSAGES_HEIGHT, COMMAND);
            }
            self.said(act, upper);
            self.heard(act, lower);
        }
    }

    fn grid(&mut self, top: i32, bottom: i32) {
        let seconds = (f64::from(RIGHT - LEFT) / self.pixels_per_second) as i32;
        for second in 0..=seconds {
            let x = LEFT + (f64::from(second) * self.pixels_per_second) as i32;
            self.canvas.fill(x, top, 1, bottom - top, GRID);
        }
    }

    fn marks(&mut self, top: i32, bottom: i32, who: &str) {
        let marks = self.entries.iter().filter(|entry| entry.who == who).filter_map(|entry| {
            let (text, colour) = match &entry.what {
                What::Event(control) => (control.label(), EVENT),
                What::Command(control) => (control.label(), COMMAND),
                What::Closed(code) => (format!("close {}", code.unwrap_or(1005)), EVENT),
                What::Step(_) | What::Heard(_) | What::Said(_) => return None,
            };
            Some(Mark { x: self.x(entry.at), text, colour })
        });
        // Each label below those that reach under it, which its line would cross out.
        let mut ends = [LEFT; LABEL_ROWS];
        for mark in marks.collect::<Vec<_>>() {
            let width = mark.text.len() as i32 * 7 + 4;
            let free =
                ends.iter().rposition(|end| *end > mark.x).map_or(0, |above| above + 1).min(LABEL_ROWS - 1);
            let x = mark.x.min(RIGHT - width);
            let y = top + free as i32 * LABEL_HEIGHT;
            self.canvas.fill(mark.x, y, 1, bottom - y, mark.colour);
            self.canvas.fill(mark.x + 1, y, width, LABEL_HEIGHT - 1, PAPER);
            self.canvas.text(&mark.text, x + 4, y, &FONT_7X13, mark.colour, Alignment::Left);
            if let Some(end) = ends.get_mut(free) {
                *end = x + width + 6;
            }
        }
    }

    /// What was sent, from the first message on at the speed at which it is played.
    fn said(&mut self, act: &Act, top: i32) {
        let Some((begin, _)) = act.said().first().copied() else { return };
        let played: usize = act.heard().iter().map(|(_, len)| len).sum();
        let (said, flushed) = act.sent().split_at(played.min(act.sent().len()));
        let begin = self.seconds_at(begin);
        self.wave(&samples(begin, said), top, SAID);
        self.wave(&samples(begin + seconds(said.len()), flushed), top, NOT_PLAYED);
    }

    /// What was heard, each frame where it came.
    fn heard(&mut self, act: &Act, top: i32) {
        let heard = act.entries.iter().filter(|entry| entry.who == act.listener);
        let frames = heard.filter_map(|entry| match &entry.what {
            What::Heard(media) => Some(samples(self.seconds_at(entry.at), media)),
            _ => None,
        });
        let all = frames.collect::<Vec<_>>().concat();
        self.wave(&all, top, HEARD);
    }

    /// Draws samples, each with its time: a column reaches from the lowest to the highest one in it.
    fn wave(&mut self, samples: &[(f64, i16)], top: i32, colour: Rgb888) {
        let mut columns: BTreeMap<i32, (i32, i32)> = BTreeMap::new();
        for (seconds, sample) in samples {
            let x = LEFT + (seconds * self.pixels_per_second) as i32;
            let height = i32::from(*sample) * (LANE_HEIGHT / 2 - 3) / self.peak;
            let (low, high) = columns.entry(x).or_insert((height, height));
            (*low, *high) = (height.min(*low), height.max(*high));
        }
        for (x, (low, high)) in columns {
            self.canvas.fill(x, top + LANE_HEIGHT / 2 - high, 1, high - low + 1, colour);
        }
    }
}

/// How long so many samples last.
fn seconds(samples: usize) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

/// The samples of ulaw that begins at this time, each with its own.
fn samples(begin: f64, ulaw: &[u8]) -> Vec<(f64, i16)> {
    let timed = decode(ulaw).into_iter().enumerate();
    timed.map(|(number, sample)| (begin + seconds(number), sample)).collect()
}
