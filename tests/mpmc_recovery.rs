//! Shared rings at the instants that kills rarely hit: each case here is set up on purpose, with a process that is halted at a
//! system call, or with a segment as a killed one would have left it.
#![allow(missing_docs)]

mod common;

use std::thread;
use std::time::Duration;

use common::raw::Raw;
use common::steps::Stepped;
use common::{Child, Place, Shared, asleep, forked, until, wait_for_the_end, watched};
use nix::sys::signal::Signal;
use ringpipe::mpmc::{Consumer, Options, Ring};
use ringpipe::{DeadConsumer, PeerLoss, PopError, Role, Strategy, TryPopError, TryPushError};

/// Offsets of the two hints.
const PRODUCED: usize = 256;
const CONSUMED: usize = 384;

/// A consumer that sleeps at once.
fn sleeper(ring: &Ring<u64>, peer_loss: PeerLoss) -> Consumer<u64> {
    let mut rx = ring.consumer().unwrap();
    rx.set_strategy(Strategy::Sleep);
    rx.set_peer_loss(peer_loss);
    rx
}

fn raw(ring: &Ring<u64>) -> Raw {
    Raw::attach(ring.status().unwrap().unwrap().id)
}

/// A child that has claimed an item, is killed, and leaves the hint as if it had been killed before it moved that on.
fn killed_before_it_moved_the_hint(ring: &Ring<u64>) {
    let shared = Shared::new();
    let child = forked(|| {
        let mut rx = ring.consumer().unwrap();
        std::mem::forget(rx.claim(2).unwrap());
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    child.signal(Signal::SIGSTOP);
    // It may have told, if it had claimed more.
    raw(ring)
        .wide(CONSUMED)
        .store(0, std::sync::atomic::Ordering::SeqCst);
    child.kill();
}

#[test]
fn items_of_a_consumer_killed_before_it_moved_the_hint_come_again() {
    let (place, _watchdog) = watched("a hint left behind");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut tx = ring.producer().unwrap();
    tx.push_slice(&[1, 2]).unwrap();
    killed_before_it_moved_the_hint(&ring);
    let mut rx = ring.consumer().unwrap();
    let mut got = [0; 4];
    assert_eq!(rx.try_pop_slice(&mut got), Ok(2));
    assert_eq!((got, rx.redelivered()), ([1, 2, 0, 0], true));
}

#[test]
fn the_length_is_right_after_a_producer_was_killed_before_it_moved_the_hint() {
    let (place, _watchdog) = watched("a tail left behind");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut rx = ring.consumer().unwrap();
    let shared = Shared::new();
    let child = forked(|| {
        let mut tx = ring.producer().unwrap();
        std::mem::forget(tx.reserve(2).unwrap());
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    child.signal(Signal::SIGSTOP);
    raw(&ring)
        .wide(PRODUCED)
        .store(0, std::sync::atomic::Ordering::SeqCst);
    child.kill();
    let tx = ring.producer().unwrap();
    assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
    assert_eq!((tx.len(), tx.is_full(), rx.is_empty()), (0, false, true));
}

/// Nobody need sleep for a death to be noticed.
#[test]
fn who_never_sleeps_gets_what_the_dead_had() {
    for strategy in [None, Some(Strategy::Spin)] {
        let (place, _watchdog) = watched("who never sleeps");
        let ring = Ring::<u64>::create(place.path(), 4).unwrap();
        ring.producer().unwrap().push(1).unwrap();
        let dead = holding(&ring);
        let (_tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        dead.kill();
        let mut got = None;
        match strategy {
            Some(strategy) => {
                rx.set_strategy(strategy);
                got = rx.pop().ok();
            }
            None => until(|| {
                got = rx.try_pop().ok();
                got.is_some()
            }),
        }
        assert_eq!((got, rx.redelivered()), (Some(1), true));
    }
}

/// A consumer waits while another holds what might be put back. When that one is done and does nothing else, it is told.
#[test]
fn the_end_is_told_once_the_last_claim_is_released() {
    let (place, _watchdog) = watched("the last claim");
    for ring in [
        Ring::<u64>::create(place.path(), 4).unwrap(),
        Ring::in_process(4).unwrap(),
    ] {
        let mut holder = ring.consumer().unwrap();
        let mut waiting = sleeper(&ring, PeerLoss::Disconnect);
        ring.producer().unwrap().push(1).unwrap();
        let claim = holder.claim(1).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(move || waiting.pop());
            match ring.status().unwrap() {
                Some(_) => until(|| asleep(&ring, Role::Consumer) == 1),
                None => thread::sleep(Duration::from_millis(20)),
            }
            claim.release_all();
            assert_eq!(waiting.join().unwrap(), Err(PopError::Disconnected));
        });
        drop(holder);
    }
}

/// Who waits for more room than there is lets those go ahead that want less, also when a claim ends the room.
#[test]
fn a_large_wish_does_not_hold_up_a_small_one() {
    let (place, _watchdog) = watched("a large wish");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let (mut one, mut other) = (ring.consumer().unwrap(), ring.consumer().unwrap());
    let (mut large, mut small) = (ring.producer().unwrap(), ring.producer().unwrap());
    large.push_slice(&[1, 2, 3, 4]).unwrap();
    let (first, second) = (one.claim(2).unwrap(), other.claim(2).unwrap());
    for tx in [&mut large, &mut small] {
        tx.set_strategy(Strategy::Sleep);
    }
    thread::scope(|scope| {
        scope.spawn(move || large.push_slice(&[5, 6, 7, 8]).unwrap());
        until(|| asleep(&ring, Role::Producer) == 1);
        let done = scope.spawn(move || small.push(9).unwrap());
        until(|| asleep(&ring, Role::Producer) == 2);
        first.release_all();
        done.join().unwrap();
        second.release_all();
        let mut rx = ring.consumer().unwrap();
        assert_eq!([(); 5].map(|()| rx.pop().unwrap()), [9, 5, 6, 7, 8]);
    });
}

/// Room that was given back is room, wherever it lies.
#[test]
fn room_that_was_given_back_is_room_at_once() {
    let (place, _watchdog) = watched("room given back");
    for ring in [
        Ring::<u64>::create(place.path(), 4).unwrap(),
        Ring::in_process(4).unwrap(),
    ] {
        let mut tx = ring.producer().unwrap();
        for n in 0..20 {
            drop(tx.reserve(1 + n % 3).unwrap());
            let soon = Duration::from_millis(20);
            assert_eq!(tx.reserve_timeout(4, soon).unwrap().len(), 4);
            drop(tx.reserve(1 + n % 4).unwrap());
            assert_eq!(tx.try_reserve(4).unwrap().len(), 4);
        }
        assert_eq!(tx.try_push_slice(&[1; 9]), Ok(4));
        assert_eq!(tx.try_push(1), Err(TryPushError::Full(1)));
    }
}

/// Lets a process that does `work` make `halts` halts at system calls; `None` if it has come to its end.
fn halted(halts: usize, work: impl FnOnce()) -> Option<Stepped> {
    let mut process = Stepped::new(work);
    (0..=halts).all(|_| process.step()).then_some(process)
}

/// Whoever comes puts the remains of others away, and may be killed at it: somebody who sleeps for those must learn of it.
#[test]
fn a_newcomer_killed_while_it_clears_up_is_no_loss() {
    for halts in 0.. {
        let (place, _watchdog) = watched("a killed newcomer");
        let ring = dropping(&place);
        ring.producer().unwrap().push(1).unwrap();
        let holder = holding(&ring);
        let shared = Shared::new();
        let producer = forked(|| {
            let mut tx = ring.producer().unwrap();
            tx.set_strategy(Strategy::Sleep);
            tx.set_peer_loss(PeerLoss::Wait);
            tx.push(2).unwrap();
            shared.set(0, 1);
        });
        until(|| asleep(&ring, Role::Producer) == 1);
        producer.signal(Signal::SIGSTOP);
        until(|| asleep(&ring, Role::Producer) == 0);
        holder.kill();
        // It sleeps again because of the newcomer, if that one has the dead one's number in hand.
        let go_on = || {
            producer.signal(Signal::SIGCONT);
            until(|| asleep(&ring, Role::Producer) == 1 || shared.get(0) == 1);
        };
        let over = killed_in_between(&ring, halts, go_on);
        producer.join();
        if over {
            break;
        }
    }
}

/// A child that has claimed an item and goes on having it, as participant 1.
fn holding(ring: &Ring<u64>) -> Child {
    let shared = Shared::new();
    let child = forked(|| {
        let mut rx = ring.consumer().unwrap();
        assert_eq!(rx.number(), 1);
        std::mem::forget(rx.claim(1).unwrap());
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    child
}

/// Kills a newcomer after so many halts. `meanwhile` happens as soon as it has participant 1's number, or at the end. Whether
/// it ended by itself.
fn killed_in_between(ring: &Ring<u64>, halts: usize, meanwhile: impl FnOnce()) -> bool {
    let set = ring.status().unwrap().unwrap().set.unwrap();
    let mut newcomer = Stepped::new(|| drop(ring.producer().unwrap()));
    let mut meanwhile = Some(meanwhile);
    let mut over = false;
    for _ in 0..=halts {
        over = !newcomer.step();
        if over {
            break;
        }
        if ringpipe::sysv::semctl_getval(set, 9).unwrap() == 1
            && let Some(meanwhile) = meanwhile.take()
        {
            meanwhile();
        }
    }
    if let Some(meanwhile) = meanwhile {
        meanwhile();
    }
    over
}

fn dropping(place: &Place) -> Ring<u64> {
    let options = Options::new().capacity(1);
    let options = options.dead_consumer(DeadConsumer::Drop);
    options.create::<u64>(place.path()).unwrap()
}

/// A producer killed while it joins may have kept a consumer waiting. Also where the wake-up of that death comes to another,
/// who waits on through any loss, that consumer is told.
#[test]
fn a_death_while_joining_reaches_who_waits_for_the_end() {
    let (place, _watchdog) = watched("a death while joining");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    drop(ring.producer().unwrap());
    thread::scope(|scope| {
        let mut patient = sleeper(&ring, PeerLoss::Wait);
        scope.spawn(move || assert_eq!(patient.pop(), Ok(1)));
        for halts in 0.. {
            until(|| asleep(&ring, Role::Consumer) == 1);
            let newcomer = halted(halts, || drop(ring.producer().unwrap()));
            let over = newcomer.is_none();
            let mut rx = sleeper(&ring, PeerLoss::Disconnect);
            let told = scope.spawn(move || (rx.pop(), rx));
            until(|| asleep(&ring, Role::Consumer) == 2 || told.is_finished());
            drop(newcomer);
            assert_eq!(told.join().unwrap().0, Err(PopError::Disconnected));
            if over {
                break;
            }
        }
        ring.producer().unwrap().push(1).unwrap();
    });
}

/// A consumer that pops once and goes on living, asleep at first. Counts in `shared` once it has popped.
fn pops_once<'a>(
    scope: &'a thread::Scope<'a, '_>,
    ring: &Ring<u64>,
    mut rx: Consumer<u64>,
    shared: Shared,
) {
    let before = asleep(ring, Role::Consumer);
    scope.spawn(move || {
        rx.pop().unwrap();
        shared.add(0);
        shared.until(1, 1);
    });
    until(|| asleep(ring, Role::Consumer) == before + 1);
}

/// One wake-up comes for a run: who is woken wakes the next, if there is more.
#[test]
fn a_run_wakes_as_many_as_it_is_for() {
    let (place, _watchdog) = watched("a run for three");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let shared = Shared::new();
    let mut tx = ring.producer().unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            pops_once(scope, &ring, sleeper(&ring, PeerLoss::Wait), shared);
        }
        tx.push_slice(&[1, 2, 3]).unwrap();
        shared.until(0, 3);
        shared.set(1, 1);
    });
}

/// A wake-up goes to whoever sleeps longest, and the promise to the lowest number: that one must not be forgotten.
#[test]
fn whose_wake_up_another_has_taken_is_woken_by_the_next() {
    let (place, _watchdog) = watched("a robbed sleeper");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let shared = Shared::new();
    let (low, high) = (
        sleeper(&ring, PeerLoss::Wait),
        sleeper(&ring, PeerLoss::Wait),
    );
    let mut tx = ring.producer().unwrap();
    thread::scope(|scope| {
        pops_once(scope, &ring, high, shared);
        pops_once(scope, &ring, low, shared);
        for n in 1..=2 {
            tx.push(n).unwrap();
            shared.until(0, n);
        }
        shared.set(1, 1);
    });
}

#[test]
fn nobody_is_woken_for_the_dead() {
    let (place, _watchdog) = watched("dead sleepers");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut tx = ring.producer().unwrap();
    let child = forked(|| assert!(sleeper(&ring, PeerLoss::Wait).pop().is_ok()));
    until(|| asleep(&ring, Role::Consumer) == 1);
    child.kill();
    let mut other = ring.producer().unwrap(); // puts the remains away, and has the dead one's number
    tx.push(1).unwrap();
    other.push(2).unwrap();
    let set = ring.status().unwrap().unwrap().set.unwrap();
    let wake_ups = ringpipe::sysv::semctl_getval(set, 2).unwrap();
    assert_eq!(wake_ups, 1, "the death's own");
}
