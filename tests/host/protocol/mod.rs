//! The whole protocol: every command in every mode and format, odd and hostile input, flow control, directions, codecs,
//! what reaches the app, and timing.

mod bulk;
pub mod codecs;
mod direction;
mod ends;
mod flow;
mod framing;
mod marks;
mod media_out;
mod order;
mod pacing;
pub mod rtp;
mod samples;
mod table;
mod text;
mod unframed;

use std::time::{Duration, Instant};

use super::harness::{App, Format, Item, Suite};

pub fn tests(suite: &mut Suite) {
    bulk::tests(suite);
    codecs::tests(suite);
    direction::tests(suite);
    ends::tests(suite);
    flow::tests(suite);
    framing::tests(suite);
    marks::tests(suite);
    media_out::tests(suite);
    order::tests(suite);
    pacing::tests(suite);
    samples::tests(suite);
    table::tests(suite);
    text::tests(suite);
    unframed::tests(suite);
}

/// Long enough for a few frames: what has not come by then will not come.
const QUIET: Duration = Duration::from_millis(150);

/// `c(ulaw)` with control messages in this format.
fn ulaw(format: Format) -> String {
    format!("c(ulaw)f({})", format.name())
}

/// Sends GET_STATUS. STATUS must be the next event. Returns a field of it.
#[track_caller]
fn status(app: &App, key: &str) -> String {
    app.command("GET_STATUS");
    app.expect_event("STATUS").get(key)
}

/// What the app has received so far, in order: each event as it was written, and the number of bytes of media.
fn in_order(app: &App) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut media = 0;
    for received in app.received() {
        let line = match &received.item {
            Item::Media(bytes) => {
                media += bytes.len();
                continue;
            }
            Item::Event(event) => event.raw.clone(),
            Item::Close(code) => format!("close {code}"),
            _ => continue,
        };
        if media > 0 {
            lines.push(format!("{media} bytes"));
            media = 0;
        }
        lines.push(line);
    }
    if media > 0 {
        lines.push(format!("{media} bytes"));
    }
    lines
}

/// The time between two of these points in ms, by linear regression, on which a few late points have little effect.
fn slope_ms(times: &[Instant]) -> f64 {
    let count = times.len() as f64;
    let points: Vec<(f64, f64)> = times
        .iter()
        .enumerate()
        .map(|(number, at)| (number as f64, (*at - times[0]).as_secs_f64() * 1000.0))
        .collect();
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    covariance / variance
}
