//! Calls come and go, by themselves and while others look.

use std::thread;

use super::*;
use crate::call::ending::CLOSE_NORMAL;
use crate::call::fixture::{TestCall, call, outgoing};
use crate::call::link::Happening;
use crate::report::call_stats::EndedBy;

type TestBooks = Books<TestCall>;

fn entered(books: &TestBooks, state: CallData) -> Arc<TestCall> {
    let call = Arc::new(TestCall(state));
    books.enter(&call);
    call
}

fn roles(per_role: PerRole) -> (u64, u64) {
    (per_role.incoming, per_role.outgoing)
}

#[test]
fn an_application_finds_an_incoming_call_until_that_is_over() {
    let books = TestBooks::default();
    let call = entered(&books, call("id"));
    assert!(Arc::ptr_eq(&books.find("id").unwrap(), &call));
    assert!(books.find("other").is_none());
    assert!(books.forget(&call));
    assert!(books.find("id").is_none());
    assert!(!books.forget(&call), "it is over once");
}

#[test]
fn an_outgoing_call_accepts_no_connection() {
    let books = TestBooks::default();
    entered(&books, outgoing("client"));
    assert!(books.find("client").is_none());
}

#[test]
fn a_call_is_found_by_its_channels_name_in_any_case_and_by_its_unique_id() {
    let books = TestBooks::default();
    let call = entered(&books, call("id"));
    call.identify("WebSocket/INCOMING/0x1".to_owned(), "1700000000.1".to_owned());
    for name in ["WebSocket/INCOMING/0x1", "websocket/incoming/0X1", "1700000000.1"] {
        assert!(books.call_by_name(name).is_some(), "{name}");
    }
    assert!(books.call_by_name("1700000000.2").is_none());
}

#[test]
fn calls_count_by_role_now_and_ever() {
    let books = TestBooks::default();
    let first = entered(&books, call("1"));
    entered(&books, call("2"));
    entered(&books, outgoing("client"));
    assert!(books.forget(&first));
    books.count_connected(CallRole::Outgoing);
    let Summary { totals, up, .. } = books.summary();
    assert_eq!(roles(up), (1, 1));
    assert_eq!((roles(totals.calls), totals.calls_high_water), ((2, 1), 3));
    assert_eq!(roles(totals.connected), (0, 1));
}

#[test]
fn ends_count_by_cause_and_close_code() {
    let books = TestBooks::default();
    let unended = entered(&books, call("1"));
    let hung_up = entered(&books, call("2"));
    let _ = hung_up.link.happen(Happening::Hangup { close_code: CLOSE_NORMAL });
    let late = entered(&books, call("3"));
    let _ = late.link.happen(Happening::IncomingTimeout);
    for call in [unended, hung_up, late] {
        books.forget(&call);
    }
    let ended: Vec<_> = books.summary().totals.ended.into_iter().collect();
    assert_eq!(ended, [((EndedBy::Core, 0), 2), ((EndedBy::IncomingTimeout, 0), 1)]);
}

/// Each summary has each call's metrics once: in the books or in the sums of those that are over.
#[test]
fn no_call_counts_twice_or_not_at_all_while_it_ends() {
    const CALLS: u64 = 200;
    let books = TestBooks::default();
    let calls: Vec<_> = (0..CALLS).map(|number| entered(&books, call(&number.to_string()))).collect();
    for call in &calls {
        call.playout.session().on_unread_media(std::time::Duration::ZERO, crate::net::clock::now());
        call.stats.error("an error");
    }
    let errors = || {
        let totals = books.summary().totals;
        let sum = totals.traffic.sums().find(|(metric, ..)| metric.name == "errors");
        sum.map(|(_, _, sum)| sum.to_string())
    };
    thread::scope(|scope| {
        let ending = scope.spawn(|| calls.iter().for_each(|call| assert!(books.forget(call))));
        loop {
            let is_last = ending.is_finished();
            assert_eq!(errors(), Some(CALLS.to_string()));
            if is_last {
                break;
            }
        }
    });
    assert_eq!(roles(books.summary().up), (0, 0));
}
