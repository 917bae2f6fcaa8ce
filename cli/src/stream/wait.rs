//! Waiting for a stream without missing a signal.
//!
//! A read or write that blocks is begun anew by the kernel after a signal; poll(2) is not. So a stream is asked first whether
//! it is ready.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::exit::Failure;
use crate::signals::{Signals, TICK};

/// Waits until reading would not block, or what is read would be lost, for which it looks again and
/// again; fails when a signal came. `false` in the second case.
pub(super) fn readable_unless(
    stream: &impl AsFd,
    signals: &Signals,
    again: Duration,
    is_lost: impl Fn() -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    loop {
        signals.check()?;
        if readable_within(stream, again)? {
            return Ok(true);
        }
        if is_lost()? {
            return Ok(false);
        }
    }
}

/// Waits until writing something would not block, or fails when a signal came.
pub(super) fn writable(stream: &impl AsFd, signals: &Signals) -> Result<(), Failure> {
    ready(stream.as_fd(), PollFlags::POLLOUT, signals)
}

/// Waits until reading would not block, but for so long at most. Whether it would not.
pub(crate) fn readable_within(stream: &impl AsFd, limit: Duration) -> Result<bool, Failure> {
    ready_within(stream.as_fd(), PollFlags::POLLIN, limit)
}

fn ready(stream: BorrowedFd, event: PollFlags, signals: &Signals) -> Result<(), Failure> {
    loop {
        signals.check()?;
        if ready_within(stream, event, TICK)? {
            return Ok(());
        }
    }
}

fn ready_within(stream: BorrowedFd, event: PollFlags, limit: Duration) -> Result<bool, Failure> {
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::ZERO);
    match poll(&mut [PollFd::new(stream, event)], limit) {
        Ok(count) => Ok(count > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(Failure::io("wait for a stream", &io::Error::from(errno))),
    }
}
