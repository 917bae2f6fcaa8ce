//! A producer's handle.

use core::fmt;
use std::time::Duration;

use super::handle::{Handle, Peers};
use crate::error::{
    Fault, PushError, PushSliceError, PushSliceTimeoutError, PushTimeoutError, TryPushError,
};
use crate::halt::{after, wait_until};
use crate::item::Item;
use crate::ring::many::{Hold, Wish};
use crate::ring::{PeerLoss, Role, Run, Strategy};

const ONE: Wish = Wish { least: 1, most: 1 };

/// One who pushes. Made by [`Ring::producer`](super::Ring::producer).
///
/// Dropping it is an end in good order, unless a panic is why; [`Producer::abandon`] ends as a death does. A push
/// that finds room does not ask whether anybody reads; that the last consumer has *ended* is noticed by
/// the next push, that it was *killed* at the latest when the ring is full.
///
/// It can move to another thread. A forked child cannot use it ([`Fault::Forked`]).
pub struct Producer<T: Item> {
    handle: Handle<T>,
}

impl<T: Item> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.show(f, "Producer")
    }
}

impl<T: Item> Producer<T> {
    pub(super) fn new(handle: Handle<T>) -> Self {
        Self { handle }
    }

    #[inline(always)]
    fn put(&mut self, hold: Hold, item: T) {
        self.handle.items.put(hold.place.slot, item);
        self.handle.member.publish(hold, 1);
    }

    #[inline(always)]
    fn put_run(&mut self, hold: Hold, items: &[T]) {
        self.handle.items.put_run(run(hold), items);
        self.handle.member.publish(hold, hold.len);
    }

    /// Pushes an item, waiting for room.
    ///
    /// # Errors
    ///
    /// [`PushError::Disconnected`] when consumers were there and all are gone, unless [`PeerLoss::Wait`] is chosen;
    /// [`PushError::Interrupted`] if the handle is interruptible; [`PushError::Fault`]. Each gives the item back.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        if let Some(hold) = self.handle.claim_next(Role::Producer, ONE) {
            self.put(hold, item);
            Ok(())
        } else {
            self.push_looking(item)
        }
    }

    /// What `push` does where something is in the way, out of line so that what it claims else stays in registers.
    #[inline(never)]
    fn push_looking(&mut self, item: T) -> Result<(), PushError<T>> {
        if let Some(hold) = self.handle.claim_at_once(Role::Producer, ONE) {
            self.put(hold, item);
            Ok(())
        } else {
            self.push_waiting(item)
        }
    }

    /// The slow path of `push`.
    #[cold]
    #[inline(never)]
    fn push_waiting(&mut self, item: T) -> Result<(), PushError<T>> {
        match self.handle.claim(ONE, None) {
            Ok(hold) => {
                self.put(hold, item);
                Ok(())
            }
            Err(halt) => Err(halt.push(item)),
        }
    }

    /// Pushes an item if there is room now.
    ///
    /// Makes no system call, but for waking a sleeper and, when the ring stays full for some milliseconds, for asking
    /// whether somebody died.
    ///
    /// # Errors
    ///
    /// [`TryPushError::Full`], [`TryPushError::Disconnected`], [`TryPushError::Fault`]. Each gives the item back.
    #[inline]
    pub fn try_push(&mut self, item: T) -> Result<(), TryPushError<T>> {
        let hold = match self.handle.claim_at_once(Role::Producer, ONE) {
            Some(hold) => hold,
            None => match self.handle.claim_now(ONE) {
                Ok(hold) => hold,
                Err(halt) => return Err(halt.try_push(item)),
            },
        };
        self.put(hold, item);
        Ok(())
    }

    /// Pushes an item, waiting for room no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`PushTimeoutError::Timeout`] and those of [`Producer::push`]. Each gives the item back.
    pub fn push_timeout(&mut self, item: T, timeout: Duration) -> Result<(), PushTimeoutError<T>> {
        let hold = match self.handle.claim_at_once(Role::Producer, ONE) {
            Some(hold) => hold,
            None => match self.handle.claim(ONE, after(timeout)) {
                Ok(hold) => hold,
                Err(halt) => return Err(halt.push_timeout(item)),
            },
        };
        self.put(hold, item);
        Ok(())
    }

    /// Pushes all items, in runs of at most [`Producer::run_limit`], waiting for the room of each.
    ///
    /// A run is one transaction: its items are next to each other, and it is there whole or, if this process dies
    /// before it is, not at all. No slot is kept for a run that waits: producers of single items may keep it waiting.
    ///
    /// # Errors
    ///
    /// [`PushSliceError`] says how many items were pushed before what went wrong.
    #[inline]
    pub fn push_slice(&mut self, items: &[T]) -> Result<(), PushSliceError> {
        let mut pushed = 0;
        for run in items.chunks(self.run_limit()) {
            let wish = Wish {
                least: run.len(),
                most: run.len(),
            };
            let hold = match self.handle.claim_at_once(Role::Producer, wish) {
                Some(hold) => hold,
                None => self
                    .wait(wish)
                    .map_err(|cause| PushSliceError { pushed, cause })?,
            };
            self.put_run(hold, run);
            pushed += run.len();
        }
        Ok(())
    }

    /// As [`Producer::push_slice`], waiting for room no longer than `timeout` in all.
    ///
    /// # Errors
    ///
    /// [`PushSliceTimeoutError`] says how many items were pushed before what went wrong.
    pub fn push_slice_timeout(
        &mut self,
        items: &[T],
        timeout: Duration,
    ) -> Result<(), PushSliceTimeoutError> {
        let (until, mut pushed) = (after(timeout), 0);
        for run in items.chunks(self.run_limit()) {
            let (least, most) = (run.len(), run.len());
            let wish = Wish { least, most };
            let hold = match self.handle.claim_at_once(Role::Producer, wish) {
                Some(hold) => hold,
                None => self.handle.claim(wish, until).map_err(|halt| {
                    let cause = halt.push_timeout(());
                    PushSliceTimeoutError { pushed, cause }
                })?,
            };
            self.put_run(hold, run);
            pushed += run.len();
        }
        Ok(())
    }

    #[cold]
    fn wait(&mut self, wish: Wish) -> Result<Hold, PushError<()>> {
        self.handle.claim(wish, None).map_err(|halt| halt.push(()))
    }

    /// Pushes as many items as there is room for now, from the first on, but no more than a run; returns how many, which may be 0.
    ///
    /// They are published together, as one run.
    ///
    /// # Errors
    ///
    /// [`TryPushError::Disconnected`], [`TryPushError::Fault`].
    #[inline]
    pub fn try_push_slice(&mut self, items: &[T]) -> Result<usize, TryPushError<()>> {
        if items.is_empty() {
            return Ok(0);
        }
        match self.claim_some(items.len()) {
            Ok(hold) => {
                self.put_run(hold, &items[..hold.len]);
                Ok(hold.len)
            }
            Err(TryPushError::Full(())) => Ok(0),
            Err(error) => Err(error),
        }
    }

    #[inline]
    fn claim_some(&mut self, most: usize) -> Result<Hold, TryPushError<()>> {
        let wish = Wish { least: 1, most };
        match self.handle.claim_at_once(Role::Producer, wish) {
            Some(hold) => Ok(hold),
            None => self
                .handle
                .claim_now(wish)
                .map_err(|halt| halt.try_push(())),
        }
    }

    /// Room for `n` items in the ring itself, to be filled in place; waits until there is so much.
    ///
    /// `n` is taken for the run limit if it is larger, and for 1 if it is 0. Consumers wait for the room, and for all that other
    /// producers push behind it, so fill it soon. Nothing is pushed until [`Room::commit`]; dropping the room,
    /// or dying with it, gives it back.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::push`].
    ///
    /// # Examples
    ///
    /// ```
    /// let ring = ringpipe::mpmc::Ring::<u32>::in_process(8)?;
    /// let (mut tx, mut rx) = (ring.producer()?, ring.consumer()?);
    ///
    /// let mut room = tx.reserve(3)?;
    /// room.write(&[1, 2, 3]);
    /// room.commit(2); // the third is not wanted after all
    ///
    /// assert_eq!((rx.pop()?, rx.pop()?), (1, 2));
    /// assert!(rx.try_pop().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn reserve(&mut self, n: usize) -> Result<Room<'_, T>, PushError<()>> {
        let wish = self.exactly(n);
        let hold = match self.handle.claim_at_once(Role::Producer, wish) {
            Some(hold) => hold,
            None => self.wait(wish)?,
        };
        Ok(self.room(hold))
    }

    /// The same, waiting no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::push_timeout`].
    pub fn reserve_timeout(
        &mut self,
        n: usize,
        timeout: Duration,
    ) -> Result<Room<'_, T>, PushTimeoutError<()>> {
        let wish = self.exactly(n);
        let hold = match self.handle.claim_at_once(Role::Producer, wish) {
            Some(hold) => hold,
            None => self
                .handle
                .claim(wish, after(timeout))
                .map_err(|halt| halt.push_timeout(()))?,
        };
        Ok(self.room(hold))
    }

    /// Room in the ring without waiting, as much as there is now: at least 1, at most `n` or a run.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::try_push`].
    #[inline]
    pub fn try_reserve(&mut self, n: usize) -> Result<Room<'_, T>, TryPushError<()>> {
        let hold = self.claim_some(n.max(1))?;
        Ok(self.room(hold))
    }

    fn exactly(&self, n: usize) -> Wish {
        let n = n.clamp(1, self.run_limit());
        Wish { least: n, most: n }
    }

    #[inline]
    fn room(&mut self, hold: Hold) -> Room<'_, T> {
        self.handle.member.keep_hold(hold);
        Room {
            handle: &mut self.handle,
            hold,
            filled: 0,
        }
    }

    /// How many items the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.handle.member.capacity()
    }

    /// The longest run that is pushed at once: the capacity, or 4095 if that is less.
    #[inline]
    pub fn run_limit(&self) -> usize {
        self.handle.member.run_limit()
    }

    /// How many items are in the ring that nobody has taken: see [`Ring::len`](super::Ring::len).
    pub fn len(&self) -> usize {
        self.handle.len()
    }

    /// Whether the ring is empty at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether as many items are in the ring as it holds. Slots in a consumer's hands are not free, although their items do not count.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Its number among the participants, from 1 up.
    pub fn number(&self) -> usize {
        self.handle.member.number().into()
    }

    /// Waits until a consumer is there, no longer than `timeout`; whether one is.
    ///
    /// Looks once a millisecond, so it is for the beginning and not for each item. It cannot be interrupted.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::peers`].
    pub fn wait_for_peer(&self, timeout: Duration) -> Result<bool, Fault> {
        wait_until(after(timeout), || Ok(self.peers()?.alive > 0))
    }

    /// What is known of the consumers. Asks the kernel.
    ///
    /// # Errors
    ///
    /// [`Fault::Forked`], [`Fault::Removed`].
    pub fn peers(&self) -> Result<Peers, Fault> {
        self.handle.peers()
    }

    /// Whether consumers were there and all are gone. Asks the kernel.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::peers`].
    pub fn is_disconnected(&self) -> Result<bool, Fault> {
        self.handle.is_disconnected()
    }

    /// How this handle waits. [`Strategy::SpinThenSleep`] unless set.
    pub fn set_strategy(&mut self, strategy: Strategy) {
        self.handle.set_strategy(strategy);
    }

    /// What the loss of all consumers means to this handle. [`PeerLoss::Disconnect`] unless set.
    pub fn set_peer_loss(&mut self, peer_loss: PeerLoss) {
        self.handle.set_peer_loss(peer_loss);
    }

    /// Whether a signal ends a wait in the kernel with `Interrupted`. If not, as at first, the wait goes on.
    pub fn set_interruptible(&mut self, interruptible: bool) {
        self.handle.set_interruptible(interruptible);
    }

    /// Leaves in good order, as dropping does, and says if that went wrong.
    ///
    /// # Errors
    ///
    /// [`Fault::Forked`], [`Fault::Removed`].
    pub fn finish(mut self) -> Result<(), Fault> {
        self.handle.end(true)
    }

    /// Leaves as a death would: it is counted among the dead ([`Peers::deaths`]).
    pub fn abandon(mut self) {
        // An error means that there is nothing to leave.
        let _ = self.handle.end(false);
    }
}

pub(super) fn run(hold: Hold) -> Run {
    Run {
        slot: hold.place.slot,
        len: hold.len,
    }
}

/// Free slots of a ring, to be filled in place.
///
/// Its methods panic in a forked child: the slots are the parent's, and writing them would spoil what that one writes.
#[must_use = "nothing is pushed until the room is committed"]
pub struct Room<'a, T: Item> {
    handle: &'a mut Handle<T>,
    hold: Hold,
    /// How many slots `write` has filled.
    filled: usize,
}

impl<T: Item> fmt::Debug for Room<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("len", &self.len()).finish()
    }
}

impl<T: Item> Room<'_, T> {
    /// How many items it has room for.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.hold.len
    }

    /// Copies items in, behind those of the last `write`; returns how many there was room for.
    #[inline]
    pub fn write(&mut self, items: &[T]) -> usize {
        self.handle.assert_not_forked();
        let now = items.len().min(self.hold.len - self.filled);
        let to = Run {
            len: self.filled + now,
            ..run(self.hold)
        };
        let to = to.skip(self.filled, self.handle.member.capacity());
        self.handle.items.put_run(to, &items[..now]);
        self.filled += now;
        now
    }

    /// The slots themselves, cut where the ring wraps: fill the first part, then the second.
    ///
    /// They hold what was there before: old items, or zeroes.
    #[inline]
    pub fn as_mut_slices(&mut self) -> (&mut [T], &mut [T]) {
        self.handle.assert_not_forked();
        self.handle.items.slices_mut(run(self.hold))
    }

    /// Publishes the first `n` slots, together, and gives the others back.
    ///
    /// # Panics
    ///
    /// When `n` is larger than [`Room::len`].
    #[inline]
    pub fn commit(self, n: usize) {
        let len = self.hold.len;
        assert!(n <= len, "cannot commit {n} items in room for {len}");
        self.handle.assert_not_forked();
        self.handle.member.publish(self.hold, n);
    }

    /// Publishes what [`Room::write`] has written.
    #[inline]
    pub fn commit_written(self) {
        let filled = self.filled;
        self.commit(filled);
    }
}

impl<T: Item> Drop for Room<'_, T> {
    /// Gives back what was not committed.
    #[inline]
    fn drop(&mut self) {
        self.handle.give_back();
    }
}
