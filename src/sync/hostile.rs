//! The standard library's atomics, where a fuzzer plays a peer that breaks the protocol.
//!
//! Who may write to a segment can do so between any two accesses of ours. [`intrude`] gives that peer something to do after
//! so many more accesses of this thread: so a value that is loaded, checked and then loaded once more is found out.

use core::sync::atomic;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use atomic::Ordering;

type Act = Box<dyn FnOnce()>;

thread_local! {
    /// How many accesses there are before the next act.
    static AHEAD: Cell<u32> = const { Cell::new(u32::MAX) };
    static ACTS: RefCell<VecDeque<(u32, Act)>> = const { RefCell::new(VecDeque::new()) };
}

/// Does `act` before the access that comes `after` as many others, counted from the last act that is still to come.
pub(crate) fn intrude(after: u32, act: impl FnOnce() + 'static) {
    ACTS.with_borrow_mut(|acts| acts.push_back((after, Box::new(act))));
    if AHEAD.get() == u32::MAX {
        next();
    }
}

/// Forgets what was to be done.
pub(crate) fn leave_alone() {
    AHEAD.set(u32::MAX);
    ACTS.take();
}

fn next() {
    let after = ACTS.with_borrow(|acts| acts.front().map(|(after, _)| *after));
    AHEAD.set(after.unwrap_or(u32::MAX));
}

#[inline(always)]
fn step() {
    match AHEAD.get() {
        u32::MAX => {}
        0 => act(),
        left => AHEAD.set(left - 1),
    }
}

#[cold]
fn act() {
    AHEAD.set(u32::MAX); // what the peer does itself is not counted
    let act = ACTS.with_borrow_mut(VecDeque::pop_front);
    if let Some((_, act)) = act {
        act();
    }
    next();
}

/// An atomic before whose every access the peer may act.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Watched<A>(A);

pub(crate) type AtomicU32 = Watched<atomic::AtomicU32>;
pub(crate) type AtomicU64 = Watched<atomic::AtomicU64>;

impl AtomicU32 {
    #[inline(always)]
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        step();
        self.0.load(order)
    }

    #[inline(always)]
    pub(crate) fn store(&self, value: u32, order: Ordering) {
        step();
        self.0.store(value, order);
    }

    #[inline(always)]
    pub(crate) fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        step();
        self.0.fetch_add(value, order)
    }

    #[inline(always)]
    pub(crate) fn fetch_or(&self, value: u32, order: Ordering) -> u32 {
        step();
        self.0.fetch_or(value, order)
    }

    #[inline(always)]
    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        step();
        self.0.swap(value, order)
    }

    #[inline(always)]
    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        step();
        self.0.compare_exchange(current, new, success, failure)
    }

    #[inline(always)]
    pub(crate) fn compare_exchange_weak(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.compare_exchange(current, new, success, failure)
    }
}

impl AtomicU64 {
    #[inline(always)]
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        step();
        self.0.load(order)
    }

    #[inline(always)]
    pub(crate) fn store(&self, value: u64, order: Ordering) {
        step();
        self.0.store(value, order);
    }

    #[inline(always)]
    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        step();
        self.0.fetch_add(value, order)
    }

    #[inline(always)]
    pub(crate) fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
        step();
        self.0.fetch_or(value, order)
    }

    #[inline(always)]
    pub(crate) fn fetch_and(&self, value: u64, order: Ordering) -> u64 {
        step();
        self.0.fetch_and(value, order)
    }

    #[inline(always)]
    pub(crate) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        step();
        self.0.compare_exchange(current, new, success, failure)
    }
}
