//! Messages, and errors in them.

use super::*;

#[test]
fn messages_go_both_ways_in_both_roles() {
    let reactors = Reactors::start(2, true).unwrap();
    for role in [Role::Server, Role::Client] {
        let mut pair = pair(&reactors, role, config(), Vec::new());
        for len in [1usize, 125, 126, 160, 65_535, 65_536, 100_000] {
            let payload: Vec<u8> = (0..len).map(|i| (i * 31) as u8).collect();
            pair.app.send(Message::binary(payload.clone())).unwrap();
            assert_eq!(pair.app.read().unwrap(), Message::binary(payload.clone()), "{role:?}, {len} bytes");
            pair.expect(&Told::Binary(payload.into()));
        }
    }
    reactors.stop();
}

#[test]
fn bytes_that_arrived_with_the_handshake_are_handled_first() {
    let reactors = Reactors::start(1, true).unwrap();
    // "hi", unmasked, because it comes from a server to us as a client.
    let pair = pair(&reactors, Role::Client, config(), vec![0x81, 2, b'h', b'i']);
    pair.expect(&Told::Text("hi".into()));
    reactors.stop();
}

#[test]
fn a_message_in_any_pieces_is_one_message() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
    for byte in [0x81u8, 5, b'h', b'e', b'l', b'l', b'o'] {
        pair.app.get_mut().write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    pair.expect(&Told::Text("hello".into()));
    reactors.stop();
}

#[test]
fn faults_end_the_connection_with_their_code() {
    let reactors = Reactors::start(1, true).unwrap();
    let cases: &[(&str, &[u8], u16)] = &[
        ("reserved bit", &[0xc1, 0], 1002),
        ("reserved opcode", &[0x83, 0], 1002),
        ("reserved control opcode", &[0x8b, 0], 1002),
        ("masked by a server", &[0x81, 0x81, 0, 0, 0, 0, b'x'], 1002),
        ("fragmented ping", &[0x09, 0], 1002),
        ("ping of 126 bytes", &[0x89, 126, 0, 126], 1002),
        ("continuation of nothing", &[0x80, 0], 1002),
        ("bad UTF-8", &[0x81, 1, 0xff], 1007),
        ("close code 1005 on the wire", &[0x88, 2, 0x03, 0xed], 1002),
        ("close of one byte", &[0x88, 1, 3], 1002),
        ("too long", &[0x82, 127, 0, 0, 0, 0, 0, 2, 0, 0], 1009),
        ("absurdly long", &[0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1009),
    ];
    for (name, bytes, code) in cases {
        let mut pair = pair(&reactors, Role::Client, config(), Vec::new());
        let mut frame = bytes.to_vec();
        // The payload of the long ping: further bytes after the fault must have no effect.
        frame.extend_from_slice(&[0; 126]);
        pair.app.get_mut().write_all(&frame).unwrap();
        let told = pair.told.recv_timeout(PATIENCE).expect(name);
        assert!(
            matches!(&told, Told::Closed(Closed::Fault { code: sent, .. }) if sent == code),
            "{name}: {told:?}"
        );
        assert_eq!(pair.read_to_end().0, Some(*code), "{name}");
    }
    reactors.stop();
}
