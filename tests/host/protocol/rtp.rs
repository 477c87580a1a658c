//! An RTP phone, for frames that a channel gets only from a real phone.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::call::Call;
use super::super::harness::{App, Context, InstanceConfig};

/// An instance with RTP. Its tests share it, unless they stop it.
pub fn instance() -> InstanceConfig {
    let config = InstanceConfig::new().file("rtp.conf", "[general]\nstrictrtp = no\nicesupport = no\n");
    config
        .file("pjproject.conf", "[startup]\nlog_level = 0\n")
        .module("res_pjproject")
        .module("res_rtp_asterisk")
        .module("res_rtp_multicast")
        .module("chan_rtp")
}

/// One packet.
#[derive(Debug, Clone)]
pub struct Packet {
    /// The time at which it came.
    pub at: Instant,
    /// Payload type: 0 is ulaw, 13 comfort noise.
    pub kind: u8,
    /// The marker bit.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Time stamp, in samples.
    pub timestamp: u32,
    /// The payload.
    pub payload: Vec<u8>,
}

/// A UDP socket for packets in both directions.
#[derive(Debug)]
pub struct Media {
    socket: UdpSocket,
    /// The address to send packets for Asterisk to. If it is not set, packets go to the source of Asterisk's packets.
    asterisk: OnceLock<SocketAddr>,
}

impl Media {
    /// Binds a free port.
    pub fn bind() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("socket");
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("timeout");
        Self { socket, asterisk: OnceLock::new() }
    }

    /// The address of the socket.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("address")
    }

    /// The socket itself.
    pub fn into_socket(self) -> UdpSocket {
        self.socket
    }

    /// Sends a packet.
    pub fn send(&self, kind: u8, marker: bool, sequence: u16, timestamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, kind | u8::from(marker) << 7];
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&0x1234_5678_u32.to_be_bytes());
        packet.extend_from_slice(payload);
        let asterisk = self.asterisk.get().expect("where Asterisk is");
        self.socket.send_to(&packet, *asterisk).expect("send");
    }

    /// The next packet of any kind, if one comes within two seconds.
    pub fn packet(&self) -> Option<Packet> {
        let mut buffer = [0; 2048];
        let (length, from) = match self.socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return None,
            Err(err) => panic!("receive: {err}"),
        };
        self.asterisk.get_or_init(|| from);
        Some(Packet {
            at: Instant::now(),
            kind: buffer[1] & 0x7f,
            marker: buffer[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([buffer[2], buffer[3]]),
            timestamp: u32::from_be_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]),
            payload: buffer[12..length].to_vec(),
        })
    }

    /// The next packet of ulaw, if one comes within two seconds.
    pub fn receive(&self) -> Option<Packet> {
        loop {
            let packet = self.packet()?;
            if packet.kind == 0 {
                return Some(packet);
            }
        }
    }
}

/// A phone that the test controls, in the test's Stasis application.
#[derive(Debug)]
pub struct Phone<'t> {
    /// Its channel, `UnicastRTP/…`.
    pub call: Call<'t>,
    media: Media,
}

impl<'t> Phone<'t> {
    /// A phone that speaks ulaw.
    #[track_caller]
    pub fn new(t: &'t Context) -> Self {
        let media = Media::bind();
        let host = media.address().to_string();
        let call = t.external_media_call(&[
            ("transport", "udp"),
            ("encapsulation", "rtp"),
            ("external_host", &host),
            ("format", "ulaw"),
        ]);
        let port = call.variable("UNICASTRTP_LOCAL_PORT").expect("Asterisk's port");
        media.asterisk.get_or_init(|| (Ipv4Addr::LOCALHOST, port.parse().expect("port")).into());
        Self { call, media }
    }

    /// Sends a packet.
    pub fn send(&self, kind: u8, marker: bool, sequence: u16, timestamp: u32, payload: &[u8]) {
        self.media.send(kind, marker, sequence, timestamp, payload);
    }

    /// The next packet of ulaw, if one comes within two seconds.
    pub fn receive(&self) -> Option<Packet> {
        self.media.receive()
    }

    /// The next `count` packets.
    #[track_caller]
    pub fn collect(&self, count: usize) -> Vec<Packet> {
        let packets: Vec<Packet> = std::iter::from_fn(|| self.receive()).take(count).collect();
        assert!(packets.len() == count, "only {} of {count} packets came", packets.len());
        packets
    }

    /// The packets until all frames of `media` have come, in order; there may be silence in between.
    #[track_caller]
    pub fn collect_media(&self, media: &[u8]) -> Vec<Packet> {
        let mut packets = Vec::new();
        for (number, frame) in media.chunks(160).enumerate() {
            loop {
                let packet = self.receive().unwrap_or_else(|| panic!("frame {number} has not come"));
                let found = packet.payload == frame;
                let silence = packet.payload.iter().all(|byte| *byte == 0xff);
                assert!(found || silence, "something else came than frame {number}");
                packets.push(packet);
                if found {
                    break;
                }
            }
        }
        packets
    }
}

/// Steps of sequence number and time stamp.
pub fn steps(packets: &[Packet]) -> Vec<(u16, u32)> {
    let step = |pair: &[Packet]| {
        (pair[1].sequence.wrapping_sub(pair[0].sequence), pair[1].timestamp.wrapping_sub(pair[0].timestamp))
    };
    packets.windows(2).map(step).collect()
}

/// No packet is lost, and each is 20 ms after the one before it. (The C module does not set times: a read that is late
/// on a busy machine makes a step.)
#[track_caller]
pub fn assert_continuous(t: &Context, packets: &[Packet]) {
    let steps = steps(packets);
    let continuous = |step: &(u16, u32)| step.0 == 1 && (step.1 == 160 || !t.is_ours() && step.1 > 160);
    assert!(steps.iter().all(continuous), "{steps:?}");
}

/// Whether each packet continues where the one before it ended. If the machine was stopped for so long that RTP assumes
/// silence, that packet and the next one do not count.
pub fn is_continuous(packets: &[Packet]) -> bool {
    const STOOD_STILL: Duration = Duration::from_millis(75);
    let is_even = |step: &(u16, u32)| *step == (1, 160);
    let still: Vec<bool> = packets.windows(2).map(|pair| pair[1].at - pair[0].at >= STOOD_STILL).collect();
    let excused = |number: usize| still[number] || number > 0 && still[number - 1];
    steps(packets).iter().enumerate().all(|(number, step)| is_even(step) || excused(number))
}

/// Sends a frame every 20 ms, but delays each 20th by `pause`, and all later ones with it.
pub fn speak_with_pauses(app: &App, media: &[u8], pause: Duration) {
    let start = Instant::now();
    for (frame, number) in media.chunks(160).zip(0..) {
        let at = start + Duration::from_millis(20) * number + pause * (number / 20);
        thread::sleep(at.saturating_duration_since(Instant::now()));
        app.send_media(frame);
    }
}
