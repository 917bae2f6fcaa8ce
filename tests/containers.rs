//! Containers that mount a boot id of their own (LXC, systemd-nspawn), with an IPC namespace of
//! their own or the host's; and systems where the kernel frees segments that nobody is attached to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ffi::CString;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io, ptr};

use common::apart::{apart, segments, set_limit, sets, skipped};
use common::{Shared, forked};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Uid, setuid};
use ringpipe::spsc::Ring;
use ringpipe::stream::Fifo;
use ringpipe::sysv::{self, Key, ShmGetFlags, ShmId};
use ringpipe::{Error, Garbage, Name, mpmc, spsc, stream};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const NOBODY: u32 = 65_534;

/// Where a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    /// With the kernel's own boot id.
    Host,
    /// With a file over it that says this digit throughout.
    Container(char),
}

impl Site {
    /// Runs `body` there, in a process of its own, perhaps with an IPC namespace of its own.
    fn run(self, own_ipc: bool, body: impl FnOnce()) {
        forked(|| {
            if own_ipc {
                unshare(CloneFlags::CLONE_NEWIPC).unwrap();
            }
            if let Self::Container(digit) = self {
                mount_boot_id(digit);
            }
            body();
        })
        .join();
    }
}

/// Gives this process a mount namespace, and in it a boot id that is a file, as LXC and
/// systemd-nspawn do.
fn mount_boot_id(digit: char) {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(None, "/", libc::MS_REC | libc::MS_PRIVATE);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boot_id");
    let text: String = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx\n".replace('x', &digit.to_string());
    fs::write(&file, &text).unwrap();
    mount(Some(&file), BOOT_ID, libc::MS_BIND);
    assert_eq!(fs::read_to_string(BOOT_ID).unwrap(), text);
}

fn mount(source: Option<&Path>, target: &str, flags: libc::c_ulong) {
    let bytes = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    let source = source.map(bytes);
    let source = source.as_ref().map_or(ptr::null(), |path| path.as_ptr());
    let (target, none) = (bytes(Path::new(target)), ptr::null::<libc::c_char>());
    // SAFETY: the kernel reads two strings that end with a zero byte and live as long as this call,
    // or none.
    #[allow(unsafe_code)]
    let returned = unsafe { libc::mount(source, target.as_ptr(), none, flags, none.cast()) };
    assert_eq!(returned, 0, "{}", io::Error::last_os_error());
}

/// Runs `body` in an IPC namespace, where file systems can be mounted.
fn where_mounts_are_allowed(body: impl FnOnce()) {
    apart(|| {
        let allowed = Shared::new();
        forked(|| allowed.set(0, unshare(CloneFlags::CLONE_NEWNS).is_ok().into())).join();
        if allowed.get(0) == 1 {
            body();
        } else {
            skipped("no permission to make a mount namespace");
        }
    });
}

fn folder_and_path() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    (folder, path)
}

/// A ring with one item in it.
fn create_ring(path: &Path) {
    let ring = Ring::<u64>::create(path, 4).unwrap();
    ring.producer().unwrap().push(7).unwrap();
}

fn line_of(path: &Path, field: &str) -> String {
    let record = fs::read_to_string(path).unwrap();
    let line = record.lines().find_map(|line| line.strip_prefix(field));
    line.unwrap().trim().to_owned()
}

fn rewrite(path: &Path, field: &str, value: &str) {
    let record = fs::read_to_string(path).unwrap();
    let old = format!("{field} {}", line_of(path, field));
    fs::write(path, record.replace(&old, &format!("{field} {value}"))).unwrap();
}

/// That an error is of that variant.
macro_rules! refused {
    ($result:expr, $variant:ident) => {{
        let error = $result.unwrap_err();
        assert!(matches!(error, Error::$variant { .. }), "{error:?}");
        error
    }};
}

/// All who could replace a living ring's name leave it alone, and find the ring.
fn assert_alive(path: &Path) {
    let before = (fs::read(path).unwrap(), fs::metadata(path).unwrap().ino());
    let folders = [path.parent().unwrap().to_owned(), path.to_owned()];
    assert_eq!(ringpipe::collect(&folders, false).unwrap(), []);
    refused!(Ring::<u64>::create(path, 4), NameTaken);
    let status = ringpipe::status(path).unwrap();
    assert_eq!(status.len, 1);
    for ring in [Ring::<u64>::open(path), Ring::open_or_create(path, 9)] {
        assert_eq!(ring.unwrap().id(), Some(Name::Id(status.id)));
    }
    assert_eq!(
        (fs::read(path).unwrap(), fs::metadata(path).unwrap().ino()),
        before
    );
}

/// The same where the ring cannot be reached.
fn assert_elsewhere(path: &Path) {
    let before = (fs::read(path).unwrap(), fs::metadata(path).unwrap().ino());
    let folders = [path.parent().unwrap().to_owned(), path.to_owned()];
    assert_eq!(ringpipe::collect(&folders, false).unwrap(), []);
    refused!(Ring::<u64>::create(path, 4), NameTaken);
    refused!(ringpipe::status(path), OtherNamespace);
    refused!(Ring::<u64>::open(path), OtherNamespace);
    refused!(ringpipe::remove(path), OtherNamespace);
    let error = refused!(Ring::<u64>::open_or_create(path, 4), OtherNamespace);
    assert!(
        error.to_string().contains("rm --other-namespace"),
        "{error}"
    );
    assert_eq!(
        (fs::read(path).unwrap(), fs::metadata(path).unwrap().ino()),
        before
    );
}

const SITES: [(Site, Site); 4] = [
    (Site::Host, Site::Container('1')),
    (Site::Container('1'), Site::Host),
    (Site::Container('1'), Site::Container('2')),
    (Site::Container('1'), Site::Container('1')),
];

#[test]
fn a_living_ring_is_found_under_another_boot_id() {
    where_mounts_are_allowed(|| {
        for (creator, opener) in SITES {
            let (_folder, path) = folder_and_path();
            creator.run(false, || create_ring(&path));
            opener.run(false, || assert_alive(&path));
            creator.run(false, || assert_alive(&path));
            // Its name can be taken away, and what is taken away is the ring.
            opener.run(false, || ringpipe::remove(&path).unwrap());
            assert!(!path.exists());
            assert_eq!((segments(), sets()), (vec![], vec![]));
        }
    });
}

#[test]
fn a_living_ring_of_another_namespace_keeps_its_name() {
    where_mounts_are_allowed(|| {
        for (creator, opener) in SITES {
            let (_folder, path) = folder_and_path();
            creator.run(false, || create_ring(&path));
            opener.run(true, || assert_elsewhere(&path));
            creator.run(false, || assert_alive(&path));
            ringpipe::remove(&path).unwrap();
        }
    });
}

#[test]
fn a_ring_that_is_gone_is_replaced_under_another_boot_id() {
    where_mounts_are_allowed(|| {
        for (creator, opener) in SITES {
            let (folder, path) = folder_and_path();
            let make_stale = || {
                creator.run(false, || create_ring(&path));
                for id in segments() {
                    sysv::shmctl_rmid(ShmId::from_raw(id)).unwrap();
                }
            };
            make_stale();
            opener.run(false, || {
                refused!(Ring::<u64>::open(&path), Stale);
                let found = ringpipe::collect(&[folder.path().to_owned()], false).unwrap();
                assert_eq!(found[0], Garbage::StaleName(path.clone()));
            });
            make_stale();
            opener.run(false, || {
                let ring = Ring::<u64>::open_or_create(&path, 9).unwrap();
                assert_eq!(ring.capacity(), 9);
            });
            ringpipe::remove(&path).unwrap();
            ringpipe::collect(&[], false).unwrap();
        }
    });
}

#[test]
fn a_mounted_boot_id_is_written_as_unknown() {
    where_mounts_are_allowed(|| {
        let (folder, path) = folder_and_path();
        Site::Container('1').run(false, || create_ring(&path));
        assert_eq!(line_of(&path, "boot"), "0".repeat(32));
        ringpipe::remove(&path).unwrap();
        // Nor is it compared with what others have written.
        Site::Host.run(false, || create_ring(&path));
        let boot = fs::read_to_string(BOOT_ID).unwrap();
        assert_eq!(line_of(&path, "boot"), boot.trim().replace('-', ""));
        for boot in ["1".repeat(32), "2".repeat(32), "0".repeat(32)] {
            rewrite(&path, "boot", &boot);
            Site::Container('1').run(true, || assert_elsewhere(&path));
        }
        // On the host, zeros are unknown, and another number is another boot.
        Site::Host.run(true, || assert_elsewhere(&path));
        rewrite(&path, "boot", &"2".repeat(32));
        Site::Host.run(true, || {
            refused!(Ring::<u64>::open(&path), Stale);
            let found = ringpipe::collect(&[folder.path().to_owned()], false).unwrap();
            assert_eq!(found, [Garbage::StaleName(path.clone())]);
        });
        assert!(!path.exists());
    });
}

/// After a restart, ids begin anew, and the one in the file may be that of a segment which only
/// another user may read.
#[test]
fn a_name_of_an_earlier_boot_is_stale_whoever_has_the_id() {
    if !Uid::effective().is_root() {
        skipped("only root can become another user");
        return;
    }
    apart(|| {
        for mode in [0o600, 0o644] {
            let (folder, path) = folder_and_path();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
            let foreign = sysv::shmget(Key::PRIVATE, 8192, ShmGetFlags::CREATE, mode).unwrap();
            forked(|| {
                setuid(Uid::from_raw(NOBODY)).unwrap();
                let make = || {
                    create_ring(&path);
                    let id = ringpipe::status(&path).unwrap().id;
                    rewrite(&path, "segment", &foreign.to_string());
                    rewrite(&path, "boot", &"2".repeat(32));
                    ringpipe::remove(id).unwrap();
                };
                make();
                refused!(Ring::<u64>::open(&path), Stale);
                ringpipe::remove(&path).unwrap();
                assert!(!path.exists());
                make();
                let found = ringpipe::collect(std::slice::from_ref(&path), false).unwrap();
                assert_eq!(found, [Garbage::StaleName(path.clone())]);
                make();
                drop(Ring::<u64>::open_or_create(&path, 4).unwrap());
                ringpipe::remove(&path).unwrap();
            })
            .join();
            assert_eq!(segments(), [foreign.raw()]);
            sysv::shmctl_rmid(foreign).unwrap();
        }
    });
}

// kernel.shm_rmid_forced, a setting of each IPC namespace.

/// Runs `body` in an IPC namespace where the kernel frees segments that nobody is attached to.
fn where_rings_are_freed(body: impl FnOnce()) {
    apart(|| {
        if set_limit("kernel.shm_rmid_forced", "1") {
            body();
        } else {
            skipped("no permission to set kernel.shm_rmid_forced");
        }
    });
}

const KEY: Key = Key::new(0x7269_6e67);

/// That creation is refused by the sysctl, and says what to do; and that nothing was made.
#[track_caller]
fn assert_refused<T: Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    let text = error.to_string();
    let Error::Limit { limit, value, .. } = &error else {
        panic!("{text}");
    };
    assert_eq!((*limit, value.as_str()), ("kernel.shm_rmid_forced", "1"));
    for part in [
        "kernel.shm_rmid_forced = 1",
        "sysctl -w kernel.shm_rmid_forced=0",
        "allow_rmid_forced(true)",
        "--allow-rmid-forced",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!((segments(), sets()), (vec![], vec![]));
}

#[test]
fn a_named_ring_that_the_kernel_would_free_is_refused() {
    where_rings_are_freed(|| {
        let (folder, path) = folder_and_path();
        for name in [Name::from(&path), Name::Key(KEY)] {
            assert_refused(Ring::<u64>::create(&name, 4));
            assert_refused(Ring::<u64>::open_or_create(&name, 4));
            assert_refused(mpmc::Ring::<u64>::create(&name, 4));
            assert_refused(mpmc::Ring::<u64>::open_or_create(&name, 4));
            assert_refused(Fifo::create(&name));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        // A ring without a name ends with its last user anyway.
        drop(Ring::<u64>::private(4).unwrap());
        drop(mpmc::Ring::<u64>::private(4).unwrap());
        drop(ringpipe::stream::pipe().unwrap());
        // The first next step works.
        assert!(set_limit("kernel.shm_rmid_forced", "0"));
        create_ring(&path);
        assert_eq!(Ring::<u64>::open(&path).unwrap().len(), 1);
        ringpipe::remove(&path).unwrap();
    });
}

#[test]
fn a_named_ring_is_made_there_if_somebody_stays_attached() {
    where_rings_are_freed(|| {
        let (_folder, path) = folder_and_path();
        let name = Name::from(&path);
        let ring = spsc::Options::new()
            .allow_rmid_forced(true)
            .create::<u64>(&name);
        let ring = ring.unwrap();
        ring.producer().unwrap().push(7).unwrap();
        // Openers need no permission: it is there.
        let found = Ring::<u64>::open_or_create(&name, 4).unwrap();
        assert_eq!(found.consumer().unwrap().pop(), Ok(7));
        drop((ring, found));
        let stale = refused!(Ring::<u64>::open(&name), Stale);
        assert!(
            stale.to_string().contains("kernel.shm_rmid_forced"),
            "{stale}"
        );
        assert_eq!((segments(), sets()), (vec![], vec![]));
        let ring = mpmc::Options::new()
            .allow_rmid_forced(true)
            .open_or_create::<u64>(&name);
        drop(ring.unwrap());
        drop(
            stream::Options::new()
                .allow_rmid_forced(true)
                .create(&name)
                .unwrap(),
        );
        ringpipe::remove(&name).unwrap();
        assert_eq!((segments(), sets()), (vec![], vec![]));
    });
}

/// What is in a stream that nobody has open is discarded anyway, and whoever comes next makes it
/// anew.
#[test]
fn a_stream_is_opened_or_created_where_the_kernel_frees_it() {
    where_rings_are_freed(|| {
        let (_folder, path) = folder_and_path();
        for name in [Name::from(&path), Name::Key(KEY)] {
            for _ in 0..2 {
                let fifo = Fifo::open_or_create(&name).unwrap();
                let (mut writer, mut reader) = fifo.both().unwrap();
                writer.write_all(b"x").unwrap();
                let mut byte = [0];
                Fifo::open(&name).unwrap();
                reader.read_exact(&mut byte).unwrap();
                assert_eq!(byte, *b"x");
            }
            assert_eq!((segments(), sets()), (vec![], vec![]));
        }
        ringpipe::remove(&path).unwrap();
    });
}

/// The kernel frees a segment with the first process that detaches from it, also if nobody was attached before.
#[test]
fn who_looks_frees_no_segment_where_the_kernel_would() {
    where_rings_are_freed(|| {
        let id = sysv::shmget(Key::PRIVATE, 1 << 16, ShmGetFlags::CREATE, 0o600).unwrap();
        assert!(ringpipe::list().unwrap().is_empty());
        assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
        ringpipe::status(Name::Id(id)).unwrap_err();
        sysv::shmctl_stat(id).expect("it is still there");
        sysv::shmctl_rmid(id).unwrap();
    });
}
