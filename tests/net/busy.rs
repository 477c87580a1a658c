//! Reactors with many active connections.

use super::*;

/// With many active connections a reactor checks all sockets together. Nothing is lost, no connection waits long, and
/// afterwards the reactor wakes for single messages again.
#[test]
fn a_busy_reactor_loses_nothing_and_comes_to_rest() {
    for coalesce in [true, false] {
        let reactors = Reactors::start(1, coalesce).unwrap();
        // More than one poll returns.
        let mut pairs: Vec<Pair> =
            (0..300).map(|_| pair(&reactors, Role::Server, config(), Vec::new())).collect();
        for round in 0..10u8 {
            for pair in &mut pairs {
                pair.app.send(Message::binary(vec![round; 160])).unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for pair in &mut pairs {
            for round in 0..10u8 {
                pair.expect(&Told::Binary(vec![round; 160].into()));
                assert_eq!(pair.app.read().unwrap(), Message::binary(vec![round; 160]));
            }
        }
        // While the others are active, one is added, exchanges messages and is closed.
        let mut late = pair(&reactors, Role::Server, config(), Vec::new());
        for round in 0..20 {
            for pair in &mut pairs[..100] {
                pair.app.send(Message::binary(vec![1; 160])).unwrap();
            }
            late.app.send(Message::text(format!("reply {round}"))).unwrap();
            assert_eq!(late.app.read().unwrap(), Message::text(round.to_string()));
        }
        late.slot.close(1000);
        assert_eq!(late.read_to_end().0, Some(1000));
        // No traffic again.
        std::thread::sleep(Duration::from_millis(300));
        let Pair { app, told, .. } = &mut pairs[200];
        app.send(Message::binary("one more")).unwrap();
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), Told::Binary("one more".into()));
        reactors.stop();
    }
}

/// A transport that only the reactor may write to, as with TLS.
#[derive(Debug)]
struct ReactorOnly(PlainTransport);

impl Transport for ReactorOnly {
    fn recv(&self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.recv(buf)
    }
    fn send(&self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.send(buf)
    }
    fn shutdown(&self) {
        self.0.shutdown();
    }
    fn close(&self) {
        self.0.close();
    }
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
    fn concurrent(&self) -> bool {
        false
    }
}

/// A flush that a busy reactor has postponed is done when the other connections become idle.
#[test]
fn a_flush_that_waits_is_done_when_a_reactor_comes_to_rest() {
    let reactors = Reactors::start(1, true).unwrap();
    let mut others: Vec<Pair> =
        (0..20).map(|_| pair(&reactors, Role::Server, config(), Vec::new())).collect();
    let mut listener = pair_over(&reactors, Role::Server, config(), Vec::new(), |ours| {
        Arc::new(ReactorOnly(PlainTransport::new(ours).unwrap()))
    });
    for round in 0..5u8 {
        for _ in 0..10 {
            for pair in &mut others {
                pair.app.send(Message::binary(vec![round; 160])).unwrap();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // The others are idle now, and the reactor becomes idle meanwhile.
        for number in 0..60u8 {
            listener.out.send_media(&[round, number], Duration::from_millis(1));
            std::thread::sleep(Duration::from_millis(1));
        }
        for number in 0..60u8 {
            assert_eq!(listener.app.read().unwrap(), Message::binary(vec![round, number]));
        }
    }
    reactors.stop();
}
