//! Who owns the memory of a ring: an attachment to a segment, or the heap.
#![allow(unsafe_code)]

use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};

use super::layout::Header;
use crate::sync::{AtomicU8, Ordering};
use crate::sys::shm::Mapping;

/// Memory that begins with a [`Header`] and stays where it is until dropped.
///
/// Its bytes may change under us at any time: other processes write them. So no reference to anything
/// but the header, whose every field is atomic, is ever made here.
#[derive(Debug)]
pub(crate) struct Region {
    base: NonNull<u8>,
    len: usize,
    owner: Owner,
    /// Dropped after the owner, as fields are in their order: that is, once the segment is
    /// detached.
    #[expect(dead_code, reason = "held for its Drop")]
    after_detach: Option<Box<dyn AfterDetach>>,
}

#[derive(Debug)]
enum Owner {
    /// Detached when dropped.
    Segment(Mapping),
    Heap(#[expect(dead_code, reason = "held for its Drop")] Heap),
}

/// Memory of this process.
#[derive(Debug)]
struct Heap {
    base: NonNull<u8>,
    layout: Layout,
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: `Region::on_heap` allocated `base` with this layout, and nobody else frees it.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

/// What a region keeps and drops once its segment is detached. What its `Drop` does, this layer
/// does not know.
pub(crate) trait AfterDetach:
    core::fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe
{
}

// SAFETY: a region is an address and a length of memory that no thread owns; the header is made of
// atomics, and the payload is only reached through `View`, which says who may touch what.
unsafe impl Send for Region {}
// SAFETY: as for Send: `&Region` gives out `&Header` and raw addresses, nothing else.
unsafe impl Sync for Region {}

impl Region {
    /// An attached segment of `len` bytes, or `None` if it has no room for a header.
    ///
    /// The caller took `len` from the kernel (`shm_segsz`), not from the segment.
    pub(crate) fn of_segment(mapping: Mapping, len: usize) -> Option<Self> {
        let base = mapping.as_ptr();
        let fits = len >= size_of::<Header>() && base.cast::<Header>().is_aligned();
        fits.then_some(Self {
            base,
            len,
            owner: Owner::Segment(mapping),
            after_detach: None,
        })
    }

    /// Zeroed memory of this process alone; `None` if there is none.
    ///
    /// # Panics
    ///
    /// When `len` has no room for a header, or is no size that memory can have, which is the caller's mistake.
    pub(crate) fn on_heap(len: usize) -> Option<Self> {
        assert!(len >= size_of::<Header>(), "a region holds a header");
        let layout =
            Layout::from_size_align(len, align_of::<Header>()).expect("a size below isize::MAX");
        // SAFETY: the layout's size is not zero, since a header's is not.
        let memory = unsafe { alloc_zeroed(layout) };
        let base = NonNull::new(memory)?;
        Some(Self {
            base,
            len,
            owner: Owner::Heap(Heap { base, layout }),
            after_detach: None,
        })
    }

    /// A copy of `bytes` on the heap, if they have room for a header.
    #[cfg(fuzzing)]
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < size_of::<Header>() {
            return None;
        }
        let region = Self::on_heap(bytes.len())?;
        // SAFETY: `on_heap` allocated as many bytes, which nobody else has yet.
        unsafe {
            region
                .base
                .copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        }
        Some(region)
    }

    /// The `n`th word of eight bytes, for who plays a hostile peer.
    #[cfg(fuzzing)]
    pub(crate) fn word(&self, n: usize) -> Option<&crate::sync::AtomicU64> {
        let end = n.checked_add(1)?.checked_mul(size_of::<u64>())?;
        let word = (end <= self.len).then(|| self.at(end - size_of::<u64>()).cast())?;
        // SAFETY: the word lies within the region, which lives as long as `self`, and is aligned, as the region is. A fuzzer
        // asks for words before the items alone, where all is atomics.
        Some(unsafe { word.as_ref() })
    }

    /// Keeps `last`, and drops it once the segment is detached.
    pub(crate) fn with_after_detach(self, last: impl AfterDetach + 'static) -> Self {
        Self {
            after_detach: Some(Box::new(last)),
            ..self
        }
    }

    /// The attachment, if it is one.
    pub(crate) fn mapping(&self) -> Option<&Mapping> {
        match &self.owner {
            Owner::Segment(mapping) => Some(mapping),
            Owner::Heap(_) => None,
        }
    }

    /// Brings all pages into memory by a store to each that changes nothing. The region is attached for writing.
    pub(crate) fn touch_pages(&self) {
        // No page is smaller than a header.
        for offset in (0..self.len).step_by(size_of::<Header>()) {
            // SAFETY: the offset is below the region's length.
            let byte = unsafe { self.base.add(offset) };
            // SAFETY: the byte lives as long as `self`, and everybody's access to it at this time is atomic: the header
            // is made of atomics, and there are no items before the ring is ready.
            let byte = unsafe { AtomicU8::from_ptr(byte.as_ptr()) };
            // Relaxed: nothing is said by it.
            byte.fetch_or(0, Ordering::Relaxed);
        }
    }

    /// Whether nobody has ever written to the first page: it is all zeros.
    pub(crate) fn is_blank(&self) -> bool {
        (0..size_of::<Header>()).all(|offset| {
            let byte = self.at(offset).as_ptr();
            // SAFETY: the byte is within the region, which has room for a header and lives as long
            // as `self`; a header is made of atomics, so everybody's access to it is atomic.
            let byte = unsafe { AtomicU8::from_ptr(byte) };
            // Relaxed: nothing else is concluded from it.
            byte.load(Ordering::Relaxed) == 0
        })
    }

    /// The first page.
    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: both constructors made sure that `base` is aligned for a header and that the region,
        // which lives as long as `self`, is large enough; every field is an atomic, for which all bytes
        // are values and other processes' stores are allowed.
        unsafe { self.base.cast::<Header>().as_ref() }
    }

    /// The byte at an offset, which may be the end.
    #[inline]
    pub(crate) fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset <= self.len, "a region is not left");
        // SAFETY: `offset <= len`, so it stays within the region or at its end.
        unsafe { self.base.add(offset) }
    }

    /// Bytes of the region.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}
