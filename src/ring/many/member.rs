//! One participant: what producers and consumers of a shared ring do with slots.
//!
//! A producer claims a run at the tail, a consumer one at the head, each by one compare-and-swap on the run's first word,
//! after storing in its entry where (E8). `produced` and `consumed` only hint at tail and head: whoever finds the word there
//! claimed moves the hint on.
//!
//! Why a run is its claimer's: a position beyond the tail is never claimed before the tail gets there, so words that were
//! seen free behind a first word that the claim still found free are free; and a full word at the head or beyond is not
//! touched before the head gets there.

use super::crew::{Crew, DeadConsumer, advance, count};
use super::place::Place;
use super::sleepers;
use super::wait::{Sight, Waiter};
use super::word::{Kind, RUN_MAX, Stand, Word};
use crate::memory::{Board, Entry};
use crate::parking::{Deadline, Fence, ParkFault, Pulse};
use crate::ring::{Fault, Parking, Patience, Role, Stop};
use crate::sync::{Arc, AtomicU64, Ordering};

/// How often an operation starts over because others were faster: each time one of them got on. More is no ring's doing.
const TRIES: u32 = 1 << 20;

/// A run in a participant's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) place: Place,
    pub(crate) len: usize,
    /// Whether somebody had it in hand before.
    pub(crate) redelivered: bool,
}

/// How many slots a claim is for: as many as there are, up to `most`, but not fewer than `least`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) least: usize,
    pub(crate) most: usize,
}

/// A participant. Not detached when dropped: whoever owns it does that, see [`Member::leave`].
#[derive(Debug)]
pub(crate) struct Member {
    board: Board,
    parking: Arc<dyn Parking>,
    fence: Fence,
    policy: DeadConsumer,
    number: u16,
    role: Role,
    /// Words of sleepers' bits that are in use.
    words: usize,
    /// Where the tail, or the head, was last seen.
    place: Place,
    /// What a guard has in hand.
    hold: Option<Hold>,
    moved: u64,
    pulse: Pulse,
}

impl Member {
    /// Takes part; `None` when there are as many participants as there can be.
    pub(crate) fn join(
        board: Board,
        parking: Arc<dyn Parking>,
        policy: DeadConsumer,
        role: Role,
    ) -> Result<Option<Self>, ParkFault> {
        let fence = Fence::of_publisher();
        let crew = Crew {
            board: &board,
            parking: &*parking,
            fence,
            policy,
        };
        let Some(number) = crew.join(role)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            words: sleepers::words(board.entries().len()),
            board,
            parking,
            fence,
            policy,
            number,
            role,
            place: Place::default(),
            hold: None,
            moved: 0,
            pulse: Pulse::default(),
        }))
    }

    /// Gives the number up: in good order, after giving back what is in hand, or as a death would.
    pub(crate) fn leave(&mut self, in_good_order: bool) -> Result<(), ParkFault> {
        if in_good_order {
            self.give_back();
        }
        self.crew().leave(self.number, self.role, in_good_order)
    }

    #[inline(always)]
    fn crew(&self) -> Crew<'_> {
        Crew {
            board: &self.board,
            parking: &*self.parking,
            fence: self.fence,
            policy: self.policy,
        }
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    pub(crate) fn parking(&self) -> &dyn Parking {
        &*self.parking
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    #[inline(always)]
    pub(crate) fn capacity(&self) -> usize {
        self.board.words().len()
    }

    /// The longest run that can be claimed at once.
    #[inline(always)]
    pub(crate) fn run_limit(&self) -> usize {
        self.capacity().min(RUN_MAX)
    }

    #[inline(always)]
    fn entry(&self) -> &Entry {
        &self.board.entries()[usize::from(self.number) - 1]
    }

    #[inline(always)]
    fn tail(&self) -> &AtomicU64 {
        &self.board.control().produced
    }

    #[inline(always)]
    fn head(&self) -> &AtomicU64 {
        &self.board.control().consumed
    }

    /// A hint, and the place that it names. Acquire, E5: so no word at that place is older than one lap.
    #[inline(always)]
    fn seek(&self, hint: &AtomicU64) -> Place {
        let capacity = self.capacity();
        self.place.seek(hint.load(Ordering::Acquire), capacity)
    }

    /// Claims slots to write, or says what is in the way.
    #[inline]
    pub(crate) fn look_free(&mut self, wish: Wish) -> Result<Sight<Hold>, Fault> {
        for _ in 0..TRIES {
            let place = self.seek(self.tail());
            self.place = place;
            let word = self.crew().word(place);
            if word == Word::free(place.lap) {
                match self.claim_free(place, wish) {
                    Some(sight) => return Ok(sight),
                    None => continue,
                }
            }
            match word.stand(place.lap) {
                Stand::Before => match self.behind(place, word)? {
                    Some(sight) => return Ok(sight),
                    None => continue,
                },
                Stand::Now | Stand::After => {
                    advance(self.tail(), place, self.step_over(word, place));
                }
                Stand::Never => return Err(Fault::Corrupt),
            }
        }
        Err(Fault::Corrupt)
    }

    /// How far a hint may move over a claimed word.
    fn step_over(&self, word: Word, place: Place) -> usize {
        match word.stand(place.lap) {
            Stand::Now => word.run(self.capacity()),
            _ => 1,
        }
    }

    /// `None` when somebody else was faster.
    #[inline(always)]
    fn claim_free(&mut self, place: Place, wish: Wish) -> Option<Sight<Hold>> {
        let len = self.count(place, wish.most, Word::free);
        if len < wish.most.min(self.run_limit()) && self.drained_beyond(place, len) {
            return None;
        }
        if len < wish.least {
            return self.too_few(place, len);
        }
        let claimed = Word::owned(Kind::Writing, self.number, len, place.lap);
        if !self.claim(place, Word::free(place.lap), claimed) {
            return None;
        }
        advance(self.tail(), place, len);
        self.pulse.reset();
        Some(Sight::Found(Hold {
            place,
            len,
            redelivered: false,
        }))
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
                Some(Sight::Short(end.position, owner.then(|| word.owner())))
            }
            _ => None, // freed, or claimed, since it was counted
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
    #[inline]
    pub(crate) fn look_full(&mut self, wish: Wish) -> Result<Sight<Hold>, Fault> {
        if self.crew().any_returned()
            && let Some(hold) = self.take_returned(wish)
        {
            return Ok(Sight::Found(hold));
        }
        for _ in 0..TRIES {
            let place = self.seek(self.head());
            self.place = place;
            let word = self.crew().word(place);
            if word == Word::full(place.lap) {
                match self.claim_full(place, wish) {
                    Some(hold) => return Ok(Sight::Found(hold)),
                    None => continue,
                }
            }
            match (word.stand(place.lap), word.kind()) {
                (Stand::Now, Some(Kind::Free)) => return Ok(Sight::Nothing),
                (Stand::Now, Some(Kind::Writing)) => return Ok(Sight::Held(word.owner())),
                (Stand::Now, Some(Kind::Skip)) => self.drain(place, word),
                (Stand::Now | Stand::After, Some(_)) => {
                    advance(self.head(), place, self.step_over(word, place));
                }
                // The ring was gone round, and the slot is not done with: there is nothing behind the tail.
                (Stand::Before, Some(kind)) if kind != Kind::Free => return Ok(Sight::Nothing),
                _ => return Err(Fault::Corrupt),
            }
        }
        Err(Fault::Corrupt)
    }

    /// `None` when somebody else was faster.
    #[inline(always)]
    fn claim_full(&mut self, place: Place, wish: Wish) -> Option<Hold> {
        let len = self.count(place, wish.most, Word::full);
        let claimed = Word::owned(Kind::Reading, self.number, len, place.lap);
        if !self.claim(place, Word::full(place.lap), claimed) {
            return None;
        }
        advance(self.head(), place, len);
        self.pulse.reset();
        Some(Hold {
            place,
            len,
            redelivered: false,
        })
    }

    /// How many words from `place` on are as `word` says for their laps: the first, which was seen, and up to `most`.
    #[inline(always)]
    fn count(&self, place: Place, most: usize, word: impl Fn(u64) -> Word) -> usize {
        if most <= 1 {
            return 1;
        }
        let words = self.board.words();
        let mut len = 0;
        for (slots, lap) in place.parts(most.min(self.run_limit()), words.len()) {
            let (bits, slots) = (word(lap).bits(), &words[slots]);
            // Acquire, E6 and E7: each may have been set by somebody else.
            let alike = slots
                .iter()
                .take_while(|slot| slot.load(Ordering::Acquire) == bits);
            let alike = alike.count();
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
        self.entry().claim.store(place.position, Ordering::Relaxed);
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
        advance(self.head(), place, run);
        self.crew().free(place, run);
        count(&self.board.crowd().tallies.skipped, run as u64);
        self.stir();
    }

    /// Looks for what was returned, from the head back, and claims the first that it finds.
    #[cold]
    fn take_returned(&mut self, wish: Wish) -> Option<Hold> {
        let capacity = self.capacity();
        // Acquire, E9: the words that were returned before it was raised. Release: it passes on what it overwrites.
        let flag = &self.board.crowd().returned.flag;
        if flag.swap(0, Ordering::AcqRel) == 0 {
            return None;
        }
        let head = self.head().load(Ordering::Acquire); // E5
        let oldest = self.tail().load(Ordering::Acquire); // E5
        let back = head.wrapping_sub(oldest.saturating_sub(capacity as u64));
        let back = back.min(capacity as u64).min(head);
        let mut place = Place::at(head, capacity);
        let found = (0..back).find_map(|_| {
            place = place.back(capacity);
            self.claim_returned(place)
        });
        let (place, run) = found?;
        self.crew().raise_returned(); // there may be more
        Some(self.keep(place, run, wish.most))
    }

    fn claim_returned(&self, place: Place) -> Option<(Place, usize)> {
        let word = self.crew().word(place);
        let run = word.run(self.capacity());
        if word != Word::returned(run, place.lap) {
            return None;
        }
        let claimed = Word::owned(Kind::Reading, self.number, run, place.lap);
        self.claim(place, word, claimed).then_some((place, run))
    }

    /// Keeps at most `most` items of a run that was claimed anew, and returns the others.
    fn keep(&mut self, place: Place, run: usize, most: usize) -> Hold {
        // Who had it before may have been killed while it released: a cut tells by a full word where it was not made yet.
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
        self.stir();
        Hold {
            place,
            len,
            redelivered: true,
        }
    }

    /// Publishes the first `n` slots of a run that was claimed to be written; the others are skipped.
    #[inline(always)]
    pub(crate) fn publish(&mut self, hold: Hold, n: usize) {
        let Hold { place, len, .. } = hold;
        if n < len {
            let rest = place.ahead(n, self.capacity());
            self.crew().set(rest, Word::skip(len - n, rest.lap));
        }
        self.crew().set_run(place, n, Word::full); // E6
        self.settle(n);
    }

    /// Gives the first `n` slots of a run that was claimed to be read to the producers; the others are returned.
    #[inline(always)]
    pub(crate) fn release(&mut self, hold: Hold, n: usize) {
        if n < hold.len {
            return self.release_part(hold, n);
        }
        self.crew().free(hold.place, n); // E7
        self.settle(n);
    }

    #[cold]
    fn release_part(&mut self, hold: Hold, n: usize) {
        let Hold { place, len, .. } = hold;
        let crew = self.crew();
        if n == 0 {
            crew.give_back(place, len);
        } else {
            crew.split(self.number, self.entry(), place, len, n);
            crew.free(place, n);
        }
        self.settle(n);
    }

    /// After something changed hands: the account of it, and whom it may wake.
    #[inline(always)]
    fn settle(&mut self, moved: usize) {
        self.hold = None;
        self.moved += moved as u64;
        self.entry().moved.store(self.moved, Ordering::Relaxed); // for people
        self.stir();
    }

    /// Notes what is in a guard's hands, so that it is given back whatever becomes of the guard.
    pub(crate) fn keep_hold(&mut self, hold: Hold) {
        self.hold = Some(hold);
        self.stir(); // others of this role may sleep beside what comes next
    }

    /// Gives back what a guard has left in hand.
    #[inline(always)]
    pub(crate) fn give_back(&mut self) {
        if let Some(hold) = self.hold {
            self.give_back_now(hold);
        }
    }

    /// Releases what a guard has left in hand, of a consumer.
    pub(crate) fn release_held(&mut self) {
        if let Some(hold) = self.hold {
            self.release(hold, hold.len);
        }
    }

    #[cold]
    fn give_back_now(&mut self, hold: Hold) {
        match self.role {
            Role::Producer => self.publish(hold, 0),
            Role::Consumer => self.release(hold, 0),
        }
    }

    /// Wakes those who may wait for what was just done.
    #[inline(always)]
    fn stir(&self) {
        self.fence.light(); // E3
        let crowd = self.board.crowd();
        if sleepers::any(crowd, self.role.peer(), self.words)
            || sleepers::any(crowd, self.role, self.words)
        {
            self.wake();
        }
    }

    /// One of the other role; and one of this one, if there is something for it too. A fault, since the semaphores were
    /// removed, does not undo what was done, and shows to whoever waits next.
    #[cold]
    fn wake(&self) {
        let _ = self.crew().wake_one(self.role.peer(), 0);
        if self.next_ready() || self.last_of_the_feed() {
            let _ = self.crew().wake_one(self.role, 0);
        }
    }

    /// Whether the producers are gone, so that others may have waited for what became of this consumer's claim, and for
    /// nothing else.
    fn last_of_the_feed(&self) -> bool {
        self.role == Role::Consumer && self.parking.attached(Role::Producer) == Ok(0)
    }

    /// Whether another of this role could do something now.
    fn next_ready(&self) -> bool {
        let ready = |hint, kinds: &[(Stand, Kind)]| {
            let place = self.seek(hint);
            let word = self.crew().word(place);
            let state = word.kind().map(|kind| (word.stand(place.lap), kind));
            state.is_some_and(|state| kinds.contains(&state))
        };
        let now = |kind| (Stand::Now, kind);
        match self.role {
            Role::Producer => ready(self.tail(), &[now(Kind::Free), (Stand::Before, Kind::Skip)]),
            Role::Consumer => {
                self.crew().any_returned()
                    || ready(self.head(), &[now(Kind::Full), now(Kind::Skip)])
            }
        }
    }

    /// Claims by the role, or says what is in the way.
    #[inline]
    pub(crate) fn look(&mut self, wish: Wish) -> Result<Sight<Hold>, Fault> {
        match self.role {
            Role::Producer => self.look_free(wish),
            Role::Consumer => self.look_full(wish),
        }
    }

    /// Waits until a claim can be made.
    #[cold]
    pub(crate) fn wait(
        &mut self,
        wish: Wish,
        patience: Patience,
        until: Option<Deadline>,
    ) -> Result<Hold, Stop> {
        let (board, parking) = (self.board.clone(), Arc::clone(&self.parking));
        let waiter = self.waiter(&board, &*parking, patience);
        waiter.wait(until, || self.look(wish))
    }

    /// For operations that do not wait and found nothing: asks the kernel, now and then only, whether somebody died.
    #[cold]
    pub(crate) fn poll(&mut self, wish: Wish, patience: Patience) -> Result<Option<Hold>, Stop> {
        if !self.pulse.due() {
            return Ok(None);
        }
        let (board, parking) = (self.board.clone(), Arc::clone(&self.parking));
        let waiter = self.waiter(&board, &*parking, patience);
        waiter
            .judge(&mut || self.look(wish))
            .map(|(found, _)| found)
    }

    fn waiter<'a>(
        &self,
        board: &'a Board,
        parking: &'a dyn Parking,
        patience: Patience,
    ) -> Waiter<'a> {
        Waiter {
            crew: Crew {
                board,
                parking,
                fence: self.fence,
                policy: self.policy,
            },
            role: self.role,
            number: self.number,
            patience,
        }
    }
}
