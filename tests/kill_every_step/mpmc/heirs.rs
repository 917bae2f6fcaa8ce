//! What those do who meet what a dead one has left, and may be killed while they put it in order.

use std::mem::forget;

use ringpipe::Role;
use ringpipe::mpmc::Ring;

use super::crowd::sweep;
use super::play::{CONSUMER, PRODUCER, Play};
use super::{CAPACITY, Hands, consumer, producer};
use crate::items::Item;

/// Takes part in that role, and ends with so many slots in hand.
pub(super) fn die(ring: &Ring<Item>, role: Role, slots: usize) {
    match role {
        Role::Producer => {
            let mut tx = producer(ring);
            forget(tx.reserve(slots).unwrap());
            forget(tx);
        }
        Role::Consumer => {
            let mut rx = consumer(ring);
            let items = rx.claim(slots).unwrap();
            assert_eq!(items.len(), slots);
            forget(items);
            forget(rx);
        }
    }
}

fn push(hands: &Hands<'_>) {
    let mut tx = hands.producer();
    hands.stage.begin();
    tx.push(hands.items[0]).unwrap();
    hands.stage.report(1);
    hands.stage.end();
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

fn attach(hands: &Hands<'_>) {
    hands.stage.begin();
    let tx = hands.producer();
    hands.stage.end();
    drop(tx);
}

#[test]
fn pop_behind_a_dead_producers_room() {
    sweep(
        "mpmc pop behind a dead producer's room",
        Play {
            filled: 0,
            dead: Some((Role::Producer, 2)),
            behind: 2,
            act: pop_twice,
            taken: &[0, 1, 2],
            again: &[0, 1],
            spare: 0,
            ..CONSUMER
        },
    );
}

#[test]
fn pop_what_a_dead_consumer_had_in_hand() {
    sweep(
        "mpmc pop what a dead consumer had in hand",
        Play {
            filled: 2,
            dead: Some((Role::Consumer, 2)),
            act: pop_twice,
            taken: &[0, 1, 2],
            again: &[0, 1, 2],
            spare: 0,
            ..CONSUMER
        },
    );
}

#[test]
fn push_in_a_ring_that_a_dead_producer_had_reserved() {
    sweep(
        "mpmc push in a ring that a dead producer had reserved",
        Play {
            dead: Some((Role::Producer, CAPACITY as usize)),
            act: push,
            pushed: &[0, 1],
            free: 0,
            ..PRODUCER
        },
    );
}

#[test]
fn push_in_a_ring_that_a_dead_consumer_had_in_hand() {
    sweep(
        "mpmc push in a ring that a dead consumer had in hand",
        Play {
            filled: CAPACITY,
            dead: Some((Role::Consumer, CAPACITY as usize)),
            act: push,
            pushed: &[0, 1],
            again: &[CAPACITY],
            free: 0,
            ..PRODUCER
        },
    );
}

#[test]
fn attach_after_a_dead_producer() {
    sweep(
        "mpmc attach after a dead producer",
        Play {
            dead: Some((Role::Producer, 2)),
            behind: 2,
            act: attach,
            deaths: &[0, 1],
            ..PRODUCER
        },
    );
}

#[test]
fn attach_after_a_dead_consumer() {
    sweep(
        "mpmc attach after a dead consumer",
        Play {
            filled: 4,
            dead: Some((Role::Consumer, 3)),
            act: attach,
            again: &[3],
            deaths: &[0, 1],
            ..PRODUCER
        },
    );
}
