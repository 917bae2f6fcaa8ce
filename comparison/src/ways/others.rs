//! Crates that carry bytes between processes.

use std::sync::Arc;

use cloudtoid_interprocess::{Error, Options, Publisher, Subscriber};
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender};
use shmring::backend::ShmStorage;
use shmring::{Reader, Writer, create_shm, open_shm};
use zerocopy::{FromBytes, IntoBytes};

use super::bytes;
use super::place::{Gate, Objects, Place};
use crate::common::duel::Between;
use crate::common::machine::relax;
use crate::way::{Message, Rx, Tx, Waits, Way};

/// ipc-channel 0.23, its channel for bytes: a Unix socket of packets, with a sendmsg(2) for each message, and a
/// recvmsg(2) and a new vector for each.
pub(crate) enum IpcChannel {}

impl<const N: usize> Way<N> for IpcChannel {
    const NAME: &'static str = "ipc-channel";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = IpcBytesSender;
    type Rx = IpcBytesReceiver;

    fn open(
        _: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (tx, rx) = ipc::bytes_channel().expect("a channel");
        (move || tx, move || rx)
    }
}

impl<const N: usize> Tx<N> for IpcBytesSender {
    fn send(&mut self, message: &Message<N>) {
        IpcBytesSender::send(self, message.as_bytes()).expect("a receiver");
    }
}

impl<const N: usize> Rx<N> for IpcBytesReceiver {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        look(&of(&self.recv().expect("a sender")))
    }
}

fn of<const N: usize>(bytes: &[u8]) -> Message<N> {
    Message::read_from_bytes(bytes).expect("a whole message")
}

/// shmring 0.4, a stream of bytes in POSIX shared memory. Sides sleep at once, by a futex, and each call that moves
/// something wakes the other one by a system call. Its counters are no atomics: it relies on what x86 does with others.
pub(crate) enum Shmring {}

impl<const N: usize> Way<N> for Shmring {
    const NAME: &'static str = "shmring";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Kept<bytes::Out<Writer<ShmStorage>>>;
    type Rx = Kept<bytes::In<Reader<ShmStorage>>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let objects = Arc::new(Objects::new());
        let other = Arc::clone(&objects);
        let (mut near, mut far) = Gate::pair();
        let size = (messages * size_of::<Message<N>>()).next_power_of_two() as u64;
        (
            move || {
                let writer = create_shm(objects.name(), size, shmring::Options::default());
                near.open();
                near.pass(); // as its name goes with the writer
                Kept(bytes::Out(writer.expect("a ring")), objects)
            },
            move || {
                far.pass();
                let reader = open_shm(other.name(), size, shmring::Options::default());
                far.open();
                Kept(bytes::In(reader.expect("the ring")), other)
            },
        )
    }
}

/// A side, with what is removed when both are gone.
pub(crate) struct Kept<T>(T, #[allow(dead_code, reason = "for its drop")] Arc<Objects>);

impl<const N: usize, T: Tx<N>> Tx<N> for Kept<T> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        self.0.send(message);
    }
}

impl<const N: usize, T: Rx<N>> Rx<N> for Kept<T> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        self.0.receive(look)
    }
}

/// cloudtoid-interprocess 3, which is made for any number of publishers and subscribers, and recovers when one of them
/// dies. A subscriber waits by a named semaphore, 5 ms at a time, and gets a new vector for each message; a publisher
/// cannot wait for room: it spins. Many messages are published in one call.
pub(crate) enum Cloudtoid {}

impl<const N: usize> Way<N> for Cloudtoid {
    const NAME: &'static str = "cloudtoid-interprocess";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    const SLICES: bool = true;
    type Tx = Published<N>;
    type Rx = Subscribed;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let queue = Arc::new(Queue::new(messages, size_of::<Message<N>>()));
        let other = Arc::clone(&queue);
        let (mut near, mut far) = Gate::pair();
        (
            move || {
                near.pass();
                Published {
                    publisher: queue.publisher(),
                    messages: Vec::new(),
                    _queue: queue,
                }
            },
            move || {
                let subscriber = other.subscriber();
                far.open();
                Subscribed {
                    subscriber,
                    _queue: other,
                }
            },
        )
    }
}

/// Where a queue is, by which name, and of what size.
pub(crate) struct Queue {
    place: Place,
    objects: Objects,
    capacity: usize,
}

impl Queue {
    pub(crate) fn new(messages: usize, size: usize) -> Self {
        Self {
            place: Place::in_memory(),
            objects: Objects::new(),
            capacity: messages * (size + 8), // with what stands before each
        }
    }

    fn options(&self) -> Options {
        Options::new(self.objects.name(), self.capacity).with_path(self.place.path())
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::open(&self.options()).expect("a publisher")
    }

    pub(crate) fn subscriber(&self) -> Subscriber {
        Subscriber::open(&self.options()).expect("a subscriber")
    }
}

pub(crate) struct Published<const N: usize> {
    publisher: Publisher,
    messages: Vec<Message<N>>,
    _queue: Arc<Queue>,
}

pub(crate) struct Subscribed {
    subscriber: Subscriber,
    _queue: Arc<Queue>,
}

/// Publishes it, and waits for room before.
#[inline(always)]
pub(crate) fn publish(publisher: &Publisher, bytes: &[u8]) {
    loop {
        match publisher.try_send(bytes) {
            Ok(()) => return,
            Err(Error::Full) => relax(),
            Err(why) => panic!("{why}"),
        }
    }
}

impl<const N: usize> Tx<N> for Published<N> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        publish(&self.publisher, message.as_bytes());
    }

    #[inline(always)]
    fn send_all(&mut self, count: usize, make: impl FnMut(usize) -> Message<N>) {
        self.messages.clear();
        self.messages.extend((0..count).map(make));
        let all: Vec<&[u8]> = self.messages.iter().map(IntoBytes::as_bytes).collect();
        let mut left = &all[..];
        while !left.is_empty() {
            match self.publisher.try_send_batch(left).expect("the queue") {
                0 => relax(),
                sent => left = &left[sent..],
            }
        }
    }
}

impl<const N: usize> Rx<N> for Subscribed {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        look(&of(&self.subscriber.recv().expect("the queue")))
    }
}
