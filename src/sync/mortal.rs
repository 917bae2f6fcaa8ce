//! loom's atomics and cells, in hands that can be killed.
//!
//! Each access first asks whether its participant still lives. [`mortal`] gives a participant a number
//! of accesses to live for; the one after that ends it by unwinding, as a SIGKILL would between two
//! instructions: nothing that the participant meant to do afterwards happens. Between two accesses to
//! shared memory a death cannot be told from one just before the next access, so these are all the
//! points there are.

use std::cell::Cell as StdCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use loom::sync::atomic::{self, Ordering};

use super::weakened;

loom::thread_local! {
    static LIFE: StdCell<Option<u32>> = StdCell::new(None);
}

/// What a participant that was killed unwinds with.
struct Killed;

/// Counts one access; ends the participant when its life is used up.
pub(crate) fn step() {
    LIFE.with(|life| match life.get() {
        None => {}
        Some(0) => resume_unwind(Box::new(Killed)),
        Some(left) => life.set(Some(left - 1)),
    });
}

/// Runs `work`, killing it at its access number `life` (counted from 0).
///
/// Returns what it returned, or `None` if it was killed.
pub fn mortal<R>(life: u32, work: impl FnOnce() -> R) -> Option<R> {
    LIFE.with(|cell| cell.set(Some(life)));
    let outcome = catch_unwind(AssertUnwindSafe(work));
    LIFE.with(|cell| cell.set(None));
    match outcome {
        Ok(value) => Some(value),
        Err(cause) if cause.is::<Killed>() => None,
        Err(cause) => resume_unwind(cause),
    }
}

/// A memory fence: a point to die at, then loom's own.
#[track_caller]
pub(crate) fn fence(order: Ordering) {
    step();
    match today(order) {
        Ordering::Relaxed => {}
        order => atomic::fence(order),
    }
}

/// The ordering of an access of the caller's caller.
#[track_caller]
fn today(order: Ordering) -> Ordering {
    weakened::ordering(order, Location::caller())
}

#[derive(Debug)]
pub(crate) struct AtomicU32(atomic::AtomicU32);

impl AtomicU32 {
    pub(crate) fn new(value: u32) -> Self {
        Self(atomic::AtomicU32::new(value))
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        step();
        self.0.load(today(order))
    }

    #[track_caller]
    pub(crate) fn store(&self, value: u32, order: Ordering) {
        step();
        self.0.store(value, today(order));
    }

    #[track_caller]
    pub(crate) fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        step();
        self.0.fetch_add(value, today(order))
    }

    #[track_caller]
    pub(crate) fn fetch_or(&self, value: u32, order: Ordering) -> u32 {
        step();
        self.0.fetch_or(value, today(order))
    }

    #[track_caller]
    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        step();
        self.0.swap(value, today(order))
    }

    #[track_caller]
    pub(crate) fn compare_exchange_weak(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        step();
        self.0
            .compare_exchange(current, new, today(success), failure)
    }
}

#[derive(Debug)]
pub(crate) struct AtomicU64(atomic::AtomicU64);

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        Self(atomic::AtomicU64::new(value))
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        step();
        self.0.load(today(order))
    }

    #[track_caller]
    pub(crate) fn store(&self, value: u64, order: Ordering) {
        step();
        self.0.store(value, today(order));
    }

    #[track_caller]
    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        step();
        self.0.fetch_add(value, today(order))
    }

    #[track_caller]
    pub(crate) fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
        step();
        self.0.fetch_or(value, today(order))
    }

    #[track_caller]
    pub(crate) fn fetch_and(&self, value: u64, order: Ordering) -> u64 {
        step();
        self.0.fetch_and(value, today(order))
    }

    #[track_caller]
    pub(crate) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        step();
        self.0
            .compare_exchange(current, new, today(success), failure)
    }
}

/// One byte of payload: loom reports two accesses to it that no edge orders.
#[derive(Debug)]
pub(crate) struct Cell(loom::cell::UnsafeCell<u8>);

impl Cell {
    pub(crate) fn new(value: u8) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    #[allow(
        unsafe_code,
        reason = "loom's cell hands out a pointer and checks the access"
    )]
    pub(crate) fn get(&self) -> u8 {
        step();
        // SAFETY: loom keeps the pointer valid for the closure, and fails the model on a race.
        self.0.with(|byte| unsafe { *byte })
    }

    #[allow(
        unsafe_code,
        reason = "loom's cell hands out a pointer and checks the access"
    )]
    pub(crate) fn set(&self, value: u8) {
        step();
        // SAFETY: loom keeps the pointer valid for the closure, and fails the model on a race.
        self.0.with_mut(|byte| unsafe { *byte = value });
    }
}
