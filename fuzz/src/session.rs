//! A whole call as a sequence of events, compared with a model.

use super::input::Input;
use crate::playout::overflow::Overflow;
use crate::playout::session::fixture::{config, filled, format};
use crate::playout::session::model::bounded::{bounded, wait};
use crate::playout::session::model::{Both, FlushOp, FlushOpExtent, LIMITS, Op};
use crate::playout::session::{MediaMode, SessionConfig};
use crate::protocol::command::MediaDirection;
use crate::protocol::dialect::ControlMessageFormat;
use crate::protocol::topic::{Topic, Topics};

/// More operations make a run slow and find nothing new.
const MAX_OPS: usize = 300;

/// The first byte selects the kind of call, the others select the events.
pub fn session(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let first = input.byte();
    let (name, mode) = match first {
        200..=219 => ("opus", MediaMode::Passthrough),
        220..=239 => ("slin", MediaMode::Framed),
        240..=255 => ("alaw", MediaMode::Framed),
        other => kind(other % 8),
    };
    let config = SessionConfig {
        format: format(name),
        mode,
        limits: LIMITS,
        control_message_format: ControlMessageFormat::Json,
        ..config()
    };
    let mut both = Both::new(if first >= 128 { with_bounds(config, &mut input) } else { config });
    both.apply(&Op::Answered);
    for _ in 0..MAX_OPS {
        if input.is_empty() {
            break;
        }
        both.apply(&op(&mut input));
    }
    both.finish();
}

/// The next byte selects the limits of the queue, and silence fill.
fn with_bounds(config: SessionConfig, input: &mut Input<'_>) -> SessionConfig {
    let chosen = usize::from(input.byte());
    let overflow =
        if chosen & 1 == 1 { wait(1000 + chosen * 16, 1000 + (chosen >> 3) * 400) } else { Overflow::Drop };
    let max_latency_ms = (chosen & 6 == 6).then_some(20 + chosen as u64);
    let config = bounded(config, overflow, max_latency_ms);
    if chosen & 48 == 48 { filled(config) } else { config }
}

fn kind(number: u8) -> (&'static str, MediaMode) {
    match number {
        0 => ("ulaw", MediaMode::Framed),
        1 => ("gsm", MediaMode::Framed),
        2 => ("ulaw", MediaMode::Passthrough),
        3 => ("ulaw", MediaMode::Unbuffered),
        4 => ("g723", MediaMode::Framed),
        5 => ("ilbc", MediaMode::Framed),
        6 => ("silk8", MediaMode::Framed),
        _ => ("ilbc", MediaMode::Unbuffered),
    }
}

fn op(input: &mut Input<'_>) -> Op {
    match input.byte() {
        208..=231 => Op::Flush(flush(input)),
        232..=255 => {
            let topics = Topic::ALL.into_iter().enumerate();
            let wanted = input.byte();
            let topics = topics.filter(|(n, _)| wanted >> n & 1 == 1).map(|(_, topic)| topic);
            Op::Subscribe(topics.fold(Topics::default(), Topics::with), 100 + u64::from(input.byte()))
        }
        other => upstream_op(other % 16, input),
    }
}

fn flush(input: &mut Input<'_>) -> FlushOp {
    let kind = input.byte();
    let extent = match kind % 3 {
        0 => FlushOpExtent::All,
        1 => FlushOpExtent::After(usize::from(input.byte() % 16)),
        _ => FlushOpExtent::Fade(u64::from(input.word() % 501)),
    };
    FlushOp { answered: kind >= 128, extent }
}

fn upstream_op(number: u8, input: &mut Input<'_>) -> Op {
    match number {
        0 => Op::Media(usize::from(input.word() % 1200)),
        1 => Op::Media(160 * usize::from(input.byte() % 8)),
        2 => Op::Start,
        3 => Op::Stop,
        4 => Op::Mark,
        5 => Op::Flush(FlushOp { answered: false, extent: FlushOpExtent::All }),
        6 => Op::Pause,
        7 => Op::Continue,
        8 => Op::Report,
        9 => Op::Status,
        10 => Op::Direction(match input.byte() % 3 {
            0 => MediaDirection::Both,
            1 => MediaDirection::In,
            _ => MediaDirection::Out,
        }),
        11 | 12 => Op::Run(u64::from(input.byte()), 0),
        13 => Op::Run(u64::from(input.byte()), u64::from(input.word()) * 250),
        14 => Op::Stall(u64::from(input.word() % 2500)),
        _ => Op::Read,
    }
}
