//! What a consumer does.

use ringpipe::{DeadConsumer, Role};

use super::crowd::sweep;
use super::play::{CONSUMER, Play};
use super::{CAPACITY, Hands};
use crate::items::item;
use crate::sleeper::Sleeps;

fn pop_once(hands: &Hands<'_>) {
    let mut rx = hands.consumer();
    hands.stage.begin();
    let item = rx.pop().unwrap();
    hands.stage.report(1);
    hands.stage.end();
    hands.tell(&[item]);
}

fn pop_twice(hands: &Hands<'_>) {
    let mut rx = hands.consumer();
    hands.stage.begin();
    let first = rx.pop().unwrap();
    hands.stage.report(1);
    let second = rx.pop().unwrap();
    hands.stage.report(2);
    hands.stage.end();
    hands.tell(&[first, second]);
}

fn pop_slice(hands: &Hands<'_>) {
    let mut rx = hands.consumer();
    let mut taken = [item(0); 6];
    hands.stage.begin();
    assert_eq!(rx.pop_slice(&mut taken), Ok(6));
    hands.stage.report(6);
    hands.stage.end();
    hands.tell(&taken);
}

fn claim_and_release(hands: &Hands<'_>) {
    let mut rx = hands.consumer();
    let mut taken = [item(0); 6];
    hands.stage.begin();
    let items = rx.claim(6).unwrap();
    hands.stage.hold(6);
    let (first, second) = items.as_slices();
    taken[..first.len()].copy_from_slice(first);
    taken[first.len()..].copy_from_slice(second);
    items.release(5);
    hands.stage.report(5);
    hands.stage.end();
    hands.tell(&taken[..5]);
}

fn claim_and_put_back(hands: &Hands<'_>) {
    let mut rx = hands.consumer();
    hands.stage.begin();
    let items = rx.claim(3).unwrap();
    hands.stage.hold(3);
    drop(items);
    hands.stage.end();
}

fn release_all(hands: &Hands<'_>) {
    let mut rx = hands.consumer();
    let items = rx.claim(2).unwrap();
    let taken = [0, 1].map(|n| items.as_slices().0[n]);
    hands.stage.hold(2);
    hands.stage.begin();
    items.release_all();
    hands.stage.report(2);
    hands.stage.end();
    hands.tell(&taken);
}

fn release_one_of_two(hands: &Hands<'_>) {
    let mut rx = hands.consumer();
    let items = rx.claim(2).unwrap();
    let first = items.as_slices().0[0];
    hands.stage.hold(2);
    hands.stage.begin();
    items.release(1);
    hands.stage.report(1);
    hands.stage.end();
    hands.tell(&[first]);
}

fn put_back(hands: &Hands<'_>) {
    let mut rx = hands.consumer();
    let items = rx.claim(2).unwrap();
    hands.stage.hold(2);
    hands.stage.begin();
    items.put_back();
    hands.stage.end();
}

fn attach(hands: &Hands<'_>) {
    hands.stage.begin();
    let rx = hands.consumer();
    hands.stage.end();
    drop(rx);
}

fn finish(hands: &Hands<'_>) {
    let rx = hands.consumer();
    hands.stage.begin();
    rx.finish().unwrap();
    hands.stage.end();
}

#[test]
fn pop() {
    sweep(
        "mpmc pop",
        Play {
            act: pop_twice,
            taken: &[0, 1, 2],
            again: &[0, 1],
            spare: 5,
            ..CONSUMER
        },
    );
}

#[test]
fn pop_where_the_dead_ones_items_are_dropped() {
    sweep(
        "mpmc pop where a dead one's items are dropped",
        Play {
            policy: DeadConsumer::Drop,
            act: pop_twice,
            taken: &[0, 1, 2],
            spare: 5,
            ..CONSUMER
        },
    );
}

#[test]
fn pop_that_wakes_a_producer() {
    sweep(
        "mpmc pop that wakes a producer",
        Play {
            filled: CAPACITY,
            producer: false,
            consumer: false,
            sleepers: (Role::Producer, 1),
            sleeps: Sleeps::Before,
            act: pop_twice,
            taken: &[0, 1, 2],
            again: &[0, 1],
            ..CONSUMER
        },
    );
}

#[test]
fn pop_that_wakes_two_producers() {
    sweep(
        "mpmc pop that wakes two producers",
        Play {
            filled: CAPACITY,
            producer: false,
            sleepers: (Role::Producer, 2),
            sleeps: Sleeps::Before,
            act: pop_twice,
            taken: &[0, 1, 2],
            again: &[0, 1],
            spare: 6,
            ..CONSUMER
        },
    );
}

#[test]
fn pop_while_a_producer_goes_to_sleep() {
    sweep(
        "mpmc pop while a producer goes to sleep",
        Play {
            consumer: false,
            sleepers: (Role::Producer, 1),
            sleeps: Sleeps::Meanwhile,
            act: pop_twice,
            taken: &[0, 1, 2],
            again: &[0, 1],
            ..CONSUMER
        },
    );
}

#[test]
fn pop_that_sleeps_at_an_empty_ring() {
    sweep(
        "mpmc pop that sleeps at an empty ring",
        Play {
            filled: 0,
            act: pop_once,
            taken: &[0, 1],
            again: &[0, 1],
            spare: 0,
            ..CONSUMER
        },
    );
}

#[test]
fn pop_of_the_last_item() {
    sweep(
        "mpmc pop of the last item",
        Play {
            filled: 0,
            consumer: false,
            ends: true,
            act: pop_once,
            taken: &[0, 1],
            again: &[0, 1],
            ..CONSUMER
        },
    );
}

#[test]
fn pop_slice_around_the_end() {
    sweep(
        "mpmc pop_slice around the end",
        Play {
            act: pop_slice,
            taken: &[0, 6],
            again: &[0, 6],
            ..CONSUMER
        },
    );
}

#[test]
fn claim_and_release_some() {
    sweep(
        "mpmc claim and release",
        Play {
            act: claim_and_release,
            taken: &[0, 5],
            again: &[0, 1, 6],
            ..CONSUMER
        },
    );
}

#[test]
fn claim_and_release_where_the_dead_ones_items_are_dropped() {
    sweep(
        "mpmc claim and release where a dead one's items are dropped",
        Play {
            policy: DeadConsumer::Drop,
            act: claim_and_release,
            taken: &[0, 6, 5],
            again: &[0, 1],
            ..CONSUMER
        },
    );
}

#[test]
fn claim_and_drop() {
    sweep(
        "mpmc claim and put back",
        Play {
            act: claim_and_put_back,
            again: &[0, 3],
            spare: 4,
            ..CONSUMER
        },
    );
}

/// Another consumer waits for the end of the feed, or for what the victim has in hand.
const BESIDE_ONE_THAT_WAITS: Play = Play {
    filled: 2,
    producer: false,
    consumer: false,
    sleepers: (Role::Consumer, 1),
    sleeps: Sleeps::Before,
    ..CONSUMER
};

#[test]
fn release_what_a_consumer_waits_for() {
    sweep(
        "mpmc release what a consumer waits for",
        Play {
            act: release_all,
            taken: &[0, 2],
            again: &[0, 2],
            ..BESIDE_ONE_THAT_WAITS
        },
    );
}

#[test]
fn release_a_part_of_what_a_consumer_waits_for() {
    sweep(
        "mpmc release a part of what a consumer waits for",
        Play {
            act: release_one_of_two,
            taken: &[0, 1],
            again: &[1, 2],
            ..BESIDE_ONE_THAT_WAITS
        },
    );
}

#[test]
fn put_back_what_a_consumer_waits_for() {
    sweep(
        "mpmc put back what a consumer waits for",
        Play {
            act: put_back,
            again: &[2],
            ..BESIDE_ONE_THAT_WAITS
        },
    );
}

#[test]
fn attach_a_consumer() {
    sweep(
        "mpmc attach a consumer",
        Play {
            act: attach,
            deaths: &[0, 1],
            spare: 7,
            ..CONSUMER
        },
    );
}

#[test]
fn finish_with_items_left() {
    sweep(
        "mpmc finish with items left",
        Play {
            act: finish,
            deaths: &[0, 1],
            spare: 7,
            ..CONSUMER
        },
    );
}

#[test]
fn finish_while_producers_wait() {
    sweep(
        "mpmc finish while producers wait",
        Play {
            filled: CAPACITY,
            producer: false,
            consumer: false,
            sleepers: (Role::Producer, 2),
            sleeps: Sleeps::Before,
            act: finish,
            deaths: &[0, 1],
            ..CONSUMER
        },
    );
}
