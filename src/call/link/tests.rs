//! Every cell of the table, and what needs more than one step.

use std::fmt::Write as _;

use super::*;
use crate::net::connection::Closed;

/// A connection and an attempt, by number.
pub(super) type TestLink = Link<u32, u32>;

const WAIT: Duration = Duration::from_secs(60);

/// The end of the call's first connection.
fn over(closed: Closed) -> Happening<u32> {
    Happening::Over { connection: 1, closed }
}

fn by_peer(code: u16) -> Happening<u32> {
    over(Closed::ByPeer { code, reason: String::new() })
}

fn lost() -> Happening<u32> {
    over(Closed::Lost("reset".into()))
}

/// A deadline; [`with_deadline`] replaces its time by the link's own.
fn deadline() -> Happening<u32> {
    Happening::LostDeadline(Instant::now())
}

fn failed() -> Happening<u32> {
    Happening::AttemptFailed(NotConnected::Failed("refused".into()))
}

/// All that can happen, with at least one example of each kind.
pub(super) fn happenings() -> Vec<(&'static str, Happening<u32>)> {
    vec![
        ("claim", Happening::Claim),
        ("connect started", Happening::ConnectStarted),
        ("established", Happening::Established(2.into())),
        ("attempt failed", failed()),
        ("lost in handshake", Happening::AttemptFailed(NotConnected::LostInHandshake("gone".into()))),
        ("refused by the server", Happening::AttemptFailed(NotConnected::Refused("401".into()))),
        ("closed by us", over(Closed::ByUs(1000))),
        ("closed by peer", by_peer(1000)),
        ("closed by peer who goes away", by_peer(1001)),
        ("protocol fault", over(Closed::Fault { code: 1002, what: "reserved bits".into() })),
        ("panicked", over(Closed::Panicked)),
        ("lost", lost()),
        ("unresponsive", over(Closed::Unresponsive("no pong".into()))),
        ("hangup", Happening::Hangup { close_code: 1001 }),
        ("hangup command", Happening::HangupCommand),
        ("operator", Happening::Operator),
        ("transferred", Happening::Transferred),
        ("incoming_timeout", Happening::IncomingTimeout),
        ("deadline", Happening::LostDeadline(Instant::now())),
        ("fault", Happening::Fault),
    ]
}

/// A link in `state`, with attempt 7 or connection 1 if the state has one.
fn link_in(state: State, reconnect: Option<Duration>) -> TestLink {
    let link = TestLink::new(reconnect);
    let way: &[Happening<u32>] = match state {
        State::None => &[],
        State::Connecting => &[Happening::ConnectStarted],
        State::Up => &[Happening::Claim, Happening::Established(1.into())],
        State::Ending => &[Happening::Claim, Happening::Established(1.into()), Happening::HangupCommand],
        State::Lost => &[Happening::Claim, Happening::Established(1.into()), lost()],
        State::Closed => &[Happening::Claim, Happening::Established(1.into()), over(Closed::Panicked)],
    };
    for happening in way {
        let _ = link.happen(happening.clone());
    }
    if state == State::Connecting {
        assert_eq!(link.keep_attempt(7), None);
    }
    assert_eq!(link.state(), state);
    link.loss_told();
    link
}

/// The happening; if it is a deadline, it gets the link's own time.
pub(super) fn with_deadline(link: &TestLink, happening: Happening<u32>) -> Happening<u32> {
    match (happening, link.inner.lock().until) {
        (Happening::LostDeadline(_), Some(until)) => Happening::LostDeadline(until),
        (other, _) => other,
    }
}

/// What a happening did, in words: the new state, what is to be done, and what has ended the call.
fn outcome(link: &TestLink, happening: Happening<u32>) -> String {
    let (before, ended_before) = (link.state(), link.end().cloned());
    let todo = link.happen(with_deadline(link, happening));
    let mut text = String::new();
    if link.state() != before {
        let _ = write!(text, "{:?} ", link.state());
    }
    if todo.refused {
        text.push_str("refused ");
    }
    if let Some((connection, code)) = todo.close {
        let _ = write!(text, "close #{connection} {code} ");
    }
    if let Some(attempt) = todo.cancel {
        let _ = write!(text, "cancel #{attempt} ");
    }
    if todo.hang_up.is_some() {
        text.push_str("hang up ");
    }
    match (ended_before, link.end()) {
        (None, Some(end)) => {
            assert_eq!(todo.hang_up, end.hangup);
            let _ = write!(text, "by {}", end.ending.by.as_str());
        }
        (before, after) => assert_eq!(before.as_ref(), after, "the first end counts"),
    }
    let text = text.trim_end();
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// Happening; outcome in None, Connecting, Up, Ending, Lost, Closed.
#[rustfmt::skip]
const CELLS: &[(&str, [&str; 6])] = &[
    ("claim", ["Connecting", "refused", "refused", "refused", "Connecting", "refused"]),
    ("connect started", ["Connecting", "refused", "refused", "refused", "Connecting", "refused"]),
    ("established", ["refused", "Up", "refused", "refused", "refused", "refused"]),
    ("attempt failed", ["-", "Closed hang up by not_connected", "-", "-", "-", "-"]),
    ("lost in handshake", ["-", "Closed hang up by lost", "-", "-", "-", "-"]),
    ("refused by the server", ["-", "Closed hang up by not_connected", "-", "-", "-", "-"]),
    ("closed by us", ["refused", "refused", "-", "-", "-", "-"]),
    ("closed by peer", ["refused", "refused", "Closed hang up by application", "Closed", "-", "-"]),
    ("closed by peer who goes away",
     ["refused", "refused", "Closed hang up by application", "Closed", "-", "-"]),
    ("protocol fault", ["refused", "refused", "Closed hang up by protocol_fault", "Closed", "-", "-"]),
    ("panicked", ["refused", "refused", "Closed hang up by internal_error", "Closed", "-", "-"]),
    ("lost", ["refused", "refused", "Closed hang up by lost", "Closed", "-", "-"]),
    ("unresponsive", ["refused", "refused", "Closed hang up by unresponsive", "Closed", "-", "-"]),
    ("hangup", ["Closed by core", "Closed cancel #7 by core", "Closed close #1 1001 by core",
                "Closed close #1 1001", "Closed by core", "-"]),
    ("hangup command", ["-", "-", "Ending hang up by hangup_command", "-", "-", "-"]),
    ("operator", ["Closed hang up by operator", "Closed cancel #7 hang up by operator",
                  "Ending hang up by operator", "-", "Closed hang up by operator", "-"]),
    ("transferred", ["Closed hang up by core", "Closed cancel #7 hang up by core", "Ending hang up by core", "-",
                     "Closed hang up by core", "-"]),
    ("incoming_timeout", ["Closed hang up by incoming_timeout", "-", "-", "-", "-", "-"]),
    ("deadline", ["-", "-", "-", "-", "Closed hang up by lost", "-"]),
    ("fault", ["Closed hang up by internal_error", "Closed cancel #7 hang up by internal_error",
               "Ending hang up by internal_error", "-", "Closed hang up by internal_error", "-"]),
];

const STATES: [State; 6] =
    [State::None, State::Connecting, State::Up, State::Ending, State::Lost, State::Closed];

fn check_cells(reconnect: Option<Duration>, expected: impl Fn(&str, State) -> Option<&'static str>) {
    let happenings = happenings();
    let names: Vec<&str> = CELLS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, happenings.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for ((name, happening), (_, row)) in happenings.iter().zip(CELLS) {
        for (state, cell) in STATES.into_iter().zip(row) {
            // Only a call that waits for another connection can be in Lost.
            let link = link_in(state, if state == State::Lost { Some(WAIT) } else { reconnect });
            let cell = expected(name, state).unwrap_or(cell);
            assert_eq!(outcome(&link, happening.clone()), cell, "{name} in {state:?}");
        }
    }
}

#[test]
fn every_cell_of_the_table() {
    check_cells(None, |_, _| None);
}

/// The same table, except the cells in which a connection is lost.
#[test]
fn every_cell_of_the_table_where_calls_wait_for_another_connection() {
    check_cells(Some(WAIT), |name, state| {
        let losses = ["lost", "unresponsive", "closed by peer who goes away"];
        (state == State::Up && losses.contains(&name)).then_some("Lost")
    });
}

#[test]
fn a_lost_connection_is_followed_by_another() {
    let link = link_in(State::Lost, Some(WAIT));
    assert!(link.lost_since().is_some());
    assert_eq!(link.claimable(), Ok(()));
    assert_eq!(link.claim(), Ok(()));
    assert_eq!(outcome(&link, Happening::Established(2.into())), "Up");
    assert_eq!((link.connection(), link.connections()), (Some(2.into()), 2));
    assert_eq!((link.lost_since(), link.end()), (None, None));
    assert_eq!(outcome(&link, Happening::Hangup { close_code: 1000 }), "Closed close #2 1000 by core");
}

#[test]
fn an_attempt_for_another_connection_that_fails_in_time_leaves_time_for_more() {
    let link = link_in(State::Lost, Some(WAIT));
    assert_eq!(outcome(&link, Happening::ConnectStarted), "Connecting");
    assert_eq!(outcome(&link, failed()), "Lost");
    assert_eq!(outcome(&link, deadline()), "Closed hang up by lost");
    assert_eq!(link.ending().map(|ending| ending.reason.as_str()), Some("reset"));
}

#[test]
fn an_attempt_does_not_outlast_the_deadline() {
    let link = link_in(State::Lost, Some(WAIT));
    let _ = link.happen(Happening::ConnectStarted);
    assert_eq!(link.keep_attempt(8), None);
    assert_eq!(outcome(&link, deadline()), "Closed cancel #8 hang up by lost");
}

/// An application that is getting its 101 when the deadline passes serves the call; if it is lost there, the call ends.
#[test]
fn a_claim_outlasts_the_deadline_and_is_the_last() {
    for (then, expected) in [(failed(), "Closed hang up by lost"), (Happening::Established(2.into()), "Up")] {
        let link = link_in(State::Lost, Some(WAIT));
        assert_eq!(outcome(&link, Happening::Claim), "Connecting");
        assert_eq!(outcome(&link, deadline()), "-");
        assert_eq!(outcome(&link, then), expected);
    }
}

#[test]
fn a_server_that_does_not_want_the_call_back_ends_it() {
    let link = link_in(State::Lost, Some(WAIT));
    let _ = link.happen(Happening::ConnectStarted);
    let refused = Happening::AttemptFailed(NotConnected::Refused("401".into()));
    assert_eq!(outcome(&link, refused), "Closed hang up by lost");
}

/// Each number stands for one connection: the end of a connection that is over already, or was never the call's, ends
/// nothing.
#[test]
fn the_end_of_an_old_connection_does_not_end_the_new_one() {
    let link = link_in(State::Lost, Some(WAIT));
    let _ = link.happen(Happening::Claim);
    assert_eq!(link.happen(Happening::Established(2.into())).connection, 2);
    for closed in [Closed::Lost("late".into()), Closed::Panicked, Closed::ByUs(1000)] {
        for connection in [0, 1, 3] {
            let late = Happening::Over { connection, closed: closed.clone() };
            assert_eq!(outcome(&link, late), "refused", "{closed:?}");
        }
    }
    let lost = Happening::Over { connection: 2, closed: Closed::Lost("reset".into()) };
    assert_eq!(outcome(&link, lost), "Lost");
}

/// Otherwise people would hear of the next connection before they hear of the loss.
#[test]
fn no_connection_comes_before_the_loss_is_told() {
    for happening in [Happening::Claim, Happening::ConnectStarted] {
        let link = link_in(State::Up, Some(WAIT));
        let _ = link.happen(lost());
        assert_eq!((link.claimable(), link.waits()), (Err(ClaimRefused::Taken), false));
        assert_eq!(outcome(&link, happening.clone()), "refused");
        link.loss_told();
        assert_eq!((link.claimable(), link.waits()), (Ok(()), true));
        assert_eq!(outcome(&link, happening), "Connecting");
        assert!(link.waits(), "until one is there");
    }
}

/// The deadline of the previous loss, which a thread already had when the new connection came.
#[test]
fn an_old_deadline_does_not_end_a_later_wait() {
    let link = link_in(State::Lost, Some(WAIT));
    let old = link.inner.lock().until.unwrap();
    let _ = (link.happen(Happening::Claim), link.happen(Happening::Established(2.into())));
    std::thread::sleep(Duration::from_millis(1));
    let todo = link.happen(Happening::Over { connection: 2, closed: Closed::Lost("again".into()) });
    assert!(todo.waits_until.is_some_and(|until| until > old));
    let _ = link.happen(Happening::LostDeadline(old));
    assert_eq!(link.state(), State::Lost);
}

#[test]
fn a_call_that_lost_its_connection_before_ends_by_what_ends_it_then() {
    let link = link_in(State::Lost, Some(WAIT));
    let _ = (link.happen(Happening::Claim), link.happen(Happening::Established(2.into())));
    let over = Happening::Over { connection: 2, closed: Closed::Panicked };
    assert_eq!(outcome(&link, over), "Closed hang up by internal_error");
}

#[test]
fn a_claim_is_refused_because_of_another_or_of_the_end() {
    for state in [State::Connecting, State::Up, State::Ending, State::Closed] {
        let link = link_in(state, None);
        assert_eq!(link.claim(), Err(ClaimRefused::Taken), "{state:?}");
        assert_eq!(link.claimable(), Err(ClaimRefused::Taken), "{state:?}");
    }
    let never_connected = link_in(State::None, None);
    let _ = never_connected.happen(Happening::IncomingTimeout);
    let waited = link_in(State::Lost, Some(WAIT));
    assert_eq!(outcome(&waited, deadline()), "Closed hang up by lost");
    for link in [never_connected, waited] {
        assert_eq!(link.claimable(), Err(ClaimRefused::Over));
        assert_eq!(link.claim(), Err(ClaimRefused::Over));
    }
}

#[test]
fn an_attempt_is_kept_only_while_it_is_made() {
    for state in [State::None, State::Up, State::Ending, State::Lost, State::Closed] {
        assert_eq!(link_in(state, Some(WAIT)).keep_attempt(9), Some(9), "{state:?}");
    }
}

#[test]
fn a_call_that_is_over_closes_with_the_cores_code() {
    let link = link_in(State::Connecting, None);
    assert_eq!(link.closes_with(), None);
    let _ = link.happen(Happening::Hangup { close_code: 1001 });
    assert!(link.happen(Happening::Established(2.into())).refused);
    assert_eq!((link.closes_with(), link.connection()), (Some(1001), None));
}

#[test]
fn a_thread_sees_each_new_connection() {
    let link = link_in(State::Connecting, Some(WAIT));
    let mut seen = Seen::default();
    assert_eq!(link.newest(&mut seen), None);
    let _ = link.happen(Happening::Established(1.into()));
    assert_eq!(link.newest(&mut seen), Some(&1.into()));
    let _ = link.happen(lost());
    link.loss_told();
    assert_eq!(link.newest(&mut seen), Some(&1.into()), "the newest, also when it is over");
    let _ = (link.happen(Happening::Claim), link.happen(Happening::Established(2.into())));
    assert_eq!(link.newest(&mut seen), Some(&2.into()));
}

/// Of two answers under a channel's lock the first one counts.
#[test]
fn it_is_settled_once_whether_the_core_was_first() {
    for core_first in [true, false] {
        let link = link_in(State::Up, None);
        let _ = link.happen(over(Closed::ByPeer { code: 4000, reason: "bye".into() }));
        assert_eq!(link.settle(core_first), core_first);
        assert_eq!(link.settle(!core_first), core_first);
        let by = if core_first { EndedBy::Core } else { EndedBy::Application };
        assert_eq!(link.ending(), Some(&Ending { by, code: Some(4000), reason: "bye".into() }));
    }
}

/// A connection or an attempt whose drop checks that the link's lock is free.
#[derive(Debug)]
struct Dropped(std::sync::Weak<Link<Dropped, Dropped>>, Arc<Mutex<Vec<bool>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let Some(link) = self.0.upgrade() else { return };
        let free = link.inner.try_lock().is_some();
        self.1.lock().push(free);
    }
}

/// Dropping a connection closes its socket; dropping an attempt wakes the connector.
#[test]
fn nothing_is_dropped_under_the_lock() {
    let link = Arc::new(Link::new(Some(WAIT)));
    let drops = Arc::new(Mutex::new(Vec::new()));
    let new = || Dropped(Arc::downgrade(&link), drops.clone());
    let mut seen = Seen::default();
    for connection in [1, 2] {
        let _ = link.happen(Happening::ConnectStarted);
        let _ = link.keep_attempt(new());
        let _ = link.happen(Happening::Established(new().into()));
        assert!(link.newest(&mut seen).is_some());
        let _ = link.happen(Happening::Established(new().into()));
        let _ = link.happen(Happening::Over { connection, closed: Closed::Lost("reset".into()) });
        link.loss_told();
    }
    // Two attempts, two refused connections, and the first connection, which the second has replaced.
    assert_eq!(*drops.lock(), [true; 5]);
}
