//! Coming, going, and what is done after a death.

use ringpipe::{Error, Name, PeerLoss, Role, Strategy, mpmc, spsc};

use crate::common::{Shared, forked, wait_for_the_end};
use crate::judge::Trouble;
use crate::names::or_again;
use crate::rings::{End, KINDS, Kind, PLAIN, Ring};
use crate::sweep::{World, sweep};

fn private(kind: Kind) -> Ring {
    let made = kind.create(&Name::Private, PLAIN);
    made.expect("nothing is disturbed yet")
}

/// The first to come, and one beside it.
fn coming(world: &World, kind: Kind) {
    let ring = private(kind);
    let (mut tx, mut rx) = world.stage.attempt(|| {
        let join = |role| or_again(world.stage, ring.join(role), || ring.join(role));
        let rx = join(Role::Consumer);
        (join(Role::Producer), rx)
    });
    tx.push(1).expect("there is room");
    assert_eq!(rx.pop().expect("it was pushed"), 1);
}

#[test]
fn joining() {
    for kind in KINDS {
        sweep(format!("join, {kind:?}"), |world| coming(world, kind));
    }
}

fn going(world: &World, kind: Kind, role: Role) {
    let ring = private(kind);
    let (mut tx, mut rx) = ring.both().expect("nobody is there");
    tx.push(1).expect("there is room");
    let (leaves, mut stays) = match role {
        Role::Producer => (tx, rx),
        Role::Consumer => {
            assert_eq!(rx.pop().expect("it was pushed"), 1);
            (rx, tx)
        }
    };
    let left = world.stage.attempt(|| leaves.finish());
    match left {
        Ok(()) => drop(ring.join(role)),
        Err(trouble) => trouble.judge(world.stage),
    }
    if role == Role::Producer {
        assert_eq!(stays.pop().expect("it was pushed"), 1);
    }
    stays.finish().expect("nothing is disturbed any more");
}

#[test]
fn leaving() {
    for kind in KINDS {
        for role in [Role::Producer, Role::Consumer] {
            sweep(format!("leave, {kind:?} {role}"), |world| {
                going(world, kind, role);
            });
        }
    }
}

/// A process takes part, does something, and is killed.
fn killed(work: impl FnOnce(Shared)) {
    let ready = Shared::new();
    let child = forked(|| {
        work(ready);
        panic!("nobody has killed it");
    });
    ready.until(0, 1);
    child.kill();
}

/// Dies with an item pushed and, where that can be, room in hand.
fn dead_producer(ring: &Ring) {
    killed(|ready| {
        let mut end = ring.join(Role::Producer).expect("a role is free");
        end.push(0).expect("there is room");
        match &mut end {
            End::SpscTx(tx) => {
                let _room = tx.try_reserve(1).expect("there is room");
                ready.set(0, 1);
                wait_for_the_end();
            }
            End::MpmcTx(tx) => {
                let _room = tx.try_reserve(1).expect("there is room");
                ready.set(0, 1);
                wait_for_the_end();
            }
            End::Writer(writer) => {
                let _room = writer.reserve(8).expect("there is room");
                ready.set(0, 1);
                wait_for_the_end();
            }
            _ => unreachable!("it is a producer"),
        }
    });
}

/// Dies with an item in hand.
fn dead_consumer(ring: &Ring) {
    killed(|ready| {
        let mut end = ring.join(Role::Consumer).expect("a role is free");
        match &mut end {
            End::SpscRx(rx) => {
                let _items: spsc::Items<u64> = rx.peek(1).expect("it was pushed");
                ready.set(0, 1);
                wait_for_the_end();
            }
            End::MpmcRx(rx) => {
                let _claim: mpmc::Claim<u64> = rx.claim(1).expect("it was pushed");
                ready.set(0, 1);
                wait_for_the_end();
            }
            End::Reader(reader) => {
                let bytes = std::io::BufRead::fill_buf(reader).expect("it was pushed");
                assert_eq!(bytes.len(), 8);
                ready.set(0, 1);
                wait_for_the_end();
            }
            _ => unreachable!("it is a consumer"),
        }
    });
}

fn after_a_producer(world: &World, kind: Kind) {
    let ring = private(kind);
    let mut rx = ring.join(Role::Consumer).expect("nobody is there");
    dead_producer(&ring);
    let mut tx = world.stage.attempt(|| {
        let join = || ring.join(Role::Producer);
        let mut tx = or_again(world.stage, join(), join);
        while let Err((_, trouble)) = tx.push(1) {
            trouble.judge(world.stage);
        }
        tx
    });
    tx.push(2).expect("there is room");
    (0..3).for_each(|item| assert_eq!(rx.pop().expect("it was pushed"), item));
}

fn after_a_consumer(world: &World, kind: Kind) {
    let ring = private(kind);
    let (mut tx, rx) = ring.both().expect("nobody is there");
    tx.push(0).expect("there is room");
    if kind == Kind::Spsc {
        drop(rx);
        dead_consumer(&ring);
    } else {
        dead_consumer(&ring);
        drop(rx);
    }
    let mut rx = world.stage.attempt(|| {
        let join = || ring.join(Role::Consumer);
        let mut rx = or_again(world.stage, join(), join);
        loop {
            match rx.pop() {
                Ok(item) => {
                    assert_eq!(item, 0);
                    break rx;
                }
                Err(Trouble::Disconnected) => panic!("the producer lives"),
                Err(trouble) => trouble.judge(world.stage),
            }
        }
    });
    tx.push(1).expect("there is room");
    assert_eq!(rx.pop().expect("it was pushed"), 1);
}

#[test]
fn taking_over_from_a_dead_producer() {
    for kind in KINDS {
        sweep(format!("after a producer's death, {kind:?}"), |world| {
            after_a_producer(world, kind);
        });
    }
}

#[test]
fn taking_over_from_a_dead_consumer() {
    for kind in KINDS {
        sweep(format!("after a consumer's death, {kind:?}"), |world| {
            after_a_consumer(world, kind);
        });
    }
}

/// A ring with its numbers all taken, some by the dead: the living are told so, and the dead make room.
fn full_of_the_dead(world: &World) {
    let options = mpmc::Options::new().capacity(4).participants(2);
    let ring = options.create::<u64>(Name::Private);
    let ring = ring.expect("nothing is disturbed yet");
    let mut tx = ring.producer().expect("there is room for it");
    tx.push(1).expect("there is room");
    killed(|ready| {
        let mut rx = ring.consumer().expect("there is room for it");
        let _claim = rx.claim(1).expect("it was pushed");
        ready.set(0, 1);
        wait_for_the_end();
    });
    let joined = world.stage.attempt(|| ring.consumer());
    let mut rx = match (joined, world.stage.fault()) {
        // The number could not be given up by which was cleared up after the dead: it is in living hands as long as this process.
        (Err(_), Some(hit)) if hit.number == libc::SYS_semtimedop => match ring.consumer() {
            Err(Error::Crowded { .. }) => return,
            again => again.expect("nothing is disturbed any more"),
        },
        (joined, _) => or_again(world.stage, joined, || ring.consumer()),
    };
    assert_eq!(rx.pop(), Ok(1));
    assert!(rx.redelivered());
}

/// The same while a producer sleeps, which is to be woken when the dead one's slots are freed.
fn full_beside_a_sleeper(world: &World) {
    let options = mpmc::Options::new().capacity(1).participants(3);
    let ring = options.create::<u64>(Name::Private);
    let ring = ring.expect("nothing is disturbed yet");
    let mut tx = ring.producer().expect("there is room for it");
    tx.push(1).expect("there is room");
    drop(tx);
    let sleeper = forked(|| {
        let mut tx = ring.producer().expect("there is room for it");
        tx.set_strategy(Strategy::Sleep);
        tx.set_peer_loss(PeerLoss::Wait);
        tx.push(2).expect("nothing is disturbed here");
    });
    sleeper.until_asleep();
    killed(|ready| {
        let _rx = ring.consumer().expect("there is room for it");
        ready.set(0, 1);
        wait_for_the_end();
    });
    let mut rx = world.stage.attempt(|| {
        let join = || ring.consumer();
        or_again(world.stage, join(), join)
    });
    let beside = ring.consumer();
    let lost = world
        .stage
        .fault()
        .is_some_and(|hit| hit.is_of_ipc() && !hit.wakes);
    assert!(beside.is_ok() || lost, "a number is lost: {beside:?}");
    drop(beside);
    assert_eq!((rx.pop(), rx.pop()), (Ok(1), Ok(2)));
    sleeper.join();
}

#[test]
fn joining_beside_a_sleeper() {
    sweep("join beside a sleeper", full_beside_a_sleeper);
}

#[test]
fn joining_where_the_dead_have_all_numbers() {
    sweep("join where the dead have all numbers", full_of_the_dead);
}
