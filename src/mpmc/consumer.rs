//! A consumer's handle.

use core::fmt;
use core::ops::Index;
use core::slice;
use std::time::Duration;

use super::handle::{Handle, Peers};
use super::producer::run;
use crate::error::{Fault, PopError, PopTimeoutError, TryPopError};
use crate::halt::{Halt, after, wait_until};
use crate::item::Item;
use crate::iter::{Pop, item_of};
use crate::ring::many::{Hold, Wish};
use crate::ring::{PeerLoss, Role, Strategy};

const ONE: Wish = Wish { least: 1, most: 1 };

/// One who pops. Made by [`Ring::consumer`](super::Ring::consumer).
///
/// A consumer that comes first waits for the first producer. Once producers were there and all are gone, everything they
/// left was taken, and no other consumer holds a [`Claim`] that might be put back, operations end with `Disconnected`, or wait for the next
/// producer: see [`Consumer::set_peer_loss`]. It is no latch: a new producer revives the feed.
///
/// It can move to another thread. A forked child cannot use it ([`Fault::Forked`]).
pub struct Consumer<T: Item> {
    handle: Handle<T>,
    redelivered: bool,
}

impl<T: Item> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.show(f, "Consumer")
    }
}

impl<T: Item> Consumer<T> {
    pub(super) fn new(handle: Handle<T>) -> Self {
        Self {
            handle,
            redelivered: false,
        }
    }

    #[inline(always)]
    fn get(&mut self, hold: Hold) -> T {
        let item = self.handle.items.get(hold.place.slot);
        self.redelivered = hold.redelivered;
        self.handle.member.release(hold, 1);
        item
    }

    #[inline(always)]
    fn get_run(&mut self, hold: Hold, into: &mut [T]) -> usize {
        self.handle.items.get_run(run(hold), &mut into[..hold.len]);
        self.redelivered = hold.redelivered;
        self.handle.member.release(hold, hold.len);
        hold.len
    }

    /// Takes the next item, waiting for it.
    ///
    /// # Errors
    ///
    /// [`PopError::Disconnected`] when the producers were there and are gone and nothing is left, unless
    /// [`PeerLoss::Wait`] is chosen; [`PopError::Interrupted`] if the handle is interruptible; [`PopError::Fault`].
    #[inline]
    pub fn pop(&mut self) -> Result<T, PopError> {
        match self.handle.claim_next(Role::Consumer, ONE) {
            Some(hold) => Ok(self.get(hold)),
            None => self.pop_looking(),
        }
    }

    /// What `pop` does where something is in the way: as in `push_looking` of the producer.
    #[inline(never)]
    fn pop_looking(&mut self) -> Result<T, PopError> {
        match self.handle.claim_at_once(Role::Consumer, ONE) {
            Some(hold) => Ok(self.get(hold)),
            None => self.pop_waiting(),
        }
    }

    /// The slow path of `pop`.
    #[cold]
    #[inline(never)]
    fn pop_waiting(&mut self) -> Result<T, PopError> {
        let hold = self.wait(ONE)?;
        Ok(self.get(hold))
    }

    #[cold]
    fn wait(&mut self, wish: Wish) -> Result<Hold, PopError> {
        self.handle.claim(wish, None).map_err(Halt::pop)
    }

    /// Takes the next item if there is one now.
    ///
    /// Makes no system call, but for waking a sleeper and, when the ring stays empty for some milliseconds, for asking
    /// whether somebody died.
    ///
    /// # Errors
    ///
    /// [`TryPopError::Empty`], [`TryPopError::Disconnected`], [`TryPopError::Fault`].
    #[inline]
    pub fn try_pop(&mut self) -> Result<T, TryPopError> {
        let hold = self.hold_now(ONE)?;
        Ok(self.get(hold))
    }

    #[inline(always)]
    fn hold_now(&mut self, wish: Wish) -> Result<Hold, TryPopError> {
        match self.handle.claim_at_once(Role::Consumer, wish) {
            Some(hold) => Ok(hold),
            None => self.handle.claim_now(wish).map_err(Halt::try_pop),
        }
    }

    /// Takes the next item, waiting for it no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`PopTimeoutError::Timeout`] and those of [`Consumer::pop`].
    pub fn pop_timeout(&mut self, timeout: Duration) -> Result<T, PopTimeoutError> {
        let hold = self.hold_within(ONE, timeout)?;
        Ok(self.get(hold))
    }

    fn hold_within(&mut self, wish: Wish, timeout: Duration) -> Result<Hold, PopTimeoutError> {
        match self.handle.claim_at_once(Role::Consumer, wish) {
            Some(hold) => Ok(hold),
            None => self
                .handle
                .claim(wish, after(timeout))
                .map_err(Halt::pop_timeout),
        }
    }

    /// Takes as many items as there are, at most as many as `into` holds or a run has; waits for the first. Returns how many.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::pop`].
    #[inline]
    pub fn pop_slice(&mut self, into: &mut [T]) -> Result<usize, PopError> {
        if into.is_empty() {
            return Ok(0);
        }
        let hold = self.hold(into.len())?;
        Ok(self.get_run(hold, into))
    }

    #[inline(always)]
    fn hold(&mut self, most: usize) -> Result<Hold, PopError> {
        let wish = Wish { least: 1, most };
        match self.handle.claim_at_once(Role::Consumer, wish) {
            Some(hold) => Ok(hold),
            None => self.wait(wish),
        }
    }

    /// As [`Consumer::pop_slice`], waiting for the first no longer than `timeout`.
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
        let most = into.len();
        let hold = self.hold_within(Wish { least: 1, most }, timeout)?;
        Ok(self.get_run(hold, into))
    }

    /// Takes as many items as there are now, at most as many as `into` holds or a run has. Returns how many, which may be 0.
    ///
    /// # Errors
    ///
    /// [`TryPopError::Disconnected`], [`TryPopError::Fault`].
    #[inline]
    pub fn try_pop_slice(&mut self, into: &mut [T]) -> Result<usize, TryPopError> {
        if into.is_empty() {
            return Ok(0);
        }
        let wish = Wish {
            least: 1,
            most: into.len(),
        };
        match self.hold_now(wish) {
            Ok(hold) => Ok(self.get_run(hold, into)),
            Err(TryPopError::Empty) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The next items, at most `n` or a run, in the ring itself; waits for the first.
    ///
    /// They stay in the ring, and nobody else gets them, until [`Claim::release`] says that they are done with. If this process dies
    /// before, they are delivered again to another consumer, or dropped, as the ring's creator chose.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::pop`].
    ///
    /// # Examples
    ///
    /// ```
    /// let ring = ringpipe::mpmc::Ring::<u32>::in_process(8)?;
    /// let (mut tx, mut one, mut other) = (ring.producer()?, ring.consumer()?, ring.consumer()?);
    /// tx.push_slice(&[1, 2, 3])?;
    ///
    /// let jobs = one.claim(2)?;
    /// assert_eq!(jobs.iter().sum::<u32>(), 3);
    /// assert_eq!(other.pop()?, 3);
    ///
    /// jobs.release(1); // the first is done, the second is for somebody else
    /// assert_eq!((other.pop()?, other.redelivered()), (2, true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn claim(&mut self, n: usize) -> Result<Claim<'_, T>, PopError> {
        let hold = self.hold(n.max(1))?;
        Ok(self.guard(hold))
    }

    /// The same without waiting.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::try_pop`].
    #[inline]
    pub fn try_claim(&mut self, n: usize) -> Result<Claim<'_, T>, TryPopError> {
        let wish = Wish {
            least: 1,
            most: n.max(1),
        };
        let hold = self.hold_now(wish)?;
        Ok(self.guard(hold))
    }

    /// The same, waiting no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::pop_timeout`].
    pub fn claim_timeout(
        &mut self,
        n: usize,
        timeout: Duration,
    ) -> Result<Claim<'_, T>, PopTimeoutError> {
        let wish = Wish {
            least: 1,
            most: n.max(1),
        };
        let hold = self.hold_within(wish, timeout)?;
        Ok(self.guard(hold))
    }

    #[inline]
    fn guard(&mut self, hold: Hold) -> Claim<'_, T> {
        self.redelivered = hold.redelivered;
        self.handle.member.keep_hold(hold);
        Claim {
            handle: &mut self.handle,
            hold,
            on_drop: OnDrop::PutBack,
        }
    }

    /// Whether what the last operation delivered had been in another consumer's hands before, or in this one's: it died with
    /// it, or put it back. What an operation delivers is either all new or all of that kind.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// The items of the feed, each waited for; [`Iter::end`] says why there are no more.
    ///
    /// # Examples
    ///
    /// ```
    /// use ringpipe::PopError;
    ///
    /// let ring = ringpipe::mpmc::Ring::<u32>::in_process(8)?;
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
        self.handle.member.capacity()
    }

    /// The longest run that is taken at once: the capacity, or 4095 if that is less.
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

    /// Whether as many items are in the ring as it holds.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Its number among the participants, from 1 up.
    pub fn number(&self) -> usize {
        self.handle.member.number().into()
    }

    /// Waits until a producer is there, no longer than `timeout`; whether one is.
    ///
    /// Looks once a millisecond, so it is for the beginning and not for each item. It cannot be interrupted.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::peers`].
    pub fn wait_for_peer(&self, timeout: Duration) -> Result<bool, Fault> {
        wait_until(after(timeout), || Ok(self.peers()?.alive > 0))
    }

    /// What is known of the producers. Asks the kernel.
    ///
    /// # Errors
    ///
    /// [`Fault::Forked`], [`Fault::Removed`].
    pub fn peers(&self) -> Result<Peers, Fault> {
        self.handle.peers()
    }

    /// Whether producers were there and all are gone; what they left may still be in the ring. Asks the kernel.
    ///
    /// # Errors
    ///
    /// Those of [`Consumer::peers`].
    pub fn is_disconnected(&self) -> Result<bool, Fault> {
        self.handle.is_disconnected()
    }

    /// How this handle waits. [`Strategy::SpinThenSleep`] unless set.
    pub fn set_strategy(&mut self, strategy: Strategy) {
        self.handle.set_strategy(strategy);
    }

    /// What the loss of all producers means to this handle. [`PeerLoss::Disconnect`] unless set.
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

/// Takes items until the feed ends. Whether all producers ended well, [`Consumer::peers`] says; any other reason to stop
/// comes again with the next [`Consumer::pop`].
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

/// What becomes of a [`Claim`] that is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnDrop {
    /// Its items are put back, and come again, to anybody.
    #[default]
    PutBack,
    /// Its items are done with.
    Release,
}

/// Items that are still in the ring, and that nobody else gets.
///
/// Its methods panic in a forked child: the items are the parent's, who may have released them since.
#[must_use = "the items are put back unless they are released"]
pub struct Claim<'a, T: Item> {
    handle: &'a mut Handle<T>,
    hold: Hold,
    on_drop: OnDrop,
}

impl<T: Item> fmt::Debug for Claim<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("len", &self.len()).finish()
    }
}

impl<T: Item> Claim<'_, T> {
    /// How many they are.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.hold.len
    }

    /// Whether somebody had them before: see [`Consumer::redelivered`].
    pub fn redelivered(&self) -> bool {
        self.hold.redelivered
    }

    /// The items themselves, cut where the ring wraps: first part, then second.
    ///
    /// Producers that keep to the protocol leave them alone. One that does not can change them while you look;
    /// where that matters, copy them first ([`Consumer::pop_slice`]).
    #[inline]
    pub fn as_slices(&self) -> (&[T], &[T]) {
        self.handle.assert_not_forked();
        self.handle.items.slices(run(self.hold))
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

    /// What becomes of the items if the claim is dropped, be it by a panic. [`OnDrop::PutBack`] unless set.
    pub fn set_on_drop(&mut self, on_drop: OnDrop) {
        self.on_drop = on_drop;
    }

    /// Says that the first `n` are done with; the others come again, to anybody.
    ///
    /// # Panics
    ///
    /// When `n` is larger than [`Claim::len`].
    #[inline]
    pub fn release(self, n: usize) {
        let len = self.hold.len;
        assert!(n <= len, "cannot release {n} items of {len}");
        self.handle.assert_not_forked();
        self.handle.member.release(self.hold, n);
    }

    /// Says that all are done with.
    #[inline]
    pub fn release_all(self) {
        let all = self.hold.len;
        self.release(all);
    }

    /// Puts all back: they come again, to anybody.
    pub fn put_back(self) {
        self.release(0);
    }
}

impl<T: Item> Drop for Claim<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.on_drop == OnDrop::Release {
            self.handle.release_held();
        }
        self.handle.give_back();
    }
}

impl<T: Item> Index<usize> for Claim<'_, T> {
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

impl<'a, T: Item> IntoIterator for &'a Claim<'_, T> {
    type Item = &'a T;
    type IntoIter = core::iter::Chain<slice::Iter<'a, T>, slice::Iter<'a, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
