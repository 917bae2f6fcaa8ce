//! The one file that says "std or loom".
//!
//! Everything that two participants share goes through the names below. In the normal build they are
//! the standard library's; under `--cfg loom` they are loom's, wrapped so that a modelled participant
//! can be killed before any of them (see `sync/mortal.rs`). Nothing is emulated: what loom lacks (time) is
//! absent there, so it cannot slip into a model.

#[cfg(not(loom))]
mod imp {
    #![allow(
        clippy::disallowed_types,
        reason = "this is the file that the rule points to"
    )]
    pub(crate) use core::sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, compiler_fence, fence,
    };
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
}

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
