//! The one file that says "std or loom".
//!
//! Everything that two participants share goes through the names below. In the normal build they are
//! the standard library's; under `--cfg loom` they are loom's, wrapped so that a modelled participant
//! can be killed before any of them (see `sync/mortal.rs`); under `--cfg fuzzing` the standard library's, before any of which a
//! hostile peer may write (see `sync/hostile.rs`). Nothing is emulated: what loom lacks (time) is
//! absent there, so it cannot slip into a model.

#[cfg(not(loom))]
mod imp {
    #![allow(
        clippy::disallowed_types,
        reason = "this is the file that the rule points to"
    )]
    #[cfg(fuzzing)]
    pub(crate) use super::hostile::{AtomicU32, AtomicU64};
    pub(crate) use core::sync::atomic::{AtomicBool, AtomicU8, Ordering, compiler_fence, fence};
    #[cfg(not(fuzzing))]
    pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
}

#[cfg(all(fuzzing, not(loom)))]
#[path = "sync/hostile.rs"]
pub(crate) mod hostile;

#[cfg(loom)]
#[path = "sync/mortal.rs"]
pub(crate) mod mortal;

#[cfg(loom)]
#[path = "sync/weakened.rs"]
mod weakened;

#[cfg(loom)]
mod imp {
    pub(crate) use super::mortal::{AtomicU32, AtomicU64, Cell, fence};
    pub(crate) use loom::sync::atomic::Ordering;
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now;
}

pub(crate) use imp::*;
// Counts references within one process: no part of any protocol, so the same under loom.
pub(crate) use std::sync::Arc;
