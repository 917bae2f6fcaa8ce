#![allow(clippy::disallowed_types)]
//! Which thread this is.
//!
//! Never runs under loom, where threads are models.

use core::cell::Cell;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

thread_local! {
    /// 0 until it is asked for.
    static NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// A number that no other thread of this process has, from 1 up. A forked child's first thread has that of the one that forked.
///
/// Without a system call: a load from the thread's own memory.
#[inline(always)]
pub(crate) fn this_thread() -> u64 {
    NUMBER.with(|number| match number.get() {
        0 => first(number),
        known => known,
    })
}

#[cold]
fn first(number: &Cell<u64>) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    number.set(NEXT.fetch_add(1, Relaxed));
    number.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_have_numbers_of_their_own() {
        let here = this_thread();
        assert_eq!(this_thread(), here);
        let there = std::thread::spawn(this_thread).join();
        assert_ne!(there.ok(), Some(here));
        assert_ne!(here, 0);
    }
}
