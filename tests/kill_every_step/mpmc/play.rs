//! What is told of an operation on a shared ring, and those who share it.

use ringpipe::{DeadConsumer, Role};

use super::{CAPACITY, Hands};
use crate::sleeper::Sleeps;

/// More items than there are.
pub(super) const ALL: u64 = 10 * CAPACITY;

/// An operation, who does it, and beside whom.
#[derive(Clone, Copy)]
pub(super) struct Play {
    pub(super) role: Role,
    /// How many items have gone through the ring before, and how many are in it.
    pub(super) before: u64,
    pub(super) filled: u64,
    pub(super) policy: DeadConsumer,
    /// Who has just died, and with how many slots in hand.
    pub(super) dead: Option<(Role, usize)>,
    /// How many items the producer beside the victim has pushed behind that.
    pub(super) behind: u64,
    /// Whether there is another producer, and another consumer.
    pub(super) producer: bool,
    pub(super) consumer: bool,
    /// Whether the other producer ends the feed while the victim is halted, after one more item.
    pub(super) ends: bool,
    /// How many others of that role sleep, and when they go to sleep.
    pub(super) sleepers: (Role, u32),
    pub(super) sleeps: Sleeps,
    pub(super) act: fn(&Hands<'_>),
    /// How many items the victim may have pushed, in the end the last; and whether they are one run.
    pub(super) pushed: &'static [u64],
    pub(super) run: bool,
    /// How many items the victim may have taken.
    pub(super) taken: &'static [u64],
    /// How many items may come again.
    pub(super) again: &'static [u64],
    /// How many of its role may be known to have died if it was killed.
    pub(super) deaths: &'static [u32],
    /// How many items the others can at least push, and take, while the victim is halted.
    pub(super) free: u64,
    pub(super) spare: u64,
}

/// A producer beside another and a consumer, at a ring with nothing in it.
pub(super) const PRODUCER: Play = Play {
    role: Role::Producer,
    before: 5, // the fourth of the next items is in the first slot again
    filled: 0,
    policy: DeadConsumer::Redeliver,
    dead: None,
    behind: 0,
    producer: true,
    consumer: true,
    ends: false,
    sleepers: (Role::Consumer, 0),
    sleeps: Sleeps::Never,
    act: |_| (),
    pushed: &[0],
    run: false,
    taken: &[0],
    again: &[0],
    deaths: &[1],
    free: 2,
    spare: 0,
};

/// A consumer beside another and a producer, at a ring that is almost full.
pub(super) const CONSUMER: Play = Play {
    role: Role::Consumer,
    filled: 7,
    sleepers: (Role::Producer, 0),
    free: 0,
    spare: 1,
    ..PRODUCER
};

impl Play {
    pub(super) fn pushes(&self) -> bool {
        self.role == Role::Producer
    }

    /// How many items are left to others if nobody pushes more.
    pub(super) fn share(&self) -> u64 {
        if self.pushes() || self.producer {
            ALL
        } else {
            self.filled - self.whole()
        }
    }

    /// How many items pass if the victim does all that it was to do.
    pub(super) fn whole(&self) -> u64 {
        let totals = if self.pushes() {
            self.pushed
        } else {
            self.taken
        };
        *totals.last().expect("there is an outcome")
    }

    pub(super) fn dead_of(&self, role: Role) -> u32 {
        self.dead.is_some_and(|(dead, _)| dead == role).into()
    }
}
