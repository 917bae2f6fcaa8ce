//! pipe(2) and mkfifo(3), where the kernel copies bytes in and out.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use zerocopy::{FromBytes, IntoBytes};

use super::bytes::{In, Out};
use super::place::Place;
use crate::common::duel::Between;
use crate::common::pipes::resize;
use crate::way::{Message, Rx, Tx, Waits, Way};

/// As it comes: 64 KiB, and a write(2) and a read(2) for each message.
pub(crate) enum Pipe {}

impl<const N: usize> Way<N> for Pipe {
    const NAME: &'static str = "pipe";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Out<PipeWriter>;
    type Rx = In<PipeReader>;

    fn open(
        _: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (reader, writer) = pipe().expect("a pipe");
        (move || Out(writer), move || In(reader))
    }
}

/// The largest pipe that any user may ask for unless the machine is told otherwise.
const LARGE: usize = 1 << 20;

fn large_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().expect("a pipe");
    resize(&writer, LARGE);
    (reader, writer)
}

/// The same with 1 MiB.
pub(crate) enum LargePipe {}

impl<const N: usize> Way<N> for LargePipe {
    const NAME: &'static str = "pipe of 1 MiB";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Out<PipeWriter>;
    type Rx = In<PipeReader>;

    fn open(
        _: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (reader, writer) = large_pipe();
        (move || Out(writer), move || In(reader))
    }
}

/// The best that can be made of a pipe: 1 MiB, many messages to a write(2) of up to 64 KiB, and a reader that takes as
/// much as there is, up to 64 KiB. The messages wait in the process for nobody: each call for many writes them all.
pub(crate) enum PackedPipe {}

/// How much goes in one call.
const PACK: usize = 64 << 10;

impl<const N: usize> Way<N> for PackedPipe {
    const NAME: &'static str = "pipe of 1 MiB, packed";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    const SLICES: bool = true;
    type Tx = Packer<N>;
    type Rx = BufReader<PipeReader>;

    fn open(
        _: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (reader, writer) = large_pipe();
        (
            move || Packer {
                pack: Vec::with_capacity(PACK / size_of::<Message<N>>()),
                writer,
            },
            move || BufReader::with_capacity(PACK, reader),
        )
    }
}

pub(crate) struct Packer<const N: usize> {
    pack: Vec<Message<N>>,
    writer: PipeWriter,
}

impl<const N: usize> Packer<N> {
    fn write(&mut self) {
        self.writer
            .write_all(self.pack.as_bytes())
            .expect("a reader");
        self.pack.clear();
    }
}

impl<const N: usize> Tx<N> for Packer<N> {
    fn send(&mut self, message: &Message<N>) {
        self.writer.write_all(message.as_bytes()).expect("a reader");
    }

    fn send_all(&mut self, count: usize, mut make: impl FnMut(usize) -> Message<N>) {
        for i in 0..count {
            if self.pack.len() == self.pack.capacity() {
                self.write();
            }
            self.pack.push(make(i));
        }
        self.write();
    }
}

impl<const N: usize> Rx<N> for BufReader<PipeReader> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        let mut message = [0; N];
        self.read_exact(message.as_mut_bytes()).expect("a writer");
        look(&message)
    }

    fn receive_some(&mut self, most: usize, mut look: impl FnMut(&Message<N>)) -> usize {
        let bytes = self.fill_buf().expect("a pipe");
        let count = (bytes.len() / size_of::<Message<N>>()).min(most);
        if count == 0 {
            self.receive(look); // the rest of it is still to come
            return 1;
        }
        for bytes in bytes.chunks_exact(size_of::<Message<N>>()).take(count) {
            look(&Message::read_from_bytes(bytes).expect("its size"));
        }
        self.consume(count * size_of::<Message<N>>());
        count
    }
}

/// A named pipe, which processes that are not related can open. It holds 64 KiB.
pub(crate) enum Fifo {}

impl<const N: usize> Way<N> for Fifo {
    const NAME: &'static str = "FIFO";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Out<File>;
    type Rx = In<File>;

    fn open(
        _: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let (reader, writer) = fifo();
        (move || Out(writer), move || In(reader))
    }
}

fn fifo() -> (File, File) {
    let place = Place::temporary();
    let path = place.path().join("fifo");
    mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
    // A reader that does not wait for a writer to come; nothing but its opening is to be so.
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let reader = options.open(&path).expect("the FIFO");
    let writer = File::options().write(true).open(&path).expect("the FIFO");
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::empty())).expect("an open file");
    (reader, writer)
}
