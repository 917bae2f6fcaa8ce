//! What handles and errors offer besides moving items: how they show themselves, compare, iterate and wait for each other.
#![allow(missing_docs)]

mod common;

use std::fmt::Debug;
use std::io::Write;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use common::{Place, forked, until, wait_for_the_end};
use ringpipe::stream::{self, Fifo};
use ringpipe::{
    Fault, Peer, PopError, PopTimeoutError, PushError, PushTimeoutError, RingState, TryPopError,
    TryPushError, mpmc, spsc,
};

const SOON: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(100);

#[test]
fn handles_show_their_ring_and_nothing_inside() {
    let [pair, shared, bytes] = [(); 3].map(|()| Place::new());
    let ring = spsc::Ring::<u64>::create(pair.path(), 4).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push(7).unwrap();
    let of = |what: &str, len: usize, place: &Place, capacity: usize| {
        let name = place.path();
        let name = name.display();
        format!("{what} {{ name: {name}, len: {len}, capacity: {capacity} }}")
    };
    assert_eq!(format!("{ring:?}"), of("Ring", 1, &pair, 4));
    assert_eq!(format!("{rx:?}"), of("Consumer", 1, &pair, 4));
    assert_eq!(format!("{:?}", rx.peek(1).unwrap()), "Items { len: 1 }");
    let room = tx.reserve(2).unwrap();
    assert_eq!(format!("{room:?}"), "Room { len: 2, written: 0 }");
    drop(room);
    assert_eq!(format!("{tx:?}"), of("Producer", 1, &pair, 4));

    let ring = mpmc::Ring::<u64>::create(shared.path(), 4).unwrap();
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push(7).unwrap();
    assert_eq!(format!("{ring:?}"), of("Ring", 1, &shared, 4));
    assert_eq!(format!("{tx:?}"), of("Producer", 1, &shared, 4));
    assert_eq!(format!("{:?}", rx.claim(1).unwrap()), "Claim { len: 1 }");
    assert_eq!(format!("{:?}", tx.reserve(2).unwrap()), "Room { len: 2 }");

    let fifo = Fifo::create(bytes.path()).unwrap();
    let (mut tx, rx) = fifo.both().unwrap();
    tx.write_all(b"abc").unwrap();
    let capacity = stream::DEFAULT_CAPACITY;
    assert_eq!(format!("{fifo:?}"), of("Fifo", 3, &bytes, capacity));
    assert_eq!(format!("{rx:?}"), of("Reader", 3, &bytes, capacity));
    assert_eq!(format!("{tx:?}"), of("Writer", 3, &bytes, capacity));
    assert_eq!((tx.free(), tx.available()), (capacity - 3, 3));
    let within = spsc::Ring::<u64>::in_process(4).unwrap();
    assert!(format!("{within:?}").contains("within one process"));
}

#[test]
fn push_errors_give_the_item_back_and_say_what_they_are() {
    let ring = spsc::Ring::<u64>::in_process(1).unwrap();
    let (mut tx, rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push(1).unwrap();
    let full = tx.try_push(2).unwrap_err();
    assert!(full.is_full() && !full.is_disconnected());
    assert_eq!(full.into_inner(), 2);
    let late = tx.push_timeout(3, SOON).unwrap_err();
    assert!(late.is_timeout() && !late.is_disconnected());
    assert_eq!(late.into_inner(), 3);
    drop(rx);
    assert!(tx.try_push(4).unwrap_err().is_disconnected());
    assert!(tx.push_timeout(4, SOON).unwrap_err().is_disconnected());
    let gone = tx.push(5).unwrap_err();
    assert!(gone.is_disconnected());
    assert_eq!(gone.into_inner(), 5);
    for error in [
        PushError::Interrupted(6),
        PushError::Fault(6, Fault::Forked),
    ] {
        assert!(!error.is_disconnected());
        assert_eq!(error.into_inner(), 6);
    }
    assert_eq!(TryPushError::Fault(7, Fault::Forked).into_inner(), 7);
    assert_eq!(PushTimeoutError::Interrupted(8).into_inner(), 8);
}

#[test]
fn pop_errors_say_what_they_are() {
    let ring = mpmc::Ring::<u64>::in_process(1).unwrap();
    let (tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    assert!(rx.try_pop().unwrap_err().is_empty());
    assert!(rx.pop_timeout(SOON).unwrap_err().is_timeout());
    drop(tx);
    until(|| rx.try_pop().unwrap_err().is_disconnected()); // it asks after a while
    assert!(rx.pop_timeout(SOON).unwrap_err().is_disconnected());
    assert!(rx.pop().unwrap_err().is_disconnected());
    assert!(!TryPopError::Empty.is_disconnected() && !TryPopError::Disconnected.is_empty());
    assert!(!PopError::Interrupted.is_disconnected());
    assert!(!PopTimeoutError::Interrupted.is_timeout());
}

/// The same for both kinds of rings.
macro_rules! for_each_kind {
    ($($test:ident)*) => {
        for_each_kind!(pairs, spsc: $($test)*);
        for_each_kind!(shared, mpmc: $($test)*);
    };
    ($module:ident, $kind:ident: $($test:ident)*) => {
        mod $module {
            $(#[test] fn $test() { $test!($kind); })*
        }
    };
}

macro_rules! iterators_say_how_the_feed_ended {
    ($kind:ident) => {
        let ring = ringpipe::$kind::Ring::<u64>::in_process(8).unwrap();
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push_slice(&[1, 2]).unwrap();
        let mut items = rx.iter();
        assert_eq!((items.next(), items.end()), (Some(1), None));
        drop(tx);
        assert_eq!((items.next(), items.next()), (Some(2), None));
        assert_eq!(items.end(), Some(ringpipe::PopError::Disconnected));
        // It is no latch.
        ring.producer().unwrap().push(3).unwrap();
        let mut items = rx.into_iter();
        assert_eq!(items.by_ref().collect::<Vec<_>>(), [3]);
        assert_eq!(items.end(), Some(ringpipe::PopError::Disconnected));
        assert!(items.into_inner().try_pop().is_err());
    };
}

macro_rules! take {
    (spsc, $rx:ident, $n:expr) => {
        $rx.peek($n).unwrap()
    };
    (mpmc, $rx:ident, $n:expr) => {
        $rx.claim($n).unwrap()
    };
}

/// Cut where the ring wraps.
macro_rules! items_in_place_can_be_had_by_number {
    ($kind:ident) => {
        let ring = ringpipe::$kind::Ring::<u64>::in_process(4).unwrap();
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push_slice(&[0; 3]).unwrap();
        take!($kind, rx, 3).release_all();
        tx.push_slice(&[1, 2, 3]).unwrap();
        let items = take!($kind, rx, 3);
        assert_eq!(items.as_slices().0.len(), 1, "it wraps");
        assert_eq!((*items.first(), items[1], items[2]), (1, 2, 3));
        assert_eq!((items.get(2), items.get(3)), (Some(&3), None));
        let beyond = std::panic::AssertUnwindSafe(|| items[3]);
        assert!(std::panic::catch_unwind(beyond).is_err());
    };
}

macro_rules! slices_wait_no_longer_than_told {
    ($kind:ident) => {
        let ring = ringpipe::$kind::Ring::<u64>::in_process(2).unwrap();
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        let mut into = [0; 4];
        let late = rx.pop_slice_timeout(&mut into, super::SOON);
        assert!(late.unwrap_err().is_timeout());
        tx.push_slice_timeout(&[1, 2], super::LONG).unwrap();
        let late = tx.push_slice_timeout(&[3], super::SOON).unwrap_err();
        assert_eq!((late.pushed, late.cause.is_timeout()), (0, true));
        assert_eq!(
            late.to_string(),
            "0 items were pushed, then: the ring stayed full"
        );
        assert_eq!(rx.pop_slice_timeout(&mut into, super::LONG), Ok(2));
        assert_eq!(into, [1, 2, 0, 0]);
        assert_eq!(rx.pop_slice_timeout(&mut [], super::LONG), Ok(0));
        // As much as fits, though nobody takes anything.
        let late = tx.push_slice_timeout(&[3, 4, 5], super::SOON).unwrap_err();
        assert_eq!((late.pushed, rx.pop_slice(&mut into)), (2, Ok(2)));
        drop(tx);
        let gone = rx.pop_slice_timeout(&mut into, super::LONG);
        assert!(gone.unwrap_err().is_disconnected());
    };
}

macro_rules! a_peer_is_waited_for {
    ($kind:ident) => {
        let place = super::Place::new();
        let ring = ringpipe::$kind::Ring::<u64>::create(place.path(), 2).unwrap();
        let tx = ring.producer().unwrap();
        assert_eq!(tx.wait_for_peer(super::SOON), Ok(false));
        assert_eq!(tx.peers().unwrap().ever, 0);
        let child = super::forked(|| {
            let rx = ring.consumer().unwrap();
            assert_eq!(rx.wait_for_peer(super::LONG), Ok(true));
            super::wait_for_the_end();
        });
        assert_eq!(tx.wait_for_peer(super::LONG), Ok(true));
        let there = tx.peers().unwrap();
        assert_eq!((there.alive, there.deaths), (1, 0));
        child.kill();
        assert_eq!(tx.wait_for_peer(super::SOON), Ok(false));
        assert_eq!(tx.peers().unwrap().alive, 0);
        // Each is counted once its entry is there.
        let rx = ring.consumer().unwrap();
        drop(rx);
        let gone = tx.peers().unwrap();
        assert_eq!((gone.alive, gone.ever, gone.deaths), (0, 2, 1));
    };
}

for_each_kind! {
    iterators_say_how_the_feed_ended
    items_in_place_can_be_had_by_number
    slices_wait_no_longer_than_told
    a_peer_is_waited_for
}

#[test]
fn states_read_as_words() {
    assert_eq!(Peer::Never.to_string(), "never there");
    assert_eq!(Peer::Alive { pid: 7 }.to_string(), "alive (pid 7)");
    assert_eq!(Peer::Alive { pid: 0 }.to_string(), "alive");
    assert_eq!(Peer::Finished.to_string(), "finished");
    assert_eq!(Peer::Died.to_string(), "died");
    assert_eq!(RingState::HalfMade.to_string(), "half made");
}

#[test]
fn handles_can_be_sent_and_may_be_used_after_a_panic() {
    fn sent<T: Send + Debug>() {}
    fn shared<T: Sync>() {}
    fn unwinds<T: UnwindSafe + RefUnwindSafe>() {}
    sent::<spsc::Producer<u64>>();
    sent::<spsc::Consumer<u64>>();
    sent::<mpmc::Producer<u64>>();
    sent::<mpmc::Consumer<u64>>();
    sent::<stream::Writer>();
    sent::<stream::Reader>();
    shared::<spsc::Ring<u64>>();
    shared::<mpmc::Ring<u64>>();
    shared::<Fifo>();
    unwinds::<spsc::Ring<u64>>();
    unwinds::<spsc::Producer<u64>>();
    unwinds::<spsc::Consumer<u64>>();
    unwinds::<mpmc::Ring<u64>>();
    unwinds::<mpmc::Producer<u64>>();
    unwinds::<mpmc::Consumer<u64>>();
    unwinds::<Fifo>();
    unwinds::<stream::Writer>();
    unwinds::<stream::Reader>();
}
