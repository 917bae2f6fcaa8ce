//! A participant that is stopped after it was woken and before it does anything. It is alive, so nobody takes its place; but
//! the others do not sleep beside what is ready.
#![allow(missing_docs)]
#![cfg(target_arch = "x86_64")]

mod common;

use std::io::{Read, Write};
use std::time::Duration;

use common::steps::Stepped;
use common::{Child, Place, Shared, asleep, forked, until, watched};
use ringpipe::mpmc::{Claim, Consumer, Producer, Ring};
use ringpipe::stream::{Fifo, Reader, Writer};
use ringpipe::{PeerLoss, Role, Strategy};

/// Where a participant says that it has got on.
const DONE: usize = 0;

fn push_one(ring: &Ring<u64>, item: u64) {
    let mut tx: Producer<u64> = ring.producer().unwrap();
    tx.set_strategy(Strategy::Sleep);
    tx.set_peer_loss(PeerLoss::Wait);
    tx.push(item).unwrap();
}

fn pop_one(ring: &Ring<u64>) {
    let mut rx: Consumer<u64> = ring.consumer().unwrap();
    rx.set_strategy(Strategy::Sleep);
    rx.set_peer_loss(PeerLoss::Wait);
    rx.pop().unwrap();
}

/// One that sleeps, and says when it has got on; then it stays.
fn sleeper(ring: &Ring<u64>, role: Role, done: Shared, work: impl FnOnce()) -> Child {
    sleeper_of(|| asleep(ring, role), done, work)
}

fn sleeper_of(asleep: impl Fn() -> u32, done: Shared, work: impl FnOnce()) -> Child {
    let before = asleep();
    let child = forked(|| {
        work();
        done.set(DONE, 1);
    });
    until(|| asleep() == before + 1);
    child
}

/// One that takes an item and will be halted when it has been woken, and one that sleeps behind it.
fn halted_and_sleeper(ring: &Ring<u64>, done: Shared, work: impl FnOnce()) -> (Stepped, Child) {
    let stopped = to_be_halted(ring, Role::Consumer, || pop_one(ring));
    let sleeper = sleeper(ring, Role::Consumer, done, work);
    (stopped, sleeper)
}

/// One that sleeps, and will be halted when it has been woken.
fn to_be_halted(ring: &Ring<u64>, role: Role, work: impl FnOnce()) -> Stepped {
    to_be_halted_of(|| asleep(ring, role), work)
}

fn to_be_halted_of(asleep: impl Fn() -> u32, work: impl FnOnce()) -> Stepped {
    let before = asleep();
    let mut stepped = Stepped::new(work);
    stepped.until_one_operation();
    stepped.let_go();
    until(|| asleep() == before + 1);
    stepped
}

/// Gives two slots back, the second first, and pushes 3 and 4 into them.
fn not_left_to_a_stopped_producer(ring: &Ring<u64>, one: Claim<'_, u64>, two: Claim<'_, u64>) {
    let done = Shared::new();
    let sleeper = sleeper(ring, Role::Producer, done, || push_one(ring, 3));
    let mut stopped = to_be_halted(ring, Role::Producer, || push_one(ring, 4));
    two.release_all();
    until(|| asleep(ring, Role::Producer) == 2);
    one.release_all();
    stopped.halt();
    done.until(DONE, 1);
    sleeper.join();
    stopped.finish();
}

/// Two slots become ready, the second first: it wakes one who finds the first missing, and sleeps again behind the other. That
/// one is woken by the first, and stopped.
#[test]
fn two_items_are_not_left_to_a_stopped_consumer() {
    let (place, _watchdog) = watched("two items and a stopped consumer");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let (mut first, mut second) = (ring.producer().unwrap(), ring.producer().unwrap());
    let (mut one, mut two) = (first.reserve(1).unwrap(), second.reserve(1).unwrap());
    let done = Shared::new();
    let sleeper = sleeper(&ring, Role::Consumer, done, || pop_one(&ring));
    let mut stopped = to_be_halted(&ring, Role::Consumer, || pop_one(&ring));
    two.write(&[2]);
    two.commit_written();
    until(|| asleep(&ring, Role::Consumer) == 2);
    one.write(&[1]);
    one.commit_written();
    stopped.halt();
    done.until(DONE, 1);
    sleeper.join();
    stopped.finish();
    assert!(first.is_empty());
}

/// The same with slots that two consumers give back.
#[test]
fn two_slots_are_not_left_to_a_stopped_producer() {
    let (place, _watchdog) = watched("two slots and a stopped producer");
    let ring = Ring::<u64>::create(place.path(), 2).unwrap();
    ring.producer().unwrap().push_slice(&[1, 2]).unwrap();
    let (mut first, mut second) = (ring.consumer().unwrap(), ring.consumer().unwrap());
    let (one, two) = (first.claim(1).unwrap(), second.claim(1).unwrap());
    not_left_to_a_stopped_producer(&ring, one, two);
    assert_eq!((first.pop(), first.pop()), (Ok(3), Ok(4)));
}

/// The same with items that come again, which do not lie where their holder has claimed last.
#[test]
fn two_slots_of_returned_items_are_not_left_to_a_stopped_one() {
    let (place, _watchdog) = watched("returned items and a stopped producer");
    let ring = Ring::<u64>::create(place.path(), 2).unwrap();
    ring.producer().unwrap().push_slice(&[1, 2]).unwrap();
    let (mut first, mut second) = (ring.consumer().unwrap(), ring.consumer().unwrap());
    first.claim(1).unwrap().put_back();
    let one = first.claim(1).unwrap();
    assert!(one.redelivered());
    let two = second.claim(1).unwrap();
    not_left_to_a_stopped_producer(&ring, one, two);
}

/// What is: one thing to do wakes one, and if that one is stopped, the others sleep until the next, its end, or their
/// deadline.
#[test]
fn one_item_waits_for_the_stopped_one_that_it_woke() {
    let (place, _watchdog) = watched("one item and a stopped consumer");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut tx = ring.producer().unwrap();
    let done = Shared::new();
    let (mut stopped, sleeper) = halted_and_sleeper(&ring, done, || pop_one(&ring));
    tx.push(1).unwrap();
    stopped.halt();
    assert_eq!((asleep(&ring, Role::Consumer), tx.len()), (1, 1));
    // Who comes does not sleep beside it.
    assert_eq!(ring.consumer().unwrap().try_pop(), Ok(1));
    tx.push(2).unwrap();
    done.until(DONE, 1);
    sleeper.join();
    tx.push(3).unwrap();
    stopped.finish();
}

#[test]
fn a_deadline_finds_what_a_stopped_one_was_woken_for() {
    let (place, _watchdog) = watched("a deadline and a stopped consumer");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut tx = ring.producer().unwrap();
    let done = Shared::new();
    let (mut stopped, sleeper) = halted_and_sleeper(&ring, done, || {
        let mut rx = ring.consumer().unwrap();
        rx.set_strategy(Strategy::Sleep);
        assert_eq!(rx.pop_timeout(Duration::from_secs(1)), Ok(1));
    });
    tx.push(1).unwrap();
    stopped.halt();
    sleeper.join();
    tx.push(2).unwrap();
    stopped.finish();
}

#[test]
fn the_death_of_a_stopped_one_wakes_another() {
    let (place, _watchdog) = watched("the death of a stopped consumer");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut tx = ring.producer().unwrap();
    let done = Shared::new();
    let (mut stopped, sleeper) = halted_and_sleeper(&ring, done, || pop_one(&ring));
    tx.push(1).unwrap();
    stopped.halt();
    drop(stopped); // killed
    done.until(DONE, 1);
    sleeper.join();
}

/// As many bytes as fill half of the streams below.
const HALF: usize = 4096;

fn stream(place: &Place) -> (Fifo, Writer, Reader) {
    let options = ringpipe::stream::Options::new().capacity(2 * HALF);
    let fifo = options.create(place.path()).unwrap();
    let (writer, reader) = fifo.both().unwrap();
    (fifo, writer, reader)
}

/// The same of a stream: a write wakes one reader, and the next write another.
#[test]
fn one_write_waits_for_the_stopped_reader_that_it_woke() {
    let (place, _watchdog) = watched("a write and a stopped reader");
    let (fifo, mut writer, _reader) = stream(&place);
    let asleep = || fifo.status().unwrap().unwrap().consumer.sleeping;
    let read = || {
        // An open that waits would wake others that wait.
        let mut reader = fifo.reader_nonblocking().unwrap();
        reader.set_nonblocking(false);
        reader.set_strategy(Strategy::Sleep);
        assert!(reader.read(&mut [0; 2 * HALF]).unwrap() > 0);
    };
    let mut stopped = to_be_halted_of(asleep, read);
    let done = Shared::new();
    let sleeper = sleeper_of(asleep, done, read);
    writer.write_all(b"first").unwrap();
    stopped.halt();
    assert_eq!((asleep(), fifo.available()), (1, 5));
    writer.write_all(b"second").unwrap();
    done.until(DONE, 1);
    sleeper.join();
    writer.write_all(b"third").unwrap();
    stopped.finish();
}

#[test]
fn one_read_waits_for_the_stopped_writer_that_it_woke() {
    let (place, _watchdog) = watched("a read and a stopped writer");
    let (fifo, mut writer, mut reader) = stream(&place);
    writer.write_all(&[0; 2 * HALF]).unwrap();
    let asleep = || fifo.status().unwrap().unwrap().producer.sleeping;
    let write = || {
        let mut writer = fifo.writer_nonblocking().unwrap();
        writer.set_nonblocking(false);
        writer.set_strategy(Strategy::Sleep);
        writer.write_all(&[1; HALF]).unwrap();
    };
    let mut stopped = to_be_halted_of(asleep, write);
    let done = Shared::new();
    let sleeper = sleeper_of(asleep, done, write);
    let mut half = [0; HALF];
    reader.read_exact(&mut half).unwrap();
    stopped.halt();
    assert_eq!((asleep(), fifo.available()), (1, HALF));
    reader.read_exact(&mut half).unwrap();
    done.until(DONE, 1);
    sleeper.join();
    stopped.finish();
    assert_eq!(fifo.available(), 2 * HALF);
}
