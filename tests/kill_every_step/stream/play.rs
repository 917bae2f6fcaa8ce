//! What is told of an operation on a stream, and those who have ends of it.

use ringpipe::Role;

use super::Hands;
use crate::sleeper::Sleeps;

/// How many bytes whoever is beside the victim writes at once.
pub(super) const LITTLE: usize = 3;

/// An operation, who does it, and beside whom.
#[derive(Clone, Copy)]
pub(super) struct Play {
    pub(super) role: Role,
    /// How many bytes have gone through the stream before, and how many are in it.
    pub(super) before: usize,
    pub(super) filled: usize,
    /// Whether there is another writer, and another reader.
    pub(super) writer: bool,
    pub(super) reader: bool,
    /// Whether the one in the victim's role has the turn in hand until the victim sleeps.
    pub(super) holds: bool,
    /// Whether one of the victim's role has died with the turn in hand.
    pub(super) dead: bool,
    /// Whether another end is opened and closed again where the victim waits for one.
    pub(super) visited: bool,
    /// Whether the writer beside the victim closes its end while the victim is halted, or when it sleeps.
    pub(super) ends: bool,
    /// How many others of that role sleep, and when they go to sleep.
    pub(super) sleepers: (Role, u32),
    pub(super) sleeps: Sleeps,
    pub(super) act: fn(&Hands<'_>),
    /// How many bytes the victim may have written or taken, in the end the last; `None` for any number up to that.
    pub(super) passed: &'static [usize],
    pub(super) any: bool,
    /// How many of its role may be known to have died if it was killed.
    pub(super) deaths: &'static [u32],
}

/// A writer beside another, which keeps its turn, and a reader, at a stream with nothing in it.
pub(super) const WRITER: Play = Play {
    role: Role::Producer,
    before: super::CAPACITY - 4, // the fifth of the next bytes is the first in memory again
    filled: 0,
    writer: true,
    reader: true,
    holds: false,
    dead: false,
    visited: false,
    ends: false,
    sleepers: (Role::Consumer, 0),
    sleeps: Sleeps::Never,
    act: |_| (),
    passed: &[0],
    any: false,
    deaths: &[1],
};

/// A reader beside another, which keeps its turn, and a writer, at a stream with something in it.
pub(super) const READER: Play = Play {
    role: Role::Consumer,
    filled: 20,
    sleepers: (Role::Producer, 0),
    ..WRITER
};

impl Play {
    pub(super) fn writes(&self) -> bool {
        self.role == Role::Producer
    }

    /// Whether all have left before it begins.
    pub(super) fn is_first(&self) -> bool {
        !self.writer && !self.reader && self.sleepers.1 == 0
    }

    /// How many bytes pass if the victim does all that it was to do.
    pub(super) fn whole(&self) -> usize {
        *self.passed.last().expect("there is an outcome")
    }
}
