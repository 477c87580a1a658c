//! What a call must never do, whatever happens in whatever order.

use proptest::prelude::*;

use super::tests::{TestLink, happenings, with_deadline};
use super::*;

fn any_happening() -> impl Strategy<Value = Happening<u32>> {
    // Enough events that bring a connection, or most runs would end without one.
    prop_oneof![
        1 => Just(Happening::Claim),
        2 => Just(Happening::Established(3.into())),
        4 => (prop::sample::select(happenings()), 1usize..4).prop_map(|((_, happening), number)| {
            // One of the connections that there may have been by then.
            match happening {
                Happening::Over { closed, .. } => Happening::Over { connection: number, closed },
                other => other,
            }
        }),
    ]
}

/// What has happened to a call so far.
#[derive(Debug, Default)]
struct Seen {
    /// An application or an attempt was admitted, and has had no result yet.
    admitted: bool,
    hung_up: u32,
    closes: u32,
    end: Option<End>,
}

impl Seen {
    fn check(&mut self, link: &TestLink, happening: &Happening<u32>) -> Result<(), TestCaseError> {
        let before = link.state();
        let todo = link.happen(with_deadline(link, happening.clone()));
        match happening {
            Happening::Claim | Happening::ConnectStarted if !todo.refused => {
                prop_assert!(!self.admitted, "two applications were admitted");
                self.admitted = true;
            }
            Happening::Established(_) => {
                prop_assert_eq!(todo.refused, !self.admitted, "only an admitted one connects");
                self.admitted = false;
            }
            Happening::AttemptFailed(_) => self.admitted = false,
            _ => {}
        }
        self.admitted &= link.state() == State::Connecting;
        self.hung_up += u32::from(todo.hang_up.is_some());
        self.closes += u32::from(todo.close.is_some());
        if let Some(first) = &self.end {
            prop_assert_eq!(Some(first), link.end(), "the first end counts");
        }
        self.end = link.end().cloned();
        link.loss_told();
        prop_assert_eq!(link.state().is_ended(), self.end.is_some(), "a call that ends has an end");
        prop_assert_eq!(self.hung_up == 1, self.end.as_ref().is_some_and(|end| end.hangup.is_some()));
        if before == State::Closed {
            prop_assert_eq!(link.state(), State::Closed);
            prop_assert!(todo.close.is_none() && todo.cancel.is_none() && todo.hang_up.is_none());
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn a_call_ends_once_by_the_first_cause_and_admits_one_at_a_time(
        reconnect in any::<bool>(),
        happenings in prop::collection::vec(any_happening(), 1..40),
    ) {
        let link = TestLink::new(reconnect.then(|| Duration::from_secs(60)));
        let mut seen = Seen::default();
        for happening in &happenings {
            seen.check(&link, happening)?;
        }
        prop_assert!(seen.hung_up <= 1, "hung up {} times", seen.hung_up);
        prop_assert!(seen.closes <= 1, "closed {} times", seen.closes);
    }
}
