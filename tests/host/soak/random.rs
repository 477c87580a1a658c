//! Random choices that can be repeated with a seed.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Scenario;

/// Xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From `low` to `high`, inclusive.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    pub fn size(&mut self, low: usize, high: usize) -> usize {
        usize::try_from(self.between(low as u64, high as u64)).expect("small")
    }

    pub fn is(&mut self, one_in: u64) -> bool {
        self.next().is_multiple_of(one_in)
    }

    pub fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.size(0, choices.len() - 1)]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| (self.next() >> 40) as u8).take(count).collect()
    }

    /// From `low` to `high` units of bytes.
    pub fn units(&mut self, unit: usize, low: usize, high: usize) -> Vec<u8> {
        let count = self.size(low, high);
        self.bytes(unit * count)
    }

    /// A scenario; the probability is its weight.
    pub fn draw(&mut self, scenarios: &[(&'static str, u32, Scenario)]) -> (&'static str, Scenario) {
        let total: u32 = scenarios.iter().map(|(_, weight, _)| weight).sum();
        let mut left = u32::try_from(self.next() % u64::from(total)).expect("small");
        for (name, weight, scenario) in scenarios {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return (name, *scenario),
            }
        }
        unreachable!("less than all of them together")
    }
}

/// A seed, if none is given.
pub fn anything() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.subsec_nanos().into())
}
