//! What a ring promises across processes, with real ones and real SIGKILLs.
#![allow(missing_docs)]

mod common;

use std::time::Duration;

use common::{Removed, Shared, forked, until, wait_for_the_end, watched};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use ringpipe::spsc::{Peer, Producer, Ring};
use ringpipe::{Error, Fault, Garbage, PeerLoss, PopError, PushError, Strategy, TryPopError};

fn push_from(tx: &mut Producer<u64>, first: u64) {
    for n in first.. {
        tx.push(n).unwrap();
    }
}

#[test]
fn a_feed_between_processes_arrives_whole_and_ends_well() {
    let (place, _watchdog) = watched("a feed");
    let ring = Ring::<u64>::create(place.path(), 1000).unwrap();
    let path = place.path();
    let child = forked(move || {
        // Opens by name, as an unrelated program would.
        let mut tx = Ring::<u64>::open(&path).unwrap().producer().unwrap();
        tx.push_slice(&(0..300_000).collect::<Vec<_>>()).unwrap();
        (300_000..600_000).for_each(|n| tx.push(n).unwrap());
        drop(tx);
    });
    let mut rx = ring.consumer().unwrap();
    assert!((&mut rx).into_iter().eq(0..600_000));
    assert_eq!(rx.peer(), Ok(Peer::Finished));
    child.join();
}

#[test]
fn a_sleeping_consumer_wakes_when_its_producer_is_killed() {
    let (place, _watchdog) = watched("a sleeping consumer");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let shared = Shared::new();
    let theirs = ring.clone();
    let producer = forked(move || {
        let mut tx = theirs.producer().unwrap();
        tx.push(1).unwrap();
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    let theirs = ring.clone();
    let consumer = forked(move || {
        let mut rx = theirs.consumer().unwrap();
        rx.set_strategy(Strategy::Sleep);
        assert_eq!(rx.pop(), Ok(1));
        shared.set(1, 1);
        assert_eq!(rx.pop(), Err(PopError::Disconnected));
        assert_eq!(rx.peer(), Ok(Peer::Died));
    });
    shared.until(1, 1);
    let status = || ring.status().unwrap().unwrap();
    until(|| status().consumer.sleeping == 1);
    producer.kill();
    consumer.join();
    assert_eq!(status().producer.deaths, 1);
}

#[test]
fn a_sleeping_producer_wakes_when_its_consumer_is_killed() {
    let (place, _watchdog) = watched("a sleeping producer");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let shared = Shared::new();
    let theirs = ring.clone();
    let consumer = forked(move || {
        let _rx = theirs.consumer().unwrap();
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    let theirs = ring.clone();
    let producer = forked(move || {
        let mut tx = theirs.producer().unwrap();
        tx.set_strategy(Strategy::Sleep);
        tx.push_slice(&[1, 2, 3, 4]).unwrap();
        assert_eq!(tx.push(5), Err(PushError::Disconnected(5)));
        assert_eq!(tx.peer(), Ok(Peer::Died));
    });
    until(|| ring.status().unwrap().unwrap().producer.sleeping == 1);
    consumer.kill();
    producer.join();
    assert!(ring.consumer().unwrap().into_vec() == [1, 2, 3, 4]);
}

/// What is in the ring, for a consumer whose producer has gone.
trait IntoVec {
    fn into_vec(self) -> Vec<u64>;
}

impl IntoVec for ringpipe::spsc::Consumer<u64> {
    fn into_vec(mut self) -> Vec<u64> {
        (&mut self).into_iter().collect()
    }
}

#[test]
fn a_producer_killed_while_idle_leaves_all_it_pushed() {
    let (place, _watchdog) = watched("an idle producer");
    let ring = Ring::<u64>::create(place.path(), 8).unwrap();
    let shared = Shared::new();
    let theirs = ring.clone();
    let child = forked(move || {
        theirs
            .producer()
            .map(|mut tx| {
                tx.push_slice(&[1, 2, 3]).unwrap();
                shared.set(0, 1);
                wait_for_the_end();
            })
            .unwrap();
    });
    shared.until(0, 1);
    child.kill();
    let mut tx = ring.producer().expect("a dead one's role is free");
    tx.push(4).unwrap();
    drop(tx);
    assert_eq!(ring.consumer().unwrap().into_vec(), [1, 2, 3, 4]);
}

#[test]
fn a_producer_killed_in_the_middle_of_a_reserve_leaves_no_trace_of_it() {
    let (place, _watchdog) = watched("a reserve");
    let ring = Ring::<u64>::create(place.path(), 8).unwrap();
    let shared = Shared::new();
    let theirs = ring.clone();
    let child = forked(move || {
        let mut tx = theirs.producer().unwrap();
        tx.push(1).unwrap();
        let mut room = tx.reserve(6).unwrap();
        room.write(&[7; 6]);
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    child.kill();
    let mut tx = ring.producer().unwrap();
    tx.push_slice(&[2, 3]).unwrap();
    drop(tx);
    assert_eq!(ring.consumer().unwrap().into_vec(), [1, 2, 3]);
}

#[test]
fn a_consumer_killed_in_the_middle_of_a_peek_loses_nothing() {
    let (place, _watchdog) = watched("a peek");
    let ring = Ring::<u64>::create(place.path(), 8).unwrap();
    let shared = Shared::new();
    let mut tx = ring.producer().unwrap();
    tx.push_slice(&[1, 2, 3, 4]).unwrap();
    let theirs = ring.clone();
    let child = forked(move || {
        let mut rx = theirs.consumer().unwrap();
        assert_eq!(rx.pop(), Ok(1));
        let items = rx.peek(2).unwrap();
        assert_eq!(items.iter().sum::<u64>(), 5);
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    child.kill();
    let rx = ring.consumer().expect("a dead one's role is free");
    drop(tx);
    assert_eq!(rx.into_vec(), [2, 3, 4]);
}

/// Producers killed again and again while busy; the consumer goes on with each successor, and what arrives is what was
/// published: the numbers in order, without a gap.
#[test]
fn busy_producers_can_be_killed_one_after_the_other() {
    let (place, _watchdog) = watched("busy producers");
    let ring = Ring::<u64>::create(place.path(), 64).unwrap();
    let mut rx = ring.consumer().unwrap();
    rx.set_peer_loss(PeerLoss::Wait);
    let mut next = 0;
    let shared = Shared::new();
    for round in 0..100 {
        let theirs = ring.clone();
        let child = forked(move || {
            let mut tx = theirs.producer().expect("a dead one's role is free");
            shared.add(0);
            // Goes on where the last one stopped: the ring knows how many items were ever published.
            let published = theirs.status().unwrap().unwrap().produced;
            push_from(&mut tx, published);
        });
        for _ in 0..50 + round * 7 {
            assert_eq!(rx.pop(), Ok(next));
            next += 1;
        }
        shared.until(0, round + 1);
        child.kill();
    }
    drop(ring.producer().unwrap()); // a good end: what is left is drained
    rx.set_peer_loss(PeerLoss::Disconnect);
    while let Ok(n) = rx.pop() {
        assert_eq!(n, next);
        next += 1;
    }
    assert_eq!(ring.status().unwrap().unwrap().producer.deaths, 100);
}

/// Consumers killed again and again while busy: every item comes, none is skipped, and each successor begins with what
/// its predecessor had not released.
#[test]
fn busy_consumers_can_be_killed_one_after_the_other() {
    let (place, _watchdog) = watched("busy consumers");
    let ring = Ring::<u64>::create(place.path(), 64).unwrap();
    let shared = Shared::new();
    let theirs = ring.clone();
    let producer = forked(move || {
        let mut tx = theirs.producer().unwrap();
        tx.set_peer_loss(PeerLoss::Wait);
        push_from(&mut tx, 0);
    });
    for _round in 1..=100 {
        let theirs = ring.clone();
        // More than its predecessors did, so that it has noted its first.
        let goal = shared.get(0) + 500;
        let child = forked(move || {
            let mut rx = theirs.consumer().expect("a dead one's role is free");
            // What the predecessor took and did not come to note is not ours.
            let mut next = rx.pop().unwrap();
            assert!(
                next == shared.get(0) || next == shared.get(0) + 1,
                "{next} after {}",
                shared.get(0)
            );
            loop {
                next += 1;
                shared.set(0, next);
                assert_eq!(rx.pop(), Ok(next));
            }
        });
        until(|| shared.get(0) >= goal);
        child.kill();
    }
    producer.kill();
    let rest = ring.consumer().unwrap().into_vec();
    let first = rest.first().copied().unwrap_or(shared.get(0));
    assert!(first == shared.get(0) || first == shared.get(0) + 1);
    assert!(rest.iter().zip(first..).all(|(n, expected)| *n == expected));
}

#[test]
fn unread_items_outlive_every_process_until_the_ring_is_removed() {
    let (place, _watchdog) = watched("unread items");
    let path = place.path();
    let theirs = path.clone();
    forked(move || {
        let ring = Ring::<u64>::create(&theirs, 16).unwrap();
        ring.producer().unwrap().push_slice(&[1, 2, 3]).unwrap();
    })
    .join();
    let status = ringpipe::status(&path).unwrap();
    let garbage = ringpipe::collect(std::slice::from_ref(&path), true).unwrap();
    let ours = [
        Garbage::Nameless(status.id),
        Garbage::StaleName(path.clone()),
    ];
    assert!(
        !garbage.iter().any(|found| ours.contains(found)),
        "a collector leaves items alone"
    );
    assert_eq!(status.len, 3);
    // Whoever looks, and a child that another test forks meanwhile, is attached for a moment.
    until(|| ringpipe::status(&path).unwrap().attachments == 0);
    let mut rx = Ring::<u64>::open(&path).unwrap().consumer().unwrap();
    assert_eq!(rx.pop(), Ok(1));
    drop(rx);
    ringpipe::remove(&path).unwrap();
    assert!(matches!(
        Ring::<u64>::open(&path),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn a_stopped_process_is_alive() {
    let (place, _watchdog) = watched("a stopped process");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let shared = Shared::new();
    let theirs = ring.clone();
    let child = forked(move || {
        let mut tx = theirs.producer().unwrap();
        shared.set(0, 1);
        shared.until(1, 1);
        tx.push(1).unwrap();
    });
    shared.until(0, 1);
    child.signal(Signal::SIGSTOP);
    let mut rx = ring.consumer().unwrap();
    assert!(rx.pop_timeout(Duration::from_millis(100)).is_err());
    assert_eq!(rx.peer(), Ok(Peer::Alive { pid: child.pid() }));
    assert!(matches!(ring.producer(), Err(Error::RoleTaken { pid, .. }) if pid == child.pid()));
    shared.set(1, 1);
    child.signal(Signal::SIGCONT);
    assert_eq!(rx.pop(), Ok(1));
    child.join();
}

/// semop(2) returns EINTR after a stop and a continue, and after any handler: no wait may end by it unless asked to.
#[test]
fn a_sleep_goes_on_through_signals_unless_it_may_be_interrupted() {
    let (place, _watchdog) = watched("signals");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut tx = ring.producer().unwrap();
    let shared = Shared::new();
    let theirs = ring.clone();
    let child = forked(move || {
        extern "C" fn noted(_: i32) {}
        let action = SigAction::new(
            SigHandler::Handler(noted),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing.
        #[allow(unsafe_code)]
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        let mut rx = theirs.consumer().unwrap();
        rx.set_strategy(Strategy::Sleep);
        shared.set(0, 1);
        assert_eq!(rx.pop(), Ok(1));
        rx.set_interruptible(true);
        shared.set(0, 2);
        assert_eq!(rx.pop(), Err(PopError::Interrupted));
        assert_eq!(rx.pop(), Ok(2));
    });
    let asleep = || until(|| ring.status().unwrap().unwrap().consumer.sleeping == 1);
    shared.until(0, 1);
    asleep();
    child.signal(Signal::SIGUSR1);
    asleep();
    child.signal(Signal::SIGSTOP);
    child.signal(Signal::SIGCONT);
    asleep();
    tx.push(1).unwrap();
    shared.until(0, 2);
    asleep();
    child.signal(Signal::SIGUSR1);
    tx_after(&mut tx, 2, || {
        ring.status().unwrap().unwrap().consumer.holders == 1
    });
    child.join();
}

fn tx_after(tx: &mut Producer<u64>, item: u64, ready: impl FnMut() -> bool) {
    until(ready);
    std::thread::sleep(Duration::from_millis(20)); // so that the signal comes first; either order must end well
    tx.push(item).unwrap();
}

#[test]
fn a_handle_that_came_through_a_fork_is_refused_and_does_no_harm() {
    let (place, _watchdog) = watched("fork misuse");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut tx = ring.producer().unwrap();
    let mut rx = ring.consumer().unwrap();
    tx.push(1).unwrap();
    let shared = Shared::new();
    // Moved into the child's copy of the closure, used there and dropped there; ours stay as they are.
    let handles = std::cell::Cell::new(Some((&mut tx, &mut rx)));
    let theirs = ring.clone();
    let child = forked(|| {
        let (tx, rx) = handles.take().unwrap();
        assert_eq!(tx.push(9), Err(PushError::Fault(9, Fault::Forked)));
        assert!(tx.try_push(9).is_err() && tx.reserve(1).is_err() && tx.push_slice(&[9]).is_err());
        assert_eq!(rx.pop(), Err(PopError::Fault(Fault::Forked)));
        assert_eq!(rx.try_pop(), Err(TryPopError::Fault(Fault::Forked)));
        assert_eq!(rx.peer(), Err(Fault::Forked));
        // A ring may be inherited; its roles are the parent's while that one lives.
        assert!(matches!(theirs.producer(), Err(Error::RoleTaken { .. })));
        // SAFETY: a copy of each handle, dropped as a child that returns would drop what it inherited; neither is
        // used again in this process, which ends right after.
        #[allow(unsafe_code)]
        drop(unsafe { std::ptr::read(tx) });
        // SAFETY: as above.
        #[allow(unsafe_code)]
        drop(unsafe { std::ptr::read(rx) });
        shared.set(0, 1);
        // Its own end would undo what its drops did to the semaphores: we look before.
        shared.until(1, 1);
    });
    shared.until(0, 1);
    assert!(
        matches!(tx.peer(), Ok(Peer::Alive { .. })),
        "the child's drop has ended nothing"
    );
    assert!(
        matches!(rx.peer(), Ok(Peer::Alive { .. })),
        "the child's drop has ended nothing"
    );
    shared.set(1, 1);
    child.join();
    assert_eq!(rx.pop(), Ok(1), "nothing was pushed or taken by the child");
    assert!(
        matches!(rx.peer(), Ok(Peer::Alive { .. })),
        "the child's drop has ended nothing"
    );
    tx.push(2).unwrap();
    assert_eq!(rx.pop(), Ok(2));
    assert!(rx.is_empty());
}

#[test]
fn slots_that_came_through_a_fork_are_the_parents() {
    let (place, _watchdog) = watched("slots through a fork");
    let ring = Ring::<u64>::create(place.path(), 8).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push_slice(&[1, 2]).unwrap();
    let items = std::cell::Cell::new(Some(rx.peek(1).unwrap()));
    let room = std::cell::Cell::new(Some(tx.reserve(2).unwrap()));
    forked(|| {
        std::panic::set_hook(Box::new(|_| ())); // two panics are as they should be
        let refused =
            |work: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err();
        assert!(refused(&|| items.take().unwrap().release(1)));
        assert!(refused(&|| room.take().unwrap().commit(1)));
    })
    .join();
    items.take().unwrap().release_all();
    let mut room = room.take().unwrap();
    room.write(&[3, 4]);
    room.commit(2);
    assert_eq!([rx.pop(), rx.pop(), rx.pop()], [Ok(2), Ok(3), Ok(4)]);
}

/// Each end of a producer adds a wake-up; they may not be there for ever, each to cost a system call later.
#[test]
fn wake_ups_of_no_use_do_not_pile_up() {
    let (place, _watchdog) = watched("stray wake-ups");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut rx = ring.consumer().unwrap();
    rx.set_peer_loss(PeerLoss::Wait);
    rx.set_strategy(Strategy::Sleep);
    for _ in 0..3000 {
        drop(ring.producer().unwrap());
    }
    let set = ring.status().unwrap().unwrap().set.unwrap();
    let wake_ups = || ringpipe::sysv::semctl_getval(set, 2).unwrap();
    assert!(wake_ups() >= 3000);
    let mut tx = ring.producer().unwrap();
    let theirs = std::thread::spawn(move || (rx.pop(), rx));
    until(|| ring.status().unwrap().unwrap().consumer.sleeping == 1);
    assert_eq!(wake_ups(), 0);
    tx.push(1).unwrap();
    let (item, mut rx) = theirs.join().unwrap();
    assert_eq!((item, wake_ups()), (Ok(1), 0));
    for n in 0..100_000 {
        tx.push(n).unwrap();
        assert_eq!(rx.pop(), Ok(n));
    }
    assert_eq!(wake_ups(), 0, "nobody slept, so nobody was woken");
}

#[test]
fn a_child_takes_a_role_of_its_own_from_an_inherited_ring() {
    let (_place, _watchdog) = watched("an inherited ring");
    let ring = Ring::<u64>::private(4).unwrap();
    let _removed = Removed(ring.id().unwrap());
    // The parent has had a role before: the child must not be taken for it.
    drop(ring.producer().unwrap());
    let theirs = ring.clone();
    let child = forked(move || {
        let mut tx = theirs.producer().unwrap();
        tx.push_slice(&[1, 2, 3, 4, 5, 6]).unwrap();
        drop(tx);
        drop(theirs);
    });
    let rx = ring.consumer().unwrap();
    assert_eq!(rx.into_vec_waiting(6), [1, 2, 3, 4, 5, 6]);
    child.join();
}

/// Takes `n` items, through the gap between producers.
trait IntoVecWaiting {
    fn into_vec_waiting(self, n: usize) -> Vec<u64>;
}

impl IntoVecWaiting for ringpipe::spsc::Consumer<u64> {
    fn into_vec_waiting(mut self, n: usize) -> Vec<u64> {
        self.set_peer_loss(PeerLoss::Wait);
        (&mut self).into_iter().take(n).collect()
    }
}

#[test]
fn more_ends_than_a_semaphore_counts_leave_the_ring_usable() {
    let (place, _watchdog) = watched("many ends");
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let mut rx = ring.consumer().unwrap();
    rx.set_peer_loss(PeerLoss::Wait);
    // More than a semaphore can count: each end adds a wake-up that nobody takes.
    for n in 0..40_000 {
        ring.producer().unwrap().push(n).unwrap();
        assert_eq!(rx.pop(), Ok(n));
    }
    drop(rx);
    let mut rx = ring.consumer().unwrap();
    rx.set_strategy(Strategy::Sleep);
    let mut tx = ring.producer().unwrap();
    let theirs = std::thread::spawn(move || rx.pop());
    until(|| ring.status().unwrap().unwrap().consumer.sleeping == 1);
    tx.push(7).unwrap();
    assert_eq!(theirs.join().unwrap(), Ok(7));
}
