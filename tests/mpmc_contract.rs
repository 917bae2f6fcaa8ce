//! What a shared ring promises to one process, on both backings: order, bounds, errors that give items back, claims and rooms,
//! participants, ends.
#![allow(missing_docs)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use ringpipe::mpmc::{Consumer, OnDrop, Options, Ring};
use ringpipe::{Item, PopTimeoutError, PushTimeoutError, Strategy, TryPopError, TryPushError};

const SOON: Duration = Duration::from_millis(2);

fn on_both<T: Item>(capacity: usize, body: impl Fn(Ring<T>)) {
    with(&Options::new().capacity(capacity), body);
}

fn with<T: Item>(options: &Options, body: impl Fn(Ring<T>)) {
    common::on_both(|path| options.create(path), || options.in_process(), body);
}

/// What there is, with each one's `redelivered`.
fn rest(rx: &mut Consumer<u32>) -> Vec<(u32, bool)> {
    std::iter::from_fn(|| Some((rx.try_pop().ok()?, rx.redelivered()))).collect()
}

fn all_new(items: impl IntoIterator<Item = u32>) -> Vec<(u32, bool)> {
    items.into_iter().map(|n| (n, false)).collect()
}

#[test]
fn items_come_out_in_order_around_the_end() {
    for capacity in [1, 2, 3, 7, 64] {
        on_both::<u64>(capacity, |ring| {
            let (mut txs, mut rxs) = (
                [(); 2].map(|()| ring.producer().unwrap()),
                [(); 2].map(|()| ring.consumer().unwrap()),
            );
            let mut next = 0;
            for n in 0..capacity as u64 * 6 {
                txs[n as usize % 2].push(n).unwrap();
                if n % 3 != 0 || ring.len() == capacity {
                    assert_eq!(rxs[n as usize / 3 % 2].pop().unwrap(), next);
                    next += 1;
                }
            }
        });
    }
}

#[test]
fn a_full_ring_gives_the_item_back() {
    for capacity in [1, 3] {
        on_both::<u32>(capacity, |ring| {
            let (mut tx, rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            assert_eq!(tx.try_push_slice(&[1; 9]), Ok(capacity));
            assert!(tx.is_full() && rx.is_full());
            assert_eq!(tx.try_push(3), Err(TryPushError::Full(3)));
            assert_eq!(tx.try_push_slice(&[3, 4]), Ok(0));
            assert_eq!(tx.push_timeout(3, SOON), Err(PushTimeoutError::Timeout(3)));
            assert!(matches!(tx.try_reserve(1), Err(TryPushError::Full(()))));
            assert!(matches!(
                tx.reserve_timeout(1, SOON),
                Err(PushTimeoutError::Timeout(()))
            ));
        });
    }
}

#[test]
fn an_empty_ring_says_so() {
    on_both::<u32>(2, |ring| {
        let (_tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        assert!(rx.is_empty());
        assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
        assert_eq!(rx.try_pop_slice(&mut [0; 4]), Ok(0));
        assert_eq!(rx.pop_timeout(SOON), Err(PopTimeoutError::Timeout));
        assert!(matches!(rx.try_claim(1), Err(TryPopError::Empty)));
        assert!(matches!(
            rx.claim_timeout(1, SOON),
            Err(PopTimeoutError::Timeout)
        ));
        assert_eq!(rx.pop_slice(&mut []), Ok(0));
        assert_eq!(rx.try_pop_slice(&mut []), Ok(0));
    });
}

#[test]
fn slices_take_what_fits() {
    on_both::<u16>(5, |ring| {
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let mut buffer = [0; 8];
        assert_eq!(tx.try_push_slice(&[1, 2, 3]), Ok(3));
        assert_eq!(rx.try_pop_slice(&mut buffer[..2]), Ok(2));
        assert_eq!(tx.try_push_slice(&[4, 5, 6, 7, 8, 9]), Ok(4));
        assert_eq!(tx.len(), 5);
        assert_eq!(rx.pop_slice(&mut buffer), Ok(5));
        assert_eq!(buffer[..5], [3, 4, 5, 6, 7]);
        assert_eq!(tx.try_push_slice(&[]), Ok(0));
        assert_eq!(tx.push_slice(&[]), Ok(()));
    });
}

/// Longer than the ring, and longer than a run can be.
#[test]
fn a_slice_that_is_longer_than_a_run_arrives_in_pieces() {
    for (capacity, limit, n) in [(3, 3, 1000), (1, 1, 100), (5000, 4095, 20_000)] {
        on_both::<u32>(capacity, |ring| {
            let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            assert_eq!((tx.run_limit(), rx.run_limit()), (limit, limit));
            let items: Vec<u32> = (0..n).collect();
            thread::scope(|scope| {
                scope.spawn(|| {
                    tx.push_slice(&items).unwrap();
                    drop(tx);
                });
                assert_eq!((&mut rx).into_iter().collect::<Vec<_>>(), items);
            });
        });
    }
}

#[test]
fn no_run_is_longer_than_its_limit() {
    on_both::<u32>(5000, |ring| {
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let items: Vec<u32> = (0..5000).collect();
        assert_eq!(tx.try_push_slice(&items), Ok(4095));
        assert_eq!(tx.try_push_slice(&items[4095..]), Ok(905));
        let claim = rx.claim(usize::MAX).unwrap();
        assert_eq!(claim.len(), 4095);
        claim.release(4000);
        let mut into = vec![0; 6000];
        assert_eq!(rx.pop_slice(&mut into), Ok(95), "a run, all of one kind");
        assert_eq!((into[0], into[94], rx.redelivered()), (4000, 4094, true));
        assert_eq!(rx.try_pop_slice(&mut into), Ok(905));
        assert_eq!((into[904], rx.redelivered()), (4999, false));
        assert_eq!(tx.reserve(usize::MAX).unwrap().len(), 4095);
    });
}

#[test]
fn room_is_filled_in_place_and_given_back() {
    on_both::<u32>(4, |ring| {
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push_slice(&[0, 0, 0]).unwrap();
        rx.claim(3).unwrap().release_all();
        let mut room = tx.reserve(4).unwrap();
        assert_eq!((room.len(), room.write(&[1])), (4, 1));
        assert_eq!(room.write(&[2, 3, 4, 5]), 3);
        let (first, second) = room.as_mut_slices();
        assert_eq!((&*first, &*second), (&[1][..], &[2, 3, 4][..]));
        drop(room);
        assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
        let mut room = tx.reserve(0).unwrap();
        assert_eq!(room.write(&[7, 8]), 1, "0 is taken for 1");
        room.commit(1);
        let mut room = tx.try_reserve(99).unwrap();
        assert_eq!(room.len(), 3, "what there is");
        room.write(&[8, 9]);
        room.commit_written();
        assert_eq!(rest(&mut rx), all_new([7, 8, 9]));
        tx.reserve(4).unwrap().commit(0);
        assert_eq!(rest(&mut rx), []);
    });
}

#[test]
fn room_is_waited_for_whole_and_not_for_ever() {
    on_both::<u32>(4, |ring| {
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        assert_eq!(tx.reserve_timeout(9, SOON).unwrap().len(), 4);
        tx.push_slice(&[1, 2, 3]).unwrap();
        assert!(matches!(
            tx.reserve_timeout(2, SOON),
            Err(PushTimeoutError::Timeout(()))
        ));
        let mut room = tx.reserve_timeout(1, SOON).unwrap();
        assert_eq!(room.write(&[4, 5]), 1);
        room.commit_written();
        assert_eq!(rest(&mut rx), all_new(1..5));
    });
}

/// A room that is not committed stops consumers, and nobody else; one that was forgotten is given back by what comes next.
#[test]
fn a_forgotten_room_is_given_back() {
    on_both::<u32>(4, |ring| {
        let mut txs = [(); 2].map(|()| ring.producer().unwrap());
        let mut rx = ring.consumer().unwrap();
        std::mem::forget(txs[0].reserve(2).unwrap());
        txs[1].push(1).unwrap();
        assert_eq!(
            rx.try_pop(),
            Err(TryPopError::Empty),
            "the room comes first"
        );
        txs[0].push(2).unwrap();
        assert_eq!(rest(&mut rx), all_new([1, 2]));
        let [first, mut second] = txs;
        let mut first = first;
        std::mem::forget(first.reserve(3).unwrap());
        drop(first);
        second.push(3).unwrap();
        assert_eq!(rest(&mut rx), all_new([3]));
    });
}

#[test]
fn items_stay_until_released() {
    on_both::<u32>(4, |ring| {
        let (mut tx, mut one) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let mut other = ring.consumer().unwrap();
        tx.push_slice(&[1, 2, 3, 4]).unwrap();
        let claim = one.claim(3).unwrap();
        assert_eq!((claim.len(), claim.redelivered()), (3, false));
        assert!((&claim).into_iter().eq(&[1, 2, 3]));
        assert_eq!(rest(&mut other), all_new([4]));
        assert_eq!(tx.try_push(5), Err(TryPushError::Full(5)), "slots in hand");
        claim.release(1);
        assert_eq!(tx.try_push_slice(&[5, 6]), Ok(1));
        assert_eq!(rest(&mut other), [(2, true), (3, true), (5, false)]);
        assert_eq!(tx.try_push_slice(&[7; 9]), Ok(4));
        one.claim_timeout(9, SOON).unwrap().release_all();
        assert_eq!(rest(&mut other), []);
    });
}

#[test]
fn what_is_put_back_comes_again_and_says_so() {
    on_both::<u32>(5, |ring| {
        let (mut tx, mut one) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let mut other = ring.consumer().unwrap();
        tx.push_slice(&[1, 2, 3, 4, 5]).unwrap();
        one.claim(2).unwrap().put_back();
        assert_eq!((one.pop(), one.redelivered()), (Ok(1), true));
        drop(other.claim(9).unwrap());
        let claim = one.try_claim(1).unwrap();
        assert!(claim.redelivered() && claim.iter().eq(&[2]));
        std::mem::forget(claim);
        assert_eq!((other.pop(), other.redelivered()), (Ok(3), false));
        assert_eq!((one.pop(), one.redelivered()), (Ok(2), true));
        std::mem::forget(one.claim(1).unwrap());
        drop(one);
        let mut into = [0; 4];
        assert_eq!(
            other.pop_slice(&mut into),
            Ok(1),
            "all new or all of that kind"
        );
        assert_eq!((into[0], other.redelivered()), (4, true));
        assert_eq!(rest(&mut other), all_new([5]));
        assert_eq!(tx.try_push_slice(&[0; 9]), Ok(5));
    });
}

#[test]
fn what_becomes_of_a_dropped_claim_can_be_chosen() {
    on_both::<u32>(4, |ring| {
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push_slice(&[1, 2, 3]).unwrap();
        for (on_drop, panics) in [
            (OnDrop::Release, false),
            (OnDrop::Release, true),
            (OnDrop::PutBack, true),
        ] {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let mut claim = rx.claim(1).unwrap();
                claim.set_on_drop(on_drop);
                assert!(!panics, "as intended");
            }));
            assert_eq!(outcome.is_err(), panics);
        }
        assert_eq!(rest(&mut rx), [(3, true)]);
    });
}

#[test]
#[should_panic(expected = "cannot commit 3 items in room for 2")]
fn more_than_the_room_cannot_be_committed() {
    let ring = Ring::<u8>::in_process(4).unwrap();
    ring.producer().unwrap().reserve(2).unwrap().commit(3);
}

#[test]
#[should_panic(expected = "cannot release 2 items of 1")]
fn more_than_there_is_cannot_be_released() {
    let ring = Ring::<u8>::in_process(4).unwrap();
    ring.producer().unwrap().push(1).unwrap();
    ring.consumer().unwrap().claim(4).unwrap().release(2);
}

#[test]
fn every_strategy_moves_items_both_ways() {
    for strategy in [Strategy::Spin, Strategy::SpinThenSleep, Strategy::Sleep] {
        on_both::<u64>(3, |ring| {
            let (mut txs, mut rxs) = (
                [(); 2].map(|()| ring.producer().unwrap()),
                [(); 2].map(|()| ring.consumer().unwrap()),
            );
            txs.iter_mut().for_each(|tx| tx.set_strategy(strategy));
            rxs.iter_mut().for_each(|rx| rx.set_strategy(strategy));
            let mut all: Vec<u64> = thread::scope(|scope| {
                for (first, mut tx) in (0..).zip(txs) {
                    scope.spawn(move || (0..1000).for_each(|n| tx.push(n * 2 + first).unwrap()));
                }
                let takers = rxs.map(|rx| scope.spawn(move || rx.into_iter().collect::<Vec<_>>()));
                takers
                    .into_iter()
                    .flat_map(|taker| taker.join().unwrap())
                    .collect()
            });
            all.sort_unstable();
            assert!(all.into_iter().eq(0..2000));
        });
    }
}
