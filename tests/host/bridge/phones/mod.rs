//! Telephones of chan_pjsip at the other end. Whatever they do, no frame is lost, comes twice or overtakes another.

mod codecs;
mod dialogues;
mod echo;
mod many;

use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::sip::{self, Peer, Step};
use super::super::harness::{App, Context, InstanceConfig, Suite, wait};
use super::super::protocol::rtp::Media;
use super::{ROW, expect_technology};
use echo::Echo;

pub fn tests(suite: &mut Suite) {
    codecs::tests(suite);
    dialogues::tests(suite);
    many::tests(suite);
}

/// Adds a test on the instance that these tests share.
fn test(suite: &mut Suite, name: &str, body: impl Fn(&Context) + Send + Sync + 'static) {
    suite.differs(format!("bridge/phones/{name}"), ROW, body).shares("bridge_phones", instance);
}

/// With the endpoints of the first part Asterisk calls itself: a call by one of them arrives under the endpoint's name.
/// The other endpoints are for SIPp.
const ENDPOINTS: &str = "\
[ulaw](phone)
from_user = ulaw
set_var = CODEC=ulaw
[alaw](phone)
allow = !all,alaw
from_user = alaw
set_var = CODEC=alaw
[g722](phone)
allow = !all,g722
from_user = g722
set_var = CODEC=g722
[opus](phone)
allow = !all,opus
from_user = opus
set_var = CODEC=opus
[g722_and_ulaw](phone)
allow = !all,g722
from_user = g722_and_ulaw
set_var = CODEC=ulaw
[g722_and_slin16](phone)
allow = !all,g722
from_user = g722_and_slin16
set_var = CODEC=slin16
[opus_and_ulaw](phone)
allow = !all,opus
from_user = opus_and_ulaw
set_var = CODEC=ulaw
[opus_and_slin16](phone)
allow = !all,opus
from_user = opus_and_slin16
set_var = CODEC=slin16
[opus_and_slin48](phone)
allow = !all,opus
from_user = opus_and_slin48
set_var = CODEC=slin48
[alaw_and_ulaw](phone)
allow = !all,alaw
from_user = alaw_and_ulaw
set_var = CODEC=ulaw
[srtp](phone)
media_encryption = sdes
from_user = srtp
set_var = CODEC=ulaw
[two](phone)
allow = !all,ulaw,alaw
dtmf_mode = info
[fax](phone)
t38_udptl = yes
dtmf_mode = info
[timed](phone)
timers = yes
timers_sess_expires = 90
dtmf_mode = info
";

/// `to<client>` is an application; the other extensions are places for many channels.
const DIALPLAN: &str = "\
exten => _to.,1,Dial(WebSocket/${EXTEN:2}/c(${IF($[\"${CODEC}\" = \"\"]?ulaw:${CODEC})}))
exten => queue,1,Answer()
 same => n,Queue(bots)
exten => _room.,1,Answer()
 same => n,ConfBridge(${EXTEN},harness_bridge,harness_user)
";

fn instance() -> InstanceConfig {
    let modules = [
        "app_queue",
        "codec_g722",
        "codec_opus_open_source",
        "res_format_attr_opus",
        "res_pjsip_t38",
        "res_srtp",
    ];
    let config = modules
        .into_iter()
        .fold(InstanceConfig::new().ami(), InstanceConfig::module)
        .file("queues.conf", "[general]\npersistentmembers = no\n[bots]\nstrategy = ringall\n")
        .dialplan(DIALPLAN);
    sip::with_peers(config, ENDPOINTS)
}

/// Waits until a channel is in a bridge with exactly one other channel, and the technology has been chosen.
#[track_caller]
fn expect_pair(t: &Context, channel: &str) {
    let is_pair = |bridge: &serde_json::Value| {
        let channels = bridge["channels"].as_array();
        channels.is_some_and(|ids| ids.len() == 2 && ids.iter().any(|id| id == channel))
    };
    wait::until("two are in the bridge", || {
        t.ari().get("bridges", &[]).ok().as_array().is_some_and(|bridges| bridges.iter().any(is_pair))
    });
    expect_technology(t, channel, "websocket");
}

/// An application, and another one that it has called through a telephone.
struct Pair<'t> {
    call: Call<'t>,
    app: App,
    other: App,
    /// The channel of the other application.
    other_id: String,
    _server: AppServer,
}

impl<'t> Pair<'t> {
    /// A pair through this endpoint, in this codec.
    #[track_caller]
    fn new(t: &'t Context, endpoint: &str, codec: &str) -> Self {
        let server = t.server(&[]);
        let extension = format!("to{}", server.client);
        Self::at(t, endpoint, codec, &extension, server)
    }

    /// Like [`Pair::new`], at an extension that leads to this application.
    #[track_caller]
    fn at(t: &'t Context, endpoint: &str, codec: &str, extension: &str, server: AppServer) -> Self {
        sip::allow_log(t);
        let (call, app) = calls(t, endpoint, codec, extension);
        let other = server.accept();
        let other_id = other.expect_media_start().get("channel_id");
        expect_pair(t, &call.id);
        expect_pair(t, &other_id);
        Self { call, app, other, other_id, _server: server }
    }
}

/// An application that calls an extension of this Asterisk through an endpoint.
#[track_caller]
fn calls<'t>(t: &'t Context, endpoint: &str, codec: &str, extension: &str) -> (Call<'t>, App) {
    let dial = format!("PJSIP/{endpoint}/sip:{extension}@127.0.0.1:{}", sip::port(t));
    let call = t.call(&format!("WebSocket/INCOMING/c({codec})")).dials(&dial, "30", "").originate();
    let app = call.connect();
    app.expect_media_start();
    (call, app)
}

/// An application in a bridge with a SIPp telephone, which echoes what it hears.
struct Phone<'t> {
    call: Call<'t>,
    app: App,
    peer: Peer,
    echo: Echo,
    /// The name of the telephone's channel.
    name: String,
}

impl<'t> Phone<'t> {
    /// A call by this endpoint. The telephone does what `steps` returns for its media port.
    #[track_caller]
    fn new(t: &'t Context, endpoint: &str, steps: impl Fn(u16) -> Vec<Step<'static>>) -> Self {
        let media = Media::bind();
        let peer = Peer::start(&steps(media.address().port()));
        Self::of(t, endpoint, peer, media)
    }

    #[track_caller]
    fn of(t: &'t Context, endpoint: &str, peer: Peer, media: Media) -> Self {
        sip::allow_log(t);
        let echo = Echo::at(media);
        let call = t.call("WebSocket/INCOMING/c(ulaw)").dials(&peer.dial_by(endpoint), "30", "").originate();
        let app = call.connect();
        app.expect_media_start();
        expect_pair(t, &call.id);
        let name = call.variable("BRIDGEPEER").expect("the telephone's channel");
        Self { call, app, peer, echo, name }
    }

    /// Lets the telephone go on, and waits until this many of its steps are done.
    #[track_caller]
    fn goes_on(&self, t: &Context, steps: u32) {
        sip::tell(t, &self.name);
        self.peer.wait_done(steps);
    }

    /// The application hangs up.
    #[track_caller]
    fn end(mut self) {
        self.app.command("HANGUP");
        assert_eq!(self.app.expect_close(), 1000);
        self.peer.end();
    }
}
