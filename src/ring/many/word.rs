//! The word of a slot: what is done with it, by whom, for how many slots, and in which lap.
//!
//! ```text
//! Free(lap) --producer CAS--> Writing(lap, owner, run) --publish--> Full(lap)
//! Full(lap) --consumer CAS--> Reading(lap, owner, run) --release--> Free(lap + 1)
//! Writing --given up, or its owner died--> Skip(lap, run) --CAS--> Draining(lap, owner, run) --> Free(lap + 1)
//! Reading --put back, or its owner died--> Returned(lap, run) --CAS--> Reading(lap, owner, run)
//! ```
//!
//! Only the first word of a run carries its length; those behind it keep what they were, `Free` or `Full`, until the run is
//! published or released, from its last slot to its first. A word that names an owner is written by nobody but
//! whoever holds that owner's semaphore: the owner while it lives, after that who clears up.

/// What is done with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Free,
    Writing,
    Full,
    Reading,
    Skip,
    Draining,
    Returned,
}

/// `kind 3 | owner 9 | run 12 | lap 40`, from the lowest bit on. A zeroed word is free in lap 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

const OWNER: u32 = 3;
const RUN: u32 = 12;
const LAP: u32 = 24;
const LAPS: u64 = (1 << 40) - 1;

/// The longest run that a word can tell.
pub(crate) const RUN_MAX: usize = (1 << 12) - 1;

/// Where a word's lap lies, seen from a position's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// The lap before: the slot is not done with.
    Before,
    Now,
    /// A later lap: the position was passed long ago.
    After,
    /// No state of a ring.
    Never,
}

impl Word {
    fn new(kind: Kind, owner: u16, run: usize, lap: u64) -> Self {
        Self(kind as u64 | u64::from(owner) << OWNER | (run as u64) << RUN | (lap & LAPS) << LAP)
    }

    /// A word that names nobody and carries no length: free or full.
    #[inline(always)]
    pub(crate) fn unclaimed(kind: Kind, lap: u64) -> Self {
        Self(kind as u64 | (lap & LAPS) << LAP)
    }

    #[inline(always)]
    pub(crate) fn free(lap: u64) -> Self {
        Self::unclaimed(Kind::Free, lap)
    }

    #[inline(always)]
    pub(crate) fn full(lap: u64) -> Self {
        Self::unclaimed(Kind::Full, lap)
    }

    #[inline(always)]
    pub(crate) fn owned(kind: Kind, owner: u16, run: usize, lap: u64) -> Self {
        Self::new(kind, owner, run, lap)
    }

    pub(crate) fn skip(run: usize, lap: u64) -> Self {
        Self::new(Kind::Skip, 0, run, lap)
    }

    pub(crate) fn returned(run: usize, lap: u64) -> Self {
        Self::new(Kind::Returned, 0, run, lap)
    }

    #[inline(always)]
    pub(crate) const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// `None` for the one pattern that no participant writes.
    #[inline(always)]
    pub(crate) fn kind(self) -> Option<Kind> {
        Some(match self.0 & 7 {
            0 => Kind::Free,
            1 => Kind::Writing,
            2 => Kind::Full,
            3 => Kind::Reading,
            4 => Kind::Skip,
            5 => Kind::Draining,
            6 => Kind::Returned,
            _ => return None,
        })
    }

    pub(crate) fn owner(self) -> u16 {
        (self.0 >> OWNER & 0x1ff) as u16
    }

    /// How many slots the word speaks for, as far as there can be so many: 1 where it carries no length.
    pub(crate) fn run(self, capacity: usize) -> usize {
        let run = (self.0 >> RUN) as usize & RUN_MAX;
        run.clamp(1, capacity)
    }

    /// The word's lap, seen from `lap`.
    #[inline(always)]
    pub(crate) fn stand(self, lap: u64) -> Stand {
        match (self.0 >> LAP).wrapping_sub(lap) & LAPS {
            0 => Stand::Now,
            LAPS => Stand::Before,
            ahead if ahead <= LAPS / 2 => Stand::After,
            _ => Stand::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_what_was_put_in() {
        let word = Word::owned(Kind::Reading, 511, RUN_MAX, LAPS);
        assert_eq!(word.kind(), Some(Kind::Reading));
        assert_eq!((word.owner(), word.run(usize::MAX)), (511, RUN_MAX));
        assert_eq!(word.stand(LAPS), Stand::Now);
        assert_eq!(Word::of_bits(word.bits()), word);
        assert_eq!(Word::of_bits(0), Word::free(0));
        assert_eq!(Word::of_bits(7).kind(), None);
    }

    #[test]
    fn laps_wrap() {
        assert_eq!(Word::free(LAPS + 1), Word::free(0));
        assert_eq!(Word::full(LAPS).stand(LAPS + 1), Stand::Before);
        assert_eq!(Word::full(0).stand(LAPS), Stand::After);
        assert_eq!(Word::full(0).stand(2), Stand::Never);
    }

    #[test]
    fn a_run_is_never_longer_than_the_ring() {
        assert_eq!(Word::skip(9, 0).run(4), 4);
        assert_eq!(Word::full(3).run(4), 1);
    }
}
