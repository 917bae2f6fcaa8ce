//! A ring's memory with its item type: the control words, and the slots behind bounds checks.
//!
//! This file holds the crate's only copies in and out of shared memory. Its soundness does not rest on
//! the peer: a slot number is checked against the capacity that was validated when the ring was opened,
//! items are plain data of which every bit pattern is a value, and what a peer writes at the wrong
//! moment is at worst a wrong value. Within this process handles keep to disjoint slots: the indices of a
//! pair, or the words of a shared ring, say whose a slot is.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use core::ops::Range;
use core::ptr::NonNull;

use super::{Control, Region};
use crate::item::Item;
use crate::ring::Run;
use crate::sync::Arc;

/// What the core works on: made once a segment was validated, copied by neither side.
#[derive(Debug)]
pub(crate) struct View<T> {
    /// Keeps the memory that the next two point into.
    region: Arc<Region>,
    control: NonNull<Control>,
    slots: NonNull<T>,
    capacity: usize,
}

// SAFETY: a view is an `Arc` of a `Sync` region and an address in it. Items are `Send + Sync` plain data.
unsafe impl<T: Item> Send for View<T> {}
// SAFETY: `&View` writes slots, but each caller owns the slots that it names: see the module's head.
unsafe impl<T: Item> Sync for View<T> {}

impl<T: Item> Clone for View<T> {
    fn clone(&self) -> Self {
        Self {
            region: Arc::clone(&self.region),
            ..*self
        }
    }
}

impl<T: Item> View<T> {
    /// A view of `capacity` items that begin at `payload`.
    ///
    /// # Panics
    ///
    /// When the region has no room for them or they would not be aligned: whoever calls has validated both.
    pub(crate) fn new(region: Arc<Region>, payload: usize, capacity: usize) -> Self {
        let slots = region.at(payload).cast::<T>();
        let needed = capacity
            .checked_mul(size_of::<T>())
            .and_then(|bytes| bytes.checked_add(payload));
        assert!(
            needed.is_some_and(|needed| needed <= region.len()),
            "a validated segment holds its items"
        );
        assert!(
            slots.is_aligned(),
            "the payload is aligned for every item that is let in"
        );
        let control = NonNull::from(&region.header().control);
        Self {
            region,
            control,
            slots,
            capacity,
        }
    }

    #[inline(always)]
    pub(crate) fn control(&self) -> &Control {
        // SAFETY: `new` took the address from a reference into `region`, which lives as long as `self`.
        unsafe { self.control.as_ref() }
    }

    #[inline(always)]
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Writes one slot. The caller is the producer, and the slot is free.
    #[inline(always)]
    pub(crate) fn put(&self, slot: usize, item: T) {
        let address = self.slot(slot);
        // SAFETY: `slot` gave an aligned address inside the region; the slot is the caller's.
        unsafe { address.write(item) }
    }

    /// Reads one slot. The caller is the consumer, and the slot is full.
    #[inline(always)]
    pub(crate) fn get(&self, slot: usize) -> T {
        let address = self.slot(slot);
        // SAFETY: `slot` gave an aligned address inside the region, and any bytes are a `T`.
        unsafe { address.read() }
    }

    /// Copies `items` into the run, which has their number of slots.
    #[inline]
    pub(crate) fn put_run(&self, run: Run, items: &[T]) {
        assert_eq!(run.len, items.len(), "a slot for each item");
        let (first, second) = self.halves(run);
        let (head, tail) = items.split_at(first.len);
        copy_in(first.base, head);
        if !tail.is_empty() {
            copy_in(second.base, tail);
        }
    }

    /// Copies the run out into `items`, which has its number of slots.
    #[inline]
    pub(crate) fn get_run(&self, run: Run, items: &mut [T]) {
        assert_eq!(run.len, items.len(), "an item for each slot");
        let (first, second) = self.halves(run);
        let (head, tail) = items.split_at_mut(first.len);
        copy_out(first.base, head);
        if !tail.is_empty() {
            copy_out(second.base, tail);
        }
    }

    /// The run's slots in place, in order. The caller is a consumer, and the slots are full.
    #[inline]
    pub(crate) fn slices(&self, run: Run) -> (&[T], &[T]) {
        let (first, second) = self.halves(run);
        (first.into_slice(), second.into_slice())
    }

    /// The run's slots in place, in order. The caller is the producer, and the slots are free.
    #[inline]
    pub(crate) fn slices_mut(&mut self, run: Run) -> (&mut [T], &mut [T]) {
        let (first, second) = self.halves(run);
        (first.into_mut_slice(), second.into_mut_slice())
    }

    #[inline(always)]
    fn slot(&self, slot: usize) -> NonNull<T> {
        assert!(slot < self.capacity, "a slot lies inside the ring");
        // SAFETY: `slot < capacity`, and `new` made sure that the region holds that many items.
        unsafe { self.slots.add(slot) }
    }

    /// The run cut where it wraps; the second part is empty where it does not.
    #[inline]
    fn halves(&self, run: Run) -> (Part<'_, T>, Part<'_, T>) {
        assert!(run.slot < self.capacity, "a run begins inside the ring");
        if run.len <= self.capacity - run.slot {
            // Most: where this is inlined, nothing is left of the second part.
            return (self.part(run.slot..run.slot + run.len), self.part(0..0));
        }
        let (first, second) = run.split(self.capacity);
        assert!(
            first.end <= self.capacity && second.end <= self.capacity,
            "a run lies inside the ring"
        );
        (self.part(first), self.part(second))
    }

    #[inline]
    fn part(&self, range: Range<usize>) -> Part<'_, T> {
        // SAFETY: `halves` checked that the range ends within the capacity, and ranges begin before they end.
        let base = unsafe { self.slots.add(range.start) };
        Part {
            base,
            len: range.len(),
            view: PhantomData,
        }
    }
}

/// Contiguous slots inside the region of a view.
struct Part<'a, T> {
    base: NonNull<T>,
    len: usize,
    view: PhantomData<&'a View<T>>,
}

impl<'a, T: Item> Part<'a, T> {
    fn into_slice(self) -> &'a [T] {
        // SAFETY: `part` made an aligned range inside the region, which the view keeps for `'a`; the
        // slots are a consumer's, so nobody who keeps to the protocol writes them; any bytes are items.
        unsafe { NonNull::slice_from_raw_parts(self.base, self.len).as_ref() }
    }

    fn into_mut_slice(self) -> &'a mut [T] {
        let mut slice = NonNull::slice_from_raw_parts(self.base, self.len);
        // SAFETY: as in `into_slice`; the slots are the producer's that asks, by its index or by the word that
        // names it, for as long as it holds them, and the halves of a run do not overlap.
        unsafe { slice.as_mut() }
    }
}

#[inline]
fn copy_in<T: Item>(to: NonNull<T>, from: &[T]) {
    // SAFETY: the run that `to` begins has `from.len()` slots inside the region. It may overlap `from`, which a caller
    // may have taken from the same ring.
    unsafe { to.copy_from(NonNull::from(from).cast(), from.len()) }
}

#[inline]
fn copy_out<T: Item>(from: NonNull<T>, to: &mut [T]) {
    let len = to.len();
    // SAFETY: the run that `from` begins has `len` slots inside the region; it may overlap `to`, as in `copy_in`.
    unsafe { from.copy_to(NonNull::from(to).cast(), len) }
}
