//! One side of a ring with one producer and one consumer.
//!
//! The two sides mirror each other: each moves an index of its own up to a bound that the peer's index sets. So
//! there is one body, [`Side`], and [`End`] says what differs.

use core::marker::PhantomData;

use super::cursor::{self, Corrupt, Run};
#[cfg(not(loom))]
use super::handshake::Strategy;
use super::handshake::{self, Patience, Stop, Waiter};
#[cfg(not(loom))]
use super::heels;
use super::{Fault, Parking, Role, roster};
use crate::item::Item;
use crate::memory::{Control, View};
use crate::parking::{Deadline, Fence, Pulse};
use crate::sync::{Arc, AtomicU64, Ordering};

/// What tells the producer's side from the consumer's.
pub(crate) trait End: core::fmt::Debug {
    const ROLE: Role;
    /// The index that this side moves.
    fn own(control: &Control) -> &AtomicU64;
    /// The index that the peer moves.
    fn peers(control: &Control) -> &AtomicU64;
    /// How far this side may move, given both indices.
    fn room(own: u64, peers: u64, capacity: usize) -> Result<usize, Corrupt>;
}

/// The producer's end: moves `produced`, up to `consumed + capacity`.
#[derive(Debug)]
pub(crate) struct Write;

impl End for Write {
    const ROLE: Role = Role::Producer;

    fn own(control: &Control) -> &AtomicU64 {
        &control.produced
    }

    fn peers(control: &Control) -> &AtomicU64 {
        &control.consumed
    }

    fn room(own: u64, peers: u64, capacity: usize) -> Result<usize, Corrupt> {
        Ok(capacity - cursor::used(own, peers, capacity)?)
    }
}

/// The consumer's end: moves `consumed`, up to `produced`.
#[derive(Debug)]
pub(crate) struct Read;

impl End for Read {
    const ROLE: Role = Role::Consumer;

    fn own(control: &Control) -> &AtomicU64 {
        &control.consumed
    }

    fn peers(control: &Control) -> &AtomicU64 {
        &control.produced
    }

    fn room(own: u64, peers: u64, capacity: usize) -> Result<usize, Corrupt> {
        cursor::used(peers, own, capacity)
    }
}

/// One side, attached. Not detached when dropped: whoever owns it does that, see [`Side::detach`].
#[derive(Debug)]
pub(crate) struct Side<T, E> {
    view: View<T>,
    parking: Arc<dyn Parking>,
    fence: Fence,
    /// This side's index: the truth, of which the word in the segment is a copy for the peer.
    own: u64,
    /// The slot of `own`; in `0..capacity`.
    slot: usize,
    /// Slots from `slot` on that are known to be this side's. The peer can only add to them.
    room: usize,
    pulse: Pulse,
    end: PhantomData<E>,
}

impl<T: Item, E: End> Side<T, E> {
    /// Takes the role and goes on where its last holder stopped; `None` when somebody lives in it.
    pub(crate) fn attach(view: View<T>, parking: Arc<dyn Parking>) -> Result<Option<Self>, Fault> {
        if !parking.attach(E::ROLE)? {
            return Ok(None);
        }
        let side = Self::resume(view, parking);
        roster::enter(side.view.control(), E::ROLE);
        handshake::forget_sleepers(side.view.control(), E::ROLE);
        Ok(Some(side))
    }

    fn resume(view: View<T>, parking: Arc<dyn Parking>) -> Self {
        // Relaxed, E4: the last holder's store came before its detach or death, which the semaphores ordered before
        // the attach that this comes after.
        let own = E::own(view.control()).load(Ordering::Relaxed);
        let slot = cursor::slot_of(own, view.capacity());
        let fence = Fence::of_publisher();
        Self {
            view,
            parking,
            fence,
            own,
            slot,
            room: 0,
            pulse: Pulse::default(),
            end: PhantomData,
        }
    }

    /// Gives the role up: in good order, or as a death would.
    pub(crate) fn detach(&self, in_good_order: bool) -> Result<(), Fault> {
        if in_good_order {
            roster::finish(self.view.control(), E::ROLE);
        }
        Ok(self.parking.detach(E::ROLE)?)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.view.capacity()
    }

    pub(crate) fn control(&self) -> &Control {
        self.view.control()
    }

    /// How many slots are known to be this side's, without a look at the peer's index.
    #[inline(always)]
    pub(crate) fn known_room(&self) -> usize {
        self.room
    }

    /// How many slots are this side's now: at least `wanted` if there are so many, counted anew if need be.
    #[inline(always)]
    pub(crate) fn room(&mut self, wanted: usize) -> Result<usize, Fault> {
        if self.room < wanted {
            self.look()
        } else {
            Ok(self.room)
        }
    }

    /// Counts anew from the peer's index.
    #[inline]
    fn look(&mut self) -> Result<usize, Fault> {
        // Acquire, E1 for a consumer, E2 for a producer. Loaded once, checked, then used.
        let peers = E::peers(self.view.control()).load(Ordering::Acquire);
        self.room = E::room(self.own, peers, self.view.capacity())?;
        if self.room > 0 {
            self.pulse.reset();
        }
        Ok(self.room)
    }

    /// The next `len` slots of this side. The caller has seen that much room.
    #[inline(always)]
    pub(crate) fn run(&self, len: usize) -> Run {
        assert!(len <= self.room, "a run is no longer than the room");
        Run {
            slot: self.slot,
            len,
        }
    }

    /// The next slot of this side. The caller has seen room for it.
    #[inline(always)]
    pub(crate) fn slot(&self) -> usize {
        self.slot
    }

    /// Hands the first `n` slots of this side to the peer, and wakes it if it sleeps.
    ///
    /// # Panics
    ///
    /// When `n` exceeds the room, which would hand out slots that are the peer's already.
    #[inline(always)]
    pub(crate) fn hand_over(&mut self, n: usize) {
        let slot = cursor::advance(self.slot, n, self.view.capacity());
        self.hand_over_to(slot, n);
    }

    /// The same of one slot.
    #[inline(always)]
    fn hand_over_one(&mut self) {
        let slot = cursor::next(self.slot, self.view.capacity());
        self.hand_over_to(slot, 1);
    }

    /// The same of the `n` slots before `slot`.
    #[inline(always)]
    fn hand_over_to(&mut self, slot: usize, n: usize) {
        assert!(n <= self.room, "a side hands over what it has");
        self.room -= n;
        self.own = self.own.wrapping_add(n as u64);
        self.slot = slot;
        let control = self.view.control();
        // Release, E1 for a producer, E2 for a consumer; and the first half of E3.
        E::own(control).store(self.own, Ordering::Release);
        self.fence.light();
        if handshake::anyone_asleep(control, E::ROLE.peer()) {
            self.wake_peer();
        }
    }

    #[cold]
    fn wake_peer(&self) {
        // A fault (the semaphores were removed) does not undo the hand-over. The peer learns of it from its own
        // sleep, this side when it next waits.
        let _ = handshake::wake_one(self.view.control(), &*self.parking, E::ROLE.peer());
    }

    /// Looks whether `wanted` slots are this side's, for no longer than a peer at work lets it wait.
    #[cfg(not(loom))]
    pub(crate) fn look_closely(
        &mut self,
        wanted: usize,
        strategy: Strategy,
    ) -> Result<Option<usize>, Fault> {
        let ahead = heels::ahead(self.capacity(), size_of::<T>());
        heels::closely(strategy, wanted, ahead, || self.look())
    }

    /// Waits until at least `wanted` slots are this side's; returns how many are.
    #[cold]
    pub(crate) fn wait(
        &mut self,
        wanted: usize,
        patience: Patience,
        until: Option<Deadline>,
    ) -> Result<usize, Stop> {
        let (view, parking) = (self.view.clone(), Arc::clone(&self.parking));
        let waiter = Waiter {
            control: view.control(),
            parking: &*parking,
            role: E::ROLE,
            patience,
        };
        waiter.wait(until, || {
            let room = self.look()?;
            Ok((room >= wanted).then_some(room))
        })
    }

    /// For operations that do not wait and found nothing: whether to call the peer gone.
    ///
    /// Asks the kernel now and then only, see [`Pulse`], unless the roster says already that the peer left.
    #[cold]
    pub(crate) fn poll_gone(&mut self) -> Result<bool, Fault> {
        let known = roster::known_gone(self.view.control(), E::ROLE.peer());
        if !known && !self.pulse.due() {
            return Ok(false);
        }
        self.peer_gone()
    }

    /// What became of the peer, asking the kernel.
    pub(crate) fn look_at_peer(&self) -> Result<(bool, roster::Entry), Fault> {
        Ok(handshake::look_at_peer(
            self.view.control(),
            &*self.parking,
            E::ROLE,
        )?)
    }

    /// Whether the peer was there and is gone, asking the kernel.
    pub(crate) fn peer_gone(&self) -> Result<bool, Fault> {
        Ok(handshake::peer_gone(
            self.view.control(),
            &*self.parking,
            E::ROLE,
        )?)
    }

    /// Whether the peer is known to have gone: one load, no system call; [`Side::peer_gone`] makes sure.
    #[inline(always)]
    pub(crate) fn peer_known_gone(&self) -> bool {
        roster::known_gone(self.view.control(), E::ROLE.peer())
    }
}

impl<T: Item> Side<T, Write> {
    /// Writes one item and publishes it. The caller has seen room.
    #[inline(always)]
    pub(crate) fn push(&mut self, item: T) {
        self.view.put(self.slot(), item);
        self.hand_over_one();
    }

    /// The next `len` free slots in place, cut where the ring wraps. The caller has seen so much room.
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn slices_mut(&mut self, len: usize) -> (&mut [T], &mut [T]) {
        let run = self.run(len);
        self.view.slices_mut(run)
    }

    /// Writes items into free slots from the `offset`th on, without publishing them. The caller has seen room.
    #[inline]
    pub(crate) fn fill(&mut self, offset: usize, items: &[T]) {
        let run = self
            .run(offset + items.len())
            .skip(offset, self.view.capacity());
        self.view.put_run(run, items);
    }

    /// Writes the items and publishes them together. The caller has seen room for all.
    #[inline]
    pub(crate) fn push_run(&mut self, items: &[T]) {
        self.view.put_run(self.run(items.len()), items);
        self.hand_over(items.len());
    }
}

impl<T: Item> Side<T, Read> {
    /// Reads one item and releases its slot. The caller has seen an item.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> T {
        let item = self.view.get(self.slot());
        self.hand_over_one();
        item
    }

    /// The next `len` items in place, cut where the ring wraps. The caller has seen so many.
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn slices(&self, len: usize) -> (&[T], &[T]) {
        self.view.slices(self.run(len))
    }

    /// Reads as many items as `into` is long and releases their slots together. The caller has seen so many.
    #[inline]
    pub(crate) fn pop_run(&mut self, into: &mut [T]) {
        self.view.get_run(self.run(into.len()), into);
        self.hand_over(into.len());
    }
}
