//! Random delays, so that calls that have lost one server do not all return to it at the same moment.

use std::time::Duration;

/// A random time from 0 to `limit`, from the kernel's randomness; `limit` itself if that fails.
pub fn jitter(limit: Duration) -> Duration {
    let mut bytes = [0; 4];
    if getrandom::fill(&mut bytes).is_err() {
        return limit;
    }
    limit.mul_f64(f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spread_over_all_of_the_limit() {
        let limit = Duration::from_millis(100);
        let times: Vec<_> = (0..200).map(|_| jitter(limit)).collect();
        assert!(times.iter().all(|time| *time <= limit));
        // The chance that one of the ten tenths gets none of 200 times is 10 * 0.9^200, less than one in a hundred
        // million.
        for tenth in 0..10 {
            let range = limit * tenth / 10..=limit * (tenth + 1) / 10;
            assert!(times.iter().any(|time| range.contains(time)), "{tenth}");
        }
        assert_eq!(jitter(Duration::ZERO), Duration::ZERO);
    }
}
