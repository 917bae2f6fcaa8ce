//! Bytes, as through a pipe or FIFO: [`Read`](std::io::Read) and [`Write`](std::io::Write) over shared memory.
//!
//! What a program does with pipe(2) and mkfifo(3) it does here, by the same rules (pipe(7), fifo(7), POSIX write()), but the
//! bytes go through a ring that both sides have mapped: while both keep up, no system call is made but now and then one to
//! make sure that somebody reads, and each byte is copied once on either side instead of twice.
//!
//! | | |
//! |---|---|
//! | [`pipe`] | a writer and a reader, for threads and forked children |
//! | [`Fifo`] | the same by a name, for any processes |
//! | [`duplex()`] | both ways: two of them |
//! | [`Popen`] | a command with its input or output in a stream |
//! | [`Writer`], [`Reader`] | the ends |
//!
//! # What is exactly as with a pipe
//!
//! - A read waits for at least one byte, returns what there is, and never waits to fill its buffer. There are no message
//!   boundaries.
//! - A read from an empty stream that nobody writes to returns 0, also again, until a writer opens it. The end is never
//!   remembered: it is that there is *now* no writer and no byte. What was written before stays to be read, however its
//!   writers ended.
//! - A write of at most [`PIPE_BUF`] bytes is in one piece and never mixed with another's, also if its writer is killed in the
//!   middle: then it never was. A longer one may be mixed, waits until all is written, or returns how much was when a signal or the
//!   last reader's end cut it short; the error comes with the next call.
//! - A write while nobody reads fails with EPIPE ([`BrokenPipe`](std::io::ErrorKind::BrokenPipe)), at once, also when a reader was
//!   killed; it works again when a reader comes. [`Writer::set_sigpipe`] raises SIGPIPE besides.
//! - Nonblocking ([`Writer::set_nonblocking`]): all of at most `PIPE_BUF` bytes or EAGAIN; of more, what fits, or EAGAIN.
//! - Opening by name waits for the other side, or gives ENXIO, as open(2) does with a FIFO; with all ends closed, what is
//!   in it is discarded.
//! - Reading or writing nothing succeeds at once, whatever the state.
//! - Any number of readers and writers, each byte to one reader; all of them wake when the last of the other side goes.
//! - [`Writer::try_clone`] is dup(2). A child that is forked has the ends of [`pipe`] too, and keeps them open.
//!
//! # What differs
//!
//! | | pipe | here |
//! |---|---|---|
//! | capacity | counted in page slots, can be changed | counted in bytes, fixed |
//! | a signal in a wait | ends it, or restarts it with SA_RESTART | restarts it, unless [`set_interruptible`](Writer::set_interruptible); bytes that were moved are always told of at once |
//! | exec | closes the end, if close-on-exec | the end stays open until the new program ends, if its process was forked while the end was inheritable: see [below](#children) |
//! | fork | the child has all ends | those that are inheritable: of `pipe` and `duplex`, and as [`set_inheritable`](Writer::set_inheritable) says; see [below](#children) |
//! | poll, splice, packets, file descriptors | yes | no: [`readiness`](Reader::readiness), [`wait_readable`](Reader::wait_readable), [`Writer::reserve`], [`Reader::copy_to_fd`] |
//! | permissions | r to read, w to write | both for both |
//! | a nonblocking call while another's is in the middle of its copy | waits for the kernel's lock | waits for a millisecond at most, then EAGAIN |
//! | as many ends as | files can be open | [`Options::participants`] says |
//!
//! # Children
//!
//! A child of fork(3) has the inheritable ends. A child of posix_spawn(3), vfork(2) or a bare clone(2) has none.
//!
//! A child does not have an end, and its first use of it fails with [`Fault::Forked`](crate::Fault::Forked), where
//!
//! - there was no number for it ([`Options::participants`]), or its parent could not open five files more;
//! - its parent was killed before fork(3) returned;
//! - it was itself stopped during the fork for more than two seconds, so that its parent's fork(3) went on without it; or a
//!   handler of another library (pthread_atfork(3)) took that long, or its parent was frozen;
//! - it was forked while its thread was being torn down, or by a handler that ran in the middle of another fork.
//!
//! A signal handler that interrupts an operation of this crate must not fork, as it must not do anything else with its handles. A
//! program that is executed by one thread while another one forks keeps the ends of that fork open until it ends.
//!
//! [`Command`](std::process::Command) uses posix_spawn(3) where it can. It forks where it is given `pre_exec`, `uid`, `gid`,
//! `groups`, or, with a program that has to be looked for, `env_clear` or another `PATH`. Then the program keeps the ends open
//! until it ends, though it cannot use them: make them uninheritable before, if that matters.
//!
//! # One handle, one thread
//!
//! Operations take `&mut self`: a handle is one participant of the stream, with a turn to read or write that it may keep, and it is in
//! one operation at a time. That is what makes a single writer and a single reader free of locks. For more threads, clone it; for
//! more processes, open it. Settings belong to what dup(2) shares, as O_NONBLOCK does, and take `&self`.
//!
//! While a [`Reservation`] is open, or between [`fill_buf`](std::io::BufRead::fill_buf) and
//! [`consume`](std::io::BufRead::consume), the bytes are that handle's: other writers, or other
//! readers, wait. They do not while a handle waits, be it for a file.
//!
//! # Signal handlers
//!
//! Unlike write(2), handles are not async-signal-safe: in a signal handler, use a pipe or an
//! atomic. A handler that uses a clone while the thread that it has interrupted is in an operation
//! of its own, or has a [`Reservation`], would wait for that thread for ever. Where that can be
//! told, the call fails with EDEADLK instead. It cannot be told while bytes are shown by
//! [`fill_buf`](std::io::BufRead::fill_buf), nor where the interrupted operation opens or closes an
//! end. Nor are ends of one process ([`Options::in_process`]) safe while they sleep or wake.
//!
//! # Errors
//!
//! Reads and writes fail with [`io::Error`](std::io::Error), and so does what opens streams where
//! `?` is used.
//!
//! | | number ([`raw_os_error`](std::io::Error::raw_os_error)) |
//! |---|---|
//! | nobody reads | EPIPE |
//! | it would have to wait, and does not wait | EAGAIN |
//! | a signal came, and waits are interruptible | EINTR |
//! | the thread has the turn already, by another handle | EDEADLK |
//! | nobody reads, at [`Fifo::writer_nonblocking`] | ENXIO |
//! | nobody came in time, at [`Fifo::reader_timeout`] and the like | ETIMEDOUT |
//! | another reason not to open or create one | that of [`Error`] |
//! | a call to the kernel failed, or the file's in [`Reader::copy_to_fd`] | the kernel's |
//! | a timeout of the end has passed | none; its kind is [`TimedOut`](std::io::ErrorKind::TimedOut) |
//! | forked, removed, or spoiled | none; the [`Fault`](crate::Fault) is within |
//!
//! # Cost
//!
//! | | grows with |
//! |---|---|
//! | a read or write | the bytes: each is copied once; the rest is O(1), with a system call at most once in 2 µs, to ask whether somebody reads, while nobody has to wait |
//! | opening the stream, closing it while others have it open | nothing: O(1) |
//! | taking part, leaving, taking the turn of one that was killed | the limit on participants, O([`Options::participants`]), not the capacity |
//! | creating the stream | the memory, O(capacity), since each page is touched; O(1) with [`Options::prefault`]`(false)` |
//! | closing it as the last | the memory that was touched: the kernel takes it back |
//!
//! The memory is 4096 bytes and 128 for each participant, rounded up to a page, and the bytes: 20
//! KiB and the bytes by default.
//!
//! # Examples
//!
//! ```
//! use std::io::{Read, Write};
//!
//! let (mut writer, mut reader) = ringpipe::stream::pipe()?;
//! std::thread::spawn(move || writer.write_all(b"hello"));
//! let mut text = String::new();
//! reader.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod duplex;
mod end;
mod fifo;
mod files;
mod fork;
mod halt;
mod parts;
mod popen;
mod reader;
mod readiness;
mod ways;
mod writer;

pub use duplex::Duplex;
pub use fifo::Fifo;
pub use popen::Popen;
pub use reader::Reader;
pub use readiness::Readiness;
pub use writer::{Reservation, Writer};

use crate::error::Error;
use crate::memory::{Board, Facts, PARTICIPANTS_MAX, Region, View};
use crate::name::Name;
use crate::options::{RingKind, sealed::Sealed};
use crate::parking::Local;
use crate::ring::Parking;
use crate::ring::turns::Place;
use crate::segment::{Segment, kind};
use crate::sync::Arc;

/// How many bytes a write may have that is never mixed with others, as limits.h has it on Linux (pipe(7)).
pub const PIPE_BUF: usize = 4096;

/// How many bytes a stream holds unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 256 << 10;

/// How many ends of a stream may be open at a time unless told otherwise: of [`pipe`], whose
/// children have both, those of 62 children besides.
///
/// Each write and read looks whether somebody sleeps, 32 participants at a time: twice as many
/// would take a fifth more instructions. With the nine semaphores that each stream has, they fit a
/// set also where `kernel.sem` begins with 250, as on older kernels and many servers.
pub const DEFAULT_PARTICIPANTS: usize = 128;

/// Streams of bytes, for [`Options`].
#[derive(Clone, Copy, Debug)]
pub enum Kind {}

impl RingKind for Kind {}

impl Sealed for Kind {
    const KIND: u32 = kind::STREAM;
    const PARTICIPANTS: usize = DEFAULT_PARTICIPANTS;
    const CAPACITY: usize = DEFAULT_CAPACITY;
}

/// How to create or open a stream.
pub type Options = crate::options::Options<Kind>;

impl Options {
    /// How many ends may be open at a time, of both kinds together: from 1 to 511, and
    /// [`DEFAULT_PARTICIPANTS`] unless told otherwise. Of use to creators only.
    ///
    /// Each takes a semaphore and 128 bytes. A forked child takes one for each inheritable end.
    pub fn participants(mut self, limit: usize) -> Self {
        self.crew.participants = limit;
        self
    }

    /// Creates a pipe: see [`pipe`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn pipe(&self) -> Result<(Writer, Reader), Error> {
        let (mut writer, mut reader) = self.create(Name::Private)?.both()?;
        writer.set_inheritable(true);
        reader.set_inheritable(true);
        Ok((writer, reader))
    }

    /// Creates two pipes: see [`duplex()`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn duplex(&self) -> Result<(Duplex, Duplex), Error> {
        let (there, back) = (self.pipe()?, self.pipe()?);
        Ok((Duplex::new(there.0, back.1), Duplex::new(back.0, there.1)))
    }

    /// Creates a pipe for threads of this process, without any System V object.
    ///
    /// # Errors
    ///
    /// [`Error::BadCapacity`]; [`Error::BadLimit`]; [`Error::Limit`] when there is no memory.
    pub fn in_process(&self) -> Result<(Writer, Reader), Error> {
        self.check()?;
        let (region, extent) = self.on_heap::<u8>()?;
        let place = Place {
            board: Board::new(Arc::clone(&region), self.crew.participants, 0),
            view: View::new(region, extent.payload, self.slots()),
            parking: Arc::new(Local::new()),
        };
        Fifo::of_place(place, None).both()
    }

    /// Creates a FIFO: see [`Fifo::create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create(&self, name: impl Into<Name>) -> Result<Fifo, Error> {
        self.check()?;
        Fifo::of_segment(self.create_segment::<u8>(&name.into())?)
    }

    /// Opens a FIFO: see [`Fifo::open`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(&self, name: impl Into<Name>) -> Result<Fifo, Error> {
        Fifo::of_segment(self.open_segment::<u8>(&name.into())?)
    }

    /// Opens a FIFO or creates it: see [`Fifo::open_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_or_create(&self, name: impl Into<Name>) -> Result<Fifo, Error> {
        self.check()?;
        Fifo::of_segment(self.open_or_create_segment::<u8>(&name.into())?)
    }

    fn check(&self) -> Result<(), Error> {
        if self.slots() < PIPE_BUF {
            return Err(Error::BadCapacity {
                capacity: self.slots(),
                item_size: 1,
                why: "a stream holds at least 4096 bytes (PIPE_BUF), so that as many can be written in one piece",
            });
        }
        match self.crew.participants {
            1..=PARTICIPANTS_MAX => Ok(()),
            limit => Err(Error::BadLimit { limit }),
        }
    }
}

/// Creates a pipe: what pipe(2) gives, of [`DEFAULT_CAPACITY`].
///
/// For threads, and for children that are forked: these have both ends too, and an end is closed only when all who have it
/// have closed it, or ended. The kernel frees the memory with the last of them, but not its semaphores: the last to close an end
/// removes these. If that one ends without closing it (it is killed, calls exit(3) or `_exit(2)`, or has it in a static), they stay until
/// [`collect`](crate::collect()) or `ringpipe gc` takes them.
///
/// At most [`DEFAULT_PARTICIPANTS`] ends are open at a time, unlike a pipe's. fork(3) itself cannot
/// fail for the lack of one: a child for which there is none left fails with its first use of it
/// ([`Fault::Forked`](crate::Fault::Forked)), as does one whose parent could not open four files
/// more. Close the end that a process does not need, or ask for more by [`Options::participants`].
///
/// # Errors
///
/// [`Error::Limit`] when the kernel has no room for it; [`Error::NoUndo`] where a death would go unnoticed.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut writer, mut reader) = ringpipe::stream::pipe()?;
/// writer.write_all(b"ping")?;
/// drop(writer);
/// let mut bytes = Vec::new();
/// reader.read_to_end(&mut bytes)?;
/// assert_eq!(bytes, b"ping");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn pipe() -> Result<(Writer, Reader), Error> {
    Options::new().pipe()
}

/// Creates two pipes, crossed: what is written to the one is read from the other.
///
/// # Errors
///
/// Those of [`pipe`].
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut here, mut there) = ringpipe::stream::duplex()?;
/// here.write_all(b"ping")?;
/// let mut bytes = [0; 4];
/// there.read_exact(&mut bytes)?;
/// there.write_all(b"pong")?;
/// here.read_exact(&mut bytes)?;
/// assert_eq!(&bytes, b"pong");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn duplex() -> Result<(Duplex, Duplex), Error> {
    Options::new().duplex()
}

/// Where the participants of a stream come to.
fn place_of(segment: &Segment) -> Result<Place, Error> {
    let (region, parking) = (Arc::clone(&segment.region), Arc::clone(&segment.semaphores));
    place_in(region, &segment.facts, parking).map_err(|field| Error::Corrupt {
        name: segment.name.clone(),
        field,
    })
}

/// The same in memory of which the facts were checked; or what a stream cannot have.
fn place_in(
    region: Arc<Region>,
    facts: &Facts,
    parking: Arc<dyn Parking>,
) -> Result<Place, &'static str> {
    if facts.capacity < PIPE_BUF {
        return Err("capacity");
    }
    if facts.crew.participants == 0 {
        return Err("participant limit");
    }
    let board = Board::new(Arc::clone(&region), facts.crew.participants, 0);
    Ok(Place {
        board,
        view: View::new(region, facts.payload(), facts.capacity),
        parking,
    })
}

#[cfg(test)]
mod tests {
    use super::DEFAULT_PARTICIPANTS;
    use crate::parking::set_size;

    #[test]
    fn a_stream_fits_where_a_set_may_have_250_semaphores() {
        assert!(set_size(DEFAULT_PARTICIPANTS) <= 250);
        assert!(set_size(DEFAULT_PARTICIPANTS) * 128 <= 32_000);
    }
}
