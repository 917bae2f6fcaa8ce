//! pipe(2), with a system call for each message.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};

use zerocopy::IntoBytes;

use crate::common::duel::Between;
use crate::way::{Message, Rx, Tx, Waits, Way};

pub(crate) enum Pipe {}

impl<const N: usize> Way<N> for Pipe {
    const NAME: &'static str = "pipe";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = PipeWriter;
    type Rx = PipeReader;

    fn open(
        _: usize,
    ) -> (
        impl FnOnce() -> PipeWriter + Send + 'static,
        impl FnOnce() -> PipeReader + Send + 'static,
    ) {
        let (reader, writer) = pipe().expect("a pipe");
        (move || writer, move || reader)
    }
}

impl<const N: usize> Tx<N> for PipeWriter {
    fn send(&mut self, message: &Message<N>) {
        self.write_all(message.as_bytes()).expect("a reader");
    }
}

impl<const N: usize> Rx<N> for PipeReader {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        let mut message = [0; N];
        self.read_exact(message.as_mut_bytes()).expect("a writer");
        look(&message)
    }
}
