#![allow(unsafe_code)]
//! Reading and writing files of any kind, and waiting for them.

use std::io::{self, IoSlice, IoSliceMut, PipeReader, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use nix::sys::stat::{SFlag, fstat};
use nix::sys::uio;

use super::errno::{Errno, Result};
use super::{from_nix, ret_value};

/// The position that a file has by itself, to preadv2(2) and pwritev2(2).
const WHERE_IT_IS: libc::off_t = -1;

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

/// preadv2(2) with RWF_NOWAIT: [`Errno::EAGAIN`] if it would have to wait, [`Errno::ENOTSUP`] if
/// that cannot be told.
pub(crate) fn readv_now(fd: BorrowedFd<'_>, into: &mut [IoSliceMut<'_>]) -> Result<usize> {
    let (raw, count) = (fd.as_raw_fd(), parts(into.len()));
    // SAFETY: an `IoSliceMut` is an iovec by its documentation, and there are `count` of them, each
    // of memory that is borrowed for writing; the descriptor is open while it is borrowed.
    let read = unsafe {
        let into = into.as_ptr().cast();
        libc::preadv2(raw, into, count, WHERE_IT_IS, libc::RWF_NOWAIT)
    };
    counted(read)
}

/// pwritev2(2) with RWF_NOWAIT, which answers as [`readv_now`] does.
pub(crate) fn writev_now(fd: BorrowedFd<'_>, from: &[IoSlice<'_>]) -> Result<usize> {
    let (raw, count) = (fd.as_raw_fd(), parts(from.len()));
    // SAFETY: an `IoSlice` is an iovec by its documentation, and there are `count` of them, each of
    // memory that is borrowed; the descriptor is open while it is borrowed.
    let written = unsafe {
        let from = from.as_ptr().cast();
        libc::pwritev2(raw, from, count, WHERE_IT_IS, libc::RWF_NOWAIT)
    };
    counted(written)
}

/// A count of parts, of which more than the kernel takes (IOV_MAX) are refused by it.
fn parts(count: usize) -> libc::c_int {
    libc::c_int::try_from(count).unwrap_or(libc::c_int::MAX)
}

/// The answer of a call that counts bytes. It has to come right after the call.
fn counted(answer: libc::ssize_t) -> Result<usize> {
    usize::try_from(answer).map_err(|_| Errno::last())
}

/// fstat(2): whether it is a regular file, or a disk.
pub(crate) fn is_stored(fd: BorrowedFd<'_>) -> Result<bool> {
    let kind = fstat(fd).map_err(from_nix)?.st_mode & SFlag::S_IFMT.bits();
    Ok(kind == SFlag::S_IFREG.bits() || kind == SFlag::S_IFBLK.bits())
}

/// fcntl(2), F_GETFL: whether it has O_NONBLOCK.
pub(crate) fn is_nonblocking(fd: BorrowedFd<'_>) -> Result<bool> {
    let flags = fcntl(fd, FcntlArg::F_GETFL).map_err(from_nix)?;
    Ok(OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK))
}

/// poll(2) for something to read, or its end, for so long at most: whether there is.
pub(crate) fn is_readable_within(fd: BorrowedFd<'_>, limit: Option<Duration>) -> Result<bool> {
    is_ready_within(fd, PollFlags::POLLIN, limit)
}

/// poll(2) for room to write, or an error, for so long at most: whether there is.
pub(crate) fn is_writable_within(fd: BorrowedFd<'_>, limit: Option<Duration>) -> Result<bool> {
    is_ready_within(fd, PollFlags::POLLOUT, limit)
}

fn is_ready_within(fd: BorrowedFd<'_>, events: PollFlags, limit: Option<Duration>) -> Result<bool> {
    let limit = limit.map_or(PollTimeout::NONE, |limit| {
        // Rounded up: with 0 for less than a millisecond, the caller would look over and over.
        let millis = limit.as_nanos().div_ceil(1_000_000);
        let millis = i32::try_from(millis).unwrap_or(i32::MAX);
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    });
    let mut fds = [PollFd::new(fd, events)];
    poll(&mut fds, limit).map(|n| n > 0).map_err(from_nix)
}

/// poll(2) for something to read from either, or its end; sleeps until there is. Which of them.
pub(crate) fn await_either(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> Result<[bool; 2]> {
    let mut fds = [one, other].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    poll(&mut fds, PollTimeout::NONE).map_err(from_nix)?;
    Ok(fds.map(|fd| fd.any().unwrap_or(true)))
}

/// ioctl(2), FIONREAD: how many bytes are in a pipe.
pub(crate) fn unread(fd: BorrowedFd<'_>) -> Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD stores an int where the argument points, which is one; the descriptor is
    // open while it is borrowed.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    ret_value(done)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// raise(3) with SIGPIPE: to the calling thread.
pub(crate) fn raise_sigpipe() -> Result<()> {
    raise(Signal::SIGPIPE).map_err(from_nix)
}
