//! Choices with a fixed seed.

use std::thread;
use std::time::Duration;

/// A small generator (xorshift); the standard library has none.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn around(&mut self, centre: i64, left: i64, right: i64) -> i64 {
        let width = u64::try_from(left + right + 1).unwrap();
        (centre - left + i64::try_from(self.below(width)).unwrap()).max(1)
    }

    pub(crate) fn pause(&mut self, at_most_us: u64) {
        thread::sleep(Duration::from_micros(self.below(at_most_us + 1)));
    }
}
