//! Ten minutes of media at once, with `queue_overflow = wait`.

use super::*;
use crate::playout::overflow::Overflow;
use crate::playout::session::model::bounded::wait;

const FRAMES: usize = 30_000;

struct Flood {
    name: &'static str,
    message_bytes: usize,
    buffering: bool,
    queue_bytes: usize,
    /// Whether the app has to wait meanwhile.
    is_held: bool,
}

const FLOODS: [Flood; 4] = [
    Flood {
        name: "large messages",
        message_bytes: 16_000,
        buffering: false,
        queue_bytes: 16 << 20,
        is_held: false,
    },
    Flood {
        name: "a message for each frame",
        message_bytes: 160,
        buffering: false,
        queue_bytes: 16 << 20,
        is_held: false,
    },
    Flood { name: "less room", message_bytes: 16_000, buffering: false, queue_bytes: 1 << 20, is_held: true },
    Flood {
        name: "less room, and messages that fit no frame",
        message_bytes: 4021,
        buffering: true,
        queue_bytes: 1 << 20,
        is_held: true,
    },
];

#[test]
fn ten_minutes_at_once_are_played_to_their_end_at_fifty_frames_a_second() {
    for flood in FLOODS {
        play(&flood);
    }
}

fn play(flood: &Flood) {
    let overflow = wait(flood.queue_bytes, 1 << 30);
    let Overflow::Wait(limits) = overflow.clone() else { unreachable!() };
    let mut call = Call::new(SessionConfig { overflow, ..config() });
    let media = numbered(FRAMES * 160);
    if flood.buffering {
        call.command("START_MEDIA_BUFFERING");
    }
    let mut unread = media.chunks(flood.message_bytes);
    let mut most_bytes = 0;
    let mut was_held = false;
    loop {
        while !call.session.holds()
            && let Some(message) = unread.next()
        {
            call.bytes(message.to_vec());
            most_bytes = most_bytes.max(limits.total.get());
        }
        was_held |= call.session.holds();
        let Some(deadline) = call.session.clock().deadline else { break };
        call.now = call.now.max(deadline);
        call.read();
    }
    let name = flood.name;
    assert_eq!(call.frames.len(), FRAMES, "{name}");
    assert!(call.played() == media, "{name}: something is missing, or in another place");
    assert_eq!(call.frames[0].due, ms(1000), "{name}");
    let even = |pair: &[MediaFrame]| pair[1].due == pair[0].due + Duration::from_millis(20);
    assert!(call.frames.windows(2).all(even), "{name}");
    let stats = call.session.stats();
    assert_eq!((stats.frames_dropped, stats.media_dropped), (0, Duration::ZERO), "{name}");
    assert_eq!(was_held, flood.is_held, "{name}");
    assert!(most_bytes < flood.queue_bytes + flood.message_bytes + 1024, "{name}: {most_bytes} bytes");
    assert_eq!(limits.total.get(), 0, "{name}: the memory comes back");
}
