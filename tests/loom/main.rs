//! The protocols under loom: every interleaving, every outcome that the memory model allows, up to a
//! bound on preemptions, with a participant killed at each of its steps in turn.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --profile loom --test loom
//! ```
//!
//! or `ci/loom.sh`. `LOOM_MAX_PREEMPTIONS` sets the bound (unless set, 2 for a pair and 1 for shared roles). Models are small on purpose: two or three
//! threads, rings of one to three slots, two or three items. Items are two bytes, each a cell of its own, so
//! that a torn copy shows.
#![cfg(loom)]
#![allow(missing_docs)]
#![allow(
    clippy::arc_with_non_send_sync,
    reason = "loom runs one thread at a time"
)]

mod crowd;
mod crowd_deaths;
mod edges;
mod pair;
mod turns;
mod turns_deaths;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

type Item = [u8; 2];

/// Item number `n`: both bytes say so.
fn item(n: u8) -> Item {
    [n, n]
}

/// The number of an item that is whole.
fn number(item: Item) -> u8 {
    assert_eq!(item[0], item[1], "a torn item");
    item[0]
}

/// Explores a model with at most `bound` preemptions, unless the environment says otherwise.
fn explore(bound: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(bound);
    builder.max_branches = 10_000;
    builder.check(model);
}

/// Explores a model of a pair.
fn check(model: impl Fn() + Sync + Send + 'static) {
    explore(2, model);
}

/// Explores a model of shared roles, which have more participants, and more steps in each of their operations.
fn check_crowd(model: impl Fn() + Sync + Send + 'static) {
    explore(1, model);
}

/// Runs a model for a life of 0 steps, of 1, 2, … until the victim outlives it in every execution. The model calls
/// the counter's `fetch_add` whenever it saw a death. Returns how many points of death there were.
fn at_each_step(model: impl Fn(u32, &AtomicU32) + Sync + Send + Clone + 'static) -> u32 {
    explore_each_step(2, model)
}

/// The same for shared roles.
fn at_each_step_in_crowd(model: impl Fn(u32, &AtomicU32) + Sync + Send + Clone + 'static) -> u32 {
    explore_each_step(1, model)
}

fn explore_each_step(
    bound: usize,
    model: impl Fn(u32, &AtomicU32) + Sync + Send + Clone + 'static,
) -> u32 {
    for life in 0.. {
        let deaths = Arc::new(AtomicU32::new(0));
        let (seen, model) = (Arc::clone(&deaths), model.clone());
        explore(bound, move || model(life, &seen));
        if deaths.load(Ordering::Relaxed) == 0 {
            return life;
        }
    }
    unreachable!("a life is finite")
}

fn died<R>(outcome: &Option<R>, deaths: &AtomicU32) -> bool {
    if outcome.is_none() {
        deaths.fetch_add(1, Ordering::Relaxed);
    }
    outcome.is_none()
}
