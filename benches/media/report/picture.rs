//! The picture: a chart for each important figure, with bars up to the median and the spread on top.

use std::path::Path;

use embedded_graphics::mono_font::ascii::{FONT_6X10, FONT_7X13, FONT_8X13_BOLD, FONT_10X20};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::text::Alignment;

use super::Results;
use super::canvas::Canvas;
use super::markdown::rounded;
use super::summary::{Case, Spread};
use crate::Result;
use crate::figures::{self, Figure};

const INK: Rgb888 = Rgb888::new(40, 44, 52);
const GREY: Rgb888 = Rgb888::new(130, 136, 145);
const GRID: Rgb888 = Rgb888::new(228, 230, 234);
/// The colours of the modules, in order.
const COLOURS: [Rgb888; 5] = [
    Rgb888::new(168, 174, 184),
    Rgb888::new(36, 112, 190),
    Rgb888::new(46, 145, 92),
    Rgb888::new(205, 132, 40),
    Rgb888::new(140, 84, 165),
];

/// The figures that are drawn if they were measured.
const FIGURES: &[&Figure] = &[
    &figures::CPU,
    &figures::SYSCALLS,
    &figures::SWITCHES_CHANNELS,
    &figures::MEMORY,
    &figures::INGEST_CPU,
    &figures::SETUP_CPU,
    &figures::LATENCY_P99,
    &figures::JITTER_P999,
    &figures::STATUS_P99,
    &figures::STATUS_QUEUED_P99,
    &figures::FLUSH_MAX,
    &figures::RECOVERY_MAX,
    &figures::CAPACITY,
];

const WIDTH: i32 = 1800;
const MARGIN: i32 = 24;
const HEADING: i32 = 84;
const CHART_HEIGHT: i32 = 250;
const ROW_HEIGHT: i32 = CHART_HEIGHT + 90;
const BAR: i32 = 30;
const GROUP_GAP: i32 = 34;
const MIN_GROUP: i32 = 120;
const AXIS: i32 = 46;

/// One figure in all cases that have it.
struct Chart<'a> {
    figure: &'static Figure,
    /// A case, and the value of each module.
    groups: Vec<(Case, Vec<Option<Spread>>)>,
    results: &'a Results,
}

/// Draws all figures that were measured.
pub fn draw(results: &Results, path: &Path) -> Result<()> {
    let charts: Vec<Chart<'_>> = FIGURES.iter().filter_map(|figure| Chart::of(figure, results)).collect();
    let places = arrange(&charts);
    let rows = places.iter().map(|(_, row)| row + 1).max().unwrap_or(0);
    let height = HEADING + rows * ROW_HEIGHT + MARGIN;
    let mut canvas = Canvas::new(WIDTH.unsigned_abs(), height.unsigned_abs());
    heading(&mut canvas, results);
    for (chart, (x, row)) in charts.iter().zip(places) {
        chart.draw(&mut canvas, x, HEADING + row * ROW_HEIGHT);
    }
    Ok(canvas.save(path)?)
}

/// The position of each chart, from left to right and row by row: x and row.
fn arrange(charts: &[Chart<'_>]) -> Vec<(i32, i32)> {
    let (mut x, mut row) = (MARGIN, 0);
    let place = |chart: &Chart<'_>| {
        if x > MARGIN && x + chart.width() > WIDTH - MARGIN {
            (x, row) = (MARGIN, row + 1);
        }
        let place = (x, row);
        x += chart.width() + MARGIN;
        place
    };
    charts.iter().map(place).collect()
}

fn heading(canvas: &mut Canvas, results: &Results) {
    let machine = &results.machine;
    canvas.text("chan_websocket: the C module and ours", MARGIN, 14, &FONT_10X20, INK, Alignment::Left);
    let line = format!(
        "{} cores, {} GiB, {}, {}; {} repetitions of {} s; bars: medians, lines: smallest to largest; lower is better \
         unless it says otherwise",
        machine.cores,
        machine.memory_gib,
        machine.asterisk,
        machine.date,
        results.repetitions,
        results.seconds
    );
    canvas.text(&line, MARGIN, 44, &FONT_7X13, GREY, Alignment::Left);
    let mut x = WIDTH - MARGIN;
    let legend: Vec<_> = results.variants.iter().zip(COLOURS.iter().cycle()).collect();
    for (variant, colour) in legend.into_iter().rev() {
        x -= variant.len() as i32 * 8 + 36;
        canvas.fill(x, 18, 14, 12, *colour);
        canvas.text(variant, x + 20, 17, &FONT_8X13_BOLD, INK, Alignment::Left);
    }
}

impl<'a> Chart<'a> {
    fn of(figure: &'static Figure, results: &'a Results) -> Option<Self> {
        let groups = results.cases().into_iter().filter_map(|case| {
            let values = results.variants.iter().map(|variant| results.figure(case, variant, figure));
            let values: Vec<Option<Spread>> = values.collect();
            values.iter().any(Option::is_some).then_some((case, values))
        });
        let groups: Vec<_> = groups.collect();
        (!groups.is_empty()).then_some(Self { figure, groups, results })
    }

    fn group_width(&self) -> i32 {
        (self.results.variants.len() as i32 * BAR + GROUP_GAP).max(MIN_GROUP)
    }

    fn width(&self) -> i32 {
        // The title needs room, too.
        let title = self.title().len() as i32 * 8;
        (AXIS + self.group_width() * self.groups.len() as i32).max(title).min(WIDTH - 2 * MARGIN)
    }

    fn title(&self) -> String {
        let unit = match self.figure.unit {
            "" => String::new(),
            // The fonts have only ASCII.
            unit => format!(", {}", unit.replace('µ', "u")),
        };
        let better = if self.figure.better == figures::Better::Higher { " (higher is better)" } else { "" };
        format!("{}{unit}{better}", self.figure.title)
    }

    fn draw(&self, canvas: &mut Canvas, left: i32, top: i32) {
        canvas.text(&self.title(), left, top, &FONT_8X13_BOLD, INK, Alignment::Left);
        let spreads = self.groups.iter().flat_map(|(_, values)| values.iter().flatten());
        let most = spreads.map(|spread| spread.max).fold(0.0, f64::max);
        let step = grid_step(most);
        let steps = (most / step).ceil().max(1.0);
        let bottom = top + 30 + CHART_HEIGHT;
        let y = |value: f64| bottom - (value.max(0.0) / (step * steps) * f64::from(CHART_HEIGHT)) as i32;
        let right = left + self.width();
        for number in 0..=steps as i32 {
            let value = step * f64::from(number);
            canvas.fill(left + AXIS - 6, y(value), right - left - AXIS, 1, GRID);
            canvas.text(
                &axis_label(value),
                left + AXIS - 12,
                y(value) - 5,
                &FONT_6X10,
                GREY,
                Alignment::Right,
            );
        }
        // Many cases share the available width.
        let width = ((right - left - AXIS) / self.groups.len().max(1) as i32).min(self.group_width());
        let bar = ((width - 12) / self.results.variants.len().max(1) as i32).min(BAR);
        for (number, (case, values)) in (0..).zip(&self.groups) {
            let begin = left + AXIS + number * width;
            for (position, (spread, colour)) in (0..).zip(values.iter().zip(COLOURS.iter().cycle())) {
                let Some(spread) = spread else { continue };
                let x = begin + position * bar;
                canvas.fill(x, y(spread.median), bar - 3, bottom - y(spread.median), *colour);
                whisker(canvas, x + bar / 2 - 2, y(spread.max), y(spread.min));
                let label = y(spread.max) - 12;
                canvas.text(
                    &rounded(spread.median),
                    x + bar / 2 - 1,
                    label,
                    &FONT_6X10,
                    INK,
                    Alignment::Center,
                );
            }
            let middle = begin + values.len() as i32 * bar / 2;
            canvas.text(case.scenario, middle, bottom + 6, &FONT_6X10, INK, Alignment::Center);
            let channels = format!("n = {}", case.channels);
            canvas.text(&channels, middle, bottom + 18, &FONT_6X10, GREY, Alignment::Center);
        }
        canvas.fill(left + AXIS - 6, bottom, right - left - AXIS, 1, GREY);
    }
}

/// A line from the smallest to the largest value.
fn whisker(canvas: &mut Canvas, x: i32, top: i32, bottom: i32) {
    if bottom - top > 1 {
        canvas.fill(x, top, 1, bottom - top, INK);
        canvas.fill(x - 3, top, 7, 1, INK);
        canvas.fill(x - 3, bottom, 7, 1, INK);
    }
}

/// A label without insignificant digits.
fn axis_label(value: f64) -> String {
    ((value * 1000.0).round() / 1000.0).to_string()
}

/// A round step of which about five reach `most`.
fn grid_step(most: f64) -> f64 {
    let rough = (most / 5.0).max(0.01);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    factor * power
}
