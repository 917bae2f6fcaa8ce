//! Who takes part: numbers, and what is cleared up after the dead.
//!
//! A participant has a number while it holds that number's semaphore, which the kernel gives back when it dies. Its entry
//! says what the semaphore cannot: in which role, and where its last claim begins.
//!
//! Clearing up is done under the dead one's own semaphore: who takes it, and it can be had only once its holder is gone,
//! may write what the dead one might have written, and nobody else may. If who clears up dies as well, the semaphore is
//! free again, the entry still says that there is something to do, and the next one does it from the beginning. An entry
//! becomes free last, and only a free entry's number is given out again: so no word ever names a former holder.
//!
//! Relaxed throughout, but for the slots' words: what the dead one stored comes before what the semaphores say (E4).

pub(crate) mod sleepers;
mod wait;

pub(crate) use wait::{Sight, Waiter};

use super::many::DeadConsumer;
use super::turns;
use crate::memory::{Board, Entry};
use crate::parking::{self, Fence, ParkFault};
use crate::ring::{Parking, Role, roster};
use crate::sync::{AtomicU64, Ordering};

/// What the dead may have left to be put in order, besides their place among the sleepers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Estate {
    /// A claim on slots, and what becomes of those that a consumer held.
    Claims(DeadConsumer),
    /// Its role's turn.
    Turn,
}

/// How often a newcomer looks for a free number before it gives up.
const ROUNDS: u32 = 4;

/// What all who take part in a ring work with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crew<'a> {
    pub(crate) board: &'a Board,
    pub(crate) parking: &'a dyn Parking,
    pub(crate) fence: Fence,
    pub(crate) estate: Estate,
}

/// The role in which an entry's number is held; `None` if the entry is free.
pub(crate) fn role_of(state: u64) -> Option<Role> {
    match state & 3 {
        1 => Some(Role::Producer),
        2 => Some(Role::Consumer),
        _ => None,
    }
}

fn state(generation: u64, role: Role) -> u64 {
    let role = match role {
        Role::Producer => 1,
        Role::Consumer => 2,
    };
    generation << 2 | role
}

impl<'a> Crew<'a> {
    /// The entry of a number that comes from somewhere else; `None` if there is no such number.
    pub(crate) fn entry(&self, number: u16) -> Option<&'a Entry> {
        self.board
            .entries()
            .get(usize::from(number).wrapping_sub(1))
    }

    fn numbered(&self) -> impl Iterator<Item = (u16, &'a Entry)> {
        (1..).zip(self.board.entries())
    }

    /// Takes a number in `role`; `None` when as many as there are belong to the living.
    ///
    /// With `beside`, only while somebody is in that role; else `None` as well.
    pub(crate) fn join(&self, role: Role, beside: Option<Role>) -> Result<Option<u16>, ParkFault> {
        for round in 0..ROUNDS {
            if round > 0 {
                parking::nap(); // a number may be in the hands of one who clears up
            }
            self.bury_all()?;
            for (number, entry) in self.vacant() {
                if self.parking.join(number, role, beside)? {
                    self.enter(number, entry, role);
                    return Ok(Some(number));
                }
            }
            if let Some(beside) = beside
                && self.parking.attached(beside)? == 0
            {
                break;
            }
        }
        Ok(None)
    }

    /// Takes a number, without a role yet; `None` when all are taken.
    pub(crate) fn take_number(&self) -> Result<Option<(u16, &'a Entry)>, ParkFault> {
        for (number, entry) in self.vacant() {
            if self.parking.take(number)? {
                return Ok(Some((number, entry)));
            }
        }
        Ok(None)
    }

    /// Whether no number is free, as far as those have been cleared up after who are dead.
    pub(crate) fn is_full(&self) -> bool {
        self.vacant().next().is_none()
    }

    fn vacant(&self) -> impl Iterator<Item = (u16, &'a Entry)> {
        self.numbered()
            .filter(|(_, entry)| role_of(entry.state.load(Ordering::Relaxed)).is_none())
    }

    /// Fills the entry of a number that has just been taken.
    pub(crate) fn enter(&self, number: u16, entry: &Entry, role: Role) {
        // It was free a moment ago. Somebody may have come and died since.
        let settled = self.settle(number, entry);
        for role in [Role::Producer, Role::Consumer] {
            sleepers::withdraw(self.board.crowd(), role, number);
        }
        entry.moved.store(0, Ordering::Relaxed);
        let generation = entry.state.load(Ordering::Relaxed) >> 2;
        let next = state(generation.wrapping_add(1), role);
        // Release, E8: who sees the newcomer sees what became of the former holder's claim.
        entry.state.store(next, Ordering::Release);
        roster::enter_shared(self.board.control(), role);
        if settled {
            // As after a burial. A fault shows to whoever waits next.
            let _ = self.wake_both();
        }
    }

    /// Gives a number up: in good order, with nothing left in hand, or as a death would.
    pub(crate) fn leave(
        &self,
        number: u16,
        role: Role,
        in_good_order: bool,
    ) -> Result<(), ParkFault> {
        let control = self.board.control();
        if let (true, Some(entry)) = (in_good_order, self.entry(number)) {
            vacate(entry);
        }
        let last = roster::entry(control, role);
        self.parking.leave(number, role)?;
        if in_good_order && self.parking.attached(role)? == 0 {
            roster::finish_shared(control, role, last);
        }
        Ok(())
    }

    /// Clears up after all who are dead now; whether there was any.
    pub(crate) fn bury_all(&self) -> Result<bool, ParkFault> {
        let alive = self.parking.roll()?;
        let mut any = false;
        for (number, entry) in self.numbered() {
            let attached = role_of(entry.state.load(Ordering::Relaxed)).is_some();
            if attached && !alive.contains(number) {
                any |= self.bury(number)?;
            }
        }
        Ok(any)
    }

    /// Clears up after one who is dead. `false` if it lives, or somebody else is at it, or it is done.
    #[cold]
    pub(crate) fn bury(&self, number: u16) -> Result<bool, ParkFault> {
        let Some(entry) = self.entry(number) else {
            return Ok(false);
        };
        if !self.parking.take(number)? {
            return Ok(false);
        }
        let buried = self.settle(number, entry);
        // What was skipped or freed may be what others sleep for, of either role. While the number is held, a death
        // here adds what is owed to them.
        let woken = if buried { self.wake_both() } else { Ok(()) };
        self.parking.give(number)?; // also if nobody could be woken: else nobody could have it any more
        woken.map(|()| buried)
    }

    pub(crate) fn wake_both(&self) -> Result<(), ParkFault> {
        self.wake_one(Role::Consumer, None)?;
        self.wake_one(Role::Producer, None).map(drop)
    }

    /// Promises a wake-up to one sleeper of `role`, if there is one besides `except`, and adds it.
    #[cold]
    pub(crate) fn wake_one(&self, role: Role, except: Option<u16>) -> Result<bool, ParkFault> {
        let promised = self.promise(role, |number| Some(number) != except);
        if promised.is_some() {
            self.keep_promise(role)?;
        }
        Ok(promised.is_some())
    }

    /// The same for the lowest number above that one; which it was.
    #[cold]
    pub(crate) fn wake_above(&self, role: Role, number: u16) -> Result<Option<u16>, ParkFault> {
        let promised = self.promise(role, |other| other > number);
        if promised.is_some() {
            self.keep_promise(role)?;
        }
        Ok(promised)
    }

    /// Adds the wake-up that was promised. If that fails, so that somebody sleeps on, it is announced again to whoever comes
    /// next.
    fn keep_promise(&self, role: Role) -> Result<(), ParkFault> {
        self.parking.wake(role).inspect_err(|fault| {
            if *fault != ParkFault::Removed {
                let words = sleepers::words(self.board.entries().len());
                sleepers::take_back(self.board.crowd(), role, words);
            }
        })
    }

    fn promise(&self, role: Role, whom: impl Fn(u16) -> bool) -> Option<u16> {
        self.fence.light(); // E3
        let words = sleepers::words(self.board.entries().len());
        sleepers::promise(self.board.crowd(), role, words, whom)
    }

    /// Puts in order what the former holder of a number left. Only whoever holds its semaphore calls this.
    fn settle(&self, number: u16, entry: &Entry) -> bool {
        let role = role_of(entry.state.load(Ordering::Relaxed));
        let recovered = match (self.estate, role) {
            (Estate::Claims(policy), Some(role)) => self.settle_claims(number, entry, role, policy),
            (Estate::Claims(_), None) => false,
            // Also of one who had a number and no role yet.
            (Estate::Turn, _) => turns::settle(self.board, number, entry),
        };
        let Some(role) = role else {
            return recovered;
        };
        if recovered {
            count(&self.board.crowd().tallies.recovered, 1);
        }
        sleepers::withdraw(self.board.crowd(), role, number);
        roster::count_death(self.board.control(), role);
        vacate(entry);
        true
    }
}

fn vacate(entry: &Entry) {
    let state = entry.state.load(Ordering::Relaxed);
    entry.split.store(0, Ordering::Relaxed);
    // Release, E8: it is free only after all was put in order.
    entry.state.store(state & !3, Ordering::Release);
}

pub(crate) fn count(tally: &AtomicU64, n: u64) {
    tally.fetch_add(n, Ordering::Relaxed); // a statistic
}
