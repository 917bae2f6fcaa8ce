#![allow(unsafe_code)]
//! Reading and writing files of any kind, and waiting for them.

use std::io::{self, IoSlice, IoSliceMut, PipeReader, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use nix::sys::uio;

use super::errno::Result;
use super::from_nix;

/// pipe(2), with descriptors that are closed on exec and are not those of standard input and output, also where these are
/// closed: who prints would write into the pipe.
pub(crate) fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((
        above_standard(reader.into())?.into(),
        above_standard(writer.into())?.into(),
    ))
}

fn above_standard(fd: OwnedFd) -> io::Result<OwnedFd> {
    const FIRST: i32 = 3;
    if fd.as_raw_fd() >= FIRST {
        return Ok(fd);
    }
    let copy = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(FIRST))?;
    // SAFETY: the kernel has just made it for this call, and nobody else has its number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// readv(2): how many bytes were read; 0 at the end.
pub(crate) fn readv(fd: impl AsFd, into: &mut [IoSliceMut<'_>]) -> Result<usize> {
    uio::readv(fd, into).map_err(from_nix)
}

/// writev(2): how many bytes were written.
pub(crate) fn writev(fd: impl AsFd, from: &[IoSlice<'_>]) -> Result<usize> {
    uio::writev(fd, from).map_err(from_nix)
}

/// poll(2) for something to read, or its end; sleeps until there is.
pub(crate) fn await_readable(fd: BorrowedFd<'_>) -> Result<()> {
    sleep(fd, PollFlags::POLLIN)
}

/// poll(2) for something to read, or its end, for so long at most: whether there is.
pub(crate) fn is_readable_within(fd: BorrowedFd<'_>, limit: Duration) -> Result<bool> {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    // Rounded up: with 0 for less than a millisecond, the caller would look over and over.
    let millis = limit.as_nanos().div_ceil(1_000_000);
    let limit = i32::try_from(millis).unwrap_or(i32::MAX);
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    poll(&mut fds, limit).map(|n| n > 0).map_err(from_nix)
}

/// poll(2) for room to write, or an error; sleeps until there is.
pub(crate) fn await_writable(fd: BorrowedFd<'_>) -> Result<()> {
    sleep(fd, PollFlags::POLLOUT)
}

fn sleep(fd: BorrowedFd<'_>, events: PollFlags) -> Result<()> {
    let mut fds = [PollFd::new(fd, events)];
    poll(&mut fds, PollTimeout::NONE)
        .map_err(from_nix)
        .map(drop)
}

/// raise(3) with SIGPIPE: to the calling thread.
pub(crate) fn raise_sigpipe() -> Result<()> {
    raise(Signal::SIGPIPE).map_err(from_nix)
}
