//! One participant: what writers and readers have in common, and how bytes are moved.

#[cfg(not(loom))]
use super::turn::unsign;
use super::turn::{Taken, Turn};
use crate::memory::{Board, Control, Entry, View};
use crate::parking::{Deadline, Fence};
use crate::ring::crew::{Crew, Estate, Sight, Waiter, sleepers};
use crate::ring::cursor::{self, Run};
use crate::ring::{Fault, Parking, Patience, Role, Stop};
#[cfg(not(loom))]
use crate::ring::{Strategy, heels};
use crate::sync::{Arc, AtomicU64, Ordering};

/// A participant. Not detached when dropped: whoever owns it does that, see [`Member::leave`].
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) board: Board,
    pub(super) view: View<u8>,
    pub(super) parking: Arc<dyn Parking>,
    pub(super) fence: Fence,
    pub(super) number: u16,
    pub(super) role: Role,
    pub(super) turn: Turn,
    /// Words of sleepers' bits that are in use.
    words: usize,
    /// While the turn is in hand or kept: the role's index, its slot, and how many bytes from there on are known to be ready
    /// for this role.
    own: u64,
    slot: usize,
    room: usize,
    moved: u64,
}

/// The index that the holders of a role move.
#[inline]
fn index(control: &Control, role: Role) -> &AtomicU64 {
    match role {
        Role::Producer => &control.produced,
        Role::Consumer => &control.consumed,
    }
}

impl Member {
    pub(super) fn new(
        board: Board,
        view: View<u8>,
        parking: Arc<dyn Parking>,
        (number, role): (u16, Role),
    ) -> Self {
        let mut member = Self {
            words: sleepers::words(board.entries().len()),
            turn: Turn::new(role, number, true),
            fence: Fence::full(),
            board,
            view,
            parking,
            number,
            role,
            own: 0,
            slot: 0,
            room: 0,
            moved: 0,
        };
        member.resume();
        member
    }

    #[inline(always)]
    pub(super) fn crew(&self) -> Crew<'_> {
        Crew {
            board: &self.board,
            parking: &*self.parking,
            fence: self.fence,
            estate: Estate::Turn,
        }
    }

    #[inline(always)]
    fn entry(&self) -> &Entry {
        &self.board.entries()[usize::from(self.number) - 1]
    }

    #[inline(always)]
    pub(crate) fn control(&self) -> &Control {
        self.board.control()
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.view.capacity()
    }

    /// Goes on where the last holder of the turn has stopped.
    pub(super) fn resume(&mut self) {
        // Relaxed: ordered by the turn (E10), or by the semaphores after a death (E4).
        self.own = index(self.board.control(), self.role).load(Ordering::Relaxed);
        self.slot = cursor::slot_of(self.own, self.capacity());
        self.room = 0;
    }

    /// Takes the turn if it is kept and `least` bytes are known to be ready for this role: without a look at anything that
    /// another writes to, but for the word of the turn.
    #[inline(always)]
    pub(crate) fn at_hand(&mut self, least: usize) -> Option<usize> {
        let ready = self.room >= least && (self.turn.in_hand || self.take_kept());
        ready.then_some(self.room)
    }

    /// Takes the turn, if `least` bytes are ready for this role, or says what is in the way. How many are.
    #[inline]
    pub(crate) fn look(&mut self, least: usize) -> Result<Sight<usize>, Fault> {
        if !self.turn.in_hand
            && !self.take_kept()
            && let Some(sight) = self.take(least)?
        {
            return Ok(sight);
        }
        let room = self.count().inspect_err(|_| self.let_go())?;
        if room >= least {
            return Ok(Sight::Found(room));
        }
        self.put_down();
        Ok(short(room))
    }

    #[inline(always)]
    fn take_kept(&mut self) -> bool {
        if !self.turn.is_kept() {
            return false;
        }
        let entry = &self.board.entries()[usize::from(self.number) - 1];
        let taken = self.turn.take_kept(&self.board, entry, self.fence);
        if !taken {
            // Who has asked for it may have seen this one busy, and gone to sleep.
            self.stir_own();
        }
        taken
    }

    /// Takes a turn that is not kept, unless there is something in the way.
    fn take(&mut self, least: usize) -> Result<Option<Sight<usize>>, Fault> {
        // Where the indices seem to be impossible, the turn makes sure.
        if let Ok(near) = self.near_or_corrupt()
            && near < least
        {
            return Ok(Some(short(near)));
        }
        if let Taken::Held(owner) = self.turn.take(&self.board)? {
            return Ok(Some(Sight::Held(owner)));
        }
        self.resume();
        Ok(None)
    }

    /// How many bytes are ready for this role, as seen without the turn.
    pub(crate) fn near(&self) -> usize {
        self.near_or_corrupt().unwrap_or(0)
    }

    fn near_or_corrupt(&self) -> Result<usize, cursor::Corrupt> {
        // Relaxed, and after the fence of a waiter (E3). The index that others of this role move comes last: so what is
        // seen is not too little, unless the peers' has moved since, of which they would tell.
        let peers = index(self.control(), self.role.peer()).load(Ordering::Relaxed);
        let own = index(self.control(), self.role).load(Ordering::Relaxed);
        self.between(own, peers)
    }

    #[inline]
    fn between(&self, own: u64, peers: u64) -> Result<usize, cursor::Corrupt> {
        let capacity = self.capacity();
        match self.role {
            Role::Producer => Ok(capacity - cursor::used(own, peers, capacity)?),
            Role::Consumer => cursor::used(peers, own, capacity),
        }
    }

    /// Counts what is ready, with the turn in hand.
    #[inline]
    fn count(&mut self) -> Result<usize, Fault> {
        // Acquire, E1 for a reader, E2 for a writer. Loaded once, checked, then used.
        let peers = index(self.control(), self.role.peer()).load(Ordering::Acquire);
        self.room = self.between(self.own, peers)?;
        Ok(self.room)
    }

    /// The next `len` bytes of this role. The caller has the turn, and has seen so many.
    #[inline(always)]
    fn run(&self, len: usize) -> Run {
        assert!(
            self.turn.in_hand && len <= self.room,
            "a run is its holder's"
        );
        Run {
            slot: self.slot,
            len,
        }
    }

    /// Writes bytes behind those that are there, without publishing them. The caller has the turn, and has seen room for them.
    #[inline]
    pub(crate) fn put(&self, offset: usize, bytes: &[u8]) {
        let run = self.run(offset + bytes.len()).skip(offset, self.capacity());
        self.view.put_run(run, bytes);
    }

    /// Reads the next bytes, without releasing them. The caller has the turn, and has seen so many.
    #[inline]
    pub(crate) fn get(&self, offset: usize, into: &mut [u8]) {
        let run = self.run(offset + into.len()).skip(offset, self.capacity());
        self.view.get_run(run, into);
    }

    /// The next `len` bytes in place, cut where the ring wraps. As for [`Member::get`].
    #[cfg(not(loom))]
    pub(crate) fn slices(&self, len: usize) -> (&[u8], &[u8]) {
        self.view.slices(self.run(len))
    }

    /// Room for the next `len` bytes in place, cut where the ring wraps. As for [`Member::put`].
    #[cfg(not(loom))]
    pub(crate) fn slices_mut(&mut self, len: usize) -> (&mut [u8], &mut [u8]) {
        let run = self.run(len);
        self.view.slices_mut(run)
    }

    /// Hands the first `n` bytes to the peers, and wakes one if it sleeps. Keeps the turn.
    #[inline(always)]
    pub(crate) fn hand_over(&mut self, n: usize) {
        self.publish(n);
        self.fence.light(); // E3
        if sleepers::any(self.board.crowd(), self.role.peer(), self.words) {
            self.wake_peer();
        }
    }

    /// Hands the first `n` bytes to the peers and lets the turn go, and wakes whoever may have waited for either.
    #[inline(always)]
    pub(crate) fn finish(&mut self, n: usize) {
        self.publish(n);
        self.let_go();
        self.fence.light(); // E3, and E11 for who asked for the turn meanwhile
        let crowd = self.board.crowd();
        if sleepers::any(crowd, self.role.peer(), self.words)
            || sleepers::any(crowd, self.role, self.words)
        {
            self.wake();
        }
    }

    #[inline(always)]
    fn publish(&mut self, n: usize) {
        assert!(
            self.turn.in_hand && n <= self.room,
            "what is handed over is one's own"
        );
        if n == 0 {
            return;
        }
        self.room -= n;
        self.own = self.own.wrapping_add(n as u64);
        self.slot = cursor::advance(self.slot, n, self.capacity());
        self.moved = self.moved.wrapping_add(n as u64);
        self.entry().moved.store(self.moved, Ordering::Relaxed); // for people
        // Release, E1 for a writer, E2 for a reader; and the first half of E3.
        index(self.board.control(), self.role).store(self.own, Ordering::Release);
    }

    #[inline(always)]
    fn let_go(&mut self) {
        let entry = &self.board.entries()[usize::from(self.number) - 1];
        self.turn.let_go(&self.board, entry);
    }

    /// With the turn in hand: lets another thread go on with it.
    #[cfg(not(loom))]
    pub(crate) fn unbind(&self) {
        unsign(self.entry());
    }

    /// Lets the turn go with nothing done.
    pub(crate) fn put_down(&mut self) {
        if self.turn.in_hand {
            self.let_go();
            self.stir_own();
        }
    }

    /// Wakes one that may have waited for the turn, now that it is free.
    #[cold]
    fn stir_own(&mut self) {
        self.fence.light(); // E3
        self.wake_own();
    }

    // A fault below, since the semaphores were removed, does not undo what was done, and shows to whoever waits next.

    #[cold]
    fn wake_peer(&self) {
        let _ = self.crew().wake_one(self.role.peer(), None);
    }

    #[cold]
    fn wake(&self) {
        self.wake_peer();
        self.wake_own();
    }

    /// One of this role, if there is something left for it, or if it may only wait to be told of the end.
    ///
    /// Never this one, which may be about to sleep.
    #[cold]
    fn wake_own(&self) {
        if !sleepers::any_but(self.board.crowd(), self.role, self.words, self.number) {
            return;
        }
        let last = || self.parking.attached(Role::Producer) == Ok(0);
        if self.near() > 0 || (self.role == Role::Consumer && last()) {
            let _ = self.crew().wake_one(self.role, Some(self.number));
        }
    }

    /// Clears up after all who are dead, so that they are counted.
    pub(crate) fn bury_all(&self) -> Result<(), Fault> {
        Ok(self.crew().bury_all().map(drop)?)
    }

    /// How many hold the other role now, as the kernel has it.
    pub(crate) fn peers(&self) -> Result<u32, Fault> {
        Ok(self.parking.attached(self.role.peer())?)
    }

    /// With the turn in hand and a little ready at once: lets peers that are at work get ahead, for a moment. How much is ready
    /// then.
    #[cfg(not(loom))]
    pub(crate) fn linger(&mut self, ready: usize, wanted: usize) -> Result<usize, Fault> {
        let ahead = heels::ahead(self.capacity(), 1).min(wanted);
        let lingered = heels::linger(ready, ahead, || self.count());
        match lingered {
            // Only a peer that breaks the protocol takes back what was there.
            Ok(less) if less < ready => {
                self.let_go();
                Err(Fault::Corrupt)
            }
            lingered => lingered.inspect_err(|_| self.let_go()),
        }
    }

    /// Waits a moment, awake, until `least` bytes are ready; where the peers are at work, until there are more.
    #[cfg(not(loom))]
    pub(crate) fn look_closely(&self, least: usize, strategy: Strategy) {
        let ahead = heels::ahead(self.capacity(), 1);
        let near = || -> Result<usize, core::convert::Infallible> { Ok(self.near()) };
        let _ = heels::closely(strategy, least, ahead, near);
    }

    /// Waits until `least` bytes are ready and the turn is in hand; how many are.
    #[cold]
    pub(crate) fn wait(
        &mut self,
        least: usize,
        patience: Patience,
        until: Option<Deadline>,
    ) -> Result<usize, Stop> {
        self.waiting(patience, |waiter, member| {
            waiter.wait(until, || member.look(least))
        })
    }

    /// Looks without waiting, asking the kernel about the peers and about whoever is in the way.
    #[cold]
    pub(crate) fn judge(
        &mut self,
        least: usize,
        patience: Patience,
    ) -> Result<Option<usize>, Stop> {
        self.waiting(patience, |waiter, member| {
            waiter
                .judge(&mut || member.look(least))
                .map(|(found, _)| found)
        })
    }

    /// Waits until the other role has somebody, or has had since there were `seen` of them.
    #[cold]
    pub(crate) fn wait_for_peers(
        &mut self,
        seen: u64,
        patience: Patience,
        until: Option<Deadline>,
    ) -> Result<(), Stop> {
        self.waiting(patience, |waiter, member| {
            waiter.wait(until, || {
                let come = member.peers_ever() != seen || member.peers()? > 0;
                Ok(if come {
                    Sight::Found(())
                } else {
                    Sight::Nothing
                })
            })
        })?;
        // One that came releases all who wait.
        self.crew().wake_one(self.role, Some(self.number))?;
        Ok(())
    }

    /// Waits until `least` bytes are ready, without taking the turn; or until more than `seen` have ever come to the other role.
    #[cold]
    pub(crate) fn wait_near(
        &mut self,
        least: usize,
        seen: Option<u64>,
        patience: Patience,
        until: Option<Deadline>,
    ) -> Result<(), Stop> {
        self.waiting(patience, |waiter, member| {
            waiter.wait(until, || {
                let near = member.near();
                let come = seen.is_some_and(|seen| seen != member.peers_ever());
                Ok(if near >= least || come {
                    Sight::Found(())
                } else {
                    short(near)
                })
            })
        })?;
        // Whoever waited for it in order to use it.
        self.crew().wake_one(self.role, Some(self.number))?;
        Ok(())
    }

    fn waiting<R>(
        &mut self,
        patience: Patience,
        wait: impl FnOnce(Waiter<'_>, &mut Self) -> Result<R, Stop>,
    ) -> Result<R, Stop> {
        let (board, parking) = (self.board.clone(), Arc::clone(&self.parking));
        let waiter = Waiter {
            crew: Crew {
                board: &board,
                parking: &*parking,
                fence: self.fence,
                estate: Estate::Turn,
            },
            role: self.role,
            number: self.number,
            patience,
        };
        wait(waiter, self)
    }
}

/// What there is, where it is too little.
fn short<R>(room: usize) -> Sight<R> {
    match room {
        0 => Sight::Nothing,
        _ => Sight::Short(None),
    }
}
