//! A key update on an established TLS connection: the answer has to be written before later data can be relied on, and
//! the buffers may have no room for it.

use std::thread;
use std::time::{Duration, Instant};

use super::super::harness::wire::opcode;
use super::super::harness::{Context, Frame, Suite, wait};
use super::super::rfc6455::link::Arrival;
use super::super::rfc6455::peer::{self, Peer, Way};
use super::{beside, figures, outcome};

pub fn tests(suite: &mut Suite) {
    for way in Way::ALL.into_iter().filter(|way| way.tls) {
        let name = format!("hostile/key_update/{}", way.name());
        beside(suite, name, move |t| key_update(t, way)).private_from(peer::instance);
    }
}

/// While media flows, and while the application reads nothing.
fn key_update(t: &Context, way: Way) {
    let mut peer = Peer::open(t, way, "c(ulaw)");
    let ping = |number: u32| Frame::new(opcode::PING, number.to_string());
    for number in 0..20 {
        let frame = peer.encode(&ping(number));
        peer.link.refresh_keys().expect("new keys");
        peer.link.send(&frame).expect("send");
        expect_pong(&mut peer, number);
    }
    // Until the buffers of both sides are full, in steps that do not make Asterisk stop reading.
    let commands = peer.encode(&Frame::text("GET_STATUS")).repeat(100);
    for _ in 0..15 {
        peer.link.send(&commands).expect("send");
        thread::sleep(Duration::from_millis(20));
    }
    let frame = peer.encode(&ping(100));
    peer.link.refresh_keys().expect("new keys");
    peer.link.send(&frame).expect("send");
    thread::sleep(Duration::from_millis(300));
    expect_pong(&mut peer, 100);
    let hangup = peer.encode(&Frame::text("HANGUP"));
    peer.link.refresh_keys().expect("new keys");
    peer.link.send(&hangup).expect("send");
    if t.is_ours() {
        assert_eq!(peer.call.ending().cause, 16);
    } else {
        t.note(outcome(t, &peer.call));
    }
    figures(t, "key_update: all answered");
}

/// Waits for this pong and skips everything else.
fn expect_pong(peer: &mut Peer<'_>, number: u32) {
    let deadline = Instant::now() + wait::PATIENCE;
    loop {
        match peer.link.next(deadline) {
            Arrival::Frame(frame) if frame.opcode == opcode::PONG => {
                return assert_eq!(frame.payload, number.to_string().into_bytes());
            }
            Arrival::Frame(_) => {}
            other => panic!("expected the pong to {number}, received {other:?}"),
        }
    }
}
