//! What a test body gets: an instance, and short ways to calls, apps and comparisons.

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

/// See [`Context::share_ari`]; by the instance's HTTP server.
static SHARED_ARI: Mutex<BTreeMap<SocketAddr, Arc<Ari>>> = Mutex::new(BTreeMap::new());

/// One test on one module.
#[derive(Debug)]
pub struct Context {
    /// The instance that the test runs on, with other tests beside it unless the test asked for its own.
    pub asterisk: Arc<Asterisk>,
    /// Where the log stood when the test began.
    pub log_mark: usize,
    recorder: Recorder,
    notes: Trace,
    ari: OnceLock<Arc<Ari>>,
    /// Sections of websocket_client.conf that are the test's own.
    clients: Mutex<Vec<String>>,
    /// See [`Context::discard`].
    is_silent: AtomicBool,
}

impl Drop for Context {
    /// A soak's thousands of servers would make a file that takes Asterisk megabytes to read, for each of them.
    fn drop(&mut self) {
        self.asterisk.forget_clients(&self.clients.lock());
    }
}

impl Context {
    /// On this instance.
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

    /// Whether it is ours, for tests of differences.
    pub fn is_ours(&self) -> bool {
        self.module() == Module::Ours
    }

    /// `oracle` on the oracle, `ours` on ours.
    pub fn either<T>(&self, oracle: T, ours: T) -> T {
        if self.is_ours() { ours } else { oracle }
    }

    /// Adds a line to the trace that is compared.
    pub fn note(&self, line: impl Into<String>) {
        self.notes.note(line);
    }

    /// Says that this text differs from run to run; the trace has `<name>` instead.
    pub fn name(&self, value: &str, name: &str) {
        self.recorder.name(value, name);
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.recorder.normalised(self.module())
    }

    /// A name that nothing else in this process has.
    pub fn unique(&self, prefix: &str) -> String {
        format!("{prefix}-{}", COUNTER.fetch_add(1, Ordering::Relaxed))
    }

    /// Says that this text in a warning or error is expected. Say it before it happens.
    pub fn allow_log(&self, text: &str) {
        self.asterisk.log.allow(text);
    }

    /// What went over its connections and did not fit docs/schema.
    pub(super) fn unfit(&self) -> Vec<String> {
        self.recorder.unfit()
    }

    /// Waits for a line of the log, not older than the test, that holds all of `parts`.
    #[track_caller]
    pub fn wait_log(&self, parts: &[&str]) -> String {
        self.asterisk.log.wait_since(self.log_mark, parts)
    }

    /// Whether the log has such a line, not older than the test.
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

    /// Has the test use a Stasis application that many tests on this instance share: one of its own would cost more
    /// than the rest of a short test. To be said before anything else.
    pub fn share_ari(&self) {
        let mut shared = SHARED_ARI.lock();
        let ari = shared.entry(self.asterisk.http).or_insert_with(|| Arc::new(self.new_ari()));
        assert!(self.ari.set(Arc::clone(ari)).is_ok(), "too late to share");
    }

    /// Hangs up a channel that may be gone, with Asterisk or without. An Asterisk that has not answered this once is not
    /// asked again, for it takes its time each time.
    pub(super) fn discard(&self, channel: &str) {
        if self.is_silent.load(Ordering::Relaxed) {
            return;
        }
        let answer = self.ari().try_request("DELETE", &format!("channels/{channel}"), &[], &Value::Null);
        self.is_silent.store(answer.is_err(), Ordering::Relaxed);
    }

    /// A session of AMI, for an instance that has it; for the users see `InstanceConfig::ami`.
    #[track_caller]
    pub fn ami(&self, user: &str) -> Ami {
        Ami::login(self.asterisk.ami.expect("an instance with AMI"), user)
    }

    /// Makes the test's Stasis application one whose events `listener` gets, instead of being kept: for so many calls
    /// that looking for one among all would take too long.
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

    /// Such a call with its app connected and MEDIA_START received.
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

    /// Such a call, bridged to one that is up.
    #[track_caller]
    pub fn bridged_to(&self, call: &Call<'_>, options: &str) -> (Call<'_>, App) {
        let (other, app) = self.incoming_app(options);
        other.wait_up();
        self.ari().bridge(&[&call.id, &other.id]);
        (other, app)
    }

    /// Such a call whose channel plays back what the app says.
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

    /// The same, as a call.
    #[track_caller]
    pub fn external_media_call(&self, parameters: Parameters<'_>) -> Call<'_> {
        Call::new(self, self.external_media(parameters).ok())
    }

    /// An app that waits for Asterisk to connect and accepts, known to it as a websocket_client with these further
    /// options (`uri` among them, unless `ws://` with the path `media` will do; `{address}` stands for where the
    /// server listens, `{port}` for its port).
    pub fn server(&self, options: &[(&str, &str)]) -> AppServer {
        self.server_with(options, |_, _| Reply::Accept)
    }

    /// Like [`Context::server`], with an answer of the test's own to each request.
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

    /// A request to upgrade for a connection id, to be spoiled and sent.
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

    /// The app that accepts a request of Asterisk's.
    pub fn accept(&self, mut request: Request) -> App {
        request.respond(&request.accepted("Sec-WebSocket-Protocol: media\r\n", &[]));
        App::new(request.stream, request.leftover, Role::Server, self.recorder.section())
    }

    /// The app behind an upgrade that was answered with 101.
    #[track_caller]
    pub fn app(&self, response: Response) -> App {
        assert!(response.status == 101, "the upgrade was answered with {}", response.status);
        App::new(response.stream, response.leftover, Role::Client, self.recorder.section())
    }
}
