//! How slots are claimed: free ones to write, full ones to read, and those that were skipped or returned.
//!
//! A claim is one compare-and-swap on the first word of a run, at the first position that nobody has claimed; before it, its
//! place is noted in the claimer's entry (E8). A position is only ever claimed when all before it are. So words that were seen
//! free behind a first word that the claim still found free, are free; and full ones are full.

use super::frontier::steps;
use super::member::{Hold, Member, Wish};
use super::place::Place;
use super::word::{Kind, Stand, Word};
use crate::ring::crew::{Sight, count};
use crate::ring::{Fault, Role, spin};
use crate::sync::{AtomicU64, Ordering};

/// How often in a row it starts over because others were faster: each time one of them got on. Fewer, since it stands back each time.
///
/// A fuzzer's scripts come upon spoiled rings all the time.
const LOSSES: u32 = if cfg!(fuzzing) { 1 << 6 } else { 1 << 14 };

/// How many words from the first on are as `bits` says: four at a time, which takes half as many jumps.
#[inline(always)]
fn alike(slots: &[AtomicU64], bits: u64) -> usize {
    // Acquire, E6 and E7: each may have been set by somebody else.
    let same = |slot: &AtomicU64| slot.load(Ordering::Acquire) == bits;
    let (fours, _) = slots.as_chunks::<4>();
    let in_fours = fours.iter().take_while(|four| four.iter().all(same));
    let sure = 4 * in_fours.count();
    sure + slots[sure..].iter().take_while(|slot| same(slot)).count()
}

impl Member {
    /// Claims slots to write, or says what is in the way.
    pub(super) fn look_free(&mut self, wish: Wish) -> Result<Sight<Hold>, Fault> {
        let mut lost = 0;
        for _ in 0..steps(self.capacity()) {
            if lost == LOSSES {
                break;
            }
            let place = self.frontier.place;
            let word = self.crew().word(place);
            if word == Word::free(place.lap) {
                match self.claim_free(place, wish) {
                    Some(sight) => return Ok(sight),
                    None => spin::stand_back(&mut lost),
                }
            } else if let Some(sight) = self.stopped_free(place, word)? {
                return Ok(sight);
            } else {
                lost = 0; // it got on itself
            }
        }
        Err(Fault::Corrupt)
    }

    /// What a word that is not free says of the place: `None` when it was passed, or put away.
    fn stopped_free(&mut self, place: Place, word: Word) -> Result<Option<Sight<Hold>>, Fault> {
        match word.stand(place.lap) {
            Stand::Before => self.behind(place, word),
            Stand::Now | Stand::After => {
                self.frontier.pass(word, &self.board, self.role);
                Ok(None)
            }
            // Others may have gone round very often since.
            Stand::Never if self.frontier.jump(&self.board, self.role) => Ok(None),
            Stand::Never => Err(Fault::Corrupt),
        }
    }

    /// Claims what a role can claim at once, if nothing is in the way.
    #[inline(always)]
    pub(crate) fn claim_next(&mut self, role: Role, wish: Wish) -> Option<Hold> {
        let (from, kind) = match role {
            Role::Producer => (Kind::Free, Kind::Writing),
            Role::Consumer => (Kind::Full, Kind::Reading),
        };
        let from = |lap| Word::unclaimed(from, lap);
        let place = self.frontier.place;
        if self.crew().word(place) != from(place.lap) {
            return None;
        }
        if role == Role::Consumer && self.crew().any_returned() {
            return None;
        }
        let len = self.count(place, wish.most, from);
        let short = role == Role::Producer && len < wish.most && wish.most > 1;
        if short {
            return None; // what ends the row may be put away
        }
        self.claim_run(role, place, len, from(place.lap), kind)
    }

    /// Claims a run that was seen to be as `from` says; `None` when somebody else was faster.
    #[inline(always)]
    fn claim_run(
        &mut self,
        role: Role,
        place: Place,
        len: usize,
        from: Word,
        kind: Kind,
    ) -> Option<Hold> {
        let claimed = Word::owned(kind, self.number, len, place.lap);
        if !self.claim(place, from, claimed) {
            return None;
        }
        self.frontier.claimed(len, &self.board, role);
        self.pulse.reset();
        Some(Hold {
            place,
            len,
            redelivered: false,
        })
    }

    /// `None` when somebody else was faster, or the row can be made longer now.
    fn claim_free(&mut self, place: Place, wish: Wish) -> Option<Sight<Hold>> {
        let len = self.count(place, wish.most, Word::free);
        if len < wish.most.min(self.run_limit()) && self.drained_beyond(place, len) {
            return None;
        }
        if len < wish.least {
            return self.too_few(place, len);
        }
        let hold = self.claim_run(
            Role::Producer,
            place,
            len,
            Word::free(place.lap),
            Kind::Writing,
        );
        hold.map(Sight::Found)
    }

    /// Whether a row of free slots that is shorter than wished was ended by slots that hold nothing, and could be made longer.
    #[cold]
    fn drained_beyond(&mut self, place: Place, len: usize) -> bool {
        let end = place.ahead(len, self.capacity());
        let word = self.crew().word(end);
        let skipped = word.kind() == Some(Kind::Skip) && word.stand(end.lap) == Stand::Before;
        if skipped {
            // All before it was taken and freed: it is at the head.
            self.drain(end.lap_before(self.capacity()), word);
        }
        skipped
    }

    /// What ends a row of free slots that is too short.
    #[cold]
    fn too_few(&self, place: Place, len: usize) -> Option<Sight<Hold>> {
        let end = place.ahead(len, self.capacity());
        let word = self.crew().word(end);
        match word.stand(end.lap) {
            Stand::Before => {
                let owner = matches!(
                    word.kind(),
                    Some(Kind::Writing | Kind::Reading | Kind::Draining)
                );
                Some(Sight::Short(owner.then(|| word.owner())))
            }
            Stand::Never => Some(Sight::Nothing), // no state of a ring: told by the next look at it
            Stand::Now if word.kind() == Some(Kind::Free) => None, // freed since it was counted
            // Claimed since, and so was the first before it: else it is no state of a ring either, and stays so.
            Stand::Now | Stand::After => {
                let first = self.crew().word(place); // E6, E7: after the other
                (first == Word::free(place.lap)).then_some(Sight::Nothing)
            }
        }
    }

    /// What keeps a slot from the next lap. `None` when that was put away.
    #[cold]
    fn behind(&mut self, place: Place, word: Word) -> Result<Option<Sight<Hold>>, Fault> {
        match word.kind() {
            Some(Kind::Full | Kind::Returned) => Ok(Some(Sight::Nothing)),
            Some(Kind::Writing | Kind::Reading | Kind::Draining) => {
                Ok(Some(Sight::Held(word.owner())))
            }
            // All before it was taken, since a whole lap lies behind it: it is at the head.
            Some(Kind::Skip) => {
                self.drain(place.lap_before(self.capacity()), word);
                Ok(None)
            }
            Some(Kind::Free) | None => Err(Fault::Corrupt),
        }
    }

    /// Claims items to read, or says what is in the way. Those that were returned come first.
    pub(super) fn look_full(&mut self, wish: Wish) -> Result<Sight<Hold>, Fault> {
        if self.crew().any_returned()
            && let Some(hold) = self.take_returned(wish)
        {
            return Ok(Sight::Found(hold));
        }
        let mut lost = 0;
        for _ in 0..steps(self.capacity()) {
            if lost == LOSSES {
                break;
            }
            let place = self.frontier.place;
            let word = self.crew().word(place);
            if word == Word::full(place.lap) {
                let len = self.count(place, wish.most, Word::full);
                match self.claim_run(Role::Consumer, place, len, word, Kind::Reading) {
                    Some(hold) => return Ok(Sight::Found(hold)),
                    None => spin::stand_back(&mut lost),
                }
            } else if let Some(sight) = self.stopped_full(place, word)? {
                return Ok(sight);
            } else {
                lost = 0; // it got on itself
            }
        }
        Err(Fault::Corrupt)
    }

    /// What a word that is not full says of the place: `None` when it was passed, or put away.
    fn stopped_full(&mut self, place: Place, word: Word) -> Result<Option<Sight<Hold>>, Fault> {
        match (word.stand(place.lap), word.kind()) {
            (Stand::Now, Some(Kind::Free)) => return Ok(Some(Sight::Nothing)),
            (Stand::Now, Some(Kind::Writing)) => return Ok(Some(Sight::Held(word.owner()))),
            (Stand::Now, Some(Kind::Skip)) => self.drain(place, word),
            (Stand::Now | Stand::After, Some(_)) => {
                self.frontier.pass(word, &self.board, self.role);
            }
            // The ring was gone round, and the slot is not done with: nothing was pushed behind the last item.
            (Stand::Before, Some(kind)) if kind != Kind::Free => return Ok(Some(Sight::Nothing)),
            (Stand::Never, _) if self.frontier.jump(&self.board, self.role) => {}
            _ => return Err(Fault::Corrupt),
        }
        Ok(None)
    }

    /// How many words from `place` on are as `word` says for their laps: the first, which was seen, and up to `most`.
    #[inline(always)]
    fn count(&self, place: Place, most: usize, word: impl Fn(u64) -> Word) -> usize {
        if most <= 1 {
            return 1;
        }
        let words = self.board.words();
        let most = most.min(self.run_limit());
        if let Some(slots) = words.get(place.slot..place.slot + most) {
            return alike(slots, word(place.lap).bits());
        }
        let mut len = 0;
        for (slots, lap) in place.parts(most, words.len()) {
            let (bits, slots) = (word(lap).bits(), &words[slots]);
            let alike = alike(slots, bits);
            len += alike;
            if alike < slots.len() {
                break;
            }
        }
        len
    }

    /// Makes the word at a place this participant's.
    #[inline(always)]
    fn claim(&self, place: Place, from: Word, to: Word) -> bool {
        // Release, E8: not before what was done with the last claim.
        let note = &self.entry().claim;
        note.store(place.position, Ordering::Release);
        let slot = &self.board.words()[place.slot];
        // Release, E8: not before the note of where. What is read or written next was acquired with the word before.
        slot.compare_exchange(from.bits(), to.bits(), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Frees a run at the head that holds nothing.
    #[cold]
    fn drain(&mut self, place: Place, word: Word) {
        let run = word.run(self.capacity());
        let claimed = Word::owned(Kind::Draining, self.number, run, place.lap);
        if !self.claim(place, word, claimed) {
            return;
        }
        self.crew().free(place, run);
        count(&self.board.crowd().tallies.skipped, run as u64);
        self.drained = true; // whom that may wake is told at the end of the look: not for each of many
    }

    /// Looks for what was returned, from the head back, and claims the first that it finds.
    #[cold]
    fn take_returned(&mut self, wish: Wish) -> Option<Hold> {
        // Acquire, E9: the words that were returned before it was raised. As an update, it breaks no chain of those who raise it.
        let flag = &self.board.crowd().returned.flag;
        if flag.swap(0, Ordering::Acquire) == 0 {
            return None;
        }
        let from = self.frontier.past_taken(&self.board);
        let mut taken = self.crew().taken_places(from);
        let (place, run) = taken.find_map(|place| self.claim_returned(place))?;
        self.crew().raise_returned(); // there may be more
        Some(self.keep(place, run, wish.most))
    }

    fn claim_returned(&self, place: Place) -> Option<(Place, usize)> {
        let (word, run) = self.crew().returned_at(place)?;
        let claimed = Word::owned(Kind::Reading, self.number, run, place.lap);
        self.claim(place, word, claimed).then_some((place, run))
    }

    /// Keeps at most `most` items of a run that was claimed anew, and returns the others.
    fn keep(&mut self, place: Place, run: usize, most: usize) -> Hold {
        // Who had it before may have been killed while it released: a cut tells by a full word that it was not made.
        for n in (1..run).rev() {
            let place = place.ahead(n, self.capacity());
            self.crew().set(place, Word::full(place.lap));
        }
        let len = run.min(most);
        if len < run {
            self.crew()
                .split(self.number, self.entry(), place, run, len);
        }
        count(&self.board.crowd().tallies.redelivered, len as u64);
        let hold = Hold {
            place,
            len,
            redelivered: true,
        };
        self.again = Some(hold);
        self.stir();
        hold
    }
}
