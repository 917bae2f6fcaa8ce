//! Rings of huge pages. Their maker can take a page away while another process looks at it, which
//! ends that process (SIGBUS).
//!
//! Needs root, who reserves a few pages and gives them back.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::sync::{Mutex, PoisonError};

use common::apart::{apart, skipped};
use common::{Shared, forked};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use ringpipe::spsc::{Options, Ring};
use ringpipe::sysv::{self, Key, ShmGetFlags, ShmId};
use ringpipe::{Error, Name};

const NOBODY: u32 = 65_534;
const HUGE_PAGE: usize = 2 << 20;
const COUNT: &str = "/proc/sys/vm/nr_hugepages";

/// Some huge pages more than there were, until dropped.
struct Reserved {
    before: u64,
}

impl Reserved {
    fn have(more: u64) -> Option<Self> {
        let count = || fs::read_to_string(COUNT).ok()?.trim().parse::<u64>().ok();
        let before = count()?;
        fs::write(COUNT, (before + more).to_string()).ok()?;
        let reserved = Self { before };
        (count()? >= before + more).then_some(reserved)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let _ = fs::write(COUNT, self.before.to_string());
    }
}

/// Runs `work` as another user, who may use huge pages: whoever is in root's group may.
fn as_nobody(work: impl FnOnce()) {
    forked(|| {
        setgroups(&[]).unwrap();
        setgid(Gid::from_raw(0)).unwrap();
        setuid(Uid::from_raw(NOBODY)).unwrap();
        work();
    })
    .join();
}

/// How many bytes of a segment are in memory.
fn resident(id: ShmId) -> u64 {
    let list = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let column = |line: &str, at: usize| line.split_ascii_whitespace().nth(at)?.parse().ok();
    let mut lines = list.lines().skip(1);
    let line = lines.find(|line| column(line, 1) == Some(id.raw() as u64));
    column(line.unwrap(), 14).unwrap()
}

fn with_huge_pages(body: impl FnOnce()) {
    // The number of pages is the machine's: one test at a time changes it, and restores it.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let reserved = Uid::effective().is_root().then(|| Reserved::have(4));
    let Some(Some(_reserved)) = reserved else {
        skipped("no huge pages can be had");
        return;
    };
    apart(body);
}

#[test]
fn another_users_ring_of_huge_pages_is_not_looked_at() {
    with_huge_pages(|| {
        let key = Key::new(0x4875);
        let ids = Shared::new();
        as_nobody(|| {
            let options = Options::new().capacity(4).mode(0o666).huge_pages(true);
            let ring = options.create::<u64>(key).unwrap();
            let Some(Name::Id(id)) = ring.id() else {
                panic!("it has an id");
            };
            ids.set(0, id.raw() as u64);
            let flags = ShmGetFlags::CREATE | ShmGetFlags::HUGETLB;
            let bare = sysv::shmget(Key::PRIVATE, HUGE_PAGE, flags, 0o666).unwrap();
            ids.set(1, bare.raw() as u64);
        });
        let [ring, bare] = [0, 1].map(|at| ShmId::from_raw(ids.get(at) as i32));
        assert!(ringpipe::list().unwrap().is_empty());
        assert_eq!(ringpipe::collect(&[], false).unwrap(), []);
        for name in [Name::Key(key), ring.into(), bare.into()] {
            for error in [
                ringpipe::status(&name).map(drop).unwrap_err(),
                ringpipe::remove(&name).unwrap_err(),
            ] {
                assert!(
                    matches!(error, Error::ForeignPages { uid: NOBODY, .. }),
                    "{error}"
                );
                assert!(error.to_string().contains("ipcrm -m"), "{error}");
            }
            let opened = Ring::<u64>::open(&name).unwrap_err();
            assert!(matches!(opened, Error::ForeignOwner { .. }), "{opened}");
        }
        assert_eq!(resident(bare), 0, "a page was touched");
        // Who trusts its maker uses it.
        let trusting = Options::new().trust_uid(NOBODY);
        let opened = trusting.open::<u64>(key).unwrap();
        opened.producer().unwrap().push(7).unwrap();
        assert_eq!(opened.consumer().unwrap().pop(), Ok(7));
        drop(opened);
        as_nobody(|| {
            assert_eq!(ringpipe::list().unwrap().len(), 1);
            ringpipe::remove(key).unwrap();
        });
        sysv::shmctl_rmid(bare).unwrap();
    });
}

#[test]
fn an_own_ring_of_huge_pages_is_looked_at() {
    with_huge_pages(|| {
        let options = Options::new().capacity(4).huge_pages(true);
        let ring = options.create::<u64>(Key::new(0x4875)).unwrap();
        assert_eq!(ringpipe::list().unwrap().len(), 1);
        assert_eq!(ringpipe::status(Key::new(0x4875)).unwrap().capacity, 4);
        ringpipe::remove(Key::new(0x4875)).unwrap();
        drop(ring);
    });
}

/// Ordinary pages that a process locks look like huge ones to the kernel's advice.
#[test]
fn another_users_ring_is_looked_at_with_locked_memory() {
    if !Uid::effective().is_root() {
        skipped("only root can become another user");
        return;
    }
    apart(|| {
        let key = Key::new(0x4875);
        as_nobody(|| {
            let options = Options::new().capacity(4).mode(0o666);
            drop(options.create::<u64>(key).unwrap());
        });
        // SAFETY: it changes no memory.
        #[allow(unsafe_code)]
        let locked = unsafe { libc::mlockall(libc::MCL_FUTURE) };
        if locked != 0 {
            skipped("no memory can be locked");
            return;
        }
        assert_eq!(ringpipe::status(key).unwrap().capacity, 4);
        assert_eq!(ringpipe::list().unwrap().len(), 1);
        ringpipe::remove(key).unwrap();
    });
}
