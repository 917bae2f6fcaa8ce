#![allow(unsafe_code)]
//! For the unit tests of this folder: a piece of code in a forked child.

use std::panic::{self, AssertUnwindSafe};

use nix::libc::_exit;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// Runs `body` in a forked child and panics if it panics there.
pub(super) fn in_child(body: impl FnOnce()) {
    // SAFETY: the child is a copy of a process with threads, of which only this one goes on in it. It
    // may allocate and print, because glibc keeps the locks of both usable over fork; no other lock of
    // the test program is taken before `_exit`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let failed = panic::catch_unwind(AssertUnwindSafe(body)).is_err();
            // SAFETY: ends the process here and now, so nothing of the parent's is run twice.
            unsafe { _exit(failed.into()) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        }
    }
}
