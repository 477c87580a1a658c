//! Every state, and every event in it.

use super::*;

type TestTransfer = Transferring<&'static str>;

/// A transfer in each of its states.
fn states() -> [(&'static str, TestTransfer); 4] {
    let transfer = |steps: &[fn(&TestTransfer)]| {
        let transfer = TestTransfer::default();
        steps.iter().for_each(|step| step(&transfer));
        transfer
    };
    let begin = |transfer: &TestTransfer| assert!(transfer.begin(Some("t1".to_owned())));
    let over = |transfer: &TestTransfer| assert_eq!(transfer.over(), Some(Some("t1".to_owned())));
    let abandon = |transfer: &TestTransfer| assert!(transfer.abandon().is_some());
    [
        ("none", transfer(&[])),
        ("running", transfer(&[begin])),
        ("telling", transfer(&[begin, over])),
        ("abandoned", transfer(&[begin, abandon])),
    ]
}

#[test]
fn one_begins_only_where_there_is_none() {
    let begun = states().map(|(state, transfer)| (state, transfer.begin(None)));
    assert_eq!(begun, [("none", true), ("running", false), ("telling", false), ("abandoned", false)]);
}

#[test]
fn a_result_is_told_once_and_only_where_somebody_waits_for_it() {
    for (state, transfer) in states() {
        assert_eq!(transfer.over().is_some(), state == "running", "{state}");
        assert_eq!(transfer.over(), None, "{state}");
    }
}

#[test]
fn a_close_waits_until_the_result_is_told() {
    for (state, transfer) in states() {
        let laid = transfer.lay_aside("close");
        let waits = matches!(state, "running" | "telling");
        assert_eq!(laid, if waits { Ok(()) } else { Err("close") }, "{state}");
        let _ = transfer.over();
        assert_eq!(transfer.told(), (state == "running").then_some("close"), "{state}");
    }
}

#[test]
fn a_close_that_comes_while_the_result_is_told_waits_for_that() {
    let [_, _, (_, telling), _] = states();
    assert_eq!(telling.lay_aside("close"), Ok(()));
    assert_eq!(telling.told(), Some("close"));
    assert!(telling.begin(None), "there is none any more");
}

#[test]
fn one_that_takes_too_long_gives_its_close_back_and_tells_nothing() {
    for (state, transfer) in states() {
        let _ = transfer.lay_aside("close");
        let abandoned = transfer.abandon();
        let expected = (state == "running")
            .then(|| Abandoned { correlation_id: Some("t1".to_owned()), close: Some("close") });
        assert_eq!(abandoned, expected, "{state}");
        if state == "running" {
            assert_eq!((transfer.over(), transfer.told()), (None, None));
        }
    }
}

#[test]
fn a_result_that_is_being_told_is_not_abandoned() {
    let [_, _, (_, telling), _] = states();
    assert_eq!(telling.lay_aside("close"), Ok(()));
    assert_eq!(telling.abandon(), None);
    assert_eq!(telling.told(), Some("close"));
}
