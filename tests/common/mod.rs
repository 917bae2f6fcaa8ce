//! What the tests share: names that clean up, processes that are reaped, and a watchdog instead of timeouts.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of each test file, none of which uses all of it"
)]

pub mod apart;
pub mod dice;
pub mod ledger;
pub mod raw;
#[cfg(target_arch = "x86_64")]
pub mod single;
pub mod slots;
pub mod steps;
pub mod warehouse;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use ringpipe::Name;

/// How long anything here may take at the very most. Nothing is expected to come near.
fn patience() -> Duration {
    Duration::from_secs(120 * times("RINGPIPE_STRESS"))
}

/// A number from the environment: how many times as long a test is to run; 1 unless told otherwise.
pub fn times(variable: &str) -> u64 {
    let number = std::env::var(variable).ok();
    number.and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// A folder and a path in it for a ring; whatever happens, the ring is removed at the end.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        ringpipe_prepared();
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ring")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(self.folder())
            .into_iter()
            .flatten()
            .flatten()
        {
            remove(&entry.path().into());
        }
    }
}

/// Removes a ring and its semaphores, if they are there.
///
/// Tests run side by side, and a child that another one has forked holds the mappings of this one's rings too. If it is the last to end, and by
/// `_exit` or a signal, nobody is there to remove the semaphores: a collector would find them.
fn remove(name: &Name) {
    let set = ringpipe::status(name).ok().and_then(|status| status.set);
    let _ = ringpipe::remove(name);
    if let Some(set) = set {
        let _ = ringpipe::sysv::semctl_rmid(set);
    }
}

/// A named ring's segment is removed at the end, whatever happens: for keys and ids.
#[derive(Debug)]
pub struct Removed(pub Name);

impl Drop for Removed {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Has the library do, before anything is forked, what it does once in a process.
fn ringpipe_prepared() {
    static DONE: std::sync::Once = std::sync::Once::new();
    DONE.call_once(|| {
        let ring = ringpipe::spsc::Ring::<u8>::private(1).expect("a ring can be created");
        drop(ring.producer().expect("it has no producer"));
    });
}

/// A forked process. Killed and reaped at the end, whatever happens.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    reaped: bool,
}

/// Forks. The child runs `work` and ends with status 0, or 101 if it panics; it never returns into the test.
pub fn forked(work: impl FnOnce()) -> Child {
    ringpipe_prepared();
    forked_unprepared(work)
}

/// The same where this process may not have used the library yet; no other thread of it may be doing so.
pub fn forked_unprepared(work: impl FnOnce()) -> Child {
    // SAFETY: the child uses nothing that another thread of the test may hold locked, but for the allocator, which
    // the C library makes usable in children, and ends by `_exit`.
    #[allow(unsafe_code)]
    match unsafe { fork() }.expect("a process can be forked") {
        ForkResult::Parent { child } => Child {
            pid: child,
            reaped: false,
        },
        ForkResult::Child => {
            // A child that hangs, or loses its parent, does not stay.
            nix::unistd::alarm::set(patience().as_secs() as u32);
            let outcome = catch_unwind(AssertUnwindSafe(work));
            let status = if outcome.is_ok() { 0 } else { 101 };
            // SAFETY: always sound; it ends the process without running what the parent registered.
            #[allow(unsafe_code)]
            unsafe {
                libc::_exit(status)
            }
        }
    }
}

impl Child {
    /// A process that another one has forked, and that this one traces.
    pub fn traced(pid: Pid) -> Self {
        Self { pid, reaped: false }
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).expect("the child is not reaped yet");
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        assert_eq!(
            self.reap(),
            WaitStatus::Signaled(self.pid, Signal::SIGKILL, false)
        );
    }

    /// The same, where it may have come to a good end by itself.
    pub fn kill_or_join(mut self) {
        self.signal(Signal::SIGKILL);
        let end = self.reap();
        let killed = WaitStatus::Signaled(self.pid, Signal::SIGKILL, false);
        assert!(
            end == killed || end == WaitStatus::Exited(self.pid, 0),
            "{end:?}"
        );
    }

    /// Waits for its end, which must be a good one.
    pub fn join(mut self) {
        assert_eq!(self.reap(), WaitStatus::Exited(self.pid, 0));
    }

    /// Waits for its end, whatever that is.
    pub fn end(mut self) -> WaitStatus {
        self.reap()
    }

    /// Whether it has ended, which must be well.
    pub fn has_ended(&mut self) -> bool {
        let status = waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).expect("it is our child");
        if status == WaitStatus::StillAlive {
            return false;
        }
        self.reaped = true;
        assert_eq!(status, WaitStatus::Exited(self.pid, 0));
        true
    }

    /// Somebody else has reaped it.
    pub fn forget(&mut self) {
        self.reaped = true;
    }

    fn reap(&mut self) -> WaitStatus {
        self.reaped = true;
        waitpid(self.pid, None).expect("it is our child")
    }

    /// Waits until it sleeps in the kernel (state S), as far as the kernel says.
    pub fn until_asleep(&self) {
        until(|| self.is_asleep());
    }

    fn is_asleep(&self) -> bool {
        self.is_in_state('S')
    }

    /// Whether a signal has stopped it (state T).
    pub fn is_stopped(&self) -> bool {
        self.is_in_state('T')
    }

    fn is_in_state(&self, state: char) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with(state))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, Some(WaitPidFlag::empty()));
        }
    }
}

/// Waits until `condition` holds; the watchdog sees to it that this ends.
pub fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_micros(200));
    }
}

/// Runs a body on a ring in a System V segment and on one within the process.
pub fn on_both<R>(
    create: impl FnOnce(PathBuf) -> Result<R, ringpipe::Error>,
    within: impl FnOnce() -> Result<R, ringpipe::Error>,
    body: impl Fn(R),
) {
    let place = Place::new();
    body(create(place.path()).expect("a ring can be created"));
    body(within().expect("a ring needs some memory only"));
}

/// Counters that forked processes share, each 0 at first.
#[derive(Debug, Clone, Copy)]
pub struct Shared(&'static [AtomicU64]);

impl Shared {
    pub fn new() -> Self {
        Self::with(8)
    }

    /// So many of them.
    pub fn with(count: usize) -> Self {
        let len = std::num::NonZeroUsize::new(count * size_of::<AtomicU64>());
        let len = len.expect("at least one");
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping anywhere.
        #[allow(unsafe_code)]
        let page =
            unsafe { mmap_anonymous(None, len, access, MapFlags::MAP_SHARED) }.expect("a page");
        // SAFETY: the pages are zeroed, aligned, as large as the slice at least, and never unmapped; all access is atomic.
        #[allow(unsafe_code)]
        Self(unsafe { std::slice::from_raw_parts(page.cast().as_ptr(), count) })
    }

    pub fn get(&self, index: usize) -> u64 {
        self.0[index].load(Ordering::SeqCst)
    }

    pub fn set(&self, index: usize, value: u64) {
        self.0[index].store(value, Ordering::SeqCst);
    }

    pub fn add(&self, index: usize) {
        self.more(index, 1);
    }

    /// Adds `n`; returns what was there before.
    pub fn more(&self, index: usize, n: u64) -> u64 {
        self.0[index].fetch_add(n, Ordering::SeqCst)
    }

    /// Waits until the counter has come to `value`.
    pub fn until(&self, index: usize, value: u64) {
        until(|| self.get(index) >= value);
    }
}

/// Ends the test process if a test hangs: after removing what it made, and killing what it started.
#[derive(Debug)]
pub struct Watchdog {
    over: Arc<AtomicBool>,
}

impl Watchdog {
    /// Watches until dropped. `paths`: rings to remove if it must bite.
    pub fn new(test: &'static str, paths: Vec<PathBuf>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&over);
        let paths = Mutex::new(paths);
        thread::spawn(move || {
            for _ in 0..patience().as_millis() / 100 {
                thread::sleep(Duration::from_millis(100));
                if theirs.load(Ordering::Relaxed) {
                    return;
                }
            }
            eprintln!("{test} hangs; ending the test process");
            for path in paths.lock().expect("nobody panics with it").iter() {
                let _ = ringpipe::remove(path);
            }
            exit(124);
        });
        Self { over }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Waits for a signal that ends this process.
pub fn wait_for_the_end() -> ! {
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}

/// How many sleep in a role of a shared ring, as the kernel has it.
pub fn asleep<T: ringpipe::Item>(ring: &ringpipe::mpmc::Ring<T>, role: ringpipe::Role) -> u32 {
    let status = ring.status().expect("the ring is there");
    let status = status.expect("it is in a segment");
    match role {
        ringpipe::Role::Producer => status.producer.sleeping,
        ringpipe::Role::Consumer => status.consumer.sleeping,
    }
}

/// A ring's place with a watchdog over the test that uses it.
pub fn watched(test: &'static str) -> (Place, Watchdog) {
    let place = Place::new();
    let watchdog = Watchdog::new(test, vec![place.path()]);
    (place, watchdog)
}
