//! Queues from crates for several producers and several consumers, beside those that the benchmarks know of.

use std::sync::Arc;
use std::time::Duration;

use shaq::mpmc::{self, Producer};
use zerocopy::{FromBytes, IntoBytes};

use super::others::{Queue, publish};
use super::shaqs::file;
use crate::common::crowd::Crowd;
use crate::common::duel::Between;
use crate::common::ledger::{Ledger, item};
use crate::common::machine::relax;

/// shaq 4.3, its queue for many, between processes. Consumers wait awake and then by a futex; producers spin.
///
/// Whoever has a place must wait, spinning, for those who had theirs before. With more members than processors that can
/// take a time slice for each item: four producers and one consumer on two processors were seen to need anything from 20 ms
/// to 23 s for 10,000 items.
#[allow(unsafe_code, reason = "the crate trusts its callers")]
pub(crate) fn shaq(capacity: usize) -> Crowd {
    let size = mpmc::minimum_file_size::<u64>(capacity);
    // SAFETY: the file was made for this queue and is opened and initialized here alone; processes that are forked inherit
    // its memory. Items are words, which mean the same everywhere.
    let producer = unsafe { Producer::<u64>::create(&file(), size) }.expect("a queue");
    let consumer = Arc::new(producer.join_as_consumer());
    let producer = Arc::new(producer);
    Crowd::alike(
        Between::Processes,
        move |item| {
            while producer.try_write(item).is_err() {
                relax();
            }
        },
        move || {
            let item = consumer.read_timeout(Duration::MAX);
            item.expect("nothing may be waited for too long")
        },
    )
}

/// cloudtoid-interprocess 3, between processes. Subscribers wait by a named semaphore; publishers spin.
pub(crate) fn cloudtoid(capacity: usize) -> Crowd {
    let queue = Arc::new(Queue::new(capacity, size_of::<u64>()));
    let other = Arc::clone(&queue);
    // It goes with the last who has it open, and so do its messages.
    let keeper = queue.publisher();
    Crowd::new(
        Between::Processes,
        move |producer| {
            let _ = &keeper;
            let publisher = queue.publisher();
            move |places| {
                places.for_each(|place| publish(&publisher, item(producer, place).as_bytes()));
            }
        },
        move || {
            let subscriber = other.subscriber();
            move |count, ledger: &mut Ledger| {
                for _ in 0..count {
                    let bytes = subscriber.recv().expect("the queue");
                    ledger.enter(u64::read_from_bytes(&bytes).expect("a word"));
                }
            }
        },
    )
}
