//! How bytes flow from one side to the other, and how a line of 64 bytes goes to and fro, whatever they go through.
//!
//! A number stands for a write of one size, or for a round trip.

use std::io::{ErrorKind, Read, Result, Write};
use std::ops::Range;

use zerocopy::{FromZeros, IntoBytes};

use super::duel::{Between, Ends, Start, start};
use super::machine::relax;
use super::pattern;
use super::payload::{Line, Numbered, check};

/// Writes of `size` bytes, and reads that take what is there, up to as much.
pub(crate) fn flow(
    size: usize,
    writer: impl Write + Send + 'static,
    reader: impl Read + Send + 'static,
) -> Ends {
    Ends {
        source: source(size, writer),
        sink: sink(size, reader),
        between: Between::Processes,
    }
}

fn source(size: usize, mut writer: impl Write + Send + 'static) -> Start {
    start(move || {
        let mut bytes = vec![0; size];
        move |numbers| {
            for n in numbers {
                pattern::fill(&mut bytes, n * size as u64);
                writer.write_all(&bytes).expect("a reader");
            }
        }
    })
}

/// Reads that take what is there, up to `size` bytes.
pub(crate) fn sink(size: usize, mut reader: impl Read + Send + 'static) -> Start {
    start(move || {
        let mut bytes = vec![0; size];
        move |numbers| {
            take(numbers, size, |at, most| {
                let count = reader.read(&mut bytes[..most]).expect("a stream");
                pattern::check(&bytes[..count], at);
                count
            });
        }
    })
}

/// Has these writes taken piece by piece: `piece` is told where in the stream it begins and how many bytes it may take,
/// and says how many it took.
#[inline]
pub(crate) fn take(numbers: Range<u64>, size: usize, mut piece: impl FnMut(u64, usize) -> usize) {
    let [mut at, end] = [numbers.start, numbers.end].map(|n| n * size as u64);
    while at < end {
        let most = (end - at).min(size as u64) as usize;
        let count = piece(at, most);
        assert!(count > 0, "the stream ended at byte {at}");
        at += count as u64;
    }
}

/// One side sends a line and waits for the answer, the other answers.
pub(crate) fn echo<D: Read + Write + Send + 'static>(mut here: D, mut there: D) -> Ends {
    Ends {
        source: start(move || {
            move |numbers| {
                for n in numbers {
                    expect(&mut there, n);
                    send(&mut there, !n);
                }
            }
        }),
        sink: start(move || {
            move |numbers| {
                for n in numbers {
                    send(&mut here, n);
                    expect(&mut here, !n);
                }
            }
        }),
        between: Between::Processes,
    }
}

fn send(to: &mut impl Write, n: u64) {
    to.write_all(Line::of(n).as_bytes())
        .expect("the other side");
}

fn expect(from: &mut impl Read, n: u64) {
    let mut line = Line::new_zeroed();
    from.read_exact(line.as_mut_bytes())
        .expect("the other side");
    check(&line, n);
}

/// Asks again and again where nothing is there yet.
pub(crate) struct Awake<D>(pub(crate) D);

impl<D: Read> Read for Awake<D> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        loop {
            match self.0.read(bytes) {
                Err(why) if why.kind() == ErrorKind::WouldBlock => relax(),
                end => break end,
            }
        }
    }
}

impl<D: Write> Write for Awake<D> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(why) if why.kind() == ErrorKind::WouldBlock => relax(),
                end => break end,
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}
