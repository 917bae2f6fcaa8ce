//! The consumer's handle.

use core::fmt;
use core::ops::Index;
use core::slice;
use std::time::Duration;

use super::handle::{Handle, Peer, is_small};
use crate::error::{Fault, PopError, PopTimeoutError, TryPopError};
use crate::halt::{Halt, after, wait_until};
use crate::item::Item;
use crate::iter::{Pop, item_of};
use crate::mpmc::Peers;
use crate::ring::{PeerLoss, Read, Strategy};

/// The one who pops. Made by [`Ring::consumer`](super::Ring::consumer).
///
/// A consumer that comes first waits for the first producer. Once a producer was there and is gone, and everything it
/// left was taken, operations end with `Disconnected`, or wait for the next producer: see
/// [`Consumer::set_peer_loss`]. It is no latch: a new producer revives the feed.
///
/// It can move to another thread. A forked child cannot use it ([`Fault::Forked`]).
pub struct Consumer<T: Item> {
    handle: Handle<T, Read>,
}

impl<T: Item> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.show(f, "Consumer")
    }
}

impl<T: Item> Consumer<T> {
    pub(super) fn new(handle: Handle<T, Read>) -> Self {
        Self { handle }
    }

    /// Takes the next item, waiting for it.
    ///
    /// # Errors
    ///
    /// [`PopError::Disconnected`] when the producer was there and is gone and nothing is left, unless
    /// [`PeerLoss::Wait`] is chosen; [`PopError::Interrupted`] if the handle is interruptible; [`PopError::Fault`].
    #[inline]
    pub fn pop(&mut self) -> Result<T, PopError> {
        if !self.handle.has_at_hand(1) {
            if is_small::<T>() {
                return self.pop_waiting();
            }
            self.handle.wait(1, None).map_err(Halt::pop)?;
        }
        Ok(self.handle.side.pop())
    }

    /// The slow path of `pop` for a small item: see `push_waiting` of the producer.
    #[cold]
    #[inline(never)]
    fn pop_waiting(&mut self) -> Result<T, PopError> {
        self.handle.wait(1, None).map_err(Halt::pop)?;
        Ok(self.handle.side.pop())
    }

    /// Takes the next item if there is one now.
    ///
    /// Makes no system call, but for waking a sleeping producer and, when the ring stays empty for some
    /// milliseconds, for asking whether the producer lives.
    ///
    /// # Errors
    ///
    /// [`TryPopError::Empty`], [`TryPopError::Disconnected`], [`TryPopError::Fault`].
    #[inline]
    pub fn try_pop(&mut self) -> Result<T, TryPopError> {
        if !self.handle.clear_for(1) {
            self.handle.try_now(1).map_err(Halt::try_pop)?;
        }
        Ok(self.handle.side.pop())
    }

    /// Takes the next item, waiting for it no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`PopTimeoutError::Timeout`] and those of [`Consumer::pop`].
    pub fn pop_timeout(&mut self, timeout: Duration) -> Result<T, PopTimeoutError> {
        if !self.handle.has_at_hand(1) {
            self.handle
                .wait(1, after(timeout))
                .map_err(Halt::pop_timeout)?;
        }
        Ok(self.handle.side.pop())
    }

    /// Takes as many items as there are, at most as many as `into` holds; waits for the first. Returns how many.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::pop`].
    #[inline]
    pub fn pop_slice(&mut self, into: &mut [T]) -> Result<usize, PopError> {
        if into.is_empty() {
            return Ok(0);
        }
        let count = self.some_items(into.len())?;
        self.handle.side.pop_run(&mut into[..count]);
        Ok(count)
    }

    /// Takes as many items as there are, at most as many as `into` holds; waits for the first no longer than `timeout`. Returns
    /// how many.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::pop_timeout`].
    pub fn pop_slice_timeout(
        &mut self,
        into: &mut [T],
        timeout: Duration,
    ) -> Result<usize, PopTimeoutError> {
        if into.is_empty() {
            return Ok(0);
        }
        let count = self.peek_timeout(into.len(), timeout)?.len;
        self.handle.side.pop_run(&mut into[..count]);
        Ok(count)
    }

    /// Takes as many items as there are now, at most as many as `into` holds. Returns how many, which may be 0.
    ///
    /// # Errors
    ///
    /// [`TryPopError::Disconnected`], [`TryPopError::Fault`].
    #[inline]
    pub fn try_pop_slice(&mut self, into: &mut [T]) -> Result<usize, TryPopError> {
        if into.is_empty() {
            return Ok(0);
        }
        if !self.handle.clear_for(into.len()) {
            match self.handle.try_now(into.len()).map_err(Halt::try_pop) {
                Ok(_) => {}
                Err(TryPopError::Empty) => return Ok(0),
                Err(error) => return Err(error),
            }
        }
        let count = into.len().min(self.handle.side.known_room());
        self.handle.side.pop_run(&mut into[..count]);
        Ok(count)
    }

    /// The next items, at most `n`, in the ring itself; waits for the first.
    ///
    /// They stay in the ring until [`Items::release`]: dropping the items, or dying with them, loses none.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::pop`].
    ///
    /// # Examples
    ///
    /// ```
    /// let ring = ringpipe::spsc::Ring::<u32>::in_process(8)?;
    /// let (mut tx, mut rx) = (ring.producer()?, ring.consumer()?);
    /// tx.push_slice(&[1, 2, 3])?;
    ///
    /// let items = rx.peek(64)?;
    /// assert_eq!(items.iter().sum::<u32>(), 6);
    /// items.release(2);
    ///
    /// assert_eq!(rx.pop()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn peek(&mut self, n: usize) -> Result<Items<'_, T>, PopError> {
        let len = self.some_items(n.max(1))?;
        Ok(Items {
            handle: &mut self.handle,
            len,
        })
    }

    /// The same without waiting.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::try_pop`].
    #[inline]
    pub fn try_peek(&mut self, n: usize) -> Result<Items<'_, T>, TryPopError> {
        let wanted = n.max(1);
        if !self.handle.clear_for(wanted) {
            self.handle.try_now(wanted).map_err(Halt::try_pop)?;
        }
        let len = wanted.min(self.handle.side.known_room());
        Ok(Items {
            handle: &mut self.handle,
            len,
        })
    }

    /// The same, waiting no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::pop_timeout`].
    pub fn peek_timeout(
        &mut self,
        n: usize,
        timeout: Duration,
    ) -> Result<Items<'_, T>, PopTimeoutError> {
        let wanted = n.max(1);
        if self.handle.has_at_hand(1) {
            self.handle.count_for(wanted);
        } else {
            self.handle
                .wait(1, after(timeout))
                .map_err(Halt::pop_timeout)?;
        }
        let len = wanted.min(self.handle.side.known_room());
        Ok(Items {
            handle: &mut self.handle,
            len,
        })
    }

    /// Waits for an item; returns how many there are, at most `wanted`.
    #[inline]
    fn some_items(&mut self, wanted: usize) -> Result<usize, PopError> {
        if self.handle.has_at_hand(1) {
            self.handle.count_for(wanted);
        } else {
            self.handle.wait(1, None).map_err(Halt::pop)?;
        }
        Ok(wanted.min(self.handle.side.known_room()))
    }

    /// The items of the feed, each waited for; [`Iter::end`] says why there are no more.
    ///
    /// # Examples
    ///
    /// ```
    /// use ringpipe::PopError;
    ///
    /// let ring = ringpipe::spsc::Ring::<u32>::in_process(8)?;
    /// let (mut tx, mut rx) = (ring.producer()?, ring.consumer()?);
    /// tx.push_slice(&[1, 2, 3])?;
    /// drop(tx);
    ///
    /// let mut items = rx.iter();
    /// assert_eq!(items.by_ref().sum::<u32>(), 6);
    /// assert_eq!(items.end(), Some(PopError::Disconnected));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&mut self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// How many items the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.handle.side.capacity()
    }

    /// How many items are in the ring. The producer can only make it more.
    pub fn len(&self) -> usize {
        self.handle.len()
    }

    /// Whether the ring is empty at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the ring is full. Stays true until this side takes something.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Waits until a producer is there, no longer than `timeout`; whether one is.
    ///
    /// Looks once a millisecond, so it is for the beginning and not for each item. It cannot be interrupted.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::peer`].
    pub fn wait_for_peer(&self, timeout: Duration) -> Result<bool, Fault> {
        wait_until(after(timeout), || Ok(self.peers()?.alive > 0))
    }

    /// How many producers there are (0 or 1), ever were, and were found dead. Asks the kernel.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::peer`].
    pub fn peers(&self) -> Result<Peers, Fault> {
        self.handle.peers()
    }

    /// What is known of the producer. Asks the kernel.
    ///
    /// # Errors
    ///
    /// [`Fault::Forked`], [`Fault::Removed`].
    pub fn peer(&self) -> Result<Peer, Fault> {
        self.handle.peer()
    }

    /// Whether a producer was there and is gone; what it left may still be in the ring. Asks the kernel.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::peer`].
    pub fn is_disconnected(&self) -> Result<bool, Fault> {
        self.handle.is_disconnected()
    }

    /// How this handle waits. [`Strategy::SpinThenSleep`] unless set.
    pub fn set_strategy(&mut self, strategy: Strategy) {
        self.handle.set_strategy(strategy);
    }

    /// What the loss of a producer means to this handle. [`PeerLoss::Disconnect`] unless set.
    pub fn set_peer_loss(&mut self, peer_loss: PeerLoss) {
        self.handle.set_peer_loss(peer_loss);
    }

    /// Whether a signal ends a wait in the kernel with `Interrupted`. If not, as at first, the wait goes on.
    pub fn set_interruptible(&mut self, interruptible: bool) {
        self.handle.set_interruptible(interruptible);
    }

    /// Gives the role up in good order, as dropping does, and says if that went wrong.
    ///
    /// # Errors
    ///
    /// [`Fault::Forked`], [`Fault::Removed`].
    pub fn finish(mut self) -> Result<(), Fault> {
        self.handle.end(true)
    }
}

/// The items of a feed, each waited for: made by [`Consumer::iter`].
pub type Iter<'a, T> = crate::iter::Iter<'a, Consumer<T>>;

/// The items of a feed, each waited for, by an iterator that has the consumer.
pub type IntoIter<T> = crate::iter::IntoIter<Consumer<T>>;

impl<T: Item> Pop for Consumer<T> {
    type Item = T;

    #[inline]
    fn pop_next(&mut self) -> Result<T, PopError> {
        self.pop()
    }
}

/// Takes items until the feed ends. Whether it ended well, [`Consumer::peer`] says; any other reason to stop comes again with
/// the next [`Consumer::pop`].
impl<'a, T: Item> IntoIterator for &'a mut Consumer<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// As for `&mut Consumer`; [`IntoIter::into_inner`] gives the consumer back.
impl<T: Item> IntoIterator for Consumer<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter::new(self)
    }
}

/// Items that are still in the ring.
///
/// Its methods panic in a forked child: the items are the parent's, who may have released them since.
#[must_use = "the items stay in the ring until they are released"]
pub struct Items<'a, T: Item> {
    handle: &'a mut Handle<T, Read>,
    len: usize,
}

impl<T: Item> fmt::Debug for Items<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("len", &self.len).finish()
    }
}

impl<T: Item> Items<'_, T> {
    /// How many they are.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The items themselves, cut where the ring wraps: first part, then second.
    ///
    /// A producer that keeps to the protocol leaves them alone. One that does not can change them while you look;
    /// where that matters, copy them first ([`Consumer::pop_slice`]).
    #[inline]
    pub fn as_slices(&self) -> (&[T], &[T]) {
        self.handle.assert_not_forked();
        self.handle.side.slices(self.len)
    }

    /// The first of them.
    #[inline]
    pub fn first(&self) -> &T {
        &self[0]
    }

    /// The item of that number, counted from 0.
    #[inline]
    pub fn get(&self, n: usize) -> Option<&T> {
        item_of(self.as_slices(), n)
    }

    /// The items in order.
    #[inline]
    pub fn iter(&self) -> core::iter::Chain<slice::Iter<'_, T>, slice::Iter<'_, T>> {
        let (first, second) = self.as_slices();
        first.iter().chain(second)
    }

    /// Takes the first `n` out of the ring; the others come again.
    ///
    /// # Panics
    ///
    /// When `n` is larger than [`Items::len`].
    #[inline]
    pub fn release(self, n: usize) {
        assert!(n <= self.len, "cannot release {n} items of {}", self.len);
        self.handle.assert_not_forked();
        self.handle.side.hand_over(n);
    }

    /// Takes them all out of the ring.
    #[inline]
    pub fn release_all(self) {
        let all = self.len;
        self.release(all);
    }
}

impl<T: Item> Index<usize> for Items<'_, T> {
    type Output = T;

    /// # Panics
    ///
    /// Where there is no such item.
    #[inline]
    fn index(&self, n: usize) -> &T {
        match self.get(n) {
            Some(item) => item,
            None => panic!("there is no item {n} among {}", self.len()),
        }
    }
}

impl<'a, T: Item> IntoIterator for &'a Items<'_, T> {
    type Item = &'a T;
    type IntoIter = core::iter::Chain<slice::Iter<'a, T>, slice::Iter<'a, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
