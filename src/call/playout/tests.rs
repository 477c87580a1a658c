//! Threads that play, and threads that bring media.

use std::cell::RefCell;
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::call::sinks::tests::Fake;
use crate::playout::session::{MediaMode, SessionConfig, fixture};
use crate::protocol::dialect::ControlMessageFormat;

type TestPlayout = Playout<Fake>;

fn playout(config: SessionConfig) -> TestPlayout {
    Playout::new(fixture::session(config), Fake::default())
}

/// A playout whose messages are played as they arrive.
fn unbuffered() -> TestPlayout {
    playout(SessionConfig { mode: MediaMode::Unbuffered, ..fixture::config() })
}

/// Brings a message with this one byte, and tells the sink.
fn bring(playout: &TestPlayout, byte: u8, turns: &impl Fn(MonoTime)) {
    let media = Bytes::from(vec![byte; 160]);
    let changed = playout.change(
        |session, actions| session.on_counted_media(media, Some(160), clock::now(), actions),
        <[Action]>::len,
    );
    if let Some(clock) = changed.clock {
        playout.tell(clock, turns);
    }
}

/// The first byte of what is due.
fn take(playout: &TestPlayout, sink: Sink, turns: &impl Fn(MonoTime)) -> Result<Option<u8>, Pressing> {
    let taken = playout.take_due(sink, <[Action]>::len, turns)?;
    Ok(taken.due.map(|due| match due {
        Due::Media(frame) => frame.payload[0],
        Due::Digit(digit) => panic!("{digit:?}"),
    }))
}

fn no_player(at: MonoTime) {
    panic!("a player is called for {at:?}");
}

fn descriptor(playout: &TestPlayout) -> Vec<Option<MonoTime>> {
    std::mem::take(&mut playout.sinks.descriptor.0.lock())
}

#[test]
fn the_channels_thread_is_told_when_a_message_is_due_and_takes_it() {
    let playout = unbuffered();
    bring(&playout, 7, &no_player);
    assert!(matches!(*descriptor(&playout), [Some(_)]));
    assert_eq!(take(&playout, Sink::Thread, &no_player), Ok(Some(7)));
    assert_eq!(descriptor(&playout), [None], "its readiness is taken back");
    assert_eq!(take(&playout, Sink::Thread, &no_player), Ok(None));
}

#[test]
fn in_a_direct_bridge_a_player_is_called_instead() {
    let playout = unbuffered();
    playout.sinks.played_by.set_direct(true);
    let turns = RefCell::new(Vec::new());
    bring(&playout, 7, &|at| turns.borrow_mut().push(at));
    assert_eq!((descriptor(&playout).len(), turns.borrow().len()), (0, 1));
    assert_eq!(take(&playout, Sink::Player, &no_player), Ok(Some(7)));
}

#[test]
fn what_is_due_when_another_sink_is_to_come_is_told_that_one() {
    let playout = unbuffered();
    bring(&playout, 7, &no_player);
    playout.sinks.played_by.set_direct(true);
    let turns = RefCell::new(Vec::new());
    playout.tell_anew(|at| turns.borrow_mut().push(at));
    assert_eq!(turns.borrow().len(), 1);
    assert_eq!(take(&playout, Sink::Player, &no_player), Ok(Some(7)));
}

#[test]
fn digits_are_for_the_channels_thread() {
    let playout = unbuffered();
    let press = |session: &mut Session, actions: &mut Vec<Action>| {
        let digit = r#"{"command":"SEND_DTMF","digits":"1","correlation_id":"d"}"#;
        let command = crate::protocol::command::parse(digit, crate::protocol::command::Spelling::Json, 1000);
        session.on_command(command, clock::now(), actions);
    };
    let _ = playout.change(press, <[Action]>::len);
    assert_eq!(take(&playout, Sink::Player, &no_player), Err(Pressing));
    let taken = playout.take_due(Sink::Thread, <[Action]>::len, no_player).unwrap();
    assert!(matches!(taken.due, Some(Due::Digit(DigitFrame::Begin('1')))), "{:?}", taken.due);
}

#[test]
fn events_are_queued_under_the_sessions_lock() {
    let playout = unbuffered();
    let is_locked = |_: &[Action]| playout.session.try_lock().is_none();
    assert!(playout.change(|_, _| {}, is_locked).events);
    assert!(playout.take_due(Sink::Thread, is_locked, no_player).unwrap().events);
}

#[test]
fn whether_the_application_receives_is_seen_without_the_lock() {
    let playout =
        playout(SessionConfig { control_message_format: ControlMessageFormat::Json, ..fixture::config() });
    let direction = |direction| {
        let text = format!(r#"{{"command":"SET_MEDIA_DIRECTION","direction":"{direction}"}}"#);
        let set = |session: &mut Session, actions: &mut Vec<Action>| {
            fixture::on_text(session, &text, clock::now(), actions);
        };
        let changed = playout.change(set, <[Action]>::len).receiving_changed;
        (changed, playout.sends_media())
    };
    let changes = ["in", "out", "out", "both"].map(direction);
    assert_eq!(changes, [(false, true), (true, false), (false, false), (true, true)]);
}

/// One thread brings messages, another plays them whenever it is told to, and a third moves the call into a direct
/// bridge and out of it. Each message is played once, in order, and a sink is told of each.
#[test]
fn nothing_is_lost_between_two_sinks_and_the_thread_that_brings_media() {
    const MESSAGES: u8 = 200;
    let playout = unbuffered();
    let turns = parking_lot::Mutex::new(Vec::new());
    let call_player = |at| turns.lock().push(at);
    let deadline = clock::now() + Duration::from_secs(30);
    let mut played = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| (0..MESSAGES).for_each(|byte| bring(&playout, byte, &call_player)));
        let bridge = scope.spawn(|| {
            for number in 0..100 {
                playout.sinks.played_by.set_direct(number % 2 == 0);
                playout.tell_anew(call_player);
            }
        });
        while played.len() < usize::from(MESSAGES) {
            assert!(clock::now() < deadline, "{} are played", played.len());
            let turn = turns.lock().pop();
            let is_players = turn.is_some_and(|at| playout.sinks.played_by.take_turn(at));
            if is_players {
                played.extend(take(&playout, Sink::Player, &call_player).unwrap());
            } else if playout.sinks.descriptor.0.lock().last().is_some_and(Option::is_some) {
                played.extend(take(&playout, Sink::Thread, &call_player).unwrap());
            }
        }
        bridge.join().unwrap();
    });
    assert_eq!(played, (0..MESSAGES).collect::<Vec<_>>());
}
