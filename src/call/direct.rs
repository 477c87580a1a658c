//! Decides when a bridge may send a frame at once, on the thread that brought it. This is decided for every frame, so
//! that nothing has to be undone when a recording, a whisper or a hold begins. No other code decides it; docs/bridge.md
//! has the reasons.

use crate::report::direct_bridge::NotDirect;

/// What is known of a frame and of the channel that it is for, under the locks of the bridge, the bridge channel and
/// the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The channel takes part in the bridge: it has joined, is not suspended and not leaving.
    pub is_present: bool,
    /// No earlier frame is on its way to the channel.
    pub is_next: bool,
    /// The channel is being hung up, or is the zombie that a masquerade left.
    pub is_ending: bool,
    /// Music or a tone plays to it.
    pub has_generator: bool,
    /// Something listens to it, speaks to it or mutes it.
    pub has_audiohooks: bool,
    /// A framehook of the channel wants frames of this kind.
    pub has_framehook: bool,
    /// The frame is in the driver's format.
    pub is_raw: bool,
    /// The frame belongs to the channel's only stream.
    pub is_of_stream: bool,
    /// The core shows the channel's frames at the console.
    pub is_debugged: bool,
    /// The core puts something into gaps before it writes.
    pub conceals_loss: bool,
}

impl Facts {
    /// Whether a voice frame may go to the application at once.
    ///
    /// # Errors
    /// Why not: the frame goes through the channel's thread.
    pub fn may_send(&self) -> Result<(), NotDirect> {
        self.may_skip_thread()?;
        let conditions = [
            (!self.has_generator, NotDirect::Generator),
            (!self.has_audiohooks, NotDirect::Audiohook),
            (self.is_raw, NotDirect::Format),
            (self.is_of_stream, NotDirect::Stream),
            (!self.conceals_loss, NotDirect::Plc),
        ];
        all(&conditions)
    }

    /// Whether a frame that means nothing to the driver may be dropped at once, as the driver would drop it.
    ///
    /// # Errors
    /// Why not.
    pub fn may_drop(&self) -> Result<(), NotDirect> {
        self.may_skip_thread()
    }

    fn may_skip_thread(&self) -> Result<(), NotDirect> {
        let conditions = [
            (!self.is_ending, NotDirect::Ending),
            (self.is_present, NotDirect::Absent),
            (self.is_next, NotDirect::Order),
            (!self.has_framehook, NotDirect::Framehook),
            (!self.is_debugged, NotDirect::Debug),
        ];
        all(&conditions)
    }
}

/// What is known of a channel whose media is about to be played into a bridge, under the same locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayFacts {
    /// See [`Facts::is_ending`].
    pub is_ending: bool,
    /// The bridge drops what the channel says.
    pub is_muted: bool,
    /// The core is in the middle of a digit on the channel.
    pub is_digit: bool,
    /// A generator runs on the channel, and may take its time from the frames that are read.
    pub has_generator: bool,
    /// See [`Facts::has_audiohooks`].
    pub has_audiohooks: bool,
    /// See [`Facts::has_framehook`].
    pub has_framehook: bool,
    /// The core hands what the driver reads to the bridge unchanged.
    pub is_raw: bool,
    /// See [`Facts::is_debugged`].
    pub is_debugged: bool,
}

impl PlayFacts {
    /// Whether a player may take a frame from the application and give it to the bridge.
    ///
    /// # Errors
    /// Why not: the channel's thread reads it.
    pub fn may_play(&self) -> Result<(), NotDirect> {
        let conditions = [
            (!self.is_ending, NotDirect::Ending),
            (!self.is_muted, NotDirect::Muted),
            (!self.is_digit, NotDirect::Digit),
            (!self.has_framehook, NotDirect::Framehook),
            (!self.has_audiohooks, NotDirect::Audiohook),
            (!self.has_generator, NotDirect::Generator),
            (self.is_raw, NotDirect::Format),
            (!self.is_debugged, NotDirect::Debug),
        ];
        all(&conditions)
    }
}

/// The reason that belongs to the first condition that does not hold.
fn all(conditions: &[(bool, NotDirect)]) -> Result<(), NotDirect> {
    conditions.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, reason)| Err(*reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Facts = Facts {
        is_present: true,
        is_next: true,
        is_ending: false,
        has_generator: false,
        has_audiohooks: false,
        has_framehook: false,
        is_raw: true,
        is_of_stream: true,
        is_debugged: false,
        conceals_loss: false,
    };

    type Change = fn(&mut Facts);

    const BOTH: [(NotDirect, Change); 5] = [
        (NotDirect::Absent, |facts| facts.is_present = false),
        (NotDirect::Order, |facts| facts.is_next = false),
        (NotDirect::Ending, |facts| facts.is_ending = true),
        (NotDirect::Framehook, |facts| facts.has_framehook = true),
        (NotDirect::Debug, |facts| facts.is_debugged = true),
    ];

    const VOICE: [(NotDirect, Change); 5] = [
        (NotDirect::Generator, |facts| facts.has_generator = true),
        (NotDirect::Audiohook, |facts| facts.has_audiohooks = true),
        (NotDirect::Format, |facts| facts.is_raw = false),
        (NotDirect::Stream, |facts| facts.is_of_stream = false),
        (NotDirect::Plc, |facts| facts.conceals_loss = true),
    ];

    fn with(change: Change) -> Facts {
        let mut facts = PLAIN;
        change(&mut facts);
        facts
    }

    #[test]
    fn a_plain_call_is_direct() {
        assert_eq!(PLAIN.may_send(), Ok(()));
        assert_eq!(PLAIN.may_drop(), Ok(()));
    }

    #[test]
    fn each_condition_alone_keeps_a_voice_frame_from_it() {
        for (reason, change) in BOTH.into_iter().chain(VOICE) {
            assert_eq!(with(change).may_send(), Err(reason));
        }
    }

    #[test]
    fn conditions_of_voice_do_not_apply_to_other_frames() {
        for (reason, change) in BOTH {
            assert_eq!(with(change).may_drop(), Err(reason));
        }
        for (reason, change) in VOICE {
            assert_eq!(with(change).may_drop(), Ok(()), "{reason:?}");
        }
    }

    type PlayChange = fn(&mut PlayFacts);

    const PLAYED: [(NotDirect, PlayChange); 8] = [
        (NotDirect::Ending, |facts| facts.is_ending = true),
        (NotDirect::Muted, |facts| facts.is_muted = true),
        (NotDirect::Digit, |facts| facts.is_digit = true),
        (NotDirect::Framehook, |facts| facts.has_framehook = true),
        (NotDirect::Audiohook, |facts| facts.has_audiohooks = true),
        (NotDirect::Generator, |facts| facts.has_generator = true),
        (NotDirect::Format, |facts| facts.is_raw = false),
        (NotDirect::Debug, |facts| facts.is_debugged = true),
    ];

    #[test]
    fn each_condition_alone_keeps_a_player_away() {
        let plain = PlayFacts {
            is_ending: false,
            is_muted: false,
            is_digit: false,
            has_generator: false,
            has_audiohooks: false,
            has_framehook: false,
            is_raw: true,
            is_debugged: false,
        };
        assert_eq!(plain.may_play(), Ok(()));
        for (reason, change) in PLAYED {
            let mut facts = plain;
            change(&mut facts);
            assert_eq!(facts.may_play(), Err(reason));
        }
    }

    /// All reasons but the locks themselves, which are not among the facts.
    #[test]
    fn every_reason_has_its_condition() {
        let mut known: Vec<NotDirect> = BOTH.iter().chain(&VOICE).map(|(reason, _)| *reason).collect();
        // Reasons that also keep a frame from the application are in the lists above.
        known.extend(
            PLAYED
                .map(|(reason, _)| reason)
                .into_iter()
                .filter(|reason| matches!(reason, NotDirect::Muted | NotDirect::Digit)),
        );
        known.push(NotDirect::Locked);
        assert!(NotDirect::ALL.iter().all(|reason| known.contains(reason)), "{known:?}");
        assert_eq!(known.len(), NotDirect::ALL.len());
    }
}
