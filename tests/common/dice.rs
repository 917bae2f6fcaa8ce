//! Random numbers that come again with the same seed.

use std::time::{Duration, SystemTime};

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Seeded by `RINGPIPE_SEED`, or by the clock; says by what.
    pub fn seeded(test: &str) -> Self {
        let now = SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |time| time.as_nanos() as u64);
        let seed = std::env::var("RINGPIPE_SEED").ok();
        let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(now);
        println!("{test}: RINGPIPE_SEED={seed}");
        Self(seed)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.word() % end as u64) as usize
    }

    /// Lets a random time go by, none at all as often as not.
    pub fn pause(&mut self, longest: Duration) {
        if self.below(2) == 0 {
            return;
        }
        let part = self.below(1 << 16) as u32;
        std::thread::sleep(longest * part / (1 << 16));
    }
}
