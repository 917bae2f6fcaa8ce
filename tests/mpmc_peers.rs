//! Shared rings between processes that stop, die and leave while others wait for them.
#![allow(missing_docs)]

mod common;

use std::time::Duration;

use common::{Child, Shared, asleep, forked, until, wait_for_the_end, watched};
use nix::sys::signal::Signal;
use ringpipe::mpmc::{Options, Ring};
use ringpipe::{DeadConsumer, PeerLoss, PopError, PopTimeoutError, PushError, Role, Strategy};

/// A stopped process with a claim on one item, which it releases when told to.
fn stopped_consumer(ring: &Ring<u64>, go_on: Shared) -> Child {
    let child = forked(|| {
        let mut rx = ring.consumer().unwrap();
        let claim = rx.claim(1).unwrap();
        go_on.set(0, 1);
        go_on.until(1, 1);
        claim.release_all();
    });
    go_on.until(0, 1);
    child.signal(Signal::SIGSTOP);
    child
}

/// The same with room for one item.
fn stopped_producer(ring: &Ring<u64>, go_on: Shared, item: u64) -> Child {
    let child = forked(|| {
        let mut tx = ring.producer().unwrap();
        let mut room = tx.reserve(1).unwrap();
        go_on.set(0, 1);
        go_on.until(1, 1);
        room.write(&[item]);
        room.commit_written();
    });
    go_on.until(0, 1);
    child.signal(Signal::SIGSTOP);
    child
}

#[test]
fn a_stopped_consumer_keeps_what_it_has() {
    let (place, _watchdog) = watched("a stopped consumer");
    let ring = Ring::<u64>::create(place.path(), 2).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push_slice(&[1, 2]).unwrap();
    let go_on = Shared::new();
    let holder = stopped_consumer(&ring, go_on);
    assert_eq!(rx.pop(), Ok(2));
    assert!(rx.pop_timeout(Duration::from_millis(30)).is_err());
    assert!(tx.push_timeout(3, Duration::from_millis(30)).is_err());
    drop(ring.consumer().unwrap()); // a newcomer clears up after the dead alone
    let waiting = forked(|| {
        let mut tx = ring.producer().unwrap();
        tx.set_strategy(Strategy::Sleep);
        tx.push(3).unwrap();
    });
    until(|| asleep(&ring, Role::Producer) == 1);
    go_on.set(1, 1);
    holder.signal(Signal::SIGCONT);
    holder.join();
    waiting.join();
    assert_eq!((rx.pop(), rx.redelivered()), (Ok(3), false));
}

#[test]
fn a_stopped_producer_keeps_its_room() {
    let (place, _watchdog) = watched("a stopped producer");
    let ring = Ring::<u64>::create(place.path(), 3).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    let go_on = Shared::new();
    let holder = stopped_producer(&ring, go_on, 1);
    tx.push_slice(&[2, 3]).unwrap();
    assert!(rx.pop_timeout(Duration::from_millis(30)).is_err());
    assert!(tx.push_timeout(4, Duration::from_millis(30)).is_err());
    drop(ring.producer().unwrap());
    let waiting = forked(|| {
        let mut rx = ring.consumer().unwrap();
        rx.set_strategy(Strategy::Sleep);
        assert_eq!([(); 3].map(|()| rx.pop().unwrap()), [1, 2, 3]);
    });
    until(|| asleep(&ring, Role::Consumer) == 1);
    go_on.set(1, 1);
    holder.signal(Signal::SIGCONT);
    holder.join();
    waiting.join();
}

/// However many sleep, and whatever a loss means to them: each is told, or waits on, as it has chosen.
#[test]
fn all_who_sleep_learn_of_the_end() {
    for peer_losses in [[0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 1, 1, 1]] {
        for killed in [true, false] {
            sleepers_of(Role::Consumer, peer_losses, killed);
            sleepers_of(Role::Producer, peer_losses, killed);
        }
    }
}

fn sleepers_of(role: Role, peer_losses: [usize; 4], killed: bool) {
    let (place, _watchdog) = watched("the end");
    let ring = Ring::<u64>::create(place.path(), 1).unwrap();
    let peer = peer_of(&ring, role);
    let mut told = Vec::new();
    let mut patient = Vec::new();
    for (n, loss) in peer_losses.into_iter().enumerate() {
        let loss = [PeerLoss::Disconnect, PeerLoss::Wait][loss];
        let child = forked(|| sleep_through(&ring, role, loss));
        match loss {
            PeerLoss::Wait => patient.push(child),
            PeerLoss::Disconnect => told.push(child),
        }
        until(|| asleep(&ring, role) == n as u32 + 1);
    }
    if killed {
        peer.kill();
    } else {
        peer.signal(Signal::SIGUSR1);
        peer.join();
    }
    told.into_iter().for_each(Child::join);
    until(|| asleep(&ring, role) == patient.len() as u32);
    let n = patient.len();
    match role {
        Role::Consumer => ring.producer().unwrap().push_slice(&vec![1; n]).unwrap(),
        Role::Producer => {
            let mut rx = ring.consumer().unwrap();
            (0..=n).for_each(|_| assert_eq!(rx.pop(), Ok(1)));
        }
    }
    patient.into_iter().for_each(Child::join);
}

/// Somebody of the other role, who ends well at SIGUSR1. The ring is left such that `role` has to wait.
fn peer_of(ring: &Ring<u64>, role: Role) -> Child {
    let shared = Shared::new();
    let child = forked(|| {
        let mut end = nix::sys::signal::SigSet::empty();
        end.add(Signal::SIGUSR1);
        end.thread_block().unwrap();
        if role == Role::Consumer {
            let _tx = ring.producer().unwrap();
            shared.set(0, 1);
            end.wait().unwrap();
        } else {
            let _rx = ring.consumer().unwrap();
            ring.producer().unwrap().push(1).unwrap();
            shared.set(0, 1);
            end.wait().unwrap();
        }
    });
    shared.until(0, 1);
    child
}

fn sleep_through(ring: &Ring<u64>, role: Role, loss: PeerLoss) {
    let waits = loss == PeerLoss::Wait;
    if role == Role::Consumer {
        let mut rx = ring.consumer().unwrap();
        rx.set_strategy(Strategy::Sleep);
        rx.set_peer_loss(loss);
        let expected = if waits {
            Ok(1)
        } else {
            Err(PopError::Disconnected)
        };
        assert_eq!(rx.pop(), expected);
    } else {
        let mut tx = ring.producer().unwrap();
        tx.set_strategy(Strategy::Sleep);
        tx.set_peer_loss(loss);
        let expected = if waits {
            Ok(())
        } else {
            Err(PushError::Disconnected(1))
        };
        assert_eq!(tx.push(1), expected);
    }
}

/// Each of some consumers is killed with a claim: exactly what they had comes again, and says so, or is gone.
#[test]
fn claims_of_killed_consumers_go_where_the_creator_chose() {
    for policy in [DeadConsumer::Redeliver, DeadConsumer::Drop] {
        let (place, _watchdog) = watched("claims of killed consumers");
        let options = Options::new().capacity(16).dead_consumer(policy);
        let ring = options.create::<u64>(place.path()).unwrap();
        let mut tx = ring.producer().unwrap();
        tx.push_slice(&(0..16).collect::<Vec<_>>()).unwrap();
        let shared = Shared::new();
        let holders: Vec<Child> = (1..5).map(|n| holder(&ring, shared, n)).collect();
        holders.into_iter().for_each(Child::kill);
        let mut rx = ring.consumer().unwrap();
        let mut again: Vec<u64> = Vec::new();
        let mut new = Vec::new();
        while let Ok(item) = rx.try_pop() {
            if rx.redelivered() {
                &mut again
            } else {
                &mut new
            }
            .push(item);
        }
        again.sort_unstable();
        let redelivers = policy == DeadConsumer::Redeliver;
        assert!(again.into_iter().eq(if redelivers { 0..10 } else { 0..0 }));
        assert!(new.into_iter().eq(10..16));
        assert_eq!(tx.try_push_slice(&[0; 20]), Ok(16));
    }
}

/// A process with a claim on `n` items.
fn holder(ring: &Ring<u64>, shared: Shared, n: usize) -> Child {
    let child = forked(|| {
        let mut rx = ring.consumer().unwrap();
        let _claim = rx.claim(n).unwrap();
        shared.add(0);
        wait_for_the_end();
    });
    shared.until(0, n as u64);
    child
}

/// A sleeper that is stopped has lost its place in the kernel's queue, and a wake-up that it was promised goes to whoever
/// sleeps, again and again. That one's timeout holds all the same.
#[test]
fn a_stopped_sleepers_promise_keeps_nobody_from_a_deadline() {
    let (place, _watchdog) = watched("a stopped sleeper's promise");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let stopped = forked(|| {
        let mut rx = ring.consumer().unwrap();
        rx.set_strategy(Strategy::Sleep);
        let _ = rx.pop();
        wait_for_the_end();
    });
    until(|| asleep(&ring, Role::Consumer) == 1);
    stopped.signal(Signal::SIGSTOP);
    until(|| asleep(&ring, Role::Consumer) == 0);
    let (mut slow, mut fast) = (ring.producer().unwrap(), ring.producer().unwrap());
    let mut rx = ring.consumer().unwrap();
    rx.set_strategy(Strategy::Sleep);
    let room = slow.reserve(1).unwrap();
    fast.push(7).unwrap();
    let got = rx.pop_timeout(Duration::from_millis(20));
    assert_eq!(got, Err(PopTimeoutError::Timeout));
    drop(room);
    assert_eq!(rx.pop(), Ok(7));
    stopped.kill();
}
