//! Music on hold: what an application hears while its peer has put it on hold (`music_on_hold`). [`Hold`] decides when
//! it plays. Callers hold the channel's lock, except for [`is_held`](Hold::is_held).

use std::ffi::CString;

use parking_lot::Mutex;

/// The state of a call's music on hold.
#[derive(Debug, Default)]
pub struct Hold(Mutex<Music>);

#[derive(Debug, Default)]
struct Music {
    /// Set while on hold, with the class that the hold names.
    held: Option<Option<CString>>,
    /// Music that we started plays.
    plays: bool,
}

/// What is to be done about the music.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing is to be done.
    Nothing,
    /// Start this class, or the channel's own; then say whether it [plays](Hold::started).
    Start(Option<CString>),
    /// Stop it.
    Stop,
}

impl Hold {
    /// The peer has put the call on hold.
    pub fn hold(&self, class: Option<CString>) {
        self.0.lock().held = Some(class);
    }

    /// The hold is over.
    pub fn unhold(&self) {
        self.0.lock().held = None;
    }

    /// The call has moved to another channel: hold and music stayed with the old one.
    pub fn forget(&self) {
        *self.0.lock() = Music::default();
    }

    /// Whether the call is on hold. Any thread.
    pub fn is_held(&self) -> bool {
        self.0.lock().held.is_some()
    }

    /// What is to be done. `is_heard`: the application is to hear the music of a hold. `again`: the music is started
    /// even if it plays.
    pub fn change(&self, is_heard: bool, again: bool) -> Change {
        let mut music = self.0.lock();
        match music.held.clone().filter(|_| is_heard) {
            Some(class) if again || !music.plays => Change::Start(class),
            None if music.plays => {
                music.plays = false;
                Change::Stop
            }
            _ => Change::Nothing,
        }
    }

    /// The core was asked to start the music. `plays`: it plays; if not, earlier music goes on.
    pub fn started(&self, plays: bool) {
        self.0.lock().plays |= plays;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str) -> Option<CString> {
        Some(CString::new(name).unwrap())
    }

    /// A call on hold, with music that plays.
    fn playing() -> Hold {
        let hold = Hold::default();
        hold.hold(class("jazz"));
        assert_eq!(hold.change(true, true), Change::Start(class("jazz")));
        hold.started(true);
        hold
    }

    #[test]
    fn without_a_hold_nothing_plays() {
        let hold = Hold::default();
        assert_eq!((hold.is_held(), hold.change(true, false)), (false, Change::Nothing));
    }

    #[test]
    fn it_plays_while_the_call_is_held_and_its_application_listens() {
        let hold = playing();
        assert_eq!(hold.change(true, false), Change::Nothing);
        assert_eq!(hold.change(false, false), Change::Stop);
        assert_eq!(hold.change(false, false), Change::Nothing, "it is stopped once");
        assert_eq!(hold.change(true, false), Change::Start(class("jazz")));
    }

    #[test]
    fn a_further_hold_may_mean_another_class() {
        let hold = playing();
        hold.hold(None);
        assert_eq!(hold.change(true, true), Change::Start(None));
        hold.started(false);
        hold.unhold();
        assert_eq!(hold.change(true, false), Change::Stop, "the first one played on");
    }

    #[test]
    fn music_that_did_not_start_is_not_stopped() {
        let hold = Hold::default();
        hold.hold(None);
        assert_eq!(hold.change(true, true), Change::Start(None));
        hold.started(false);
        hold.unhold();
        assert_eq!(hold.change(true, false), Change::Nothing);
    }

    #[test]
    fn hold_and_music_stay_behind_in_a_masquerade() {
        let hold = playing();
        hold.forget();
        assert_eq!((hold.is_held(), hold.change(true, false)), (false, Change::Nothing));
    }
}
