//! Music on hold, started and stopped as [`Hold`](crate::call::hold::Hold) decides.
//!
//! The core says HOLD and UNHOLD with the channel locked, and after a masquerade it says UNHOLD to the channel that the
//! call has moved to, and HOLD again where that one was held (`channel_do_masquerade`, `main/channel.c`). Music of others,
//! such as ARI's, is left alone: only what was started here is stopped here. A hangup stops it in the core.

use std::ffi::CString;

use super::Call;
use crate::asterisk::channel::Locked;
use crate::asterisk::log::call_debug;
use crate::asterisk::music;
use crate::call::hold::Change;
use crate::call::jobs::Job;

impl Call {
    /// The peer has put the call on hold (channel locked). False: that is none of our business.
    pub(crate) fn hold(&self, channel: Locked<'_>, class: Option<CString>) -> bool {
        if !self.settings.music_on_hold {
            return false;
        }
        self.hold.hold(class);
        // Another class than before may be meant. The core goes on with one that is the same.
        self.set_music(channel, true);
        true
    }

    /// The hold is over (channel locked). False: it was none of our business.
    pub(crate) fn unhold(&self, channel: Locked<'_>) -> bool {
        if !self.settings.music_on_hold {
            return false;
        }
        self.hold.unhold();
        self.settle_music(channel);
        true
    }

    /// The application receives from now on, or does so no more. Any thread.
    ///
    /// Where classes come from a database, a start may wait for it, which is not for the job thread: then HOLD alone
    /// starts the music, and what the application is not to receive ends in `write_voice`.
    pub(super) fn receiving_changed(&self) {
        if self.settings.music_on_hold && self.hold.is_held() && !music::may_block() {
            self.post(Job::Music);
        }
    }

    /// Starts or stops the music, as it should be now. Channel locked.
    pub(crate) fn settle_music(&self, channel: Locked<'_>) {
        self.set_music(channel, false);
    }

    /// The same; `again`: starts it also where it plays.
    fn set_music(&self, channel: Locked<'_>, again: bool) {
        match self.hold.change(self.playout.sends_media() || music::may_block(), again) {
            Change::Nothing => {}
            Change::Start(class) => {
                let plays = channel.start_music(class.as_deref());
                self.hold.started(plays);
                let what = if plays { "plays" } else { "none" };
                call_debug!(self, 1, "on hold, music of class {class:?}: {what}");
            }
            Change::Stop => {
                channel.stop_music();
                call_debug!(self, 1, "music on hold stops");
            }
        }
    }
}
