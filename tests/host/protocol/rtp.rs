//! An RTP phone, for what only reaches a channel from a real one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::super::harness::call::Call;
use super::super::harness::{Context, InstanceConfig};

/// An instance that talks RTP. Its tests share it, unless they stop it.
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
    /// When it came.
    pub at: Instant,
    /// Payload type: 0 is ulaw, 13 comfort noise.
    pub kind: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Time stamp, in samples.
    pub timestamp: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// A phone without a will of its own, in the test's Stasis application.
#[derive(Debug)]
pub struct Phone<'t> {
    /// Its channel, `UnicastRTP/…`.
    pub call: Call<'t>,
    socket: UdpSocket,
    asterisk: SocketAddr,
}

impl<'t> Phone<'t> {
    /// A phone that speaks ulaw.
    #[track_caller]
    pub fn new(t: &'t Context) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("socket");
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("timeout");
        let host = socket.local_addr().expect("address").to_string();
        let call = t.external_media_call(&[
            ("transport", "udp"),
            ("encapsulation", "rtp"),
            ("external_host", &host),
            ("format", "ulaw"),
        ]);
        let port = call.variable("UNICASTRTP_LOCAL_PORT").expect("Asterisk's port");
        let asterisk = (Ipv4Addr::LOCALHOST, port.parse().expect("port")).into();
        Self { call, socket, asterisk }
    }

    /// Sends a packet.
    pub fn send(&self, kind: u8, marker: bool, sequence: u16, timestamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, kind | u8::from(marker) << 7];
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&0x1234_5678_u32.to_be_bytes());
        packet.extend_from_slice(payload);
        self.socket.send_to(&packet, self.asterisk).expect("send");
    }

    /// The next packet of ulaw, if one comes within two seconds.
    pub fn receive(&self) -> Option<Packet> {
        let mut buffer = [0; 2048];
        loop {
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return None,
                Err(err) => panic!("receive: {err}"),
            };
            let packet = Packet {
                at: Instant::now(),
                kind: buffer[1] & 0x7f,
                sequence: u16::from_be_bytes([buffer[2], buffer[3]]),
                timestamp: u32::from_be_bytes([buffer[4], buffer[5], buffer[6], buffer[7]]),
                payload: buffer[12..length].to_vec(),
            };
            if packet.kind == 0 {
                return Some(packet);
            }
        }
    }

    /// The next `count` packets.
    #[track_caller]
    pub fn collect(&self, count: usize) -> Vec<Packet> {
        let packets: Vec<Packet> = std::iter::from_fn(|| self.receive()).take(count).collect();
        assert!(packets.len() == count, "only {} of {count} packets came", packets.len());
        packets
    }
}
