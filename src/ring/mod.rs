//! The lock-free core: no system call, no clock, no `unsafe`.
//!
//! It is handed a [`View`](crate::memory::View) of memory and a [`Parking`] to sleep in, and knows
//! nothing of segments, names or processes. Indices are named by who moves them: `produced` and
//! `consumed`; both only grow, and their difference is the number of items in the ring.
//!
//! # Edges
//!
//! Each atomic operation names the edge it stands on; these are all of them. `docs/design.md` argues them,
//! `tests/loom` shows that each is needed.
//!
//! | edge | release side | acquire side | what it carries |
//! |---|---|---|---|
//! | E0 | creator stores `ready` | opener loads `ready` | the identity of the ring |
//! | E1 | producer stores `produced` | consumer loads `produced` | the payload of the published slots |
//! | E2 | consumer stores `consumed` | producer loads `consumed` | the end of all reads of the released slots |
//! | E3 | a side stores its index, light barrier, loads the peer's sleepers | a waiter raises sleepers, heavy barrier, loads the index | store-load order: one of the two sees the other |
//! | E4 | an index stored before a detach or a death | an index loaded after the semaphores were asked | nothing published is missed before `Disconnected`; a successor starts where the predecessor stopped |
//! | E5 | where roles are shared ([`many`]): who tells how far a role has come | who goes on from there | no word is seen as it was more than a lap ago |
//! | E6 | a producer sets words to `Full` or `Skip` | a consumer loads them | the payload |
//! | E7 | a consumer sets words to `Free` or `Returned` | a producer or consumer loads them | the end of all reads |
//! | E8 | a note in the own entry, before the claim, the cut or the vacancy | who clears up after a death; who asks what others have in hand | what the dead one was about to do; what was done before the note |
//! | E9 | who returns items: counts, sets words, raises the flag | who takes the flag down, and looks; who is about to be told of the end | the returned words |
//! | E10 | where roles are shared by turns ([`turns`]): who lets a turn go, or clears up | who takes it | the role's index, and what was done with the bytes |
//! | E11 | a keeper says that it is not busy with its turn; and it says that it is, full fence, looks at the turn | who has asked for the turn, full fence, looks whether it is busy | the same as E10; one of the two sees the other |

pub(crate) mod crew;
mod cursor;
mod handshake;
#[cfg(not(loom))] // loom has no time in which a peer could get ahead
mod heels;
pub(crate) mod many;
pub(crate) mod roster;
mod side;
mod spin;
pub(crate) mod turns;

pub(crate) use cursor::Run;
#[cfg(loom)]
pub(crate) use handshake::anyone_asleep;
pub(crate) use handshake::{Patience, Stop};
pub use handshake::{PeerLoss, Strategy};
pub use many::DeadConsumer;
#[cfg(not(loom))]
pub(crate) use side::End;
pub(crate) use side::{Read, Side, Write};

use crate::memory::Control;
use crate::parking::{Deadline, ParkFault, Reach};
use crate::sync::{Ordering, fence};

/// Why the core cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The indices are in no state that a ring can be in: somebody wrote into the segment.
    Corrupt,
    /// The books cannot be kept.
    Parking(ParkFault),
}

impl From<cursor::Corrupt> for Fault {
    fn from(_: cursor::Corrupt) -> Self {
        Self::Corrupt
    }
}

impl From<ParkFault> for Fault {
    fn from(fault: ParkFault) -> Self {
        Self::Parking(fault)
    }
}

/// The two sides of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The one who pushes.
    Producer,
    /// The one who pops.
    Consumer,
}

impl core::fmt::Display for Role {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        })
    }
}

impl Role {
    pub(crate) fn peer(self) -> Self {
        match self {
            Self::Producer => Self::Consumer,
            Self::Consumer => Self::Producer,
        }
    }
}

/// Items in the ring at this moment, as far as can be told from outside.
pub(crate) fn len(control: &Control, capacity: usize) -> usize {
    // E2, consumed first: it brings what the consumer had seen of `produced`, so the difference is not negative. By a
    // fence, since in memory that is mapped for reading only, no load but a relaxed one is promised to work.
    let consumed = control.consumed.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    let produced = control.produced.load(Ordering::Relaxed);
    // Above the capacity, the consumer was that much further by the second load.
    cursor::used(produced, consumed, capacity).unwrap_or(capacity)
}

/// How a sleep ended. Every end but a fault means: look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// A wake-up was taken: a promised one, or a death credit.
    Token,
    /// Nothing was taken: a bounded slice ended.
    Slice,
    /// The deadline passed.
    TimedOut,
    /// A signal came.
    Interrupted,
}

/// What no panic leaves half done, so that handles may be used after one. loom's own types do not say so.
#[cfg(not(loom))]
pub(crate) trait Unwind: core::panic::UnwindSafe + core::panic::RefUnwindSafe {}
#[cfg(not(loom))]
impl<T: core::panic::UnwindSafe + core::panic::RefUnwindSafe> Unwind for T {}
#[cfg(loom)]
pub(crate) trait Unwind {}
#[cfg(loom)]
impl<T> Unwind for T {}

/// Keeps the books that must survive a death: who is attached, and which wake-ups are owed.
///
/// Two implementations: System V semaphores, and an in-process one that loom can run. Both promise that
/// when a participant dies its attachment ends and one wake-up is added on each side, in one step.
pub(crate) trait Parking: Send + Sync + Unwind + core::fmt::Debug {
    /// Takes a role that is held once if nobody has it, in one step. `Ok(false)` when somebody lives in it. Wake-ups that were promised to
    /// former holders are discarded.
    fn attach(&self, role: Role) -> Result<bool, ParkFault>;

    /// Gives the role up, with the same wake-ups as a death.
    fn detach(&self, role: Role) -> Result<(), ParkFault>;

    /// How many hold the role. Once it reads 0, none of the former holders can store into the ring (E4).
    fn attached(&self, role: Role) -> Result<u32, ParkFault>;

    /// Sleeps until a wake-up for `role` can be taken, or the deadline; not for long if some publishers may have missed
    /// the sleeper.
    fn sleep(&self, role: Role, until: Option<Deadline>, reach: Reach) -> Result<Wake, ParkFault>;

    /// Adds one wake-up for `role`.
    fn wake(&self, role: Role) -> Result<(), ParkFault>;

    /// Takes a participant's number, and a role that others may hold too, in one step. `Ok(false)` when somebody has
    /// the number, or nobody is in the role `beside`.
    fn join(&self, number: u16, role: Role, beside: Option<Role>) -> Result<bool, ParkFault>;

    /// Whether nobody has any role, at one moment.
    fn is_deserted(&self) -> Result<bool, ParkFault>;

    /// Takes a role beside that number, which was taken without one, if nobody has any role, in one step.
    fn found(&self, number: u16, role: Role) -> Result<bool, ParkFault>;

    /// Takes both in the name of a forked child, from a parent that holds them for it. `Ok(false)` if nobody does.
    fn adopt(&self, number: u16, role: Role) -> Result<bool, ParkFault>;

    /// Gives both up, with the same wake-ups as a death.
    fn leave(&self, number: u16, role: Role) -> Result<(), ParkFault>;

    /// Takes a number without a role, if nobody has it. A death with it adds one wake-up on each side.
    fn take(&self, number: u16) -> Result<bool, ParkFault>;

    /// Gives up a number that was taken without a role.
    fn give(&self, number: u16) -> Result<(), ParkFault>;

    /// Whether somebody has the number. Once nobody has, its former holder can no longer store into the ring (E4).
    fn alive(&self, number: u16) -> Result<bool, ParkFault>;

    /// Notes that what is in the segment under a number of this process was put in order, and is
    /// its own from now on.
    fn settle_in(&self, number: u16);

    /// Whether that was noted of the number. `false` also if it cannot be told at once.
    fn is_ours(&self, number: u16) -> bool;

    /// Which numbers somebody has. Wake-ups far beyond what there can be sleepers are discarded.
    fn roll(&self) -> Result<Roll, ParkFault>;
}

/// A set of participants' numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Roll([u64; 8]);

impl Roll {
    pub(crate) fn insert(&mut self, number: u16) {
        let number = usize::from(number);
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    pub(crate) fn contains(&self, number: u16) -> bool {
        let number = usize::from(number);
        self.0
            .get(number / 64)
            .is_some_and(|word| word & 1 << (number % 64) != 0)
    }
}
