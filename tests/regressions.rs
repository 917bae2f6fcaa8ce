//! What went wrong once, each in an IPC namespace of its own.
#![allow(missing_docs)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

use common::apart::{apart, segments, sets};
use common::raw::Raw;
use common::steps::{Stepped, killed_everywhere};
use common::{Place, watched};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Uid, setuid};
use ringpipe::spsc::{Options, Ring};
use ringpipe::sysv::{self, Key, ShmId};
use ringpipe::{Error, Name, PushTimeoutError, mpmc, stream};

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
        header.set(72, 4, u64::from(foreign.raw().cast_unsigned()));
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

/// Runs `work` again and again, and at its first halt, its second and so on, `meanwhile`; `look` comes after its end.
fn disturbed_everywhere(work: impl Fn(), mut meanwhile: impl FnMut(), mut look: impl FnMut()) {
    for halts in 1.. {
        let mut process = Stepped::new(&work);
        if !(0..halts).all(|_| process.step()) {
            return;
        }
        meanwhile();
        process.finish();
        look();
    }
}

#[test]
fn a_ring_replaced_under_its_remover_lost_its_name_and_stayed() {
    apart(|| {
        let place = Place::new();
        drop(Ring::<u8>::create(place.path(), 1).unwrap());
        disturbed_everywhere(
            || drop(ringpipe::remove(place.path())),
            || {
                let file = fs::File::open(place.path());
                if file.is_ok_and(|file| file.try_lock().is_err()) {
                    return; // nobody replaces it while it is locked
                }
                let _ = ringpipe::remove(place.path());
                let ring = Ring::<u8>::create(place.path(), 1).unwrap();
                ring.producer().unwrap().push(1).unwrap();
            },
            || {
                ringpipe::collect(&[], false).unwrap();
                let named = usize::from(place.path().exists());
                assert_eq!((segments().len(), sets().len()), (named, named));
                drop(Ring::<u8>::open_or_create(place.path(), 1).unwrap());
            },
        );
    });
}

#[test]
fn whoever_could_read_a_name_kept_others_from_removing_it() {
    let (place, _watchdog) = watched("a lock on a name");
    drop(Ring::<u8>::create(place.path(), 1).unwrap());
    let reader = fs::File::open(place.path()).unwrap();
    reader.lock_shared().unwrap();
    let removed = ringpipe::remove(place.path()); // comes back while the lock is held
    assert!(matches!(removed, Err(Error::File { action: "lock", .. })));
    drop(reader);
    ringpipe::remove(place.path()).unwrap();
}

/// It may stay, to be removed by its id, at one moment alone: when the remover has unlinked the
/// name and not noted that yet.
#[test]
fn a_ring_with_items_whose_remover_was_killed_stayed_for_ever() {
    apart(|| {
        let place = Place::new();
        let mut nameless = 0;
        let create = || {
            let ring = Ring::<u8>::open_or_create(place.path(), 1).unwrap();
            let _ = ring.producer().unwrap().try_push(1);
        };
        create();
        killed_everywhere(
            || drop(ringpipe::remove(place.path())),
            |_| {
                ringpipe::collect(&[place.folder().to_owned()], false).unwrap();
                let named = usize::from(place.path().exists());
                if let ([id], 0) = (&segments()[..], named) {
                    nameless += 1;
                    let id = Name::Id(ShmId::from_raw(*id));
                    assert_eq!(ringpipe::status(&id).unwrap().len, 1);
                    ringpipe::remove(id).unwrap();
                }
                assert_eq!((segments().len(), sets().len()), (named, named));
                create();
                assert_eq!(ringpipe::status(place.path()).unwrap().len, 1);
            },
        );
        assert_eq!(nameless, 1);
    });
}

#[test]
fn a_path_that_could_not_be_removed_lost_its_name() {
    let place = Place::new();
    fs::set_permissions(place.folder(), Permissions::from_mode(0o777)).unwrap();
    let ring = Options::new()
        .mode(0o666)
        .create::<u8>(place.path())
        .unwrap();
    as_nobody(|| {
        let removed = ringpipe::remove(place.path()).unwrap_err();
        assert!(matches!(removed, Error::PermissionDenied { .. }));
        assert!(!ring.is_removed());
        assert!(place.path().exists());
    });
}

/// An empty ring that nobody is attached to, without a name: what is left of a killed creator of a private ring.
fn left_without_name(place: &Place) -> Name {
    let ring = Ring::<u8>::create(place.path(), 1).unwrap();
    let Some(Name::Id(id)) = ring.id() else {
        panic!("it has an id");
    };
    Raw::attach(id).set(88, 4, 0); // the length of its path
    fs::remove_file(place.path()).unwrap();
    Name::Id(id)
}

#[test]
fn what_was_put_into_a_ring_while_it_was_looked_at_was_collected() {
    apart(|| {
        let place = Place::new();
        let mut left = left_without_name(&place);
        let mut lost = 0;
        for halts in 1.. {
            let mut collector = Stepped::new(|| drop(ringpipe::collect(&[], false)));
            if !(0..halts).all(|_| collector.step()) {
                break;
            }
            let put =
                Ring::<u8>::open(&left).is_ok_and(|ring| ring.producer().unwrap().push(1).is_ok());
            collector.finish();
            let kept = ringpipe::remove(&left).is_ok();
            lost += usize::from(put && !kept);
            ringpipe::collect(&[], false).unwrap();
            left = left_without_name(&place);
        }
        // From the last look over the detaching to the removal, nothing can be noticed any more.
        assert!((1..=4).contains(&lost), "{lost}");
    });
}

#[test]
fn a_renamed_ring_was_collected_under_its_new_name() {
    apart(|| {
        let place = Place::new();
        drop(Ring::<u8>::create(place.path(), 1).unwrap());
        let renamed = place.folder().join("renamed");
        fs::rename(place.path(), &renamed).unwrap();
        assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
        assert!(Ring::<u8>::open(&renamed).is_ok());
        ringpipe::remove(&renamed).unwrap();
    });
}

/// From now on the call, or only that with such a third argument, is refused in this process.
fn refuse(call: i64, third: Option<i32>, errno: i32) {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let unless = |k: u32, skipped| libc::sock_filter {
        jf: skipped,
        ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k)
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let give = libc::BPF_RET | libc::BPF_K;
    let mut filter = vec![
        statement(load, 0), // the call's number
        unless(call as u32, if third.is_some() { 3 } else { 1 }),
    ];
    if let Some(third) = third {
        filter.extend([statement(load, 32), unless(third as u32, 1)]);
    }
    filter.extend([
        statement(give, libc::SECCOMP_RET_ERRNO | errno as u32),
        statement(give, libc::SECCOMP_RET_ALLOW),
    ]);
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: takes numbers only.
    #[allow(unsafe_code)]
    let alone = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the program and its filter live until the kernel has copied them.
    #[allow(unsafe_code)]
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) };
    assert_eq!((alone, set), (0, 0));
}

#[test]
fn a_kernel_that_cannot_populate_had_no_memory() {
    apart(|| {
        // As before Linux 5.14.
        refuse(
            libc::SYS_madvise,
            Some(libc::MADV_POPULATE_WRITE),
            libc::EINVAL,
        );
        let ring = Options::new().create::<u64>(Name::Private).unwrap();
        ring.producer().unwrap().push(1).unwrap();
    });
}

#[test]
fn a_name_was_given_before_its_file_was_written_to_the_disk() {
    let place = Place::new();
    common::forked(|| {
        refuse(libc::SYS_fsync, None, libc::EIO);
        let created = Ring::<u8>::create(place.path(), 1);
        assert!(matches!(created.unwrap_err(), Error::File { .. }));
        assert!(!place.path().exists());
    })
    .join();
}

#[test]
fn a_collector_went_where_a_link_led_it() {
    apart(|| {
        let (place, elsewhere) = (Place::new(), Place::new());
        let ring = Ring::<u8>::create(elsewhere.path(), 1).unwrap();
        let Some(Name::Id(id)) = ring.id() else {
            panic!("it has an id");
        };
        sysv::shmctl_rmid(id).unwrap();
        drop(ring);
        std::os::unix::fs::symlink(elsewhere.path(), place.path()).unwrap();
        let folders = [place.folder().to_owned()];
        assert_eq!(ringpipe::collect(&folders, false).unwrap(), []);
        assert!(place.path().is_symlink());
    });
}

#[test]
fn a_folder_exchanged_under_a_remover_cost_a_file_elsewhere() {
    apart(|| {
        let (place, elsewhere) = (Place::new(), Place::new());
        let (folder, aside) = (place.folder().join("in"), place.folder().join("aside"));
        let path = folder.join("ring");
        fs::create_dir(&folder).unwrap();
        fs::write(elsewhere.path(), "not a ring").unwrap();
        let create = || drop(Ring::<u8>::open_or_create(&path, 1).unwrap());
        create();
        disturbed_everywhere(
            || drop(ringpipe::remove(&path)),
            || {
                fs::rename(&folder, &aside).unwrap();
                std::os::unix::fs::symlink(elsewhere.folder(), &folder).unwrap();
            },
            || {
                assert!(elsewhere.path().exists());
                fs::remove_file(&folder).unwrap();
                fs::rename(&aside, &folder).unwrap();
                create();
            },
        );
        assert!(!path.exists(), "the last one was not disturbed");
    });
}

#[test]
fn the_semaphores_of_a_ring_stayed_that_ended_under_a_collector() {
    apart(|| {
        for halts in 1.. {
            let mut collector = Stepped::new(|| drop(ringpipe::collect(&[], true)));
            let ring = Ring::<u8>::private(1).unwrap();
            if !(0..halts).all(|_| collector.step()) {
                break;
            }
            drop(ring);
            collector.finish();
            assert_eq!(
                (segments(), sets()),
                (vec![], vec![]),
                "after {halts} halts"
            );
        }
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

#[test]
fn a_newcomer_waited_for_ever_where_the_table_called_the_numbers_of_the_living_free() {
    let (place, _watchdog) = watched("numbers that seem to be free");
    let fifo = stream::Options::new()
        .participants(2)
        .create(place.path())
        .unwrap();
    let (writer, reader) = fifo.both().unwrap();
    let segment = Raw::attach(id_of(fifo.id()));
    for state in [4096, 4096 + 128] {
        segment.set(state, 8, 0);
    }
    for refused in [
        reader.try_clone().map(drop).unwrap_err(),
        writer.try_clone().map(drop).unwrap_err(),
        fifo.writer_nonblocking().map(drop).unwrap_err(),
    ] {
        // Either of two bounds ends it, whichever comes first.
        let ended = matches!(
            refused,
            Error::Crowded { limit: 2 } | Error::TimedOut { .. }
        );
        assert!(ended, "{refused}");
    }
}

#[test]
fn an_item_in_an_impossible_place_kept_a_push_busy_for_minutes() {
    let (place, _watchdog) = watched("an item in an impossible place");
    let ring = mpmc::Ring::<u8>::create(place.path(), 4).unwrap();
    let mut tx = ring.producer().unwrap();
    let segment = Raw::attach(id_of(ring.id()));
    let second = 4096 + 64 * 128 + 8;
    segment.set(second, 8, 2); // full, while the first slot is free
    let refused = tx.reserve_timeout(2, Duration::from_millis(1)).map(drop);
    let no_room = PushTimeoutError::Timeout(());
    assert_eq!(refused, Err(no_room));
}

fn id_of(name: Option<Name>) -> ShmId {
    match name {
        Some(Name::Id(id)) => id,
        other => panic!("{other:?} is no id"),
    }
}
