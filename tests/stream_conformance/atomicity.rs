//! Many writers at a time: W2, as LTP's pipeio tries it.
//!
//! Five writers, each with a stream of its own, whose bytes say whose they are and follow from their places. What is
//! not longer than `PIPE_BUF` must come in one piece; in what is longer, nothing may be lost or out of order.

use std::io::{IoSlice, Write};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use crate::common::dice::Dice;
use crate::common::{Child, forked};
use crate::stage::{Call, call, open_fifo, path};
use crate::subject::{End, Fifo, PIPE_BUF, Reads, Subject, Writes, errno};

cases! {
    short_records_through_a_pipe
    short_records_through_a_fifo
    short_records_without_waiting_through_a_pipe
    short_records_without_waiting_through_a_fifo
    long_records_through_a_pipe
    long_records_through_a_fifo
    long_records_without_waiting_through_a_pipe
    long_records_without_waiting_through_a_fifo
    the_longest_atomic_records
    records_in_two_slices
    records_of_threads
}

const WRITERS: usize = 5;
/// Each writer's.
const RECORDS: usize = 120;

/// pipeio's lengths: just below what is atomic, and above.
const SHORT: usize = 4090;
const LONG: usize = 5000;

/// How records are written.
#[derive(Clone, Copy)]
struct Manner {
    length: usize,
    nonblocking: bool,
    /// Whether a record comes from two places in memory.
    slices: bool,
}

const WAITING: Manner = Manner {
    length: SHORT,
    nonblocking: false,
    slices: false,
};

/// A piece of a writer's stream.
fn piece(writer: usize, from: usize, n: usize) -> Vec<u8> {
    let byte = |at| (writer << 5) + at % 31;
    (from..from + n).map(|at| byte(at) as u8).collect()
}

fn write_once<W: Write>(tx: &mut W, bytes: &[u8], manner: Manner) -> Result<usize, Errno> {
    if !manner.slices {
        return tx.writes(bytes);
    }
    let (first, second) = bytes.split_at(bytes.len() / 3);
    let slices = [IoSlice::new(first), IoSlice::new(second)];
    tx.write_vectored(&slices).map_err(|error| errno(&error))
}

/// Writes all of a writer's records; what does not fit is tried again.
fn write_records<S: Subject>(tx: &mut S::Writer, writer: usize, manner: Manner) {
    tx.set_nonblocking(manner.nonblocking);
    for record in 0..RECORDS {
        let record = piece(writer, record * manner.length, manner.length);
        let mut rest = &record[..];
        while !rest.is_empty() {
            match write_once(tx, rest, manner) {
                Ok(n) => {
                    let may_be_some = manner.nonblocking && rest.len() > PIPE_BUF;
                    assert!(n == rest.len() || may_be_some && (1..rest.len()).contains(&n));
                    rest = &rest[n..];
                }
                Err(Errno::EAGAIN) if manner.nonblocking => {
                    thread::sleep(Duration::from_micros(50));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// Reads everything, and holds it to the writers' streams.
fn check_records<S: Subject>(rx: &mut S::Reader, manner: Manner) {
    let mut dice = Dice::seeded("pipeio");
    let (mut next, mut at, mut current) = ([0; WRITERS], 0, 0);
    loop {
        let came = rx.takes(1 + dice.below(20_000)).unwrap();
        if came.is_empty() {
            break;
        }
        for byte in came {
            let writer = usize::from(byte >> 5);
            if manner.length <= PIPE_BUF && at % manner.length != 0 {
                assert_eq!(writer, current, "a record is torn");
            }
            assert_eq!(usize::from(byte & 31), next[writer] % 31, "out of order");
            next[writer] += 1;
            at += 1;
            current = writer;
        }
    }
    assert_eq!(next, [RECORDS * manner.length; WRITERS]);
}

/// The writers are forked and inherit the pipe.
fn through_a_pipe<S: Subject>(manner: Manner) {
    let (tx, mut rx) = S::pipe();
    let mut tx = Some(tx);
    let children: Vec<_> = (0..WRITERS)
        .map(|writer| {
            forked(|| write_records::<S>(tx.as_mut().expect("it is there"), writer, manner))
        })
        .collect();
    drop(tx.take());
    check_records::<S>(&mut rx, manner);
    children.into_iter().for_each(Child::join);
}

/// The writers are processes that find the FIFO by its name. It is not at its end before all are.
fn through_a_fifo<S: Subject>(manner: Manner) {
    let (_, tx, mut rx) = open_fifo::<S>();
    let children: Vec<_> = (0..WRITERS)
        .map(|writer| {
            forked(|| {
                let fifo = S::Fifo::find(&path()).unwrap();
                write_records::<S>(&mut fifo.writer().unwrap(), writer, manner);
            })
        })
        .collect();
    let reader = call(move || check_records::<S>(&mut rx, manner));
    children.into_iter().for_each(Child::join);
    drop(tx);
    reader.join();
}

fn short_records_through_a_pipe<S: Subject>() {
    through_a_pipe::<S>(WAITING);
}

fn short_records_through_a_fifo<S: Subject>() {
    through_a_fifo::<S>(WAITING);
}

fn short_records_without_waiting_through_a_pipe<S: Subject>() {
    let nonblocking = true;
    through_a_pipe::<S>(Manner {
        nonblocking,
        ..WAITING
    });
}

fn short_records_without_waiting_through_a_fifo<S: Subject>() {
    let nonblocking = true;
    through_a_fifo::<S>(Manner {
        nonblocking,
        ..WAITING
    });
}

fn long_records_through_a_pipe<S: Subject>() {
    let length = LONG;
    through_a_pipe::<S>(Manner { length, ..WAITING });
}

fn long_records_through_a_fifo<S: Subject>() {
    let length = LONG;
    through_a_fifo::<S>(Manner { length, ..WAITING });
}

fn long_records_without_waiting_through_a_pipe<S: Subject>() {
    let (length, nonblocking) = (LONG, true);
    through_a_pipe::<S>(Manner {
        length,
        nonblocking,
        ..WAITING
    });
}

fn long_records_without_waiting_through_a_fifo<S: Subject>() {
    let (length, nonblocking) = (LONG, true);
    through_a_fifo::<S>(Manner {
        length,
        nonblocking,
        ..WAITING
    });
}

fn the_longest_atomic_records<S: Subject>() {
    let length = PIPE_BUF;
    through_a_pipe::<S>(Manner { length, ..WAITING });
}

fn records_in_two_slices<S: Subject>() {
    let slices = true;
    through_a_pipe::<S>(Manner { slices, ..WAITING });
}

fn records_of_threads<S: Subject>() {
    let (tx, mut rx) = S::pipe();
    let writer = |writer| {
        let mut tx = tx.twin();
        call(move || write_records::<S>(&mut tx, writer, WAITING))
    };
    let writers: Vec<_> = (0..WRITERS).map(writer).collect();
    drop(tx);
    check_records::<S>(&mut rx, WAITING);
    writers.into_iter().for_each(Call::join);
}
