//! What the suite is run on: somebody's pipes and FIFOs.

use std::fmt::Debug;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollFlags;

/// What is written in one piece if it is no longer than this.
pub(crate) const PIPE_BUF: usize = 4096;

/// What a call came to: a number of bytes, or an error.
pub(crate) type Outcome = Result<usize, Errno>;

/// Somebody's pipes and FIFOs.
pub(crate) trait Subject: Sized + 'static {
    /// Whether it is ringpipe, which differs from the kernel in a few points.
    const OURS: bool;

    type Reader: End + Read;
    type Writer: WriteEnd;
    type Fifo: Fifo<Reader = Self::Reader, Writer = Self::Writer>;

    /// A new pipe, both ends blocking.
    fn pipe() -> (Self::Writer, Self::Reader);

    /// Its way of reading by lines.
    fn buffered(reader: Self::Reader) -> impl BufRead;

    /// write(2) on a read end; `None` where there are no words for it.
    fn write_to(reader: &mut Self::Reader) -> Option<Outcome>;

    /// read(2) from a write end; `None` where there are no words for it.
    fn read_from(writer: &mut Self::Writer) -> Option<Outcome>;

    /// read(2) of three bytes into memory that is not there; `None` where there are no words for it.
    fn read_to_nowhere(reader: &mut Self::Reader) -> Option<Outcome>;

    /// Removes what a case has left in its folder; looks, in a namespace of its own, whether anything else is left.
    fn sweep(folder: &Path, own_namespace: bool);
}

/// An end of a pipe or of a FIFO.
pub(crate) trait End: Debug + Send + 'static {
    /// dup(2)
    fn twin(&self) -> Self;

    fn set_nonblocking(&self, on: bool);
    fn is_nonblocking(&self) -> bool;

    /// Asks that signals end a wait; of no effect where the handler decides on that.
    fn set_interruptible(&self, on: bool);

    /// Says whether a forked child has it too; of no effect where it always has.
    fn set_inheritable(&mut self, on: bool);

    fn capacity(&self) -> usize;

    /// FIONREAD
    fn unread(&self) -> usize;

    /// poll(2) of this end, waiting so long at most: the bits that it has, none after that time.
    fn wait(&mut self, timeout: Option<Duration>) -> PollFlags;

    /// poll(2) without waiting
    fn readiness(&self) -> PollFlags;
}

pub(crate) trait WriteEnd: End + Write {
    /// Asks for SIGPIPE; of no effect where it always comes.
    fn set_sigpipe(&self, on: bool);
}

/// A named pipe, of which no end need be open.
pub(crate) trait Fifo: Clone + Send + Sync + 'static {
    type Reader;
    type Writer;

    /// mkfifo(3)
    fn make(path: &Path, mode: u32) -> io::Result<Self>;

    /// Somebody has made it.
    fn find(path: &Path) -> io::Result<Self>;

    fn reader(&self) -> io::Result<Self::Reader>;
    fn writer(&self) -> io::Result<Self::Writer>;

    /// `O_NONBLOCK`: so is the end.
    fn reader_nonblocking(&self) -> io::Result<Self::Reader>;
    fn writer_nonblocking(&self) -> io::Result<Self::Writer>;

    /// `O_RDWR`
    fn both(&self) -> io::Result<(Self::Writer, Self::Reader)>;

    /// `O_RDWR | O_TRUNC`; `None` where there are no words for it.
    fn both_truncated(&self) -> Option<io::Result<(Self::Writer, Self::Reader)>>;

    /// unlink(2)
    fn remove(&self) -> io::Result<()>;
}

/// The errno of an error; an error without one is none that a pipe has.
pub(crate) fn errno(error: &io::Error) -> Errno {
    let raw = error.raw_os_error();
    Errno::from_raw(raw.unwrap_or_else(|| panic!("{error:?} has no errno")))
}

/// The outcome of an opening, with the end if there is one.
pub(crate) fn opened<T>(result: io::Result<T>) -> Result<T, Errno> {
    result.map_err(|error| errno(&error))
}

/// Reading, with outcomes that can be compared.
pub(crate) trait Reads: Read {
    /// One read of `n` bytes at most: how many came.
    fn reads(&mut self, n: usize) -> Outcome {
        self.takes(n).map(|bytes| bytes.len())
    }

    /// One read of `n` bytes at most: those that came.
    fn takes(&mut self, n: usize) -> Result<Vec<u8>, Errno> {
        let mut buffer = vec![0; n];
        let n = self.read(&mut buffer).map_err(|error| errno(&error))?;
        buffer.truncate(n);
        Ok(buffer)
    }
}

impl<R: Read> Reads for R {}

/// Writing, with outcomes that can be compared.
pub(crate) trait Writes: Write {
    /// One write.
    fn writes(&mut self, bytes: &[u8]) -> Outcome {
        self.write(bytes).map_err(|error| errno(&error))
    }
}

impl<W: Write> Writes for W {}

/// What a read that brings just this comes to.
pub(crate) fn bytes(bytes: &[u8]) -> Result<Vec<u8>, Errno> {
    Ok(bytes.to_vec())
}
