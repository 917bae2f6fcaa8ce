//! What those see who share a role: the header, the table of participants and the slots' words.
//!
//! Items apart, all of it is atomics, and every access to them goes through the slices made here.
#![allow(unsafe_code)]

use core::ptr::NonNull;
use core::slice;

use super::layout::Header;
use super::{Control, Crowd, Entry, Region};
use crate::sync::{Arc, AtomicU64};

/// The shared state of a ring with participants, apart from its items.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    /// Keeps the memory that the others point into.
    _region: Arc<Region>,
    header: NonNull<Header>,
    entries: NonNull<Entry>,
    participants: usize,
    words: NonNull<AtomicU64>,
    capacity: usize,
}

// SAFETY: a board is an `Arc` of a `Sync` region and addresses in it, behind which there are only atomics.
unsafe impl Send for Board {}
// SAFETY: as for Send.
unsafe impl Sync for Board {}

impl Board {
    /// The board of a ring with so many participants and slots.
    ///
    /// # Panics
    ///
    /// When the region has no room for them: whoever calls has validated that.
    pub(crate) fn new(region: Arc<Region>, participants: usize, capacity: usize) -> Self {
        Self::fitting(region, participants, capacity).expect("a validated segment holds its words")
    }

    /// The same, or `None` when the region has no room for them.
    pub(crate) fn fitting(
        region: Arc<Region>,
        participants: usize,
        capacity: usize,
    ) -> Option<Self> {
        let table = size_of_val(region.header());
        let words = table + participants * size_of::<Entry>();
        let end = capacity
            .checked_mul(size_of::<AtomicU64>())
            .and_then(|bytes| bytes.checked_add(words));
        if end.is_none_or(|end| end > region.len()) {
            return None;
        }
        let entries = region.at(table).cast::<Entry>();
        let words = region.at(words).cast::<AtomicU64>();
        assert!(
            entries.is_aligned() && words.is_aligned(),
            "the table follows the header"
        );
        let header = NonNull::from(region.header());
        Some(Self {
            _region: region,
            header,
            entries,
            participants,
            words,
            capacity,
        })
    }

    #[inline(always)]
    pub(crate) fn control(&self) -> &Control {
        &self.header().control
    }

    #[inline(always)]
    pub(crate) fn crowd(&self) -> &Crowd {
        &self.header().crowd
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        // SAFETY: `fitting` took the address from a reference into `region`, which lives as long as `self`.
        unsafe { self.header.as_ref() }
    }

    /// The participants, by their number less 1.
    #[inline(always)]
    pub(crate) fn entries(&self) -> &[Entry] {
        // SAFETY: `fitting` made sure that the region holds so many, aligned; it lives as long as `self`, and every field
        // is an atomic, for which all bytes are values and other processes' stores are allowed.
        unsafe { slice::from_raw_parts(self.entries.as_ptr(), self.participants) }
    }

    /// The words of the slots.
    #[inline(always)]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: as for the entries.
        unsafe { slice::from_raw_parts(self.words.as_ptr(), self.capacity) }
    }
}
