//! The books of a ring between processes: one System V semaphore set.
//!
//! | semaphore | counts |
//! |---|---|
//! | 0 `PRODUCERS`, 1 `CONSUMERS` | who is attached |
//! | 2 `FULL`, 3 `EMPTY` | wake-ups promised to consumers, to producers; never items |
//! | 4, 5 | a mark, by which a collector knows the set for a ring's |
//! | 6, 7, 8 | the segment's id, 15 bits in each |
//!
//! One set, because the kernel applies all adjustments of a set that a death leaves in one step. All
//! values begin at 0 and no SETVAL is ever used, since it would erase everybody's adjustments. SEM_UNDO
//! stands on attach and detach alone: on a wake-up it would overflow after 32,767, and an exit would take back
//! wake-ups that were used.

use std::time::Instant;

use super::{Deadline, ParkFault, Reach, SLICE};
use crate::ring::{Parking, Role, Wake};
use crate::sys::Errno;
use crate::sys::sem::{self, SemId, SemOp};
use crate::sys::shm::ShmId;

const PRODUCERS: u16 = 0;
const CONSUMERS: u16 = 1;
const FULL: u16 = 2;
const EMPTY: u16 = 3;
const MARK: u16 = 4;
const SEGMENT: u16 = 6;
/// Semaphores in a set.
pub(crate) const SET_SIZE: i32 = 9;

/// "Ri" and "ng": each fits a semaphore, whose values end at 32,767.
const MARKS: [i16; 2] = [0x5269, 0x6e67];
/// As many wake-ups as can be promised at a time, with room to spare.
const WAKEUPS_KEPT: i32 = 1024;

fn counter(role: Role) -> u16 {
    match role {
        Role::Producer => PRODUCERS,
        Role::Consumer => CONSUMERS,
    }
}

/// Where `role` sleeps: a consumer until slots are full, a producer until they are empty.
fn door(role: Role) -> u16 {
    match role {
        Role::Producer => EMPTY,
        Role::Consumer => FULL,
    }
}

/// A ring's semaphore set.
#[derive(Debug)]
pub(crate) struct Semaphores {
    id: SemId,
}

impl Semaphores {
    pub(crate) fn new(id: SemId) -> Self {
        Self { id }
    }

    /// Marks a fresh set as that of the segment, for collectors, in one step.
    pub(crate) fn mark(id: SemId, segment: ShmId) -> Result<(), Errno> {
        let [low, middle, high] = digits(segment);
        // A semaphore operation of 0 means "wait for zero", which a fresh set's are.
        sem::semop(
            id,
            &[
                // As many operations as attaching takes, so that a limit on them shows now.
                SemOp::wait_zero(PRODUCERS),
                SemOp::add(MARK, MARKS[0]),
                SemOp::add(MARK + 1, MARKS[1]),
                SemOp::add(SEGMENT, low),
                SemOp::add(SEGMENT + 1, middle),
                SemOp::add(SEGMENT + 2, high),
            ],
        )
    }

    /// The segment that a marked set belongs to, and how many are attached; `None` if it is not a ring's.
    pub(crate) fn read_mark(id: SemId) -> Result<Option<(ShmId, u32)>, Errno> {
        let values = sem::semctl_getall(id)?;
        let [producers, consumers, _, _, mark @ .., low, middle, high] = values.as_slice() else {
            return Ok(None);
        };
        if *mark != MARKS.map(i16::cast_unsigned) {
            return Ok(None);
        }
        let raw = u32::from(*low) | u32::from(*middle) << 15 | u32::from(*high) << 30;
        let attached = u32::from(*producers) + u32::from(*consumers);
        Ok(Some((ShmId::from_raw(raw.cast_signed()), attached)))
    }

    /// Whether the set is there, and is that segment's.
    pub(crate) fn are_of(&self, segment: ShmId) -> bool {
        matches!(Self::read_mark(self.id), Ok(Some((marked, _))) if marked == segment)
    }

    /// The process that attached last in `role`, or whose death ended it last; 0 if there was none.
    pub(crate) fn last_holder(&self, role: Role) -> Result<i32, ParkFault> {
        sem::semctl_getpid(self.id, counter(role)).map_err(|errno| fault("semctl(GETPID)", errno))
    }

    /// How many sleep in `role` at this moment.
    pub(crate) fn sleeping(&self, role: Role) -> Result<i32, ParkFault> {
        sem::semctl_getncnt(self.id, door(role)).map_err(|errno| fault("semctl(GETNCNT)", errno))
    }

    /// Takes all wake-ups but `keep` off a door. Each death and each detach adds one, and where nobody sleeps nobody
    /// takes them.
    fn drain(&self, door: u16, keep: i32) -> Result<(), ParkFault> {
        let value =
            sem::semctl_getval(self.id, door).map_err(|errno| fault("semctl(GETVAL)", errno))?;
        let surplus = i16::try_from(value - keep).unwrap_or(0);
        if surplus <= 0 {
            return Ok(());
        }
        match sem::semop(self.id, &[SemOp::take(door, surplus).nowait()]) {
            Ok(()) | Err(Errno::EAGAIN) => Ok(()), // others took some meanwhile: just as well
            Err(errno) => Err(fault("semop", errno)),
        }
    }

    /// Runs `ops`, making room once if a wake-up count has come to its end; `false` if they would have to wait.
    fn run_draining(&self, ops: &[SemOp]) -> Result<bool, ParkFault> {
        let mut result = sem::semop(self.id, ops);
        if result == Err(Errno::ERANGE) {
            self.drain(FULL, WAKEUPS_KEPT)?;
            self.drain(EMPTY, WAKEUPS_KEPT)?;
            result = sem::semop(self.id, ops);
        }
        match result {
            Ok(()) => Ok(true),
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(fault("semop", errno)),
        }
    }
}

fn fault(call: &'static str, errno: Errno) -> ParkFault {
    match errno {
        Errno::EIDRM | Errno::EINVAL => ParkFault::Removed,
        _ => ParkFault::System {
            call,
            errno: errno.raw(),
        },
    }
}

fn digits(segment: ShmId) -> [i16; 3] {
    let raw = segment.raw().cast_unsigned();
    [raw & 0x7fff, raw >> 15 & 0x7fff, raw >> 30].map(|digit| digit as i16)
}

impl Parking for Semaphores {
    fn attach(&self, role: Role) -> Result<bool, ParkFault> {
        let own = counter(role);
        let ops = [
            SemOp::wait_zero(own).nowait(),
            SemOp::add(own, 1).undo(),
            // The value stays as it is; a death adds 1.
            SemOp::add(FULL, 1),
            SemOp::take(FULL, 1).undo(),
            SemOp::add(EMPTY, 1),
            SemOp::take(EMPTY, 1).undo(),
        ];
        let taken = self.run_draining(&ops)?;
        if taken {
            // Alone in its role, and not asleep: whoever these were promised to is dead. An error would be met again by
            // whoever sleeps; the role is taken.
            let _ = self.drain(door(role), 0);
        }
        Ok(taken)
    }

    fn detach(&self, role: Role) -> Result<(), ParkFault> {
        let ops = [
            SemOp::take(counter(role), 1).undo().nowait(),
            SemOp::add(FULL, 1).undo(),
            SemOp::add(EMPTY, 1).undo(),
        ];
        // `false`: the count is 0 already. Only somebody who writes into the set himself can bring that about.
        self.run_draining(&ops).map(drop)
    }

    fn attached(&self, role: Role) -> Result<u32, ParkFault> {
        let value = sem::semctl_getval(self.id, counter(role))
            .map_err(|errno| fault("semctl(GETVAL)", errno))?;
        Ok(value.unsigned_abs())
    }

    fn sleep(&self, role: Role, until: Option<Deadline>, reach: Reach) -> Result<Wake, ParkFault> {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let (limit, end) = match (left, reach) {
            (Some(left), Reach::Fenced) if SLICE < left => (Some(SLICE), Wake::Slice),
            (Some(left), _) => (Some(left), Wake::TimedOut),
            (None, Reach::Fenced) => (Some(SLICE), Wake::Slice),
            (None, Reach::All) => (None, Wake::Slice),
        };
        match sem::semtimedop(self.id, &[SemOp::take(door(role), 1)], limit) {
            Ok(()) => Ok(Wake::Token),
            Err(Errno::EAGAIN) => Ok(end),
            Err(Errno::EINTR) => Ok(Wake::Interrupted),
            Err(errno) => Err(fault("semtimedop", errno)),
        }
    }

    fn wake(&self, role: Role) -> Result<(), ParkFault> {
        match sem::semop(self.id, &[SemOp::add(door(role), 1)]) {
            // ERANGE: as many wake-ups as a semaphore can hold are there already.
            Ok(()) | Err(Errno::ERANGE) => Ok(()),
            Err(errno) => Err(fault("semop", errno)),
        }
    }
}
