//! Both ways.

use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Write};

use super::{Reader, Writer};

/// One side of two streams, one each way: see [`duplex`](super::duplex()).
#[derive(Debug)]
pub struct Duplex {
    writer: Writer,
    reader: Reader,
}

impl Duplex {
    /// Puts two ends together.
    pub fn new(writer: Writer, reader: Reader) -> Self {
        Self { writer, reader }
    }

    /// The end that is written to.
    pub fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }

    /// The end that is read from.
    pub fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// Takes the two apart, for a thread each; or to close one of them, as shutdown(2) does with half of a socket.
    pub fn split(self) -> (Writer, Reader) {
        (self.writer, self.reader)
    }
}

impl Read for Duplex {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into)
    }

    fn read_vectored(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.reader.read_vectored(parts)
    }
}

impl BufRead for Duplex {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.reader.consume(n);
    }
}

impl Write for Duplex {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writer.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
