//! The books of a ring between processes: one System V semaphore set.
//!
//! | semaphore | counts |
//! |---|---|
//! | 0 `PRODUCERS`, 1 `CONSUMERS` | who is attached |
//! | 2 `FULL`, 3 `EMPTY` | wake-ups promised to consumers, to producers; never items |
//! | 4, 5 | a mark, by which a collector knows the set for a ring's |
//! | 6, 7, 8 | the segment's id, 15 bits in each |
//! | 8 + n | whether somebody has participant number n, where roles are shared |
//!
//! One set, because the kernel applies all adjustments of a set that a death leaves in one step. All
//! values begin at 0 and no SETVAL is ever used, since it would erase everybody's adjustments. SEM_UNDO
//! stands on attach and detach alone: on a wake-up it would overflow after 32,767, and an exit would take back
//! wake-ups that were used.

use std::time::Instant;

use super::held::{self, MappedSegment};
use super::{Deadline, ParkFault, Reach, SLICE};
use crate::ring::{Parking, Role, Roll, Wake};
use crate::sys::Errno;
use crate::sys::sem::{self, SemId, SemOp};
use crate::sys::shm::ShmId;
use crate::sys::undo;

const PRODUCERS: u16 = 0;
const CONSUMERS: u16 = 1;
const FULL: u16 = 2;
const EMPTY: u16 = 3;
const MARK: u16 = 4;
const SEGMENT: u16 = 6;
/// Semaphores in the set of a ring without participants.
pub(crate) const SET_SIZE: usize = 9;

/// "Ri" and "ng": each fits a semaphore, whose values end at 32,767.
const MARKS: [i16; 2] = [0x5269, 0x6e67];
/// As many wake-ups as can be promised at a time, with room to spare.
const WAKEUPS_KEPT: i32 = 1024;

/// The semaphore of a participant's number.
fn life(number: u16) -> u16 {
    SET_SIZE as u16 - 1 + number
}

/// How many semaphores a ring with so many participants takes: the kernel counts them in an `int`.
pub(crate) fn set_size(participants: usize) -> i32 {
    (SET_SIZE + participants) as i32
}

/// How many operations at once a ring with so many participants takes.
pub(crate) fn operations(participants: usize) -> usize {
    if participants == 0 { 6 } else { 9 }
}

/// What a set says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) segment: ShmId,
    /// How many are attached by it.
    pub(crate) attached: u32,
    /// How many semaphores it has.
    pub(crate) size: usize,
    /// The user who made it: whoever may change a set's values can mark it, but nobody can change this.
    pub(crate) maker: u32,
}

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
    /// Whose they are: the set is marked for it, and by it the process notes what it holds itself.
    segment: MappedSegment,
}

impl Semaphores {
    /// The set `id`, which is marked for `segment`.
    pub(crate) fn new(id: SemId, segment: MappedSegment) -> Self {
        Self { id, segment }
    }

    /// Marks a fresh set as that of the segment, for collectors, in one step.
    pub(crate) fn mark(id: SemId, segment: ShmId, participants: usize) -> Result<(), Errno> {
        let [low, middle, high] = digits(segment);
        // A semaphore operation of 0 means "wait for zero", which a fresh set's are.
        let ops = [
            // Whoever may, can have changed them already: that is an error, and nothing to wait for.
            SemOp::wait_zero(EMPTY).nowait(),
            SemOp::wait_zero(FULL).nowait(),
            SemOp::wait_zero(CONSUMERS).nowait(),
            SemOp::wait_zero(PRODUCERS).nowait(),
            SemOp::add(MARK, MARKS[0]),
            SemOp::add(MARK + 1, MARKS[1]),
            SemOp::add(SEGMENT, low),
            SemOp::add(SEGMENT + 1, middle),
            SemOp::add(SEGMENT + 2, high),
        ];
        // As many operations as attaching takes, so that a limit on them shows now.
        sem::semop(id, &ops[ops.len() - operations(participants)..])
    }

    /// Whether the kernel takes back what a process did to the set that has ended, tried out on a set
    /// that nobody uses yet. Its values are as before then.
    pub(crate) fn undo_works(id: SemId) -> Result<bool, Errno> {
        undo::undo_works(id, FULL)
    }

    /// What a marked set says of itself; `None` if it is not a ring's.
    pub(crate) fn read_mark(id: SemId) -> Result<Option<Mark>, Errno> {
        // The maker first: the values are as fresh as can be for who is about to remove the set.
        let maker = sem::semctl_stat(id)?.cuid;
        let values = sem::semctl_getall(id)?;
        Ok(segment_in(&values).map(|segment| Mark {
            segment,
            attached: [PRODUCERS, CONSUMERS]
                .map(|counter| u32::from(values[usize::from(counter)]))
                .iter()
                .sum(),
            size: values.len(),
            maker,
        }))
    }

    /// Whether the set is gone, or is not that segment's; not if it cannot be told.
    pub(crate) fn are_lost_to(&self, segment: ShmId) -> bool {
        Self::are_lost(self.id, segment)
    }

    /// The same of the set with that id.
    pub(crate) fn are_lost(id: SemId, segment: ShmId) -> bool {
        match sem::semctl_getall(id) {
            Ok(values) => segment_in(&values) != Some(segment),
            Err(errno) => matches!(errno, Errno::EINVAL | Errno::EIDRM),
        }
    }

    /// The process that attached last in `role`, or whose death ended it last; 0 if there was none.
    pub(crate) fn last_holder(&self, role: Role) -> Result<i32, ParkFault> {
        sem::semctl_getpid(self.id, counter(role)).map_err(|errno| fault("semctl(GETPID)", errno))
    }

    /// The process that last took a participant's number, or gave it up; 0 if there was none.
    pub(crate) fn last_owner(&self, number: u16) -> Result<i32, ParkFault> {
        sem::semctl_getpid(self.id, life(number)).map_err(|errno| fault("semctl(GETPID)", errno))
    }

    /// How many sleep in `role` at this moment.
    pub(crate) fn sleeping(&self, role: Role) -> Result<i32, ParkFault> {
        sem::semctl_getncnt(self.id, door(role)).map_err(|errno| fault("semctl(GETNCNT)", errno))
    }

    /// Which numbers somebody has; changes nothing.
    pub(crate) fn numbers(&self) -> Result<Roll, ParkFault> {
        self.values().map(|values| roll_of(&values))
    }

    /// All values of the ring's set.
    fn values(&self) -> Result<Vec<u16>, ParkFault> {
        let values = sem::semctl_getall(self.id).map_err(|errno| fault("semctl(GETALL)", errno))?;
        if segment_in(&values) == Some(self.segment.id()) {
            Ok(values)
        } else {
            Err(ParkFault::Removed) // and another set has its id
        }
    }

    /// Fails if the ring's set was removed and another set has its id.
    ///
    /// What was read or found before this succeeds was the ring's own: an id that another set has
    /// never comes to mean the ring's set again.
    #[cold]
    #[inline(never)]
    fn check_marks(&self) -> Result<(), ParkFault> {
        let own = MARKS.into_iter().chain(digits(self.segment.id()));
        for (semaphore, value) in (MARK..).zip(own) {
            if self.value(semaphore)? != i32::from(value) {
                return Err(ParkFault::Removed);
            }
        }
        Ok(())
    }

    /// The value of a semaphore of which 0 means that a peer is gone: not said of another set.
    #[inline(always)]
    fn life_sign(&self, semaphore: u16) -> Result<i32, ParkFault> {
        let value = self.value(semaphore)?;
        if value == 0 {
            self.check_marks()?;
        }
        Ok(value)
    }

    #[inline(always)]
    fn value(&self, semaphore: u16) -> Result<i32, ParkFault> {
        sem::semctl_getval(self.id, semaphore).map_err(|errno| fault("semctl(GETVAL)", errno))
    }

    /// Takes all wake-ups but `keep` off a door. Each death and each detach adds one, and where nobody sleeps nobody
    /// takes them.
    fn drain(&self, door: u16, keep: i32) -> Result<(), ParkFault> {
        let value = self.value(door)?;
        let surplus = i16::try_from(value - keep).unwrap_or(0);
        if surplus <= 0 {
            return Ok(());
        }
        match sem::semop(self.id, &[SemOp::take(door, surplus).nowait()]) {
            Ok(()) | Err(Errno::EAGAIN) => Ok(()), // others took some meanwhile: just as well
            Err(errno) => Err(fault("semop", errno)),
        }
    }

    /// Takes what `semaphore` stands for by `ops`; `false` if they would have to wait, or this process has it, whatever the kernel
    /// says.
    fn take_by(&self, semaphore: u16, ops: &[SemOp]) -> Result<bool, ParkFault> {
        held::take(self.segment, semaphore, || self.run_draining(ops))
    }

    /// Gives it up.
    fn give_by(&self, semaphore: u16, ops: &[SemOp]) -> Result<(), ParkFault> {
        // `false`: nobody has it, as far as the kernel knows. Only who changes values himself, or leaves his adjustments behind,
        // can bring that about.
        held::give(self.segment, semaphore, || {
            self.run_giving_up(ops).map(drop)
        })
    }

    /// Runs `ops`, making room once if a wake-up count has come to its end; `false` if they would have to wait.
    ///
    /// Looks first whether the set is still the ring's: these are the rare operations, and they
    /// would change what others count.
    fn run_draining(&self, ops: &[SemOp]) -> Result<bool, ParkFault> {
        self.check_marks()?;
        self.run_unchecked(ops)
    }

    /// The same for what is given up: if it cannot be told whose the set is, it is the ring's,
    /// where nobody else would give it up.
    fn run_giving_up(&self, ops: &[SemOp]) -> Result<bool, ParkFault> {
        match sem::semctl_getall(self.id) {
            Ok(values) if segment_in(&values) != Some(self.segment.id()) => Err(ParkFault::Removed),
            _ => self.run_unchecked(ops),
        }
    }

    fn run_unchecked(&self, ops: &[SemOp]) -> Result<bool, ParkFault> {
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
        // EFBIG: the set with this id has no such semaphore, so it is another.
        Errno::EIDRM | Errno::EINVAL | Errno::EFBIG => ParkFault::Removed,
        _ => ParkFault::System {
            call,
            errno: errno.raw(),
        },
    }
}

/// The numbers whose semaphores are not 0.
fn roll_of(values: &[u16]) -> Roll {
    let mut roll = Roll::default();
    for (number, value) in (1..).zip(values.iter().skip(SET_SIZE)) {
        if *value > 0 {
            roll.insert(number);
        }
    }
    roll
}

/// The segment that a set with these values is marked for; `None` if it is not a ring's.
fn segment_in(values: &[u16]) -> Option<ShmId> {
    let [.., mark_0, mark_1, low, middle, high] = values.first_chunk::<SET_SIZE>()?;
    if [*mark_0, *mark_1] != MARKS.map(i16::cast_unsigned) {
        return None;
    }
    let raw = u32::from(*low) | u32::from(*middle) << 15 | u32::from(*high) << 30;
    Some(ShmId::from_raw(raw.cast_signed()))
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
        let taken = self.take_by(own, &ops)?;
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
        self.give_by(counter(role), &ops)
    }

    fn attached(&self, role: Role) -> Result<u32, ParkFault> {
        Ok(self.life_sign(counter(role))?.unsigned_abs())
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
        let add = || sem::semop(self.id, &[SemOp::add(door(role), 1)]);
        // Once more if it was refused: this side may be about to sleep itself, with nothing left to hand over. One too many is
        // harmless.
        match add().or_else(|_| add()) {
            // ERANGE: as many wake-ups as a semaphore can hold are there already.
            Ok(()) | Err(Errno::ERANGE) => Ok(()),
            Err(errno) => Err(fault("semop", errno)),
        }
    }

    fn join(&self, number: u16, role: Role, beside: Option<Role>) -> Result<bool, ParkFault> {
        let company = counter(beside.unwrap_or(role));
        let ops = [
            // Down and up again: possible only while there is somebody, and seen by nobody.
            SemOp::take(company, 1).nowait(),
            SemOp::add(company, 1),
            SemOp::wait_zero(life(number)).nowait(),
            SemOp::add(life(number), 1).undo(),
            SemOp::add(counter(role), 1).undo(),
            // As in `attach`.
            SemOp::add(FULL, 1),
            SemOp::take(FULL, 1).undo(),
            SemOp::add(EMPTY, 1),
            SemOp::take(EMPTY, 1).undo(),
        ];
        let unneeded = if beside.is_some() { 0 } else { 2 };
        self.take_by(life(number), &ops[unneeded..])
    }

    fn is_deserted(&self) -> Result<bool, ParkFault> {
        let deserted = self.run_unchecked(&[
            SemOp::wait_zero(PRODUCERS).nowait(),
            SemOp::wait_zero(CONSUMERS).nowait(),
        ])?;
        if deserted {
            self.check_marks()?; // as in `life_sign`
        }
        Ok(deserted)
    }

    // The number is held already, by `take`.
    fn found(&self, _: u16, role: Role) -> Result<bool, ParkFault> {
        self.run_draining(&[
            SemOp::wait_zero(PRODUCERS).nowait(),
            SemOp::wait_zero(CONSUMERS).nowait(),
            SemOp::add(counter(role), 1).undo(),
        ])
    }

    fn adopt(&self, number: u16, role: Role) -> Result<bool, ParkFault> {
        let ops = [
            // Only while somebody has it: see `join`.
            SemOp::take(life(number), 1).nowait(),
            SemOp::add(life(number), 1),
            SemOp::add(life(number), 1).undo(),
            SemOp::add(counter(role), 1).undo(),
            // As in `attach`.
            SemOp::add(FULL, 1),
            SemOp::take(FULL, 1).undo(),
            SemOp::add(EMPTY, 1),
            SemOp::take(EMPTY, 1).undo(),
        ];
        self.take_by(life(number), &ops)
    }

    fn leave(&self, number: u16, role: Role) -> Result<(), ParkFault> {
        let ops = [
            SemOp::take(life(number), 1).undo().nowait(),
            SemOp::take(counter(role), 1).undo().nowait(),
            SemOp::add(FULL, 1).undo(),
            SemOp::add(EMPTY, 1).undo(),
        ];
        self.give_by(life(number), &ops)
    }

    fn take(&self, number: u16) -> Result<bool, ParkFault> {
        let ops = [
            SemOp::wait_zero(life(number)).nowait(),
            SemOp::add(life(number), 1).undo(),
            // As in `attach`: others may sleep because this number is taken.
            SemOp::add(FULL, 1),
            SemOp::take(FULL, 1).undo(),
            SemOp::add(EMPTY, 1),
            SemOp::take(EMPTY, 1).undo(),
        ];
        self.take_by(life(number), &ops)
    }

    fn give(&self, number: u16) -> Result<(), ParkFault> {
        let ops = [
            SemOp::take(life(number), 1).undo().nowait(),
            // The values stay as they are.
            SemOp::add(FULL, 1).undo(),
            SemOp::take(FULL, 1),
            SemOp::add(EMPTY, 1).undo(),
            SemOp::take(EMPTY, 1),
        ];
        self.give_by(life(number), &ops)
    }

    fn alive(&self, number: u16) -> Result<bool, ParkFault> {
        Ok(self.life_sign(life(number))? > 0)
    }

    fn settle_in(&self, number: u16) {
        held::settle_in(self.segment, life(number));
    }

    fn is_ours(&self, number: u16) -> bool {
        held::has_settled(self.segment, life(number))
    }

    fn roll(&self) -> Result<Roll, ParkFault> {
        let values = self.values()?;
        // As many as there can be sleepers. Who takes one of those that are left calls this again.
        let keep = values.len().saturating_sub(SET_SIZE) as i32;
        for door in [FULL, EMPTY] {
            if i32::from(values[usize::from(door)]) > keep {
                self.drain(door, keep)?;
            }
        }
        Ok(roll_of(&values))
    }
}
