//! Scripts of operations on a FIFO of the kernel and on one of ours, each beside a model of what a FIFO is.
//!
//! Both are held to the same rules. One thing the kernel's need not do: how much of a write fits. It counts in page slots, ours
//! in bytes; so of it only bounds are asked, and of ours the exact number.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ringpipe::stream::{Fifo, Options, PIPE_BUF, Reader, Writer};

/// How many bytes each of the two holds.
pub(crate) const CAPACITY: usize = 4096;
/// How many ends of a kind are open at most.
const ENDS: usize = 3;

/// What is done, with numbers that are cut to what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    OpenReader,
    OpenWriter,
    CloneReader(usize),
    CloneWriter(usize),
    CloseReader(usize),
    CloseWriter(usize),
    Write(usize, usize),
    /// In two parts.
    WriteParts(usize, usize, usize),
    Read(usize, usize),
    ReadParts(usize, usize, usize),
    /// In place, where there is such a thing.
    Consume(usize, usize),
}

impl Step {
    /// Any five bytes are a step.
    pub(crate) fn of_bytes([kind, a, b, c, d]: [u8; 5]) -> Self {
        let end = usize::from(a);
        let one = usize::from(u16::from_le_bytes([b, c])) % (3 * CAPACITY + 1);
        let two = usize::from(d) * 17;
        match kind % 14 {
            0 => Self::OpenReader,
            1 => Self::OpenWriter,
            2 => Self::CloneReader(end),
            3 => Self::CloneWriter(end),
            4 => Self::CloseReader(end),
            5 => Self::CloseWriter(end),
            6 | 7 => Self::Write(end, one),
            8 => Self::Write(end, two),
            9 => Self::WriteParts(end, one, two),
            10 | 11 => Self::Read(end, one),
            12 => Self::ReadParts(end, one, two),
            _ => Self::Consume(end, one),
        }
    }
}

type Outcome = Result<usize, Option<i32>>;

fn outcome<T>(result: io::Result<T>) -> Result<T, Option<i32>> {
    result.map_err(|error| error.raw_os_error())
}

/// A FIFO whose ends do not wait.
trait Subject {
    type Reader;
    type Writer;
    /// Whether it counts its capacity in bytes.
    const EXACT: bool;
    fn open_reader(&self) -> Result<Self::Reader, Option<i32>>;
    fn open_writer(&self) -> Result<Self::Writer, Option<i32>>;
    fn clone_reader(reader: &Self::Reader) -> Self::Reader;
    fn clone_writer(writer: &Self::Writer) -> Self::Writer;
    fn write(writer: &mut Self::Writer, parts: &[IoSlice<'_>]) -> io::Result<usize>;
    fn read(reader: &mut Self::Reader, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
    /// Reads in place, at most so many; or as any read.
    fn consume(reader: &mut Self::Reader, most: usize) -> io::Result<Vec<u8>>;
    /// FIONREAD, where it can be had.
    fn available(reader: &Self::Reader) -> Option<usize>;
}

struct Ours(Fifo);

impl Subject for Ours {
    type Reader = Reader;
    type Writer = Writer;
    const EXACT: bool = true;

    fn open_reader(&self) -> Result<Reader, Option<i32>> {
        self.0
            .reader_nonblocking()
            .map_err(|error| error.raw_os_error())
    }

    fn open_writer(&self) -> Result<Writer, Option<i32>> {
        self.0
            .writer_nonblocking()
            .map_err(|error| error.raw_os_error())
    }

    fn clone_reader(reader: &Reader) -> Reader {
        reader.try_clone().unwrap()
    }

    fn clone_writer(writer: &Writer) -> Writer {
        writer.try_clone().unwrap()
    }

    fn write(writer: &mut Writer, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        writer.write_vectored(parts)
    }

    fn read(reader: &mut Reader, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        reader.read_vectored(parts)
    }

    fn consume(reader: &mut Reader, most: usize) -> io::Result<Vec<u8>> {
        let mut got = Vec::new();
        // Twice, since what is shown ends where the ring goes round.
        for _ in 0..2 {
            if got.len() < most && (got.is_empty() || reader.available() > 0) {
                let shown = reader.fill_buf()?;
                let now = shown.len().min(most - got.len());
                got.extend_from_slice(&shown[..now]);
                reader.consume(now);
            }
        }
        Ok(got)
    }

    fn available(reader: &Reader) -> Option<usize> {
        Some(reader.available())
    }
}

struct Kernels<'a>(&'a Path);

impl Kernels<'_> {
    fn open(&self, options: &mut OpenOptions) -> Result<File, Option<i32>> {
        outcome(options.custom_flags(libc::O_NONBLOCK).open(self.0))
    }
}

impl Subject for Kernels<'_> {
    type Reader = File;
    type Writer = File;
    const EXACT: bool = false;

    fn open_reader(&self) -> Result<File, Option<i32>> {
        self.open(OpenOptions::new().read(true))
    }

    fn open_writer(&self) -> Result<File, Option<i32>> {
        self.open(OpenOptions::new().write(true))
    }

    fn clone_reader(reader: &File) -> File {
        reader.try_clone().unwrap()
    }

    fn clone_writer(writer: &File) -> File {
        writer.try_clone().unwrap()
    }

    fn write(writer: &mut File, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        writer.write_vectored(parts)
    }

    fn read(reader: &mut File, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        reader.read_vectored(parts)
    }

    fn consume(reader: &mut File, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; most];
        let n = reader.read(&mut bytes)?;
        bytes.truncate(n);
        Ok(bytes)
    }

    fn available(_: &File) -> Option<usize> {
        None
    }
}

/// A subject, its open ends, and what a FIFO would have in it.
struct Bench<S: Subject> {
    subject: S,
    readers: Vec<S::Reader>,
    writers: Vec<S::Writer>,
    content: VecDeque<u8>,
    next: u8,
}

impl<S: Subject> Bench<S> {
    fn new(subject: S) -> Self {
        Self {
            subject,
            readers: Vec::new(),
            writers: Vec::new(),
            content: VecDeque::new(),
            next: 0,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::OpenReader if self.readers.len() < ENDS => {
                self.discard_unopened();
                self.readers.push(self.subject.open_reader().unwrap());
            }
            Step::OpenWriter if self.writers.len() < ENDS => self.open_writer(),
            Step::CloneReader(n) if self.readers.len() < ENDS => {
                if let Some(reader) = pick(&mut self.readers, n) {
                    let clone = S::clone_reader(reader);
                    self.readers.push(clone);
                }
            }
            Step::CloneWriter(n) if self.writers.len() < ENDS => {
                if let Some(writer) = pick(&mut self.writers, n) {
                    let clone = S::clone_writer(writer);
                    self.writers.push(clone);
                }
            }
            Step::CloseReader(n) if !self.readers.is_empty() => {
                self.readers.swap_remove(n % self.readers.len());
            }
            Step::CloseWriter(n) if !self.writers.is_empty() => {
                self.writers.swap_remove(n % self.writers.len());
            }
            Step::Write(end, n) => self.write(end, n, 0),
            Step::WriteParts(end, one, two) => self.write(end, one, two),
            Step::Read(end, n) => self.read(end, n, 0),
            Step::ReadParts(end, one, two) => self.read(end, one, two),
            Step::Consume(end, n) => self.consume(end, n),
            _ => {}
        }
        if let Some(available) = self.readers.first().and_then(S::available) {
            assert_eq!(available, self.content.len(), "unread bytes");
        }
    }

    /// What is in a FIFO that nobody has open is gone.
    fn discard_unopened(&mut self) {
        if self.readers.is_empty() && self.writers.is_empty() {
            self.content.clear();
        }
    }

    fn open_writer(&mut self) {
        match self.subject.open_writer() {
            Ok(writer) => {
                assert!(!self.readers.is_empty(), "opened without a reader");
                self.writers.push(writer);
            }
            Err(errno) => {
                assert_eq!(errno, Some(libc::ENXIO));
                assert!(self.readers.is_empty(), "no reader was found");
            }
        }
    }

    fn write(&mut self, end: usize, one: usize, two: usize) {
        let Some(writer) = pick(&mut self.writers, end) else {
            return;
        };
        let total = one + two;
        let next = self.next;
        let bytes: Vec<u8> = (0..total).map(|n| next.wrapping_add(n as u8)).collect();
        let (first, second) = bytes.split_at(one);
        let result = S::write(writer, &[IoSlice::new(first), IoSlice::new(second)]);
        let written = self.judge_write(total, outcome(result));
        self.content.extend(&bytes[..written]);
        self.next = next.wrapping_add(written as u8);
    }

    /// Whether a write may have come out so, and how much it wrote.
    fn judge_write(&self, total: usize, outcome: Outcome) -> usize {
        let room = CAPACITY - self.content.len();
        let fits = match total {
            0 => Ok(0),
            _ if self.readers.is_empty() => Err(Some(libc::EPIPE)),
            1..=PIPE_BUF if total <= room => Ok(total),
            1..=PIPE_BUF => Err(Some(libc::EAGAIN)),
            _ if room > 0 => Ok(total.min(room)),
            _ => Err(Some(libc::EAGAIN)),
        };
        match (fits, outcome) {
            (Ok(most @ 1..), Ok(some)) if !S::EXACT => {
                assert!((1..=most).contains(&some) && (total > PIPE_BUF || some == total));
            }
            // The slots may be used up before the bytes.
            (Ok(1..), Err(Some(libc::EAGAIN))) if !S::EXACT => assert!(room < CAPACITY),
            (fits, outcome) => {
                assert_eq!(outcome, fits, "a write of {total}, with room for {room}");
            }
        }
        outcome.unwrap_or(0)
    }

    fn read(&mut self, end: usize, one: usize, two: usize) {
        let Some(reader) = pick(&mut self.readers, end) else {
            return;
        };
        let (mut first, mut second) = (vec![0; one], vec![0; two]);
        let parts = &mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        let result = outcome(S::read(reader, parts));
        first.append(&mut second);
        self.judge_read(one + two, &result.map(|n| first[..n].to_vec()));
    }

    fn consume(&mut self, end: usize, most: usize) {
        if let (Some(reader), 1..) = (pick(&mut self.readers, end), most) {
            let got = S::consume(reader, most);
            self.judge_read(most, &outcome(got));
        }
    }

    /// Whether a read may have come out so.
    fn judge_read(&mut self, wanted: usize, got: &Result<Vec<u8>, Option<i32>>) {
        let there = wanted.min(self.content.len());
        let expected = if wanted > 0 && there == 0 && !self.writers.is_empty() {
            Err(Some(libc::EAGAIN))
        } else {
            Ok(self.content.drain(..there).collect())
        };
        assert_eq!(*got, expected, "a read of {wanted}");
    }
}

fn pick<E>(ends: &mut [E], n: usize) -> Option<&mut E> {
    let count = ends.len();
    ends.get_mut(n.checked_rem(count)?)
}

/// Runs a script on both.
///
/// # Panics
///
/// Where either does what a FIFO does not.
pub(crate) fn run(steps: &[Step]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kernels");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut kernels = Bench::new(Kernels(&path));
    let fifo = Options::new()
        .capacity(CAPACITY)
        .create(ringpipe::Name::Private)
        .unwrap();
    let mut ours = Bench::new(Ours(fifo));
    for step in steps {
        kernels.run(*step);
        shrink(&kernels);
        ours.run(*step);
    }
}

/// Any bytes are a script, five of them a step.
pub(crate) fn run_bytes(bytes: &[u8]) {
    let steps = bytes.as_chunks().0.iter().copied();
    run(&steps.map(Step::of_bytes).collect::<Vec<_>>());
}

/// As small as ours, as far as that can be had: a new FIFO has sixteen pages.
fn shrink(bench: &Bench<Kernels<'_>>) {
    if let Some(end) = bench.readers.first().or(bench.writers.first()) {
        let size = nix::fcntl::fcntl(end, nix::fcntl::FcntlArg::F_SETPIPE_SZ(CAPACITY as i32));
        // EBUSY: what is in it would not fit.
        assert!(matches!(size, Ok(_) | Err(nix::errno::Errno::EBUSY)));
    }
}
