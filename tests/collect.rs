//! What collectors and openers do about paths and files that others have put in their way, and
//! about what killed creators and removers have left.
//!
//! Every test is in a process and an IPC namespace of its own.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::{self, File, Permissions};
use std::mem::forget;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use common::apart::{apart, segments, sets, skipped};
use common::raw::Raw;
use common::steps::{Stepped, killed_everywhere};
use common::{Child, Shared, forked};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, mkfifo, setgid, setgroups, setuid};
use ringpipe::spsc::{Options, Ring};
use ringpipe::sysv::{self, SemId, ShmId};
use ringpipe::{Error, Garbage, Name, RingState};

const NOBODY: u32 = 65_534;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
    folder
}

fn id_of(ring: &Ring<u64>) -> ShmId {
    let Some(Name::Id(id)) = ring.id() else {
        panic!("it has an id");
    };
    id
}

/// Runs `body` as another user, who is in no group but one of his own.
fn as_user(uid: u32, body: impl FnOnce()) {
    forked(|| {
        setgroups(&[]).unwrap();
        setgid(Gid::from_raw(uid)).unwrap();
        setuid(Uid::from_raw(uid)).unwrap();
        body();
    })
    .join();
}

/// Says which of some files were opened.
struct Opened(Inotify);

impl Opened {
    fn watch(paths: &[PathBuf]) -> Self {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        let watch = Inotify::init(flags).unwrap();
        for path in paths {
            watch.add_watch(path, AddWatchFlags::IN_OPEN).unwrap();
        }
        Self(watch)
    }

    fn any(&self) -> bool {
        self.0.read_events().is_ok_and(|events| !events.is_empty())
    }
}

/// A process that holds a write lease on a file: an ordinary open(2) waits for it, for up to 45
/// seconds.
fn leased(path: &Path) -> Child {
    let held = Shared::new();
    let holder = forked(|| {
        let file = File::open(path).unwrap();
        // SAFETY: an ignored signal runs no code.
        #[allow(unsafe_code)]
        unsafe { signal(Signal::SIGIO, SigHandler::SigIgn) }.unwrap();
        // SAFETY: a call with numbers only.
        #[allow(unsafe_code)]
        let got = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) };
        assert_eq!(got, 0, "{}", std::io::Error::last_os_error());
        held.set(0, 1);
        loop {
            thread::sleep(Duration::from_secs(600));
        }
    });
    held.until(0, 1);
    holder
}

/// Has the header of a ring say that it lies under `path`.
fn claim_path(id: ShmId, path: &Path) {
    let raw = Raw::attach(id);
    let bytes = path.as_os_str().as_bytes();
    for (offset, byte) in bytes.iter().enumerate() {
        raw.set(1024 + offset, 1, u64::from(*byte));
    }
    raw.set(88, 4, bytes.len() as u64);
}

/// An empty ring without a user, whose file is gone and whose header names `path`.
fn ring_that_claims(folder: &Path, mode: u32, path: &Path) -> ShmId {
    let own = folder.join("ring");
    let ring = Options::new().mode(mode).create::<u64>(&own).unwrap();
    fs::remove_file(own).unwrap();
    let id = id_of(&ring);
    drop(ring);
    claim_path(id, path);
    id
}

/// Paths of files that opening waits for, takes something from, or has done something to.
fn traps(folder: &Path) -> Vec<PathBuf> {
    let at = |name: &str| folder.join(name);
    mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
    fs::write(at("leased"), "ringpipe 1\n").unwrap();
    fs::write(at("plain"), "ringpipe 1\n").unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("large"), [b'\n'; 512]).unwrap();
    fs::write(at("target"), "ringpipe 1\n").unwrap();
    symlink(at("target"), at("link")).unwrap();
    let names = ["fifo", "leased", "plain", "empty", "large", "link"];
    let mut paths: Vec<_> = names.map(at).into();
    paths.push("/proc/version".into());
    paths
}

fn assert_opens_none(paths: &[PathBuf], id: ShmId, what: &str) {
    let opened = Opened::watch(paths);
    let found = ringpipe::collect(&[], false).unwrap();
    assert!(!opened.any(), "{what} was opened");
    assert!(!found.contains(&Garbage::Nameless(id)), "{found:?}");
    sysv::shmctl_rmid(id).unwrap();
}

#[test]
fn gc_opens_no_path_of_another_users_header() {
    if !Uid::effective().is_root() {
        skipped("only root can become another user");
        return;
    }
    apart(|| {
        let folder = folder();
        let paths = traps(folder.path());
        let lease = leased(&folder.path().join("leased"));
        for path in &paths {
            let made = Shared::new();
            as_user(NOBODY, || {
                let id = ring_that_claims(folder.path(), 0o600, path);
                made.set(0, id.raw() as u64);
            });
            let id = ShmId::from_raw(made.get(0) as i32);
            assert_opens_none(&paths, id, &path.display().to_string());
        }
        lease.kill();
    });
}

#[test]
fn gc_opens_no_path_that_others_may_have_written() {
    apart(|| {
        let folder = folder();
        let paths = traps(folder.path());
        let lease = leased(&folder.path().join("leased"));
        for (path, mode) in paths.iter().zip([0o620, 0o602, 0o666].into_iter().cycle()) {
            let id = ring_that_claims(folder.path(), mode, path);
            assert_opens_none(&paths, id, &path.display().to_string());
        }
        lease.kill();
    });
}

#[test]
fn gc_opens_only_what_can_be_the_rings_file() {
    apart(|| {
        let folder = folder();
        let mut paths = traps(folder.path());
        // These may be a ring's file, for all that is known before they are read.
        paths.retain(|path| !path.ends_with("leased") && !path.ends_with("plain"));
        for path in &paths {
            let id = ring_that_claims(folder.path(), 0o600, path);
            assert_opens_none(&paths, id, &path.display().to_string());
        }
    });
}

#[test]
fn gc_opens_no_file_of_another_user_under_an_own_path() {
    if !Uid::effective().is_root() {
        skipped("only root can become another user");
        return;
    }
    apart(|| {
        let folder = folder();
        let path = folder.path().join("planted");
        as_user(NOBODY, || fs::write(&path, "ringpipe 1\n").unwrap());
        let id = ring_that_claims(folder.path(), 0o600, &path);
        assert_opens_none(std::slice::from_ref(&path), id, "the file of another user");
    });
}

#[test]
fn gc_does_not_wait_for_a_lease() {
    apart(|| {
        let folder = folder();
        let path = folder.path().join("leased");
        fs::write(&path, "ringpipe 1\n").unwrap();
        let id = ring_that_claims(folder.path(), 0o600, &path);
        let mut lease = leased(&path);
        ringpipe::collect(&[folder.path().into(), path.clone()], false).unwrap();
        // Who waits for it has it when the kernel has taken it away from its holder.
        assert!(has_lease(&path), "the lease was waited for");
        assert!(!lease.has_ended());
        lease.kill();
        sysv::shmctl_rmid(id).unwrap();
    });
}

/// Whether opening the file would have to wait.
fn has_lease(path: &Path) -> bool {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    opened.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn gc_of_a_folder_opens_only_what_may_be_a_name() {
    apart(|| {
        let folder = folder();
        let mut paths = traps(folder.path());
        // These may be names, for all that is known before they are read.
        paths.retain(|path| !path.ends_with("leased") && !path.ends_with("plain"));
        paths.retain(|path| !path.ends_with("link"));
        let socket = folder.path().join("socket");
        let _socket = UnixListener::bind(&socket).unwrap();
        symlink("/proc/version", folder.path().join("link to proc")).unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        let opened = Opened::watch(&paths);
        let mut asked = vec![folder.path().to_owned()];
        asked.extend(paths.clone());
        assert_eq!(ringpipe::collect(&asked, false).unwrap(), []);
        assert!(!opened.any());
    });
}

#[test]
fn a_lease_on_a_name_is_an_error_and_not_a_wait() {
    apart(|| {
        let folder = folder();
        let path = folder.path().join("ring");
        let ring = Ring::<u64>::create(&path, 4).unwrap();
        let lease = leased(&path);
        let errors = [
            Ring::<u64>::open(&path).map(drop).unwrap_err(),
            Ring::<u64>::open_or_create(&path, 4).map(drop).unwrap_err(),
            ringpipe::status(&path).map(drop).unwrap_err(),
            ringpipe::remove(&path).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, Error::File { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("lease") && text.contains("ring"), "{text}");
        }
        let made = Ring::<u64>::create(&path, 4).map(drop);
        assert!(matches!(made, Err(Error::NameTaken { .. })), "{made:?}");
        assert!(!ring.is_removed());
        lease.kill();
        ringpipe::remove(&path).unwrap();
        drop(ring);
        assert!(segments().is_empty());
    });
}

#[test]
fn what_is_no_rings_file_is_not_opened_by_its_name() {
    apart(|| {
        let folder = folder();
        let mut paths = traps(folder.path());
        paths.retain(|path| !path.ends_with("leased") && !path.ends_with("plain"));
        paths.retain(|path| !path.ends_with("link"));
        let opened = Opened::watch(&paths);
        for path in &paths {
            let results = [
                Ring::<u64>::open(path).map(drop),
                Ring::<u64>::open_or_create(path, 4).map(drop),
                ringpipe::status(path).map(drop),
                ringpipe::remove(path),
            ];
            for result in results {
                assert!(matches!(result, Err(Error::NotARing { .. })), "{result:?}");
            }
        }
        assert!(!opened.any());
    });
}

#[test]
fn creation_at_a_limit_looks_at_no_path() {
    apart(|| {
        let folder = folder();
        let path = folder.path().join("plain");
        fs::write(&path, "ringpipe 1\n").unwrap();
        let id = ring_that_claims(folder.path(), 0o600, &path);
        if !common::apart::set_limit("kernel.shmmni", "1") {
            skipped("no permission to lower a limit");
            return;
        }
        let opened = Opened::watch(std::slice::from_ref(&path));
        let made = Ring::<u64>::private(4).map(drop);
        assert!(matches!(made, Err(Error::Limit { .. })), "{made:?}");
        assert!(!opened.any());
        assert!(segments().contains(&id.raw()));
        common::apart::set_limit("kernel.shmmni", "4096");
        sysv::shmctl_rmid(id).unwrap();
    });
}

/// Where the note on the ring's name is in the header.
const NOTE: usize = 152;

fn segment() -> Option<ShmId> {
    let found = segments();
    assert!(found.len() < 2, "{found:?}");
    found.first().map(|id| ShmId::from_raw(*id))
}

#[test]
fn gc_keeps_items_after_a_removal_that_was_killed_early() {
    apart(|| {
        let folder = folder();
        let [path, moved] = ["ring", "moved"].map(|name| folder.path().join(name));
        let make = || {
            let ring = Ring::<u64>::create(&path, 4).unwrap();
            ring.producer().unwrap().push(7).unwrap();
        };
        make();
        killed_everywhere(
            || ringpipe::remove(&path).unwrap(),
            |_| {
                if path.exists() {
                    let ring = Ring::<u64>::open(&path).unwrap();
                    assert!(!ring.is_removed(), "the removal has not begun");
                    assert_eq!(ring.status().unwrap().unwrap().state, RingState::Ready);
                    drop(ring);
                    fs::rename(&path, &moved).unwrap();
                    assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
                    let ring = Ring::<u64>::open(&moved).unwrap();
                    assert_eq!(ring.consumer().unwrap().pop(), Ok(7));
                    drop(ring);
                    ringpipe::remove(&moved).unwrap();
                }
                ringpipe::collect(&[], false).unwrap();
                if let Some(id) = segment() {
                    ringpipe::remove(id).unwrap();
                }
                make();
            },
        );
        ringpipe::remove(&path).unwrap();
    });
}

/// What a killed remover has left of a ring with an item in it, before and after a collector came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// All is as before.
    Whole,
    /// The name is gone, and nothing says that this was meant: it stays.
    Nameless,
    /// The name is gone, and a note says that this was meant: it is collected.
    Noted,
    Nothing,
}

#[test]
fn a_killed_removal_leaves_a_whole_ring_or_a_nameless_one() {
    apart(|| {
        let folder = folder();
        let path = folder.path().join("ring");
        let make = || {
            let ring = Ring::<u64>::create(&path, 4).unwrap();
            ring.producer().unwrap().push(7).unwrap();
        };
        let mut states = vec![];
        make();
        killed_everywhere(
            || ringpipe::remove(&path).unwrap(),
            |_| {
                let noted = segment().map(|id| Raw::attach(id).number(NOTE, 4));
                let left = match (path.exists(), noted) {
                    (true, Some(0)) => Left::Whole,
                    (false, Some(0)) => Left::Nameless,
                    (false, Some(1)) => Left::Noted,
                    (false, None) => Left::Nothing,
                    other => panic!("{other:?}"),
                };
                states.push(left);
                ringpipe::collect(&[folder.path().into()], false).unwrap();
                let stays = matches!(left, Left::Whole | Left::Nameless);
                assert_eq!(segment().is_some(), stays, "{left:?}");
                if let Some(id) = segment() {
                    let ring = Ring::<u64>::open(id).unwrap();
                    assert_eq!(ring.consumer().unwrap().pop(), Ok(7));
                    drop(ring);
                    let name = if left == Left::Whole {
                        Name::from(&path)
                    } else {
                        id.into()
                    };
                    ringpipe::remove(name).unwrap();
                }
                make();
            },
        );
        let nameless = states.iter().filter(|left| **left == Left::Nameless);
        assert_eq!(nameless.count(), 1, "at one moment alone");
        states.dedup();
        let expected = [Left::Whole, Left::Nameless, Left::Noted, Left::Nothing];
        assert_eq!(states, expected);
        ringpipe::remove(&path).unwrap();
    });
}

#[test]
fn the_second_of_two_removers_takes_no_note_back() {
    apart(|| {
        let folder = folder();
        let path = folder.path().join("ring");
        let mut running = true;
        for halts in 0.. {
            if !running {
                break;
            }
            let ring = Ring::<u64>::create(&path, 4).unwrap();
            let mut second = Stepped::new(|| {
                let _ = ringpipe::remove(&path);
            });
            running = (0..=halts).all(|_| second.step());
            // While that one holds the lock, another only waits for it.
            let file = File::open(&path);
            if file.map_or(true, |file| file.try_lock().is_ok()) {
                let removed = ringpipe::remove(&path);
                // It may be this one that came too late.
                let fit = matches!(removed, Ok(()) | Err(Error::NotFound { .. }));
                assert!(fit, "{removed:?}");
            }
            if running {
                second.finish();
            }
            assert!(ring.is_removed());
            assert_eq!(Raw::attach(id_of(&ring)).number(NOTE, 4), 1);
            assert_eq!(ring.status().unwrap().unwrap().state, RingState::Removed);
        }
    });
}

#[test]
fn a_ring_whose_creator_was_killed_can_be_renamed() {
    apart(|| {
        let folder = folder();
        let [path, moved] = ["ring", "moved"].map(|name| folder.path().join(name));
        let mut named = 0;
        killed_everywhere(
            || forget(Ring::<u64>::create(&path, 4).unwrap()),
            |_| {
                if path.exists() {
                    fs::rename(&path, &moved).unwrap();
                    match Ring::<u64>::open(&moved) {
                        Ok(_) => {
                            named += 1;
                            assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
                            assert!(Ring::<u64>::open(&moved).is_ok());
                        }
                        // It had a name, and nobody had it yet.
                        Err(Error::NotReady { .. }) => {
                            Ring::<u64>::open_or_create(&moved, 4).unwrap();
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                    ringpipe::remove(&moved).unwrap();
                }
                for id in segments() {
                    let _ = sysv::shmctl_rmid(ShmId::from_raw(id));
                }
                for id in sets() {
                    let _ = sysv::semctl_rmid(SemId::from_raw(id));
                }
            },
        );
        assert!(named > 1, "{named}");
    });
}

/// Whether a process has a file open that lies in `folder` and has no name.
fn has_unnamed_file(child: i32, folder: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{child}/fd")).unwrap();
    let mut targets = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    targets.any(|target| {
        let unnamed = target.as_os_str().as_bytes().ends_with(b" (deleted)");
        unnamed && target.parent() == Some(folder)
    })
}

#[test]
fn a_name_is_given_in_the_folder_in_which_it_was_made() {
    apart(|| {
        let folder = folder();
        let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
        let path = here.join("ring");
        let (mut running, mut begun) = (true, 0);
        for halts in 0.. {
            if !running {
                break;
            }
            fs::create_dir(&here).unwrap();
            let mut creator = Stepped::new(|| drop(Ring::<u64>::create(&path, 4)));
            running = (0..=halts).all(|_| creator.step());
            let unnamed = running && has_unnamed_file(creator.pid(), &here);
            let had_name = path.exists();
            fs::rename(&here, &there).unwrap();
            fs::create_dir(&here).unwrap();
            if running {
                creator.finish();
            }
            if unnamed && !had_name {
                begun += 1;
                assert!(!path.exists(), "it came into another folder");
                assert!(there.join("ring").exists());
            }
            fs::remove_dir_all(&here).unwrap();
            fs::remove_dir_all(&there).unwrap();
            for id in segments() {
                ringpipe::remove(ShmId::from_raw(id)).unwrap();
            }
        }
        if begun == 0 {
            skipped("the file system has no unnamed files");
        }
    });
}

/// What the kernel's tables of this namespace have.
fn objects() -> (Vec<i32>, Vec<i32>) {
    (segments(), sets())
}

#[test]
fn gc_waits_for_no_lock_on_a_stale_name() {
    apart(|| {
        let folder = folder();
        let stale = folder.path().join("stale");
        drop(Ring::<u64>::create(&stale, 1).unwrap());
        sysv::shmctl_rmid(ShmId::from_raw(segments()[0])).unwrap();
        // So many that a wait for each would outlast the watchdog.
        let names = (0..100).map(|n| folder.path().join(format!("stale-{n}")));
        let locked: Vec<File> = names
            .map(|name| {
                fs::copy(&stale, &name).unwrap();
                let file = File::open(name).unwrap();
                file.lock().unwrap();
                file
            })
            .collect();
        let found = ringpipe::collect(&[folder.path().to_owned()], false).unwrap();
        assert!(found.contains(&Garbage::StaleName(stale.clone())) && !stale.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), locked.len());
    });
}

#[test]
fn notes_of_others_do_not_give_a_rings_items_away() {
    apart(|| {
        let folder = folder();
        let path = folder.path().join("ring");
        let ring = Options::new().mode(0o666).create::<u64>(&path).unwrap();
        ring.producer().unwrap().push_slice(&[1, 2, 3]).unwrap();
        let id = id_of(&ring);
        drop(ring);
        let before = objects();
        // Removed; not ready. Another user who may write to the ring may have written that.
        for (offset, value, as_it_was) in [(152, 1, 0), (92, 0, 0x5245_4459)] {
            Raw::attach(id).set(offset, 4, value);
            ringpipe::collect(&[], false).unwrap();
            assert_eq!(objects(), before, "the note at {offset} was believed");
            Raw::attach(id).set(offset, 4, as_it_was);
        }
        let mut rx = Ring::<u64>::open(&path).unwrap().consumer().unwrap();
        assert_eq!(rx.pop(), Ok(1));
        ringpipe::remove(&path).unwrap();
    });
}

#[test]
fn a_set_that_others_may_mark_is_not_another_users_to_remove() {
    apart(|| {
        if !Uid::effective().is_root() {
            return skipped("only root can play another user");
        }
        let made = Shared::new();
        as_user(NOBODY, || {
            let flags = sysv::SemGetFlags::CREATE;
            let set = sysv::semget(sysv::Key::PRIVATE, 9, flags, 0o666).unwrap();
            sysv::semctl_setall(set, &[0, 0, 0, 0, 0x5269, 0x6e67, 0x1234, 0, 0]).unwrap();
            made.set(0, set.raw().unsigned_abs().into());
        });
        let set = SemId::from_raw(made.get(0) as i32);
        assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
        assert_eq!(sets(), [set.raw()]);
        sysv::semctl_rmid(set).unwrap();
    });
}

/// Names are looked up by what the thread has open, not by what its process has.
#[test]
fn a_thread_with_files_of_its_own_finds_names() {
    apart(|| {
        let folder = folder();
        let path = folder.path().join("ring");
        thread::scope(|scope| {
            scope.spawn(|| {
                nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).unwrap();
                let ring = Ring::<u64>::create(&path, 4).unwrap();
                ring.producer().unwrap().push(7).unwrap();
                let again = Ring::<u64>::open(&path).unwrap();
                assert_eq!(again.consumer().unwrap().pop(), Ok(7));
                drop((ring, again));
                assert_eq!(ringpipe::collect(&[], true).unwrap(), []);
                ringpipe::remove(&path).unwrap();
            });
        });
        assert_eq!(objects(), (vec![], vec![]));
    });
}
