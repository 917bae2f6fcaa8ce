//! "Killed at any instruction", taken at its word.
//!
//! A process is taken to each machine instruction of an operation in turn and killed there; the others go on, and are held
//! to every promise. Another is halted there, and is killed or goes on when the others have done what they can meanwhile.
//! Without `RINGPIPE_EVERY_STEP` in the environment, a part of the instructions is tried; `ci/kill-every-step.sh` tries all.
#![cfg(target_arch = "x86_64")]
#![allow(missing_docs, unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;
mod items;
mod mpmc;
mod route;
mod scene;
mod sleeper;
mod spsc;
mod stream;
mod sweep;
