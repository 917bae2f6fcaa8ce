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

use super::frontier::told;
use super::place::Place;
use super::sleepers;
use super::word::{Kind, Word};
use crate::memory::{Board, Entry};
use crate::parking::{self, Fence, ParkFault};
use crate::ring::{Parking, Role, roster};
use crate::sync::{AtomicU64, Ordering};

/// What becomes of the items that a consumer held when it died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeadConsumer {
    /// They are delivered again, to another consumer, which can tell
    /// ([`Consumer::redelivered`](crate::mpmc::Consumer::redelivered)): each item at least once.
    #[default]
    Redeliver,
    /// They are gone with it, and counted: each item at most once.
    Drop,
}

impl DeadConsumer {
    /// As the header has it.
    #[cfg(not(loom))]
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Redeliver => 0,
            Self::Drop => 1,
        }
    }

    #[cfg(not(loom))]
    pub(crate) fn of_code(code: u32) -> Self {
        match code {
            1 => Self::Drop,
            _ => Self::Redeliver,
        }
    }
}

/// How often a newcomer looks for a free number before it gives up.
const ROUNDS: u32 = 4;

/// What all who take part in a ring work with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crew<'a> {
    pub(crate) board: &'a Board,
    pub(crate) parking: &'a dyn Parking,
    pub(crate) fence: Fence,
    pub(crate) policy: DeadConsumer,
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
    pub(crate) fn join(&self, role: Role) -> Result<Option<u16>, ParkFault> {
        for round in 0..ROUNDS {
            if round > 0 {
                parking::nap(); // a number may be in the hands of one who clears up
            }
            self.bury_all()?;
            for (number, entry) in self.numbered() {
                let taken = role_of(entry.state.load(Ordering::Relaxed)).is_some();
                if !taken && self.parking.join(number, role)? {
                    self.enter(number, entry, role);
                    return Ok(Some(number));
                }
            }
        }
        Ok(None)
    }

    /// Fills the entry of a number that has just been taken.
    fn enter(&self, number: u16, entry: &Entry, role: Role) {
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
        if buried {
            // What was skipped or freed may be what others sleep for, of either role. While the number is held, a death
            // here adds what is owed to them.
            self.wake_both()?;
        }
        self.parking.give(number)?;
        Ok(buried)
    }

    fn wake_both(&self) -> Result<(), ParkFault> {
        self.wake_one(Role::Consumer, None)?;
        self.wake_one(Role::Producer, None).map(drop)
    }

    /// Promises a wake-up to one sleeper of `role`, if there is one besides `except`, and adds it.
    #[cold]
    pub(crate) fn wake_one(&self, role: Role, except: Option<u16>) -> Result<bool, ParkFault> {
        self.fence.light(); // E3
        let words = sleepers::words(self.board.entries().len());
        let promised = sleepers::promise(self.board.crowd(), role, words, except);
        if promised {
            self.parking.wake(role)?;
        }
        Ok(promised)
    }

    /// Puts in order what the former holder of a number left. Only whoever holds its semaphore calls this.
    fn settle(&self, number: u16, entry: &Entry) -> bool {
        let Some(role) = role_of(entry.state.load(Ordering::Relaxed)) else {
            return false;
        };
        if self.settle_claim(number, entry) {
            count(&self.board.crowd().tallies.recovered, 1);
        }
        if role == Role::Consumer {
            self.raise_returned(); // what it returned, or was just about to tell of
        }
        sleepers::withdraw(self.board.crowd(), role, number);
        roster::count_death(self.board.control(), role);
        vacate(entry);
        true
    }

    /// Whether the former holder of a number had claimed something.
    fn settle_claim(&self, number: u16, entry: &Entry) -> bool {
        let capacity = self.board.words().len();
        let place = Place::at(entry.claim.load(Ordering::Relaxed), capacity);
        let word = self.word(place);
        if word.owner() != number {
            return false;
        }
        let run = word.run(capacity);
        match word.kind() {
            // E6, as a publish.
            Some(Kind::Writing) => self.set(place, Word::skip(run, place.lap)),
            Some(Kind::Reading) => self.settle_reading(place, run, entry),
            Some(Kind::Draining) => self.free(place, run),
            _ => return false,
        }
        true
    }

    fn settle_reading(&self, place: Place, run: usize, entry: &Entry) {
        let run = self.kept_of(place, run, entry);
        match self.policy {
            DeadConsumer::Redeliver => self.give_back(place, run),
            DeadConsumer::Drop => {
                self.free(place, run);
                count(&self.board.crowd().tallies.dropped, run as u64);
            }
        }
    }

    /// How much of a run is still in the hands of whoever was about to cut it: see [`Crew::split`].
    fn kept_of(&self, place: Place, run: usize, entry: &Entry) -> usize {
        let split = entry.split.load(Ordering::Relaxed);
        let (kept, rest) = ((split >> 12) as usize, (split & 0xfff) as usize);
        if kept == 0 || rest == 0 || kept + rest != run {
            return run; // no cut, or one that was made
        }
        let second = place.ahead(kept, self.board.words().len());
        // A word within a run stays full until the run is released. What was let go is never full in that lap again.
        let whole = self.word(second) == Word::full(second.lap);
        if whole { run } else { kept }
    }

    /// Cuts a run that is being read by the owner of `entry`: the first `len` slots stay in its hands, the others are returned.
    ///
    /// First the note, then the second part's word, then the first's. The other way around, the second part would lie open as
    /// items that nobody had, for a moment. Killed before the second part's word, the run is whole; before the first's, the
    /// note says how much of it is.
    pub(crate) fn split(&self, number: u16, entry: &Entry, place: Place, run: usize, len: usize) {
        let capacity = self.board.words().len();
        let (second, rest) = (place.ahead(len, capacity), run - len);
        let note = (len << 12 | rest) as u64;
        // Release, E8: not before the words within the run were made full.
        entry.split.store(note, Ordering::Release);
        self.give_back(second, rest);
        self.set(place, Word::owned(Kind::Reading, number, len, place.lap));
        // Release, E8: not before any of the above.
        entry.split.store(0, Ordering::Release);
    }

    /// Returns a run that was being read. Only who may write its first word calls this.
    pub(crate) fn give_back(&self, place: Place, run: usize) {
        // Counted before, so that who sees the word, or what became of it, sees the count (E7).
        let times = &self.board.crowd().returned.times;
        times.fetch_add(1, Ordering::Relaxed);
        self.set(place, Word::returned(run, place.lap));
        self.raise_returned();
    }

    /// Says that there is something returned. Release, E9: who sees it sees the words that were returned before.
    pub(crate) fn raise_returned(&self) {
        let flag = &self.board.crowd().returned.flag;
        flag.fetch_or(1, Ordering::Release);
    }

    /// Whether something may be returned that nobody has taken up. Relaxed, E3 as the words; who goes on from here looks with E9.
    #[inline(always)]
    pub(crate) fn any_returned(&self) -> bool {
        self.board.crowd().returned.flag.load(Ordering::Relaxed) != 0
    }

    /// The places before `from`, where no consumer has claimed yet, back to the oldest that may not be free: there is what was
    /// taken, and returned.
    pub(crate) fn taken_places(&self, from: Place) -> impl Iterator<Item = Place> + use<> {
        let capacity = self.board.words().len();
        let told = told(self.board, Role::Producer).load(Ordering::Acquire); // E5
        let oldest = told.saturating_sub(capacity as u64);
        let back = from.position.saturating_sub(oldest).min(capacity as u64);
        let mut place = from;
        (0..back).map(move |_| {
            place = place.back(capacity);
            place
        })
    }

    /// The word at a place, and its length, if a run begins there that was returned.
    pub(crate) fn returned_at(&self, place: Place) -> Option<(Word, usize)> {
        let word = self.word(place);
        let run = word.run(self.board.words().len());
        (word == Word::returned(run, place.lap)).then_some((word, run))
    }

    /// The word at a place. Acquire, E6 for who is about to read the slot, E7 for who is about to write it.
    #[inline(always)]
    pub(crate) fn word(&self, place: Place) -> Word {
        Word::of_bits(self.board.words()[place.slot].load(Ordering::Acquire))
    }

    /// Sets the word at a place that is the caller's. Release, E6 after writing the slot, E7 after reading it, E8 for notes.
    #[inline(always)]
    pub(crate) fn set(&self, place: Place, word: Word) {
        self.board.words()[place.slot].store(word.bits(), Ordering::Release);
    }

    /// Sets the words of a run from its last to its first, each by its lap.
    #[inline(always)]
    pub(crate) fn set_run(&self, place: Place, run: usize, word: impl Fn(u64) -> Word) {
        let words = self.board.words();
        let [first, second] = place.parts(run, words.len());
        for (slots, lap) in [second, first] {
            let bits = word(lap).bits();
            for slot in words[slots].iter().rev() {
                slot.store(bits, Ordering::Release); // E6, E7: as `set`
            }
        }
    }

    /// Gives the slots of a run to the producers of the next lap.
    #[inline(always)]
    pub(crate) fn free(&self, place: Place, run: usize) {
        self.set_run(place, run, |lap| Word::free(lap.wrapping_add(1)));
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
