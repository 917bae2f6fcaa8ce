//! Copying between a stream and a file without waiting for the file with the turn in hand.
//!
//! | the file | how it is asked |
//! |---|---|
//! | can be asked not to wait (RWF_NOWAIT): pipes, sockets, some devices, on newer kernels | so, right from the ring or into it |
//! | is a regular file or a disk, or has O_NONBLOCK | plainly, right from the ring or into it: it does not wait for anybody |
//! | any other: FIFOs, terminals, all pipes on older kernels | with the turn let go, by a copy of up to 64 KiB |
//!
//! In the last case bytes are in neither the stream nor the file for a moment, as with cat(1).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

use super::PIPE_BUF;
use super::ways::Ways;
use crate::sys::{Errno, fd};

/// How often a file is asked that says it is ready, and then is not: others use it too. After that,
/// it is taken for one that cannot be asked.
pub(super) const TRIES: u32 = 16;

/// How many bytes are taken out of the stream, or out of the file, at a time, where they cannot go
/// straight.
pub(super) const APART: usize = 64 << 10;

/// Why nothing was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It would have to wait.
    NotNow,
    Interrupted,
    /// It cannot be asked without waiting.
    CannotSay,
    Failed(Errno),
}

impl Refused {
    /// Whether the file is asked again: after a signal that ends no wait, or when `wait` says that it is ready.
    pub(super) fn is_asked_again(
        self,
        ways: &Ways,
        wait: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<bool> {
        match self {
            Self::NotNow => wait()?,
            Self::Interrupted if ways.interruptible.is_on() => return Err(Errno::EINTR.into()),
            Self::Interrupted => {}
            Self::CannotSay => return Ok(false),
            Self::Failed(errno) => return Err(errno.into()),
        }
        Ok(true)
    }
}

/// Writes to a file, if it need not wait.
pub(super) fn write_now(file: BorrowedFd<'_>, from: &[IoSlice<'_>]) -> Result<usize, Refused> {
    let written = fd::writev_now(file, from);
    let plainly = || fd::writev(file, from);
    written.or_else(|why| judge(file, why, plainly))
}

/// Reads from a file, if it need not wait.
pub(super) fn read_now(
    file: BorrowedFd<'_>,
    into: &mut [IoSliceMut<'_>],
) -> Result<usize, Refused> {
    let read = fd::readv_now(file, into);
    read.or_else(|why| judge(file, why, || fd::readv(file, into)))
}

/// After a file has refused to be asked not to wait: does it plainly, if that does not wait either.
#[cold]
fn judge(
    file: BorrowedFd<'_>,
    why: Errno,
    plainly: impl FnOnce() -> Result<usize, Errno>,
) -> Result<usize, Refused> {
    match why {
        Errno::EAGAIN | Errno::ENOTSUP | Errno::ENOSYS => {}
        Errno::EINTR => return Err(Refused::Interrupted),
        failed => return Err(Refused::Failed(failed)),
    }
    let prompt = fd::is_stored(file) == Ok(true) || fd::is_nonblocking(file) == Ok(true);
    if !prompt {
        return Err(match why {
            Errno::EAGAIN => Refused::NotNow,
            _ => Refused::CannotSay,
        });
    }
    plainly().map_err(|errno| match errno {
        Errno::EAGAIN => Refused::NotNow,
        Errno::EINTR => Refused::Interrupted,
        failed => Refused::Failed(failed),
    })
}

/// So many bytes, of which the last are left out that do not fill a page, if any page is full. So
/// records of a size that divides a page are not torn by what others write.
pub(super) fn whole(len: usize) -> usize {
    if len > PIPE_BUF {
        len - len % PIPE_BUF
    } else {
        len
    }
}

/// Room for reading, in whole pages.
pub(super) fn whole_pages<'a>(
    (first, second): (&'a mut [u8], &'a mut [u8]),
) -> [IoSliceMut<'a>; 2] {
    let len = whole(first.len() + second.len());
    let now = first.len().min(len);
    [&mut first[..now], &mut second[..len - now]].map(IoSliceMut::new)
}

/// Reads once, however long that takes.
pub(super) fn read(file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
    fd::readv(file, &mut [IoSliceMut::new(into)])
}

/// Writes all of it, however long that takes. It is in nobody else's hands, so no signal ends that.
pub(super) fn write_all(file: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match fd::writev(file, &[IoSlice::new(bytes)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EINTR) => {}
            // It has been made not to wait since it was asked.
            Err(Errno::EAGAIN) => drop(fd::is_writable_within(file, None)),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
