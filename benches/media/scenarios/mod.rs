//! The scenarios.

mod bulk;
mod ingest;
mod media;
mod phone;
mod phone_calls;
mod rivals;
mod saturation;
mod setup;
mod slow;
mod stall;
mod syscalls;

use std::time::Duration;

use crate::Result;
use crate::figures::Outcome;
use crate::variant::Variant;

/// The settings of one run.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// The module.
    pub variant: &'a Variant,
    /// The number of channels; for call set-up, the number of simultaneous calls.
    pub channels: usize,
    /// The duration of the measurement.
    pub duration: Duration,
    /// Threads of the generator.
    pub workers: usize,
}

/// A kind of load.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// A description for people.
    pub about: &'static str,
    /// The numbers of channels in the full benchmark.
    pub channels: &'static [usize],
    /// The numbers of channels in the quick one; empty: it is left out.
    pub quick: &'static [usize],
    /// Whether the quick benchmark repeats it: some figures hardly vary, and others are clear at once.
    pub quick_repeats: bool,
    /// Runs it.
    pub run: fn(&Setting<'_>) -> Result<Outcome>,
}

/// All scenarios, in the order in which they run.
pub static ALL: &[Scenario] = &[
    Scenario {
        name: "echo-out",
        about: "Asterisk connects; every app speaks and hears itself",
        channels: &[100, 200],
        quick: &[50],
        quick_repeats: true,
        run: media::echo_out,
    },
    Scenario {
        name: "echo-in",
        about: "the same, the apps connect",
        channels: &[100, 200],
        quick: &[50],
        quick_repeats: true,
        run: media::echo_in,
    },
    Scenario {
        name: "positions",
        about: "echo-out, and every app is told once a second where playback is",
        channels: &[100],
        quick: &[],
        quick_repeats: false,
        run: media::positions,
    },
    Scenario {
        name: "echo-out-twilio",
        about: "echo-out, and media is base64 in JSON, as Twilio's",
        channels: &[100],
        quick: &[],
        quick_repeats: false,
        run: media::echo_out_twilio,
    },
    Scenario {
        name: "idle",
        about: "connected, and nobody speaks",
        channels: &[100, 200],
        quick: &[50],
        quick_repeats: true,
        run: media::idle,
    },
    Scenario {
        name: "talk",
        about: "echo; every app speaks for 1.2 s and is silent for 1.8 s",
        channels: &[100, 200],
        quick: &[],
        quick_repeats: false,
        run: media::talk,
    },
    Scenario {
        name: "pair",
        about: "two apps bridged; both speak",
        channels: &[100, 200, 300],
        quick: &[50],
        quick_repeats: true,
        run: media::pair,
    },
    Scenario {
        name: "phone-out",
        about: "an RTP phone and a bot that echoes in one ARI bridge, Asterisk connects; figures per call",
        channels: &[50],
        quick: &[25],
        quick_repeats: true,
        run: phone_calls::outgoing,
    },
    Scenario {
        name: "phone-in",
        about: "the same, the bot connects",
        channels: &[50],
        quick: &[],
        quick_repeats: true,
        run: phone_calls::incoming,
    },
    Scenario {
        name: "phone-u",
        about: "phone-out, unbuffered",
        channels: &[50],
        quick: &[],
        quick_repeats: true,
        run: phone_calls::unbuffered,
    },
    Scenario {
        name: "phone-slin16",
        about: "phone-out, the bot with slin16, the phone with ulaw",
        channels: &[50],
        quick: &[],
        quick_repeats: true,
        run: phone_calls::slin16,
    },
    Scenario {
        name: "phone-three",
        about: "phone-out with a third channel that listens: softmix",
        channels: &[50],
        quick: &[],
        quick_repeats: true,
        run: phone_calls::three,
    },
    Scenario {
        name: "phone-audiosocket",
        about: "phone-out, the bot by AudioSocket instead (neither module has a part in it)",
        channels: &[50],
        quick: &[],
        quick_repeats: true,
        run: phone_calls::audiosocket,
    },
    Scenario {
        name: "phone-rtp",
        about: "phone-out, the bot by a second RTP leg instead (neither module has a part in it)",
        channels: &[50],
        quick: &[],
        quick_repeats: true,
        run: phone_calls::rtp,
    },
    Scenario {
        name: "echo-out-wss",
        about: "echo-out with TLS",
        channels: &[100],
        quick: &[],
        quick_repeats: false,
        run: media::echo_out_tls,
    },
    Scenario {
        name: "echo-in-wss",
        about: "echo-in with TLS",
        channels: &[100],
        quick: &[],
        quick_repeats: false,
        run: media::echo_in_tls,
    },
    Scenario {
        name: "syscalls-echo-out",
        about: "echo-out under strace",
        channels: &[10],
        quick: &[10],
        quick_repeats: false,
        run: syscalls::echo_out,
    },
    Scenario {
        name: "syscalls-echo-in",
        about: "echo-in under strace",
        channels: &[10],
        quick: &[],
        quick_repeats: false,
        run: syscalls::echo_in,
    },
    Scenario {
        name: "syscalls-idle",
        about: "idle under strace",
        channels: &[10],
        quick: &[],
        quick_repeats: false,
        run: syscalls::idle,
    },
    Scenario {
        name: "syscalls-pair",
        about: "pair under strace",
        channels: &[10],
        quick: &[],
        quick_repeats: false,
        run: syscalls::pair,
    },
    Scenario {
        name: "syscalls-phone",
        about: "phone-out under strace",
        channels: &[10],
        quick: &[],
        quick_repeats: false,
        run: phone_calls::syscalls,
    },
    Scenario {
        name: "ingest",
        about: "18 s of ulaw in 1000-byte messages, STATUS, FLUSH_MEDIA, and again, 20 times a second per app",
        channels: &[10],
        quick: &[10],
        quick_repeats: true,
        run: ingest::run,
    },
    Scenario {
        name: "bulk",
        about: "STATUS while live and while 18 s are queued; FLUSH_MEDIA",
        channels: &[100],
        quick: &[50],
        quick_repeats: false,
        run: bulk::run,
    },
    Scenario {
        name: "setup-out",
        about: "Asterisk connects, one frame is echoed, HANGUP; so many calls at a time",
        channels: &[1, 20],
        quick: &[20],
        quick_repeats: false,
        run: setup::out,
    },
    Scenario {
        name: "setup-in",
        about: "the same, the apps connect",
        channels: &[1, 20],
        quick: &[],
        quick_repeats: false,
        run: setup::incoming,
    },
    Scenario {
        name: "slow",
        about: "echo, while one more app, of 192 kHz, stops reading: what the others see",
        channels: &[50],
        quick: &[],
        quick_repeats: false,
        run: slow::run,
    },
    Scenario {
        name: "stall",
        about: "echo, while all of Asterisk stands still for 500 ms",
        channels: &[50],
        quick: &[20],
        quick_repeats: false,
        run: stall::echo,
    },
    Scenario {
        name: "stall-phone",
        about: "the same, heard at an RTP leg bridged to the app",
        channels: &[50],
        quick: &[],
        quick_repeats: false,
        run: stall::phone,
    },
    Scenario {
        name: "saturation",
        about: "echo-out with 50 more channels at a time, until p99 latency passes 40 ms",
        channels: &[100],
        quick: &[],
        quick_repeats: false,
        run: saturation::run,
    },
];

/// How long media runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);
