//! Rings and queues between threads that cannot wait: they spin on full and on empty.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::common::duel::Between;
use crate::common::machine::relax;
use crate::way::{Message, Rx, Tx, Waits, Way};

/// rtrb 0.4. Many messages are written and read in place, in chunks; a chunk is waited for until there is room for all of
/// it. A side learns when the other one is gone, but only if it asks.
pub(crate) enum Rtrb {}

impl<const N: usize> Way<N> for Rtrb {
    const NAME: &'static str = "rtrb";
    const BETWEEN: Between = Between::Threads;
    const WAITS: Waits = Waits::Awake;
    const SLICES: bool = true;
    type Tx = rtrb::Producer<Message<N>>;
    type Rx = rtrb::Consumer<Message<N>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = rtrb::RingBuffer::new(messages);
        (move || tx, move || rx)
    }
}

impl<const N: usize> Tx<N> for rtrb::Producer<Message<N>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        while self.push(*message).is_err() {
            relax();
        }
    }

    #[inline(always)]
    fn send_all(&mut self, count: usize, make: impl FnMut(usize) -> Message<N>) {
        let chunk = loop {
            if let Ok(chunk) = self.write_chunk_uninit(count) {
                break chunk;
            }
            relax();
        };
        chunk.fill_from_iter((0..count).map(make));
    }
}

impl<const N: usize> Rx<N> for rtrb::Consumer<Message<N>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        loop {
            if let Ok(message) = self.pop() {
                return look(&message);
            }
            relax();
        }
    }

    #[inline(always)]
    fn receive_some(&mut self, most: usize, look: impl FnMut(&Message<N>)) -> usize {
        let count = loop {
            match self.slots() {
                0 => relax(),
                there => break there.min(most),
            }
        };
        let chunk = self.read_chunk(count).expect("as many as there are");
        let (head, tail) = chunk.as_slices();
        head.iter().chain(tail).for_each(look);
        chunk.commit_all();
        count
    }
}

/// ringbuf 0.6. Many messages are written as they are made, and read in place.
pub(crate) enum Ringbuf {}

impl<const N: usize> Way<N> for Ringbuf {
    const NAME: &'static str = "ringbuf";
    const BETWEEN: Between = Between::Threads;
    const WAITS: Waits = Waits::Awake;
    const SLICES: bool = true;
    type Tx = HeapProd<Message<N>>;
    type Rx = HeapCons<Message<N>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = HeapRb::new(messages).split();
        (move || tx, move || rx)
    }
}

impl<const N: usize> Tx<N> for HeapProd<Message<N>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        while self.try_push(*message).is_err() {
            relax();
        }
    }

    #[inline(always)]
    fn send_all(&mut self, count: usize, mut make: impl FnMut(usize) -> Message<N>) {
        let mut sent = 0;
        while sent < count {
            match self.push_iter((sent..count).map(&mut make)) {
                0 => relax(),
                some => sent += some,
            }
        }
    }
}

impl<const N: usize> Rx<N> for HeapCons<Message<N>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        loop {
            if let Some(message) = self.try_pop() {
                return look(&message);
            }
            relax();
        }
    }

    #[inline(always)]
    fn receive_some(&mut self, most: usize, look: impl FnMut(&Message<N>)) -> usize {
        while self.is_empty() {
            relax();
        }
        let (head, tail) = self.as_slices();
        let count = (head.len() + tail.len()).min(most);
        head.iter().chain(tail).take(count).for_each(look);
        self.skip(count)
    }
}

/// ArrayQueue of crossbeam-queue 0.3, which is made for any number of producers and consumers.
pub(crate) enum CrossbeamQueue {}

impl<const N: usize> Way<N> for CrossbeamQueue {
    const NAME: &'static str = "crossbeam ArrayQueue";
    const BETWEEN: Between = Between::Threads;
    const WAITS: Waits = Waits::Awake;
    type Tx = Arc<ArrayQueue<Message<N>>>;
    type Rx = Arc<ArrayQueue<Message<N>>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let queue = Arc::new(ArrayQueue::new(messages));
        let other = Arc::clone(&queue);
        (move || queue, move || other)
    }
}

impl<const N: usize> Tx<N> for Arc<ArrayQueue<Message<N>>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        while self.push(*message).is_err() {
            relax();
        }
    }
}

impl<const N: usize> Rx<N> for Arc<ArrayQueue<Message<N>>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        loop {
            if let Some(message) = self.pop() {
                return look(&message);
            }
            relax();
        }
    }
}
