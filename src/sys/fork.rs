#![allow(unsafe_code)]
//! Am I still the process that I was? One load answers.
//!
//! A forked child inherits memory but not the kernel's promise to undo its semaphore operations, so a
//! handle that is used on both sides of a fork has to notice. Asking getpid on each operation costs a
//! system call. Instead one word lives on a page that the kernel hands to children zeroed
//! (`MADV_WIPEONFORK`): a process that finds 0 there is new, and writes a number no ancestor had.
//! Whoever remembered the ancestor's number sees that it changed.
//!
//! Where the kernel cannot do that, the word is an ordinary static that a `pthread_atfork` handler
//! zeroes in the child. That sees fork(3) only, not a bare clone(2) system call.
//!
//! Neither sees vfork(2) and other children that share the parent's memory; they are the same process
//! as far as this file knows.
//!
//! No lock and no `OnceLock` here: a fork in the middle of another thread's initialisation would leave
//! it locked in the child for ever. All steps are single atomic operations that a child can find in
//! any state and carry on from.
//!
//! Besides `sync.rs`, four files in `sys` name atomics, and they are core's: this never runs under
//! loom, and a loom atomic could not live in a page of its own. All accesses can be relaxed except for
//! the page's address: a fork orders what comes before and after it by itself.
#![allow(clippy::disallowed_types)]

use core::ffi::c_void;
use core::mem::{self, size_of};
use core::num::NonZeroUsize;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use core::sync::atomic::{AtomicPtr, AtomicU32};

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

use super::errno::Result;
use super::from_nix;

/// Where the word is; null until somebody asks. Points to a page that is never unmapped, or to
/// [`PLAIN`]. Inherited over fork, as the page is.
static WORD: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());

/// The word, where pages cannot be wiped.
static PLAIN: AtomicU32 = AtomicU32::new(0);

/// The last number given out in this process or, up to the fork, in its ancestors.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// One process in a line of forks.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Incarnation {
    word: &'static AtomicU32,
    value: u32,
}

impl Incarnation {
    /// Is this still the process in which [`incarnation`] gave this value out?
    #[inline(always)]
    pub(crate) fn is_current(&self) -> bool {
        self.word.load(Relaxed) == self.value
    }
}

/// This process. Threads get equal answers; a forked child gets one that no ancestor had.
///
/// # Panics
///
/// If the kernel cannot wipe pages and there is no memory for the handler that does it instead.
pub(crate) fn incarnation() -> Incarnation {
    let word = word();
    let value = match word.load(Relaxed) {
        0 => begin(word),
        value => value,
    };
    Incarnation { word, value }
}

/// Gives this process its number, unless another thread is faster.
#[cold]
fn begin(word: &AtomicU32) -> u32 {
    // 0 stands for "no number yet"; a line of four billion forks would meet it.
    let fresh = COUNTER.fetch_add(1, Relaxed).wrapping_add(1).max(1);
    match word.compare_exchange(0, fresh, Relaxed, Relaxed) {
        Ok(_) => fresh,
        Err(theirs) => theirs,
    }
}

fn word() -> &'static AtomicU32 {
    let word = NonNull::new(WORD.load(Acquire)).unwrap_or_else(install);
    // SAFETY: what WORD holds is PLAIN or a word at the start of a page from `Page::wiped_on_fork`,
    // aligned, zeroed by the kernel, never unmapped once it is in WORD; and only accessed atomically.
    // Acquire pairs with the AcqRel in `install`, so the page is seen as it was set up.
    unsafe { word.as_ref() }
}

/// Makes the word and publishes it, unless another thread is faster.
#[cold]
fn install() -> NonNull<AtomicU32> {
    let page = Page::wiped_on_fork();
    let own = page.as_ref().map_or_else(|_| plain(), |page| page.0.cast());
    match WORD.compare_exchange(ptr::null_mut(), own.as_ptr(), AcqRel, Acquire) {
        Ok(_) => {
            // From now on it belongs to everybody.
            mem::forget(page);
            own
        }
        Err(theirs) => NonNull::new(theirs).unwrap_or(own),
    }
}

/// The static word, with a handler that does what the kernel cannot.
fn plain() -> NonNull<AtomicU32> {
    // SAFETY: the handler stays valid for the life of the process, as a function of it, and does one
    // atomic store, which is allowed in a child of a process with threads. (In a library that can be
    // unloaded glibc drops the handlers with it.) Twice is as good as once.
    let failed = unsafe { libc::pthread_atfork(None, None, Some(forget)) };
    assert_eq!(failed, 0, "no memory for a fork handler");
    NonNull::from(&PLAIN)
}

/// Runs in the child of every fork, if the word is [`PLAIN`].
unsafe extern "C" fn forget() {
    PLAIN.store(0, Relaxed);
}

/// A page of this process's own; dropping it unmaps.
struct Page(NonNull<c_void>);

/// The kernel rounds it up to a page.
const LEN: NonZeroUsize = NonZeroUsize::new(size_of::<AtomicU32>()).unwrap();

impl Page {
    /// A zeroed page that is zeroed again in every child.
    fn wiped_on_fork() -> Result<Self> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: no address is asked for, so the kernel picks free space and no mapping is replaced.
        let mapped = unsafe { mmap_anonymous(None, LEN, access, MapFlags::MAP_PRIVATE) };
        let page = Self(mapped.map_err(from_nix)?);
        // SAFETY: the page is ours alone, and changes its content in children only, where nothing but
        // the atomic word is read from it.
        let advised = unsafe { madvise(page.0, LEN.get(), MmapAdvise::MADV_WIPEONFORK) };
        advised.map_err(from_nix)?;
        Ok(page)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: exactly the page mapped in `wiped_on_fork`; it was not published (then it would have
        // been forgotten), so nobody has its address.
        let unmapped = unsafe { munmap(self.0, LEN.get()) };
        debug_assert!(unmapped.is_ok(), "munmap of a whole page: {unmapped:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::in_child;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    fn a_process_stays_the_same_in_all_its_threads() {
        let here = incarnation();
        let there = thread::spawn(incarnation).join().unwrap();
        assert!(here.is_current() && there.is_current());
        assert_eq!(here.value, there.value);
    }

    #[test]
    fn a_child_is_somebody_else_and_the_parent_is_not() {
        let parent = incarnation();
        in_child(|| {
            assert!(!parent.is_current());
            let child = incarnation();
            assert!(child.is_current() && !parent.is_current());
            assert!(child.value > parent.value);
        });
        assert!(parent.is_current());
    }

    #[test]
    fn a_grandchild_is_neither_also_when_its_parent_never_asked() {
        let parent = incarnation();
        in_child(|| {
            in_child(|| {
                assert!(!parent.is_current());
                assert!(incarnation().value > parent.value);
            });
            let child = incarnation();
            in_child(|| {
                assert!(!parent.is_current() && !child.is_current());
                assert!(incarnation().value > child.value);
            });
        });
    }

    #[test]
    fn threads_that_ask_at_once_agree() {
        incarnation();
        in_child(|| {
            let start = Barrier::new(4);
            let ask = || {
                start.wait();
                incarnation().value
            };
            let values = thread::scope(|scope| {
                [(); 4]
                    .map(|()| scope.spawn(ask))
                    .map(|thread| thread.join().unwrap())
            });
            assert_eq!(values, [incarnation().value; 4]);
        });
    }

    #[test]
    fn whoever_comes_second_takes_the_number_that_is_there() {
        let word = AtomicU32::new(9);
        assert_eq!(begin(&word), 9);
        assert_eq!(word.load(Relaxed), 9);
    }

    #[test]
    fn the_static_word_is_zeroed_by_the_handler() {
        in_child(|| {
            // SAFETY: PLAIN is a static, and atomic.
            let word = unsafe { plain().as_ref() };
            let parent = Incarnation {
                word,
                value: begin(word),
            };
            assert!(parent.is_current());
            in_child(|| {
                assert!(!parent.is_current());
                assert!(begin(word) > parent.value);
            });
            assert!(parent.is_current());
        });
    }
}
