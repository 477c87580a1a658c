//! Music on hold, started and stopped as [`Hold`](crate::call::hold::Hold) decides.
//!
//! The core indicates HOLD and UNHOLD with the channel locked. After a masquerade it indicates UNHOLD to the channel
//! that the call has moved to, and HOLD again if that channel was held (`channel_do_masquerade`, `main/channel.c`).
//! Music of others, such as ARI's, is left alone: only what was started here is stopped here. A hangup stops it in the
//! core.

use std::ffi::CString;

use super::Call;
use crate::asterisk::channel::Locked;
use crate::asterisk::log::call_debug;
use crate::asterisk::music;
use crate::call::hold::Change;
use crate::call::jobs::Job;

impl Call {
    /// The peer has put the call on hold (channel locked). False: `music_on_hold` is off, and nothing was done.
    pub(crate) fn hold(&self, channel: Locked<'_>, class: Option<CString>) -> bool {
        if !self.settings.music_on_hold {
            return false;
        }
        self.hold.hold(class);
        // The class may be another than before. If it is the same, the core goes on with the music.
        self.set_music(channel, true);
        true
    }

    /// The hold is over (channel locked). False: `music_on_hold` is off, and nothing was done.
    pub(crate) fn unhold(&self, channel: Locked<'_>) -> bool {
        if !self.settings.music_on_hold {
            return false;
        }
        self.hold.unhold();
        self.settle_music(channel);
        true
    }

    /// The application starts or stops receiving. Any thread.
    ///
    /// If classes come from a database, a start may wait for it, which the job thread must not do. Then only HOLD
    /// starts the music, and `write_voice` drops what the application is not to receive.
    pub(super) fn receiving_changed(&self) {
        if self.settings.music_on_hold && self.hold.is_held() && !music::may_block() {
            self.post(Job::Music);
        }
    }

    /// Starts or stops the music, as it should be now. Channel locked.
    pub(crate) fn settle_music(&self, channel: Locked<'_>) {
        self.set_music(channel, false);
    }

    /// The same; `again` starts the music even if it plays.
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
