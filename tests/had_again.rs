//! Names that can be had again: of rings that nobody finished, and of rings whose semaphores are gone; and what several
//! who come at once take and find.
//!
//! Every test is in a process and an IPC namespace of its own.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::mem::forget;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use common::apart::{apart, segments, sets};
use common::raw::Raw;
use common::steps::Stepped;
use common::{Shared, forked};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;
use ringpipe::spsc::{Options, Ring};
use ringpipe::sysv::{self, Key, SemId, ShmId};
use ringpipe::{Error, Garbage, Name};

const KEY: Key = Key::new(0x6b65_7932);

/// A folder, and a path in it for a ring.
fn folder_and_path() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    (folder, path)
}

fn id_of(ring: &Ring<u64>) -> ShmId {
    ring.status().unwrap().unwrap().id
}

fn set_of(ring: &Ring<u64>) -> SemId {
    ring.status().unwrap().unwrap().set.unwrap()
}

fn assert_nothing_left() {
    assert_eq!((segments(), sets()), (vec![], vec![]));
}

/// The error, which must be of that variant.
macro_rules! refused {
    ($result:expr, $variant:ident) => {
        match $result {
            Err(error @ Error::$variant { .. }) => error,
            other => panic!("not {}: {other:?}", stringify!($variant)),
        }
    };
}

/// The segments of the rings that some processes get which do `work` at once, and keep them until all have theirs.
fn at_once(work: impl Fn() -> Ring<u64>) -> Vec<u64> {
    const PROCESSES: u64 = 6;
    let shared = Shared::new();
    let children: Vec<_> = (2..2 + PROCESSES)
        .map(|index| {
            forked(|| {
                shared.add(0);
                shared.until(0, PROCESSES);
                let ring = work();
                shared.set(index as usize, u64::from(id_of(&ring).raw().unsigned_abs()));
                shared.add(1);
                shared.until(1, PROCESSES);
            })
        })
        .collect();
    children.into_iter().for_each(common::Child::join);
    (2..2 + PROCESSES)
        .map(|index| shared.get(index as usize))
        .collect()
}

#[test]
fn a_ring_whose_semaphores_are_gone_is_had_again_when_nobody_has_it() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let folders = [folder.path().to_owned()];
        for name in [Name::from(&path), KEY.into()] {
            let leave = |item| {
                let ring = Ring::<u64>::create(&name, 4).unwrap();
                if item {
                    ring.producer().unwrap().push(1).unwrap();
                }
                sysv::semctl_rmid(set_of(&ring)).unwrap();
                ring
            };
            let ring = leave(true);
            let error = refused!(Ring::<u64>::open(&name), Removed);
            assert!(error.to_string().contains("open_or_create"), "{error}");
            refused!(Ring::<u64>::open_or_create(&name, 4), Removed);
            refused!(Ring::<u64>::create(&name, 4), NameTaken);
            assert_eq!(ringpipe::collect(&folders, false).unwrap(), []);
            drop(ring);
            // With an item in it, no collector takes it; but nobody can ever have that.
            assert_eq!(ringpipe::collect(&folders, false).unwrap(), []);
            let ring = Ring::<u64>::open_or_create(&name, 4).unwrap();
            ring.producer().unwrap().push(2).unwrap();
            assert_eq!(ring.consumer().unwrap().pop(), Ok(2));
            drop(ring);
            ringpipe::remove(&name).unwrap();
            drop(leave(true));
            drop(Ring::<u64>::create(&name, 4).unwrap());
            ringpipe::remove(&name).unwrap();
            drop(leave(true));
            ringpipe::remove(&name).unwrap();
            let id = id_of(&leave(false));
            let found = ringpipe::collect(&folders, false).unwrap();
            assert_eq!(found.last(), Some(&Garbage::Broken(id)));
            assert!(!path.exists());
            assert_nothing_left();
        }
    });
}

#[test]
fn of_many_who_replace_a_ring_without_semaphores_all_have_the_same() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        for name in [Name::from(&path), KEY.into()] {
            let ring = Ring::<u64>::create(&name, 4).unwrap();
            sysv::semctl_rmid(set_of(&ring)).unwrap();
            drop(ring);
            let mut ids = at_once(|| Ring::open_or_create(&name, 4).unwrap());
            ids.dedup();
            assert_eq!(ids.len(), 1);
            ringpipe::remove(&name).unwrap();
        }
    });
}

/// Under a path, too, there may be a ring that is still being made: its name is decided before its memory is had.
#[test]
fn a_path_whose_creator_was_killed_making_pages_is_had_again() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let leave = || {
            let made = Options::new().capacity(1 << 17);
            let mut creator = Stepped::new(|| forget(made.create::<u64>(&path).unwrap()));
            while !path.exists() {
                assert!(creator.step());
            }
        };
        leave();
        refused!(Ring::<u64>::open(&path), NotReady);
        Ring::<u64>::open_or_create(&path, 4).unwrap();
        ringpipe::remove(&path).unwrap();
        leave();
        Ring::<u64>::create(&path, 4).unwrap();
        ringpipe::remove(&path).unwrap();
        leave();
        ringpipe::remove(&path).unwrap();
        leave();
        let folders = [folder.path().to_owned()];
        let found = ringpipe::collect(&folders, false).unwrap();
        assert!(
            matches!(
                found[..],
                [
                    Garbage::StaleName(_),
                    Garbage::HalfMade(_),
                    Garbage::Semaphores(_),
                ]
            ),
            "{found:?}"
        );
        assert!(!path.exists());
        assert_nothing_left();
    });
}

/// What all segments of this namespace have in memory, in bytes.
fn resident() -> u64 {
    let list = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let bytes =
        |line: &str| -> Option<u64> { line.split_ascii_whitespace().nth_back(1)?.parse().ok() };
    list.lines().skip(1).filter_map(bytes).sum()
}

#[test]
fn of_many_who_create_at_once_one_takes_memory() {
    const SIZE: u64 = 64 << 20;
    apart(|| {
        let (_folder, path) = folder_and_path();
        for _ in 0..3 {
            let shared = Shared::new();
            let starters: Vec<_> = (0..4)
                .map(|_| {
                    forked(|| {
                        shared.add(0);
                        shared.until(1, 1);
                        drop(Ring::<u8>::open_or_create(&path, SIZE as usize).unwrap());
                        shared.add(2);
                    })
                })
                .collect();
            shared.until(0, 4);
            shared.set(1, 1);
            let mut peak = 0;
            while shared.get(2) < 4 {
                peak = peak.max(resident());
            }
            starters.into_iter().for_each(common::Child::join);
            assert!(peak < SIZE + SIZE / 4, "{peak} bytes at a time");
            ringpipe::remove(&path).unwrap();
        }
        assert_nothing_left();
    });
}

#[test]
fn openers_wait_while_the_creator_makes_pages() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        for name in [Name::from(&path), KEY.into()] {
            let shared = Shared::new();
            let creator = forked(|| {
                // As while it makes its pages, which may take long.
                let made = Options::new().capacity(1 << 17).prefault(false);
                let ring = made.create::<u64>(&name).unwrap();
                let raw = Raw::attach(id_of(&ring));
                let ready = raw.number(92, 4);
                raw.set(92, 4, 0);
                shared.set(0, 1);
                thread::sleep(Duration::from_secs(3));
                raw.set(92, 4, ready);
                shared.until(1, 2);
            });
            shared.until(0, 1);
            let openers = [
                forked(|| {
                    Ring::<u64>::open(&name).unwrap();
                    shared.add(1);
                }),
                forked(|| {
                    Ring::<u64>::open_or_create(&name, 4).unwrap();
                    shared.add(1);
                }),
            ];
            openers.into_iter().for_each(common::Child::join);
            creator.join();
            ringpipe::remove(&name).unwrap();
        }
    });
}

/// Leaves a ring's file behind, and says which IPC namespace it was made in; that has ended.
fn leave_by_another_namespace(path: &PathBuf) {
    forked(|| {
        unshare(CloneFlags::CLONE_NEWIPC).unwrap();
        forget(Ring::<u64>::create(path, 4).unwrap());
    })
    .join();
}

#[test]
fn a_name_of_a_namespace_that_has_ended_is_had_again() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        if !Uid::effective().is_root() {
            return;
        }
        let replacing = Options::new().capacity(4).replace_other_namespace(true);
        for _ in 0..40 {
            leave_by_another_namespace(&path);
            let error = refused!(Ring::<u64>::open_or_create(&path, 4), OtherNamespace);
            let text = error.to_string();
            for part in [
                "no process of it can be seen",
                &format!("`ringpipe rm --other-namespace {}`", path.display()),
                "Options::replace_other_namespace",
            ] {
                assert!(text.contains(part), "{text}");
            }
            replacing.open_or_create::<u64>(&path).unwrap();
            let own = refused!(ringpipe::remove_other_namespace(&path), BadName);
            assert!(own.to_string().contains("this IPC namespace"), "{own}");
            ringpipe::remove(&path).unwrap();
        }
        leave_by_another_namespace(&path);
        replacing.create::<u64>(&path).unwrap();
        ringpipe::remove(&path).unwrap();
        leave_by_another_namespace(&path);
        ringpipe::remove_other_namespace(&path).unwrap();
        assert!(!path.exists());
        assert_nothing_left();
    });
}

#[test]
fn a_name_of_a_namespace_that_lives_is_told_so() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        if !Uid::effective().is_root() {
            return;
        }
        let shared = Shared::new();
        let other = forked(|| {
            unshare(CloneFlags::CLONE_NEWIPC).unwrap();
            let ring = Ring::<u64>::create(&path, 4).unwrap();
            shared.set(0, 1);
            shared.until(0, 2);
            ring.producer().unwrap().push(1).unwrap();
            assert_eq!(ring.len(), 1);
        });
        shared.until(0, 1);
        let error = refused!(Ring::<u64>::open(&path), OtherNamespace).to_string();
        assert!(error.contains("processes of it are alive"), "{error}");
        // Asked for explicitly, the name goes, and nothing else.
        ringpipe::remove_other_namespace(&path).unwrap();
        shared.set(0, 2);
        other.join();
    });
}
