//! The time that a frame carries for RTP.
//!
//! If a frame has a `delivery`, RTP (res_rtp_asterisk) advances the timestamp by the whole milliseconds between it and
//! the time of the frame before. Without one, RTP advances it by the frame's length if the time since the frame before
//! differs from that by less than 640 samples; else by that time.
//!
//! | a frame comes | it carries | so its timestamp |
//! | --- | --- | --- |
//! | right after another, or a little late | the other's time plus its length, however late it is read | advances evenly |
//! | later than that, by up to 60 ms (at 8 kHz): others may have sent frames without a time meanwhile (a whisper's silence, a tone) | no time | advances evenly after the frame that was sent last |
//! | after silence, or first | the time at which it is due, and a little | shows the silence. If others filled the silence, it is never before their timestamps, and less than two frames after them |

use std::time::Duration;

use crate::mono_time::MonoTime;

/// From this difference on, RTP lets the timestamp jump.
const SKEW_SAMPLES: u64 = 640;

/// A whisper's timer fires every 20 ms and sends if nothing was sent for 40 ms.
const OTHERS_SEND: Duration = Duration::from_millis(20);

/// RTP takes the time of a frame without `delivery` when it writes it, soon after the read, and rounds down. So the
/// time of the next frame is later by this. If RTP writes later than that, the next timestamp is some milliseconds too
/// low.
const WRITTEN_WITHIN: Duration = Duration::from_micros(900);

/// The times of one call's frames.
#[derive(Debug, Clone)]
pub struct Deliveries {
    /// A gap of this length or more is silence for RTP.
    silence: Duration,
    last: Option<Last>,
}

/// The end of the frame before.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// By the schedule.
    due: MonoTime,
    /// As RTP sees it.
    stamped: MonoTime,
}

impl Deliveries {
    /// For a format with `sample_rate` samples per second; not 0.
    pub fn new(sample_rate: u32) -> Self {
        let nanos = (SKEW_SAMPLES * 1_000_000_000).checked_div(u64::from(sample_rate));
        Self { silence: Duration::from_nanos(nanos.unwrap_or_default()), last: None }
    }

    /// The time that a frame carries; `None`: it carries none. The frame is read at `now`, was due at `due` and lasts
    /// `duration`.
    pub fn next(&mut self, now: MonoTime, due: MonoTime, duration: Duration) -> Option<MonoTime> {
        let carried = self.time(due);
        let stamped = carried.unwrap_or(now + WRITTEN_WITHIN);
        self.last = Some(Last { due: due + duration, stamped: stamped + duration });
        carried
    }

    /// The same for a frame that the application times itself: it carries no time.
    pub fn next_unpaced(&mut self, now: MonoTime, duration: Duration) {
        self.last = Some(Last { due: now + duration, stamped: now + WRITTEN_WITHIN + duration });
    }

    fn time(&self, due: MonoTime) -> Option<MonoTime> {
        let ahead = self.silence / 4;
        let Some(last) = self.last else { return Some(due + ahead) };
        let gap = due.since(last.due);
        if gap >= self.silence {
            return Some(due + ahead);
        }
        // Many small gaps add up; and a schedule may go back.
        let (behind, before) = (due.since(last.stamped), last.stamped.since(due));
        (gap < OTHERS_SEND && behind < ahead && before < 2 * ahead).then_some(last.stamped)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PTIME: Duration = Duration::from_millis(20);

    fn us(us: u64) -> MonoTime {
        MonoTime::from_nanos(us * 1000)
    }

    fn ms(ms: u64) -> MonoTime {
        us(ms * 1000)
    }

    /// RTP, as the module's description says.
    struct Rtp {
        per_ms: i64,
        last: MonoTime,
    }

    impl Rtp {
        /// By how much the timestamp advances.
        fn step(&mut self, written: MonoTime, delivery: Option<MonoTime>) -> i64 {
            let (at, samples) = (delivery.unwrap_or(written), 20 * self.per_ms);
            let passed = i64::try_from(at.since(self.last).as_millis()).unwrap() * self.per_ms;
            self.last = at;
            if delivery.is_none() && (passed - samples).abs() < 640 { samples } else { passed }
        }
    }

    /// The time that each of these frames (due at, ms) carries, us.
    fn carried(sample_rate: u32, due_ms: &[u64]) -> Vec<Option<u64>> {
        let mut deliveries = Deliveries::new(sample_rate);
        let mut next = |due| deliveries.next(ms(due), ms(due), PTIME).map(|at| at.as_nanos() / 1000);
        due_ms.iter().map(|due| next(*due)).collect()
    }

    #[test]
    fn times_go_on_over_small_gaps_and_begin_anew_after_silence() {
        for (what, rate, due, times) in [
            ("a stream", 8000, [1000, 1020, 1040], [Some(1_020_000), Some(1_040_000), Some(1_060_000)]),
            ("a little late", 8000, [1000, 1035, 1055], [Some(1_020_000), Some(1_040_000), Some(1_060_000)]),
            ("late", 8000, [1000, 1040, 1060], [Some(1_020_000), None, Some(1_060_900)]),
            ("very late", 8000, [1000, 1099, 1119], [Some(1_020_000), None, Some(1_119_900)]),
            ("silence", 8000, [1000, 1100, 1120], [Some(1_020_000), Some(1_120_000), Some(1_140_000)]),
            ("16 kHz, late", 16_000, [1000, 1059, 1079], [Some(1_010_000), None, Some(1_079_900)]),
            (
                "16 kHz, silence",
                16_000,
                [1000, 1060, 1080],
                [Some(1_010_000), Some(1_070_000), Some(1_090_000)],
            ),
        ] {
            assert_eq!(carried(rate, &due), times, "{what}");
        }
    }

    #[test]
    fn many_small_gaps_do_not_add_up_for_ever() {
        let due: Vec<u64> = (0..100).map(|n| 1000 + 30 * n).collect();
        for (due, carried) in due.iter().zip(carried(8000, &due)) {
            let apart = carried.map_or(0, |at| at.abs_diff(due * 1000));
            assert!(apart < 40_000, "{due}: {apart} us");
        }
    }

    #[test]
    fn a_frame_timed_by_the_application_carries_no_time_and_the_next_one_continues() {
        let mut deliveries = Deliveries::new(8000);
        deliveries.next_unpaced(ms(1000), PTIME);
        assert_eq!(deliveries.next(ms(1020), ms(1020), PTIME), Some(us(1_020_900)));
    }

    #[test]
    fn after_media_of_others_no_timestamp_goes_back() {
        for wait_ms in 0..20 {
            let mut deliveries = Deliveries::new(8000);
            let mut rtp = Rtp { per_ms: 8, last: ms(0) };
            rtp.step(ms(1000), deliveries.next(ms(1000), ms(1000), PTIME));
            for n in 0..10 {
                rtp.step(ms(1060 + 20 * n), None);
            }
            let at = ms(1240 + wait_ms);
            let step = rtp.step(at, deliveries.next(at, at, PTIME));
            assert!((160..=320).contains(&step), "{wait_ms} ms: {step}");
        }
    }

    proptest! {
        /// For a schedule that does not move, at whatever times its frames are read and written.
        #[test]
        fn timestamps_of_a_stream_are_even(
            steps in prop::collection::vec((0..1000_u64, 0..20_u8, 0..1_000_000_u64), 2..100),
            rate in prop::sample::select(vec![8_u32, 16, 48]),
        ) {
            let mut deliveries = Deliveries::new(rate * 1000);
            let mut rtp = Rtp { per_ms: rate.into(), last: ms(0) };
            let (mut due, mut read) = (ms(1000), ms(0));
            for (n, (late, often, way_us)) in steps.into_iter().enumerate() {
                let late = if often == 0 { Duration::from_millis(late) } else { Duration::ZERO };
                read = (read + Duration::from_millis(10)).max(due + late);
                let step = rtp.step(read + Duration::from_micros(way_us), deliveries.next(read, due, PTIME));
                prop_assert!(n == 0 || step == i64::from(rate) * 20, "frame {n}: a step of {step}");
                due = due + PTIME;
            }
        }

        /// An application that is up to 60 ms late, and others that send meanwhile, as a whisper does.
        #[test]
        fn timestamps_of_a_late_application_are_even(
            gaps in prop::collection::vec((0..60_u64, 0..900_u64), 2..100),
            whispers in any::<bool>(),
        ) {
            let mut deliveries = Deliveries::new(8000);
            let mut rtp = Rtp { per_ms: 8, last: ms(0) };
            let mut due = ms(1000);
            for (n, (gap, way_us)) in gaps.into_iter().enumerate() {
                let way = Duration::from_micros(way_us);
                if n > 0 {
                    for at in [41, 61, 81].into_iter().filter(|at| whispers && *at < 20 + gap) {
                        let step = rtp.step(due - PTIME + Duration::from_millis(at), None);
                        prop_assert_eq!(step, 160, "behind frame {}", n);
                    }
                    due = due + Duration::from_millis(gap);
                }
                let step = rtp.step(due + way, deliveries.next(due, due, PTIME));
                prop_assert!(n == 0 || step == 160, "frame {n}: a step of {step}");
                due = due + PTIME;
            }
        }
    }
}
