//! The last message of a call comes immediately before our close frame, whatever other threads send meanwhile.

use std::io::Write;
use std::sync::atomic::Ordering;

use super::*;

/// An action that ends the connection, and the code that the application gets.
type Case = (&'static str, fn(&mut Pair), ConnectionConfig, u16);

fn cases() -> [Case; 4] {
    let pings = Pings { interval: Duration::from_millis(50), probes: 1 };
    [
        ("a close of ours", |pair| pair.slot.close(1000), config(), 1000),
        // A text message that is not UTF-8.
        (
            "a fault",
            |pair| pair.app.get_mut().write_all(&[0x81, 0x81, 0, 0, 0, 0, 0xff]).unwrap(),
            config(),
            1007,
        ),
        ("a panic", |pair| pair.app.send(Message::text("panic")).unwrap(), config(), 1011),
        // The application reads the ping too late.
        (
            "no pong",
            |_| std::thread::sleep(Duration::from_millis(300)),
            ConnectionConfig { pings: Some(pings), ..config() },
            1001,
        ),
    ]
}

#[test]
fn it_is_sent_right_before_our_close_frame() {
    let reactors = Reactors::start(1, true).unwrap();
    for (what, end, config, code) in cases() {
        let mut pair = pair(&reactors, Role::Server, config, Vec::new());
        pair.app.send(Message::text("keep last words")).unwrap();
        pair.expect(&Told::Text("keep last words".into()));
        let (out, ended) = (pair.out.clone(), Arc::<std::sync::atomic::AtomicBool>::default());
        let talks = {
            let ended = ended.clone();
            std::thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    out.send_text("more");
                    out.send_media(&[7; 160], Duration::from_millis(20));
                    std::thread::sleep(Duration::from_micros(100));
                }
            })
        };
        end(&mut pair);
        let (mut last, mut close) = (None, None);
        while close.is_none() {
            match pair.app.read().unwrap_or_else(|error| panic!("{what}: {error}")) {
                Message::Close(frame) => close = frame.map(|frame| u16::from(frame.code)),
                Message::Text(text) => last = Some(text.to_string()),
                Message::Binary(_) => last = None,
                _ => {}
            }
        }
        ended.store(true, Ordering::Relaxed);
        talks.join().unwrap();
        assert_eq!((last.as_deref(), close), (Some("last words"), Some(code)), "{what}");
    }
    reactors.stop();
}

#[test]
fn an_application_that_closes_itself_is_told_nothing() {
    let reactors = Reactors::start(1, true).unwrap();
    // A close frame must not contain the second code.
    for code in [1000_u16, 1005] {
        let mut pair = pair(&reactors, Role::Server, config(), Vec::new());
        pair.app.send(Message::text("keep last words")).unwrap();
        pair.expect(&Told::Text("keep last words".into()));
        let [high, low] = code.to_be_bytes();
        pair.app.get_mut().write_all(&[0x88, 0x82, 0, 0, 0, 0, high, low]).unwrap();
        assert!(matches!(pair.app.read(), Ok(Message::Close(_))), "{code}");
    }
    reactors.stop();
}
