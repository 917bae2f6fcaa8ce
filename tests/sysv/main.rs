//! The facade over System V calls, against the real kernel.
//!
//! Every object is removed when its owner in the test is dropped, also by a panic. No test asserts
//! that something happens within a time; waits that are meant to sleep have a limit far above any
//! sane time, so that a lost wake-up fails instead of hanging.
// The words in shared memory are core's: loom is not in this test, which is about the kernel.
#![allow(unsafe_code, clippy::disallowed_types)]

mod basics;
mod permissions;
mod sem;
mod shm;
mod undo;

use std::fs;
use std::io;
use std::num::NonZeroU8;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, Uid, fork, pause, setuid};
use ringpipe::sysv::*;

/// Whoever waits longer has hung.
const LONG: Option<Duration> = Some(Duration::from_secs(30));
/// The largest value of a semaphore.
const SEMVMX: i16 = i16::MAX;

/// A segment, removed with the value.
struct Segment(ShmId);

impl Segment {
    fn new(size: usize, mode: u32) -> Self {
        Self(shmget(Key::PRIVATE, size, ShmGetFlags::CREATE, mode).unwrap())
    }

    fn attach(&self) -> Mapping {
        shmat(self.0, ShmAtFlags::empty()).unwrap()
    }

    /// Waits for a number of attachments. The children that other tests fork at the same time have
    /// copies of everything that is attached here, so it may be higher for a while.
    fn wait_for_nattch(&self, nattch: u64) {
        eventually(|| shmctl_stat(self.0).unwrap().nattch == nattch);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // The test may have removed it itself.
        let _ = shmctl_rmid(self.0);
    }
}

/// A set, removed with the value.
struct Set(SemId);

impl Set {
    fn new(nsems: i32) -> Self {
        Self::with_mode(nsems, 0o600)
    }

    fn with_mode(nsems: i32, mode: u32) -> Self {
        Self(semget(Key::PRIVATE, nsems, SemGetFlags::CREATE, mode).unwrap())
    }

    fn value(&self, num: u16) -> i32 {
        semctl_getval(self.0, num).unwrap()
    }

    /// Waits until so many sleep at the first semaphore.
    fn wait_for_sleepers(&self, count: fn(SemId, u16) -> Result<i32>, sleepers: i32) {
        eventually(|| count(self.0, 0).unwrap() == sleepers);
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        let _ = semctl_rmid(self.0);
    }
}

/// A forked child, killed and reaped with the value.
struct Child(Option<Pid>);

impl Child {
    /// Runs `body` in a child, which exits with what it returns.
    ///
    /// `body` only makes system calls: a child of a process with threads must not do more.
    fn fork(body: impl FnOnce() -> i32) -> Self {
        // SAFETY: the child does system calls and arithmetic, and leaves by _exit.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => Self(Some(child)),
            ForkResult::Child => {
                die_with_parent();
                let code = body();
                // SAFETY: ends the process without running anything of the parent's.
                unsafe { libc::_exit(code) }
            }
        }
    }

    /// A child that does `ops` on `set` and then waits for a signal for ever.
    ///
    /// The last semaphore of the set must be 0, and is again when this returns: it tells that the
    /// child has done its work.
    fn doing(set: &Set, ops: &[SemOp]) -> Self {
        let last = u16::try_from(semctl_stat(set.0).unwrap().nsems - 1).unwrap();
        let id = set.0;
        let child = Self::fork(|| {
            if semop(id, ops)
                .and_then(|()| semop(id, &[SemOp::add(last, 1)]))
                .is_ok()
            {
                loop {
                    pause();
                }
            }
            1
        });
        semtimedop(id, &[SemOp::take(last, 1)], LONG).expect("the child did its operations");
        child
    }

    fn pid(&self) -> Pid {
        self.0.unwrap()
    }

    fn kill(mut self) {
        let pid = self.0.take().unwrap();
        kill(pid, Signal::SIGKILL).unwrap();
        let status = waitpid(pid, None).unwrap();
        assert_eq!(status, WaitStatus::Signaled(pid, Signal::SIGKILL, false));
    }

    /// The exit code of a child that ends by itself.
    fn join(mut self) -> i32 {
        match waitpid(self.0.take().unwrap(), None).unwrap() {
            WaitStatus::Exited(_, code) => code,
            other => panic!("the child ended with {other:?}"),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, None);
        }
    }
}

/// Nobody is left to wait for signals if the test program itself is killed.
fn die_with_parent() {
    // SAFETY: sets a number in this process; touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// The exit code for a result: 0, or the errno.
fn code<T>(result: Result<T>) -> i32 {
    result.map_or_else(Errno::raw, |_| 0)
}

/// Waits for something that others bring about.
fn eventually(mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < LONG.unwrap(), "it never happened");
        thread::yield_now();
    }
}

/// A key that nobody else in this test run has, nor, most likely, anybody else.
fn fresh_key() -> Key {
    static NEXT: AtomicI32 = AtomicI32::new(0);
    let pid = process::id().cast_signed();
    Key::new(0x4000_0000 | (pid << 6 & 0x3fff_ffc0) | (NEXT.fetch_add(1, Ordering::Relaxed) & 0x3f))
}

/// The word at the start of a mapping.
fn word(mapping: &Mapping) -> &AtomicU32 {
    // SAFETY: attached for writing by all tests that call this, page-aligned, at least one page, and
    // alive as long as the borrow; only accessed atomically.
    unsafe { AtomicU32::from_ptr(mapping.as_ptr().cast().as_ptr()) }
}

fn is_root() -> bool {
    Uid::effective().is_root()
}

const NOBODY: Uid = Uid::from_raw(65534);
