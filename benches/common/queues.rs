//! The rivals from user space: queues and channels between threads. They have no calls for runs of items.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use super::crowd::Crowd;
use super::duel::Between;
use super::machine::relax;

/// crossbeam's queue, spinning on full and on empty, as it cannot wait.
pub(crate) fn array_queue(capacity: usize) -> Crowd {
    let queue = Arc::new(ArrayQueue::new(capacity));
    let other = Arc::clone(&queue);
    Crowd::alike(
        Between::Threads,
        move |item| {
            while queue.push(item).is_err() {
                relax();
            }
        },
        move || {
            loop {
                match other.pop() {
                    Some(item) => break item,
                    None => relax(),
                }
            }
        },
    )
}

/// crossbeam's bounded channel, with its blocking calls.
pub(crate) fn crossbeam_channel(capacity: usize) -> Crowd {
    let (tx, rx) = crossbeam_channel::bounded(capacity);
    Crowd::alike(
        Between::Threads,
        move |item| tx.send(item).expect("a consumer"),
        move || rx.recv().expect("a producer"),
    )
}

/// kanal's bounded channel, with its blocking calls. It can hand over all that it holds at once, but no run of a chosen
/// length.
pub(crate) fn kanal(capacity: usize) -> Crowd {
    let (tx, rx) = kanal::bounded(capacity);
    Crowd::alike(
        Between::Threads,
        move |item| tx.send(item).expect("a consumer"),
        move || rx.recv().expect("a producer"),
    )
}
