//! Rings with any number of producers and consumers.

mod accounts;
mod consumers;
mod crowd;
mod heirs;
mod play;
mod producers;

use ringpipe::mpmc::{Consumer, Options, Producer, Ring};
use ringpipe::{DeadConsumer, Name, PopError, Strategy, TryPopError, TryPushError};

use crate::items::{Item, item, number};
use crate::scene::Stage;

/// How many items a ring holds.
const CAPACITY: u64 = 8;
/// How many can take part in it.
const LIMIT: usize = 5;

/// Where the numbers begin of the items of each: what the ring begins with has the first.
const VICTIMS: u64 = 1000;
const BESIDES: u64 = 2000;
const SLEEPERS: u64 = 3000;
const LAST: u64 = 9000;

fn made(policy: DeadConsumer) -> Ring<Item> {
    let options = Options::new().capacity(CAPACITY as usize);
    let options = options.participants(LIMIT).dead_consumer(policy);
    options.create(Name::Private).unwrap()
}

fn producer(ring: &Ring<Item>) -> Producer<Item> {
    let mut tx = ring.producer().expect("there is a number");
    tx.set_strategy(Strategy::Sleep);
    tx
}

fn consumer(ring: &Ring<Item>) -> Consumer<Item> {
    let mut rx = ring.consumer().expect("there is a number");
    rx.set_strategy(Strategy::Sleep);
    rx
}

/// Puts the first `pushed` items in, of which the first `popped` go through. Whoever is not there comes for it.
fn begin_with(
    ring: &Ring<Item>,
    tx: &mut Option<Producer<Item>>,
    rx: &mut Option<Consumer<Item>>,
    (popped, pushed): (u64, u64),
) {
    for n in 0..pushed {
        let tx = tx.get_or_insert_with(|| producer(ring));
        tx.push(item(n)).unwrap();
        if n < popped {
            let rx = rx.get_or_insert_with(|| consumer(ring));
            assert_eq!(number(rx.pop().unwrap()), n);
        }
    }
}

/// What a victim has at hand.
struct Hands<'a> {
    ring: &'a Ring<Item>,
    items: [Item; 6],
    stage: Stage,
}

impl Hands<'_> {
    fn producer(&self) -> Producer<Item> {
        producer(self.ring)
    }

    fn consumer(&self) -> Consumer<Item> {
        consumer(self.ring)
    }

    /// Says what was taken, once it is over.
    fn tell(&self, items: &[Item]) {
        for item in items {
            self.stage.tell(number(*item));
        }
    }
}

/// Pushes items from number `first` on while there is room and a consumer to come, at most `most`; returns how many.
fn fill(tx: &mut Producer<Item>, first: u64, most: u64) -> u64 {
    for n in 0..most {
        match tx.try_push(item(first + n)) {
            Ok(()) => {}
            Err(TryPushError::Full(_) | TryPushError::Disconnected(_)) => return n,
            Err(other) => panic!("{other:?}"),
        }
    }
    most
}

/// Takes what is there now, at most so many.
fn drain(rx: &mut Consumer<Item>, most: u64, mut note: impl FnMut(u64, bool)) {
    for _ in 0..most {
        match rx.try_pop() {
            Ok(item) => note(number(item), rx.redelivered()),
            Err(TryPopError::Empty | TryPopError::Disconnected) => return,
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Nobody takes part in the ring, and nothing is in it: it has room for as many as ever, of participants and of items.
///
/// Returns how many producers, and how many consumers, are known to have died.
fn as_good_as_new(ring: &Ring<Item>) -> (u32, u32) {
    let mut rx = consumer(ring);
    let mut txs: Vec<_> = (1..LIMIT).map(|_| producer(ring)).collect();
    let mut numbers: Vec<_> = txs.iter().map(Producer::number).collect();
    numbers.push(rx.number());
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=LIMIT), "a number is lost");

    let mut next = LAST..;
    let filled = fill(&mut txs[0], LAST, 2 * CAPACITY);
    assert_eq!(filled, CAPACITY, "room was lost or won");
    drain(&mut rx, CAPACITY, |number, again| {
        assert_eq!((Some(number), again), (next.next(), false));
    });
    assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
    let items: [Item; CAPACITY as usize] = std::array::from_fn(|n| item(n as u64));
    txs[1].push_slice(&items).unwrap();
    let mut taken = [item(0); CAPACITY as usize];
    assert_eq!(rx.pop_slice(&mut taken), Ok(items.len()));
    assert_eq!(taken, items);

    let deaths = (rx.peers().unwrap().deaths, txs[0].peers().unwrap().deaths);
    drop(txs);
    assert_eq!(rx.pop(), Err(PopError::Disconnected));
    deaths
}
