#![allow(unsafe_code)]
//! For the unit tests of this folder: a piece of code in a forked child.

use std::panic::{self, AssertUnwindSafe};

use nix::libc::_exit;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, alarm, fork};

/// A child that is still there after so many seconds has hung.
const WATCHDOG: u32 = 60;

/// Runs `body` in a forked child and panics if it panics there.
pub(crate) fn in_child(body: impl FnOnce()) {
    // SAFETY: the child is a copy of a process with threads, of which only this one goes on in it. It
    // may allocate, because glibc keeps that usable over fork. A panic takes locks of the standard
    // library too, which another thread may have held; then it hangs until the alarm, and fails as
    // well. No other lock of the test program is taken before `_exit`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            alarm::set(WATCHDOG);
            let failed = panic::catch_unwind(AssertUnwindSafe(body)).is_err();
            // SAFETY: ends the process here and now, so nothing of the parent's is run twice.
            unsafe { _exit(failed.into()) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        }
    }
}
