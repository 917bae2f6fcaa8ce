//! Our own ring, with handles that wait as they do unless told otherwise.

use ringpipe::spsc::{self, Consumer, Producer};

use crate::common::duel::Between;
use crate::way::{Message, Rx, Tx, Waits, Way};

/// One push and one pop for each message; many are written and read in place.
pub(crate) enum Ring {}

impl<const N: usize> Way<N> for Ring {
    const NAME: &'static str = "ring";
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
        open(messages)
    }
}

fn open<const N: usize>(
    messages: usize,
) -> (
    impl FnOnce() -> Producer<Message<N>> + Send + 'static,
    impl FnOnce() -> Consumer<Message<N>> + Send + 'static,
) {
    let ring = spsc::Ring::private(messages).expect("a ring");
    let other = ring.clone();
    (
        move || ring.producer().expect("the producer's role"),
        move || other.consumer().expect("the consumer's role"),
    )
}

impl<const N: usize> Tx<N> for Producer<Message<N>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        self.push(*message).expect("a consumer");
    }

    #[inline(always)]
    fn send_all(&mut self, count: usize, mut make: impl FnMut(usize) -> Message<N>) {
        let mut room = self.reserve(count).expect("a consumer");
        let (head, tail) = room.as_mut_slices();
        for (i, slot) in head.iter_mut().chain(tail).enumerate() {
            *slot = make(i);
        }
        room.commit(count);
    }
}

impl<const N: usize> Rx<N> for Consumer<Message<N>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        look(&self.pop().expect("a producer"))
    }

    #[inline(always)]
    fn receive_some(&mut self, most: usize, mut look: impl FnMut(&Message<N>)) -> usize {
        let messages = self.peek(most).expect("a producer");
        let (head, tail) = messages.as_slices();
        head.iter().chain(tail).for_each(&mut look);
        let count = messages.len();
        messages.release_all();
        count
    }
}
