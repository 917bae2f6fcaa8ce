#![allow(unsafe_code)]
//! A buffer that the kernel cannot overrun.
//!
//! GETALL and SETALL move as many values as the set has, and take no length. Asking for the number
//! first leaves a gap: the set may be removed and another, larger one may get its identifier in
//! between. That takes millions of sets, or somebody privileged who picks the identifier, but memory
//! safety should not hang on that. So the array ends exactly where accessible memory ends: a larger
//! set makes the kernel answer EFAULT, instead of touching what lies behind.
//!
//! ```text
//!   base                          array            accessible          total
//!    | readable, writable, zero    | len × u16       | no access          |
//! ```

use core::ffi::c_void;
use core::mem::size_of;
use core::num::NonZeroUsize;
use core::ptr::NonNull;
use core::slice;

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use super::errno::{Errno, Result};
use super::from_nix;

/// A multiple of every page size that Linux has.
const GRANULE: usize = 64 << 10;

/// `len` values of 16 bits, zero at first, with inaccessible memory right behind the last one.
pub(super) struct Guarded {
    base: NonNull<c_void>,
    total: NonZeroUsize,
    array: NonNull<u16>,
    len: usize,
}

impl Guarded {
    pub(super) fn new(len: usize) -> Result<Self> {
        let bytes = len.checked_mul(size_of::<u16>()).ok_or(Errno::ENOMEM)?;
        let accessible = bytes.next_multiple_of(GRANULE);
        let total = NonZeroUsize::new(accessible + GRANULE).ok_or(Errno::ENOMEM)?;
        let base = reserve(total)?;
        // SAFETY: `accessible − bytes` is inside the reservation, which is longer than `accessible`.
        let array = unsafe { base.byte_add(accessible - bytes) }.cast();
        let guarded = Self {
            base,
            total,
            array,
            len,
        };
        // SAFETY: the pages are inside our own reservation, which nobody else knows of yet.
        let opened = unsafe {
            mprotect(
                base,
                accessible,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            )
        };
        opened.map_err(from_nix)?;
        Ok(guarded)
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut u16 {
        self.array.as_ptr()
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u16] {
        // SAFETY: `array` points to `len` values of accessible memory inside the mapping that `self`
        // owns; they start as zeros, and every pattern is a u16. Aligned: base is page-aligned and
        // both offsets are even. `&mut self` makes the borrow the only one.
        unsafe { slice::from_raw_parts_mut(self.array.as_ptr(), self.len) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping made in `new`, which `self` owns; borrows have ended.
        let unmapped = unsafe { munmap(self.base, self.total.get()) };
        // ENOMEM: the kernel had merged it with a neighbour, and there may be no more mappings (`vm.max_map_count`) to take
        // them apart. Then it stays.
        let _ = unmapped;
    }
}

/// Address space without access.
fn reserve(total: NonZeroUsize) -> Result<NonNull<c_void>> {
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
    // SAFETY: no address is asked for, so the kernel picks free space and no mapping is replaced.
    unsafe { mmap_anonymous(None, total, ProtFlags::PROT_NONE, flags) }.map_err(from_nix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_start_as_zero_and_can_be_written() {
        let mut guarded = Guarded::new(3).unwrap();
        assert_eq!(guarded.as_mut_slice(), [0, 0, 0]);
        guarded.as_mut_slice().copy_from_slice(&[1, 2, 3]);
        assert_eq!(guarded.as_mut_slice(), [1, 2, 3]);
    }

    #[test]
    fn the_array_ends_where_access_ends() {
        let guarded = Guarded::new(3).unwrap();
        let end = guarded.array.addr().get() + 3 * size_of::<u16>();
        assert_eq!((end - guarded.base.addr().get()) % GRANULE, 0);
    }

    #[test]
    fn no_values_and_a_full_granule_work() {
        assert_eq!(Guarded::new(0).unwrap().as_mut_slice(), []);
        let full = GRANULE / size_of::<u16>();
        assert_eq!(Guarded::new(full).unwrap().as_mut_slice().len(), full);
    }
}
