//! The slots' words, as those who take part read and set them, and what is made of a dead one's claim.

use core::ops::Range;

use super::frontier::told;
use super::place::Place;
use super::word::{Kind, Word};
use crate::memory::Entry;
use crate::ring::Role;
use crate::ring::crew::{Crew, count};
use crate::sync::{AtomicU64, Ordering};

/// What becomes of the items that a consumer held when it died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

impl Crew<'_> {
    /// Puts the former holder's claim in order. Whether there was one.
    pub(in crate::ring) fn settle_claims(
        &self,
        number: u16,
        entry: &Entry,
        role: Role,
        policy: DeadConsumer,
    ) -> bool {
        let claimed = self.settle_claim(number, entry, policy);
        if role == Role::Consumer {
            self.raise_returned(); // what it returned, or was just about to tell of
        }
        claimed
    }

    fn settle_claim(&self, number: u16, entry: &Entry, policy: DeadConsumer) -> bool {
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
            Some(Kind::Reading) => self.settle_reading(place, run, entry, policy),
            Some(Kind::Draining) => self.free(place, run),
            _ => return false,
        }
        true
    }

    fn settle_reading(&self, place: Place, run: usize, entry: &Entry, policy: DeadConsumer) {
        let run = self.kept_of(place, run, entry);
        match policy {
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
        // Counted before, so that who sees the word, or what became of it, sees the count. AcqRel, E9: see `times_returned`.
        let times = &self.board.crowd().returned.times;
        times.fetch_add(1, Ordering::AcqRel);
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
        // Relaxed: wherever producers have claimed, whatever lies a lap before was freed.
        let told = told(self.board, Role::Producer).load(Ordering::Relaxed);
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
        let set = |slots: Range<usize>, lap| {
            let bits = word(lap).bits();
            let set = |slot: &AtomicU64| slot.store(bits, Ordering::Release); // E6, E7: as `set`
            let (rest, fours) = words[slots].as_rchunks::<4>();
            fours
                .iter()
                .rev()
                .for_each(|four| four.iter().rev().for_each(set));
            rest.iter().rev().for_each(set);
        };
        if run == 1 {
            // Most are, and are known to be where this is inlined: no loop, and no wrap.
            return set(place.slot..place.slot + 1, place.lap);
        }
        if place.slot + run <= words.len() {
            return set(place.slot..place.slot + run, place.lap);
        }
        let [first, second] = place.parts(run, words.len());
        for (slots, lap) in [second, first] {
            set(slots, lap);
        }
    }

    /// Gives the slots of a run to the producers of the next lap.
    #[inline(always)]
    pub(crate) fn free(&self, place: Place, run: usize) {
        self.set_run(place, run, |lap| Word::free(lap.wrapping_add(1)));
    }
}
