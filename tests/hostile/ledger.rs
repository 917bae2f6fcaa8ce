//! What all processes of a run note in memory of their own, which no scribbler reaches.

use ringpipe::{Error, Fault, RingState};
use std::io;

use crate::common::Shared;

pub(crate) const OVER: usize = 0;
pub(crate) const SCRIBBLES: usize = 1;
pub(crate) const CALLS: usize = 2;
pub(crate) const ROUNDS: usize = 3;
/// What the calls came to.
pub(crate) const DONE: usize = 4;
pub(crate) const NOT_NOW: usize = 5;
pub(crate) const GONE: usize = 6;
pub(crate) const CORRUPT: usize = 7;
pub(crate) const REMOVED: usize = 8;
/// No role to be had, or nothing that could be opened.
pub(crate) const REFUSED: usize = 9;
/// An error of the kernel.
pub(crate) const KERNEL: usize = 10;
/// How long a call has taken, in milliseconds, and which.
pub(crate) const SLOWEST: usize = 11;
pub(crate) const SLOWEST_CALL: usize = 12;
/// What each process does just now: see [`Watch`](crate::victims::Watch).
pub(crate) const DOING: usize = 16;
pub(crate) const PROCESSES: usize = 8;
pub(crate) const NOTES: usize = DOING + PROCESSES;

/// What a call has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    Done,
    NotNow,
    Gone,
    Corrupt,
    Removed,
    Refused,
    Kernel,
}

impl Met {
    pub(crate) fn note(self, notes: Shared) {
        notes.add(match self {
            Self::Done => DONE,
            Self::NotNow => NOT_NOW,
            Self::Gone => GONE,
            Self::Corrupt => CORRUPT,
            Self::Removed => REMOVED,
            Self::Refused => REFUSED,
            Self::Kernel => KERNEL,
        });
    }
}

/// Errors of the kernel that a scribbler can bring about: semaphores or adjustments at the end of their range; operations that
/// the limits forbid.
const EXPECTED: [i32; 4] = [libc::ERANGE, libc::ENOSPC, libc::ENOMEM, libc::EAGAIN];

pub(crate) fn of_fault(fault: Fault) -> Met {
    match fault {
        Fault::Corrupt => Met::Corrupt,
        Fault::Removed => Met::Removed,
        Fault::Call { call, source } => {
            assert!(EXPECTED.contains(&source.raw()), "{call}: {source}");
            Met::Kernel
        }
        other => panic!("nobody forks here: {other}"),
    }
}

pub(crate) fn of_error(error: &Error) -> Met {
    match error {
        Error::Corrupt { .. } => Met::Corrupt,
        Error::Removed => Met::Removed,
        Error::Call { call, source } => {
            assert!(EXPECTED.contains(&source.raw()), "{call}: {source}");
            Met::Kernel
        }
        Error::NotFound { .. }
        | Error::Stale { .. }
        | Error::NotARing { .. }
        | Error::NotReady { .. }
        | Error::WrongVersion { .. }
        | Error::WrongType { .. }
        | Error::RoleTaken { .. }
        | Error::Crowded { .. }
        | Error::NoReader { .. }
        | Error::TimedOut { .. } => Met::Refused,
        other => panic!("{other}"),
    }
}

pub(crate) fn of_io(error: &io::Error) -> Met {
    if let Some(fault) = error.get_ref().and_then(|cause| cause.downcast_ref()) {
        return of_fault(Fault::clone(fault));
    }
    match error.kind() {
        io::ErrorKind::BrokenPipe => Met::Gone,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Met::NotNow,
        _ => {
            let errno = error.raw_os_error();
            let own_turn = errno == Some(libc::EDEADLK); // by a note that was scribbled over
            let expected = own_turn || errno.is_some_and(|errno| EXPECTED.contains(&errno));
            assert!(expected, "{error}");
            Met::Kernel
        }
    }
}

/// What can be said of any account of a ring.
pub(crate) fn check_status(status: &ringpipe::Status) {
    if status.state != RingState::HalfMade {
        assert!(status.len <= status.capacity, "{status:?}");
    }
    assert!(status.participants.len() <= 511, "{status:?}");
}

/// The account of all that was done.
pub(crate) fn report(test: &str, notes: Shared) {
    let get = |index| notes.get(index);
    println!(
        "{test}: {} rounds, {} scribbles, {} calls: {} done, {} not now, {} gone, {} corrupt, {} removed, {} refused, {} by the kernel; the slowest took {} ms ({})",
        get(ROUNDS),
        get(SCRIBBLES),
        get(CALLS),
        get(DONE),
        get(NOT_NOW),
        get(GONE),
        get(CORRUPT),
        get(REMOVED),
        get(REFUSED),
        get(KERNEL),
        get(SLOWEST),
        get(SLOWEST_CALL),
    );
    // Else the rounds were not what they are meant to be.
    for index in [SCRIBBLES, DONE, CORRUPT] {
        assert!(get(index) > 0, "{test} did nothing of that kind: {index}");
    }
}
