//! Two threads meet at a call's connection, in every order (`scripts/models`).

use loom::sync::Mutex;
use loom::thread::{self, JoinHandle};

use super::*;
use crate::net::connection::Closed;

type TestLink = Arc<Link<&'static str, &'static str>>;

/// A call that an application has claimed.
fn claimed() -> TestLink {
    let link = TestLink::new(Link::new(None));
    let _ = link.happen(Happening::Claim);
    link
}

fn up() -> TestLink {
    let link = claimed();
    let _ = link.happen(Happening::Established("first".into()));
    link
}

/// Lets `happening` come on a separate thread.
fn on_a_thread(
    link: &TestLink,
    happening: Happening<&'static str>,
) -> JoinHandle<Todo<&'static str, &'static str>> {
    let link = link.clone();
    thread::spawn(move || link.happen(happening))
}

#[test]
fn of_two_claims_one_gets_the_call() {
    loom::model(|| {
        let link = TestLink::new(Link::new(None));
        let other = {
            let link = link.clone();
            thread::spawn(move || link.claim())
        };
        let claims = [link.claim(), other.join().unwrap()];
        assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1, "{claims:?}");
        assert!(claims.contains(&Err(ClaimRefused::Taken)), "{claims:?}");
    });
}

/// The reactor knows a connection only after it was established. If the hangup tells it to close the connection before
/// that, it does nothing. Then the thread that hands the connection to the reactor has to get it closed.
#[test]
fn a_connection_that_meets_the_hangup_is_closed() {
    loom::model(|| {
        let link = claimed();
        let closed = Arc::new(Mutex::new((false, false)));
        let starter = {
            let (link, closed) = (link.clone(), closed.clone());
            thread::spawn(move || {
                let refused = link.happen(Happening::Established("first".into())).refused;
                closed.lock().unwrap().0 = true;
                if refused || link.closes_with().is_some() {
                    closed.lock().unwrap().1 = true;
                }
            })
        };
        if link.happen(Happening::Hangup { close_code: 1000 }).close.is_some() {
            let mut closed = closed.lock().unwrap();
            closed.1 |= closed.0;
        }
        starter.join().unwrap();
        assert_eq!(*closed.lock().unwrap(), (true, true), "handed over and closed");
        assert_eq!(link.end().map(|end| end.ending.by), Some(EndedBy::Core));
    });
}

/// The attempt's handle comes after the attempt was begun: a hangup in between does not find it.
#[test]
fn an_attempt_that_meets_the_hangup_is_cancelled() {
    loom::model(|| {
        let link = TestLink::new(Link::new(None));
        let hangup = on_a_thread(&link, Happening::Hangup { close_code: 1000 });
        let started = !link.happen(Happening::ConnectStarted).refused;
        let given_back = started.then(|| link.keep_attempt("attempt")).flatten();
        let cancelled = hangup.join().unwrap().cancel;
        let cancels = usize::from(given_back.is_some()) + usize::from(cancelled.is_some());
        assert_eq!(cancels, usize::from(started), "an attempt that was made is cancelled once");
    });
}

#[test]
fn a_connection_that_ends_while_the_core_hangs_up_ends_the_call_once() {
    loom::model(|| {
        let link = up();
        let over =
            on_a_thread(&link, Happening::Over { connection: 1, closed: Closed::Lost("reset".into()) });
        let hangup = link.happen(Happening::Hangup { close_code: 1000 });
        let over = over.join().unwrap();
        let by = link.end().map(|end| end.ending.by);
        let expected = if over.hang_up.is_some() { EndedBy::Lost } else { EndedBy::Core };
        assert_eq!(by, Some(expected));
        assert_eq!(hangup.close.is_some(), over.hang_up.is_none(), "what is over is not closed");
    });
}

#[test]
fn a_connection_that_ends_while_an_operator_hangs_up_ends_the_call_once() {
    loom::model(|| {
        let link = up();
        let operator = on_a_thread(&link, Happening::Operator);
        let over = link.happen(Happening::Over { connection: 1, closed: Closed::Lost("reset".into()) });
        let operator = operator.join().unwrap();
        assert!(over.hang_up.is_some() != operator.hang_up.is_some());
        assert_eq!(link.state(), State::Closed);
    });
}

/// A thread that sees that a call has ended also sees its end.
#[test]
fn an_end_is_seen_with_its_cause() {
    loom::model(|| {
        let link = up();
        let command = on_a_thread(&link, Happening::HangupCommand);
        if link.state().is_ended() {
            assert!(link.end().is_some());
        }
        drop(command.join());
        assert!(link.end().is_some());
    });
}

/// The thread that sends media asks with an atomic load.
#[test]
fn a_thread_that_asks_for_the_newest_connection_gets_it_whole() {
    loom::model(|| {
        let link = claimed();
        let starter = on_a_thread(&link, Happening::Established("first".into()));
        let mut seen = super::Seen::default();
        if let Some(connection) = link.newest(&mut seen) {
            assert_eq!(**connection, "first");
        }
        drop(starter.join());
        assert_eq!(link.newest(&mut seen).map(|connection| **connection), Some("first"));
    });
}

/// Two threads at the end of a first connection: one reports the end, late; the other has brought up the next
/// connection.
#[test]
fn the_end_of_an_old_connection_never_ends_the_new_one() {
    loom::model(|| {
        let link = TestLink::new(Link::new(Some(Duration::from_secs(60))));
        let lost = || Happening::Over { connection: 1, closed: Closed::Lost("reset".into()) };
        let _ = (link.happen(Happening::Claim), link.happen(Happening::Established("first".into())));
        let _ = link.happen(lost());
        link.loss_told();
        let late = on_a_thread(&link, lost());
        if link.claim().is_ok() {
            assert_eq!(link.happen(Happening::Established("second".into())).connection, 2);
        }
        assert!(late.join().unwrap().hang_up.is_none());
        assert_eq!((link.state(), link.end()), (State::Up, None));
        assert_eq!(link.connection().as_deref(), Some(&"second"));
    });
}
