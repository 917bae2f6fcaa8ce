//! One producer and one consumer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use loom::thread;
use ringpipe::internals::{Ring, Vain, mortal};
use ringpipe::{PeerLoss, Role};

use super::{Item, at_each_step, check, died, item, number};

/// What a consumer gets until the feed ends.
fn drain(ring: &Ring<Item>) -> Vec<u8> {
    let mut consumer = ring.consumer().expect("the role is free");
    let mut got = Vec::new();
    while let Ok(item) = consumer.pop(PeerLoss::Disconnect) {
        got.push(number(item));
    }
    consumer.detach();
    got
}

/// Everything arrives, once, in order and whole, with both sides sleeping whenever they can.
#[test]
fn items_arrive_in_order() {
    for capacity in [1, 2] {
        check(move || {
            let ring = Ring::new(capacity, true);
            let mut producer = ring.producer().expect("the role is free");
            let theirs = ring.clone();
            let consumer = thread::spawn(move || drain(&theirs));
            for n in 1..=3 {
                // A consumer that has not come yet is waited for.
                producer
                    .push(item(n), PeerLoss::Disconnect)
                    .expect("the consumer takes all");
            }
            producer.detach();
            assert_eq!(consumer.join().unwrap(), [1, 2, 3]);
            assert!(ring.finished(Role::Producer));
            assert!(
                !ring.sleepers(Role::Producer) && !ring.sleepers(Role::Consumer),
                "nobody is left counted"
            );
        });
    }
}

/// Runs are published and released together, across the end of the ring too.
#[test]
fn runs_arrive_whole() {
    check(|| {
        let ring = Ring::<Item>::new(3, true);
        let mut producer = ring.producer().expect("the role is free");
        let mut consumer = ring.consumer().expect("the role is free");
        let sender = thread::spawn(move || {
            producer
                .push_run(&[item(1), item(2)], PeerLoss::Disconnect)
                .expect("there is room");
            producer
                .push_run(&[item(3), item(4)], PeerLoss::Disconnect)
                .expect("room comes");
        });
        let mut got = [item(0); 2];
        consumer
            .pop_run(&mut got, PeerLoss::Disconnect)
            .expect("a run comes");
        assert_eq!(got.map(number), [1, 2]);
        consumer
            .pop_run(&mut got, PeerLoss::Disconnect)
            .expect("another comes");
        assert_eq!(got.map(number), [3, 4]);
        sender.join().unwrap();
    });
}

/// A wait that a signal interrupts, with its withdrawal at any moment, costs no later wake-up.
#[test]
fn an_interrupted_wait_loses_nothing() {
    check(|| {
        let ring = Ring::new(1, true);
        let mut producer = ring.producer().expect("the role is free");
        let mut consumer = ring.consumer().expect("the role is free");
        let sender = thread::spawn(move || {
            for n in 1..=2 {
                producer.push(item(n), PeerLoss::Wait).expect("room comes");
            }
        });
        ring.set_restless(Role::Consumer, true);
        let first = consumer.pop(PeerLoss::Wait);
        ring.set_restless(Role::Consumer, false);
        let first = first.or_else(|vain| {
            assert_eq!(vain, Vain::Interrupted);
            consumer.pop(PeerLoss::Wait)
        });
        assert_eq!(first.map(number), Ok(1));
        let _ = sender.join();
    });
}

/// A producer killed at each step of attaching, pushing into a ring too small, waking and detaching: what it published
/// arrives, in order and whole; nothing else does; the consumer learns the end; a successor goes on.
#[test]
fn a_killed_producer_loses_nothing_published() {
    let points = at_each_step(|life, deaths| {
        let ring = Ring::new(1, true);
        let theirs = ring.clone();
        let consumer = thread::spawn(move || drain(&theirs));
        let returned = AtomicU32::new(0);
        let outcome = mortal(life, || {
            let mut producer = ring.producer().expect("the role is free");
            for n in 1..=2 {
                producer
                    .push(item(n), PeerLoss::Disconnect)
                    .expect("the consumer takes all");
                returned.fetch_add(1, Ordering::Relaxed);
            }
            producer.detach();
        });
        let dead = died(&outcome, deaths);
        if dead {
            ring.bury(Role::Producer);
        }
        // A successor comes in any case, so that a consumer who saw no producer yet has one to wait for.
        let mut next = ring.producer().expect("the dead one's role is free");
        let pushed = next.push(item(9), PeerLoss::Disconnect);
        next.detach();
        let mut got = consumer.join().unwrap();
        got.extend(drain(&ring));
        if pushed.is_ok() {
            assert_eq!(got.pop(), Some(9));
        }
        let returned = returned.load(Ordering::Relaxed) as usize;
        assert!(got.len() >= returned, "a push that returned is delivered");
        assert!(
            got.len() <= returned + 1,
            "at most the push that was cut short is delivered besides"
        );
        assert_eq!(got, [1, 2][..got.len()]);
    });
    println!("a producer's points of death: {points}");
    assert!(points > 20);
}

/// A run is delivered whole or not at all, wherever its producer is killed.
#[test]
fn a_killed_producer_leaves_no_torn_run() {
    let points = at_each_step(|life, deaths| {
        let ring = Ring::new(3, true);
        let theirs = ring.clone();
        let mut producer = ring.producer().expect("the role is free");
        let consumer = thread::spawn(move || drain(&theirs));
        let outcome = mortal(life, || {
            producer
                .push_run(&[item(1), item(2)], PeerLoss::Wait)
                .expect("there is room");
        });
        let dead = died(&outcome, deaths);
        ring.bury(Role::Producer);
        let got = consumer.join().unwrap();
        assert!(got == [1, 2] || dead && got.is_empty(), "{got:?}");
    });
    println!("points of death in a run: {points}");
    assert!(points > 5);
}

/// A consumer killed at each step: its successor starts with the first item that was not released, so that an item
/// comes twice at most and never not at all; a producer asleep beside the full ring goes on.
#[test]
fn a_killed_consumer_loses_nothing_unreleased() {
    let points = at_each_step(|life, deaths| {
        let ring = Ring::new(1, true);
        let mut producer = ring.producer().expect("the role is free");
        let sender = thread::spawn(move || {
            for n in 1..=3 {
                producer
                    .push(item(n), PeerLoss::Wait)
                    .expect("room comes in the end");
            }
            producer.detach();
        });
        let taken = AtomicU32::new(0);
        let outcome = mortal(life, || {
            let mut consumer = ring.consumer().expect("the role is free");
            for n in 1..=2 {
                assert_eq!(consumer.pop(PeerLoss::Wait).map(number), Ok(n));
                taken.fetch_add(1, Ordering::Relaxed);
            }
            consumer.detach();
        });
        if died(&outcome, deaths) {
            ring.bury(Role::Consumer);
        }
        let got = drain(&ring);
        sender.join().unwrap();
        let taken = taken.load(Ordering::Relaxed) as u8;
        let first = got.first().copied();
        assert!(
            first == Some(taken + 1) || first == Some(taken + 2) && outcome.is_none(),
            "{taken} {got:?}"
        );
        assert_eq!(got, (first.unwrap()..=3).collect::<Vec<_>>());
        assert_eq!(ring.item_count(), 0);
    });
    println!("a consumer's points of death: {points}");
    assert!(points > 20);
}

/// A producer that is told that its consumer is gone: wherever that one is killed, the wait ends.
#[test]
fn a_killed_consumer_ends_the_producers_wait() {
    let points = at_each_step(|life, deaths| {
        let ring = Ring::new(1, true);
        let mut producer = ring.producer().expect("the role is free");
        let mut consumer = ring.consumer().expect("the role is free");
        let sender = thread::spawn(move || {
            (1..=3)
                .map_while(|n| producer.push(item(n), PeerLoss::Disconnect).ok())
                .count()
        });
        let outcome = mortal(life, || {
            assert_eq!(consumer.pop(PeerLoss::Wait).map(number), Ok(1));
            consumer.detach();
        });
        if died(&outcome, deaths) {
            ring.bury(Role::Consumer);
        }
        let pushed = sender.join().unwrap();
        // One fits without a consumer, one more for the item that may have been released.
        assert!(pushed == 1 || pushed == 2, "{pushed}");
    });
    println!("a consumer's points of death beside a waiting producer: {points}");
    assert!(points > 5);
}

/// The wake-ups that a death adds are needed: without them, some death of a producer leaves its consumer asleep for ever,
/// which loom reports as a deadlock.
#[test]
fn without_death_credits_a_consumer_sleeps_for_ever() {
    let hangs = |life: u32, credits: bool| {
        let model = move || {
            let ring = Ring::<Item>::new(1, credits);
            let mut producer = ring.producer().expect("the role is free");
            let theirs = ring.clone();
            let consumer = thread::spawn(move || drain(&theirs));
            let _ = mortal(life, || producer.push(item(1), PeerLoss::Wait));
            ring.bury(Role::Producer);
            consumer.join().unwrap();
        };
        let failed = catch_unwind(AssertUnwindSafe(|| check(model))).err();
        failed.is_some_and(|cause| {
            let said = cause.downcast_ref::<String>().expect("loom says why");
            assert!(said.starts_with("deadlock"), "{said}");
            true
        })
    };
    let hanging: Vec<u32> = (0..8).filter(|life| hangs(*life, false)).collect();
    assert!(
        !(0..8).any(|life| hangs(life, true)),
        "with them, nobody hangs"
    );
    println!("lives after which the consumer hangs: {hanging:?}");
    assert!(!hanging.is_empty());
}
