//! A telephone connects the two parties that it talks to: REFER with Replaces.

use super::super::harness::call::Call;
use super::super::harness::server::AppServer;
use super::super::harness::sip::{self, NAME, NUMBER, Peer, Step};
use super::super::harness::{App, Context, Item, Suite, wait};
use super::super::life::transfers::{echoes, hears};
use super::super::protocol::rtp::Media;
use super::states::{ends_bridged_with, told};
use super::{ONLY_OURS, expect_state, goes_on, sip as phones, subscribe};

pub fn tests(suite: &mut Suite) {
    let mut ours = |name: &str, body: fn(&Context)| {
        suite.ours(format!("around/sip/{name}"), ONLY_OURS, body).shares("around_sip", phones::instance);
    };
    ours("attended", attended);
    ours("attended_to_application", attended_to_application);
}

/// An application that a telephone calls, and the telephone.
#[track_caller]
fn called(t: &Context) -> (AppServer, App, String, Peer) {
    let server = t.server(&[]);
    let media = Media::bind().address().port();
    let phone = Peer::call(t, &format!("to{}", server.client), media, &[Step::ExpectBye]);
    let app = server.accept();
    let name = app.expect_media_start().get("channel");
    subscribe(&app, &["CALL_STATE", "CONNECTED_LINE"]);
    (server, app, name, phone)
}

/// An application calls a telephone, which then connects it with the other end of its dialogue with `asked`. Skips the
/// states that the application is told before.
#[track_caller]
fn is_connected<'t>(t: &'t Context, asked: &mut Peer) -> (Call<'t>, App) {
    let dialog = asked.dialog();
    let media = Media::bind().address().port();
    let steps = [Step::Answer(media), Step::ExpectInfo, Step::Replace(&dialog), Step::Bye];
    let mut phone = Peer::start(&steps);
    let caller = t
        .call("WebSocket/INCOMING/c(ulaw)f(json)")
        .variable("CALLERID(name)", "Ann")
        .variable("CALLERID(num)", "100")
        .dials(&phone.dial_by("told"), "30", "")
        .originate();
    let app = caller.connect();
    app.expect_media_start();
    subscribe(&app, &["CALL_STATE"]);
    expect_state(&app, "answered");
    sip::tell(t, &expect_state(&app, "bridged").get("peer"));
    phone.end();
    asked.end();
    (caller, app)
}

/// In the end, the last line that was told is this one.
#[track_caller]
fn ends_with_line(app: &App, name: &str, number: &str) {
    let lines = || -> Vec<(String, String)> {
        let received = app.received().into_iter().filter_map(|received| match received.item {
            Item::Event(event) if event.name == "CONNECTED_LINE" => {
                Some((event.get("name"), event.get("number")))
            }
            _ => None,
        });
        received.collect()
    };
    let wanted = (name.to_owned(), number.to_owned());
    let done = wait::poll(wait::PATIENCE, || (lines().last() == Some(&wanted)).then_some(()));
    let lines = lines();
    assert!(done.is_some() && lines.windows(2).all(|two| two[0] != two[1]), "{lines:?}");
}

/// Two applications that a telephone talks to are connected, and each is told of it.
fn attended(t: &Context) {
    sip::allow_log(t);
    let (_server, asked, name, mut phone) = called(t);
    ends_bridged_with(&asked, |peer| peer.starts_with("PJSIP/peer-"));
    ends_with_line(&asked, NAME, NUMBER);
    let (caller, app) = is_connected(t, &mut phone);
    ends_bridged_with(&app, |peer| peer == name);
    ends_bridged_with(&asked, |peer| peer == caller.name);
    ends_with_line(&asked, "Ann", "100");
    let bridge = |app: &App| told(app).last().map(|(_, bridge, _)| bridge.clone());
    assert_eq!(bridge(&app), bridge(&asked));
    hears(&app, &asked);
    hears(&asked, &app);
    app.command("HANGUP");
    assert!(app.wait_item(wait::PATIENCE, |item| (*item == Item::Close(1000)).then_some(())).is_some());
    assert!(asked.wait_item(wait::PATIENCE, |item| (*item == Item::Close(1000)).then_some(())).is_some());
}

/// The telephone's second call leads to Echo(), which is not a channel in a bridge.
fn attended_to_application(t: &Context) {
    sip::allow_log(t);
    let mut asked = Peer::call(t, "603", Media::bind().address().port(), &[Step::ExpectBye]);
    let (_caller, app) = is_connected(t, &mut asked);
    expect_state(&app, "unbridged");
    echoes(&app);
    goes_on(&app);
}
