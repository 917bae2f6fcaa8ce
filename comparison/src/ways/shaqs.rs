//! shaq 4.3, its queue for one producer and one consumer, in a file that both map. (5.1 wants a newer compiler.)
//!
//! A consumer can wait for messages, awake and then by a futex. A producer cannot wait for room: it spins. Many messages
//! are written into the ring and read in place.

use std::fs::File;
use std::num::NonZero;
use std::time::Duration;

use shaq::error::WaitError;
use shaq::spsc::{self, Consumer, Producer};

use super::place::{Gate, Place};
use crate::common::duel::Between;
use crate::common::machine::relax;
use crate::way::{Message, Rx, Tx, Waits, Way};

pub(crate) enum Shaq {}

impl<const N: usize> Way<N> for Shaq {
    const NAME: &'static str = "shaq";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Both;
    const SLICES: bool = true;
    type Tx = Producer<Message<N>>;
    type Rx = Consumer<Message<N>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let file = file();
        let other = file.try_clone().expect("the file");
        let (mut near, mut far) = Gate::pair();
        (
            move || {
                let tx = create(&file, messages);
                near.open();
                tx
            },
            move || {
                far.pass();
                join(&other)
            },
        )
    }
}

/// In memory, and without a name.
pub(crate) fn file() -> File {
    let place = Place::in_memory();
    let path = place.path().join("queue");
    let mut options = File::options();
    let options = options.read(true).write(true).create_new(true);
    options.open(path).expect("a file")
}

#[allow(
    unsafe_code,
    reason = "the crate trusts its callers to be the only ones"
)]
fn create<const N: usize>(file: &File, messages: usize) -> Producer<Message<N>> {
    let size = spsc::minimum_file_size::<Message<N>>(messages);
    // SAFETY: the file was made for this queue and is opened in two places: here, where it is initialized and has its one
    // producer, and in `join`, for the same `N`. Messages are words, which mean the same everywhere.
    unsafe { Producer::create(file, size) }.expect("a queue")
}

#[allow(
    unsafe_code,
    reason = "the crate trusts its callers to be the only ones"
)]
fn join<const N: usize>(file: &File) -> Consumer<Message<N>> {
    // SAFETY: this is the queue's only consumer, and `create` has initialized it, for the same `N`.
    unsafe { Consumer::join(file) }.expect("the queue")
}

impl<const N: usize> Tx<N> for Producer<Message<N>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        while self.try_write(*message).is_err() {
            relax();
        }
    }

    #[inline(always)]
    fn send_all(&mut self, count: usize, mut make: impl FnMut(usize) -> Message<N>) {
        let mut sent = 0;
        while sent < count {
            let mut batch = self.write_batch();
            let before = sent;
            while sent < count && batch.try_write(make(sent)).is_ok() {
                sent += 1;
            }
            drop(batch);
            if sent == before {
                relax();
            }
        }
    }
}

impl<const N: usize> Rx<N> for Consumer<Message<N>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        match self.read_timeout(Duration::MAX) {
            Ok(message) => look(&message),
            Err(why) => never(why),
        }
    }

    #[inline(always)]
    fn receive_some(&mut self, most: usize, look: impl FnMut(&Message<N>)) -> usize {
        let most = NonZero::new(most).expect("one at least");
        match self.reserve_read_batch_timeout(most, Duration::MAX) {
            Ok(batch) => {
                let (head, tail) = batch.as_slices();
                head.iter().chain(tail).for_each(look);
                batch.len()
            }
            Err(why) => never(why),
        }
    }
}

#[cold]
fn never(why: WaitError) -> ! {
    panic!("no message, ever: {why:?}");
}
