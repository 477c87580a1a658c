//! A channel has descriptors other than the driver's: a whisper (ARI's snoop, ChanSpy) puts a timer on it from Asterisk
//! 20.21, 22.11 and 23.5 on, and removes the frame that is read when that timer has woken the channel.

mod descriptor;
mod snoop;

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::SendFlags;

use super::harness::call::Call;
use super::harness::{App, Context, InstanceConfig, Suite};

pub fn tests(suite: &mut Suite) {
    for (place, put) in [("below", below as Put), ("around", around)] {
        suite
            .same(format!("whisper/descriptor/{place}/echo"), move |t| echo(t, put))
            .shares("descriptor", InstanceConfig::new);
        suite
            .same(format!("whisper/descriptor/{place}/bridge"), move |t| bridge(t, put))
            .shares("descriptor", InstanceConfig::new);
    }
    let no_exception = "the C module has no callback for urgent data: the core warns of each byte (37)";
    suite.ours("whisper/descriptor/urgent", no_exception, urgent).shares("descriptor", InstanceConfig::new);
    suite.differs("whisper/descriptor/stuck", "45", stuck).shares("descriptor", InstanceConfig::new);
    snoop::tests(suite);
}

/// Puts descriptors on a channel.
type Put = fn(&Call<'_>);

pub const FRAME: usize = 160;

/// Two tones of ulaw for each frame, which differ from frame to frame and do not change in signed linear and back.
pub fn numbered(frames: usize) -> Vec<u8> {
    let tone = |digit: usize| [0x10 + u8::try_from(digit % 64).expect("small"); FRAME / 2];
    (0..frames).flat_map(|number| [tone(number / 64), tone(number)]).flatten().collect()
}

/// The numbers of the frames that arrived, for a message.
pub fn numbers(media: &[u8]) -> Vec<usize> {
    let number = |frame: &[u8]| usize::from(frame[0] - 0x10) * 64 + usize::from(frame[FRAME - 1] - 0x10);
    media.chunks_exact(FRAME).map(number).collect()
}

/// What one app plays the other hears completely and in order. There may be a whisper's silence in between.
#[track_caller]
pub fn expect_all(from: &App, to: &App, frames: usize) {
    let media = numbered(frames);
    play(from, &media);
    let deadline = Instant::now() + Duration::from_millis(20) * frames as u32 + PATIENCE;
    let mut heard = Vec::new();
    while heard.len() < media.len() && Instant::now() < deadline {
        let frame = to.collect_media_for(FRAME, deadline.saturating_duration_since(Instant::now()));
        if frame.iter().any(|byte| *byte != 0xff) {
            heard.extend(frame);
        }
    }
    let numbers = numbers(&heard);
    let lost: Vec<usize> = (0..frames).filter(|number| !numbers.contains(number)).collect();
    assert!(heard == media, "of {frames} frames {} are lost: {lost:?}", lost.len());
}

/// Sends media in messages that the C module accepts.
pub fn play(app: &App, media: &[u8]) {
    media.chunks(FRAME * 100).for_each(|message| app.send_media(message));
}

const PATIENCE: Duration = Duration::from_secs(5);

/// Long enough for many disturbances.
const FRAMES: usize = 150;

/// The core uses the first free position for a whisper, which is below the driver's own.
fn below(call: &Call<'_>) {
    descriptor::add(call, "timer", 1);
}

/// After many whispers there are some above, too.
fn around(call: &Call<'_>) {
    descriptor::add(call, "timer", 2);
    descriptor::add(call, "idle", 8);
    descriptor::add(call, "timer", 2);
}

/// The descriptors have woken the channel while the frames were played.
#[track_caller]
fn expect_all_disturbed(call: &Call<'_>, from: &App, to: &App) {
    let before = descriptor::wakes(call);
    expect_all(from, to, FRAMES);
    let wakes = descriptor::wakes(call) - before;
    assert!(wakes > FRAMES as u64, "the channel was woken {wakes} times only");
}

fn echo(t: &Context, put: Put) {
    descriptor::load(t);
    let (call, app) = t.incoming_echo("c(ulaw)");
    put(&call);
    expect_all_disturbed(&call, &app, &app);
}

fn bridge(t: &Context, put: Put) {
    descriptor::load(t);
    let [(call, app), (_other, ear)] = t.bridged("c(ulaw)", "c(ulaw)");
    put(&call);
    expect_all_disturbed(&call, &app, &ear);
}

/// For urgent data on another descriptor the core calls the driver through another callback.
fn urgent(t: &Context) {
    descriptor::load(t);
    let (call, app) = t.incoming_echo("c(ulaw)");
    descriptor::add(&call, "idle", 9);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
    descriptor::add(&call, "urgent", listener.local_addr().expect("address").port());
    let (peer, _) = listener.accept().expect("the module connects");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| send_urgent(&peer, &over));
        let _end = EndOf(&over);
        expect_all_disturbed(&call, &app, &app);
    });
}

/// Tells a thread that the test is over, even if the test fails.
struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends a byte of urgent data every millisecond.
fn send_urgent(peer: &TcpStream, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let sent = rustix::net::send(peer, b"!", SendFlags::OOB).map_err(io::Error::from);
        assert!(sent.is_ok(), "{sent:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A descriptor that stays readable costs processor time, but no frame. (The core leaves a closed descriptor behind
/// when a channel with a whisper is moved.) With the C module it is reported instead of the timer, and nothing is
/// played.
fn stuck(t: &Context) {
    descriptor::load(t);
    let (call, app) = t.incoming_echo("c(ulaw)");
    descriptor::add(&call, "stuck", 3);
    if t.is_ours() {
        return expect_all_disturbed(&call, &app, &app);
    }
    play(&app, &numbered(FRAMES));
    assert_eq!(app.collect_media_for(FRAME, Duration::from_secs(2)).len(), 0);
}
