//! What the body of a test gets: an instance, and short ways to make calls, apps and comparisons.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde_json::Value;
use tungstenite::protocol::Role;

use super::ami::Ami;
use super::app::App;
use super::ari::{Answer, Ari, Parameters};
use super::asterisk::{Asterisk, Module};
use super::call::{Call, CallBuilder};
use super::http::{Request, Response, UpgradeRequest};
use super::server::{AppServer, Head, Reply};
use super::stream::Stream;
use super::trace::{Recorder, Trace};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// The applications of [`Context::share_ari`], by the address of the instance's HTTP server.
static SHARED_ARI: Mutex<BTreeMap<SocketAddr, Arc<Ari>>> = Mutex::new(BTreeMap::new());

/// One test on one module.
#[derive(Debug)]
pub struct Context {
    /// The instance that the test runs on. Other tests use it at the same time, unless the test asked for a private
    /// one.
    pub asterisk: Arc<Asterisk>,
    /// The length of the log when the test began.
    pub log_mark: usize,
    recorder: Recorder,
    notes: Trace,
    ari: OnceLock<Arc<Ari>>,
    /// The sections of websocket_client.conf that the test added.
    clients: Mutex<Vec<String>>,
    /// See [`Context::discard`].
    is_silent: AtomicBool,
}

impl Drop for Context {
    /// The sections of a soak's thousands of servers would make the file megabytes long, and Asterisk reads it for each
    /// of them.
    fn drop(&mut self) {
        self.asterisk.forget_clients(&self.clients.lock());
    }
}

impl Context {
    /// A context on this instance.
    pub fn new(asterisk: Arc<Asterisk>) -> Self {
        let recorder = Recorder::default();
        if asterisk.module == Module::Ours {
            recorder.mind_schemas();
        }
        let notes = recorder.notes();
        let log_mark = asterisk.log.len();
        Self {
            asterisk,
            log_mark,
            recorder,
            notes,
            ari: OnceLock::new(),
            clients: Mutex::default(),
            is_silent: AtomicBool::new(false),
        }
    }

    /// Which module is under test.
    pub fn module(&self) -> Module {
        self.asterisk.module
    }

    /// Whether our module is under test, for tests of differences.
    pub fn is_ours(&self) -> bool {
        self.module() == Module::Ours
    }

    /// `oracle` with the C module, `ours` with our module.
    pub fn either<T>(&self, oracle: T, ours: T) -> T {
        if self.is_ours() { ours } else { oracle }
    }

    /// Adds a line to the trace that is compared.
    pub fn note(&self, line: impl Into<String>) {
        self.notes.note(line);
    }

    /// Declares that this text differs from run to run. The trace has `<name>` instead.
    pub fn name(&self, value: &str, name: &str) {
        self.recorder.name(value, name);
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.recorder.normalised(self.module())
    }

    /// A name that is unique in this process.
    pub fn unique(&self, prefix: &str) -> String {
        format!("{prefix}-{}", COUNTER.fetch_add(1, Ordering::Relaxed))
    }

    /// Declares that this text is expected in a warning or error. Call it before the message is logged.
    pub fn allow_log(&self, text: &str) {
        self.asterisk.log.allow(text);
    }

    /// The messages of its connections that did not fit docs/schema.
    pub(super) fn unfit(&self) -> Vec<String> {
        self.recorder.unfit()
    }

    /// Waits for a line of the log that contains all of `parts` and was written since the test began.
    #[track_caller]
    pub fn wait_log(&self, parts: &[&str]) -> String {
        self.asterisk.log.wait_since(self.log_mark, parts)
    }

    /// Whether the log has such a line.
    pub fn log_contains(&self, parts: &[&str]) -> bool {
        self.asterisk.log.find(self.log_mark, parts).is_some()
    }

    /// The test's own Stasis application.
    pub fn ari(&self) -> &Ari {
        self.ari.get_or_init(|| Arc::new(self.new_ari()))
    }

    fn new_ari(&self) -> Ari {
        Ari::new(self.asterisk.http, &self.asterisk.path("ari"), &self.unique("app"))
    }

    /// Makes the test use a Stasis application that many tests on this instance share: a private one would take longer
    /// than the rest of a short test. Call it before anything else.
    pub fn share_ari(&self) {
        let mut shared = SHARED_ARI.lock();
        let ari = shared.entry(self.asterisk.http).or_insert_with(|| Arc::new(self.new_ari()));
        assert!(self.ari.set(Arc::clone(ari)).is_ok(), "too late to share");
    }

    /// Hangs up a channel that may be gone, as may Asterisk. An Asterisk that has once not answered is not asked again,
    /// because each request would run into its timeout.
    pub(super) fn discard(&self, channel: &str) {
        if self.is_silent.load(Ordering::Relaxed) {
            return;
        }
        let answer = self.ari().try_request("DELETE", &format!("channels/{channel}"), &[], &Value::Null);
        self.is_silent.store(answer.is_err(), Ordering::Relaxed);
    }

    /// An AMI session, on an instance with AMI. For the users see `InstanceConfig::ami`.
    #[track_caller]
    pub fn ami(&self, user: &str) -> Ami {
        Ami::login(self.asterisk.ami.expect("an instance with AMI"), user)
    }

    /// Makes the test's Stasis application pass its events to `listener` instead of keeping them, for tests with so
    /// many calls that a search among all events would take too long.
    pub fn listen(&self, listener: impl Fn(serde_json::Value) + Send + 'static) {
        let (address, path) = (self.asterisk.http, self.asterisk.path("ari"));
        let ari = Ari::listening(address, &path, &self.unique("app"), listener);
        assert!(self.ari.set(Arc::new(ari)).is_ok(), "before anything else asks for ARI");
    }

    /// A call to this endpoint (`WebSocket/…` or any other).
    pub fn call(&self, endpoint: &str) -> CallBuilder<'_> {
        CallBuilder::new(self, endpoint)
    }

    /// A call to `WebSocket/INCOMING/<options>` that waits for its app.
    #[track_caller]
    pub fn incoming(&self, options: &str) -> Call<'_> {
        self.call(&format!("WebSocket/INCOMING/{options}")).originate()
    }

    /// Such a call after its app has connected and received MEDIA_START.
    #[track_caller]
    pub fn incoming_app(&self, options: &str) -> (Call<'_>, App) {
        let call = self.incoming(options);
        let app = call.connect();
        app.expect_media_start();
        (call, app)
    }

    /// Two such calls in one bridge.
    #[track_caller]
    pub fn bridged(&self, one: &str, other: &str) -> [(Call<'_>, App); 2] {
        let one = self.incoming_app(one);
        one.0.wait_up();
        let other = self.bridged_to(&one.0, other);
        [one, other]
    }

    /// Such a call, bridged to another call that is up.
    #[track_caller]
    pub fn bridged_to(&self, call: &Call<'_>, options: &str) -> (Call<'_>, App) {
        let (other, app) = self.incoming_app(options);
        other.wait_up();
        self.ari().bridge(&[&call.id, &other.id]);
        (other, app)
    }

    /// Such a call whose channel plays back what the app sends.
    #[track_caller]
    pub fn incoming_echo(&self, options: &str) -> (Call<'_>, App) {
        let call = self.call(&format!("WebSocket/INCOMING/{options}")).extension("echo").originate();
        let app = call.connect();
        app.expect_media_start();
        call.wait_application("Echo");
        (call, app)
    }

    /// `POST /channels/externalMedia` in the test's Stasis application.
    #[track_caller]
    pub fn external_media(&self, parameters: Parameters<'_>) -> Answer {
        let app = self.ari().app.clone();
        let id = self.unique("media");
        let mut all =
            vec![("app", &*app), ("channelId", &*id), ("transport", "websocket"), ("encapsulation", "none")];
        all.extend_from_slice(parameters);
        self.ari().post("channels/externalMedia", &all)
    }

    /// Like [`Context::external_media`]; returns the call.
    #[track_caller]
    pub fn external_media_call(&self, parameters: Parameters<'_>) -> Call<'_> {
        Call::new(self, self.external_media(parameters).ok())
    }

    /// An app that listens, and accepts a connection from Asterisk. It is added as a websocket_client with these
    /// further options. Without `uri` among them the URI is `ws://` with the path `media`. `{address}` stands for the
    /// address of the server, `{port}` for its port.
    pub fn server(&self, options: &[(&str, &str)]) -> AppServer {
        self.server_with(options, |_, _| Reply::Accept)
    }

    /// Like [`Context::server`], with a reply that the test chooses for each request.
    pub fn server_with(
        &self,
        options: &[(&str, &str)],
        reply: impl Fn(&Head, usize) -> Reply + Send + 'static,
    ) -> AppServer {
        let client = self.unique("client");
        self.name(&client, "client");
        let server = AppServer::listen(client, self.recorder.clone(), reply);
        let mut all = vec![("uri", "ws://{address}/media"), ("protocols", "media")];
        all.retain(|(name, _)| !options.iter().any(|(own, _)| own == name));
        all.extend_from_slice(options);
        let (address, port) = (server.address.to_string(), server.address.port().to_string());
        let fill = |value: &str| value.replace("{address}", &address).replace("{port}", &port);
        let all: Vec<_> = all.iter().map(|(name, value)| (*name, fill(value))).collect();
        let all: Vec<_> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.asterisk.add_client(&server.client, &all);
        self.clients.lock().push(server.client.clone());
        server
    }

    /// A plain connection to the HTTP server.
    #[track_caller]
    pub fn http(&self) -> Stream {
        Stream::tcp(self.asterisk.http).expect("HTTP server")
    }

    /// A TLS connection to the HTTP server.
    #[track_caller]
    pub fn https(&self) -> Stream {
        Stream::tls(self.asterisk.https).expect("HTTPS server")
    }

    /// A request to upgrade for a connection id, for a test to modify and send.
    pub fn upgrade(&self, connection_id: &str) -> UpgradeRequest {
        UpgradeRequest::new(&self.asterisk.path(&format!("media/{connection_id}")))
    }

    /// Sends a request over a new plain connection.
    #[track_caller]
    pub fn send(&self, request: &UpgradeRequest) -> Response {
        request.send(self.http()).expect("an answer to the upgrade")
    }

    /// Connects an app.
    #[track_caller]
    pub fn connect(&self, connection_id: &str) -> App {
        self.app(self.send(&self.upgrade(connection_id)))
    }

    /// Connects an app over TLS.
    #[track_caller]
    pub fn connect_tls(&self, connection_id: &str) -> App {
        self.app(self.upgrade(connection_id).send(self.https()).expect("an answer to the upgrade"))
    }

    /// Accepts a request from Asterisk, and returns the app.
    pub fn accept(&self, mut request: Request) -> App {
        request.respond(&request.accepted("Sec-WebSocket-Protocol: media\r\n", &[]));
        App::new(request.stream, request.leftover, Role::Server, self.recorder.section())
    }

    /// The app on a connection whose upgrade was answered with 101.
    #[track_caller]
    pub fn app(&self, response: Response) -> App {
        assert!(response.status == 101, "the upgrade was answered with {}", response.status);
        App::new(response.stream, response.leftover, Role::Client, self.recorder.section())
    }
}
