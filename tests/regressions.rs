//! What went wrong once, each in an IPC namespace of its own.
#![allow(missing_docs)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use common::Place;
use common::apart::{apart, segments, sets};
use common::raw::Raw;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Uid, setuid};
use ringpipe::spsc::{Options, Ring};
use ringpipe::sysv::{self, Key};
use ringpipe::{Error, Name};

#[test]
fn key_zero_made_a_ring_that_nobody_could_find() {
    apart(|| {
        let created = Ring::<u8>::create(Name::Key(Key::PRIVATE), 1);
        assert!(matches!(created.unwrap_err(), Error::BadName { .. }));
        assert_eq!((segments(), sets()), (vec![], vec![]));
    });
}

#[test]
fn a_name_that_cannot_be_looked_at_was_called_taken() {
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x".repeat(300), "with\0zero".into()] {
            let created = Ring::<u8>::create(folder.path().join(name), 1);
            assert!(matches!(created.unwrap_err(), Error::File { .. }));
        }
    });
}

#[test]
fn a_link_to_nothing_cost_a_hundred_segments() {
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        std::os::unix::fs::symlink(folder.path().join("nothing"), &path).unwrap();
        let newest = newest_segment();
        assert!(Ring::<u8>::open_or_create(&path, 1).is_err());
        assert_eq!(newest_segment(), newest + 1);
    });
}

/// The next id, which in a young namespace is the number of segments there have been.
fn newest_segment() -> i32 {
    let ring = Ring::<u8>::private(1).unwrap();
    let Some(Name::Id(id)) = ring.id() else {
        panic!("it has an id");
    };
    id.raw()
}

#[test]
fn a_socket_was_no_foreign_file() {
    let place = Place::new();
    let _socket = std::os::unix::net::UnixListener::bind(place.path()).unwrap();
    let opened = Ring::<u8>::open(place.path()).unwrap_err();
    assert!(matches!(opened, Error::NotARing { .. }), "{opened}");
}

#[test]
fn a_truncated_file_led_to_another_namespace() {
    let place = Place::new();
    let _ring = Ring::<u8>::create(place.path(), 1).unwrap();
    let record = fs::read_to_string(place.path()).unwrap();
    let truncated = place.folder().join("truncated");
    fs::write(&truncated, &record[..record.len() - 3]).unwrap();
    let opened = Ring::<u8>::open(&truncated).unwrap_err();
    assert!(matches!(opened, Error::NotARing { .. }), "{opened}");
}

/// A path whose ring is gone and whose segment id belongs to `other`: what long uptime brings about by itself.
fn reused(other: sysv::ShmId) -> Place {
    let place = Place::new();
    let ring = Ring::<u8>::create(place.path(), 1).unwrap();
    let Some(Name::Id(id)) = ring.id() else {
        panic!("it has an id");
    };
    let record = fs::read_to_string(place.path()).unwrap();
    let [own, other] = [id, other].map(|id| format!("segment {}\n", id.raw()));
    ringpipe::remove(place.path()).unwrap();
    fs::write(place.path(), record.replace(&own, &other)).unwrap();
    place
}

#[test]
fn a_name_whose_id_a_foreign_segment_has_was_kept() {
    apart(|| {
        for size in [1, 4096] {
            let foreign = sysv::shmget(Key::PRIVATE, size, sysv::ShmGetFlags::CREATE, 0o600);
            let foreign = foreign.unwrap();
            let place = reused(foreign);
            let opened = Ring::<u8>::open(place.path()).unwrap_err();
            assert!(matches!(opened, Error::Stale { .. }), "{opened}");
            ringpipe::remove(place.path()).unwrap();
            assert!(!place.path().exists());
            let place = reused(foreign);
            Ring::<u8>::open_or_create(place.path(), 1).unwrap();
            assert!(sysv::shmctl_stat(foreign).is_ok());
        }
    });
}

/// Runs `body` as a user who owns nothing; `false` if this process may not become that user.
fn as_nobody(body: impl FnOnce()) -> bool {
    let allowed = Uid::effective().is_root();
    if allowed {
        common::forked(|| {
            setuid(Uid::from_raw(65534)).unwrap();
            body();
        })
        .join();
    }
    allowed
}

#[test]
fn a_ring_that_could_not_be_removed_was_called_removed() {
    apart(|| {
        let name = Name::Key(Key::new(7));
        let ring = Options::new()
            .mode(0o666)
            .create::<u8>(name.clone())
            .unwrap();
        let refused = as_nobody(|| {
            let removed = ringpipe::remove(name.clone()).unwrap_err();
            assert!(matches!(removed, Error::PermissionDenied { .. }));
        });
        assert!(!refused || !ring.is_removed());
    });
}

#[test]
fn a_name_in_a_folder_of_others_was_an_error_of_files() {
    let place = Place::new();
    fs::set_permissions(place.folder(), Permissions::from_mode(0o755)).unwrap();
    let _ring = Options::new()
        .mode(0o666)
        .create::<u8>(place.path())
        .unwrap();
    as_nobody(|| {
        let removed = ringpipe::remove(place.path()).unwrap_err();
        assert!(
            matches!(removed, Error::PermissionDenied { .. }),
            "{removed}"
        );
    });
}

#[test]
fn whoever_may_only_read_got_no_status() {
    let place = Place::new();
    fs::set_permissions(place.folder(), Permissions::from_mode(0o755)).unwrap();
    let ring = Options::new()
        .mode(0o644)
        .create::<u8>(place.path())
        .unwrap();
    ring.producer().unwrap().push(1).unwrap();
    as_nobody(|| assert_eq!(ringpipe::status(place.path()).unwrap().len, 1));
}

#[test]
fn a_forged_header_made_the_last_one_out_remove_the_semaphores_of_others() {
    apart(|| {
        let place = Place::new();
        let foreign = sysv::semget(Key::PRIVATE, 9, sysv::SemGetFlags::CREATE, 0o600).unwrap();
        let ring = Ring::<u8>::create(place.path(), 1).unwrap();
        let status = ring.status().unwrap().unwrap();
        let header = Raw::attach(status.id);
        header.set(72, 4, u64::from(foreign.raw().unsigned_abs()));
        drop((ring, header));
        let opened = Ring::<u8>::open(place.path()).unwrap_err();
        assert!(matches!(opened, Error::Corrupt { .. }), "{opened}");
        let status = ringpipe::status(place.path()).unwrap();
        assert_eq!(status.state, ringpipe::RingState::Broken);
        ringpipe::remove(place.path()).unwrap();
        assert!(sysv::semctl_stat(foreign).is_ok());
        assert_eq!(ringpipe::collect(&[], false).unwrap().len(), 1);
        assert_eq!(sets(), [foreign.raw()]);
    });
}

#[test]
fn no_ring_could_be_made_of_huge_pages() {
    apart(|| {
        let made = Options::new().huge_pages(true).create::<u8>(Name::Private);
        match made {
            Ok(ring) => ring.producer().unwrap().push(1).unwrap(),
            // As on most machines, there are none.
            Err(Error::Limit { limit, .. }) => assert_eq!(limit, "vm.nr_hugepages"),
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn a_thread_in_a_namespace_of_its_own_gave_the_name_of_another() {
    apart(|| {
        let place = Place::new();
        let in_thread = || {
            if unshare(CloneFlags::CLONE_NEWIPC).is_err() {
                return;
            }
            let _ring = Ring::<u8>::create(place.path(), 1).unwrap();
            let own = fs::metadata("/proc/thread-self/ns/ipc").unwrap().ino();
            let record = fs::read_to_string(place.path()).unwrap();
            assert!(record.ends_with(&format!("namespace {own}\n")), "{record}");
            assert!(Ring::<u8>::open(place.path()).is_ok());
        };
        std::thread::scope(|scope| scope.spawn(in_thread).join().unwrap());
    });
}

#[test]
fn no_ring_could_be_made_by_a_user_without_a_number() {
    apart(|| {
        // In a fresh user namespace nobody has a number, so nobody can be made the owner.
        if unshare(CloneFlags::CLONE_NEWUSER).is_ok() {
            assert!(Ring::<u8>::create(Key::new(7), 1).is_ok());
        }
    });
}
