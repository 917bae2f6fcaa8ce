//! The ring for many itself, between processes or between threads, with handles that wait as they do unless told
//! otherwise.

use ringpipe::mpmc::Ring;

use super::crowd::Crowd;
use super::duel::Between;
use super::ledger::{Ledger, item};

fn ring(capacity: usize, between: Between) -> Ring<u64> {
    let ring = match between {
        Between::Processes => Ring::private(capacity),
        Between::Threads => Ring::in_process(capacity),
    };
    ring.expect("a ring")
}

/// One push and one pop per item.
pub(crate) fn single(capacity: usize, between: Between) -> Crowd {
    let ring = ring(capacity, between);
    let other = ring.clone();
    Crowd::new(
        between,
        move |producer| {
            let mut tx = ring.producer().expect("room for a producer");
            move |places| {
                places.for_each(|place| tx.push(item(producer, place)).expect("a consumer"));
            }
        },
        move || {
            let mut rx = other.consumer().expect("room for a consumer");
            move |count, ledger: &mut Ledger| {
                (0..count).for_each(|_| ledger.enter(rx.pop().expect("a producer")));
            }
        },
    )
}

/// One push and one pop per run of items.
pub(crate) fn runs<const RUN: usize>(capacity: usize, between: Between) -> Crowd {
    let ring = ring(capacity, between);
    let other = ring.clone();
    Crowd::new(
        between,
        move |producer| {
            let mut tx = ring.producer().expect("room for a producer");
            move |places| {
                for first in places.step_by(RUN) {
                    let run: [u64; RUN] = std::array::from_fn(|i| item(producer, first + i as u64));
                    tx.push_slice(&run).expect("a consumer");
                }
            }
        },
        move || {
            let mut rx = other.consumer().expect("room for a consumer");
            let mut run = [0; RUN];
            move |mut left, ledger: &mut Ledger| {
                while left > 0 {
                    let wanted = left.min(RUN as u64) as usize;
                    let count = rx.pop_slice(&mut run[..wanted]).expect("a producer");
                    run[..count].iter().for_each(|&item| ledger.enter(item));
                    left -= count as u64;
                }
            }
        },
    )
}
