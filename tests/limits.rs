//! What is refused, and what the refusal says: limits of the kernel, permissions, semaphores that were removed.
//!
//! Every test is in a process and an IPC namespace of its own, where it may lower the limits.
#![allow(missing_docs)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::apart::{apart_unprepared, segments, set_limit, sets, skipped};
use common::raw::Raw;
use common::{Shared, forked, forked_unprepared, until};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Uid, setuid};
use ringpipe::spsc::{Options, Peer, Ring};
use ringpipe::sysv::{self, Key, SemId, ShmGetFlags};
use ringpipe::{
    Error, Fault, Garbage, Name, PopError, PopTimeoutError, PushError, RingState, TryPopError,
    TryPushError,
};

/// With a limit lowered, in a namespace of its own.
fn limited(limit: &'static str, value: &'static str, body: impl FnOnce()) {
    apart_unprepared(|| {
        if set_limit(limit, value) {
            body();
        } else {
            skipped(&format!("no permission to set {limit}"));
        }
    });
}

/// That a creation failed for that limit, said so with its value and advice, and left nothing.
#[track_caller]
fn assert_limit(made: Result<Ring<u64>, Error>, name: &str, at: &str, advice: &str) {
    let error = made.unwrap_err();
    let text = error.to_string();
    let Error::Limit { limit, value, .. } = error else {
        panic!("{text}");
    };
    assert_eq!((limit, value.as_str()), (name, at), "{text}");
    for part in [name, at, advice] {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

/// That nothing is in this namespace.
#[track_caller]
fn assert_nothing_left() {
    assert_eq!((segments(), sets()), (vec![], vec![]));
}

#[test]
fn a_segment_beyond_shmmax_is_refused() {
    limited("kernel.shmmax", "8192", || {
        let advice = "sysctl -w kernel.shmmax=";
        assert_limit(Ring::private(1024), "kernel.shmmax", "8192", advice);
        assert_nothing_left();
        assert!(
            Ring::<u64>::private(512).is_ok(),
            "8192 bytes are not beyond"
        );
    });
}

#[test]
fn memory_beyond_shmall_is_refused() {
    limited("kernel.shmall", "3", || {
        let kept = Ring::<u64>::private(512).unwrap();
        let advice = "sysctl -w kernel.shmall=PAGES";
        assert_limit(Ring::private(512), "kernel.shmall", "3", advice);
        drop(kept);
        assert_nothing_left();
    });
}

#[test]
fn a_segment_more_than_shmmni_is_refused() {
    limited("kernel.shmmni", "2", || {
        let kept = [(); 2].map(|()| Ring::<u64>::private(1).unwrap());
        let advice = "sysctl -w kernel.shmmni=";
        assert_limit(Ring::private(1), "kernel.shmmni", "2", advice);
        drop(kept);
        assert_nothing_left();
    });
}

#[test]
fn a_set_more_than_semmni_is_refused_and_its_segment_taken_back() {
    limited("kernel.sem", "32000 1024000000 500 2", || {
        let kept = Ring::<u64>::private(1).unwrap();
        let other = sysv::semget(Key::PRIVATE, 1, sysv::SemGetFlags::CREATE, 0o600).unwrap();
        let at = "32000 1024000000 500 2";
        let made = Ring::private(1);
        assert!(made.as_ref().unwrap_err().to_string().contains("SEMMNI"));
        assert_limit(made, "kernel.sem", at, "sysctl -w kernel.sem=");
        sysv::semctl_rmid(other).unwrap();
        assert!(Ring::<u64>::private(1).is_ok());
        drop(kept);
        assert_nothing_left();
    });
}

#[test]
fn semaphores_beyond_semmns_are_refused() {
    limited("kernel.sem", "32000 12 500 32000", || {
        let kept = Ring::<u64>::private(1).unwrap();
        let made = Ring::private(1);
        assert!(made.as_ref().unwrap_err().to_string().contains("SEMMNS"));
        let at = "32000 12 500 32000";
        assert_limit(made, "kernel.sem", at, "sysctl -w kernel.sem=");
        drop(kept);
        assert_nothing_left();
    });
}

#[test]
fn a_set_larger_than_semmsl_is_refused() {
    limited("kernel.sem", "8 1024000000 500 32000", || {
        let made = Ring::private(1);
        assert!(made.as_ref().unwrap_err().to_string().contains("SEMMSL"));
        let at = "8 1024000000 500 32000";
        assert_limit(made, "kernel.sem", at, "sysctl -w kernel.sem=");
        assert_nothing_left();
    });
}

#[test]
fn fewer_operations_than_attaching_takes_are_refused_at_creation() {
    limited("kernel.sem", "32000 1024000000 5 32000", || {
        let made = Ring::private(1);
        assert!(made.as_ref().unwrap_err().to_string().contains("SEMOPM"));
        let at = "32000 1024000000 5 32000";
        assert_limit(made, "kernel.sem", at, "sysctl -w kernel.sem=");
        assert_nothing_left();
        assert!(set_limit("kernel.sem", "32000 1024000000 6 32000"));
        let ring = Ring::<u64>::private(1).unwrap();
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push(1).unwrap();
        assert_eq!(rx.pop(), Ok(1));
    });
}

#[test]
fn a_refused_set_is_no_answer_for_ever() {
    limited("kernel.sem", "32000 1024000000 500 0", || {
        let at = "32000 1024000000 500 0";
        assert_limit(Ring::private(1), "kernel.sem", at, "sysctl -w kernel.sem=");
        assert!(set_limit("kernel.sem", "32000 1024000000 500 32000"));
        assert!(Ring::<u64>::private(1).is_ok());
        assert_nothing_left();
    });
}

#[test]
fn a_name_is_not_given_to_what_could_not_be_made() {
    limited("kernel.sem", "32000 1024000000 500 1", || {
        let kept = Ring::<u64>::private(1);
        assert!(kept.is_ok(), "the self-test takes no set of its own");
        let folder = tempfile::tempdir().unwrap();
        let key = Name::Key(Key::new(7));
        for name in [Name::from(folder.path().join("ring")), key] {
            let made = Ring::<u64>::create(&name, 1);
            assert!(matches!(made, Err(Error::Limit { .. })), "{name}");
            assert!(matches!(
                Ring::<u64>::open(&name),
                Err(Error::NotFound { .. })
            ));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(kept);
        assert_nothing_left();
    });
}

#[test]
fn missing_huge_pages_are_refused() {
    apart_unprepared(|| {
        let Some(free) = meminfo("HugePages_Free:") else {
            return; // a kernel without
        };
        let more = (free as usize + 1) * (4 << 20) / 8;
        let made = Options::new().capacity(more).huge_pages(true);
        let total = fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap();
        let advice = "sysctl -w vm.nr_hugepages=";
        assert_limit(
            made.create(Name::Private),
            "vm.nr_hugepages",
            total.trim(),
            advice,
        );
        assert_nothing_left();
    });
}

fn meminfo(name: &str) -> Option<u64> {
    let all = fs::read_to_string("/proc/meminfo").unwrap();
    let line = all.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[test]
fn pages_that_may_not_be_locked_are_refused() {
    apart_unprepared(|| {
        if !Uid::effective().is_root() {
            skipped("only root can give up his permissions for good");
            return;
        }
        setrlimit(Resource::RLIMIT_MEMLOCK, 4096, 4096).unwrap();
        setuid(NOBODY).unwrap();
        let made = Options::new().capacity(4096).lock_memory(true);
        let made = made.create::<u64>(Name::Private).unwrap_err();
        let text = made.to_string();
        assert!(
            matches!(
                made,
                Error::Limit {
                    limit: "RLIMIT_MEMLOCK",
                    ..
                }
            ),
            "{text}"
        );
        assert!(text.contains("ulimit -l"), "{text}");
        assert_nothing_left();
    });
}

#[test]
fn pages_are_locked_when_asked_for() {
    apart_unprepared(|| {
        let made = Options::new().lock_memory(true).create::<u8>(Name::Private);
        match made {
            Ok(ring) => {
                let id = ring.status().unwrap().unwrap().id;
                assert!(sysv::shmctl_stat(id).unwrap().locked);
            }
            Err(Error::Limit { limit, .. }) => assert_eq!(limit, "RLIMIT_MEMLOCK"),
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn memory_comes_at_creation_or_later_as_asked_for() {
    apart_unprepared(|| {
        for prefault in [true, false] {
            let made = Options::new().capacity(1 << 17).prefault(prefault);
            let ring = made.create::<u64>(Name::Private).unwrap();
            // The line of the only segment; its resident bytes are in the last column but one.
            let list = fs::read_to_string("/proc/sysvipc/shm").unwrap();
            let line = list.lines().last().unwrap();
            let resident: usize = line
                .split_ascii_whitespace()
                .nth_back(1)
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(resident > 1 << 20, prefault, "{line}");
            drop(ring);
        }
    });
}

/// Leaves a ring whose creator and users are dead, with no name, no items, and its semaphores.
fn leave_a_dead_ring(folder: &Path) {
    let path = folder.join("dead");
    let shared = Shared::new();
    let child = forked_unprepared(|| {
        let ring = Ring::<u64>::create(&path, 1).unwrap();
        let _tx = ring.producer().unwrap();
        shared.set(0, 1);
        thread::sleep(Duration::from_secs(600));
    });
    shared.until(0, 1);
    child.kill();
    // As if its remover, too, had been killed.
    let id = ringpipe::status(&path).unwrap().id;
    Raw::attach(id).set(152, 4, 1);
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_dead_ring_makes_room_for_a_segment() {
    limited("kernel.shmmni", "1", || {
        let folder = tempfile::tempdir().unwrap();
        leave_a_dead_ring(folder.path());
        assert_eq!(segments().len(), 1);
        let ring = Ring::<u64>::create(folder.path().join("ring"), 1).unwrap();
        assert_eq!((segments().len(), sets().len()), (1, 1));
        ringpipe::remove(ring.name().unwrap()).unwrap();
    });
}

#[test]
fn a_dead_ring_makes_room_for_semaphores() {
    limited("kernel.sem", "32000 1024000000 500 1", || {
        let folder = tempfile::tempdir().unwrap();
        leave_a_dead_ring(folder.path());
        assert_eq!(sets().len(), 1);
        let ring = Ring::<u64>::create(folder.path().join("ring"), 1).unwrap();
        assert_eq!((segments().len(), sets().len()), (1, 1));
        ringpipe::remove(ring.name().unwrap()).unwrap();
    });
}

#[test]
fn a_ring_with_items_makes_no_room() {
    limited("kernel.shmmni", "1", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let ring = Ring::<u64>::create(&path, 4).unwrap();
        ring.producer().unwrap().push(7).unwrap();
        drop(ring);
        let hidden = folder.path().join("hidden");
        fs::rename(&path, &hidden).unwrap();
        let advice = "ringpipe gc";
        assert_limit(Ring::create(&path, 1), "kernel.shmmni", "1", advice);
        let mut rx = Ring::<u64>::open(&hidden).unwrap().consumer().unwrap();
        assert_eq!(rx.pop(), Ok(7));
    });
}

const NOBODY: Uid = Uid::from_raw(65534);

/// Runs `body` as a user who owns nothing, where this one may become him.
fn as_nobody(body: impl FnOnce()) {
    if !Uid::effective().is_root() {
        skipped("only root can become another user");
        return;
    }
    forked(|| {
        setuid(NOBODY).unwrap();
        body();
    })
    .join();
}

/// A folder that everybody may look into.
fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

#[track_caller]
fn assert_denied<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{text}");
    assert!(text.contains("no permission to"), "{text}");
}

#[test]
fn another_user_may_neither_open_nor_remove() {
    apart_unprepared(|| {
        let folder = open_folder();
        let path = folder.path().join("ring");
        let key = Key::new(7);
        let by_path = Ring::<u64>::create(&path, 1).unwrap();
        let by_key = Ring::<u64>::create(key, 1).unwrap();
        as_nobody(|| {
            let names = [
                Name::from(&path),
                key.into(),
                by_path.id().unwrap(),
                by_key.id().unwrap(),
            ];
            for name in &names {
                assert_denied(Ring::<u64>::open(name));
                assert_denied(Ring::<u64>::open_or_create(name, 1));
                assert_denied(ringpipe::status(name));
                assert_denied(ringpipe::remove(name));
            }
            assert!(ringpipe::list().unwrap().is_empty());
            let paths = [folder.path().to_owned()];
            assert_eq!(ringpipe::collect(&paths, false).unwrap(), []);
        });
        for ring in [by_path, by_key] {
            assert!(!ring.is_removed());
            ringpipe::remove(ring.name().unwrap()).unwrap();
            assert!(ring.is_removed());
        }
        assert_nothing_left();
    });
}

#[test]
fn another_user_may_look_at_what_he_may_read_and_no_more() {
    apart_unprepared(|| {
        let folder = open_folder();
        let path = folder.path().join("ring");
        let options = Options::new().capacity(4).mode(0o644);
        let ring = options.create::<u64>(&path).unwrap();
        let mut tx = ring.producer().unwrap();
        tx.push(1).unwrap();
        as_nobody(|| {
            for name in [Name::from(&path), ring.id().unwrap()] {
                let status = ringpipe::status(name.clone()).unwrap();
                assert_eq!((status.len, status.mode), (1, 0o644));
                assert_eq!(status.state, RingState::Ready);
                assert!(status.producer.pid.is_some());
                assert_denied(options.open::<u64>(name.clone()));
                assert_denied(ringpipe::remove(name));
            }
            assert_eq!(ringpipe::list().unwrap().len(), 1);
        });
        ringpipe::remove(&path).unwrap();
    });
}

#[test]
fn another_user_may_use_what_the_mode_gives_him() {
    apart_unprepared(|| {
        let folder = open_folder();
        let path = folder.path().join("ring");
        let options = Options::new().capacity(4).mode(0o666);
        let ring = options.create::<u64>(&path).unwrap();
        let mut rx = ring.consumer().unwrap();
        if !Uid::effective().is_root() {
            return;
        }
        as_nobody(|| {
            let options = options.clone().trust_uid(0);
            let mut tx = options.open::<u64>(&path).unwrap().producer().unwrap();
            tx.push(5).unwrap();
            drop(tx);
            assert_denied(ringpipe::remove(&path));
            assert_denied(ringpipe::remove(
                options.open::<u64>(&path).unwrap().id().unwrap(),
            ));
        });
        assert_eq!(rx.pop(), Ok(5));
        assert_eq!(rx.peer(), Ok(Peer::Finished));
        assert!(path.exists() && !ring.is_removed());
        ringpipe::remove(&path).unwrap();
    });
}

#[test]
fn who_may_not_give_a_ring_away_makes_none() {
    apart_unprepared(|| {
        let folder = open_folder();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let path = folder.path().join("ring");
        as_nobody(|| {
            let made = Options::new().uid(0).create::<u64>(&path);
            assert!(
                matches!(
                    made,
                    Err(Error::File { .. } | Error::PermissionDenied { .. })
                ),
                "{made:?}"
            );
        });
        assert!(!path.exists());
        assert_nothing_left();
    });
}

#[test]
fn a_folder_where_nothing_may_be_made_gets_no_ring() {
    apart_unprepared(|| {
        let folder = open_folder();
        as_nobody(|| {
            let made = Ring::<u64>::create(folder.path().join("ring"), 1).unwrap_err();
            assert!(matches!(made, Error::File { .. }), "{made}");
            assert!(made.to_string().contains("Permission denied"), "{made}");
        });
        assert_nothing_left();
    });
}

/// The semaphore set of a ring.
fn set_of(ring: &Ring<u64>) -> SemId {
    ring.status().unwrap().unwrap().set.unwrap()
}

/// That a message says who removes semaphores under their users.
#[track_caller]
fn assert_explained(fault: &impl std::fmt::Display) {
    let text = fault.to_string();
    assert!(
        text.contains("RemoveIPC") && text.contains("ipcrm"),
        "{text}"
    );
}

#[test]
fn sleepers_whose_semaphores_are_removed_get_a_fault_and_no_end_of_feed() {
    apart_unprepared(|| {
        for (full, timed) in [(true, false), (true, true), (false, false), (false, true)] {
            let ring = Ring::<u64>::private(1).unwrap();
            let set = set_of(&ring);
            let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            let long = Duration::from_secs(600);
            if full {
                tx.push(1).unwrap();
            }
            let door = if full { 3 } else { 2 };
            thread::scope(|scope| {
                if full {
                    scope.spawn(move || {
                        let end = if timed {
                            format!("{:?}", tx.push_timeout(2, long))
                        } else {
                            format!("{:?}", tx.push(2))
                        };
                        assert_eq!(end, "Err(Fault(Removed, ..))");
                        assert_eq!(tx.push(2), Err(PushError::Fault(2, Fault::Removed)));
                    });
                } else {
                    scope.spawn(move || {
                        if timed {
                            let end = rx.pop_timeout(long);
                            assert_eq!(end, Err(PopTimeoutError::Fault(Fault::Removed)));
                        } else {
                            assert_eq!(rx.pop(), Err(PopError::Fault(Fault::Removed)));
                        }
                    });
                }
                until(|| sysv::semctl_getncnt(set, door) == Ok(1));
                sysv::semctl_rmid(set).unwrap();
            });
        }
        assert_nothing_left();
    });
}

#[test]
fn the_awake_whose_semaphores_are_removed_keep_what_is_there_and_then_get_a_fault() {
    apart_unprepared(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let ring = Ring::<u64>::create(&path, 2).unwrap();
        let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
        tx.push(1).unwrap();
        sysv::semctl_rmid(set_of(&ring)).unwrap();
        // Needs no semaphore.
        tx.push(2).unwrap();
        let full = tx.push(3);
        assert_eq!(full, Err(PushError::Fault(3, Fault::Removed)));
        assert_explained(&full.unwrap_err());
        assert_eq!((rx.pop(), rx.pop()), (Ok(1), Ok(2)));
        assert_eq!(rx.pop(), Err(PopError::Fault(Fault::Removed)));
        assert_explained(&rx.pop().unwrap_err());
        assert_eq!(rx.peer(), Err(Fault::Removed));
        assert_eq!(rx.is_disconnected(), Err(Fault::Removed));
        // These ask the kernel now and then only.
        let answer =
            std::iter::repeat_with(|| rx.try_pop()).find(|end| *end != Err(TryPopError::Empty));
        assert_eq!(answer, Some(Err(TryPopError::Fault(Fault::Removed))));
        tx.try_push_slice(&[1, 2]).unwrap();
        let answer = std::iter::repeat_with(|| tx.try_push(3))
            .find(|end| *end != Err(TryPushError::Full(3)));
        assert_eq!(answer, Some(Err(TryPushError::Fault(3, Fault::Removed))));
        assert_eq!(tx.finish(), Err(Fault::Removed));
        drop(rx);

        assert_eq!(ring.status().unwrap().unwrap().state, RingState::Broken);
        assert!(matches!(ring.producer(), Err(Error::Removed)));
        let opened = Ring::<u64>::open(&path).unwrap_err();
        assert!(matches!(opened, Error::Removed), "{opened}");
        assert_explained(&opened);
        drop(ring);
        ringpipe::remove(&path).unwrap();
        assert_nothing_left();
    });
}

#[test]
fn what_a_killed_user_of_a_removed_ring_leaves_is_collected() {
    apart_unprepared(|| {
        let folder = tempfile::tempdir().unwrap();
        leave_a_dead_ring(folder.path());
        let found = ringpipe::collect(&[], true).unwrap();
        assert!(matches!(found[..], [Garbage::Removed(_)]), "{found:?}");
        assert_eq!(segments().len(), 1, "it was only asked what there is");
        // The collector is the last user, which takes the semaphores, too.
        let found = ringpipe::collect(&[], false).unwrap();
        assert!(matches!(found[..], [Garbage::Removed(_)]), "{found:?}");
        assert_nothing_left();
    });
}

#[test]
fn a_foreign_segment_counts_and_stays() {
    limited("kernel.shmmni", "1", || {
        let foreign = sysv::shmget(Key::PRIVATE, 8192, ShmGetFlags::CREATE, 0o600).unwrap();
        assert_limit(Ring::private(1), "kernel.shmmni", "1", "ipcs -m");
        assert_eq!(segments(), [foreign.raw()]);
    });
}
