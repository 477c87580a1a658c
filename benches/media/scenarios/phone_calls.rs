//! The most common kind of call: a telephone and a bot in one bridge. The telephone sends media, the bot sends it back,
//! and the telephone notes when it arrives.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::media::{cost, judge_generator};
use super::phone::{Heard, Phone, Talkers};
use super::rivals::{Bots, Rival};
use super::{Setting, WARM_UP, syscalls};
use crate::Result;
use crate::figures::{self, Outcome};
use crate::generator::app::Life;
use crate::generator::stats::Times;
use crate::harness::Context;
use crate::rig::{Rig, Way};

/// How long a channel may take to enter its Stasis application.
const PATIENCE: Duration = Duration::from_secs(10);

/// A kind of call.
#[derive(Debug, Clone, Copy)]
struct Kind {
    way: Way,
    /// The options of the dial string.
    options: &'static str,
    /// Whether there is another channel, which sends nothing.
    listener: bool,
    /// Whether the telephone must get back what it sent, byte for byte.
    exact: bool,
    /// Set if the bot has no WebSocket.
    rival: Option<Rival>,
}

const OUTGOING: Kind = Kind { way: Way::Out, options: "c(ulaw)", listener: false, exact: true, rival: None };

pub(super) fn outgoing(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, OUTGOING)
}

pub(super) fn incoming(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Kind { way: Way::In, ..OUTGOING })
}

pub(super) fn unbuffered(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Kind { options: "c(ulaw)u", ..OUTGOING })
}

pub(super) fn slin16(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Kind { options: "c(slin16)", exact: false, ..OUTGOING })
}

pub(super) fn three(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Kind { listener: true, exact: false, ..OUTGOING })
}

/// ulaw has a positive and a negative zero, slin has one. A frame with a negative zero comes back changed, and does not
/// count as a round trip.
pub(super) fn audiosocket(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Kind { rival: Some(Rival::AudioSocket), ..OUTGOING })
}

pub(super) fn rtp(setting: &Setting<'_>) -> Result<Outcome> {
    run(setting, Kind { rival: Some(Rival::Rtp), ..OUTGOING })
}

pub(super) fn syscalls(setting: &Setting<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    if !syscalls::is_installed() {
        outcome.note("strace is not installed");
        return Ok(outcome);
    }
    let calls = Calls::start(setting, OUTGOING)?;
    syscalls::count(&mut outcome, &calls.rig, setting, false)?;
    calls.finish(&mut outcome)?;
    Ok(outcome)
}

fn run(setting: &Setting<'_>, kind: Kind) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut calls = Calls::start(setting, kind)?;
    let listening = Phone::listen(calls.socket.try_clone()?)?;
    let measured = calls.rig.measure(setting.duration)?;
    let heard = listening.hang_up()?;
    cost(&mut outcome, &measured, setting.channels);
    judge_generator(&mut outcome, &measured);
    if kind.exact {
        round_trips(&mut outcome, &heard);
        if heard.len() != setting.channels {
            outcome.note(format!("RTP of {} of {} calls came", heard.len(), setting.channels));
        }
    }
    calls.finish(&mut outcome)?;
    Ok(outcome)
}

/// Round trips from the telephone to the bot and back.
fn round_trips(outcome: &mut Outcome, heard: &[Heard]) {
    let mut times = Times::default();
    let points = heard.iter().flat_map(Heard::course);
    points.for_each(|point| times.record(point.latency));
    for (figure, percentile) in [
        (&figures::LATENCY_P50, 50.0),
        (&figures::LATENCY_P99, 99.0),
        (&figures::LATENCY_P999, 99.9),
        (&figures::LATENCY_MAX, 100.0),
    ] {
        outcome.set(figure, times.percentile_ms(percentile));
    }
}

/// Calls that are up, with telephones that send media.
struct Calls {
    rig: Rig,
    stasis: Context,
    socket: UdpSocket,
    phones: Vec<String>,
    talkers: Talkers,
    /// They end after their calls.
    bots: Option<Bots>,
}

impl Calls {
    fn start(setting: &Setting<'_>, kind: Kind) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let host = socket.local_addr()?.to_string();
        let mut rig = Rig::start(setting.variant, setting.workers, Some(socket.local_addr()?.port()))?;
        rig.warm_up(kind.way)?;
        let stasis = Context::new(Arc::clone(&rig.asterisk));
        stasis.listen(|_| ());
        let bots = kind.rival.map(Bots::serve).transpose()?;
        let (mut phones, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..setting.channels {
            let (phone, address) = phone(&stasis, &host)?;
            rig.set_life(Life::Echo);
            let bot = match &bots {
                Some(bots) => bots.channel(&stasis)?,
                None => app(&mut rig, &stasis, kind)?,
            };
            let mut all = vec![phone.clone(), bot];
            if kind.listener {
                rig.set_life(Life::Long);
                all.push(app(&mut rig, &stasis, kind)?);
            }
            bridge(&stasis, &all)?;
            phones.extend(if bots.is_some() { all } else { vec![phone] });
            addresses.push(address);
        }
        let talkers = Talkers::talk(socket.try_clone()?, addresses)?;
        thread::sleep(WARM_UP);
        Ok(Self { rig, stasis, socket, phones, talkers, bots })
    }

    fn finish(mut self, outcome: &mut Outcome) -> Result<()> {
        drop(self.talkers);
        for phone in &self.phones {
            self.stasis.ari().hangup(phone);
        }
        self.rig.end_calls()?;
        drop(self.bots);
        drop(self.stasis);
        outcome.notes.extend(self.rig.finish());
        Ok(())
    }
}

/// The id of an object that ARI has made.
pub(super) fn id_of(made: &Value) -> Result<String> {
    Ok(made.get("id").and_then(Value::as_str).ok_or("ARI made something without an id")?.to_owned())
}

/// A telephone's channel, and the address at which it receives RTP.
fn phone(stasis: &Context, host: &str) -> Result<(String, SocketAddr)> {
    let made = stasis.external_media(&[
        ("transport", "udp"),
        ("encapsulation", "rtp"),
        ("external_host", host),
        ("format", "ulaw"),
    ]);
    let id = id_of(&made.ok())?;
    let port = stasis.ari().variable(&id, "UNICASTRTP_LOCAL_PORT").ok_or("no RTP port")?;
    Ok((id, (Ipv4Addr::LOCALHOST, port.parse()?).into()))
}

/// A channel that is up, with its app.
fn app(rig: &mut Rig, stasis: &Context, kind: Kind) -> Result<String> {
    let ari = stasis.ari();
    let endpoint = kind.way.endpoint(kind.options);
    let made = ari.post("channels", &[("endpoint", &endpoint), ("app", &ari.app)]).ok();
    let id = id_of(&made)?;
    if kind.way.is_in() {
        let connection = ari.variable(&id, "MEDIA_WEBSOCKET_CONNECTION_ID").ok_or("no connection id")?;
        let target = rig.asterisk.path(&format!("media/{connection}"));
        rig.generator.connector().connect(rig.asterisk.http, false, &target)?;
    }
    rig.wait_for_apps(rig.apps.len() + 1)?;
    Ok(id)
}

fn bridge(stasis: &Context, channels: &[String]) -> Result<()> {
    let ari = stasis.ari();
    let bridge = ari.post("bridges", &[("type", "mixing")]).ok();
    let path = format!("bridges/{}/addChannel", id_of(&bridge)?);
    for channel in channels {
        let deadline = Instant::now() + PATIENCE;
        // A channel that is up may not have entered its application yet.
        while ari.post(&path, &[("channel", channel)]).status >= 300 {
            if Instant::now() > deadline {
                return Err("a channel did not come to its Stasis application".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}
