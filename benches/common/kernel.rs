//! The rivals from the kernel, as streams: pipe(2), vmsplice(2) into a pipe, and socketpair(2).

use std::io::{IoSlice, PipeReader, PipeWriter, Read, Result, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, vmsplice};
use nix::sys::socket::{getsockopt, setsockopt, sockopt::SndBuf};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::duel::{Between, Ends, start};
use super::flow::{self, Awake, echo, flow};
use super::{pattern, pipes};

/// write(2) and read(2), through a pipe of that capacity.
pub(crate) fn through_pipe(size: usize, capacity: usize) -> Ends {
    let (reader, writer) = sized_pipe(capacity);
    flow(size, writer, reader)
}

/// The same through a pair of connected sockets, with what the kernel gives them for a buffer unless told otherwise.
pub(crate) fn through_socket(size: usize) -> Ends {
    let (writer, reader) = UnixStream::pair().expect("a pair of sockets");
    flow(size, writer, reader)
}

/// The same with as much for a buffer as was asked for, or may be had.
pub(crate) fn through_large_socket(size: usize, buffer: usize) -> Ends {
    let (writer, reader) = UnixStream::pair().expect("a pair of sockets");
    setsockopt(&writer, SndBuf, &buffer).expect("a larger buffer");
    flow(size, writer, reader)
}

/// What the kernel takes for granted when asked for a buffer of that size. It doubles what it grants, because of what it
/// keeps beside the bytes.
pub(crate) fn granted(buffer: usize) -> usize {
    let (socket, _) = UnixStream::pair().expect("a pair of sockets");
    setsockopt(&socket, SndBuf, &buffer).expect("a larger buffer");
    getsockopt(&socket, SndBuf).expect("the buffer's size") / 2
}

/// vmsplice(2), which lends the writer's pages to the pipe, and read(2).
///
/// The writer fills one half of its memory after the other. A half is as large as the pipe at least, so whatever is
/// filled anew has been read.
pub(crate) fn through_vmsplice(size: usize, capacity: usize) -> Ends {
    let (reader, writer) = sized_pipe(capacity);
    Ends {
        source: start(move || {
            let half = size.max(capacity);
            // Never freed, as the pipe still has some of it when the process ends.
            let memory = Page::memory(2 * half).leak().as_mut_bytes();
            move |numbers| {
                for n in numbers {
                    let at = n * size as u64;
                    let from = (at % (2 * half) as u64) as usize;
                    let bytes = &mut memory[from..from + size];
                    pattern::fill(bytes, at);
                    lend(&writer, bytes);
                }
            }
        }),
        sink: flow::sink(size, reader),
        between: Between::Processes,
    }
}

fn lend(pipe: &PipeWriter, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let count = vmsplice(pipe, &[IoSlice::new(bytes)], SpliceFFlags::empty());
        bytes = &bytes[count.expect("a reader")..];
    }
}

/// Memory that a pipe holds a whole piece of in each of its places.
#[derive(Clone, FromBytes, IntoBytes)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

impl Page {
    fn memory(bytes: usize) -> Vec<Self> {
        vec![Self::new_zeroed(); bytes / size_of::<Self>()]
    }
}

fn sized_pipe(capacity: usize) -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().expect("a pipe");
    pipes::resize(&writer, capacity);
    (reader, writer)
}

/// Two pipes, one each way, and sides that sleep.
pub(crate) fn pipes_asleep() -> Ends {
    let (here, there) = Pair::crossed();
    echo(here, there)
}

/// Two pipes, one each way, and sides that never sleep.
pub(crate) fn pipes_awake() -> Ends {
    let (here, there) = Pair::crossed();
    for pair in [&here, &there] {
        never_block(&pair.reader);
        never_block(&pair.writer);
    }
    echo(Awake(here), Awake(there))
}

/// Connected sockets, and sides that sleep.
pub(crate) fn sockets_asleep() -> Ends {
    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    echo(here, there)
}

/// Connected sockets, and sides that never sleep.
pub(crate) fn sockets_awake() -> Ends {
    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    never_block(&here);
    never_block(&there);
    echo(Awake(here), Awake(there))
}

fn never_block(end: &impl AsFd) {
    let flags = fcntl(end, FcntlArg::F_GETFL).expect("an open file");
    let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
    fcntl(end, FcntlArg::F_SETFL(flags)).expect("an open file");
}

/// One side's ends of two pipes.
struct Pair {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Pair {
    fn crossed() -> (Self, Self) {
        let (to, fro) = (pipe().expect("a pipe"), pipe().expect("a pipe"));
        let here = Self {
            reader: fro.0,
            writer: to.1,
        };
        let there = Self {
            reader: to.0,
            writer: fro.1,
        };
        (here, there)
    }
}

impl Read for Pair {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        self.reader.read(bytes)
    }
}

impl Write for Pair {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }
}
