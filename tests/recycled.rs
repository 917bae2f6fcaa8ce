//! The kernel gives an id of a removed semaphore set out again: what was the ring's set is then
//! somebody else's.
//!
//! An id comes back after about four million sets. The tests have the kernel give it at once
//! (`kernel.sem_next_id`), in an IPC namespace of their own; they say so and pass where that is not
//! allowed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::Permissions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::apart::{apart, segments, set_limit, sets, skipped};
use common::steps::Stepped;
use common::{Shared, forked};
use nix::unistd::{Uid, setuid};
use ringpipe::sysv::{self, Errno, Key, SemGetFlags, SemId, ShmId};
use ringpipe::{Error, Fault, Garbage, PopTimeoutError, PushTimeoutError, mpmc, spsc, stream};

const NOBODY: u32 = 65_534;

/// A set of so many semaphores that has exactly that id, which no other may have; `None` where the
/// kernel does not let us choose.
fn set_with_id(id: SemId, size: i32) -> Option<SemId> {
    if !set_limit("kernel.sem_next_id", &id.to_string()) {
        return None;
    }
    let set = sysv::semget(Key::PRIVATE, size, SemGetFlags::CREATE, 0o600).unwrap();
    assert_eq!(set, id, "the kernel gives the id that it was asked for");
    Some(set)
}

/// Puts another set in place of a ring's, which it removes; its values, if any, are the caller's.
fn replaced(set: SemId, size: i32) -> Option<SemId> {
    sysv::semctl_rmid(set).unwrap();
    set_with_id(set, size)
}

/// Runs `body` in an IPC namespace where ids can be chosen.
fn where_ids_can_be_chosen(body: impl FnOnce()) {
    apart(|| {
        if set_limit("kernel.sem_next_id", "1") {
            body();
        } else {
            skipped("ids cannot be chosen (no kernel.sem_next_id, or no permission)");
        }
    });
}

fn folder_and_path() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    (folder, path)
}

fn set_of(path: &Path) -> SemId {
    ringpipe::status(path).unwrap().set.unwrap()
}

fn is_there(set: SemId) -> bool {
    match sysv::semctl_stat(set) {
        Ok(_) => true,
        Err(Errno::EINVAL | Errno::EIDRM) => false,
        Err(other) => panic!("{other}"),
    }
}

/// What the last user of a ring holds: its set was removed, and perhaps replaced by one that `put`
/// makes.
fn last_user_leaves(put: impl Fn(SemId)) -> SemId {
    let (_folder, path) = folder_and_path();
    let ring = spsc::Ring::<u64>::create(&path, 4).unwrap();
    let set = set_of(&path);
    ringpipe::remove(&path).unwrap();
    put(set);
    drop(ring);
    set
}

#[test]
fn the_last_user_leaves_a_set_that_took_the_id() {
    where_ids_can_be_chosen(|| {
        for size in [1, 9, 10] {
            let set = last_user_leaves(|set| {
                replaced(set, size).unwrap();
            });
            assert!(is_there(set), "a set of {size} semaphores");
            sysv::semctl_rmid(set).unwrap();
        }
    });
}

#[test]
fn the_last_user_leaves_the_set_of_another_ring() {
    where_ids_can_be_chosen(|| {
        let (_folder, other) = folder_and_path();
        let set = last_user_leaves(|set| {
            sysv::semctl_rmid(set).unwrap();
            assert!(set_limit("kernel.sem_next_id", &set.to_string()));
            drop(spsc::Ring::<u64>::create(&other, 4).unwrap());
            assert_eq!(set_of(&other), set);
        });
        assert!(is_there(set));
        let ring = spsc::Ring::<u64>::open(&other).unwrap();
        ring.producer().unwrap().push(7).unwrap();
        assert_eq!(ring.consumer().unwrap().pop(), Ok(7));
        ringpipe::remove(&other).unwrap();
        drop(ring);
        assert_eq!(sets(), []);
    });
}

/// Only root may remove the set of another user. The other user has even marked his set
/// as the ring's.
#[test]
fn root_as_the_last_user_leaves_the_set_of_another_user() {
    if !Uid::effective().is_root() {
        skipped("only root can become another user");
        return;
    }
    where_ids_can_be_chosen(|| {
        for marked in [false, true] {
            let set = last_user_leaves(|set| {
                let values = sysv::semctl_getall(set).unwrap();
                sysv::semctl_rmid(set).unwrap();
                assert!(set_limit("kernel.sem_next_id", &set.to_string()));
                forked(|| {
                    setuid(Uid::from_raw(NOBODY)).unwrap();
                    let size = values.len() as i32;
                    let own = sysv::semget(Key::PRIVATE, size, SemGetFlags::CREATE, 0o600).unwrap();
                    assert_eq!(own, set);
                    if marked {
                        sysv::semctl_setall(own, &values).unwrap();
                    }
                })
                .join();
            });
            assert!(is_there(set), "marked: {marked}");
            sysv::semctl_rmid(set).unwrap();
        }
    });
}

/// What a stranger can remove himself at any moment, so that another set gets the id, root does not
/// remove for him.
#[test]
fn root_who_only_looks_leaves_the_set_of_a_strangers_ring() {
    if !Uid::effective().is_root() {
        skipped("only root can become another user");
        return;
    }
    apart(|| {
        let (folder, path) = folder_and_path();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        let as_nobody = |work: &dyn Fn()| {
            forked(|| {
                setuid(Uid::from_raw(NOBODY)).unwrap();
                work();
            })
            .join();
        };
        for halts in 0.. {
            as_nobody(&|| drop(spsc::Ring::<u64>::create(&path, 4).unwrap()));
            let (id, set) = (ShmId::from_raw(segments()[0]), SemId::from_raw(sets()[0]));
            let mut looker = Stepped::new(|| {
                let _ = ringpipe::status(id);
            });
            let running = (0..=halts).all(|_| looker.step());
            as_nobody(&|| sysv::shmctl_rmid(id).unwrap());
            if running {
                looker.finish();
            }
            assert_eq!(segments(), []);
            assert!(is_there(set), "after {halts} halts");
            // It is an orphan now.
            let found = ringpipe::collect(std::slice::from_ref(&path), false).unwrap();
            assert!(found.contains(&Garbage::Semaphores(set)), "{found:?}");
            assert_eq!(sets(), []);
            if !running {
                break;
            }
        }
    });
}

#[test]
fn the_last_user_still_removes_the_set_of_the_ring() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let left = Shared::new();
        let other = forked(|| {
            let _ring = spsc::Ring::<u64>::create(&path, 4).unwrap();
            left.set(0, 1);
            left.until(1, 1);
        });
        left.until(0, 1);
        let ring = spsc::Ring::<u64>::open(&path).unwrap();
        ringpipe::remove(&path).unwrap();
        drop(ring);
        assert_eq!(sets().len(), 1, "somebody is left");
        left.set(1, 1);
        other.join();
        assert_eq!((segments(), sets()), (vec![], vec![]));
    });
}

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Puts another set in place of a ring's: one of so many semaphores, or with `None` that of another
/// ring. Returns a check that its values are still the same.
fn other_set(ring: &Path, size: Option<i32>, create: impl Fn(&Path)) -> impl Fn() {
    let set = set_of(ring);
    sysv::semctl_rmid(set).unwrap();
    assert!(set_limit("kernel.sem_next_id", &set.to_string()));
    match size {
        Some(size) => {
            sysv::semget(Key::PRIVATE, size, SemGetFlags::CREATE, 0o600).unwrap();
        }
        None => create(&ring.with_extension("other")),
    }
    let before = sysv::semctl_getall(set).unwrap();
    move || assert_eq!(sysv::semctl_getall(set), Ok(before.clone()))
}

/// Of a push of 2 that found no room.
fn finds_its_ring_removed(pushed: Result<(), PushTimeoutError<u64>>) {
    let removed = matches!(pushed, Err(PushTimeoutError::Fault(2, Fault::Removed)));
    assert!(removed, "{pushed:?}");
}

fn is_refused(joined: &Result<(), Error>) {
    assert!(matches!(joined, Err(Error::Removed)), "{joined:?}");
}

const SETS: [Option<i32>; 5] = [Some(1), Some(3), Some(9), Some(100), None];

#[test]
fn a_pair_does_not_take_another_set_for_its_own() {
    for size in SETS {
        where_ids_can_be_chosen(|| {
            let (_folder, path) = folder_and_path();
            let ring = spsc::Ring::<u64>::create(&path, 1).unwrap();
            let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            let is_unchanged = other_set(&path, size, |path| {
                drop(spsc::Ring::<u64>::create(path, 1).unwrap());
            });
            assert_eq!(rx.pop_timeout(LONG), Err(Fault::Removed.into()));
            tx.push(1).unwrap();
            finds_its_ring_removed(tx.push_timeout(2, LONG));
            assert_eq!(rx.pop(), Ok(1), "what was published is there");
            drop((tx, rx));
            is_refused(&ring.producer().map(drop));
            is_refused(&ring.consumer().map(drop));
            is_unchanged();
        });
    }
}

#[test]
fn a_shared_ring_does_not_take_another_set_for_its_own() {
    for size in SETS {
        where_ids_can_be_chosen(|| {
            let (_folder, path) = folder_and_path();
            let ring = mpmc::Ring::<u64>::create(&path, 1).unwrap();
            let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            let is_unchanged = other_set(&path, size, |path| {
                drop(mpmc::Ring::<u64>::create(path, 1).unwrap());
            });
            let slept = rx.pop_timeout(LONG);
            assert_eq!(slept, Err(PopTimeoutError::Fault(Fault::Removed)));
            tx.push(1).unwrap();
            finds_its_ring_removed(tx.push_timeout(2, LONG));
            drop((tx, rx));
            is_refused(&ring.producer().map(drop));
            is_refused(&ring.consumer().map(drop));
            is_unchanged();
        });
    }
}

#[test]
fn a_stream_does_not_take_another_set_for_its_own() {
    for size in SETS {
        where_ids_can_be_chosen(|| {
            let (_folder, path) = folder_and_path();
            let fifo = stream::Fifo::create(&path).unwrap();
            let (mut tx, mut rx) = fifo.both().unwrap();
            let is_unchanged = other_set(&path, size, |path| {
                drop(stream::Fifo::create(path).unwrap());
            });
            let read = rx.read(&mut [0; 8]).map_err(|error| error.kind());
            assert_eq!(read, Err(ErrorKind::Other), "no end of file");
            let written = tx.write(&[7; 8]).map_err(|error| error.kind());
            assert_eq!(written, Err(ErrorKind::Other), "no broken pipe");
            drop((tx, rx));
            is_refused(&fifo.both().map(drop));
            is_unchanged();
        });
    }
}
