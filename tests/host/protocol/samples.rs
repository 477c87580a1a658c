//! The number of samples in frames that reach the core: our own counter for Speex, Asterisk's for codecs that the
//! module does not know. FRAME_TRACE() shows each frame that the channel returns.

use super::super::harness::call::Call;
use super::super::harness::{App, Context, InstanceConfig, Suite, wait};

pub fn tests(suite: &mut Suite) {
    for (codec, _) in LAYERS {
        suite.same(format!("samples/{codec}"), move |t| of_speex(t, codec)).private_with(traced());
    }
    suite.same("samples/amr", of_amr).private_with(traced());
    suite.differs("samples/lpc10", "47", of_lpc10).private_with(traced());
    for codec in ["codec2", "gsm", "g722", "siren14"] {
        suite.same(format!("samples/{codec}"), move |t| of_frame(t, codec)).private_with(traced());
    }
    suite.differs("samples/bad_speex", "46", bad).private();
}

/// Formats, and how many layers their frames may have.
const LAYERS: [(&str, usize); 3] = [("speex", 0), ("speex16", 1), ("speex32", 2)];

fn traced() -> InstanceConfig {
    let modules = ["func_frame_trace", "codec_speex", "codec_amr", "codec_gsm", "codec_lpc10"];
    let config = modules.iter().fold(InstanceConfig::new(), |config, module| config.module(module));
    config.dialplan(
        "exten => traced,1,Answer()\n same => n,Set(FRAME_TRACE(white)=VOICE)\n same => n,Echo()\n\
         exten => spoken,1,Answer()\n same => n,Playback(demo-congrats)",
    )
}

/// A part of a packet; the Speex manual has the lengths of the sub-modes in tables 9.2 and 10.1.
#[derive(Clone, Copy)]
enum Part {
    Narrowband(usize),
    Layer(usize),
    Request(usize),
    Message(usize),
    /// A value, in this many bits.
    Raw(usize, usize),
}
use Part::{Layer, Message, Narrowband, Raw, Request};

const TERMINATOR: Part = Raw(0b01111, 5);

/// A packet of these parts. Its last byte is padded as in RFC 5574.
fn packet(parts: &[Part]) -> Vec<u8> {
    let mut bits = Vec::new();
    for part in parts {
        let (value, count, len) = match *part {
            Narrowband(mode) => (mode, 5, [5, 43, 119, 160, 220, 300, 364, 492, 79][mode]),
            Layer(mode) => (0b1000 | mode, 4, [4, 36, 112, 192, 352][mode]),
            Request(number) => {
                let bits = [1, 1, 4, 4, 4, 4, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64][number];
                (14 << 4 | number, 9, 9 + bits)
            }
            Message(bytes) => (13 << 4 | bytes, 9, 14 + 8 * bytes),
            Raw(value, count) => (value, count, count),
        };
        bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        bits.extend((count..len).map(|bit| bit % 3 == 0));
    }
    let missing = bits.len().next_multiple_of(8) - bits.len();
    bits.extend((0..missing).map(|number| number > 0));
    bits.chunks(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit))).collect()
}

/// Frames of every sub-mode, with every layer; several frames; and what may come between them.
fn good_packets(layers: usize) -> Vec<Vec<u8>> {
    let frame = |mode: usize| -> Vec<Part> {
        [Narrowband(mode % 9)]
            .into_iter()
            .chain((0..layers).map(|number| Layer((mode + number) % 5)))
            .collect()
    };
    let mut packets: Vec<Vec<Part>> = (0..9).map(frame).collect();
    packets.extend((0..5).map(|first| (first..first + 4).flat_map(frame).collect()));
    packets.push([&[Request(0)][..], &frame(3), &[Request(9)], &frame(8), &[Request(15)]].concat());
    packets
        .push([&[Message(0)][..], &frame(5), &[Message(15)], &frame(5), &[TERMINATOR], &frame(5)].concat());
    packets.push(vec![TERMINATOR]);
    packets.iter().map(|parts| packet(parts)).collect()
}

fn of_speex(t: &Context, codec: &str) {
    let (_, layers) = LAYERS.into_iter().find(|(name, _)| *name == codec).expect("a format of Speex");
    let mut packets = good_packets(layers);
    packets.extend(encoded(t, codec));
    note_samples(t, codec, &packets);
}

/// The output of Asterisk's encoder for a recording.
fn encoded(t: &Context, codec: &str) -> Vec<Vec<u8>> {
    let call =
        t.call(&format!("WebSocket/INCOMING/c({codec})")).formats(codec).extension("spoken").originate();
    let app = call.connect();
    app.expect_media_start();
    let packets = (0..20).map(|_| app.expect_media()).collect();
    app.command("HANGUP");
    call.ending();
    packets
}

/// Frames of 12.2 kbit/s, one in each packet (RFC 4867, bandwidth-efficient).
fn of_amr(t: &Context) {
    let mut packet = vec![0x55; 32];
    packet[0] = 0xf3;
    packet[1] = 0xd5;
    note_samples(t, "amr", &vec![packet; 3]);
}

fn of_frame(t: &Context, codec: &str) {
    let len = [("codec2", 6), ("gsm", 33), ("g722", 160), ("siren14", 120)]
        .into_iter()
        .find_map(|(name, len)| (name == codec).then_some(len))
        .expect("its frame");
    note_samples(t, codec, &vec![vec![0x55; len]; 3]);
}

/// A frame lasts 22.5 ms: 54 bits at 2400 bit/s.
fn of_lpc10(t: &Context) {
    assert_eq!(core_samples(t, "lpc10", &[vec![0x55; 7]]), [t.either("176", "180")]);
}

/// Passes each packet through the core, and notes the number of samples that it has there.
fn note_samples(t: &Context, codec: &str, packets: &[Vec<u8>]) {
    for (packet, samples) in packets.iter().zip(core_samples(t, codec, packets)) {
        t.note(format!("{} bytes: {samples} samples", packet.len()));
    }
}

/// Passes each packet through the core. Returns the number of samples that it has there.
fn core_samples(t: &Context, codec: &str, packets: &[Vec<u8>]) -> Vec<String> {
    let (_call, app) = traced_echo(t, codec);
    for packet in packets {
        app.send_media(packet);
        assert_eq!(app.expect_media(), *packet);
    }
    wait::until("every frame is traced", || read_samples(t).len() >= packets.len());
    read_samples(t)
}

fn traced_echo<'t>(t: &'t Context, codec: &str) -> (Call<'t>, App) {
    let call =
        t.call(&format!("WebSocket/INCOMING/c({codec})")).formats(codec).extension("traced").originate();
    let app = call.connect();
    app.expect_media_start();
    call.wait_application("Echo");
    (call, app)
}

/// The samples of each frame that the channel has returned.
fn read_samples(t: &Context) -> Vec<String> {
    let log = t.asterisk.log.since(0);
    let frames = log.split("<--Read on Channel").skip(1);
    let samples = frames.filter_map(|frame| {
        let (_, rest) = frame.split("--> Write").next()?.split_once("Samples: ")?;
        // `Bytes` comes after it, so the line is complete.
        rest.contains("Bytes: ").then(|| rest.lines().next().unwrap_or_default().trim().to_owned())
    });
    samples.collect()
}

/// A thousand invalid packets, in ten calls at once. Each lasts as long as a frame and is passed on unchanged.
fn bad(t: &Context) {
    const CALLS: usize = 10;
    const PACKETS: usize = 100;
    let frame = Narrowband(3);
    let packets = [
        packet(&[Raw(0b01001, 5), frame]),
        packet(&[frame, Raw(0b01100, 5), frame]),
        packet(&[frame, Layer(1), Layer(1), Layer(1), frame]),
        packet(&[Raw(0b1111, 4), frame]),
    ];
    let warnings =
        ["Unknown speex control frame", "corrupt speex frame", "reading wideband frames for speex"];
    if !t.is_ours() {
        warnings.iter().for_each(|text| t.allow_log(text));
    }
    let calls: Vec<_> =
        (0..CALLS).map(|number| t.incoming_echo(&format!("c({})", LAYERS[number % 3].0))).collect();
    let sent: Vec<_> = packets.iter().cycle().take(PACKETS).collect();
    for (_, app) in &calls {
        sent.iter().for_each(|packet| app.send_media(packet));
    }
    for (_, app) in &calls {
        sent.iter().for_each(|packet| assert_eq!(app.expect_media(), **packet));
    }
    // With ours there is no such message: that is checked, as usual, when this Asterisk has ended and its log is
    // complete.
    if !t.is_ours() {
        warnings.iter().for_each(|text| _ = t.wait_log(&["WARNING", text]));
    }
}
