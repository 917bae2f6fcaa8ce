//! Each call to the kernel fails once, in each way that its page of the manual knows.
//!
//! A process does what a scene says, under ptrace(2): at the n-th call between two marks the call is not made, and an error
//! comes back in its place. Nothing may panic, hang or be lost, the error must say what is the matter, nothing may stay behind, and
//! the same once more, undisturbed, must succeed. Without `RINGPIPE_EVERY_FAULT` in the environment a part of the faults is
//! tried; `ci/faults.sh` tries all.
#![cfg(target_arch = "x86_64")]
#![allow(missing_docs, unreachable_pub)]

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod inject;
mod judge;
mod lives;
mod memory;
mod moves;
mod names;
mod rings;
mod stage;
mod storm;
mod streams;
mod sweep;
