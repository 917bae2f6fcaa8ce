//! The stream itself, between two processes, with ends that wait as they do unless told otherwise.

use std::io::BufRead;

use ringpipe::Strategy;
use ringpipe::stream::{self, Duplex, Options, Reader, Writer, duplex};

use super::duel::{Between, Ends, start};
use super::flow::{echo, flow, take};
use super::pattern;

/// What a stream holds unless told otherwise.
pub(crate) const DEFAULT_CAPACITY: usize = stream::DEFAULT_CAPACITY;

fn pipe(capacity: usize) -> (Writer, Reader) {
    let options = Options::new().capacity(capacity);
    options.pipe().expect("a stream")
}

/// Writes and reads, which copy.
pub(crate) fn copied(size: usize, capacity: usize) -> Ends {
    let (writer, reader) = pipe(capacity);
    flow(size, writer, reader)
}

/// Bytes that are written into the ring and read out of it in place, a quarter of it at most at a time, so that there is
/// something for the other side to do.
pub(crate) fn in_place(size: usize, capacity: usize) -> Ends {
    let (mut writer, mut reader) = pipe(capacity);
    let piece = capacity / 4;
    Ends {
        source: start(move || {
            move |numbers| {
                take(numbers, size, |at, most| {
                    let mut room = writer.reserve(most.min(piece)).expect("a reader");
                    let (head, tail) = room.as_mut_slices();
                    pattern::fill(head, at);
                    pattern::fill(tail, at + head.len() as u64);
                    let count = room.len();
                    room.commit(count);
                    count
                });
            }
        }),
        sink: start(move || {
            move |numbers| {
                take(numbers, size, |at, most| {
                    let bytes = reader.fill_buf().expect("a stream");
                    let count = bytes.len().min(most).min(piece);
                    pattern::check(&bytes[..count], at);
                    reader.consume(count);
                    count
                });
            }
        }),
        between: Between::Processes,
    }
}

/// A round trip between sides that sleep.
pub(crate) fn asleep() -> Ends {
    round_trips(Strategy::Sleep)
}

/// A round trip between sides that never sleep.
pub(crate) fn awake() -> Ends {
    round_trips(Strategy::Spin)
}

fn round_trips(strategy: Strategy) -> Ends {
    let (here, there) = duplex().expect("two streams");
    echo(waiting(here, strategy), waiting(there, strategy))
}

fn waiting(mut side: Duplex, strategy: Strategy) -> Duplex {
    side.writer().set_strategy(strategy);
    side.reader().set_strategy(strategy);
    side
}
