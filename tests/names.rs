//! How rings are named, found, replaced, removed and collected, and what a killed creator leaves.
//!
//! Every test is in a process and an IPC namespace of its own, so that it can say what is left there.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::mem::forget;
use std::num::NonZeroU8;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use common::apart::{apart, segments, sets};
use common::raw::Raw;
use common::steps::{Stepped, killed_everywhere};
use common::{Shared, forked};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Uid, mkfifo};
use ringpipe::spsc::{Options, Ring};
use ringpipe::sysv::{self, Errno, Key, SemGetFlags, SemId, ShmGetFlags, ShmId};
use ringpipe::{Error, Garbage, Name, PopError, RingState};

/// A folder, and a path in it for a ring.
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

fn set_of(ring: &Ring<u64>) -> SemId {
    ring.status().unwrap().unwrap().set.unwrap()
}

fn set_is_there(set: SemId) -> bool {
    match sysv::semctl_stat(set) {
        Ok(_) => true,
        Err(Errno::EINVAL | Errno::EIDRM) => false,
        Err(other) => panic!("{other}"),
    }
}

/// That nothing is in this namespace.
#[track_caller]
fn assert_nothing_left() {
    assert_eq!((segments(), sets()), (vec![], vec![]));
}

/// That a result is an error of that variant, for example `refused!(result, NotFound)`.
macro_rules! refused {
    ($result:expr, $variant:ident) => {{
        let error = $result.unwrap_err();
        assert!(matches!(error, Error::$variant { .. }), "{error:?}");
        error
    }};
}

/// A key that means nothing.
const KEY: Key = Key::new(0x7269_6e67);

// Names.

#[test]
fn every_kind_of_name_leads_to_its_ring() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let ftok = Name::ftok(folder.path(), NonZeroU8::MIN).unwrap();
        for name in [Name::from(&path), Name::Key(KEY), ftok] {
            refused!(Ring::<u64>::open(&name), NotFound);
            refused!(ringpipe::status(&name), NotFound);
            refused!(ringpipe::remove(&name), NotFound);
            let made = Ring::<u64>::create(&name, 4).unwrap();
            refused!(Ring::<u64>::create(&name, 4), NameTaken);
            let found = Ring::<u64>::open(&name).unwrap();
            let either = Ring::<u64>::open_or_create(&name, 9).unwrap();
            made.producer().unwrap().push(7).unwrap();
            assert_eq!(found.consumer().unwrap().pop(), Ok(7));
            assert_eq!((found.capacity(), either.capacity()), (4, 4));
            assert_eq!([made.id(), found.id()], [either.id(), either.id()]);
            assert_eq!([made.name(), found.name()], [Some(&name); 2]);
            assert_eq!(ringpipe::status(&name).unwrap().name, name);
            let listed: Vec<_> = ringpipe::list().unwrap();
            assert_eq!([&listed[0].name], [&name]);
            assert_eq!(listed.len(), 1);
            ringpipe::remove(&name).unwrap();
            refused!(Ring::<u64>::open(&name), NotFound);
            drop((made, found, either));
            assert_nothing_left();
            let made = Ring::<u64>::open_or_create(&name, 9).unwrap();
            assert_eq!(made.capacity(), 9);
            ringpipe::remove(&name).unwrap();
        }
        assert_nothing_left();
    });
}

#[test]
fn a_private_ring_is_shared_with_a_child_and_opened_by_id() {
    apart(|| {
        let ring = Ring::<u64>::private(4).unwrap();
        assert_eq!(ring.name(), Some(&Name::Private));
        assert_eq!(ringpipe::list().unwrap()[0].name, Name::Private);
        let mut rx = ring.consumer().unwrap();
        forked(|| ring.producer().unwrap().push(1).unwrap()).join();
        let id = ring.id().unwrap();
        forked(|| {
            let found = Ring::<u64>::open(id.clone()).unwrap();
            found.producer().unwrap().push(2).unwrap();
            assert!(!found.is_removed());
        })
        .join();
        assert_eq!((rx.pop(), rx.pop()), (Ok(1), Ok(2)));
        assert!(!ring.is_removed());
        refused!(Ring::<u64>::open(Name::Private), BadName);
        refused!(ringpipe::remove(Name::Private), BadName);
        refused!(ringpipe::status(Name::Private), BadName);
        refused!(Ring::<u64>::create(id.clone(), 4), BadName);
        drop((ring, rx));
        refused!(Ring::<u64>::open(id), NotFound);
        assert_nothing_left();
    });
}

#[test]
fn a_private_ring_ends_with_its_last_user_even_if_killed() {
    apart(|| {
        let shared = Shared::new();
        let child = forked(|| {
            let ring = Ring::<u64>::private(4).unwrap();
            let mut tx = ring.producer().unwrap();
            tx.push(1).unwrap();
            shared.set(0, 1);
            thread::sleep(Duration::from_secs(600));
        });
        shared.until(0, 1);
        assert_eq!((segments().len(), sets().len()), (1, 1));
        assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
        child.kill();
        assert_eq!((segments().len(), sets().len()), (0, 1));
        let set = SemId::from_raw(sets()[0]);
        let found = ringpipe::collect(&[], false).unwrap();
        assert_eq!(found, [Garbage::Semaphores(set)]);
        assert_nothing_left();
    });
}

#[test]
fn the_set_of_a_private_ring_that_nobody_dropped_is_collected() {
    static KEPT: std::sync::OnceLock<Ring<u64>> = std::sync::OnceLock::new();
    apart(|| {
        let private = || Ring::<u64>::private(4).unwrap();
        let ways: [&dyn Fn(); 3] = [
            &|| {
                let _ring = private();
                std::process::exit(0);
            },
            &|| {
                KEPT.get_or_init(private);
            },
            &|| {
                // The parent drops it while its child still has it.
                let ring = private();
                let shared = Shared::new();
                let child = forked(|| {
                    forget(ring.clone());
                    shared.until(0, 1);
                    std::process::exit(0);
                });
                drop(ring);
                shared.set(0, 1);
                child.join();
            },
        ];
        for way in ways {
            forked(way).join();
            assert_eq!((segments().len(), sets().len()), (0, 1));
            let set = SemId::from_raw(sets()[0]);
            let found = ringpipe::collect(&[], false).unwrap();
            assert_eq!(found, [Garbage::Semaphores(set)]);
            assert_nothing_left();
        }
    });
}

#[test]
fn names_are_read_as_they_are_shown() {
    let names = [
        Name::from("/tmp/x"),
        Name::from("./key:1"),
        Name::Key(Key::new(42)),
        Name::Key(Key::new(-1)),
        Name::Id(ShmId::from_raw(7)),
        Name::Private,
    ];
    for name in names {
        assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
    }
    assert_eq!(
        "key:4294967295".parse::<Name>().unwrap(),
        Name::Key(Key::new(-1))
    );
    let ftok = "ftok:/:114".parse::<Name>().unwrap();
    assert_eq!(ftok, Name::ftok("/", NonZeroU8::new(114).unwrap()).unwrap());
    let bad = [
        "",
        "key:",
        "key:x",
        "key:-1",
        "key:4294967296",
        "key:0x",
        "key:0x1ffffffff",
        "id:",
        "id:-1",
        "id:x",
        "id:2147483648",
        "ftok:/",
        "ftok:/:0",
        "ftok:/:256",
        "ftok:/:x",
    ];
    for text in bad {
        refused!(text.parse::<Name>(), BadName);
    }
    refused!("ftok:/nothing/there:1".parse::<Name>(), File);
    refused!(Name::ftok("/nothing/there", NonZeroU8::MIN), File);
}

#[test]
fn names_that_cannot_be_are_refused() {
    apart(|| {
        let (folder, path) = folder_and_path();
        for name in ["", "/", "..", "/tmp/.."] {
            refused!(Ring::<u64>::create(name, 1), BadName);
            refused!(Ring::<u64>::open(name), BadName);
            refused!(Ring::<u64>::open_or_create(name, 1), BadName);
            refused!(ringpipe::remove(name), BadName);
        }
        refused!(Ring::<u64>::open(Key::PRIVATE), BadName);
        refused!(ringpipe::remove(Key::PRIVATE), BadName);
        for missing in [folder.path().join("no/ring"), path.join("ring")] {
            refused!(Ring::<u64>::create(&missing, 1), File);
            refused!(Ring::<u64>::open(&missing), File);
        }
        refused!(Ring::<u64>::open(ShmId::from_raw(-1)), NotFound);
        let mut long = folder.path().to_owned();
        while long.as_os_str().len() < 1024 {
            long.push("a-folder-that-is-one-of-many");
        }
        fs::create_dir_all(&long).unwrap();
        refused!(Ring::<u64>::create(long.join("ring"), 1), BadName);
        assert!(!long.join("ring").exists());
        assert_nothing_left();
    });
}

#[test]
fn relative_and_linked_paths_mean_the_same_ring() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let linked = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &linked).unwrap();
        std::env::set_current_dir(folder.path()).unwrap();
        let ring = Ring::<u64>::create("ring", 1).unwrap();
        let absolute = folder.path().canonicalize().unwrap().join("ring");
        assert_eq!(ring.name(), Some(&Name::from(&absolute)));
        for name in [path, linked.join("ring"), PathBuf::from("./ring")] {
            assert_eq!(Ring::<u64>::open(name).unwrap().id(), ring.id());
        }
        assert_eq!(ring.status().unwrap().unwrap().name, Name::from(absolute));
        ringpipe::remove(linked.join("ring")).unwrap();
        assert!(ring.is_removed());
    });
}

#[test]
fn a_folder_may_have_any_bytes_in_its_name() {
    use std::os::unix::ffi::OsStringExt;
    apart(|| {
        let (folder, _) = folder_and_path();
        let name = std::ffi::OsString::from_vec(b"\xff \n ring".to_vec());
        let path = folder.path().join(name);
        let ring = Ring::<u64>::create(&path, 1).unwrap();
        assert_eq!(ringpipe::list().unwrap()[0].name, Name::from(&path));
        drop(ring);
        assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
        ringpipe::remove(&path).unwrap();
    });
}

#[test]
fn other_files_under_the_path_are_refused_and_stay() {
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("empty"), "").unwrap();
        fs::write(at("text"), "ringpipe\n").unwrap();
        fs::write(
            at("random"),
            (0..=255).cycle().take(4096).collect::<Vec<u8>>(),
        )
        .unwrap();
        fs::File::create(at("huge"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        let ring = Ring::<u64>::create(at("ring"), 1).unwrap();
        let record = fs::read_to_string(at("ring")).unwrap();
        fs::write(at("truncated"), &record[..record.len() - 1]).unwrap();
        fs::write(at("longer"), format!("{record}\n")).unwrap();
        fs::write(at("newer"), record.replace("ringpipe 1", "ringpipe 2")).unwrap();
        fs::write(at("much longer"), record.repeat(100)).unwrap();
        ringpipe::remove(at("ring")).unwrap();
        drop(ring);
        let mut count = 0;
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let before = fs::metadata(&path).unwrap();
            refused!(Ring::<u64>::open(&path), NotARing);
            refused!(Ring::<u64>::create(&path, 1), NameTaken);
            refused!(Ring::<u64>::open_or_create(&path, 1), NotARing);
            refused!(ringpipe::status(&path), NotARing);
            refused!(ringpipe::remove(&path), NotARing);
            let after = fs::metadata(&path).unwrap();
            assert_eq!((before.ino(), before.len()), (after.ino(), after.len()));
            count += 1;
        }
        assert_eq!(count, 11);
        let folders = [folder.path().to_owned()];
        assert_eq!(ringpipe::collect(&folders, false).unwrap(), []);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), count);
        assert_nothing_left();
    });
}

#[test]
fn other_segments_under_the_key_are_refused_and_stay() {
    apart(|| {
        for (size, byte) in [(1, 0), (4095, 0), (4096, 0), (8192, 0x52)] {
            let id = sysv::shmget(KEY, size, ShmGetFlags::CREATE, 0o600).unwrap();
            let raw = Raw::attach(id);
            (0..size).for_each(|offset| raw.set(offset, 1, byte));
            refused!(Ring::<u64>::create(KEY, 1), NameTaken);
            refused!(ringpipe::remove(KEY), NotARing);
            refused!(ringpipe::remove(id), NotARing);
            refused!(Ring::<u64>::open(id), NotARing);
            if size != 4096 {
                // An empty one may become a ring yet, for a while; see below.
                refused!(Ring::<u64>::open(KEY), NotARing);
            }
            assert!(ringpipe::list().unwrap().is_empty());
            drop(raw);
            assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
            sysv::shmctl_rmid(id).unwrap();
        }
        assert_nothing_left();
    });
}

// Who may use a ring.

#[test]
fn mode_and_owner_are_what_was_asked_for_whatever_the_umask() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let root = Uid::effective().is_root();
        for mask in [0o777, 0o022, 0] {
            for (mode, given) in [(0o600, false), (0o640, root), (0o666, false), (0o777, root)] {
                umask(Mode::from_bits_truncate(mask));
                let mut options = Options::new().mode(mode);
                if given {
                    options = options.uid(1234).gid(5678);
                }
                for name in [Name::from(&path), Name::Key(KEY)] {
                    let ring = options.create::<u64>(&name).unwrap();
                    umask(Mode::from_bits_truncate(0o077));
                    let shm = sysv::shmctl_stat(id_of(&ring)).unwrap();
                    let sem = sysv::semctl_stat(set_of(&ring)).unwrap();
                    let owner = if given {
                        (1234, 5678)
                    } else {
                        (shm.cuid, shm.cgid)
                    };
                    assert_eq!((shm.mode, (shm.uid, shm.gid)), (mode, owner));
                    assert_eq!((sem.mode, (sem.uid, sem.gid)), (mode, owner));
                    if matches!(name, Name::Path(_)) {
                        let file = fs::metadata(&path).unwrap();
                        assert_eq!(
                            (file.mode() & 0o7777, (file.uid(), file.gid())),
                            (mode, owner)
                        );
                    }
                    let status = ring.status().unwrap().unwrap();
                    assert_eq!((status.mode, (status.uid, status.gid)), (mode, owner));
                    ringpipe::remove(&name).unwrap();
                }
            }
        }
        let made = Options::new().mode(0o7644).create::<u64>(&path).unwrap();
        let mode = sysv::shmctl_stat(id_of(&made)).unwrap().mode;
        assert_eq!(mode, 0o644, "nothing but permission bits");
        ringpipe::remove(&path).unwrap();
    });
}

// Removing.

#[test]
fn users_of_a_removed_ring_go_on_and_the_last_takes_the_semaphores_away() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        for name in [Name::from(&path), Name::Key(KEY)] {
            let old = Ring::<u64>::create(&name, 4).unwrap();
            let set = set_of(&old);
            let (mut tx, mut rx) = (old.producer().unwrap(), old.consumer().unwrap());
            tx.push(1).unwrap();
            assert!(!old.is_removed());
            ringpipe::remove(&name).unwrap();
            assert!(old.is_removed());
            assert_eq!(old.status().unwrap().unwrap().state, RingState::Removed);
            refused!(Ring::<u64>::open(&name), NotFound);
            refused!(ringpipe::remove(&name), NotFound);

            let new = Ring::<u64>::create(&name, 4).unwrap();
            assert_ne!(new.id(), old.id());
            assert!(!new.is_removed());
            let (mut new_tx, mut new_rx) = (new.producer().unwrap(), new.consumer().unwrap());
            new_tx.push(100).unwrap();
            tx.push(2).unwrap();
            assert_eq!((rx.pop(), rx.pop()), (Ok(1), Ok(2)));
            assert_eq!(new_rx.pop(), Ok(100));
            tx.finish().unwrap();
            assert_eq!(rx.pop(), Err(PopError::Disconnected));
            // The roles can be taken anew, though nobody can come by the name.
            let mut tx = old.producer().unwrap();
            thread::scope(|scope| {
                scope.spawn(|| assert_eq!(rx.pop(), Ok(3)));
                tx.push(3).unwrap();
            });
            drop((tx, rx));
            assert!(set_is_there(set));
            drop(old);
            assert!(!set_is_there(set));
            assert!(set_is_there(set_of(&new)));
            ringpipe::remove(&name).unwrap();
            drop((new_tx, new_rx, new));
            assert_nothing_left();
        }
    });
}

#[test]
fn a_ring_without_users_goes_at_once_with_what_is_in_it() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        for (name, by_id) in [
            (Name::from(&path), false),
            (KEY.into(), false),
            (KEY.into(), true),
        ] {
            let ring = Ring::<u64>::create(&name, 4).unwrap();
            ring.producer().unwrap().push(1).unwrap();
            let id = ring.id().unwrap();
            drop(ring);
            ringpipe::remove(if by_id { id } else { name }).unwrap();
            assert_nothing_left();
        }
    });
}

#[test]
fn the_semaphores_of_a_removed_ring_whose_users_were_killed_are_collected() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let shared = Shared::new();
        let child = forked(|| {
            let ring = Ring::<u64>::create(&path, 4).unwrap();
            let (_tx, _rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
            shared.set(0, 1);
            thread::sleep(Duration::from_secs(600));
        });
        shared.until(0, 1);
        ringpipe::remove(&path).unwrap();
        assert_eq!((segments().len(), sets().len()), (1, 1));
        assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
        child.kill();
        let [set] = sets()[..] else {
            panic!("nobody was left to remove the set");
        };
        let found = [Garbage::Semaphores(SemId::from_raw(set))];
        assert_eq!(ringpipe::collect(&[], true).unwrap(), found);
        assert_eq!(ringpipe::collect(&[], false).unwrap(), found);
        assert_nothing_left();
    });
}

#[test]
fn whoever_looks_at_a_ring_as_it_goes_takes_the_semaphores_away() {
    apart(|| {
        let mut running = true;
        for halts in 0.. {
            if !running {
                break;
            }
            let (_folder, path) = folder_and_path();
            let shared = Shared::new();
            let user = forked(|| {
                let ring = Ring::<u64>::create(&path, 4).unwrap();
                shared.set(0, 1);
                shared.until(1, 1);
                drop(ring);
            });
            shared.until(0, 1);
            let id = ShmId::from_raw(segments()[0]);
            let mut looker = Stepped::new(|| {
                let _ = ringpipe::status(id);
            });
            running = (0..=halts).all(|_| looker.step());
            ringpipe::remove(&path).unwrap();
            shared.set(1, 1);
            user.join();
            if running {
                looker.finish();
            }
            assert_nothing_left();
        }
    });
}

// Stale names.

/// The lines of a rendezvous file, one of them replaced.
fn rewrite(path: &Path, field: &str, value: impl std::fmt::Display) {
    let record = fs::read_to_string(path).unwrap();
    let replaced = record.lines().map(|line| {
        if line.split(' ').next() == Some(field) {
            format!("{field} {value}\n")
        } else {
            format!("{line}\n")
        }
    });
    fs::write(path, replaced.collect::<String>()).unwrap();
}

/// That a name is stale for everybody: opened by none, taken away or replaced by all others. `make` makes it so.
fn assert_stale(path: &Path, make: impl Fn()) {
    let folders = [path.parent().unwrap().to_owned()];
    let bystanders = segments();
    make();
    let opened = refused!(Ring::<u64>::open(path), Stale);
    assert!(opened.to_string().contains("is stale"), "{opened}");
    refused!(ringpipe::status(path), Stale);
    let found = [Garbage::StaleName(path.to_owned())];
    assert_eq!(ringpipe::collect(&folders, true).unwrap()[0], found[0]);
    assert!(path.exists());
    assert_eq!(ringpipe::collect(&folders, false).unwrap()[0], found[0]);
    assert!(!path.exists());
    make();
    ringpipe::remove(path).unwrap();
    assert!(!path.exists());
    for create in [true, false] {
        make();
        let ring = if create {
            Ring::<u64>::create(path, 2).unwrap()
        } else {
            Ring::<u64>::open_or_create(path, 2).unwrap()
        };
        assert_eq!(ring.capacity(), 2);
        assert_eq!(Ring::<u64>::open(path).unwrap().id(), ring.id());
        ringpipe::remove(path).unwrap();
    }
    ringpipe::collect(&[], false).unwrap();
    assert!(segments().starts_with(&bystanders), "what is foreign stays");
}

#[test]
fn a_name_from_before_a_restart_is_stale() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let end = || {
            drop(Ring::<u64>::create(&path, 1).unwrap());
            for id in segments() {
                sysv::shmctl_rmid(ShmId::from_raw(id)).unwrap();
            }
            rewrite(&path, "boot", format_args!("{:032x}", 42));
        };
        assert_stale(&path, end);
        // Also if it is of another namespace, which ended with that boot.
        assert_stale(&path, || {
            end();
            rewrite(&path, "namespace", 42);
        });
        // Or if another segment has the id by now.
        let other = sysv::shmget(Key::PRIVATE, 8192, ShmGetFlags::CREATE, 0o600).unwrap();
        assert_stale(&path, || {
            let ring = Ring::<u64>::create(&path, 1).unwrap();
            sysv::shmctl_rmid(id_of(&ring)).unwrap();
            drop(ring);
            rewrite(&path, "boot", format_args!("{:032x}", 42));
            rewrite(&path, "segment", other.raw());
        });
    });
}

#[test]
fn a_name_whose_segment_was_removed_is_stale() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        assert_stale(&path, || {
            let ring = Ring::<u64>::create(&path, 1).unwrap();
            ring.producer().unwrap().push(1).unwrap();
            sysv::shmctl_rmid(id_of(&ring)).unwrap();
            assert!(ring.is_removed());
        });
        assert_nothing_left();
    });
}

#[test]
fn a_name_whose_id_another_has_is_stale() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let foreign = [1, 4096, 5000]
            .map(|size| sysv::shmget(Key::PRIVATE, size, ShmGetFlags::CREATE, 0o600).unwrap());
        let other = Ring::<u64>::create(folder.path().join("other"), 1).unwrap();
        other.producer().unwrap().push(1).unwrap();
        let nameless = std::cell::RefCell::new(vec![]);
        for id in foreign.into_iter().chain([id_of(&other)]) {
            assert_stale(&path, || {
                let ring = Ring::<u64>::create(&path, 1).unwrap();
                nameless.borrow_mut().push(ring.id().unwrap());
                rewrite(&path, "segment", id.raw());
            });
        }
        for id in nameless.take() {
            ringpipe::remove(id).unwrap();
        }
        assert_eq!(other.len(), 1);
        for id in foreign {
            sysv::shmctl_rmid(id).unwrap();
        }
        ringpipe::remove(other.name().unwrap()).unwrap();
        drop(other);
        assert_nothing_left();
    });
}

#[test]
fn a_name_from_another_namespace_is_refused_and_stays() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let ring = Ring::<u64>::create(&path, 1).unwrap();
        let ours = fs::metadata("/proc/thread-self/ns/ipc").unwrap().ino();
        rewrite(&path, "namespace", 42);
        let before = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().ino());
        let error = refused!(Ring::<u64>::open(&path), OtherNamespace);
        let text = error.to_string();
        assert!(
            text.contains("namespace 42,") && text.contains(&ours.to_string()),
            "{text}"
        );
        refused!(Ring::<u64>::open_or_create(&path, 1), OtherNamespace);
        refused!(Ring::<u64>::create(&path, 1), NameTaken);
        refused!(ringpipe::remove(&path), OtherNamespace);
        refused!(ringpipe::status(&path), OtherNamespace);
        let folders = [folder.path().to_owned(), path.clone()];
        assert_eq!(ringpipe::collect(&folders, false).unwrap(), []);
        let after = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().ino());
        assert_eq!(before, after);
        ringpipe::remove(ring.id().unwrap()).unwrap();
    });
}

#[test]
fn a_ring_of_another_namespace_is_not_reached_by_its_name() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let ring = Ring::<u64>::create(&path, 1).unwrap();
        ring.producer().unwrap().push(1).unwrap();
        apart(|| {
            refused!(Ring::<u64>::open(&path), OtherNamespace);
            refused!(Ring::<u64>::create(&path, 1), NameTaken);
            refused!(ringpipe::remove(&path), OtherNamespace);
            // The id means another segment here, or none.
            let other = Ring::<u64>::create(KEY, 1).unwrap();
            assert_eq!(other.id(), ring.id());
            assert_ne!(other.len(), ring.len());
        });
        assert_eq!(Ring::<u64>::open(&path).unwrap().len(), 1);
        ringpipe::remove(&path).unwrap();
    });
}

// Key rings and split brains.

#[test]
fn an_old_and_a_new_pair_under_one_key_never_mix() {
    apart(|| {
        let old = Ring::<u64>::create(KEY, 4).unwrap();
        let (mut old_tx, mut old_rx) = (old.producer().unwrap(), old.consumer().unwrap());
        old_tx.push(1).unwrap();
        sysv::shmctl_rmid(id_of(&old)).unwrap(); // as ipcrm does
        assert!(old.is_removed());
        refused!(Ring::<u64>::open(KEY), NotFound);
        let new = Ring::<u64>::open_or_create(KEY, 4).unwrap();
        assert!(!new.is_removed() && new.id() != old.id());
        let (mut new_tx, mut new_rx) = (new.producer().unwrap(), new.consumer().unwrap());
        for n in 0..100 {
            new_tx.push(1000 + n).unwrap();
            old_tx.push(2 + n).unwrap();
            assert_eq!((old_rx.pop(), new_rx.pop()), (Ok(1 + n), Ok(1000 + n)));
        }
        // A new handle of the old ring joins the old pair.
        drop(old_rx);
        assert_eq!(old.consumer().unwrap().pop(), Ok(101));
        assert!(old.is_removed() && !new.is_removed());
        let set = set_of(&old);
        drop((old, old_tx));
        assert!(!set_is_there(set));
        drop((new_tx, new_rx, new));
        ringpipe::remove(KEY).unwrap();
        assert_nothing_left();
    });
}

#[test]
fn a_path_ring_whose_segment_is_marked_for_removal_keeps_its_users_together() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let ring = Ring::<u64>::create(&path, 4).unwrap();
        sysv::shmctl_rmid(id_of(&ring)).unwrap();
        assert!(ring.is_removed());
        refused!(Ring::<u64>::create(&path, 4), NameTaken);
        // As long as it is there, its name leads to it: there are never two.
        let late = Ring::<u64>::open_or_create(&path, 4).unwrap();
        assert_eq!(late.id(), ring.id());
        assert!(late.is_removed());
        drop((ring, late));
        refused!(Ring::<u64>::open(&path), Stale);
        ringpipe::remove(&path).unwrap();
        assert_nothing_left();
    });
}

// Races.

/// Some processes do `work` at once, and keep what they got until all have theirs; their ids.
fn at_once(work: impl Fn() -> Ring<u64>) -> Vec<u64> {
    const PROCESSES: usize = 6;
    let shared = Shared::new();
    let children: Vec<_> = (0..PROCESSES)
        .map(|index| {
            forked(|| {
                shared.add(0);
                while shared.get(0) < PROCESSES as u64 {
                    thread::yield_now();
                }
                let ring = catch_unwind(AssertUnwindSafe(&work));
                if let Ok(ring) = &ring {
                    shared.set(2 + index, u64::from(id_of(ring).raw().unsigned_abs()));
                }
                // Also when it has failed: the others wait for it.
                shared.add(1);
                shared.until(1, PROCESSES as u64);
                drop(ring.unwrap_or_else(|panic| resume_unwind(panic)));
            })
        })
        .collect();
    children.into_iter().for_each(common::Child::join);
    (0..PROCESSES).map(|index| shared.get(2 + index)).collect()
}

#[test]
fn of_many_who_create_at_once_all_have_the_same_ring() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let names = [Name::from(&path), KEY.into()];
        for round in 0..25 {
            for name in &names {
                if let (Name::Path(path), true) = (name, round % 2 == 0) {
                    // In half of the rounds there is a stale name, that all try to replace.
                    drop(Ring::<u64>::create(path, 1).unwrap());
                    sysv::shmctl_rmid(ShmId::from_raw(segments()[0])).unwrap();
                    ringpipe::collect(&[], false).unwrap();
                }
                let ids = at_once(|| Ring::open_or_create(name, 4).unwrap());
                assert!(ids.iter().all(|id| *id == ids[0]), "{name}: {ids:?}");
                assert_eq!((segments().len(), sets().len()), (1, 1));
                ringpipe::remove(name).unwrap();
                assert_nothing_left();
            }
        }
    });
}

#[test]
fn of_many_who_create_over_a_half_made_ring_all_have_the_same() {
    apart(|| {
        for _ in 0..10 {
            leave_half_made();
            let ids = at_once(|| Ring::open_or_create(KEY, 4).unwrap());
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
            ringpipe::remove(KEY).unwrap();
            ringpipe::collect(&[], false).unwrap();
            assert_nothing_left();
        }
    });
}

#[test]
fn of_many_who_create_at_once_one_creates() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        for name in [Name::from(&path), KEY.into()] {
            for _ in 0..10 {
                let made = Shared::new();
                let _ids = at_once(|| match Ring::create(&name, 4) {
                    Ok(ring) => {
                        made.add(0);
                        ring
                    }
                    Err(Error::NameTaken { .. }) => Ring::private(1).unwrap(),
                    Err(other) => panic!("{other}"),
                });
                assert_eq!(made.get(0), 1);
                ringpipe::remove(&name).unwrap();
                ringpipe::collect(&[], false).unwrap();
                assert_nothing_left();
            }
        }
    });
}

#[test]
fn rings_that_come_and_go_under_one_name_leave_nothing() {
    apart(|| {
        let (folder, path) = folder_and_path();
        for name in [Name::from(&path), KEY.into()] {
            let _ids = at_once(|| {
                for _ in 0..50 {
                    match Ring::<u64>::open_or_create(&name, 1) {
                        Ok(ring) => drop(ring),
                        // As often as it was tried, somebody had just removed it.
                        Err(
                            Error::NotFound { .. }
                            | Error::Stale { .. }
                            | Error::NotReady { .. }
                            | Error::NotARing { .. },
                        ) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                    match ringpipe::remove(&name) {
                        Ok(()) | Err(Error::NotFound { .. } | Error::NotARing { .. }) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                Ring::private(1).unwrap()
            });
            let _ = ringpipe::remove(&name);
            ringpipe::collect(&[folder.path().to_owned()], false).unwrap();
            assert_nothing_left();
            assert!(!path.exists());
        }
    });
}

// Creators and removers that are killed.

/// Something that was left by a killed creator or remover and is not collected, or not at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    Nothing,
    /// An empty ring whose file is not there; for all that is known, it was renamed a moment ago.
    Nameless,
}

/// What is in this namespace; nothing else may be. Removes it.
fn clear_trace() -> Trace {
    match (&segments()[..], &sets()[..]) {
        ([], []) => Trace::Nothing,
        ([segment], [set]) => {
            let id = ShmId::from_raw(*segment);
            let status = ringpipe::status(id).unwrap();
            assert_eq!((status.state, status.len), (RingState::Ready, 0));
            assert_eq!(status.set, Some(SemId::from_raw(*set)));
            assert!(matches!(&status.name, Name::Path(path) if !path.exists()));
            ringpipe::remove(id).unwrap();
            assert_nothing_left();
            Trace::Nameless
        }
        (segments, sets) => panic!("left: segments {segments:?}, sets {sets:?}"),
    }
}

#[test]
fn a_creator_killed_anywhere_leaves_a_path_that_can_be_had() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let folders = [folder.path().to_owned()];
        let (mut unnamed, mut named) = (0, 0);
        killed_everywhere(
            || forget(Ring::<u64>::create(&path, 4).unwrap()),
            |halts| {
                match Ring::<u64>::create(&path, 4) {
                    Ok(ring) => {
                        unnamed += 1;
                        assert_eq!(named, 0, "no name is taken back");
                        assert_eq!(id_of(&Ring::open(&path).unwrap()), id_of(&ring));
                    }
                    Err(Error::NameTaken { .. }) => {
                        named += 1;
                        let ring = Ring::<u64>::open(&path).unwrap();
                        ring.producer().unwrap().push(1).unwrap();
                        assert_eq!(ring.consumer().unwrap().pop(), Ok(1));
                    }
                    Err(other) => panic!("after {halts} halts: {other:?}"),
                }
                ringpipe::remove(&path).unwrap();
                ringpipe::collect(&folders, false).unwrap();
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
                assert_nothing_left();
            },
        );
        assert!(unnamed > 20 && named > 0, "{unnamed} {named}");
    });
}

#[test]
fn a_private_creator_killed_anywhere_leaves_nothing() {
    apart(|| {
        killed_everywhere(
            || forget(Ring::<u64>::private(4).unwrap()),
            |_| {
                ringpipe::collect(&[], false).unwrap();
                assert_nothing_left();
            },
        );
    });
}

/// What openers find under a key whose creator was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnderKey {
    Nothing,
    Empty,
    HalfMade,
    Ready,
}

fn under_key() -> UnderKey {
    let Ok(id) = sysv::shmget(KEY, 0, ShmGetFlags::empty(), 0) else {
        return UnderKey::Nothing;
    };
    let raw = Raw::attach(id);
    match (raw.number(0, 8), raw.number(92, 4)) {
        (0, _) => UnderKey::Empty,
        (_, 0) => UnderKey::HalfMade,
        _ => UnderKey::Ready,
    }
}

#[test]
fn a_creator_killed_anywhere_leaves_a_key_that_can_be_had() {
    apart(|| {
        let mut states = Vec::new();
        let mut options = Options::new();
        let root = Uid::effective().is_root();
        if root {
            options = options.uid(1234);
        }
        killed_everywhere(
            || forget(options.create::<u64>(KEY).unwrap()),
            |halts| {
                let state = under_key();
                states.push(state);
                match state {
                    UnderKey::Nothing => drop(refused!(Ring::<u64>::open(KEY), NotFound)),
                    UnderKey::Empty | UnderKey::HalfMade => {
                        drop(refused!(Ring::<u64>::open(KEY), NotReady));
                    }
                    UnderKey::Ready => {
                        let ring = Ring::<u64>::open(KEY).unwrap();
                        let owner = ring.status().unwrap().unwrap().uid;
                        assert!(!root || owner == 1234, "it is ready when it was given away");
                    }
                }
                // Halts are at the beginning and the end of a call in turn.
                let made = if halts / 2 % 2 == 0 {
                    Ring::<u64>::create(KEY, 4)
                } else {
                    Ring::<u64>::open_or_create(KEY, 4)
                };
                match (state, made) {
                    (UnderKey::Ready, Err(Error::NameTaken { .. })) | (_, Ok(_)) => {
                        ringpipe::remove(KEY).unwrap();
                    }
                    (state, Err(error)) => panic!("{state:?}: {error:?}"),
                }
                ringpipe::collect(&[], false).unwrap();
                assert_nothing_left();
            },
        );
        states.dedup();
        let expected = [
            UnderKey::Nothing,
            UnderKey::Empty,
            UnderKey::HalfMade,
            UnderKey::Ready,
        ];
        assert_eq!(states, expected);
    });
}

/// Leaves a segment under the key in which nothing is written yet.
fn leave_empty() -> ShmId {
    let mut creator = Stepped::new(|| forget(Ring::<u64>::create(KEY, 4).unwrap()));
    while under_key() != UnderKey::Empty {
        assert!(creator.step());
    }
    sysv::shmget(KEY, 0, ShmGetFlags::empty(), 0).unwrap()
}

#[test]
fn a_key_whose_creator_had_not_begun_is_had_again() {
    apart(|| {
        leave_empty();
        Ring::<u64>::open_or_create(KEY, 4).unwrap();
        ringpipe::remove(KEY).unwrap();
        leave_empty();
        Ring::<u64>::create(KEY, 4).unwrap();
        ringpipe::remove(KEY).unwrap();
        leave_empty();
        ringpipe::remove(KEY).unwrap();
        let garbage = Garbage::HalfMade(leave_empty());
        assert_eq!(ringpipe::collect(&[], false).unwrap(), [garbage]);
        assert_nothing_left();
    });
}

#[test]
fn an_empty_segment_stays_while_its_creator_lives() {
    apart(|| {
        let mut creator = Stepped::new(|| forget(Ring::<u64>::create(KEY, 4).unwrap()));
        while under_key() != UnderKey::Empty {
            assert!(creator.step());
        }
        assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
        refused!(Ring::<u64>::create(KEY, 4), NameTaken);
        refused!(ringpipe::remove(KEY), NotARing);
        creator.finish();
        ringpipe::remove(KEY).unwrap();
        ringpipe::collect(&[], false).unwrap();
        assert_nothing_left();
    });
}

#[test]
fn a_strangers_segment_under_the_key_is_told_with_the_way_out() {
    apart(|| {
        sysv::shmget(KEY, 4096, ShmGetFlags::CREATE, 0o600).unwrap();
        let error = refused!(Ring::<u64>::open_or_create(KEY, 4), NotARing).to_string();
        let (_, way_out) = error.split_once('`').unwrap();
        let way_out = way_out.split_once('`').unwrap().0;
        let status = std::process::Command::new("sh")
            .args(["-c", way_out])
            .status();
        assert!(status.unwrap().success(), "{way_out}");
        Ring::<u64>::open_or_create(KEY, 4).unwrap();
        ringpipe::remove(KEY).unwrap();
        assert_nothing_left();
    });
}

/// Leaves a ring under the key that nobody will finish.
fn leave_half_made() {
    let mut creator = Stepped::new(|| forget(Ring::<u64>::create(KEY, 4).unwrap()));
    while under_key() != UnderKey::HalfMade {
        assert!(creator.step());
    }
}

#[test]
fn a_half_made_ring_is_shown_and_removed_and_collected() {
    apart(|| {
        leave_half_made();
        let [status] = &ringpipe::list().unwrap()[..] else {
            panic!("there is one");
        };
        assert_eq!(status.state, RingState::HalfMade);
        assert_eq!((&status.name, status.set), (&KEY.into(), None));
        assert_eq!(
            ringpipe::status(status.id).unwrap().state,
            RingState::HalfMade
        );
        let error = refused!(ringpipe::status(KEY), NotReady);
        assert!(error.to_string().contains(&status.creator.to_string()));
        refused!(Ring::<u64>::open(status.id), NotReady);
        let garbage = Garbage::HalfMade(status.id);
        assert_eq!(ringpipe::collect(&[], true).unwrap()[0], garbage);
        assert_eq!(ringpipe::collect(&[], false).unwrap()[0], garbage);
        clear_trace();
        leave_half_made();
        ringpipe::remove(KEY).unwrap();
        clear_trace();
    });
}

#[test]
fn a_creator_that_is_only_slow_is_waited_for_and_not_robbed() {
    apart(|| {
        let mut creator = Stepped::new(|| forget(Ring::<u64>::create(KEY, 4).unwrap()));
        while under_key() != UnderKey::HalfMade {
            assert!(creator.step());
        }
        assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
        refused!(Ring::<u64>::create(KEY, 4), NameTaken);
        let opener = forked(|| assert_eq!(Ring::<u64>::open(KEY).unwrap().capacity(), 4));
        opener.until_asleep();
        creator.finish();
        opener.join();
        ringpipe::remove(KEY).unwrap();
        ringpipe::collect(&[], false).unwrap();
        assert_nothing_left();
    });
}

#[test]
fn a_creator_that_stops_is_not_waited_for_for_ever() {
    apart(|| {
        let mut creator = Stepped::new(|| forget(Ring::<u64>::create(KEY, 4).unwrap()));
        while under_key() != UnderKey::HalfMade {
            assert!(creator.step());
        }
        refused!(Ring::<u64>::open(KEY), NotReady);
        assert_eq!(
            under_key(),
            UnderKey::HalfMade,
            "it lives, so it was left alone"
        );
        creator.finish();
        assert!(Ring::<u64>::open(KEY).is_ok());
        ringpipe::remove(KEY).unwrap();
        ringpipe::collect(&[], false).unwrap();
        assert_nothing_left();
    });
}

#[test]
fn a_stopped_creator_is_waited_for_once() {
    apart(|| {
        let mut creator = Stepped::new(|| forget(Ring::<u64>::create(KEY, 4).unwrap()));
        while under_key() != UnderKey::HalfMade {
            assert!(creator.step());
        }
        let pid = sysv::shmctl_stat(ShmId::from_raw(segments()[0]))
            .unwrap()
            .cpid;
        let mut opener = Stepped::new(|| {
            let error = refused!(Ring::<u64>::open_or_create(KEY, 4), NotReady);
            let text = error.to_string();
            for part in [format!("process {pid}"), format!("kill -CONT {pid}")] {
                assert!(text.contains(&part), "{text}");
            }
        });
        // It looks for the segment once; then it tries to create one, twice, and in between looks
        // what is in its way.
        let mut lookups = 0;
        while opener.step() {
            lookups += usize::from(opener.call() == Some(libc::SYS_shmget));
            assert!(lookups <= 4, "it begins anew");
        }
        assert_eq!(lookups, 4);
        drop(opener);
        assert_eq!(under_key(), UnderKey::HalfMade, "it was left alone");
        creator.finish();
        assert_eq!(Ring::<u64>::open_or_create(KEY, 9).unwrap().capacity(), 4);
        ringpipe::remove(KEY).unwrap();
        ringpipe::collect(&[], false).unwrap();
        assert_nothing_left();
    });
}

#[test]
fn a_remover_killed_anywhere_leaves_a_ring_or_what_can_be_removed() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let folders = [folder.path().to_owned()];
        let of_path = [Trace::Nothing, Trace::Nameless, Trace::Nothing];
        for (name, expected) in [
            (Name::from(&path), &of_path[..]),
            (KEY.into(), &[Trace::Nothing]),
        ] {
            let mut traces = Vec::new();
            drop(Ring::<u64>::create(&name, 4).unwrap());
            killed_everywhere(
                || ringpipe::remove(&name).unwrap(),
                |_| {
                    match Ring::<u64>::open(&name) {
                        Ok(ring) => {
                            ring.producer().unwrap().push(1).unwrap();
                            assert_eq!(ring.consumer().unwrap().pop(), Ok(1));
                        }
                        Err(Error::NotFound { .. }) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                    let _ = ringpipe::remove(&name);
                    ringpipe::collect(&folders, false).unwrap();
                    traces.push(clear_trace());
                    assert!(!path.exists());
                    drop(Ring::<u64>::create(&name, 4).unwrap());
                },
            );
            traces.dedup();
            assert_eq!(traces, expected);
            ringpipe::remove(&name).unwrap();
        }
        assert_nothing_left();
    });
}

#[test]
fn a_creator_killed_at_replacing_a_stale_name_leaves_one_that_can_be_replaced() {
    apart(|| {
        let (folder, path) = folder_and_path();
        let folders = [folder.path().to_owned()];
        let leave_stale = || {
            drop(Ring::<u64>::create(&path, 1).unwrap());
            sysv::shmctl_rmid(id_of(&Ring::open(&path).unwrap())).unwrap();
        };
        leave_stale();
        killed_everywhere(
            || forget(Ring::<u64>::open_or_create(&path, 4).unwrap()),
            |_| {
                drop(Ring::<u64>::open_or_create(&path, 4).unwrap());
                ringpipe::remove(&path).unwrap();
                ringpipe::collect(&folders, false).unwrap();
                clear_trace();
                leave_stale();
            },
        );
    });
}

// Collecting.

#[test]
fn nothing_that_may_be_of_use_is_collected() {
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let create = |name: &str| Ring::<u64>::create(at(name), 4).unwrap();
        // Named and empty; by key and empty.
        drop(create("named"));
        drop(Ring::<u64>::create(KEY, 4).unwrap());
        // With items: named; renamed; nameless; in a folder that is gone.
        for name in ["items", "renamed", "nameless"] {
            create(name).producer().unwrap().push(7).unwrap();
        }
        fs::rename(at("renamed"), at("items of old")).unwrap();
        fs::remove_file(at("nameless")).unwrap();
        // Empty and without a name that leads there, but in use.
        let used = create("used");
        let tx = used.producer().unwrap();
        fs::remove_file(at("used")).unwrap();
        let attached = create("attached");
        fs::remove_file(at("attached")).unwrap();
        // Empty and without a user; whether there is a name cannot be told.
        fs::create_dir(at("inner")).unwrap();
        drop(create("inner/ring"));
        fs::remove_dir_all(at("inner")).unwrap();
        let elsewhere = create("elsewhere");
        let raw = Raw::attach(id_of(&elsewhere));
        raw.set(96, 8, 42);
        fs::remove_file(at("elsewhere")).unwrap();
        drop((raw, elsewhere));
        // Of a killed user, with items, whose name was taken.
        let shared = Shared::new();
        let child = forked(|| {
            let ring = create("killed");
            let mut tx = ring.producer().unwrap();
            tx.push(1).unwrap();
            shared.set(0, 1);
            thread::sleep(Duration::from_secs(600));
        });
        shared.until(0, 1);
        child.kill();
        fs::remove_file(at("killed")).unwrap();
        // Foreign.
        for size in [1, 4096, 10_000] {
            let id = sysv::shmget(Key::PRIVATE, size, ShmGetFlags::CREATE, 0o600).unwrap();
            Raw::attach(id).set(0, 1, 0x52);
        }
        sysv::shmget(Key::PRIVATE, 4096, ShmGetFlags::CREATE, 0o600).unwrap();
        for size in [1, 9, 100] {
            sysv::semget(Key::PRIVATE, size, SemGetFlags::CREATE, 0o600).unwrap();
        }
        let almost = sysv::semget(Key::PRIVATE, 9, SemGetFlags::CREATE, 0o600).unwrap();
        let values = [0, 0, 0, 0, 0x5269, 0x6e66, 99, 0, 0];
        sysv::semctl_setall(almost, &values).unwrap();
        fs::write(at("foreign"), "not a ring").unwrap();
        mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();

        let paths = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            paths
        };
        let before = (segments(), sets(), paths());
        let folders = [folder.path().to_owned()];
        for dry_run in [true, false] {
            assert_eq!(ringpipe::collect(&folders, dry_run).unwrap(), []);
        }
        assert_eq!((segments(), sets(), paths()), before);
        let mut rx = Ring::<u64>::open(at("items of old"))
            .unwrap()
            .consumer()
            .unwrap();
        assert_eq!(rx.pop(), Ok(7));
        drop((tx, used, attached));
    });
}

#[test]
fn all_that_is_dead_is_collected_and_first_only_named() {
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let folders = [folder.path().to_owned()];
        // A key's ring, half made.
        leave_half_made();
        let half_made = ShmId::from_raw(segments()[0]);
        clear_sets();
        // Empty, without a user, and its name gone, given to another, or replaced by a foreign file: but a moment ago, so
        // that the file may have been renamed by somebody who is about to use it.
        let mut nameless = vec![];
        for name in ["gone", "other", "foreign"] {
            let ring = Ring::<u64>::create(at(name), 4).unwrap();
            let mut tx = ring.producer().unwrap();
            tx.push(1).unwrap();
            assert_eq!(ring.consumer().unwrap().pop(), Ok(1));
            nameless.push(id_of(&ring).raw());
            fs::remove_file(at(name)).unwrap();
        }
        let other = Ring::<u64>::create(at("other"), 4).unwrap();
        fs::write(at("foreign"), "").unwrap();
        // A name whose ring is gone.
        let stale = Ring::<u64>::create(at("stale"), 4).unwrap();
        sysv::shmctl_rmid(id_of(&stale)).unwrap();
        drop(stale);
        let expected = [
            Garbage::HalfMade(half_made),
            Garbage::StaleName(at("stale")),
        ];

        let shown = ringpipe::collect(&folders, true).unwrap();
        assert!(
            expected.iter().all(|garbage| shown.contains(garbage)),
            "{shown:?}"
        );
        assert_eq!(shown.len(), expected.len(), "{shown:?}");
        assert_eq!((segments().len(), sets().len()), (5, 4));
        let found = ringpipe::collect(&folders, false).unwrap();
        assert_eq!(found[..shown.len()], shown);
        let left = segments();
        assert!(nameless.iter().all(|id| left.contains(id)), "{found:?}");
        assert!(left.contains(&id_of(&other).raw()) && !left.contains(&half_made.raw()));
        assert!(at("other").exists() && at("foreign").exists() && !at("stale").exists());
        assert_eq!(ringpipe::collect(&folders, false).unwrap(), []);
    });
}

fn clear_sets() {
    for set in sets() {
        let _ = sysv::semctl_rmid(SemId::from_raw(set));
    }
}

#[test]
fn an_empty_file_is_waited_for_a_little() {
    apart(|| {
        let (_folder, path) = folder_and_path();
        let ring = Ring::<u64>::create(&path, 4).unwrap();
        let record = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        // As where a file can only be made under its name.
        fs::write(&path, "").unwrap();
        let error = refused!(Ring::<u64>::open(&path), NotARing);
        assert!(error.to_string().contains("`rm`"), "{error}");
        let mut opener = Stepped::new(|| drop(Ring::<u64>::open(&path).unwrap()));
        while opener.call() != Some(libc::SYS_clock_nanosleep) {
            assert!(opener.step());
        }
        fs::write(&path, record).unwrap();
        opener.finish();
        drop(ring);
        ringpipe::remove(&path).unwrap();
    });
}
