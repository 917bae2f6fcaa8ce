//! Rings with several producers and consumers, seen from outside: what is shown of them, removed and collected.
//!
//! Every test is in a process and an IPC namespace of its own, so that it can say what is left there.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use common::apart::{apart, segments, sets};
use common::raw::Raw;
use common::{Shared, forked, until};
use ringpipe::mpmc::{Options, Ring};
use ringpipe::sysv::ShmId;
use ringpipe::{DeadConsumer, Error, Garbage, Name, Participant, Role, Tallies};

fn folder_and_path() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    (folder, path)
}

fn id_of(ring: &Ring<u64>) -> ShmId {
    let Some(Name::Id(id)) = ring.id() else {
        panic!("it has an id");
    };
    id
}

/// A ring on which somebody did that in a process of its own, and was killed at it; its name is gone, and so is its user.
fn abandoned(policy: DeadConsumer, work: impl FnOnce(&Ring<u64>, &dyn Fn())) -> ShmId {
    let (_folder, path) = folder_and_path();
    let ring = Options::new()
        .capacity(8)
        .dead_consumer(policy)
        .create::<u64>(&path)
        .unwrap();
    let shared = Shared::new();
    let child = forked(|| {
        work(&ring, &|| {
            shared.set(0, 1);
            thread::sleep(Duration::from_secs(600));
        });
    });
    shared.until(0, 1);
    child.kill();
    let id = id_of(&ring);
    // Without a path, or a file might have been renamed.
    Raw::attach(id).set(88, 4, 0);
    id
}

#[track_caller]
fn assert_kept(id: ShmId) {
    assert_eq!(ringpipe::collect(&[], true).unwrap(), []);
    assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
    assert_eq!((segments(), sets().len()), (vec![id.raw()], 1));
}

#[track_caller]
fn assert_collected(id: ShmId) {
    let found = ringpipe::collect(&[], false).unwrap();
    assert_eq!(found[0], Garbage::Nameless(id));
    assert_eq!((segments(), sets()), (vec![], vec![]));
}

#[test]
fn what_a_killed_consumer_had_in_hand_is_not_collected() {
    apart(|| {
        let id = abandoned(DeadConsumer::Redeliver, |ring, end| {
            ring.producer().unwrap().push(7).unwrap();
            let mut rx = ring.consumer().unwrap();
            let _claim = rx.claim(1).unwrap();
            assert!(ring.is_empty(), "it looks empty");
            end();
        });
        assert_kept(id);
        let ring = Ring::<u64>::open(Name::Id(id)).unwrap();
        let mut rx = ring.consumer().unwrap();
        assert_eq!((rx.pop(), rx.redelivered()), (Ok(7), true));
        drop((rx, ring));
        assert_collected(id);
    });
}

#[test]
fn what_was_put_back_is_not_collected() {
    apart(|| {
        let id = abandoned(DeadConsumer::Drop, |ring, end| {
            ring.producer().unwrap().push_slice(&[7, 8]).unwrap();
            let mut rx = ring.consumer().unwrap();
            rx.claim(2).unwrap().release(1);
            end();
        });
        assert_kept(id);
        let mut rx = Ring::<u64>::open(Name::Id(id)).unwrap().consumer().unwrap();
        assert_eq!(rx.pop(), Ok(8));
        drop(rx);
        assert_collected(id);
    });
}

#[test]
fn what_goes_with_a_killed_consumer_is_collected() {
    apart(|| {
        let id = abandoned(DeadConsumer::Drop, |ring, end| {
            ring.producer().unwrap().push_slice(&[7, 8]).unwrap();
            let mut rx = ring.consumer().unwrap();
            let _claim = rx.claim(2).unwrap();
            end();
        });
        assert_collected(id);
    });
}

#[test]
fn what_a_killed_producer_had_not_published_is_collected() {
    apart(|| {
        let id = abandoned(DeadConsumer::Redeliver, |ring, end| {
            let mut tx = ring.producer().unwrap();
            let mut room = tx.reserve(3).unwrap();
            room.write(&[1, 2]);
            assert_eq!(ring.len(), 3, "it looks as if there were items");
            end();
        });
        assert_collected(id);
    });
}

#[test]
fn what_a_killed_producer_had_published_is_not() {
    apart(|| {
        let id = abandoned(DeadConsumer::Redeliver, |ring, end| {
            let (mut tx, mut other) = (ring.producer().unwrap(), ring.producer().unwrap());
            let _room = tx.reserve(7).unwrap();
            other.push(1).unwrap();
            end();
        });
        assert_kept(id);
        let mut rx = Ring::<u64>::open(Name::Id(id)).unwrap().consumer().unwrap();
        assert_eq!(rx.pop(), Ok(1));
        drop(rx);
        assert_collected(id);
    });
}

#[test]
fn a_ring_of_a_kind_that_is_not_known_is_not_collected() {
    apart(|| {
        let id = abandoned(DeadConsumer::Redeliver, |_, end| end());
        let raw = Raw::attach(id);
        raw.set(12, 4, 77);
        drop(raw);
        assert_kept(id);
    });
}

#[test]
fn any_words_in_the_table_are_looked_at_without_a_panic() {
    apart(|| {
        let id = abandoned(DeadConsumer::Redeliver, |_, end| end());
        let (table, words) = (4096, 4096 + 64 * 128);
        for value in [u64::MAX, u64::MAX - 1, 0xfff << 12 | 3, 7] {
            let raw = Raw::attach(id);
            (table..words + 64)
                .step_by(8)
                .for_each(|at| raw.set(at, 8, value));
            (2048..2560).step_by(8).for_each(|at| raw.set(at, 8, value));
            drop(raw);
            assert!(ringpipe::status(Name::Id(id)).unwrap().participants.len() <= 64);
            assert_kept(id);
        }
    });
}

/// What is told of one participant, as far as a test can know it.
fn told(one: &Participant) -> (usize, Role, i32, bool, u64) {
    (one.number, one.role, one.pid, one.alive, one.moved)
}

#[test]
fn a_status_tells_who_takes_part() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let options = Options::new().participants(5);
        let ring = options
            .dead_consumer(DeadConsumer::Drop)
            .create::<u64>(&path)
            .unwrap();
        let status = || ring.status().unwrap().unwrap();
        assert_eq!((status().participant_limit, &*status().kind), (5, "mpmc"));
        assert_eq!(status().participants, []);
        assert_eq!(status().dead_consumer, Some(DeadConsumer::Drop));

        let (mut one, two) = (ring.producer().unwrap(), ring.producer().unwrap());
        one.push_slice(&[1, 2, 3]).unwrap();
        let shared = Shared::new();
        let child = forked(|| {
            let mut rx = ring.consumer().unwrap();
            assert_eq!([rx.pop(), rx.pop(), rx.pop()], [Ok(1), Ok(2), Ok(3)]);
            shared.set(0, 1);
            rx.pop().unwrap();
            let _claim = rx.claim(1).unwrap();
            shared.set(0, 2);
            thread::sleep(Duration::from_secs(600));
        });
        shared.until(0, 1);
        child.until_asleep();
        let own = std::process::id().cast_signed();
        until(|| status().participants[2].sleeping);
        let seen = status();
        assert_eq!(
            seen.participants.iter().map(told).collect::<Vec<_>>(),
            [
                (1, Role::Producer, own, true, 3),
                (2, Role::Producer, own, true, 0),
                (3, Role::Consumer, child.pid(), true, 3),
            ]
        );
        assert!(!seen.participants[0].sleeping);
        assert!(seen.participants[0].command.is_some());
        assert_eq!((seen.producer.attached, seen.producer.pid), (2, None));
        assert_eq!((seen.consumer.attached, seen.consumer.sleeping), (1, 1));
        assert_eq!(seen.consumer.pid, Some(child.pid()));
        assert_eq!(seen.consumer.command, seen.participants[2].command);

        one.push(4).unwrap();
        one.push(5).unwrap();
        shared.until(0, 2);
        let pid = child.pid();
        child.kill();
        let seen = status();
        let dead = &seen.participants[2];
        assert_eq!(told(dead), (3, Role::Consumer, pid, false, 4));
        assert_eq!((dead.sleeping, &dead.command), (false, &None));
        assert_eq!((seen.consumer.attached, seen.consumer.pid), (0, None));
        assert_eq!(seen.tallies, Tallies::default());
        drop(two);
        let rx = ring.consumer().unwrap(); // puts the remains in order
        let seen = status();
        assert_eq!(
            seen.participants
                .iter()
                .map(|one| (one.number, one.role))
                .collect::<Vec<_>>(),
            [(1, Role::Producer), (2, Role::Consumer)]
        );
        assert_eq!((seen.tallies.recovered, seen.tallies.dropped), (1, 1));
        assert_eq!((seen.consumer.deaths, seen.consumer.holders), (1, 2));
        drop((one, rx));
        assert_eq!(status().participants, []);
        assert!(status().producer.finished);
        ring.remove().unwrap();
    });
}

#[test]
fn a_status_of_a_ring_with_one_of_each_tells_of_no_participants() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let ring = ringpipe::spsc::Ring::<u64>::create(&path, 4).unwrap();
        let tx = ring.producer().unwrap();
        let status = ring.status().unwrap().unwrap();
        assert_eq!(status.participant_limit, 0);
        assert_eq!((status.participants, status.dead_consumer), (vec![], None));
        assert_eq!((status.producer.attached, status.consumer.attached), (1, 0));
        drop(tx);
        ringpipe::remove(&path).unwrap();
    });
}

#[test]
fn a_ring_removes_itself_and_no_successor() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        for name in [Name::Path(path), "key:0x72696e67".parse().unwrap()] {
            let ring = Ring::<u64>::create(&name, 4).unwrap();
            ring.remove().unwrap();
            assert!(ring.is_removed());
            assert!(matches!(ring.remove(), Err(Error::NotFound { .. })));
            let next = Ring::<u64>::create(&name, 4).unwrap();
            assert!(matches!(ring.remove(), Err(Error::NotFound { .. })));
            assert!(!next.is_removed());
            next.remove().unwrap();
        }
        let private = Ring::<u64>::private(4).unwrap();
        assert!(matches!(private.remove(), Err(Error::BadName { .. })));
        let local = Ring::<u64>::in_process(4).unwrap();
        assert!(matches!(local.remove(), Err(Error::BadName { .. })));
        drop(private);
        assert_eq!((segments(), sets()), (vec![], vec![]));
    });
}

#[test]
fn a_name_that_was_moved_is_no_more_the_ring_s() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let ring = Ring::<u64>::create(&path, 4).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        assert!(matches!(ring.remove(), Err(Error::NotFound { .. })));
        assert!(!ring.is_removed());
        ringpipe::remove(&elsewhere).unwrap();
    });
}
