//! Rings with one producer and one consumer.

mod draining;
mod feeding;

use ringpipe::spsc::{Consumer, Peer, Producer, Ring};
use ringpipe::{PopTimeoutError, Strategy, TryPopError, TryPushError};

use crate::items::{Item, item, number};
use crate::scene::LONG;
use crate::sleeper::Sleeper;

/// How many items a ring holds.
const CAPACITY: u64 = 8;

/// A ring and what is done to it.
struct Made(Ring<Item>);

impl Made {
    fn new() -> Self {
        Self(Ring::private(CAPACITY as usize).unwrap())
    }

    /// Puts the first `pushed` items in, of which the first `popped` go through.
    fn begin_with(&self, popped: u64, pushed: u64) {
        if pushed == 0 {
            return;
        }
        let (mut tx, mut rx) = (self.0.producer().unwrap(), self.0.consumer().unwrap());
        for n in 0..pushed {
            tx.push(item(n)).unwrap();
            if n < popped {
                assert_eq!(number(rx.pop().unwrap()), n);
            }
        }
    }

    fn producer(&self) -> Producer<Item> {
        let mut tx = self.0.producer().expect("nobody has the role");
        tx.set_strategy(Strategy::Sleep);
        tx
    }

    fn consumer(&self) -> Consumer<Item> {
        let mut rx = self.0.consumer().expect("nobody has the role");
        rx.set_strategy(Strategy::Sleep);
        rx
    }

    /// Has another thread do something that puts it to sleep on the ring.
    fn asleep<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Sleeper<R> {
        let status = self.0.status().unwrap();
        Sleeper::new(status.unwrap().set.unwrap(), work)
    }
}

/// Pushes items from number `first` on while there is room and a consumer to come; returns the number of the next.
fn fill(tx: &mut Producer<Item>, first: u64) -> u64 {
    let mut next = first;
    loop {
        match tx.try_push(item(next)) {
            Ok(()) => next += 1,
            Err(TryPushError::Full(_) | TryPushError::Disconnected(_)) => return next,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Takes what is there, which must be the items from number `first` on; returns the number of the next.
fn drain(rx: &mut Consumer<Item>, first: u64) -> u64 {
    let mut next = first;
    loop {
        match rx.try_pop() {
            Ok(item) => assert_eq!(number(item), next),
            Err(TryPopError::Empty | TryPopError::Disconnected) => return next,
            Err(other) => panic!("{other:?}"),
        }
        next += 1;
    }
}

/// The same until the feed ends.
fn drain_to_the_end(rx: &mut Consumer<Item>, first: u64) -> u64 {
    let mut next = first;
    loop {
        match rx.pop_timeout(LONG) {
            Ok(item) => assert_eq!(number(item), next),
            Err(PopTimeoutError::Disconnected) => return next,
            Err(other) => panic!("{other:?}"),
        }
        next += 1;
    }
}

/// Both roles are held, nothing is in the ring, the next item is number `next`: it holds as many as ever, and ends well.
fn as_good_as_new(mut tx: Producer<Item>, mut rx: Consumer<Item>, next: u64) {
    assert!(matches!(tx.peer(), Ok(Peer::Alive { .. })));
    assert!(matches!(rx.peer(), Ok(Peer::Alive { .. })));
    let filled = fill(&mut tx, next);
    assert_eq!(filled - next, CAPACITY, "room was lost or won");
    assert_eq!(drain(&mut rx, next), filled);
    tx.finish().unwrap();
    assert_eq!(drain_to_the_end(&mut rx, filled), filled);
    assert_eq!(rx.peer(), Ok(Peer::Finished));
}
