//! The hosts that a URI with values may lead to: no other host is ever connected to.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::super::super::harness::{Context, Suite};
use super::super::peer::read_request;
use super::{WHY, dial_string, with_functions};

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &str, body: fn(&Context)| {
        suite.ours(format!("connect/per_call/hosts/{name}"), WHY, body).shares("per_call", with_functions);
    };
    ours("inside", inside);
    ours("outside", outside);
    ours("redirect", redirect);
    ours("dots", dots);
}

const HOSTS: &str = "*.wild.test, 127.0.0.2, 127.1.0.0/16";

/// A listener on every address of this machine. It records the addresses that were connected to, and answers.
struct Everywhere {
    port: u16,
    visits: Receiver<IpAddr>,
}

impl Everywhere {
    /// Sends `answer`, or accepts the upgrade.
    fn listen(answer: Option<&'static str>) -> Self {
        let all = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)));
        let listener = all.expect("listen");
        let port = listener.local_addr().expect("address").port();
        let (visit, visits) = channel();
        let serve = move || {
            for mut stream in listener.incoming().flatten() {
                let address = stream.local_addr().expect("address").ip().to_canonical();
                if visit.send(address).is_err() {
                    return;
                }
                let accepts = read_request(&mut stream);
                let _ = stream.write_all(answer.unwrap_or(&accepts).as_bytes());
            }
        };
        thread::Builder::new().name("everywhere".into()).spawn(serve).expect("thread");
        Self { port, visits }
    }

    /// A client whose calls go to the host in the channel's variable BOT_HOST.
    fn client(&self, t: &Context) -> String {
        let client = super::super::client(t, &[("uri", "ws://127.0.0.1:1/"), super::super::ONCE]);
        let uri = format!("ws://${{BOT_HOST}}:{}/calls", self.port);
        t.asterisk.add_connection(&client, &[("uri", &uri), ("uri_hosts", HOSTS)]);
        client
    }
}

/// Calls the client, and waits for the end of the call.
fn dial(t: &Context, client: &str, host: &str) -> i64 {
    t.call(&dial_string(client)).variable("BOT_HOST", host).originate().ending().cause
}

/// Names below the wildcard, and permitted addresses in any notation.
fn inside(t: &Context) {
    super::super::allow_failure(t);
    let server = Everywhere::listen(None);
    let client = server.client(t);
    for (host, address) in [
        ("a.wild.test", [127, 0, 0, 1]),
        ("A.Wild.Test.", [127, 0, 0, 1]),
        ("a.b.wild.test", [127, 0, 0, 1]),
        ("127.0.0.2", [127, 0, 0, 2]),
        ("2130706434", [127, 0, 0, 2]),
        ("0x7f.2", [127, 0, 0, 2]),
        ("[::ffff:127.0.0.2]", [127, 0, 0, 2]),
        ("127.1.2.3", [127, 1, 2, 3]),
    ] {
        // The server accepts and disconnects.
        dial(t, &client, host);
        let visited: Vec<IpAddr> = server.visits.try_iter().collect();
        assert_eq!(visited, [IpAddr::from(address)], "{host}");
    }
}

fn outside(t: &Context) {
    t.allow_log("the call is not made");
    let server = Everywhere::listen(None);
    let client = server.client(t);
    for (host, words) in [
        (
            "app.test",
            "the host 'app.test' of the uri is not in uri_hosts (*.wild.test, 127.0.0.2/32, 127.1.0.0/16)",
        ),
        ("app.test.", "the host 'app.test' of"),
        ("wild.test", "the host 'wild.test' of"),
        ("evilwild.test", "the host 'evilwild.test' of"),
        ("127.0.0.1", "the host '127.0.0.1' of"),
        ("127.1", "the host '127.0.0.1' of"),
        ("2130706433", "the host '127.0.0.1' of"),
        ("0x7f000001", "the host '127.0.0.1' of"),
        ("0177.0.0.1", "the host '127.0.0.1' of"),
        ("[::1]", "the host '[::1]' of"),
        ("[::ffff:127.0.0.1]", "the host '127.0.0.1' of"),
        ("[::ffff:7f00:1]", "the host '127.0.0.1' of"),
        ("[::127.0.0.2]", "the host '[::7f00:2]' of"),
        ("[::ffff:0:127.0.0.1]", "the host '[::ffff:0:7f00:1]' of"),
        ("[64:ff9b::127.0.0.1]", "the host '[64:ff9b::7f00:1]' of"),
        ("[0:0:0:0:0:ffff:7f00:0001]", "the host '127.0.0.1' of"),
        ("017700000001", "the host '127.0.0.1' of"),
        ("127.0.1", "the host '127.0.0.1' of"),
        ("127.0.0.1.", "the host '127.0.0.1"),
        ("0", "the host '0.0.0.0' of"),
        ("[::]", "the host '[::]' of"),
        ("localhost", "the host 'localhost' of"),
        ("[::1%25lo]", "is no host"),
        ("[127.0.0.2]", "is no host"),
        ("[::1", "is no host"),
        ("user:pass@a.wild.test", "is no host"),
        ("a.wild.test:80", "is no host"),
        ("127.0.0.1%2f.wild.test", "is no host"),
        ("%31%32%37.0.0.2", "is no host"),
        ("１２７.0.0.2", "is no host"),
        ("127。0。0。2", "is no host"),
        ("a.wild.test@127.0.0.1", "'a.wild.test@127.0.0.1' is no host"),
        ("127.0.0.1#.wild.test", "'127.0.0.1#.wild.test' is no host"),
        ("127.0.0.1/.wild.test", "'127.0.0.1/.wild.test' is no host"),
        ("127.0.0.1:1/a.wild.test", "'127.0.0.1:1/a.wild.test' is no host"),
        ("127.0.0.1?.wild.test", "is no host"),
        ("127.0.0.1\\.wild.test", "is no host"),
        ("127.0.0.1%23.wild.test", "is no host"),
        ("bücher.wild.test", "'bücher.wild.test' is no host"),
        ("xn--bcher-kva.test", "the host 'xn--bcher-kva.test' of"),
        ("。wild.test", "is no host"),
        ("a b.wild.test", "is no host"),
        ("a\r\n.wild.test", "is no host"),
        ("..wild.test", "is no host"),
        ("", "'' is no host"),
    ] {
        let mark = t.asterisk.log.len();
        assert_eq!(dial(t, &client, host), 38, "{host}");
        t.asterisk.log.wait_since(mark, &["ERROR", &format!("[{client}]: "), words]);
    }
    assert_eq!(server.visits.try_iter().count(), 0);
    // The control: it does listen.
    super::super::allow_failure(t);
    dial(t, &client, "127.0.0.2");
    assert_eq!(server.visits.try_iter().count(), 1);
}

/// A redirect of any kind from a permitted host leads to no other host, nor to another address of the same host.
fn redirect(t: &Context) {
    super::super::allow_failure(t);
    let other = Everywhere::listen(None);
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "300 Choices"]
    {
        for host in ["127.0.0.1", "[::1]", "a.wild.test", "a.wild.test@127.0.0.1"] {
            let location = format!("HTTP/1.1 {status}\r\nLocation: ws://{host}:{}/\r\n\r\n", other.port);
            let server = Everywhere::listen(Some(location.leak()));
            let client = server.client(t);
            assert_eq!(dial(t, &client, "a.wild.test"), 3, "{status}");
            let visits = (server.visits.try_iter().count(), other.visits.try_iter().count());
            assert_eq!(visits, (1, 0), "{status} to {host}");
        }
    }
}

/// A value cannot lead to another folder.
fn dots(t: &Context) {
    t.allow_log("the call is not made");
    let server = t.server(&[]);
    let uri = format!("ws://{}/calls/${{NAME}}/media", server.address);
    t.asterisk.add_connection(&server.client, &[("uri", &uri)]);
    for name in [".", ".."] {
        let call = t.call(&dial_string(&server.client)).variable("NAME", name).originate();
        assert_eq!(call.ending().cause, 38);
    }
    t.wait_log(&["ERROR", &server.client, "the path of the uri would have '..' for a value"]);
    assert_eq!(server.requests(), 0);
}
