//! What a producer does.

use ringpipe::Role;

use super::crowd::sweep;
use super::play::{PRODUCER, Play};
use super::{CAPACITY, Hands};
use crate::sleeper::Sleeps;

fn push_once(hands: &Hands<'_>) {
    let mut tx = hands.producer();
    hands.stage.begin();
    tx.push(hands.items[0]).unwrap();
    hands.stage.report(1);
    hands.stage.end();
}

fn push_twice(hands: &Hands<'_>) {
    let mut tx = hands.producer();
    hands.stage.begin();
    tx.push(hands.items[0]).unwrap();
    hands.stage.report(1);
    tx.push(hands.items[1]).unwrap();
    hands.stage.report(2);
    hands.stage.end();
}

fn push_slice(hands: &Hands<'_>) {
    let mut tx = hands.producer();
    hands.stage.begin();
    tx.push_slice(&hands.items).unwrap();
    hands.stage.report(6);
    hands.stage.end();
}

fn reserve_and_commit(hands: &Hands<'_>) {
    let mut tx = hands.producer();
    hands.stage.begin();
    let mut room = tx.reserve(6).unwrap();
    room.write(&hands.items[..2]);
    room.write(&hands.items[2..]);
    room.commit(5);
    hands.stage.report(5);
    hands.stage.end();
}

fn reserve_and_drop(hands: &Hands<'_>) {
    let mut tx = hands.producer();
    hands.stage.begin();
    let mut room = tx.reserve(6).unwrap();
    room.write(&hands.items[..2]);
    drop(room);
    hands.stage.end();
}

fn commit_some_of_all(hands: &Hands<'_>) {
    let mut tx = hands.producer();
    let mut room = tx.reserve(CAPACITY as usize).unwrap();
    room.write(&hands.items);
    hands.stage.begin();
    room.commit(5);
    hands.stage.report(5);
    hands.stage.end();
}

fn drop_all(hands: &Hands<'_>) {
    let mut tx = hands.producer();
    let room = tx.reserve(CAPACITY as usize).unwrap();
    hands.stage.begin();
    drop(room);
    hands.stage.end();
}

fn attach(hands: &Hands<'_>) {
    hands.stage.begin();
    let tx = hands.producer();
    hands.stage.end();
    drop(tx);
}

fn finish(hands: &Hands<'_>) {
    let tx = hands.producer();
    hands.stage.begin();
    tx.finish().unwrap();
    hands.stage.end();
}

#[test]
fn push() {
    sweep(
        "mpmc push",
        Play {
            act: push_twice,
            pushed: &[0, 1, 2],
            ..PRODUCER
        },
    );
}

#[test]
fn push_that_wakes_a_consumer() {
    sweep(
        "mpmc push that wakes a consumer",
        Play {
            producer: false,
            consumer: false,
            sleepers: (Role::Consumer, 1),
            sleeps: Sleeps::Before,
            act: push_twice,
            pushed: &[0, 1, 2],
            ..PRODUCER
        },
    );
}

#[test]
fn push_that_wakes_two_consumers() {
    sweep(
        "mpmc push that wakes two consumers",
        Play {
            consumer: false,
            sleepers: (Role::Consumer, 2),
            sleeps: Sleeps::Before,
            act: push_twice,
            pushed: &[0, 1, 2],
            ..PRODUCER
        },
    );
}

#[test]
fn push_while_a_consumer_goes_to_sleep() {
    sweep(
        "mpmc push while a consumer goes to sleep",
        Play {
            sleepers: (Role::Consumer, 1),
            sleeps: Sleeps::Meanwhile,
            act: push_twice,
            pushed: &[0, 1, 2],
            ..PRODUCER
        },
    );
}

#[test]
fn push_that_sleeps_in_a_full_ring() {
    sweep(
        "mpmc push that sleeps in a full ring",
        Play {
            filled: CAPACITY,
            act: push_once,
            pushed: &[0, 1],
            ..PRODUCER
        },
    );
}

#[test]
fn push_slice_around_the_end() {
    sweep(
        "mpmc push_slice around the end",
        Play {
            act: push_slice,
            pushed: &[0, 6],
            run: true,
            ..PRODUCER
        },
    );
}

#[test]
fn push_slice_that_waits_for_room() {
    sweep(
        "mpmc push_slice that waits for room",
        Play {
            filled: CAPACITY - 2,
            act: push_slice,
            pushed: &[0, 6],
            run: true,
            free: 1,
            ..PRODUCER
        },
    );
}

#[test]
fn reserve_and_commit_some() {
    sweep(
        "mpmc reserve and commit",
        Play {
            act: reserve_and_commit,
            pushed: &[0, 5],
            run: true,
            ..PRODUCER
        },
    );
}

#[test]
fn reserve_and_give_up() {
    sweep(
        "mpmc reserve and give up",
        Play {
            act: reserve_and_drop,
            ..PRODUCER
        },
    );
}

#[test]
fn commit_what_a_producer_waits_for() {
    sweep(
        "mpmc commit what a producer waits for",
        Play {
            producer: false,
            sleepers: (Role::Producer, 1),
            sleeps: Sleeps::Before,
            act: commit_some_of_all,
            pushed: &[0, 5],
            run: true,
            free: 0,
            ..PRODUCER
        },
    );
}

#[test]
fn give_up_what_a_producer_waits_for() {
    sweep(
        "mpmc give up what a producer waits for",
        Play {
            before: 0,
            producer: false,
            consumer: false,
            sleepers: (Role::Producer, 1),
            sleeps: Sleeps::Before,
            act: drop_all,
            free: 0,
            ..PRODUCER
        },
    );
}

#[test]
fn attach_a_producer() {
    sweep(
        "mpmc attach a producer",
        Play {
            act: attach,
            deaths: &[0, 1],
            ..PRODUCER
        },
    );
}

#[test]
fn finish_a_feed() {
    sweep(
        "mpmc finish a feed",
        Play {
            filled: 3,
            act: finish,
            deaths: &[0, 1],
            ..PRODUCER
        },
    );
}

#[test]
fn finish_a_feed_that_consumers_wait_for() {
    sweep(
        "mpmc finish a feed that consumers wait for",
        Play {
            producer: false,
            consumer: false,
            sleepers: (Role::Consumer, 2),
            sleeps: Sleeps::Before,
            act: finish,
            deaths: &[0, 1],
            ..PRODUCER
        },
    );
}
