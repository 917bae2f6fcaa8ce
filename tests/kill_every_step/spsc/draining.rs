//! What a consumer does.

use ringpipe::PushError;
use ringpipe::spsc::{Consumer, Peer, Producer, Ring};

use super::{CAPACITY, Made, as_good_as_new, drain, fill};
use crate::items::{Item, item, number};
use crate::scene::{Fate, Scene, Stage};
use crate::sleeper::{Sleeper, Sleeps};

/// An operation of a consumer.
#[derive(Clone, Copy)]
struct Draining {
    /// How many items have gone through the ring before, and how many are in it.
    before: u64,
    filled: u64,
    producer_sleeps: Sleeps,
    /// Whether it ends the feed meanwhile, after one more item.
    producer_ends: bool,
    /// Whether the consumer attaches before it begins.
    attached: bool,
    act: fn(&mut Hands<'_>),
    /// How many items may have been released, in the end the last.
    totals: &'static [u64],
    /// What the producer may be told of a consumer that was killed.
    ends: &'static [Peer],
}

const DRAINING: Draining = Draining {
    before: 5, // the fourth of the items is in the first slot again
    filled: 7,
    producer_sleeps: Sleeps::Never,
    producer_ends: false,
    attached: true,
    act: |_| (),
    totals: &[0],
    ends: &[Peer::Died],
};

/// What the consumer has at hand.
struct Hands<'a> {
    ring: &'a Ring<Item>,
    rx: Option<Consumer<Item>>,
    taken: [Item; 6],
    stage: Stage,
}

impl Hands<'_> {
    fn rx(&mut self) -> &mut Consumer<Item> {
        self.rx.as_mut().expect("it has attached")
    }
}

fn pop_once(hands: &mut Hands<'_>) {
    hands.taken[0] = hands.rx().pop().unwrap();
    hands.stage.report(1);
}

fn pop_twice(hands: &mut Hands<'_>) {
    pop_once(hands); // looks at the producer's index
    hands.taken[1] = hands.rx().pop().unwrap(); // knows it
    hands.stage.report(2);
}

fn pop_slice(hands: &mut Hands<'_>) {
    let mut taken = hands.taken;
    assert_eq!(hands.rx().pop_slice(&mut taken), Ok(6));
    hands.taken = taken;
    hands.stage.report(6);
}

fn release(hands: &mut Hands<'_>) {
    let mut taken = hands.taken;
    let items = hands.rx().peek(6).unwrap();
    let (first, second) = items.as_slices();
    taken[..first.len()].copy_from_slice(first);
    taken[first.len()..].copy_from_slice(second);
    items.release(5);
    hands.taken = taken;
    hands.stage.report(5);
}

fn attach(hands: &mut Hands<'_>) {
    hands.rx = Some(hands.ring.consumer().unwrap());
}

fn finish(hands: &mut Hands<'_>) {
    hands.rx.take().expect("it has attached").finish().unwrap();
}

#[test]
fn pop() {
    sweep(
        "spsc pop",
        Draining {
            act: pop_twice,
            totals: &[0, 1, 2],
            ..DRAINING
        },
    );
}

#[test]
fn pop_that_wakes_a_producer() {
    sweep(
        "spsc pop that wakes a producer",
        Draining {
            filled: CAPACITY,
            producer_sleeps: Sleeps::Before,
            act: pop_twice,
            totals: &[0, 1, 2],
            ..DRAINING
        },
    );
}

#[test]
fn pop_while_a_producer_goes_to_sleep() {
    sweep(
        "spsc pop while a producer goes to sleep",
        Draining {
            producer_sleeps: Sleeps::Meanwhile,
            act: pop_twice,
            totals: &[0, 1, 2],
            ..DRAINING
        },
    );
}

#[test]
fn pop_that_sleeps_at_an_empty_ring() {
    sweep(
        "spsc pop that sleeps at an empty ring",
        Draining {
            filled: 0,
            act: pop_once,
            totals: &[0, 1],
            ..DRAINING
        },
    );
}

#[test]
fn pop_of_the_last_item() {
    sweep(
        "spsc pop of the last item",
        Draining {
            filled: 0,
            producer_ends: true,
            act: pop_once,
            totals: &[0, 1],
            ..DRAINING
        },
    );
}

#[test]
fn pop_slice_around_the_end() {
    sweep(
        "spsc pop_slice around the end",
        Draining {
            act: pop_slice,
            totals: &[0, 6],
            ..DRAINING
        },
    );
}

#[test]
fn peek_and_release() {
    sweep(
        "spsc peek and release",
        Draining {
            act: release,
            totals: &[0, 5],
            ..DRAINING
        },
    );
}

#[test]
fn attach_a_consumer() {
    sweep(
        "spsc attach a consumer",
        Draining {
            before: 0,
            filled: 0,
            attached: false,
            act: attach,
            ends: &[Peer::Never, Peer::Died],
            ..DRAINING
        },
    );
}

#[test]
fn attach_a_successor() {
    sweep(
        "spsc attach a successor to a consumer",
        Draining {
            attached: false,
            act: attach,
            // Until it has entered, the roster speaks of its predecessor.
            ends: &[Peer::Finished, Peer::Died],
            ..DRAINING
        },
    );
}

#[test]
fn finish_with_items_left() {
    sweep(
        "spsc finish with items left",
        Draining {
            act: finish,
            ends: &[Peer::Died, Peer::Finished],
            ..DRAINING
        },
    );
}

#[test]
fn finish_while_a_producer_waits() {
    sweep(
        "spsc finish while a producer waits",
        Draining {
            filled: CAPACITY,
            producer_sleeps: Sleeps::Before,
            act: finish,
            ends: &[Peer::Died, Peer::Finished],
            ..DRAINING
        },
    );
}

#[test]
fn finish_while_a_producer_goes_to_sleep() {
    sweep(
        "spsc finish while a producer goes to sleep",
        Draining {
            producer_sleeps: Sleeps::Meanwhile,
            act: finish,
            ends: &[Peer::Died, Peer::Finished],
            ..DRAINING
        },
    );
}

/// What a sleeper comes back with.
type Woken = (Result<(), PushError<Item>>, Producer<Item>);

fn sweep(name: &'static str, operation: Draining) {
    crate::sweep::sweep(name, || Drain::new(&operation));
}

/// One ring with a consumer that may be killed, and its producer.
struct Drain<'a> {
    operation: &'a Draining,
    made: Made,
    producer: Option<Producer<Item>>,
    sleeper: Option<Sleeper<Woken>>,
    /// Whether the sleeper has pushed its item.
    served: Option<bool>,
    /// Whether something was pushed that a consumer waits for.
    given: bool,
    /// The number of the first item that is in the ring, and of the next to be pushed.
    first: u64,
    next: u64,
}

impl<'a> Drain<'a> {
    fn new(operation: &'a Draining) -> Self {
        let made = Made::new();
        let next = operation.before + operation.filled;
        made.begin_with(operation.before, next);
        let producer = Some(made.producer());
        Self {
            operation,
            made,
            producer,
            sleeper: None,
            served: None,
            given: false,
            first: operation.before,
            next,
        }
    }

    fn fill(&mut self) {
        if let Some(tx) = &mut self.producer {
            self.next = fill(tx, self.next);
        }
    }

    fn maybe_sleep(&mut self, now: Sleeps) {
        if self.operation.producer_sleeps == now {
            let mut tx = self.producer.take().expect("it is awake");
            let item = item(self.next);
            self.sleeper = Some(self.made.asleep(move || (tx.push(item), tx)));
        }
    }

    fn push_one(&mut self) {
        if let Some(tx) = &mut self.producer {
            tx.push(item(self.next)).unwrap();
            self.next += 1;
            self.given = true;
        }
    }

    /// The sleeper is awake: it has pushed its item, or was told that the consumer is gone.
    fn wake(&mut self) {
        let Some(sleeper) = self.sleeper.take() else {
            return;
        };
        let (outcome, tx) = sleeper.awake();
        self.producer = Some(tx);
        self.served = Some(outcome.is_ok());
        if let Err(other) = outcome {
            assert_eq!(other, PushError::Disconnected(item(self.next)));
        }
        self.next += u64::from(outcome.is_ok());
    }

    /// How many items the consumer releases if it does all that it was to do.
    fn whole(&self) -> u64 {
        *self.operation.totals.last().expect("there is an outcome")
    }

    /// For how many more items there is room if the consumer does all that it was to do.
    fn room_to_come(&self) -> u64 {
        self.first + self.whole() + CAPACITY - self.next
    }

    fn check_end(&self, fate: Fate, end: Peer) {
        match fate {
            Fate::Killed => assert!(self.operation.ends.contains(&end), "{end:?}"),
            Fate::Ended => assert_eq!(end, Peer::Finished),
        }
    }

    /// `left`: the first item that is left to a successor.
    fn check_total(&self, fate: Fate, stage: Stage, left: u64) {
        let total = left - self.first;
        let reported = stage.reported();
        assert!(self.operation.totals.contains(&total), "{total} gone");
        assert!(total >= reported, "{total} gone of {reported}");
        assert!(
            fate == Fate::Killed || total == self.whole(),
            "{total} gone"
        );
        if let Some(served) = self.served
            && self.operation.producer_sleeps == Sleeps::Before
        {
            assert_eq!(served, total > 0);
        }
    }
}

impl Scene for Drain<'_> {
    fn victim(&self, stage: Stage) {
        let mut hands = Hands {
            ring: &self.made.0,
            rx: self.operation.attached.then(|| self.made.consumer()),
            taken: [item(0); 6],
            stage,
        };
        stage.begin();
        (self.operation.act)(&mut hands);
        stage.end();
        for (n, item) in (self.first..).zip(&hands.taken[..self.whole() as usize]) {
            assert_eq!(number(*item), n);
        }
    }

    fn ready(&mut self) {
        self.maybe_sleep(Sleeps::Before);
    }

    fn rouse(&mut self) {
        if !self.given {
            self.push_one();
        }
    }

    fn meanwhile(&mut self, _: Stage) {
        if let Some(tx) = &self.producer {
            assert_ne!(tx.peer(), Ok(Peer::Died), "it is halted, not dead");
        }
        if self.operation.producer_ends {
            self.rouse();
            drop(self.producer.take());
        } else {
            self.fill();
            self.given = true;
        }
        if self.room_to_come() > 0 || self.whole() == 0 {
            self.maybe_sleep(Sleeps::Meanwhile); // there is something to come: room, or the end
        }
    }

    fn over(&mut self) {
        self.wake();
        self.fill();
        let Some(tx) = &self.producer else {
            return;
        };
        assert!(self.room_to_come() == 0 || tx.peer() == Ok(Peer::Finished));
    }

    fn check(mut self, fate: Fate, stage: Stage) {
        self.wake();
        let mut tx = self.producer.take().unwrap_or_else(|| self.made.producer());
        self.check_end(fate, tx.peer().unwrap());
        let mut rx = self.made.consumer();
        self.next = fill(&mut tx, self.next);
        let left = number(rx.pop().unwrap());
        self.check_total(fate, stage, left);
        assert_eq!(self.next - left, CAPACITY, "room was lost or won");
        assert_eq!(drain(&mut rx, left + 1), self.next);
        as_good_as_new(tx, rx, self.next);
    }
}
