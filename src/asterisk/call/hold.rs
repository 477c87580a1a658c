//! Music on hold: what an application hears while its peer has put it on hold (`music_on_hold`).
//!
//! The core says HOLD and UNHOLD with the channel locked, and after a masquerade it says UNHOLD to the channel that the
//! call has moved to, and HOLD again where that one was held (`channel_do_masquerade`, `main/channel.c`). Music of others,
//! such as ARI's, is left alone: only what was started here is stopped here. A hangup stops it in the core.

use std::ffi::CString;
use std::sync::atomic::Ordering;

use super::Call;
use crate::asterisk::channel::Locked;
use crate::asterisk::jobs::Job;
use crate::asterisk::log::call_debug;
use crate::asterisk::music;

/// What a call keeps for its music; changed with the channel locked.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// On hold, with the class that the hold names.
    held: Option<Option<CString>>,
    /// Music of ours plays.
    plays: bool,
}

impl Call {
    /// The peer has put the call on hold (channel locked). False: that is none of our business.
    pub(crate) fn hold(&self, channel: Locked<'_>, class: Option<CString>) -> bool {
        if !self.settings.music_on_hold {
            return false;
        }
        self.hold.lock().held = Some(class);
        // Another class than before may be meant. The core goes on with one that is the same.
        self.set_music(channel, true);
        true
    }

    /// The hold is over (channel locked). False: it was none of our business.
    pub(crate) fn unhold(&self, channel: Locked<'_>) -> bool {
        if !self.settings.music_on_hold {
            return false;
        }
        self.hold.lock().held = None;
        self.settle_music(channel);
        true
    }

    /// The call has moved to another channel (both locked): hold and music have stayed behind.
    pub(super) fn forget_hold(&self) {
        *self.hold.lock() = Hold::default();
    }

    /// The application receives from now on, or does so no more. Any thread.
    ///
    /// Where classes come from a database, a start may wait for it, which is not for the job thread: then HOLD alone
    /// starts the music, and what the application is not to receive ends in `write_voice`.
    pub(super) fn receiving_changed(&self) {
        if self.settings.music_on_hold && self.hold.lock().held.is_some() && !music::may_block() {
            self.post(|call| Job::Music { call });
        }
    }

    /// Starts or stops the music, as it should be now. Channel locked.
    pub(crate) fn settle_music(&self, channel: Locked<'_>) {
        self.set_music(channel, false);
    }

    /// The same; `again`: starts it also where it plays.
    fn set_music(&self, channel: Locked<'_>, again: bool) {
        let (held, plays) = {
            let hold = self.hold.lock();
            (hold.held.clone(), hold.plays)
        };
        let wanted = held.filter(|_| self.sends_media.load(Ordering::Relaxed) || music::may_block());
        match wanted {
            Some(class) if again || !plays => {
                let started = channel.start_music(class.as_deref());
                call_debug!(
                    self,
                    1,
                    "on hold, music of class {class:?}: {}",
                    if started { "plays" } else { "none" }
                );
                self.hold.lock().plays = started || plays;
            }
            None if plays => {
                channel.stop_music();
                call_debug!(self, 1, "music on hold stops");
                self.hold.lock().plays = false;
            }
            _ => {}
        }
    }
}
