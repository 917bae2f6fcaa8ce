//! What a producer does.

use ringpipe::PopError;
use ringpipe::spsc::{Consumer, Peer, Producer, Ring};

use super::{CAPACITY, Made, as_good_as_new, drain, drain_to_the_end};
use crate::items::{Item, item, number};
use crate::scene::{Fate, Scene, Stage};
use crate::sleeper::{Sleeper, Sleeps};

/// An operation of a producer.
#[derive(Clone, Copy)]
struct Feeding {
    /// How many items have gone through the ring before, and how many are in it.
    before: u64,
    filled: u64,
    consumer_sleeps: Sleeps,
    /// Whether the producer attaches before it begins.
    attached: bool,
    act: fn(&mut Hands<'_>),
    /// How many items may have been published, in the end the last.
    totals: &'static [u64],
    /// What the consumer may be told of a producer that was killed.
    ends: &'static [Peer],
}

const FEEDING: Feeding = Feeding {
    before: 5, // the fourth of the next items is in the first slot again
    filled: 0,
    consumer_sleeps: Sleeps::Never,
    attached: true,
    act: |_| (),
    totals: &[0],
    ends: &[Peer::Died],
};

/// What the producer has at hand.
struct Hands<'a> {
    ring: &'a Ring<Item>,
    tx: Option<Producer<Item>>,
    items: [Item; 6],
    stage: Stage,
}

impl Hands<'_> {
    fn tx(&mut self) -> &mut Producer<Item> {
        self.tx.as_mut().expect("it has attached")
    }
}

fn push_once(hands: &mut Hands<'_>) {
    let first = hands.items[0];
    hands.tx().push(first).unwrap();
    hands.stage.report(1);
}

fn push_twice(hands: &mut Hands<'_>) {
    push_once(hands); // looks at the consumer's index
    let second = hands.items[1];
    hands.tx().push(second).unwrap(); // knows it
    hands.stage.report(2);
}

fn push_slice(hands: &mut Hands<'_>) {
    let items = hands.items;
    hands.tx().push_slice(&items).unwrap();
    hands.stage.report(6);
}

fn commit(hands: &mut Hands<'_>) {
    let items = hands.items;
    let mut room = hands.tx().reserve(6).unwrap();
    room.write(&items[..2]);
    room.write(&items[2..]);
    room.commit(5);
    hands.stage.report(5);
}

fn attach(hands: &mut Hands<'_>) {
    hands.tx = Some(hands.ring.producer().unwrap());
}

fn finish(hands: &mut Hands<'_>) {
    hands.tx.take().expect("it has attached").finish().unwrap();
}

#[test]
fn push() {
    sweep(
        "spsc push",
        Feeding {
            act: push_twice,
            totals: &[0, 1, 2],
            ..FEEDING
        },
    );
}

#[test]
fn push_that_wakes_a_consumer() {
    sweep(
        "spsc push that wakes a consumer",
        Feeding {
            consumer_sleeps: Sleeps::Before,
            act: push_twice,
            totals: &[0, 1, 2],
            ..FEEDING
        },
    );
}

#[test]
fn push_while_a_consumer_goes_to_sleep() {
    sweep(
        "spsc push while a consumer goes to sleep",
        Feeding {
            consumer_sleeps: Sleeps::Meanwhile,
            act: push_twice,
            totals: &[0, 1, 2],
            ..FEEDING
        },
    );
}

#[test]
fn push_that_sleeps_in_a_full_ring() {
    sweep(
        "spsc push that sleeps in a full ring",
        Feeding {
            filled: CAPACITY,
            act: push_once,
            totals: &[0, 1],
            ..FEEDING
        },
    );
}

#[test]
fn push_slice_around_the_end() {
    sweep(
        "spsc push_slice around the end",
        Feeding {
            act: push_slice,
            totals: &[0, 6],
            ..FEEDING
        },
    );
}

#[test]
fn push_slice_that_sleeps_in_between() {
    sweep(
        "spsc push_slice that sleeps in between",
        Feeding {
            filled: CAPACITY - 2,
            act: push_slice,
            // Woken by the first item that is taken, it may go on before the next.
            totals: &[0, 2, 3, 4, 5, 6],
            ..FEEDING
        },
    );
}

#[test]
fn reserve_and_commit() {
    sweep(
        "spsc reserve and commit",
        Feeding {
            act: commit,
            totals: &[0, 5],
            ..FEEDING
        },
    );
}

#[test]
fn attach_a_producer() {
    sweep(
        "spsc attach a producer",
        Feeding {
            before: 0,
            attached: false,
            act: attach,
            ends: &[Peer::Never, Peer::Died],
            ..FEEDING
        },
    );
}

#[test]
fn attach_a_successor() {
    sweep(
        "spsc attach a successor",
        Feeding {
            attached: false,
            act: attach,
            // Until it has entered, the roster speaks of its predecessor.
            ends: &[Peer::Finished, Peer::Died],
            ..FEEDING
        },
    );
}

#[test]
fn finish_a_feed() {
    sweep(
        "spsc finish a feed",
        Feeding {
            filled: 3,
            act: finish,
            ends: &[Peer::Died, Peer::Finished],
            ..FEEDING
        },
    );
}

#[test]
fn finish_a_feed_that_a_consumer_waits_for() {
    sweep(
        "spsc finish a feed that a consumer waits for",
        Feeding {
            consumer_sleeps: Sleeps::Before,
            act: finish,
            ends: &[Peer::Died, Peer::Finished],
            ..FEEDING
        },
    );
}

#[test]
fn finish_while_a_consumer_goes_to_sleep() {
    sweep(
        "spsc finish while a consumer goes to sleep",
        Feeding {
            consumer_sleeps: Sleeps::Meanwhile,
            act: finish,
            ends: &[Peer::Died, Peer::Finished],
            ..FEEDING
        },
    );
}

/// What a sleeper comes back with.
type Woken = (Result<Item, PopError>, Consumer<Item>);

fn sweep(name: &'static str, operation: Feeding) {
    crate::sweep::sweep(name, || Feed::new(&operation));
}

/// One ring with a producer that may be killed, and its consumer.
struct Feed<'a> {
    operation: &'a Feeding,
    made: Made,
    consumer: Option<Consumer<Item>>,
    sleeper: Option<Sleeper<Woken>>,
    /// Whether the sleeper came back with an item.
    served: Option<bool>,
    /// The number of the producer's first item, and of the next that the consumer is to get.
    first: u64,
    next: u64,
}

impl<'a> Feed<'a> {
    fn new(operation: &'a Feeding) -> Self {
        let made = Made::new();
        let first = operation.before + operation.filled;
        made.begin_with(operation.before, first);
        let consumer = Some(made.consumer());
        Self {
            operation,
            made,
            consumer,
            sleeper: None,
            served: None,
            first,
            next: operation.before,
        }
    }

    fn drain(&mut self) {
        if let Some(rx) = &mut self.consumer {
            self.next = drain(rx, self.next);
        }
    }

    fn maybe_sleep(&mut self, now: Sleeps) {
        if self.operation.consumer_sleeps == now {
            let mut rx = self.consumer.take().expect("it is awake");
            self.sleeper = Some(self.made.asleep(move || (rx.pop(), rx)));
        }
    }

    /// The sleeper is awake: with an item, or because the producer is gone.
    fn wake(&mut self) {
        let Some(sleeper) = self.sleeper.take() else {
            return;
        };
        let (outcome, rx) = sleeper.awake();
        self.consumer = Some(rx);
        self.served = Some(outcome.is_ok());
        match outcome {
            Ok(item) => assert_eq!(number(item), self.next),
            Err(other) => assert_eq!(other, PopError::Disconnected),
        }
        self.next += u64::from(outcome.is_ok());
    }

    /// How many of the producer's items the consumer has got; all that were there before must have come.
    fn total(&self) -> u64 {
        let total = self.next.checked_sub(self.first);
        total.expect("what was there before has come")
    }

    /// How many they are if the producer does all that it was to do.
    fn whole(&self) -> u64 {
        *self.operation.totals.last().expect("there is an outcome")
    }

    fn check_total(&self, stage: Stage) {
        let (total, reported) = (self.total(), stage.reported());
        assert!(self.operation.totals.contains(&total), "{total} came");
        assert!(total >= reported, "{total} came of {reported}");
    }
}

impl Scene for Feed<'_> {
    fn victim(&self, stage: Stage) {
        let mut hands = Hands {
            ring: &self.made.0,
            tx: self.operation.attached.then(|| self.made.producer()),
            items: std::array::from_fn(|n| item(self.first + n as u64)),
            stage,
        };
        stage.begin();
        (self.operation.act)(&mut hands);
        stage.end();
    }

    fn ready(&mut self) {
        self.maybe_sleep(Sleeps::Before);
    }

    fn rouse(&mut self) {
        self.drain();
    }

    fn meanwhile(&mut self, stage: Stage) {
        self.drain();
        let Some(rx) = &self.consumer else {
            return;
        };
        assert_ne!(rx.peer(), Ok(Peer::Died), "it is halted, not dead");
        self.check_total(stage);
        if self.total() < self.whole() || self.whole() == 0 {
            self.maybe_sleep(Sleeps::Meanwhile); // there is something to come: an item, or the end
        }
    }

    fn over(&mut self) {
        self.wake();
        self.drain();
        assert_eq!(self.total(), self.whole());
    }

    fn check(mut self, fate: Fate, stage: Stage) {
        self.wake();
        let mut rx = self.consumer.take().expect("it is awake");
        let end = rx.peer().unwrap();
        self.next = match end {
            Peer::Never => drain(&mut rx, self.next),
            _ => drain_to_the_end(&mut rx, self.next),
        };
        self.check_total(stage);
        match fate {
            Fate::Killed => assert!(self.operation.ends.contains(&end), "{end:?}"),
            Fate::Ended => assert_eq!((end, self.total()), (Peer::Finished, self.whole())),
        }
        if let Some(served) = self.served
            && self.operation.consumer_sleeps == Sleeps::Before
        {
            assert_eq!(served, self.total() > 0);
        }
        as_good_as_new(self.made.producer(), rx, self.next);
    }
}
