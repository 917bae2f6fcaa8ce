//! The producer's handle.

use core::fmt;
use std::time::Duration;

use super::handle::{Handle, Peer, is_small};
use crate::error::{
    Fault, PushError, PushSliceError, PushSliceTimeoutError, PushTimeoutError, TryPushError,
};
use crate::halt::{after, wait_until};
use crate::item::Item;
use crate::mpmc::Peers;
use crate::ring::{PeerLoss, Side, Strategy, Write};

/// The one who pushes. Made by [`Ring::producer`](super::Ring::producer).
///
/// Dropping it ends the feed in good order, unless a panic is why; [`Producer::abandon`] ends it as a death does. A push
/// that finds room does not ask whether anybody reads; that a consumer has *ended* is noticed by
/// the next push, that it was *killed* at the latest when the ring is full.
///
/// It can move to another thread. A forked child cannot use it ([`Fault::Forked`]).
pub struct Producer<T: Item> {
    handle: Handle<T, Write>,
}

impl<T: Item> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.show(f, "Producer")
    }
}

impl<T: Item> Producer<T> {
    pub(super) fn new(handle: Handle<T, Write>) -> Self {
        Self { handle }
    }

    /// Pushes an item, waiting for room.
    ///
    /// # Errors
    ///
    /// [`PushError::Disconnected`] when the consumer was there and is gone, unless [`PeerLoss::Wait`] is chosen;
    /// [`PushError::Interrupted`] if the handle is interruptible; [`PushError::Fault`]. Each gives the item back.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), PushError<T>> {
        if !self.handle.has_at_hand(1) {
            if is_small::<T>() {
                return self.push_waiting(item);
            }
            if let Err(halt) = self.handle.wait(1, None) {
                return Err(halt.push(item));
            }
        }
        self.handle.side.push(item);
        Ok(())
    }

    /// The slow path of `push` for a small item. It ends by itself, which makes the fast one faster; a large item would be
    /// copied once more for it, also where it is not taken.
    #[cold]
    #[inline(never)]
    fn push_waiting(&mut self, item: T) -> Result<(), PushError<T>> {
        match self.handle.wait(1, None) {
            Ok(_) => {
                self.handle.side.push(item);
                Ok(())
            }
            Err(halt) => Err(halt.push(item)),
        }
    }

    /// Pushes an item if there is room now.
    ///
    /// Makes no system call, but for waking a sleeping consumer and, when the ring stays full for some
    /// milliseconds, for asking whether the consumer lives.
    ///
    /// # Errors
    ///
    /// [`TryPushError::Full`], [`TryPushError::Disconnected`], [`TryPushError::Fault`]. Each gives the item back.
    #[inline]
    pub fn try_push(&mut self, item: T) -> Result<(), TryPushError<T>> {
        if !self.handle.clear_for(1)
            && let Err(halt) = self.handle.try_now(1)
        {
            return Err(halt.try_push(item));
        }
        self.handle.side.push(item);
        Ok(())
    }

    /// Pushes an item, waiting for room no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`PushTimeoutError::Timeout`] and those of [`Producer::push`]. Each gives the item back.
    pub fn push_timeout(&mut self, item: T, timeout: Duration) -> Result<(), PushTimeoutError<T>> {
        if !self.handle.has_at_hand(1)
            && let Err(halt) = self.handle.wait(1, after(timeout))
        {
            return Err(halt.push_timeout(item));
        }
        self.handle.side.push(item);
        Ok(())
    }

    /// Pushes all items, waiting for room as often as needed.
    ///
    /// What fits at a time is published together; a slice that does not fit at once reaches the consumer in pieces.
    ///
    /// # Errors
    ///
    /// [`PushSliceError`] says how many items were pushed before what went wrong.
    #[inline]
    pub fn push_slice(&mut self, items: &[T]) -> Result<(), PushSliceError> {
        let mut pushed = 0;
        while pushed < items.len() {
            let rest = &items[pushed..];
            let room = self
                .some_room(rest.len())
                .map_err(|cause| PushSliceError { pushed, cause })?;
            let (now, _) = rest.split_at(room.min(rest.len()));
            self.handle.side.push_run(now);
            pushed += now.len();
        }
        Ok(())
    }

    /// Pushes all items, waiting for room no longer than `timeout` in all.
    ///
    /// # Errors
    ///
    /// [`PushSliceTimeoutError`] says how many items were pushed before what went wrong.
    pub fn push_slice_timeout(
        &mut self,
        items: &[T],
        timeout: Duration,
    ) -> Result<(), PushSliceTimeoutError> {
        let until = after(timeout);
        let mut rest = items;
        while !rest.is_empty() {
            if self.handle.has_at_hand(1) {
                self.handle.count_for(rest.len());
            } else if let Err(halt) = self.handle.wait(1, until) {
                let (pushed, cause) = (items.len() - rest.len(), halt.push_timeout(()));
                return Err(PushSliceTimeoutError { pushed, cause });
            }
            let now;
            (now, rest) = rest.split_at(self.handle.side.known_room().min(rest.len()));
            self.handle.side.push_run(now);
        }
        Ok(())
    }

    /// Pushes as many items as there is room for now, from the first on; returns how many, which may be 0.
    ///
    /// They are published together: the consumer sees all of them or, if this process dies before, none.
    ///
    /// # Errors
    ///
    /// [`TryPushError::Disconnected`], [`TryPushError::Fault`].
    #[inline]
    pub fn try_push_slice(&mut self, items: &[T]) -> Result<usize, TryPushError<()>> {
        if !self.handle.clear_for(items.len()) {
            match self
                .handle
                .try_now(items.len())
                .map_err(|halt| halt.try_push(()))
            {
                Ok(_) => {}
                Err(TryPushError::Full(())) => return Ok(0),
                Err(error) => return Err(error),
            }
        }
        let now = items.len().min(self.handle.side.known_room());
        self.handle.side.push_run(&items[..now]);
        Ok(now)
    }

    /// Room for `n` items in the ring itself, to be filled in place; waits until there is so much.
    ///
    /// `n` is taken for the capacity if it is larger, and for 1 if it is 0. Nothing is pushed until [`Room::commit`]; dropping
    /// the room, or dying with it, leaves the ring as it was.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::push`].
    ///
    /// # Examples
    ///
    /// ```
    /// let ring = ringpipe::spsc::Ring::<u32>::in_process(8)?;
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
        let len = n.min(self.capacity()).max(1);
        if !self.handle.has_at_hand(len) {
            self.handle.wait(len, None).map_err(|halt| halt.push(()))?;
        }
        Ok(Room {
            handle: &mut self.handle,
            len,
            filled: 0,
        })
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
        let len = n.min(self.capacity()).max(1);
        if !self.handle.has_at_hand(len) {
            self.handle
                .wait(len, after(timeout))
                .map_err(|halt| halt.push_timeout(()))?;
        }
        Ok(Room {
            handle: &mut self.handle,
            len,
            filled: 0,
        })
    }

    /// Room in the ring without waiting, as much as there is now: at least 1, at most `n`.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::try_push`].
    #[inline]
    pub fn try_reserve(&mut self, n: usize) -> Result<Room<'_, T>, TryPushError<()>> {
        let wanted = n.max(1);
        if !self.handle.clear_for(wanted) {
            self.handle
                .try_now(wanted)
                .map_err(|halt| halt.try_push(()))?;
        }
        let len = wanted.min(self.handle.side.known_room());
        Ok(Room {
            handle: &mut self.handle,
            len,
            filled: 0,
        })
    }

    /// Waits for some room; returns how much there is, asking anew unless `wanted` is known to be there.
    #[inline]
    fn some_room(&mut self, wanted: usize) -> Result<usize, PushError<()>> {
        if self.handle.has_at_hand(1) {
            self.handle.count_for(wanted);
        } else {
            self.handle.wait(1, None).map_err(|halt| halt.push(()))?;
        }
        Ok(self.handle.side.known_room())
    }

    /// How many items the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.handle.side.capacity()
    }

    /// How many items are in the ring. The consumer can only make it less.
    pub fn len(&self) -> usize {
        self.handle.len()
    }

    /// Whether the ring is empty. Stays true until this side pushes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the ring is full at this moment.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Waits until a consumer is there, no longer than `timeout`; whether one is.
    ///
    /// Looks once a millisecond, so it is for the beginning and not for each item. It cannot be interrupted.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::peer`].
    pub fn wait_for_peer(&self, timeout: Duration) -> Result<bool, Fault> {
        wait_until(after(timeout), || Ok(self.peers()?.alive > 0))
    }

    /// How many consumers there are (0 or 1), ever were, and were found dead. Asks the kernel.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::peer`].
    pub fn peers(&self) -> Result<Peers, Fault> {
        self.handle.peers()
    }

    /// What is known of the consumer. Asks the kernel.
    ///
    /// # Errors
    ///
    /// [`Fault::Forked`], [`Fault::Removed`].
    pub fn peer(&self) -> Result<Peer, Fault> {
        self.handle.peer()
    }

    /// Whether a consumer was there and is gone. Asks the kernel.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::peer`].
    pub fn is_disconnected(&self) -> Result<bool, Fault> {
        self.handle.is_disconnected()
    }

    /// How this handle waits. [`Strategy::SpinThenSleep`] unless set.
    pub fn set_strategy(&mut self, strategy: Strategy) {
        self.handle.set_strategy(strategy);
    }

    /// What the loss of a consumer means to this handle. [`PeerLoss::Disconnect`] unless set.
    pub fn set_peer_loss(&mut self, peer_loss: PeerLoss) {
        self.handle.set_peer_loss(peer_loss);
    }

    /// Whether a signal ends a wait in the kernel with `Interrupted`. If not, as at first, the wait goes on.
    pub fn set_interruptible(&mut self, interruptible: bool) {
        self.handle.set_interruptible(interruptible);
    }

    /// Ends the feed in good order, as dropping does, and says if that went wrong.
    ///
    /// # Errors
    ///
    /// [`Fault::Forked`], [`Fault::Removed`].
    pub fn finish(mut self) -> Result<(), Fault> {
        self.handle.end(true)
    }

    /// Ends the feed as a death would: the consumer is told that it is not complete ([`Peer::Died`]).
    pub fn abandon(mut self) {
        // An error means that there is no role to give up.
        let _ = self.handle.end(false);
    }
}

/// Free slots of a ring, to be filled in place.
///
/// Its methods panic in a forked child: the slots are the parent's, and writing them would spoil what that one writes.
#[must_use = "nothing is pushed until the room is committed"]
pub struct Room<'a, T: Item> {
    handle: &'a mut Handle<T, Write>,
    len: usize,
    /// How many slots `write` has filled.
    filled: usize,
}

impl<T: Item> fmt::Debug for Room<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room")
            .field("len", &self.len)
            .field("written", &self.filled)
            .finish()
    }
}

impl<T: Item> Room<'_, T> {
    /// How many items it has room for.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Copies items in, behind those of the last `write`; returns how many there was room for.
    #[inline]
    pub fn write(&mut self, items: &[T]) -> usize {
        let now = items.len().min(self.len - self.filled);
        let filled = self.filled;
        self.side().fill(filled, &items[..now]);
        self.filled += now;
        now
    }

    /// The slots themselves, cut where the ring wraps: fill the first part, then the second.
    ///
    /// They hold what was there before: old items, or zeroes.
    #[inline]
    pub fn as_mut_slices(&mut self) -> (&mut [T], &mut [T]) {
        let len = self.len;
        self.side().slices_mut(len)
    }

    /// Publishes the first `n` slots, together, and gives the others back.
    ///
    /// # Panics
    ///
    /// When `n` is larger than [`Room::len`].
    #[inline]
    pub fn commit(mut self, n: usize) {
        assert!(
            n <= self.len,
            "cannot commit {n} items in room for {}",
            self.len
        );
        self.side().hand_over(n);
    }

    /// Publishes what [`Room::write`] has written.
    #[inline]
    pub fn commit_written(self) {
        let filled = self.filled;
        self.commit(filled);
    }

    /// The side, in the process that it belongs to.
    #[inline(always)]
    fn side(&mut self) -> &mut Side<T, Write> {
        self.handle.assert_not_forked();
        &mut self.handle.side
    }
}
