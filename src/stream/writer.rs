//! The end that is written to.

use core::fmt;
use std::io::{self, IoSlice, Write};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::PIPE_BUF;
use super::end::{End, SHARE};
use super::files;
use super::halt::Halt;
use super::parts::{Gather, Parts};
use super::readiness::Readiness;
use crate::error::{Error, Fault};
use crate::mpmc::Peers;
use crate::parking::Deadline;
use crate::ring::Strategy;
use crate::sys::{Errno, fd};

/// The end of a stream that is written to.
///
/// Closed when dropped. When the last writer is closed, by whatever end, readers get what is left, and then the end of file.
///
/// # Examples
///
/// ```
/// use std::io::{ErrorKind, Write};
///
/// let (mut writer, reader) = ringpipe::stream::pipe()?;
/// assert_eq!(writer.write(b"all of it")?, 9);
/// assert_eq!(writer.available(), 9);
/// drop(reader);
/// assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Writer {
    end: End,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.show(f, "Writer")
    }
}

impl Writer {
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

    /// How long an operation waits at most, before it fails with [`TimedOut`](io::ErrorKind::TimedOut) or, if some was written, tells how much.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.end.ways.set_timeout(timeout);
    }

    /// Whether a signal ends a wait with EINTR ([`Interrupted`](io::ErrorKind::Interrupted)). If not, as at first, waits go on, as pipes' do with
    /// SA_RESTART.
    pub fn set_interruptible(&self, interruptible: bool) {
        self.end.ways.interruptible.set(interruptible);
    }

    /// Whether a write to a stream that nobody reads raises SIGPIPE in the writing thread besides, as pipes do. Rust programs ignore that signal,
    /// unless told otherwise.
    pub fn set_sigpipe(&self, raise: bool) {
        self.end.ways.sigpipe.set(raise);
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

    /// How many bytes there is room for at this moment. Other writers can make it less.
    pub fn free(&self) -> usize {
        self.capacity() - self.available()
    }

    /// How many bytes are in it that nobody has read (FIONREAD); may have changed by the time you look at the answer.
    pub fn available(&self) -> usize {
        self.end.available()
    }

    /// What is known of the readers.
    ///
    /// # Errors
    ///
    /// When the stream was removed, or the handle was forked.
    pub fn readers(&self) -> Result<Peers, Fault> {
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

    /// Waits until there is room for [`PIPE_BUF`] bytes, or the readers are gone; says nothing ([`Readiness::empty`]) if the timeout passes first.
    ///
    /// # Errors
    ///
    /// Those of [`Writer::readiness`]; EINTR, if signals end waits.
    pub fn wait_writable(&mut self, timeout: Option<Duration>) -> io::Result<Readiness> {
        Ok(self.end.await_readiness(timeout)?)
    }

    /// Waits for room, as a write of `n` bytes would, and gives it to be filled in place.
    ///
    /// At most `n` bytes; all of them, if `n` is at most [`PIPE_BUF`]. Until the reservation is dropped, other writers wait.
    ///
    /// # Errors
    ///
    /// Those of a write.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Read;
    ///
    /// let (mut writer, mut reader) = ringpipe::stream::pipe()?;
    /// let mut room = writer.reserve(100)?;
    /// room.as_mut_slices().0[..5].copy_from_slice(b"hello");
    /// room.commit(5);
    /// let mut bytes = [0; 100];
    /// assert_eq!(reader.read(&mut bytes)?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reserve(&mut self, n: usize) -> io::Result<Reservation<'_>> {
        self.reserve_by(n, self.end.ways.deadline())
    }

    fn reserve_by(&mut self, n: usize, until: Option<Deadline>) -> io::Result<Reservation<'_>> {
        let len = if n == 0 {
            0
        } else {
            self.begin()
                .and_then(|()| self.room(n, n, 0, until))
                .map_err(|halt| self.failed(halt))?
        };
        Ok(Reservation {
            end: &mut self.end,
            len: len.min(n),
            bound: PhantomData,
        })
    }

    /// Reads from a file into the ring: at most `limit` bytes; how many, 0 at the file's end.
    ///
    /// Waits for room, as a write of `limit` bytes would, and then until there is something to
    /// read. While it waits for the file, other writers go on.
    ///
    /// The bytes are read right into the ring, of more than [`PIPE_BUF`] in whole multiples of it,
    /// if the file can be read without waiting for somebody: a pipe (on newer kernels), a socket, a
    /// regular file, any with O_NONBLOCK. If this process is
    /// killed in between, what was read is lost.
    ///
    /// From any other file, as a FIFO or a terminal, up to 64 KiB are read first and then written,
    /// as cat(1) does. If nobody reads the stream by then, they are lost; no timeout or signal ends
    /// the write.
    ///
    /// # Errors
    ///
    /// Those of a write, and those of the file. EAGAIN if either would have to wait, and this end does not wait.
    pub fn copy_from_fd(&mut self, file: impl AsFd, limit: usize) -> io::Result<usize> {
        if limit == 0 {
            return Ok(0);
        }
        let (file, until) = (file.as_fd(), self.end.ways.deadline());
        for _ in 0..files::TRIES {
            let mut room = self.reserve_by(limit, until)?;
            let refused = match files::read_now(file, &mut files::whole_pages(room.as_mut_slices()))
            {
                Ok(read) => {
                    room.commit(read);
                    return Ok(read);
                }
                Err(refused) => refused,
            };
            drop(room);
            if !refused.is_asked_again(&self.end.ways, || self.await_file(file, until))? {
                break;
            }
        }
        self.copy_apart(file, limit.min(files::APART), until)
    }

    /// The same by a copy, with the turn let go before the file is read from.
    #[cold]
    fn copy_apart(
        &mut self,
        file: BorrowedFd<'_>,
        limit: usize,
        until: Option<Deadline>,
    ) -> io::Result<usize> {
        let mut bytes = vec![0; limit];
        let read = loop {
            drop(self.reserve_by(limit, until)?); // before anything is read
            self.await_file(file, until)?;
            match files::read(file, &mut bytes) {
                Err(Errno::EAGAIN) => {}
                Err(Errno::EINTR) if !self.end.ways.interruptible.is_on() => {}
                read => break read?,
            }
        };
        self.send_at_last(&bytes[..read])
            .map_err(|halt| self.failed(halt))?;
        Ok(read)
    }

    /// Writes all of it, in whole pages where there are some, however long that takes.
    fn send_at_last(&mut self, mut bytes: &[u8]) -> Result<(), Halt> {
        while !bytes.is_empty() {
            let room = self.end.ready_at_last(bytes.len().min(PIPE_BUF))?;
            let now = files::whole(room.min(bytes.len()));
            self.pass(&mut bytes, now);
        }
        Ok(())
    }

    fn await_file(&self, file: BorrowedFd<'_>, until: Option<Deadline>) -> io::Result<()> {
        let is_ready_within = |limit| fd::is_readable_within(file, limit);
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

    /// Closes the handle as its process's death would: [`Reader::writers`](super::Reader::writers) counts it among the dead.
    pub fn abandon(mut self) {
        let _ = self.end.end(false); // the stream was removed: nobody is left to be told
    }

    /// What must hold before bytes are written: the process is the one that joined, and somebody reads.
    #[inline]
    fn begin(&mut self) -> Result<(), Halt> {
        self.end.check_process()?;
        if self.end.is_met()? {
            Ok(())
        } else {
            Err(Halt::Gone)
        }
    }

    /// Waits for room for the next part of a write of `total` bytes, of which `left` are left.
    fn room(
        &mut self,
        total: usize,
        left: usize,
        moved: usize,
        until: Option<Deadline>,
    ) -> Result<usize, Halt> {
        if let Some(room) = self.end.member.at_hand(left) {
            return Ok(room);
        }
        let least = if total <= PIPE_BUF {
            total
        } else if self.is_nonblocking() {
            1
        } else {
            left.min(PIPE_BUF)
        };
        self.end.ready(least, moved, until)
    }

    /// Writes the parts as one.
    fn send(&mut self, mut parts: impl Parts) -> io::Result<usize> {
        let total = parts.left();
        if total == 0 {
            return Ok(0);
        }
        let begun = self.begin();
        if begun.is_ok() && total <= SHARE && self.end.member.at_hand(total).is_some() {
            self.pass_share(&mut parts, total);
            return Ok(total);
        }
        self.send_on(begun, parts)
    }

    /// Writes the parts as one, of which there may be more than is known to fit.
    #[inline(never)]
    fn send_on(&mut self, mut go: Result<(), Halt>, mut parts: impl Parts) -> io::Result<usize> {
        let (total, mut moved) = (parts.left(), 0);
        let until = self.end.ways.deadline();
        while go.is_ok() && moved < total {
            go = self.room(total, total - moved, moved, until).map(|room| {
                let now = room.min(total - moved);
                self.pass(&mut parts, now);
                moved += now;
            });
        }
        match go {
            Ok(()) => Ok(moved),
            Err(halt) => {
                let error = self.failed(halt);
                if moved > 0 { Ok(moved) } else { Err(error) }
            }
        }
    }

    /// Copies the next `n` bytes into the ring, a share at a time, so that readers can begin; lets the turn go.
    fn pass(&mut self, parts: &mut impl Parts, n: usize) {
        let member = &mut self.end.member;
        let mut left = n;
        while left > SHARE {
            parts.put(member, SHARE);
            member.hand_over(SHARE);
            left -= SHARE;
        }
        self.pass_share(parts, left);
    }

    #[inline]
    fn pass_share(&mut self, parts: &mut impl Parts, n: usize) {
        parts.put(&self.end.member, n);
        self.end.member.finish(n);
    }

    /// Why a write failed; with the signal, if one is wanted.
    #[cold]
    fn failed(&self, halt: Halt) -> io::Error {
        if matches!(halt, Halt::Gone) && self.end.ways.sigpipe.is_on() {
            let _ = fd::raise_sigpipe(); // an error would say that there is no such signal
        }
        halt.into()
    }
}

impl Write for Writer {
    /// Writes, as write(2) does to a pipe.
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }

    /// The same of all parts as one: in one piece, if together they have at most [`PIPE_BUF`] bytes.
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(Gather::new(parts))
    }

    /// Does nothing: what is written can be read.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Room in a stream, to be filled in place: see [`Writer::reserve`].
///
/// Dropped, it gives the room back, and nothing is written.
///
/// # Panics
///
/// In a forked child, which has no part in it, its methods panic.
pub struct Reservation<'a> {
    end: &'a mut End,
    len: usize,
    /// To its thread, as a mutex's guard is: so it can be told when the same thread waits for it.
    bound: PhantomData<*const ()>,
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("len", &self.len())
            .finish()
    }
}

impl Reservation<'_> {
    /// How many bytes there is room for.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none, since none was asked for.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The room, in two parts where it goes round the end of the ring. What is in it is what was read from there long ago.
    pub fn as_mut_slices(&mut self) -> (&mut [u8], &mut [u8]) {
        self.end.assert_not_forked();
        if self.len == 0 {
            return (&mut [], &mut []);
        }
        self.end.member.slices_mut(self.len)
    }

    /// Writes the first `n` bytes of it, all at once.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub fn commit(self, n: usize) {
        assert!(n <= self.len, "{n} bytes of a reservation of {}", self.len);
        self.end.assert_not_forked();
        if n > 0 {
            self.end.member.finish(n);
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.end.put_down();
    }
}
