//! An operation that is swept through: who does it, who survives, and what the process that does it tells.

use std::time::Duration;

use crate::common::Shared;
use crate::common::single::{Single, mark};

/// Whoever waits longer has hung.
pub const LONG: Duration = Duration::from_secs(20);

/// What the process that may be killed has told, in memory that outlives it.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    words: Shared,
    told: Shared,
}

/// How many items have passed, are in hand, were told; and whether the operation is over.
const REPORTED: usize = 0;
const HELD: usize = 1;
const TOLD: usize = 2;
const OVER: usize = 3;

impl Stage {
    pub fn new() -> Self {
        Self {
            words: Shared::new(),
            told: Shared::new(),
        }
    }

    /// The operation begins.
    pub fn begin(self) {
        mark();
    }

    /// So many items have passed, by calls that returned.
    pub fn report(self, items: u64) {
        self.words.set(REPORTED, items);
    }

    /// So many items were given to it, and none is released.
    pub fn hold(self, items: u64) {
        self.words.set(HELD, items);
    }

    /// The operation is over.
    pub fn end(self) {
        self.words.set(OVER, 1);
        mark();
    }

    /// The item of that number was taken.
    pub fn tell(self, number: u64) {
        self.told.set(self.words.get(TOLD) as usize, number);
        self.words.add(TOLD);
    }

    pub fn reported(self) -> u64 {
        self.words.get(REPORTED)
    }

    pub fn held(self) -> u64 {
        self.words.get(HELD)
    }

    /// The numbers of all items that were taken.
    pub fn told(self) -> Vec<u64> {
        let count = self.words.get(TOLD) as usize;
        (0..count).map(|n| self.told.get(n)).collect()
    }

    pub fn is_over(self) -> bool {
        self.words.get(OVER) == 1
    }

    pub fn clear(self) {
        (0..4).for_each(|word| self.words.set(word, 0));
    }
}

/// What became of the process that was halted in its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was killed there.
    Killed,
    /// It went on, and has ended in good order.
    Ended,
}

/// An operation of one process, the victim, on a ring of its own, with those who survive it.
pub trait Scene {
    /// In the victim's process: prepares, begins, does it, ends.
    fn victim(&self, stage: Stage);

    /// Starts the victim, and brings it to where it begins.
    fn start(&mut self, stage: Stage) -> Single {
        Single::new(|| self.victim(stage))
    }

    /// The victim is about to begin.
    fn ready(&mut self) {}

    /// The victim sleeps: gives it what it waits for, once.
    fn rouse(&mut self) {}

    /// The victim is halted somewhere: does what the others can do meanwhile, without waiting for it.
    fn meanwhile(&mut self, stage: Stage);

    /// The victim has done it and lives: looks at what the others have of it.
    fn over(&mut self) {}

    /// The victim is gone: holds the others to what was promised, and removes the ring.
    fn check(self, fate: Fate, stage: Stage);
}
