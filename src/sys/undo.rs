#![allow(unsafe_code)]
//! Does `SEM_UNDO` do anything here?
//!
//! There are systems that accept the flag and ignore it (gVisor is one). A ring on such a system would
//! work until somebody dies, and then hang; so it has to be found out before. There is no other way
//! than to let a process die and look.
//!
//! The process is as small as they come: it shares this one's memory (nothing is copied, however large
//! the application is), suspends the calling thread until it is gone, and does one semop. What it must
//! *not* share is the list of adjustments: without `CLONE_SYSVSEM` the child starts with an empty one,
//! and the kernel works through that when the child ends. The application's SIGCHLD handler and its
//! wait(2) calls do not see the child, because it has no exit signal.

use nix::errno::Errno as NixErrno;
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::errno::{Errno, Result};
use super::from_nix;
use super::sem::{SemId, SemOp, semctl_getval, semop};

/// Enough for one closure and one system call, without optimisation too; there are no signal frames.
const STACK: usize = 64 << 10;

/// Finds out whether the kernel reverses semaphore operations of a process that ended.
///
/// Tried out on semaphore `num` of `set`, which nobody else may be changing. If the kernel does so,
/// its value is as before; if not, it is greater by 1. It costs a process each time; the caller
/// keeps the answer.
///
/// # Errors
///
/// Those of semctl(2), semop(2) and clone(2): `EPERM` or `EAGAIN` when there may be no more
/// processes. `EINTR`: somebody killed the child, so there is no answer.
pub(crate) fn undo_works(set: SemId, num: u16) -> Result<bool> {
    let before = semctl_getval(set, num)?;
    let _blocked = SignalsBlocked::new()?;
    let child = spawn_adder(set, num)?;
    match reap(child)? {
        WaitStatus::Exited(_, 0) => Ok(semctl_getval(set, num)? == before),
        WaitStatus::Exited(_, errno) => Err(Errno::from_raw(errno)),
        _ => Err(Errno::EINTR),
    }
}

/// Starts a process that adds 1 with undo and exits; its exit code is 0 or semop's errno.
fn spawn_adder(set: SemId, num: u16) -> Result<Pid> {
    let mut stack = vec![0; STACK];
    // The numbers of all errors are below 256.
    let add = || match semop(set, &[SemOp::add(num, 1).undo()]) {
        Ok(()) => 0,
        Err(errno) => errno.raw() as isize,
    };
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    // SAFETY: what a child in shared memory could break is ruled out one by one.
    // * Stack: `stack` is used by nothing else, and CLONE_VFORK suspends this thread until the child
    //   has let go of the memory, so it and the closure outlive the child. The closure needs far less.
    // * Code in the child: building one SemOp on the stack, the system call, and errno, which is this
    //   suspended thread's. No allocation, no lock, no panic (so no unwinding into C).
    // * Signals: the child starts with this thread's mask, where everything is blocked
    //   (`SignalsBlocked` in the caller), so no handler of the application ever runs in it.
    // * It ends with exit(2) from the C library's clone, which runs no exit handler.
    unsafe { clone(Box::new(add), &mut stack, flags, None) }.map_err(from_nix)
}

/// Waits for a child without exit signal. Its adjustments are done before it can be waited for.
fn reap(child: Pid) -> Result<WaitStatus> {
    loop {
        match waitpid(child, Some(WaitPidFlag::__WALL)) {
            // Signals are blocked, but whoever leaves here without waiting leaves a zombie.
            Err(NixErrno::EINTR) => {}
            result => return result.map_err(from_nix),
        }
    }
}

/// All signals blocked in this thread; dropping it restores the mask.
struct SignalsBlocked {
    before: SigSet,
}

impl SignalsBlocked {
    fn new() -> Result<Self> {
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK);
        before.map(|before| Self { before }).map_err(from_nix)
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        let restored = self.before.thread_set_mask();
        debug_assert!(
            restored.is_ok(),
            "a mask that was in force before: {restored:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::key::Key;
    use crate::sys::sem::{SemGetFlags, semctl_rmid, semget};
    use crate::sys::testing::in_child;
    use nix::sys::signal::Signal;
    use std::fs;

    /// A set of two that goes away with the value.
    struct Set(SemId);

    impl Set {
        fn new() -> Self {
            let set = semget(Key::PRIVATE, 2, SemGetFlags::CREATE, 0o600).unwrap();
            semop(set, &[SemOp::add(1, 7)]).unwrap();
            Self(set)
        }
    }

    impl Drop for Set {
        fn drop(&mut self) {
            semctl_rmid(self.0).unwrap();
        }
    }

    #[test]
    fn undo_works_on_linux_and_leaves_the_values() {
        let set = Set::new();
        assert_eq!(undo_works(set.0, 0), Ok(true));
        assert_eq!(undo_works(set.0, 1), Ok(true));
        assert_eq!([0, 1].map(|num| semctl_getval(set.0, num)), [Ok(0), Ok(7)]);
    }

    #[test]
    fn a_failing_child_reports_its_errno() {
        let child = spawn_adder(SemId::from_raw(-1), 0).unwrap();
        let status = reap(child).unwrap();
        assert_eq!(status, WaitStatus::Exited(child, Errno::EINVAL.raw()));
    }

    /// The line `name:` of /proc/thread-self/status.
    fn status(name: &str) -> String {
        let all = fs::read_to_string("/proc/thread-self/status").unwrap();
        let found = all.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap().to_owned()
    }

    #[test]
    fn the_signal_mask_is_restored_and_no_sigchld_is_pending() {
        in_child(|| {
            let mut sigchld = SigSet::empty();
            sigchld.add(Signal::SIGCHLD);
            sigchld.thread_block().unwrap();
            let before = status("SigBlk:");
            let set = Set::new();
            assert_eq!(undo_works(set.0, 0), Ok(true));
            assert_eq!(status("SigBlk:"), before);
            assert_eq!(status("ShdPnd:").trim().trim_matches('0'), "");
        });
    }

    #[test]
    fn no_child_is_left_behind() {
        in_child(|| {
            let set = Set::new();
            assert_eq!(undo_works(set.0, 0), Ok(true));
            let left = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG));
            assert_eq!(left, Err(NixErrno::ECHILD));
        });
    }
}
