//! Pushing and popping, with waits that others end, or a timeout, or a signal.

use std::thread;
use std::time::{Duration, Instant};

use ringpipe::{Name, Role};

use crate::common::{Child, Shared, forked};
use crate::inject::{Machine, USUAL};
use crate::judge::Trouble;
use crate::rings::{End, KINDS, Kind, PLAIN, Ring};
use crate::stage::Stage;
use crate::sweep::{World, sweep, sweep_on};

const SOON: Duration = Duration::from_millis(1);

fn private(kind: Kind) -> Ring {
    let made = kind.create(&Name::Private, PLAIN);
    made.expect("nothing is disturbed yet")
}

/// Pushes an item, again if that came to an error, which must be right.
#[track_caller]
fn push(stage: Stage, tx: &mut End, item: u64) {
    while let Err((back, trouble)) = tx.push(item) {
        assert_eq!(back, item);
        trouble.judge(stage);
    }
}

#[track_caller]
fn pop(stage: Stage, rx: &mut End) -> u64 {
    loop {
        match rx.pop() {
            Ok(item) => return item,
            Err(trouble) => trouble.judge(stage),
        }
    }
}

fn fill(tx: &mut End, kind: Kind) -> u64 {
    let full = kind.capacity() as u64;
    (0..full).for_each(|item| tx.push(item).expect("there is room"));
    full
}

/// A process that pushes as many items, from `first` on, and finishes.
fn producer(ring: &Ring, first: u64, count: u64, wait: bool) -> Child {
    forked(|| {
        let mut tx = ring.join(Role::Producer).expect("a role is free");
        for item in first..first + count {
            if wait {
                thread::sleep(SOON);
            }
            tx.push(item).expect("nothing is disturbed here");
        }
        tx.finish().expect("nothing is disturbed here");
    })
}

/// A process that pops as many items, which must be those from 0 on, and counts them.
fn consumer(ring: &Ring, count: u64, got: Shared, wait: bool) -> Child {
    forked(move || {
        let mut rx = ring.join(Role::Consumer).expect("a role is free");
        got.set(1, 1);
        for item in 0..count {
            if wait && item < 6 {
                thread::sleep(SOON);
            }
            assert_eq!(rx.pop().expect("nothing is disturbed here"), item);
            got.add(0);
        }
        rx.finish().expect("nothing is disturbed here");
    })
}

fn popping(world: &World, kind: Kind) {
    const COUNT: u64 = 3;
    let ring = private(kind);
    let mut rx = ring.join(Role::Consumer).expect("nobody is there");
    let peer = producer(&ring, 0, COUNT, true);
    if kind == Kind::Stream {
        // Without a writer a stream is at its end.
        while ringpipe::status(ring.id())
            .expect("it is there")
            .producer
            .holders
            == 0
        {}
    }
    world.stage.attempt(|| {
        (0..COUNT).for_each(|item| assert_eq!(pop(world.stage, &mut rx), item));
    });
    assert!(matches!(rx.pop(), Err(Trouble::Disconnected)));
    peer.join();
}

#[test]
fn popping_from_an_empty_ring() {
    for kind in KINDS {
        sweep(format!("pop, {kind:?}"), |world| popping(world, kind));
    }
}

/// Where waiters cannot have others pass a barrier, they sleep in slices.
#[test]
fn waiting_where_barriers_are_forbidden() {
    let machine = Machine {
        lacks: |call| (call.number == libc::SYS_membarrier).then_some(libc::EPERM),
        ..USUAL
    };
    for kind in [Kind::Spsc, Kind::Mpmc] {
        sweep_on(
            machine,
            format!("pop without barriers, {kind:?}"),
            |world| {
                popping(world, kind);
            },
        );
    }
}

fn pushing(world: &World, kind: Kind) {
    const COUNT: u64 = 3;
    let ring = private(kind);
    let (got, full) = (Shared::new(), kind.capacity() as u64);
    let peer = match kind {
        // Which it must be before there can be a writer.
        Kind::Stream => {
            let rx = ring.join(Role::Consumer).expect("nobody is there");
            let mut tx = ring.join(Role::Producer).expect("nobody is there");
            fill(&mut tx, kind);
            let peer = consumer(&ring, full + COUNT, got, true);
            got.until(1, 1);
            drop(rx);
            disturbed_pushes(world.stage, tx, full, COUNT);
            peer
        }
        _ => {
            let mut tx = ring.join(Role::Producer).expect("nobody is there");
            fill(&mut tx, kind);
            let peer = consumer(&ring, full + COUNT, got, true);
            got.until(1, 1);
            disturbed_pushes(world.stage, tx, full, COUNT);
            peer
        }
    };
    peer.join();
    assert_eq!(got.get(0), full + COUNT);
}

fn disturbed_pushes(stage: Stage, mut tx: End, first: u64, count: u64) {
    stage.attempt(|| (first..first + count).for_each(|item| push(stage, &mut tx, item)));
    tx.finish().expect("nothing is disturbed any more");
}

#[test]
fn pushing_into_a_full_ring() {
    for kind in KINDS {
        sweep(format!("push, {kind:?}"), |world| pushing(world, kind));
    }
}

/// Who pushes wakes who sleeps: also the next time, if a wake-up could not be had.
fn waking(world: &World, kind: Kind) {
    const COUNT: u64 = 3;
    let ring = private(kind);
    let got = Shared::new();
    let opener = (kind == Kind::Stream).then(|| ring.both().expect("nobody is there"));
    let peer = consumer(&ring, COUNT + 1, got, false);
    got.until(1, 1);
    let mut tx = match opener {
        Some((tx, rx)) => {
            drop(rx);
            tx
        }
        None => ring.join(Role::Producer).expect("nobody is there"),
    };
    peer.until_asleep();
    world.stage.attempt(|| {
        for item in 0..COUNT {
            push(world.stage, &mut tx, item);
            thread::sleep(SOON);
        }
    });
    push(world.stage, &mut tx, COUNT);
    got.until(0, COUNT + 1);
    peer.join();
}

#[test]
fn waking_a_consumer() {
    for kind in KINDS {
        sweep(format!("wake a consumer, {kind:?}"), |world| {
            waking(world, kind);
        });
    }
}

/// The same of a producer that sleeps because there is no room.
fn making_room(world: &World, kind: Kind) {
    const COUNT: u64 = 3;
    let ring = private(kind);
    let (mut tx, mut rx) = ring.both().expect("nobody is there");
    let full = fill(&mut tx, kind);
    drop(tx);
    let peer = producer(&ring, full, COUNT, false);
    peer.until_asleep();
    world.stage.attempt(|| {
        for item in 0..COUNT {
            assert_eq!(pop(world.stage, &mut rx), item);
            thread::sleep(SOON);
        }
    });
    (COUNT..full + COUNT).for_each(|item| assert_eq!(pop(world.stage, &mut rx), item));
    assert!(matches!(rx.pop(), Err(Trouble::Disconnected)));
    peer.join();
}

#[test]
fn waking_a_producer() {
    for kind in KINDS {
        sweep(format!("wake a producer, {kind:?}"), |world| {
            making_room(world, kind);
        });
    }
}

/// A wait in vain ends with a timeout, and a signal does not end it sooner.
fn check_timeout(stage: Stage, trouble: &Trouble, begin: Instant, time: Duration) {
    match trouble {
        Trouble::Timeout => {
            let interrupted = stage.fault().is_some_and(|hit| hit.errno == libc::EINTR);
            assert!(
                !interrupted || begin.elapsed() >= time,
                "a signal has ended the wait"
            );
        }
        other => other.judge(stage),
    }
}

fn waiting_in_vain(world: &World, kind: Kind, role: Role) {
    let time = Duration::from_millis(2);
    let ring = private(kind);
    let (mut tx, mut rx) = ring.both().expect("nobody is there");
    let full = match role {
        Role::Producer => fill(&mut tx, kind),
        Role::Consumer => 0,
    };
    world.stage.attempt(|| {
        let begin = Instant::now();
        let trouble = match role {
            Role::Producer => {
                let (back, no_room) = tx.push_timeout(99, time).expect_err("it is full");
                assert_eq!(back, 99);
                no_room
            }
            Role::Consumer => rx.pop_timeout(time).expect_err("nothing is there"),
        };
        check_timeout(world.stage, &trouble, begin, time);
    });
    (0..full).for_each(|item| assert_eq!(rx.pop().expect("it was pushed"), item));
    tx.push(full).expect("there is room");
    assert_eq!(rx.pop().expect("it was pushed"), full);
    assert!(matches!(
        rx.pop_timeout(Duration::ZERO),
        Err(Trouble::Timeout)
    ));
}

#[test]
fn waiting_with_a_timeout() {
    for kind in KINDS {
        for role in [Role::Producer, Role::Consumer] {
            sweep(format!("wait in vain, {kind:?} {role}"), |world| {
                waiting_in_vain(world, kind, role);
            });
        }
    }
}

fn being_interruptible(world: &World, kind: Kind) {
    let ring = private(kind);
    let (mut own, mut rx) = ring.both().expect("nobody is there");
    rx.set_interruptible(true);
    let popped = world
        .stage
        .attempt(|| rx.pop_timeout(Duration::from_millis(2)));
    let interrupted = world
        .stage
        .fault()
        .is_some_and(|hit| hit.errno == libc::EINTR && hit.sleeps);
    match popped {
        Err(Trouble::Interrupted) => assert!(interrupted, "by nothing"),
        Err(Trouble::Timeout) => assert!(!interrupted, "a signal was ignored"),
        Err(other) => other.judge(world.stage),
        Ok(item) => panic!("{item} was never pushed"),
    }
    own.push(1).expect("there is room");
    assert_eq!(rx.pop().expect("it was pushed"), 1);
}

#[test]
fn being_interrupted() {
    for kind in KINDS {
        sweep(format!("wait interruptibly, {kind:?}"), |world| {
            being_interruptible(world, kind);
        });
    }
}
