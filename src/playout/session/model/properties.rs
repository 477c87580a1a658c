//! Random calls against the model, and random bytes against the session alone.

use proptest::prelude::*;

use super::bounded::{bounded, wait};
use super::*;
use crate::playout::overflow::Overflow;
use crate::playout::session::fixture::{config, filled, format};
use crate::protocol::topic::{Topic, Topics};

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (0..1200_usize).prop_map(Op::Media),
        4 => Just(160).prop_map(Op::Media),
        4 => prop::sample::select(vec![20, 24, 25, 38, 50, 1900]).prop_map(Op::Media),
        3 => Just(Op::Start),
        3 => Just(Op::Stop),
        4 => Just(Op::Mark),
        2 => flush().prop_map(Op::Flush),
        1 => subscribe(),
        2 => Just(Op::Pause),
        3 => Just(Op::Continue),
        2 => Just(Op::Report),
        1 => Just(Op::Status),
        1 => prop_oneof![
            Just(MediaDirection::Both),
            Just(MediaDirection::In),
            Just(MediaDirection::Out)
        ].prop_map(Op::Direction),
        12 => (0..200_u64, prop_oneof![3 => Just(0), 1 => 0..15_000_000_u64]).prop_map(|(ms, late)| Op::Run(ms, late)),
        2 => (0..2500_u64).prop_map(Op::Stall),
        2 => (0..30_u64).prop_map(Op::Stall),
        2 => Just(Op::Read),
        2 => Just(Op::Answered),
    ]
}

fn flush() -> impl Strategy<Value = FlushOp> {
    let extent = prop_oneof![
        2 => Just(FlushOpExtent::All),
        3 => (0..12_usize).prop_map(FlushOpExtent::After),
        3 => prop_oneof![0..100_u64, 0..=500_u64].prop_map(FlushOpExtent::Fade),
    ];
    (any::<bool>(), extent).prop_map(|(answered, extent)| FlushOp { answered, extent })
}

fn subscribe() -> impl Strategy<Value = Op> {
    let topics = prop::collection::vec(prop::sample::select(Topic::ALL.to_vec()), 0..4);
    (topics, prop_oneof![100..300_u64, 100..=60_000_u64]).prop_map(|(topics, interval_ms)| {
        Op::Subscribe(topics.into_iter().fold(Topics::default(), Topics::with), interval_ms)
    })
}

fn any_config() -> impl Strategy<Value = SessionConfig> {
    let modes = prop_oneof![
        4 => Just(("ulaw", MediaMode::Framed)),
        1 => Just(("gsm", MediaMode::Framed)),
        2 => Just(("g723", MediaMode::Framed)),
        2 => Just(("ilbc", MediaMode::Framed)),
        1 => Just(("silk8", MediaMode::Framed)),
        1 => Just(("ilbc", MediaMode::Unbuffered)),
        2 => Just(("ulaw", MediaMode::Passthrough)),
        1 => Just(("opus", MediaMode::Passthrough)),
        2 => Just(("alaw", MediaMode::Framed)),
        2 => Just(("slin", MediaMode::Framed)),
        2 => Just(("ulaw", MediaMode::Unbuffered)),
    ];
    let overflow = prop_oneof![
        2 => Just(None),
        1 => (1000..20_000_usize, 1000..20_000_usize).prop_map(Some),
    ];
    let max_latency = prop_oneof![2 => Just(None), 1 => (20..400_u64).prop_map(Some)];
    (modes, overflow, max_latency, any::<bool>()).prop_map(|((name, mode), overflow, max_latency, fills)| {
        let config = SessionConfig {
            format: format(name),
            mode,
            limits: LIMITS,
            control_message_format: ControlMessageFormat::Json,
            ..config()
        };
        let overflow = overflow.map_or(Overflow::Drop, |(own, total)| wait(own, total));
        let config = bounded(config, overflow, max_latency);
        if fills { filled(config) } else { config }
    })
}

/// Found by a random call: the queue of a filled call runs empty at the end of a second, and QUEUE_DRAINED comes when
/// the last frame is over, in the next second.
#[test]
fn queue_drained_comes_when_the_last_frame_is_over() {
    let ilbc = SessionConfig {
        format: format("ilbc"),
        mode: MediaMode::Framed,
        limits: LIMITS,
        control_message_format: ControlMessageFormat::Json,
        ..config()
    };
    let mut both = Both::new(filled(bounded(ilbc, wait(7569, 3367), Some(300))));
    let bulk =
        |len: usize| [Op::Start, Op::Media(160), Op::Media(38), Op::Run(22, 0), Op::Stop, Op::Media(len)];
    let live = [
        Op::Media(0),
        Op::Answered,
        Op::Start,
        Op::Run(20, 0),
        Op::Media(1109),
        Op::Stall(402),
        Op::Media(160),
        Op::Media(922),
        Op::Run(91, 0),
        Op::Media(387),
        Op::Media(235),
        Op::Stop,
        Op::Media(50),
        Op::Run(109, 0),
    ];
    for op in live.into_iter().chain(bulk(450)).chain([Op::Run(93, 0), Op::Report, Op::Run(173, 0)]) {
        both.apply(&op);
    }
    both.finish();
}

proptest! {
    #[test]
    fn a_session_behaves_as_its_model(config in any_config(), ops in prop::collection::vec(op(), 1..150)) {
        let mut both = Both::new(config);
        for op in &ops {
            both.apply(op);
        }
        both.finish();
    }

    /// With `wait` all bytes of a bulk are played in order, and the rest is filled up with silence, however the bulk is
    /// split and whenever it is read.
    #[test]
    fn no_media_is_lost_with_wait(
        lens in prop::collection::vec(0..2000_usize, 1..60),
        limits in (500..5000_usize, 500..5000_usize),
        naps in prop::collection::vec(0..300_u64, 60),
    ) {
        let mut session = session(SessionConfig { overflow: wait(limits.0, limits.1), limits: LIMITS, ..config() });
        let (mut now, mut actions, mut sent, mut played) = (SECOND, Vec::new(), Vec::new(), Vec::new());
        let mut waited = false;
        on_text(&mut session, "START_MEDIA_BUFFERING", MonoTime::from_nanos(now), &mut actions);
        let mut play = |session: &mut Session, now: &mut u64, nap: u64, actions: &mut Vec<Action>| {
            let end = *now + nap * 1_000_000;
            while let Some(deadline) = session.clock().deadline.filter(|due| due.as_nanos() <= end || session.holds()) {
                *now = (*now).max(deadline.as_nanos());
                played.extend(session.read(MonoTime::from_nanos(*now), actions).map(|frame| frame.payload));
            }
            *now = (*now).max(end);
        };
        for (len, nap) in lens.iter().zip(naps) {
            play(&mut session, &mut now, nap, &mut actions);
            prop_assert!(!session.holds());
            let message: Vec<u8> = (0..*len).map(|n| (n * 7 + sent.len()) as u8).collect();
            sent.extend_from_slice(&message);
            session.on_media(message.into(), MonoTime::from_nanos(now), &mut actions);
            waited |= session.holds();
        }
        play(&mut session, &mut now, 0, &mut actions);
        on_text(&mut session, "STOP_MEDIA_BUFFERING", MonoTime::from_nanos(now), &mut actions);
        play(&mut session, &mut now, 1 << 30, &mut actions);
        prop_assert!(waited == actions.contains(&Action::ReadOn));
        sent.resize(sent.len().next_multiple_of(160), 0xff);
        prop_assert_eq!(played.concat(), sent);
        prop_assert_eq!(session.stats().frames_dropped, 0);
    }

    #[test]
    fn any_messages_at_any_time_are_survived(
        config in any_config(),
        json in any::<bool>(),
        steps in prop::collection::vec(
            prop_oneof![
                (any::<u64>(), prop::collection::vec(any::<u8>(), 0..500)).prop_map(|(now, m)| (now, Some(m), None)),
                (any::<u64>(), ".{0,40}").prop_map(|(now, text)| (now, None, Some(text))),
                (any::<u64>(), "(START_MEDIA_BUFFERING|STOP_MEDIA_BUFFERING|MARK_MEDIA|FLUSH_MEDIA|PAUSE_MEDIA|\
                    CONTINUE_MEDIA|REPORT_QUEUE_DRAINED|GET_STATUS|ANSWER|HANGUP)( .{0,5})?")
                    .prop_map(|(now, text)| (now, None, Some(text))),
                any::<u64>().prop_map(|now| (now, None, None)),
            ],
            1..100,
        ),
    ) {
        let control_message_format = if json { ControlMessageFormat::Json } else { ControlMessageFormat::PlainText };
        let mut session = session(SessionConfig { control_message_format, ..config });
        let mut actions = Vec::new();
        for (now, message, text) in steps {
            let now = MonoTime::from_nanos(now);
            if let Some(message) = message {
                session.on_media(message.into(), now, &mut actions);
            } else if let Some(text) = text {
                actions.clear();
                on_text(&mut session, &text, now, &mut actions);
                if actions.contains(&Action::Answer) {
                    session.answered(now, &mut actions);
                }
            } else {
                session.read(now, &mut actions);
            }
            let (stats, status) = (session.stats(), session.status());
            prop_assert_eq!(
                stats.frames_in,
                stats.frames_played + stats.frames_flushed + stats.frames_dropped_late + status.queue_length as u64
            );
            let plays = !status.media_paused && session.direction() != MediaDirection::In;
            let fills = session.schedule.is_filled();
            prop_assert!(!fills || session.clock().deadline.is_some());
            prop_assert!(fills || status.queue_length == 0 || session.clock().deadline.is_some() == plays);
        }
    }
}
