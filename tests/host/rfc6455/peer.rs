//! The app of one case: a call, and the raw connection to it, in either role.

use std::net::TcpListener;
use std::sync::LazyLock;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tungstenite::handshake::derive_accept_key;

use super::super::harness::call::Call;
use super::super::harness::wire::opcode;
use super::super::harness::{Context, Frame, InstanceConfig, wait};
use super::link::{Arrival, Link, listen};

/// How Asterisk and the app are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The app connects to Asterisk; otherwise Asterisk connects to the app.
    pub asterisk_serves: bool,
    /// With TLS.
    pub tls: bool,
}

impl Way {
    /// All ways.
    pub const ALL: [Self; 4] = [
        Self { asterisk_serves: true, tls: false },
        Self { asterisk_serves: true, tls: true },
        Self { asterisk_serves: false, tls: false },
        Self { asterisk_serves: false, tls: true },
    ];

    /// Asterisk's role and the scheme.
    pub fn name(self) -> String {
        let role = if self.asterisk_serves { "server" } else { "client" };
        format!("{role}/{}", if self.tls { "wss" } else { "ws" })
    }
}

/// A listening socket, and the name under which Asterisk knows it.
#[derive(Debug)]
struct Place {
    client: String,
    listener: TcpListener,
    tls: bool,
}

/// As many places as tests that run at once.
#[derive(Debug)]
struct Places {
    free: Mutex<Vec<Place>>,
    returned: Condvar,
    /// All places, as websocket_client.conf.
    conf: String,
}

const PLACES_OF_A_KIND: usize = 12;

static PLACES: LazyLock<Places> = LazyLock::new(|| {
    let place = |number: usize| {
        let tls = number % 2 == 1;
        Place { client: format!("place-{number}"), listener: listen(), tls }
    };
    let free: Vec<Place> = (0..PLACES_OF_A_KIND * 2).map(place).collect();
    let conf = free.iter().map(Place::conf).collect();
    Places { free: Mutex::new(free), returned: Condvar::new(), conf }
});

impl Place {
    fn conf(&self) -> String {
        let address = self.listener.local_addr().expect("address");
        let (scheme, tls) =
            if self.tls { ("wss", "tls_enabled = yes\nverify_server_cert = no\n") } else { ("ws", "") };
        format!(
            "[{}]\ntype = websocket_client\nconnection_type = per_call_config\nprotocols = media\n\
             reconnect_attempts = 1\nconnection_timeout = 5000\nuri = {scheme}://{address}/media\n{tls}\n",
            self.client
        )
    }
}

/// A place that this test uses until it is dropped.
#[derive(Debug)]
pub struct Borrowed(Option<Place>);

impl Borrowed {
    /// Waits for a free place.
    pub fn new(tls: bool) -> Self {
        let mut free = PLACES.free.lock();
        loop {
            if let Some(index) = free.iter().position(|place| place.tls == tls) {
                let place = free.swap_remove(index);
                place.listener.set_nonblocking(true).expect("listener");
                // Connections that a failed test left.
                while place.listener.accept().is_ok() {}
                return Self(Some(place));
            }
            PLACES.returned.wait(&mut free);
        }
    }

    /// The connection id for a dial string.
    pub fn client(&self) -> &str {
        &self.0.as_ref().expect("borrowed").client
    }

    /// Accepts Asterisk's connection.
    pub fn accept(&self) -> Link {
        let place = self.0.as_ref().expect("borrowed");
        Link::accept(&place.listener, place.tls, wait::PATIENCE).expect("Asterisk connects")
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        PLACES.free.lock().extend(self.0.take());
        PLACES.returned.notify_all();
    }
}

/// The instance of these tests. Echoes of large messages would not fit into the default out-queue.
pub fn instance() -> InstanceConfig {
    InstanceConfig::new()
        .file("websocket_client.conf", &PLACES.conf)
        .our_file("chan_websocket.conf", "[global]\nout_queue = 60000\n")
}

/// The 101 for a request's head.
pub fn accepting(head: &str) -> String {
    let key =
        head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key in the request");
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Protocol: media\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.trim().as_bytes())
    )
}

/// The C module can deadlock when calls are set up in parallel.
static ORACLE_SETUP: Mutex<()> = Mutex::new(());

/// A call whose channel echoes, and its upgraded connection.
pub struct Peer<'t> {
    /// The call.
    pub call: Call<'t>,
    /// The connection.
    pub link: Link,
    /// Whether our frames have to be masked.
    pub masks: bool,
    _place: Option<Borrowed>,
}

impl<'t> Peer<'t> {
    /// Makes the call, connects, takes MEDIA_START and waits until the channel echoes.
    #[track_caller]
    pub fn open(t: &'t Context, way: Way, options: &str) -> Self {
        let _alone = (!t.is_ours()).then(|| ORACLE_SETUP.lock());
        let mut peer = if way.asterisk_serves {
            Self::connect(t, way.tls, options)
        } else {
            Self::accept(t, way.tls, options)
        };
        match peer.link.next(Instant::now() + wait::PATIENCE) {
            Arrival::Frame(frame)
                if frame.opcode == opcode::TEXT && frame.payload.starts_with(b"MEDIA_START ") =>
            {
                assert_eq!(frame.masked, !way.asterisk_serves, "the masking of MEDIA_START");
            }
            other => panic!("expected MEDIA_START, received {other:?}"),
        }
        peer.call.wait_application("Echo");
        peer
    }

    fn connect(t: &'t Context, tls: bool, options: &str) -> Self {
        let call = t.call(&format!("WebSocket/INCOMING/{options}")).extension("echo").originate();
        let request = t.upgrade(&call.connection_id()).encode();
        let address = if tls { t.asterisk.https } else { t.asterisk.http };
        let mut link = Link::connect(address, tls).expect("the HTTP server");
        link.send(&request).expect("request");
        let head = link.head(wait::PATIENCE).expect("an answer");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        Self { call, link, masks: true, _place: None }
    }

    fn accept(t: &'t Context, tls: bool, options: &str) -> Self {
        let place = Borrowed::new(tls);
        let call = t.call(&format!("WebSocket/{}/{options}", place.client())).extension("echo").originate();
        let mut link = place.accept();
        let head = link.head(wait::PATIENCE).expect("a request");
        link.send(accepting(&head).as_bytes()).expect("answer");
        Self { call, link, masks: false, _place: Some(place) }
    }

    /// The bytes of a frame, masked as the role requires.
    pub fn encode(&self, frame: &Frame) -> Vec<u8> {
        Frame { masked: self.masks, ..frame.clone() }.encode()
    }

    /// The bytes of a frame, masked against the rule.
    pub fn encode_wrongly(&self, frame: &Frame) -> Vec<u8> {
        Frame { masked: !self.masks, ..frame.clone() }.encode()
    }
}
