//! ringfire 0.5, its ring for one producer and many readers, between processes.
//!
//! It is told not to overwrite what its readers have not read, which is not how it comes. A consumer waits as it does
//! unless told otherwise, awake and then by a futex, 50 ms at a time; a producer that finds no room sleeps for 10 µs at a
//! time after a while. Many messages are copied in and out.

use std::sync::Arc;

use ringfire::{FlowControl, FutexWait, RingConsumer, RingProducer, RingProducerBuilder};

use super::place::{Gate, Place};
use crate::common::duel::Between;
use crate::way::{Message, Rx, Tx, Waits, Way};

pub(crate) enum Ringfire {}

impl<const N: usize> Way<N> for Ringfire {
    const NAME: &'static str = "ringfire";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Both;
    const SLICES: bool = true;
    type Tx = Out<N>;
    type Rx = In<N>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let place = Arc::new(Place::in_memory());
        let other = Arc::clone(&place);
        let (near, far) = Gate::pair();
        (
            move || Out::create(place, messages, near),
            move || In::attach(other, far),
        )
    }
}

pub(crate) struct Out<const N: usize> {
    producer: RingProducer<Message<N>>,
    messages: Vec<Message<N>>,
    _place: Arc<Place>,
}

impl<const N: usize> Out<N> {
    fn create(place: Arc<Place>, messages: usize, mut gate: Gate) -> Self {
        let producer = RingProducerBuilder::new(messages.next_power_of_two() as u64)
            .flow_control(FlowControl::LosslessBackpressure)
            .build(place.path().join("ring"))
            .expect("a ring");
        gate.open();
        gate.pass(); // as it waits for no reader that it does not know of
        Self {
            producer,
            messages: Vec::new(),
            _place: place,
        }
    }
}

pub(crate) struct In<const N: usize> {
    consumer: RingConsumer<Message<N>>,
    waits: FutexWait,
    messages: Vec<Message<N>>,
    _place: Arc<Place>,
}

impl<const N: usize> In<N> {
    fn attach(place: Arc<Place>, mut gate: Gate) -> Self {
        gate.pass();
        let consumer = RingConsumer::attach(place.path().join("ring")).expect("the ring");
        gate.open();
        Self {
            consumer,
            waits: FutexWait::default(),
            messages: Vec::new(),
            _place: place,
        }
    }
}

impl<const N: usize> Tx<N> for Out<N> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        self.producer.push(message);
    }

    #[inline(always)]
    fn send_all(&mut self, count: usize, make: impl FnMut(usize) -> Message<N>) {
        self.messages.clear();
        self.messages.extend((0..count).map(make));
        self.producer.push_batch(&self.messages);
    }
}

impl<const N: usize> Rx<N> for In<N> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        look(&self.consumer.recv_blocking(&mut self.waits))
    }

    #[inline(always)]
    fn receive_some(&mut self, most: usize, look: impl FnMut(&Message<N>)) -> usize {
        self.messages.resize(most, [0; N]);
        let count = match self.consumer.recv_batch(&mut self.messages) {
            0 => {
                self.messages[0] = self.consumer.recv_blocking(&mut self.waits);
                1
            }
            some => some,
        };
        self.messages[..count].iter().for_each(look);
        count
    }
}
