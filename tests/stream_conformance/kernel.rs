//! The kernel's own pipes and FIFOs: what they do is right.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr::without_provenance_mut;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::{mkfifo, unlink};

use crate::subject::{End, Fifo, Outcome, Reads, Subject, WriteEnd, Writes};

#[derive(Debug)]
pub(crate) struct Kernel;

/// A descriptor, and what poll(2) is asked about it.
#[derive(Debug)]
pub(crate) struct Descriptor {
    file: File,
    asked: PollFlags,
}

impl Subject for Kernel {
    const OURS: bool = false;

    type Reader = Descriptor;
    type Writer = Descriptor;
    type Fifo = Named;

    fn pipe() -> (Descriptor, Descriptor) {
        let (reader, writer) = io::pipe().expect("there are pipes");
        (
            Descriptor::writer(writer.into()),
            Descriptor::reader(reader.into()),
        )
    }

    fn buffered(reader: Descriptor) -> impl BufRead {
        BufReader::new(reader)
    }

    fn write_to(reader: &mut Descriptor) -> Option<Outcome> {
        Some(reader.writes(b"x"))
    }

    fn read_from(writer: &mut Descriptor) -> Option<Outcome> {
        Some(writer.reads(1))
    }

    fn read_to_nowhere(reader: &mut Descriptor) -> Option<Outcome> {
        let nowhere = without_provenance_mut(8);
        // SAFETY: there is nothing at that address, in any process; the kernel looks before it writes.
        let n = unsafe { libc::read(reader.file.as_raw_fd(), nowhere, 3) };
        Some(Errno::result(n).map(isize::cast_unsigned))
    }

    fn sweep(_: &Path, _: bool) {}
}

impl Descriptor {
    fn reader(descriptor: OwnedFd) -> Self {
        Self {
            file: descriptor.into(),
            asked: PollFlags::POLLIN,
        }
    }

    fn writer(descriptor: OwnedFd) -> Self {
        Self {
            file: descriptor.into(),
            asked: PollFlags::POLLOUT,
        }
    }

    fn flags(&self) -> OFlag {
        let flags = fcntl(&self.file, FcntlArg::F_GETFL).expect("it is open");
        OFlag::from_bits_retain(flags)
    }

    fn poll(&self, timeout: PollTimeout) -> PollFlags {
        let mut asked = [PollFd::new(self.file.as_fd(), self.asked)];
        poll(&mut asked, timeout).expect("no signal ends it");
        asked[0].revents().expect("nothing else comes")
    }
}

impl End for Descriptor {
    fn twin(&self) -> Self {
        Self {
            file: self.file.try_clone().expect("there are descriptors"),
            asked: self.asked,
        }
    }

    fn set_nonblocking(&self, on: bool) {
        let mut flags = self.flags();
        flags.set(OFlag::O_NONBLOCK, on);
        fcntl(&self.file, FcntlArg::F_SETFL(flags)).expect("it is open");
    }

    fn is_nonblocking(&self) -> bool {
        self.flags().contains(OFlag::O_NONBLOCK)
    }

    fn set_interruptible(&self, _: bool) {}

    fn set_inheritable(&mut self, _: bool) {}

    fn capacity(&self) -> usize {
        let size = fcntl(&self.file, FcntlArg::F_GETPIPE_SZ).expect("it is a pipe");
        size.cast_unsigned() as usize
    }

    fn unread(&self) -> usize {
        let mut count: libc::c_int = 0;
        // SAFETY: the call writes an int to where `count` is.
        let done = unsafe { libc::ioctl(self.file.as_raw_fd(), libc::FIONREAD, &raw mut count) };
        Errno::result(done).expect("it is a pipe");
        count.cast_unsigned() as usize
    }

    fn wait(&mut self, timeout: Option<Duration>) -> PollFlags {
        self.poll(timeout.map_or(PollTimeout::NONE, |time| {
            time.try_into().expect("it is short")
        }))
    }

    fn readiness(&self) -> PollFlags {
        self.poll(PollTimeout::ZERO)
    }
}

impl WriteEnd for Descriptor {
    fn set_sigpipe(&self, _: bool) {}
}

impl Read for Descriptor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.file.read_vectored(buffers)
    }
}

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A FIFO in the file system.
#[derive(Clone, Debug)]
pub(crate) struct Named(PathBuf);

impl Named {
    /// open(2), which std would call again after a signal.
    fn open(&self, flags: OFlag) -> io::Result<OwnedFd> {
        Ok(open(&self.0, flags | OFlag::O_CLOEXEC, Mode::empty())?)
    }

    fn open_both(&self, flags: OFlag) -> io::Result<(Descriptor, Descriptor)> {
        let writer = self.open(OFlag::O_RDWR | flags)?;
        let reader = writer.try_clone()?;
        Ok((Descriptor::writer(writer), Descriptor::reader(reader)))
    }
}

impl Fifo for Named {
    type Reader = Descriptor;
    type Writer = Descriptor;

    fn make(path: &Path, mode: u32) -> io::Result<Self> {
        mkfifo(path, Mode::from_bits_retain(mode))?;
        Ok(Self(path.to_owned()))
    }

    fn find(path: &Path) -> io::Result<Self> {
        path.metadata()?;
        Ok(Self(path.to_owned()))
    }

    fn reader(&self) -> io::Result<Descriptor> {
        self.open(OFlag::O_RDONLY).map(Descriptor::reader)
    }

    fn writer(&self) -> io::Result<Descriptor> {
        self.open(OFlag::O_WRONLY).map(Descriptor::writer)
    }

    fn reader_nonblocking(&self) -> io::Result<Descriptor> {
        let end = self.open(OFlag::O_RDONLY | OFlag::O_NONBLOCK);
        end.map(Descriptor::reader)
    }

    fn writer_nonblocking(&self) -> io::Result<Descriptor> {
        let end = self.open(OFlag::O_WRONLY | OFlag::O_NONBLOCK);
        end.map(Descriptor::writer)
    }

    fn both(&self) -> io::Result<(Descriptor, Descriptor)> {
        self.open_both(OFlag::empty())
    }

    fn both_truncated(&self) -> Option<io::Result<(Descriptor, Descriptor)>> {
        Some(self.open_both(OFlag::O_TRUNC))
    }

    fn remove(&self) -> io::Result<()> {
        Ok(unlink(&self.0)?)
    }
}
