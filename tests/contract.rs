//! What a ring promises to one process, on both backings: order, bounds, errors that give items back, in-place access.
#![allow(missing_docs)]

mod common;

use std::thread;
use std::time::Duration;

use common::Place;
use ringpipe::spsc::{Options, Peer, Ring};
use ringpipe::{
    Error, Item, PeerLoss, PopError, PopTimeoutError, PushError, PushSliceError, PushTimeoutError,
    Strategy, TryPopError, TryPushError,
};

/// Runs a body on a ring in a System V segment and on one within the process.
fn on_both<T: Item>(capacity: usize, body: impl Fn(Ring<T>)) {
    common::on_both(
        |path| Ring::create(path, capacity),
        || Ring::in_process(capacity),
        body,
    );
}

#[test]
fn items_come_out_in_order_around_the_end() {
    for capacity in [1, 2, 3, 7, 64] {
        on_both::<u64>(capacity, |ring| {
            let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            let mut next = 0;
            for n in 0..capacity as u64 * 5 {
                tx.push(n).unwrap();
                if n % 3 != 0 || tx.is_full() {
                    assert_eq!(rx.pop().unwrap(), next);
                    next += 1;
                }
            }
        });
    }
}

#[test]
fn a_full_ring_gives_the_item_back() {
    on_both::<u32>(2, |ring| {
        let (mut tx, rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push_slice(&[1, 2]).unwrap();
        assert!(tx.is_full() && rx.is_full());
        assert_eq!(tx.try_push(3), Err(TryPushError::Full(3)));
        assert_eq!(tx.try_push_slice(&[3, 4]), Ok(0));
        assert_eq!(
            tx.push_timeout(3, Duration::from_millis(1)),
            Err(PushTimeoutError::Timeout(3))
        );
        assert!(matches!(tx.try_reserve(1), Err(TryPushError::Full(()))));
        assert!(matches!(
            tx.reserve_timeout(1, Duration::from_millis(1)),
            Err(PushTimeoutError::Timeout(()))
        ));
    });
}

#[test]
fn room_is_waited_for_whole_and_not_for_ever() {
    on_both::<u32>(4, |ring| {
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let soon = Duration::from_millis(1);
        assert_eq!(tx.reserve_timeout(9, soon).unwrap().len(), 4);
        tx.push_slice(&[1, 2, 3]).unwrap();
        assert!(matches!(
            tx.reserve_timeout(2, soon),
            Err(PushTimeoutError::Timeout(()))
        ));
        let mut room = tx.reserve_timeout(1, soon).unwrap();
        assert_eq!(room.write(&[4, 5]), 1);
        room.commit_written();
        assert_eq!(rx.pop(), Ok(1));
        rx.finish().unwrap();
        assert!(matches!(
            tx.reserve_timeout(1, soon),
            Err(PushTimeoutError::Disconnected(()))
        ));
    });
}

#[test]
fn an_empty_ring_says_so() {
    on_both::<u32>(2, |ring| {
        let (_tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let mut buffer = [0; 4];
        assert!(rx.is_empty());
        assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
        assert_eq!(rx.try_pop_slice(&mut buffer), Ok(0));
        assert_eq!(
            rx.pop_timeout(Duration::from_millis(1)),
            Err(PopTimeoutError::Timeout)
        );
        assert!(matches!(rx.try_peek(1), Err(TryPopError::Empty)));
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

#[test]
fn a_slice_larger_than_the_ring_arrives_in_pieces() {
    on_both::<u32>(3, |ring| {
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let items: Vec<u32> = (0..1000).collect();
        thread::scope(|scope| {
            scope.spawn(|| {
                tx.push_slice(&items).unwrap();
                drop(tx);
            });
            assert_eq!((&mut rx).into_iter().collect::<Vec<_>>(), items);
        });
        assert_eq!(rx.peer(), Ok(Peer::Finished));
    });
}

#[test]
fn room_is_filled_in_place_and_given_back() {
    on_both::<u32>(4, |ring| {
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push_slice(&[0, 0, 0]).unwrap();
        rx.peek(3).unwrap().release_all();
        let mut room = tx.reserve(4).unwrap();
        assert_eq!(room.len(), 4);
        assert_eq!(room.write(&[1]), 1);
        assert_eq!(room.write(&[2, 3, 4, 5]), 3);
        let (first, second) = room.as_mut_slices();
        assert_eq!((&*first, &*second), (&[1][..], &[2, 3, 4][..]));
        drop(room);
        assert!(rx.is_empty(), "a dropped room publishes nothing");
        let mut room = tx.reserve(99).unwrap();
        assert_eq!(room.len(), 4, "at most the capacity");
        room.as_mut_slices().0[0] = 7;
        room.commit(1);
        let mut room = tx.try_reserve(99).unwrap();
        assert_eq!(room.len(), 3, "what there is");
        room.write(&[8, 9]);
        room.commit_written();
        assert_eq!([rx.pop(), rx.pop(), rx.pop()], [Ok(7), Ok(8), Ok(9)]);
    });
}

#[test]
fn items_stay_until_released() {
    on_both::<u32>(4, |ring| {
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push_slice(&[1, 2, 3]).unwrap();
        assert_eq!(
            rx.peek(2).unwrap().iter().copied().collect::<Vec<_>>(),
            [1, 2]
        );
        let items = rx.try_peek(9).unwrap();
        assert_eq!((&items).into_iter().sum::<u32>(), 6);
        items.release(1);
        assert_eq!(rx.len(), 2);
        rx.peek_timeout(9, Duration::ZERO).unwrap().release(0);
        assert_eq!(rx.pop(), Ok(2));
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
    ring.consumer().unwrap().peek(4).unwrap().release(2);
}

#[test]
fn a_live_role_is_refused_and_a_free_one_is_taken_where_it_stopped() {
    on_both::<u64>(4, |ring| {
        let mut tx = ring.producer().unwrap();
        match ring.producer().unwrap_err() {
            Error::RoleTaken { role, pid } => {
                assert_eq!(role, ringpipe::Role::Producer);
                assert_eq!(pid, std::process::id().cast_signed());
            }
            other => panic!("{other}"),
        }
        tx.push_slice(&[1, 2, 3]).unwrap();
        drop(tx);
        let mut rx = ring.consumer().unwrap();
        assert_eq!(rx.pop(), Ok(1));
        drop(rx);
        let mut rx = ring.consumer().unwrap();
        let mut tx = ring.producer().unwrap();
        tx.set_peer_loss(PeerLoss::Wait);
        tx.push_slice(&[4, 5]).unwrap();
        drop(tx);
        assert_eq!((&mut rx).into_iter().collect::<Vec<_>>(), [2, 3, 4, 5]);
    });
}

#[test]
fn the_end_of_a_feed_comes_after_its_last_item_and_is_no_latch() {
    on_both::<u8>(4, |ring| {
        let mut rx = ring.consumer().unwrap();
        assert_eq!(rx.peer(), Ok(Peer::Never));
        assert_eq!(rx.is_disconnected(), Ok(false));
        assert_eq!(
            rx.pop_timeout(Duration::from_millis(20)),
            Err(PopTimeoutError::Timeout),
            "the first is waited for"
        );
        let mut tx = ring.producer().unwrap();
        assert_eq!(
            rx.peer(),
            Ok(Peer::Alive {
                pid: std::process::id().cast_signed()
            })
        );
        tx.push(1).unwrap();
        tx.finish().unwrap();
        assert_eq!(rx.is_disconnected(), Ok(true));
        assert_eq!(rx.pop(), Ok(1));
        assert_eq!(rx.pop(), Err(PopError::Disconnected));
        assert_eq!(rx.try_pop(), Err(TryPopError::Disconnected));
        assert_eq!(rx.try_pop_slice(&mut [0]), Err(TryPopError::Disconnected));
        assert_eq!(
            rx.pop_timeout(Duration::from_secs(9)),
            Err(PopTimeoutError::Disconnected)
        );
        assert_eq!(rx.peer(), Ok(Peer::Finished));
        let mut tx = ring.producer().unwrap();
        assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
        tx.push(2).unwrap();
        assert_eq!(rx.pop(), Ok(2));
        tx.abandon();
        assert_eq!(rx.pop(), Err(PopError::Disconnected));
        assert_eq!(rx.peer(), Ok(Peer::Died));
    });
}

#[test]
fn a_producer_learns_that_its_consumer_left() {
    on_both::<u8>(2, |ring| {
        let mut tx = ring.producer().unwrap();
        tx.push(1).unwrap();
        drop(ring.consumer().unwrap());
        assert_eq!(tx.push(2), Err(PushError::Disconnected(2)));
        assert_eq!(tx.try_push(2), Err(TryPushError::Disconnected(2)));
        assert_eq!(
            tx.push_timeout(2, Duration::from_secs(9)),
            Err(PushTimeoutError::Disconnected(2))
        );
        assert_eq!(
            tx.push_slice(&[2, 3]),
            Err(PushSliceError {
                pushed: 0,
                cause: PushError::Disconnected(())
            })
        );
        assert_eq!(tx.try_push_slice(&[2]), Err(TryPushError::Disconnected(())));
        assert!(matches!(tx.reserve(1), Err(PushError::Disconnected(()))));
        tx.set_peer_loss(PeerLoss::Wait);
        tx.push(2).unwrap();
        assert_eq!(
            tx.push_timeout(3, Duration::from_millis(5)),
            Err(PushTimeoutError::Timeout(3))
        );
        tx.set_peer_loss(PeerLoss::Disconnect);
        let mut rx = ring.consumer().unwrap();
        assert_eq!((rx.pop(), rx.pop()), (Ok(1), Ok(2)));
        tx.push(3).unwrap();
    });
}

#[test]
fn whoever_waits_through_a_loss_meets_the_successor() {
    on_both::<u8>(1, |ring| {
        let mut rx = ring.consumer().unwrap();
        rx.set_peer_loss(PeerLoss::Wait);
        drop(ring.producer().unwrap());
        assert_eq!(rx.try_pop(), Err(TryPopError::Empty));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| (rx.pop(), rx.pop()));
            for n in [1, 2] {
                ring.producer().unwrap().push(n).unwrap();
            }
            assert_eq!(waiting.join().unwrap(), (Ok(1), Ok(2)));
        });
    });
}

#[test]
fn every_strategy_moves_items_both_ways() {
    for strategy in [Strategy::Spin, Strategy::SpinThenSleep, Strategy::Sleep] {
        on_both::<u64>(4, |ring| {
            let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            tx.set_strategy(strategy);
            rx.set_strategy(strategy);
            thread::scope(|scope| {
                scope.spawn(move || (0..2000).for_each(|n| tx.push(n).unwrap()));
                assert!((&mut rx).into_iter().eq(0..2000));
            });
        });
    }
}

#[test]
fn a_spinning_wait_ends_in_time_and_with_the_peer() {
    on_both::<u64>(1, |ring| {
        let mut rx = ring.consumer().unwrap();
        rx.set_strategy(Strategy::Spin);
        assert_eq!(
            rx.pop_timeout(Duration::from_millis(5)),
            Err(PopTimeoutError::Timeout)
        );
        drop(ring.producer().unwrap());
        assert_eq!(rx.pop(), Err(PopError::Disconnected));
    });
}

#[test]
fn a_panic_is_no_good_end() {
    let ring = Ring::<u8>::in_process(1).unwrap();
    let theirs = ring.clone();
    let crashed = thread::spawn(move || {
        let _tx = theirs.producer().unwrap();
        panic!("as intended");
    });
    assert!(crashed.join().is_err());
    assert_eq!(ring.consumer().unwrap().peer(), Ok(Peer::Died));
}

#[test]
fn capacities_that_cannot_be_are_refused() {
    let place = Place::new();
    for ring in [
        Ring::<u64>::in_process(0),
        Ring::create(place.path(), 0),
        Ring::create(place.path(), usize::MAX),
    ] {
        assert!(matches!(ring.unwrap_err(), Error::BadCapacity { .. }));
    }
    assert!(!place.path().exists());
    for capacity in [isize::MAX as usize - 4096, isize::MAX as usize - 8192] {
        let refused = Ring::<u8>::in_process(capacity).unwrap_err();
        assert!(
            matches!(refused, Error::BadCapacity { .. } | Error::Limit { .. }),
            "{refused}"
        );
    }
}

#[test]
fn errors_hide_the_item_and_say_what_to_do() {
    let full = TryPushError::Full([7_u8; 64]);
    assert_eq!(format!("{full:?}"), "Full(..)");
    assert_eq!(full.to_string(), "the ring is full");
    let place = Place::new();
    let ring = Options::new()
        .capacity(1)
        .create::<u8>(place.path())
        .unwrap();
    let _tx = ring.producer().unwrap();
    let message = ring.producer().unwrap_err().to_string();
    assert!(
        message.contains("producer") && message.contains(&std::process::id().to_string()),
        "{message}"
    );
}

#[test]
fn the_ring_tells_of_itself() {
    let place = Place::new();
    let ring = Ring::<u64>::create(place.path(), 10).unwrap();
    let mut tx = ring.producer().unwrap();
    tx.push_slice(&[1, 2, 3]).unwrap();
    assert_eq!(
        (ring.capacity(), ring.len(), ring.is_empty()),
        (10, 3, false)
    );
    let status = ring.status().unwrap().unwrap();
    assert_eq!((status.len, status.produced, status.consumed), (3, 3, 0));
    assert_eq!(status.producer.pid, Some(std::process::id().cast_signed()));
    assert_eq!(status.consumer.pid, None);
    assert_eq!(
        Ring::<u64>::in_process(1)
            .unwrap()
            .status()
            .unwrap()
            .map(|status| status.len),
        None
    );
}
