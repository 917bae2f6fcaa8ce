//! Our own ring, with handles that wait as they do unless told otherwise, or otherwise.

use ringpipe::Strategy;
use ringpipe::spsc::{self, Consumer, Producer};

use crate::common::duel::Between;
use crate::way::{Message, Rx, Tx, Waits, Way};

const BOTH: u8 = 0;
const AWAKE: u8 = 1;
const ASLEEP: u8 = 2;

/// One push and one pop for each message; many are written and read in place. It says by a number how it waits.
pub(crate) enum Waiting<const HOW: u8> {}

/// Unless told otherwise.
pub(crate) type Ring = Waiting<BOTH>;
pub(crate) type RingAwake = Waiting<AWAKE>;
pub(crate) type RingAsleep = Waiting<ASLEEP>;

const fn strategy(how: u8) -> Strategy {
    match how {
        BOTH => Strategy::SpinThenSleep,
        AWAKE => Strategy::Spin,
        _ => Strategy::Sleep,
    }
}

impl<const N: usize, const HOW: u8> Way<N> for Waiting<HOW> {
    const NAME: &'static str = match HOW {
        BOTH => "ring",
        AWAKE => "ring, spinning",
        _ => "ring, sleeping",
    };
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = match HOW {
        BOTH => Waits::Both,
        AWAKE => Waits::Awake,
        _ => Waits::Asleep,
    };
    const SLICES: bool = HOW == BOTH;
    type Tx = Producer<Message<N>>;
    type Rx = Consumer<Message<N>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        open(messages, strategy(HOW))
    }
}

/// The same, but many messages at once are copied in and out.
pub(crate) enum RingCopied {}

impl<const N: usize> Way<N> for RingCopied {
    const NAME: &'static str = "ring, copied slices";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Both;
    const SLICES: bool = true;
    const SINGLE: bool = false;
    type Tx = Copied<Producer<Message<N>>, N>;
    type Rx = Copied<Consumer<Message<N>>, N>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = open(messages, Strategy::SpinThenSleep);
        (|| Copied(tx(), Vec::new()), || Copied(rx(), Vec::new()))
    }
}

/// A side with what it copies from or to.
pub(crate) struct Copied<S, const N: usize>(S, Vec<Message<N>>);

impl<const N: usize> Tx<N> for Copied<Producer<Message<N>>, N> {
    fn send(&mut self, message: &Message<N>) {
        self.0.send(message);
    }

    #[inline(always)]
    fn send_all(&mut self, count: usize, make: impl FnMut(usize) -> Message<N>) {
        self.1.clear();
        self.1.extend((0..count).map(make));
        self.0.push_slice(&self.1).expect("a consumer");
    }
}

impl<const N: usize> Rx<N> for Copied<Consumer<Message<N>>, N> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        self.0.receive(look)
    }

    #[inline(always)]
    fn receive_some(&mut self, most: usize, look: impl FnMut(&Message<N>)) -> usize {
        self.1.resize(most, [0; N]);
        let count = self.0.pop_slice(&mut self.1).expect("a producer");
        self.1[..count].iter().for_each(look);
        count
    }
}

fn open<const N: usize>(
    messages: usize,
    strategy: Strategy,
) -> (
    impl FnOnce() -> Producer<Message<N>> + Send + 'static,
    impl FnOnce() -> Consumer<Message<N>> + Send + 'static,
) {
    let ring = spsc::Ring::private(messages).expect("a ring");
    let other = ring.clone();
    (
        move || {
            let mut tx = ring.producer().expect("the producer's role");
            tx.set_strategy(strategy);
            tx
        },
        move || {
            let mut rx = other.consumer().expect("the consumer's role");
            rx.set_strategy(strategy);
            rx
        },
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
