//! Rings of other users: who made one is asked before it is joined, and who may only read one cannot disturb it.
//!
//! Needs root, who alone can become another user; says so and passes elsewhere.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fmt::Debug;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::apart::{apart, segments, sets, skipped};
use common::raw::Raw;
use common::{Shared, forked};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use ringpipe::sysv::{self, Errno, Key, Ownership, SemOp, ShmAtFlags, ShmGetFlags, ShmId};
use ringpipe::{Error, Name, Options, RingKind, RingState, mpmc, spsc, stream};

const ROOT: u32 = 0;
const NOBODY: u32 = 65_534;
/// Has nothing to do with anything.
const ANOTHER: u32 = 65_533;
/// Of a group that a ring may be made for.
const READERS: u32 = 4242;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Spsc,
    Mpmc,
    Stream,
}

const KINDS: [Kind; 3] = [Kind::Spsc, Kind::Mpmc, Kind::Stream];

/// Whom an opener says it trusts.
#[derive(Clone, Copy, Debug)]
enum Trust {
    Own,
    Also(u32),
    Any,
}

impl Trust {
    fn put<K: RingKind>(self, options: Options<K>) -> Options<K> {
        match self {
            Self::Own => options,
            Self::Also(uid) => options.trust_uid(uid),
            Self::Any => options.trust_any_uid(),
        }
    }
}

impl Kind {
    fn create(self, name: &Name, mode: u32) -> Result<Name, Error> {
        match self {
            Self::Spsc => {
                let options = spsc::Options::new().capacity(4).mode(mode);
                options.create::<u64>(name).map(|ring| ring.id().unwrap())
            }
            Self::Mpmc => {
                let options = mpmc::Options::new().capacity(4).mode(mode);
                options.create::<u64>(name).map(|ring| ring.id().unwrap())
            }
            Self::Stream => {
                let options = stream::Options::new().mode(mode);
                options.create(name).map(|fifo| fifo.id().unwrap())
            }
        }
    }

    /// Opens it and, so that it was worth it, moves something through it.
    fn open(self, name: &Name, trust: Trust) -> Result<(), Error> {
        match self {
            Self::Spsc => trust
                .put(spsc::Options::new())
                .open(name)
                .map(|ring| used_pair(&ring)),
            Self::Mpmc => trust
                .put(mpmc::Options::new())
                .open(name)
                .map(|ring| used_shared(&ring)),
            Self::Stream => trust
                .put(stream::Options::new())
                .open(name)
                .map(|ring| used_stream(&ring)),
        }
    }

    fn open_or_create(self, name: &Name, trust: Trust) -> Result<(), Error> {
        match self {
            Self::Spsc => {
                let opened = trust.put(spsc::Options::new()).open_or_create(name);
                opened.map(|ring| used_pair(&ring))
            }
            Self::Mpmc => {
                let opened = trust.put(mpmc::Options::new()).open_or_create(name);
                opened.map(|ring| used_shared(&ring))
            }
            Self::Stream => {
                let opened = trust.put(stream::Options::new()).open_or_create(name);
                opened.map(|ring| used_stream(&ring))
            }
        }
    }
}

fn used_pair(ring: &spsc::Ring<u64>) {
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push(7).unwrap();
    assert_eq!(rx.pop(), Ok(7));
}

fn used_shared(ring: &mpmc::Ring<u64>) {
    let (mut tx, mut rx) = (ring.producer().unwrap(), ring.consumer().unwrap());
    tx.push(7).unwrap();
    assert_eq!(rx.pop(), Ok(7));
}

fn used_stream(fifo: &stream::Fifo) {
    let (mut tx, mut rx) = fifo.both().unwrap();
    let mut byte = [0];
    tx.write_all(&[7]).unwrap();
    rx.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [7]);
}

/// Runs `body` in an IPC namespace, with a folder that everybody may use; where this is root.
fn among_users(body: impl FnOnce(&Path)) {
    if !Uid::effective().is_root() {
        skipped("only root can become another user");
        return;
    }
    apart(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        body(folder.path());
    });
}

/// Runs `body` as another user, who is in no group but that one.
fn as_user(uid: u32, gid: u32, body: impl FnOnce()) {
    forked(|| {
        setgroups(&[]).unwrap();
        setgid(Gid::from_raw(gid)).unwrap();
        setuid(Uid::from_raw(uid)).unwrap();
        body();
    })
    .join();
}

/// Two rings that `maker` has made, by a path and by a key, and both also by their ids.
fn made_by(maker: u32, kind: Kind, folder: &Path) -> Vec<Name> {
    let ids = Shared::new();
    let names = [Name::Path(folder.join("ring")), Name::Key(Key::new(0x5249))];
    as_user(maker, maker, || {
        for (at, name) in names.iter().enumerate() {
            let Name::Id(id) = kind.create(name, 0o666).unwrap() else {
                panic!("an id is an id");
            };
            ids.set(at, id.raw() as u64);
        }
    });
    let by_id = [0, 1].map(|at| Name::Id(ShmId::from_raw(ids.get(at) as i32)));
    names.into_iter().chain(by_id).collect()
}

fn removed(names: &[Name]) {
    for name in &names[..2] {
        ringpipe::remove(name).unwrap();
    }
    assert_eq!((segments(), sets()), (vec![], vec![]));
}

#[track_caller]
fn assert_foreign<T: Debug>(result: Result<T, Error>, maker: u32, opener: u32) {
    let error = result.unwrap_err();
    let text = error.to_string();
    let Error::ForeignOwner { uid, ours, .. } = error else {
        panic!("{text}");
    };
    assert_eq!((uid, ours), (maker, opener), "{text}");
    assert!(text.contains(&format!("made by uid {maker}")), "{text}");
    assert!(text.contains(&format!("trust_uid({maker})")), "{text}");
    assert_eq!(error.raw_os_error(), Some(Errno::EACCES.raw()));
}

#[test]
fn what_another_user_made_is_refused_unless_asked_for() {
    for (maker, opener) in [(NOBODY, ROOT), (ROOT, NOBODY), (ANOTHER, NOBODY)] {
        among_users(|folder| {
            for kind in KINDS {
                let names = made_by(maker, kind, folder);
                as_user(opener, opener, || {
                    for name in &names {
                        for trust in [Trust::Own, Trust::Also(opener), Trust::Also(4711)] {
                            assert_foreign(kind.open(name, trust), maker, opener);
                            assert_foreign(kind.open_or_create(name, trust), maker, opener);
                        }
                        for trust in [Trust::Also(maker), Trust::Any] {
                            kind.open(name, trust).unwrap();
                            kind.open_or_create(name, trust).unwrap();
                        }
                    }
                });
                // Its maker needs to ask for nothing, and loses nothing by trusting somebody.
                as_user(maker, maker, || {
                    for name in &names {
                        kind.open(name, Trust::Own).unwrap();
                        kind.open(name, Trust::Also(opener)).unwrap();
                    }
                });
                removed(&names);
            }
        });
    }
}

#[test]
fn a_ring_that_was_given_to_its_victim_is_still_its_makers() {
    among_users(|folder| {
        for kind in KINDS {
            let names = made_by(NOBODY, kind, folder);
            as_user(NOBODY, NOBODY, || {
                for name in &names[2..] {
                    let status = ringpipe::status(name).unwrap();
                    let given = Ownership {
                        uid: ROOT,
                        gid: 0,
                        mode: 0o600,
                    };
                    sysv::shmctl_set(status.id, given).unwrap();
                    sysv::semctl_set(status.set.unwrap(), given).unwrap();
                }
            });
            for name in &names {
                assert_eq!(ringpipe::status(name).unwrap().uid, ROOT);
                assert_foreign(kind.open(name, Trust::Own), NOBODY, ROOT);
                kind.open(name, Trust::Also(NOBODY)).unwrap();
            }
            removed(&names);
        }
    });
}

#[test]
fn the_effective_user_counts() {
    among_users(|folder| {
        let names = made_by(NOBODY, Kind::Spsc, folder);
        forked(|| {
            nix::unistd::seteuid(Uid::from_raw(NOBODY)).unwrap();
            Kind::Spsc.open(&names[0], Trust::Own).unwrap();
        })
        .join();
        removed(&names);
    });
}

#[test]
fn who_is_refused_has_touched_nothing() {
    among_users(|folder| {
        for kind in KINDS {
            let names = made_by(NOBODY, kind, folder);
            let state = |name: &Name| {
                let status = ringpipe::status(name).unwrap();
                let set = sysv::semctl_getall(status.set.unwrap()).unwrap();
                (status.attachments, status.producer, status.consumer, set)
            };
            let before: Vec<_> = names.iter().map(state).collect();
            for name in &names {
                assert_foreign(kind.open(name, Trust::Own), NOBODY, ROOT);
                assert_foreign(kind.open_or_create(name, Trust::Own), NOBODY, ROOT);
            }
            let after: Vec<_> = names.iter().map(state).collect();
            assert_eq!(before, after);
            removed(&names);
        }
    });
}

#[test]
fn who_only_looks_or_removes_needs_no_trust() {
    among_users(|folder| {
        for kind in KINDS {
            let names = made_by(NOBODY, kind, folder);
            for name in &names {
                assert_eq!(ringpipe::status(name).unwrap().state, RingState::Ready);
            }
            assert_eq!(ringpipe::list().unwrap().len(), 2);
            assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
            removed(&names);
        }
    });
}

/// Else who opens or creates would wait its two seconds a hundred times.
#[test]
fn a_foreign_segment_is_not_waited_for() {
    among_users(|_| {
        let key = Key::new(0x5249);
        let squatted = Shared::new();
        let squatter = forked(|| {
            setuid(Uid::from_raw(NOBODY)).unwrap();
            let id = sysv::shmget(key, 8192, ShmGetFlags::CREATE, 0o666).unwrap();
            let raw = Raw::attach(id);
            raw.set(0, 8, u64::from_le_bytes(*b"RINGPIPE"));
            squatted.set(0, 1);
            std::thread::park();
        });
        squatted.until(0, 1);
        for kind in KINDS {
            assert_foreign(kind.open(&key.into(), Trust::Own), NOBODY, ROOT);
            assert_foreign(kind.open_or_create(&key.into(), Trust::Own), NOBODY, ROOT);
        }
        squatter.kill();
    });
}

/// The file of a ring, led by another user to one of ours.
fn misled(folder: &Path, id: ShmId, cookie: &str) -> PathBuf {
    let path = folder.join("bait");
    let own = fs::read_to_string(folder.join("ring")).unwrap();
    let lines: Vec<_> = own.lines().collect();
    let text = format!(
        "{}\nsegment {id}\ncookie {cookie}\n{}\n{}\n",
        lines[0], lines[3], lines[4]
    );
    as_user(NOBODY, NOBODY, || fs::write(&path, &text).unwrap());
    path
}

#[test]
fn a_foreign_file_that_guesses_at_one_of_our_rings_is_stale() {
    among_users(|folder| {
        for kind in KINDS {
            let name = Name::Path(folder.join("ring"));
            let Name::Id(id) = kind.create(&name, 0o600).unwrap() else {
                panic!("an id is an id");
            };
            let bait = Name::Path(misled(folder, id, &"0".repeat(32)));
            let opened = kind.open(&bait, Trust::Any).unwrap_err();
            assert!(matches!(opened, Error::Stale { .. }), "{opened}");
            // Creating replaces such a name, by a ring of its own.
            kind.open_or_create(&bait, Trust::Own).unwrap();
            assert_ne!(ringpipe::status(&bait).unwrap().id, id);
            ringpipe::remove(&bait).unwrap();
            ringpipe::remove(&name).unwrap();
            assert_eq!((segments(), sets()), (vec![], vec![]));
        }
    });
}

/// Who may read a ring knows its cookie. A file with it is worth as much as a symbolic link there, which needs no cookie; it leads to
/// our own ring, and to one that is for the same items.
#[test]
fn a_foreign_file_that_knows_our_ring_is_worth_a_link_to_it() {
    among_users(|folder| {
        for (kind, other) in [
            (Kind::Spsc, Kind::Mpmc),
            (Kind::Mpmc, Kind::Stream),
            (Kind::Stream, Kind::Spsc),
        ] {
            let name = Name::Path(folder.join("ring"));
            let Name::Id(id) = kind.create(&name, 0o644).unwrap() else {
                panic!("an id is an id");
            };
            let own = fs::read_to_string(folder.join("ring")).unwrap();
            let cookie = own.lines().nth(2).unwrap().strip_prefix("cookie ").unwrap();
            let bait = Name::Path(misled(folder, id, cookie));
            kind.open(&bait, Trust::Own).unwrap();
            let opened = other.open(&bait, Trust::Own).unwrap_err();
            assert!(matches!(opened, Error::WrongType { .. }), "{opened}");
            // Taking the bait's name away takes our ring with it, as `rm` of its id does, since it was asked for.
            ringpipe::remove(&name).unwrap();
            assert!(kind.open(&bait, Trust::Own).is_err());
            let _ = ringpipe::remove(&bait);
            assert_eq!((segments(), sets()), (vec![], vec![]));
        }
    });
}

fn assert_denied<T: Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{text}");
    let says_who = text.contains("read and write") || text.contains("only its owner");
    assert!(says_who, "{text}");
}

/// A ring that a group may read.
fn readable(kind: Kind, name: &Name) {
    let gid = READERS;
    match kind {
        Kind::Spsc => {
            let options = spsc::Options::new().capacity(4).mode(0o640).gid(gid);
            drop(options.create::<u64>(name).unwrap());
        }
        Kind::Mpmc => {
            let options = mpmc::Options::new().capacity(4).mode(0o640).gid(gid);
            drop(options.create::<u64>(name).unwrap());
        }
        Kind::Stream => {
            let options = stream::Options::new().mode(0o640).gid(gid);
            drop(options.create(name).unwrap());
        }
    }
}

#[test]
fn who_may_only_read_can_look_and_not_take_part() {
    among_users(|folder| {
        for kind in KINDS {
            let name = Name::Path(folder.join("ring"));
            readable(kind, &name);
            let id = Name::Id(ringpipe::status(&name).unwrap().id);
            as_user(NOBODY, READERS, || {
                for name in [&name, &id] {
                    let status = ringpipe::status(name).unwrap();
                    assert_eq!((status.state, status.mode), (RingState::Ready, 0o640));
                    assert_denied(kind.open(name, Trust::Any));
                    assert_denied(kind.open_or_create(name, Trust::Any));
                    assert_denied(ringpipe::remove(name));
                }
                assert_eq!(ringpipe::list().unwrap().len(), 1);
                assert_eq!(ringpipe::collect(&[folder.into()], false).unwrap(), []);
            });
            // Who is not in the group may not even look.
            as_user(NOBODY, NOBODY, || {
                assert_denied(ringpipe::status(&name));
                assert!(ringpipe::list().unwrap().is_empty());
            });
            kind.open(&name, Trust::Own).unwrap();
            ringpipe::remove(&name).unwrap();
        }
    });
}

#[test]
fn who_may_only_read_can_change_nothing() {
    among_users(|folder| {
        for kind in KINDS {
            let name = Name::Path(folder.join("ring"));
            readable(kind, &name);
            let status = ringpipe::status(&name).unwrap();
            let (id, set) = (status.id, status.set.unwrap());
            let done = Shared::new();
            let reader = forked(|| {
                setgroups(&[]).unwrap();
                setgid(Gid::from_raw(READERS)).unwrap();
                setuid(Uid::from_raw(NOBODY)).unwrap();
                assert_eq!(
                    sysv::shmat(id, ShmAtFlags::empty()).map(drop),
                    Err(Errno::EACCES)
                );
                let _kept = sysv::shmat(id, ShmAtFlags::READ_ONLY).unwrap();
                let count = sysv::semctl_getall(set).unwrap().len();
                for semaphore in 0..count as u16 {
                    let changes = [SemOp::add(semaphore, 1), SemOp::take(semaphore, 1)];
                    for change in changes {
                        assert_eq!(sysv::semop(set, &[change.nowait()]), Err(Errno::EACCES));
                    }
                    assert_eq!(sysv::semctl_setval(set, semaphore, 1), Err(Errno::EACCES));
                }
                assert_eq!(
                    sysv::semctl_setall(set, &vec![1; count]),
                    Err(Errno::EACCES)
                );
                assert_eq!(sysv::semctl_rmid(set), Err(Errno::EPERM));
                assert_eq!(sysv::shmctl_rmid(id), Err(Errno::EPERM));
                // Its locks on the file last as long as it likes.
                let file = fs::File::open(folder.join("ring")).unwrap();
                file.lock().unwrap();
                done.set(0, 1);
                std::thread::park();
            });
            done.until(0, 1);
            kind.open(&name, Trust::Own).unwrap();
            assert_eq!(ringpipe::status(&name).unwrap().state, RingState::Ready);
            // The lock is in a remover's way, for a bounded time, and nothing is half removed then.
            let locked = ringpipe::remove(&name).unwrap_err();
            assert!(matches!(locked, Error::File { .. }), "{locked}");
            kind.open(&name, Trust::Own).unwrap();
            reader.kill();
            ringpipe::remove(&name).unwrap();
            assert_eq!((segments(), sets()), (vec![], vec![]));
        }
    });
}

/// Whoever makes a segment could have had any set removed that he can mark, by the next one to look at it who may remove it.
#[test]
fn a_set_of_another_user_is_not_taken_for_the_rings() {
    among_users(|folder| {
        for kind in KINDS {
            let names = made_by(NOBODY, kind, folder);
            let status = ringpipe::status(&names[0]).unwrap();
            let own = sysv::semctl_getall(status.set.unwrap()).unwrap();
            // Ours, which others may change.
            let flags = sysv::SemGetFlags::CREATE;
            let ours = sysv::semget(Key::PRIVATE, own.len() as i32, flags, 0o666).unwrap();
            as_user(NOBODY, NOBODY, || {
                sysv::semctl_setall(ours, &own).unwrap();
                Raw::attach(status.id).set(72, 4, ours.raw() as u64);
            });
            for name in [&names[0], &names[2]] {
                let opened = kind.open(name, Trust::Any).unwrap_err();
                assert!(matches!(opened, Error::Corrupt { .. }), "{opened}");
            }
            // Who removes it is its last user.
            removed_segments(&names);
            assert!(sysv::semctl_stat(ours).is_ok(), "it was not its set");
            for set in sets() {
                sysv::semctl_rmid(sysv::SemId::from_raw(set)).unwrap();
            }
        }
    });
}

fn removed_segments(names: &[Name]) {
    for name in &names[..2] {
        ringpipe::remove(name).unwrap();
    }
    assert!(segments().is_empty());
}
