//! The door for models and fuzzers: the parts behind the public handles. No part of the public interface.
#![allow(missing_docs)]

#[cfg(all(fuzzing, not(loom)))]
mod fuzzed;
#[cfg(loom)]
mod modelled;

#[cfg(all(fuzzing, not(loom)))]
pub use fuzzed::{rendezvous, segment, spsc_ops};
#[cfg(loom)]
pub use modelled::*;
