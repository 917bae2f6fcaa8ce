//! An operation that is swept through: who does it, who survives, and what the process that does it tells.

use std::time::Duration;

use crate::common::Shared;
use crate::common::single::mark;

/// Whoever waits longer has hung.
pub const LONG: Duration = Duration::from_secs(20);

/// What the process that may be killed has told, in memory that outlives it.
#[derive(Clone, Copy, Debug)]
pub struct Stage(Shared);

const REPORTED: usize = 0;
const OVER: usize = 1;

impl Stage {
    pub fn new() -> Self {
        Self(Shared::new())
    }

    /// The operation begins.
    pub fn begin(self) {
        mark();
    }

    /// So many items have passed, by calls that returned.
    pub fn report(self, items: u64) {
        self.0.set(REPORTED, items);
    }

    /// The operation is over.
    pub fn end(self) {
        self.0.set(OVER, 1);
        mark();
    }

    pub fn reported(self) -> u64 {
        self.0.get(REPORTED)
    }

    pub fn is_over(self) -> bool {
        self.0.get(OVER) == 1
    }

    pub fn clear(self) {
        self.0.set(REPORTED, 0);
        self.0.set(OVER, 0);
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
