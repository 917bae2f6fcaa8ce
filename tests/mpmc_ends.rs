//! Who takes part in a shared ring, and how a feed ends, on both backings; and what becomes of handles in a forked child.
#![allow(missing_docs)]

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use common::raw::Raw;
use common::{Place, Shared, asleep, forked, until, watched};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use ringpipe::mpmc::{Consumer, Options, Ring};
use ringpipe::{
    DeadConsumer, Error, Fault, Item, PeerLoss, PopError, PopTimeoutError, PushError,
    PushSliceError, PushTimeoutError, Role, Strategy, TryPopError, TryPushError, spsc,
};

const SOON: Duration = Duration::from_millis(2);
/// An offset of the identity.
const PARTICIPANTS: usize = 104;

fn on_both<T: Item>(capacity: usize, body: impl Fn(Ring<T>)) {
    with(&Options::new().capacity(capacity), body);
}

fn with<T: Item>(options: &Options, body: impl Fn(Ring<T>)) {
    common::on_both(|path| options.create(path), || options.in_process(), body);
}

#[test]
fn as_many_take_part_as_was_chosen() {
    for limit in [1, 2, 31, 32, 511] {
        with::<u8>(&Options::new().participants(limit), |ring| {
            assert_eq!(ring.participant_limit(), limit);
            let mut all: Vec<_> = (0..limit).map(|_| ring.consumer().unwrap()).collect();
            let mut numbers: Vec<usize> = all.iter().map(Consumer::number).collect();
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(1..=limit));
            for _ in 0..2 {
                let refused = ring.producer().unwrap_err();
                assert!(matches!(refused, Error::Crowded { limit: told } if told == limit));
                let number = all.swap_remove(limit / 2).number();
                let rx = ring.consumer().unwrap();
                assert_eq!(rx.number(), number);
                all.push(rx);
            }
            all.pop().unwrap().abandon();
            let mut tx = ring.producer().unwrap();
            tx.push(1).unwrap();
            assert_eq!(
                all.pop().map(|mut rx| rx.pop()),
                (limit > 1).then_some(Ok(1))
            );
        });
    }
}

#[test]
fn limits_that_cannot_be_are_refused() {
    let place = Place::new();
    for limit in [0, 512, usize::MAX] {
        let options = Options::new().participants(limit);
        for refused in [
            options.create::<u8>(place.path()),
            options.open_or_create(place.path()),
            options.in_process(),
        ] {
            assert!(
                matches!(refused.unwrap_err(), Error::BadLimit { limit: told } if told == limit)
            );
        }
    }
    for ring in [Ring::<u64>::in_process(0), Ring::create(place.path(), 0)] {
        assert!(matches!(ring.unwrap_err(), Error::BadCapacity { .. }));
    }
    assert!(!place.path().exists());
}

#[test]
fn a_ring_of_another_kind_or_of_other_items_is_refused() {
    let place = Place::new();
    let wrong = |error| matches!(error, Error::WrongType { .. });
    Ring::<u64>::create(place.path(), 4).unwrap();
    assert!(wrong(spsc::Ring::<u64>::open(place.path()).unwrap_err()));
    assert!(wrong(Ring::<u32>::open(place.path()).unwrap_err()));
    let options = Options::new().type_name("another");
    assert!(wrong(options.open::<u64>(place.path()).unwrap_err()));
    assert_eq!(Ring::<u64>::open(place.path()).unwrap().capacity(), 4);
    let place = Place::new();
    spsc::Ring::<u64>::create(place.path(), 4).unwrap();
    assert!(wrong(Ring::<u64>::open(place.path()).unwrap_err()));
    assert!(wrong(
        Ring::<u64>::open_or_create(place.path(), 4).unwrap_err()
    ));
}

#[test]
fn an_opener_has_what_the_creator_chose() {
    let place = Place::new();
    let options = Options::new().participants(7).capacity(5);
    let options = options.dead_consumer(DeadConsumer::Drop);
    options.create::<u64>(place.path()).unwrap();
    let ring = Ring::<u64>::open(place.path()).unwrap();
    let chosen = (
        ring.participant_limit(),
        ring.capacity(),
        ring.dead_consumer(),
    );
    assert_eq!(chosen, (7, 5, DeadConsumer::Drop));
}

#[test]
fn a_corrupt_limit_is_refused() {
    let place = Place::new();
    let ring = Ring::<u64>::create(place.path(), 4).unwrap();
    let raw = Raw::attach(ring.status().unwrap().unwrap().id);
    assert_eq!(raw.number(PARTICIPANTS, 4), 64);
    for limit in [0, 1, 63, 65, 511, 512, u32::MAX] {
        raw.set(PARTICIPANTS, 4, limit.into());
        let refused = Ring::<u64>::open(place.path());
        assert!(
            matches!(refused, Err(Error::Corrupt { .. })),
            "{limit}: {refused:?}"
        );
    }
    raw.set(PARTICIPANTS, 4, 64);
    Ring::<u64>::open(place.path()).unwrap();
}

#[test]
fn the_end_of_a_feed_comes_after_its_last_item_and_is_no_latch() {
    on_both::<u8>(4, |ring| {
        let (mut rx, mut other) = (ring.consumer().unwrap(), ring.consumer().unwrap());
        assert_eq!(
            (rx.peers().unwrap().ever, rx.is_disconnected()),
            (0, Ok(false))
        );
        let first = rx.pop_timeout(Duration::from_millis(20));
        assert_eq!(
            first,
            Err(PopTimeoutError::Timeout),
            "the first is waited for"
        );
        let (mut tx, last) = (ring.producer().unwrap(), ring.producer().unwrap());
        assert_eq!(
            (rx.peers().unwrap().alive, rx.peers().unwrap().ever),
            (2, 2)
        );
        tx.push_slice(&[1, 2]).unwrap();
        tx.finish().unwrap();
        assert_eq!((rx.pop(), rx.is_disconnected()), (Ok(1), Ok(false)));
        drop(last);
        assert_eq!(rx.is_disconnected(), Ok(true));
        assert_eq!(other.pop(), Ok(2));
        for rx in [&mut rx, &mut other] {
            assert_eq!(rx.pop(), Err(PopError::Disconnected));
            until(|| rx.try_pop() == Err(TryPopError::Disconnected));
            until(|| rx.try_pop_slice(&mut [0]) == Err(TryPopError::Disconnected));
            let timed = rx.pop_timeout(Duration::from_secs(99));
            assert_eq!(timed, Err(PopTimeoutError::Disconnected));
            assert!(matches!(rx.claim(1), Err(PopError::Disconnected)));
        }
        let mut tx = ring.producer().unwrap();
        assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
        tx.push(3).unwrap();
        assert_eq!(other.pop(), Ok(3));
        tx.abandon();
        assert_eq!(rx.pop(), Err(PopError::Disconnected));
        let peers = rx.peers().unwrap();
        assert_eq!((peers.alive, peers.ever, peers.deaths), (0, 3, 1));
    });
}

#[test]
fn a_producer_learns_that_the_last_consumer_left() {
    on_both::<u8>(2, |ring| {
        let mut tx = ring.producer().unwrap();
        tx.push(1).unwrap();
        let rx = ring.consumer().unwrap();
        drop(ring.consumer().unwrap());
        assert_eq!(tx.is_disconnected(), Ok(false));
        tx.push(2).unwrap();
        rx.finish().unwrap();
        assert_eq!(tx.push(2), Err(PushError::Disconnected(2)));
        assert_eq!(tx.try_push(2), Err(TryPushError::Disconnected(2)));
        let timed = tx.push_timeout(2, Duration::from_secs(99));
        assert_eq!(timed, Err(PushTimeoutError::Disconnected(2)));
        let cause = PushError::Disconnected(());
        let nothing = PushSliceError { pushed: 0, cause };
        assert_eq!(tx.push_slice(&[2, 3]), Err(nothing));
        assert_eq!(tx.try_push_slice(&[2]), Err(TryPushError::Disconnected(())));
        assert!(matches!(tx.reserve(1), Err(PushError::Disconnected(()))));
        assert!(matches!(
            tx.try_reserve(1),
            Err(TryPushError::Disconnected(()))
        ));
        tx.set_peer_loss(PeerLoss::Wait);
        assert_eq!(tx.push_timeout(3, SOON), Err(PushTimeoutError::Timeout(3)));
        tx.set_peer_loss(PeerLoss::Disconnect);
        let mut rx = ring.consumer().unwrap();
        assert_eq!((rx.pop(), rx.pop()), (Ok(1), Ok(2)));
        tx.push(3).unwrap();
    });
}

/// A killed consumer's end is noticed when the ring is full, at the latest.
#[test]
fn a_producer_learns_that_the_last_consumer_died() {
    on_both::<u8>(2, |ring| {
        let mut tx = ring.producer().unwrap();
        ring.consumer().unwrap().abandon();
        assert_eq!((tx.push(1), tx.push(2)), (Ok(()), Ok(())));
        assert_eq!(tx.push(3), Err(PushError::Disconnected(3)));
        until(|| tx.try_push(3) == Err(TryPushError::Disconnected(3)));
        let peers = tx.peers().unwrap();
        assert_eq!((peers.alive, peers.ever, peers.deaths), (0, 1, 1));
    });
}

#[test]
fn a_panic_is_no_good_end() {
    on_both::<u8>(4, |ring| {
        ring.producer().unwrap().push(1).unwrap();
        let crashed = catch_unwind(AssertUnwindSafe(|| {
            let mut rx = ring.consumer().unwrap();
            std::mem::forget(rx.claim(1).unwrap());
            panic!("as intended");
        }));
        assert!(crashed.is_err());
        let mut rx = ring.consumer().unwrap();
        assert_eq!((rx.pop(), rx.redelivered()), (Ok(1), true));
        assert_eq!(ring.producer().unwrap().peers().unwrap().deaths, 1);
    });
}

#[test]
fn items_of_an_abandoned_consumer_go_where_the_creator_chose() {
    for (policy, expected) in [
        (
            DeadConsumer::Redeliver,
            &[(1, true), (2, true), (3, false)][..],
        ),
        (DeadConsumer::Drop, &[(3, false)]),
    ] {
        with::<u8>(&Options::new().capacity(3).dead_consumer(policy), |ring| {
            let mut tx = ring.producer().unwrap();
            tx.push_slice(&[1, 2, 3]).unwrap();
            let mut dying = ring.consumer().unwrap();
            std::mem::forget(dying.claim(2).unwrap());
            dying.abandon();
            let mut rx = ring.consumer().unwrap();
            let got = std::iter::from_fn(|| Some((rx.try_pop().ok()?, rx.redelivered())));
            assert_eq!(got.collect::<Vec<_>>(), expected);
            assert_eq!(tx.try_push_slice(&[0; 9]), Ok(3));
        });
    }
}

#[test]
fn whoever_waits_through_a_loss_meets_the_successor() {
    on_both::<u8>(1, |ring| {
        let mut rxs = [(); 2].map(|()| ring.consumer().unwrap());
        rxs.iter_mut()
            .for_each(|rx| rx.set_peer_loss(PeerLoss::Wait));
        drop(ring.producer().unwrap());
        assert_eq!(rxs[0].try_pop(), Err(TryPopError::Empty));
        thread::scope(|scope| {
            let waiting = rxs.map(|mut rx| scope.spawn(move || rx.pop().unwrap()));
            for n in [1, 2] {
                ring.producer().unwrap().push(n).unwrap();
            }
            let got = waiting.map(|waiting| waiting.join().unwrap());
            assert_eq!(got.iter().sum::<u8>(), 3);
        });
    });
}

/// What another has in hand may come again, so the feed has not ended: neither for who sleeps, nor for who asks.
#[test]
fn the_end_waits_for_what_may_be_put_back() {
    on_both::<u8>(4, |ring| {
        let (mut holder, mut rx) = (ring.consumer().unwrap(), ring.consumer().unwrap());
        ring.producer().unwrap().push_slice(&[1, 2]).unwrap();
        let claim = holder.claim(2).unwrap();
        assert_eq!(rx.pop_timeout(SOON), Err(PopTimeoutError::Timeout));
        for _ in 0..20 {
            assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
            thread::sleep(Duration::from_millis(1));
        }
        thread::scope(|scope| {
            let waiting = scope.spawn(|| (rx.pop(), rx.redelivered(), rx.pop()));
            thread::sleep(Duration::from_millis(20));
            claim.release(1);
            let told = waiting.join().unwrap();
            assert_eq!(told, (Ok(2), true, Err(PopError::Disconnected)));
        });
    });
}

#[test]
fn a_spinning_wait_ends_in_time_and_with_the_peers() {
    on_both::<u64>(1, |ring| {
        let mut rx = ring.consumer().unwrap();
        rx.set_strategy(Strategy::Spin);
        assert_eq!(rx.pop_timeout(SOON), Err(PopTimeoutError::Timeout));
        let mut tx = ring.producer().unwrap();
        tx.set_strategy(Strategy::Spin);
        tx.push(1).unwrap();
        assert_eq!(tx.push_timeout(2, SOON), Err(PushTimeoutError::Timeout(2)));
        drop(tx);
        assert_eq!((rx.pop(), rx.pop()), (Ok(1), Err(PopError::Disconnected)));
    });
}

#[test]
fn a_signal_ends_a_wait_that_may_be_interrupted() {
    let (place, _watchdog) = watched("an interrupted wait");
    let ring = Ring::<u64>::create(place.path(), 1).unwrap();
    let child = forked(|| {
        extern "C" fn noted(_: i32) {}
        let (handler, none) = (SigHandler::Handler(noted), SigSet::empty());
        let action = SigAction::new(handler, SaFlags::empty(), none);
        // SAFETY: the handler does nothing.
        #[allow(unsafe_code)]
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        let mut rx = ring.consumer().unwrap();
        rx.set_strategy(Strategy::Sleep);
        assert_eq!(rx.pop(), Ok(1));
        rx.set_interruptible(true);
        assert_eq!(rx.pop(), Err(PopError::Interrupted));
        let mut tx = ring.producer().unwrap();
        tx.set_strategy(Strategy::Sleep);
        tx.set_interruptible(true);
        tx.push(2).unwrap();
        assert_eq!(tx.push(3), Err(PushError::Interrupted(3)));
    });
    let mut tx = ring.producer().unwrap();
    let asleep = |role| until(|| asleep(&ring, role) == 1);
    asleep(Role::Consumer);
    child.signal(Signal::SIGUSR1);
    asleep(Role::Consumer);
    tx.push(1).unwrap();
    asleep_after_pop(&ring);
    child.signal(Signal::SIGUSR1);
    asleep(Role::Producer);
    child.signal(Signal::SIGUSR1);
    child.join();
}

/// Until the item was taken and the one who took it sleeps again.
fn asleep_after_pop(ring: &Ring<u64>) {
    until(|| ring.is_empty());
    until(|| asleep(ring, Role::Consumer) == 1);
}

#[test]
fn a_handle_that_came_through_a_fork_is_refused_and_does_no_harm() {
    let (place, _watchdog) = watched("fork misuse");
    let ring = Ring::<u64>::create(place.path(), 8).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push_slice(&[1, 2]).unwrap();
    let handles = Cell::new(Some((&mut tx, &mut rx)));
    let shared = Shared::new();
    let child = forked(|| {
        let (tx, rx) = handles.take().unwrap();
        assert_eq!(tx.push(9), Err(PushError::Fault(9, Fault::Forked)));
        assert_eq!(tx.try_push(9), Err(TryPushError::Fault(9, Fault::Forked)));
        assert!(tx.reserve(1).is_err() && tx.push_slice(&[9]).is_err());
        assert_eq!(rx.pop(), Err(PopError::Fault(Fault::Forked)));
        assert_eq!(rx.try_pop(), Err(TryPopError::Fault(Fault::Forked)));
        assert!(rx.claim(1).is_err() && rx.peers() == Err(Fault::Forked));
        // SAFETY: a copy of each handle, ended as a child that returns would end what it inherited; neither is used again
        // in this process, which ends right after.
        #[allow(unsafe_code)]
        let refused = unsafe { std::ptr::read(tx) }.finish();
        assert_eq!(refused, Err(Fault::Forked));
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe { std::ptr::read(rx) }.abandon();
        // A ring may be inherited, and so may its parts be taken.
        let mut own = ring.consumer().unwrap();
        assert_eq!((own.number(), own.pop()), (3, Ok(1)));
        shared.set(0, 1);
        shared.until(1, 1);
    });
    shared.until(0, 1);
    assert_eq!(
        (tx.peers().unwrap().alive, rx.peers().unwrap().alive),
        (2, 1)
    );
    shared.set(1, 1);
    child.join();
    assert_eq!((rx.pop(), tx.push(3), rx.pop()), (Ok(2), Ok(()), Ok(3)));
}

#[test]
fn guards_that_came_through_a_fork_are_the_parents() {
    let (place, _watchdog) = watched("guards through a fork");
    let ring = Ring::<u64>::create(place.path(), 8).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push_slice(&[1, 2]).unwrap();
    let claim = Cell::new(Some(rx.claim(1).unwrap()));
    let room = Cell::new(Some(tx.reserve(2).unwrap()));
    forked(|| {
        std::panic::set_hook(Box::new(|_| ())); // the panics are as they should be
        let refused = |work: &dyn Fn()| catch_unwind(AssertUnwindSafe(work)).is_err();
        let (claim, room) = (claim.take().unwrap(), room.take().unwrap());
        assert!(refused(&|| drop(claim.iter())));
        let (claim, room) = (Cell::new(Some(claim)), Cell::new(Some(room)));
        assert!(refused(&|| claim.take().unwrap().put_back()));
        assert!(refused(&|| room.take().unwrap().commit(1)));
    })
    .join();
    let mut room = room.into_inner().unwrap();
    assert_eq!(room.write(&[3, 4]), 2);
    room.commit(2);
    claim.into_inner().unwrap().release_all();
    assert_eq!([rx.pop(), rx.pop(), rx.pop()], [Ok(2), Ok(3), Ok(4)]);
    assert!(!rx.redelivered());
}
