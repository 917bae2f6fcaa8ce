//! Several producers and consumers, all of whom live.

use loom::thread;
use ringpipe::internals::{Crowd, Hand, Vain};
use ringpipe::{DeadConsumer, PeerLoss, Role};

use super::{Item, check_crowd, item, number};

pub(super) type Ring = Crowd<Item>;

pub(super) fn ring(participants: usize, capacity: usize) -> Ring {
    Crowd::new(participants, capacity, DeadConsumer::Redeliver)
}

pub(super) fn join(ring: &Ring, role: Role) -> Hand<Item> {
    ring.join(role).expect("there is a number left")
}

pub(super) fn items(numbers: &[u8]) -> Vec<Item> {
    numbers.iter().copied().map(item).collect()
}

pub(super) fn push(hand: &mut Hand<Item>, numbers: &[u8]) {
    hand.push(&items(numbers), PeerLoss::Wait)
        .expect("room comes");
}

/// What a consumer gets until the feed ends, and which of it had been delivered before.
pub(super) fn drain(mut hand: Hand<Item>, most: usize) -> Vec<(u8, bool)> {
    let mut got = Vec::new();
    while let Ok((items, again)) = hand.pop(most, PeerLoss::Disconnect) {
        got.extend(items.into_iter().map(|item| (number(item), again)));
    }
    hand.leave();
    got
}

pub(super) fn numbers(got: &[(u8, bool)]) -> Vec<u8> {
    let mut numbers: Vec<u8> = got.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers
}

pub(super) fn fresh(numbers: &[u8]) -> Vec<(u8, bool)> {
    numbers.iter().map(|number| (*number, false)).collect()
}

/// Two producers, one of a run of two, and a consumer, all of whom sleep whenever they can: everything arrives once and
/// whole, the run in one piece, each producer's in order.
#[test]
fn two_producers_feed_one_consumer() {
    for capacity in [2, 3] {
        check_crowd(move || {
            let ring = ring(3, capacity);
            let (mut one, mut two) = (join(&ring, Role::Producer), join(&ring, Role::Producer));
            let consumer = join(&ring, Role::Consumer);
            let consumer = thread::spawn(move || drain(consumer, 2));
            let other = thread::spawn(move || {
                push(&mut two, &[8, 9]);
                two.leave();
            });
            push(&mut one, &[1]);
            one.leave();
            other.join().unwrap();
            let got = consumer.join().unwrap();
            let expected = [fresh(&[1, 8, 9]), fresh(&[8, 9, 1])];
            assert!(expected.contains(&got), "{got:?}");
        });
    }
}

/// One producer and two consumers in a ring of one slot: each item comes once, and both learn of the end.
#[test]
fn two_consumers_share_a_feed() {
    check_crowd(|| {
        let ring = ring(3, 1);
        let mut producer = join(&ring, Role::Producer);
        let consumers = [join(&ring, Role::Consumer), join(&ring, Role::Consumer)];
        let consumers = consumers.map(|hand| thread::spawn(move || drain(hand, 1)));
        push(&mut producer, &[1]);
        push(&mut producer, &[2]);
        producer.leave();
        let mut got = Vec::new();
        for consumer in consumers {
            let theirs = consumer.join().unwrap();
            assert!(theirs.is_sorted(), "in the order of the feed");
            got.extend(theirs);
        }
        got.sort_unstable();
        assert_eq!(got, fresh(&[1, 2]));
    });
}

/// Two producers and two consumers.
#[test]
fn two_and_two() {
    check_crowd(|| {
        let ring = ring(4, 2);
        let mut producer = join(&ring, Role::Producer);
        let mut other = join(&ring, Role::Producer);
        let mine = join(&ring, Role::Consumer);
        let theirs = join(&ring, Role::Consumer);
        let theirs = thread::spawn(move || drain(theirs, 2));
        let sender = thread::spawn(move || {
            push(&mut other, &[2]);
            other.leave();
        });
        push(&mut producer, &[1]);
        producer.leave();
        let mut got = drain(mine, 1);
        got.extend(theirs.join().unwrap());
        sender.join().unwrap();
        assert_eq!(numbers(&got), [1, 2]);
    });
}

/// A run that goes round the end of the ring, into slots that two consumers free out of order.
#[test]
fn slots_come_back_out_of_order() {
    check_crowd(|| {
        let ring = ring(3, 2);
        let mut producer = join(&ring, Role::Producer);
        push(&mut producer, &[1]);
        push(&mut producer, &[2]);
        let consumers = [join(&ring, Role::Consumer), join(&ring, Role::Consumer)];
        let consumers = consumers.map(|hand| thread::spawn(move || drain(hand, 1)));
        push(&mut producer, &[3, 4]);
        producer.leave();
        let mut got = Vec::new();
        for consumer in consumers {
            got.extend(consumer.join().unwrap());
        }
        assert_eq!(numbers(&got), [1, 2, 3, 4]);
    });
}

/// A run over slots that two consumers have freed: both are done with reading.
#[test]
fn a_run_covers_what_two_have_freed() {
    check_crowd(|| {
        let ring = ring(3, 2);
        let mut producer = join(&ring, Role::Producer);
        push(&mut producer, &[1, 2]);
        let consumers = [join(&ring, Role::Consumer), join(&ring, Role::Consumer)];
        let consumers =
            consumers.map(|mut hand| thread::spawn(move || hand.pop(1, PeerLoss::Wait).is_ok()));
        push(&mut producer, &[3, 4]);
        assert_eq!(consumers.map(|hand| hand.join().unwrap()), [true; 2]);
    });
}

/// One waits for two slots and another for one, and slots come singly: none sleeps beside what it waits for.
#[test]
fn who_waits_for_more_does_not_keep_others_asleep() {
    check_crowd(|| {
        let ring = ring(3, 2);
        let mut consumer = join(&ring, Role::Consumer);
        let (mut large, mut small) = (join(&ring, Role::Producer), join(&ring, Role::Producer));
        push(&mut large, &[1, 2]);
        let large = thread::spawn(move || {
            push(&mut large, &[3, 4]);
            large.leave();
        });
        let small = thread::spawn(move || {
            push(&mut small, &[9]);
            small.leave();
        });
        let got = drain_counted(&mut consumer, 5);
        large.join().unwrap();
        small.join().unwrap();
        assert_eq!(numbers(&got), [1, 2, 3, 4, 9]);
    });
}

fn drain_counted(hand: &mut Hand<Item>, count: usize) -> Vec<(u8, bool)> {
    let mut got = Vec::new();
    while got.len() < count {
        let (items, again) = hand.pop(1, PeerLoss::Wait).expect("it comes");
        got.extend(items.into_iter().map(|item| (number(item), again)));
    }
    got
}

/// The last producer leaves while two consumers sleep, one of which waits for the next producer: the other learns of it.
#[test]
fn who_waits_for_a_successor_passes_the_news_on() {
    check_crowd(|| {
        let ring = ring(3, 1);
        let mut producer = join(&ring, Role::Producer);
        let mut patient = join(&ring, Role::Consumer);
        let mut other = join(&ring, Role::Consumer);
        let patient = thread::spawn(move || patient.pop(1, PeerLoss::Wait));
        let other = thread::spawn(move || other.pop(1, PeerLoss::Disconnect));
        producer.leave();
        assert_eq!(other.join().unwrap(), Err(Vain::Gone));
        let mut successor = join(&ring, Role::Producer);
        push(&mut successor, &[1]);
        assert_eq!(patient.join().unwrap(), Ok((items(&[1]), false)));
    });
}

/// An interrupted wait, with its withdrawal at any moment, costs nobody a wake-up.
#[test]
fn an_interrupted_wait_leaves_the_wake_up_to_another() {
    check_crowd(|| {
        let ring = ring(3, 1);
        let mut producer = join(&ring, Role::Producer);
        let (mut one, mut two) = (join(&ring, Role::Consumer), join(&ring, Role::Consumer));
        let theirs = ring.clone();
        let restless = thread::spawn(move || {
            theirs.set_restless(Role::Consumer, true);
            let got = one.pop(1, PeerLoss::Wait);
            theirs.set_restless(Role::Consumer, false);
            one.leave();
            got.map_or(0, |(items, _)| items.len())
        });
        let sender = thread::spawn(move || {
            push(&mut producer, &[1]);
            producer.leave();
        });
        let first = restless.join().unwrap();
        let rest = std::iter::from_fn(|| two.pop(1, PeerLoss::Disconnect).ok()).count();
        assert_eq!(first + rest, 1);
        sender.join().unwrap();
    });
}

/// What one consumer puts back, another that sleeps gets; and it is not told of the end as long as that may happen.
#[test]
fn what_is_put_back_comes_again() {
    check_crowd(|| {
        let ring = ring(3, 2);
        let mut producer = join(&ring, Role::Producer);
        let (mut one, two) = (join(&ring, Role::Consumer), join(&ring, Role::Consumer));
        push(&mut producer, &[1]);
        producer.leave();
        assert_eq!(one.hold(1), Ok(items(&[1])));
        let other = thread::spawn(move || drain(two, 1));
        one.release(0);
        let mine = drain(one, 1);
        let theirs = other.join().unwrap();
        let got: Vec<_> = mine.into_iter().chain(theirs).collect();
        assert_eq!(got, [(1, true)]);
    });
}

/// A claim that is released in part, while another consumer takes up what was returned.
#[test]
fn a_claim_is_cut_in_two() {
    check_crowd(|| {
        let ring = ring(3, 2);
        let mut producer = join(&ring, Role::Producer);
        let (mut one, two) = (join(&ring, Role::Consumer), join(&ring, Role::Consumer));
        push(&mut producer, &[1, 2]);
        assert_eq!(one.hold(2), Ok(items(&[1, 2])));
        let other = thread::spawn(move || drain(two, 2));
        one.release(1);
        push(&mut producer, &[3]);
        producer.leave();
        let mut got = other.join().unwrap();
        got.extend(drain(one, 2));
        got.sort_unstable();
        assert_eq!(got, [(2, true), (3, false)]);
    });
}

/// Numbers run out, and come back.
#[test]
fn a_number_is_had_by_one() {
    check_crowd(|| {
        let ring = ring(2, 1);
        let rivals = [ring.clone(), ring.clone()];
        let rivals = rivals.map(|ring| {
            thread::spawn(move || {
                let mut hand = ring.join(Role::Consumer)?;
                hand.leave();
                Some(())
            })
        });
        let mut own = ring.join(Role::Producer);
        let came = rivals.map(|rival| rival.join().unwrap().is_some());
        assert!(own.is_some() || came == [true, true]);
        if let Some(own) = &mut own {
            own.leave();
        }
        let _ends = [join(&ring, Role::Producer), join(&ring, Role::Consumer)];
        assert!(ring.join(Role::Producer).is_none());
    });
}
