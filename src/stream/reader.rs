//! The end that is read from.

use core::fmt;
use std::io::{self, BufRead, IoSlice, IoSliceMut, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::end::{End, SHARE};
use super::files;
use super::halt::Halt;
use super::readiness::Readiness;
use crate::error::{Error, Fault};
use crate::mpmc::Peers;
use crate::parking::Deadline;
use crate::ring::Strategy;
use crate::sys::fd;

/// The end of a stream that is read from.
///
/// Closed when dropped. While nobody reads, writes fail; what is in the stream then stays for the next reader, as long as a
/// writer is there.
///
/// # Examples
///
/// In place, without a copy:
///
/// ```
/// use std::io::{BufRead, Write};
///
/// let (mut writer, mut reader) = ringpipe::stream::pipe()?;
/// writer.write_all(b"two\nlines\n")?;
/// drop(writer);
/// let lines: Vec<_> = reader.by_ref().lines().collect::<Result<_, _>>()?;
/// assert_eq!(lines, ["two", "lines"]);
/// # use std::io::Read;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    end: End,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.show(f, "Reader")
    }
}

impl Reader {
    pub(super) fn new(end: End) -> Self {
        Self { end }
    }

    /// Another handle of the same end, as dup(2) makes: it shares its settings, but for the strategy, and the end is closed with the last of them.
    ///
    /// # Errors
    ///
    /// [`Error::Crowded`]; [`Error::Forked`]; [`Error::Removed`].
    pub fn try_clone(&self) -> Result<Self, Error> {
        self.end.try_clone().map(Self::new)
    }

    /// Whether operations that would have to wait fail with EAGAIN ([`WouldBlock`](io::ErrorKind::WouldBlock)) instead, as O_NONBLOCK says.
    pub fn set_nonblocking(&self, nonblocking: bool) {
        self.end.ways.nonblocking.set(nonblocking);
    }

    /// Whether it is.
    pub fn is_nonblocking(&self) -> bool {
        self.end.ways.nonblocking.is_on()
    }

    /// How long an operation waits at most, before it fails with [`TimedOut`](io::ErrorKind::TimedOut).
    pub fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.end.ways.set_timeout(timeout);
    }

    /// Whether a signal ends a wait with EINTR ([`Interrupted`](io::ErrorKind::Interrupted)). If not, as at first, waits go on, as pipes' do with
    /// SA_RESTART.
    pub fn set_interruptible(&self, interruptible: bool) {
        self.end.ways.interruptible.set(interruptible);
    }

    /// Sets whether children that are forked from now on have this end too, as a file without close-on-exec.
    ///
    /// The ends of [`pipe`](super::pipe()) are inheritable at first, those of a [`Fifo`](super::Fifo) are not. Those of one process
    /// never are.
    ///
    /// The child goes on with its copy of the handle, or drops it. In a child that does not have the end, this does nothing.
    /// [Children](super#children) has the cases in which a child does not have it.
    ///
    /// A child that executes another program keeps the end open until that program ends: say `false` before, if that matters.
    /// A [`Command`](std::process::Command) has no ends where std uses posix_spawn(3), which it does in plain cases.
    pub fn set_inheritable(&mut self, inheritable: bool) {
        self.end.set_inheritable(inheritable);
    }

    /// How it waits; a clone may have another.
    pub fn set_strategy(&mut self, strategy: Strategy) {
        self.end.set_strategy(strategy);
    }

    /// How many bytes the stream holds at most.
    pub fn capacity(&self) -> usize {
        self.end.member.capacity()
    }

    /// How many bytes are in it that nobody has read (FIONREAD); may have changed by the time you look at the answer.
    pub fn available(&self) -> usize {
        self.end.available()
    }

    /// What is known of the writers.
    ///
    /// # Errors
    ///
    /// When the stream was removed, or the handle was forked.
    pub fn writers(&self) -> Result<Peers, Fault> {
        self.end.peers()
    }

    /// What poll(2) would say.
    ///
    /// # Errors
    ///
    /// When the stream was removed, or the handle was forked.
    pub fn readiness(&self) -> io::Result<Readiness> {
        Ok(self.end.readiness().map_err(Halt::from)?)
    }

    /// Waits until there is something to read, or the writers are gone; says nothing ([`Readiness::empty`]) if the timeout passes first.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::readiness`]; EINTR, if signals end waits.
    pub fn wait_readable(&mut self, timeout: Option<Duration>) -> io::Result<Readiness> {
        Ok(self.end.await_readiness(timeout)?)
    }

    /// Writes what is in the ring to a file: at most `limit` bytes; how many, 0 at the end of the
    /// stream.
    ///
    /// Waits until there is something and then until the file takes some. While it waits for the
    /// file, other readers go on.
    ///
    /// The bytes are written right from the ring, and what the file does not take stays in the
    /// stream, if the file can be written to without waiting for somebody: a pipe (on newer
    /// kernels), a socket, a regular file, any with O_NONBLOCK. If this process is killed in
    /// between, what was written may stay in the stream, too.
    ///
    /// For any other file, as a FIFO or a terminal, up to 64 KiB are read first and then written,
    /// as cat(1) does. If that write fails, or this process is killed in between, they are lost; no
    /// timeout or signal ends it.
    ///
    /// # Errors
    ///
    /// Those of a read, and those of the file. EAGAIN if either would have to wait, and this end does not wait.
    pub fn copy_to_fd(&mut self, file: impl AsFd, limit: usize) -> io::Result<usize> {
        if limit == 0 {
            return Ok(0);
        }
        let (file, until) = (file.as_fd(), self.end.ways.deadline());
        for _ in 0..files::TRIES {
            let ready = self.ready_by(limit, until)?;
            if ready == 0 {
                return Ok(0);
            }
            let (first, second) = self.end.member.slices(ready.min(limit));
            let refused = match files::write_now(file, &[IoSlice::new(first), IoSlice::new(second)])
            {
                Ok(written) => {
                    self.end.member.finish(written);
                    return Ok(written);
                }
                Err(refused) => refused,
            };
            self.end.put_down();
            if !refused.is_asked_again(&self.end.ways, || self.await_file(file, until))? {
                break;
            }
        }
        self.copy_apart(file, limit, until)
    }

    /// The same by a copy, with the turn let go before the file is written to.
    #[cold]
    fn copy_apart(
        &mut self,
        file: BorrowedFd<'_>,
        limit: usize,
        until: Option<Deadline>,
    ) -> io::Result<usize> {
        if self.ready_by(1, until)? == 0 {
            return Ok(0);
        }
        self.end.put_down();
        self.await_file(file, until)?; // before anything is taken
        let ready = self.ready_by(limit, until)?;
        let mut bytes = vec![0; ready.min(limit).min(files::APART)];
        if !bytes.is_empty() {
            let len = bytes.len();
            self.take(&mut [IoSliceMut::new(&mut bytes)], len);
            files::write_all(file, &bytes)?;
        }
        Ok(bytes.len())
    }

    fn await_file(&self, file: BorrowedFd<'_>, until: Option<Deadline>) -> io::Result<()> {
        let is_ready_within = |limit| fd::is_writable_within(file, limit);
        Ok(self.end.ways.await_file(until, is_ready_within)?)
    }

    /// Closes the handle, and tells of what a drop would keep silent about.
    ///
    /// # Errors
    ///
    /// When the stream was removed, or the handle was forked.
    pub fn close(mut self) -> io::Result<()> {
        Ok(self.end.end(true).map_err(Halt::from)?)
    }

    /// Closes the handle as its process's death would: [`Writer::readers`](super::Writer::readers) counts it among the dead.
    pub fn abandon(mut self) {
        let _ = self.end.end(false); // the stream was removed: nobody is left to be told
    }

    /// Waits for bytes, takes the turn, and says how many there are, anew if fewer than `wanted` are known; 0 at the end.
    #[inline]
    fn ready(&mut self, wanted: usize) -> io::Result<usize> {
        self.end.check_process().map_err(Halt::from)?;
        if let Some(ready) = self.end.member.at_hand(wanted) {
            return Ok(ready);
        }
        self.ready_ahead(wanted, self.end.ways.deadline())
    }

    /// The same by a deadline.
    fn ready_by(&mut self, wanted: usize, until: Option<Deadline>) -> io::Result<usize> {
        self.end.check_process().map_err(Halt::from)?;
        match self.end.member.at_hand(wanted) {
            Some(ready) => Ok(ready),
            None => self.ready_ahead(wanted, until),
        }
    }

    fn ready_ahead(&mut self, wanted: usize, until: Option<Deadline>) -> io::Result<usize> {
        match self.end.ready_ahead(wanted, until) {
            Ok(ready) => Ok(ready),
            Err(Halt::Gone) => Ok(0),
            Err(halt) => Err(halt.into()),
        }
    }

    /// Copies `n` bytes out of the ring, a share at a time, so that writers can go on; lets the turn go.
    fn take(&mut self, parts: &mut [IoSliceMut<'_>], n: usize) {
        let member = &mut self.end.member;
        let mut left = n;
        for part in parts {
            let now = part.len().min(left);
            left -= now;
            for share in part[..now].chunks_mut(SHARE) {
                member.get(0, share);
                member.hand_over(share.len());
            }
        }
        member.finish(0);
    }
}

impl Read for Reader {
    /// Reads, as read(2) does from a pipe.
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let ready = self.ready(into.len())?;
        let n = ready.min(into.len());
        if n == 0 {
            return Ok(0);
        }
        if n <= SHARE {
            self.end.member.get(0, &mut into[..n]);
            self.end.member.finish(n);
        } else {
            self.take(&mut [IoSliceMut::new(into)], n);
        }
        Ok(n)
    }

    /// The same into several parts.
    fn read_vectored(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let wanted = parts.iter().map(|part| part.len()).sum();
        if wanted == 0 {
            return Ok(0);
        }
        let n = self.ready(wanted)?.min(wanted);
        if n > 0 {
            self.take(parts, n);
        }
        Ok(n)
    }
}

impl BufRead for Reader {
    /// What there is, in place, up to where the ring goes round its end; waits until there is something. Empty at the end of file.
    ///
    /// Until [`consume`](BufRead::consume), also of nothing, the bytes are this handle's, and other readers wait.
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let ready = self.ready(usize::MAX)?;
        if ready == 0 {
            return Ok(&[]);
        }
        self.end.member.unbind(); // the handle may go to another thread meanwhile
        Ok(self.end.member.slices(ready).0)
    }

    /// Marks `n` of the bytes that were shown as read, and lets the others go: to be shown again, or read by another.
    ///
    /// Once more without [`fill_buf`](BufRead::fill_buf) in between, it reads on in them, but only where there is no other reader.
    ///
    /// # Panics
    ///
    /// If fewer were shown, or if the next are not this handle's any more; in a forked child.
    fn consume(&mut self, n: usize) {
        self.end.assert_not_forked();
        let member = &mut self.end.member;
        if n == 0 {
            return member.put_down();
        }
        let held = member.at_hand(n).unwrap_or(0);
        assert!(n <= held, "{n} bytes to be consumed, which are not shown");
        member.finish(n);
    }
}
