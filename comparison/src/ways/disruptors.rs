//! disruptor 4, after LMAX, between threads: one producer, and one consumer that polls.
//!
//! A poller is what a thread of one's own uses; the other way to consume is a callback on a thread that the disruptor
//! makes. The producer's waiting calls spin, without a hint to the processor. Messages are written and read in place.

use disruptor::{
    BusySpinWithSpinLoopHint, EventGuard, EventPoller, Polling, Producer, SingleConsumerBarrier,
    SingleProducer, SingleProducerBarrier, build_single_producer,
};

use crate::common::duel::Between;
use crate::common::machine::relax;
use crate::way::{Message, Rx, Tx, Waits, Way};

pub(crate) enum Disruptor {}

type Poller<const N: usize> = EventPoller<Message<N>, SingleProducerBarrier>;

impl<const N: usize> Way<N> for Disruptor {
    const NAME: &'static str = "disruptor";
    const BETWEEN: Between = Between::Threads;
    const WAITS: Waits = Waits::Awake;
    const SLICES: bool = true;
    type Tx = SingleProducer<Message<N>, SingleConsumerBarrier>;
    type Rx = Poller<N>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let size = messages.next_power_of_two();
        let builder = build_single_producer(size, || [0; N], BusySpinWithSpinLoopHint);
        let (poller, builder) = builder.new_event_poller();
        let producer = builder.build();
        (move || producer, move || poller)
    }
}

impl<const N: usize> Tx<N> for SingleProducer<Message<N>, SingleConsumerBarrier> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        self.publish(|slot| *slot = *message);
    }

    #[inline(always)]
    fn send_all(&mut self, count: usize, mut make: impl FnMut(usize) -> Message<N>) {
        self.batch_publish(count, |slots| {
            slots.enumerate().for_each(|(i, slot)| *slot = make(i));
        });
    }
}

/// Those that have come, of `most` at most, as soon as there is one.
#[inline(always)]
fn some<const N: usize>(
    poller: &mut Poller<N>,
    most: u64,
) -> EventGuard<'_, Message<N>, SingleProducerBarrier> {
    while !poller.has_available() {
        relax();
    }
    match poller.take(most) {
        Ok(messages) => messages,
        Err(Polling::NoEvents | Polling::Shutdown) => panic!("one is there"),
    }
}

impl<const N: usize> Rx<N> for Poller<N> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        let mut message = some(self, 1);
        look((&mut message).next().expect("as was said"))
    }

    #[inline(always)]
    fn receive_some(&mut self, most: usize, mut look: impl FnMut(&Message<N>)) -> usize {
        let mut messages = some(self, most as u64);
        let mut messages = &mut messages;
        let count = messages.len();
        messages.by_ref().for_each(&mut look);
        count
    }
}
