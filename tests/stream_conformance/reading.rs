//! What a read does: R1 to R6, R11, R12.

use std::collections::VecDeque;
use std::io::{BufRead, IoSliceMut, Read, Write};

use nix::errno::Errno;

use crate::common::dice::Dice;
use crate::differences::BAD_BUFFER;
use crate::stage::{call, pipe_and_fifo, stream};
use crate::subject::{End, Reads, Subject, Writes, bytes};

cases! {
    a_read_waits_for_a_byte
    a_read_takes_what_is_there
    a_read_waits_for_no_more_than_one_byte
    reads_divide_what_was_written_at_once
    a_nonblocking_read_of_nothing_is_eagain
    a_read_is_zero_once_the_writers_are_gone_and_again
    what_was_written_is_there_after_its_writer
    a_read_of_nothing_is_zero_in_any_state
    a_bad_buffer_takes_nothing
    a_vectored_read_is_one_read
    lines_can_be_read
    all_can_be_read_to_the_end
    a_stream_arrives_in_order_through_reads_of_any_size
    a_long_walk_through_the_pipe_matches_a_queue
}

fn a_read_waits_for_a_byte<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let read = call(move || rx.takes(10));
        read.until_asleep();
        assert_eq!(tx.writes(b"x"), Ok(1));
        assert_eq!(read.join(), bytes(b"x"));
    }
}

fn a_read_takes_what_is_there<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        assert_eq!((tx.writes(b"abc"), tx.writes(b"defg")), (Ok(3), Ok(4)));
        assert_eq!(rx.takes(100), bytes(b"abcdefg"));
    }
}

fn a_read_waits_for_no_more_than_one_byte<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let read = call(move || (rx.reads(1_000_000), rx));
    read.until_asleep();
    assert_eq!(tx.writes(&stream(0, 100)), Ok(100));
    let (n, mut rx) = read.join();
    assert_eq!(n, Ok(100));
    assert_eq!(tx.writes(b"more"), Ok(4));
    assert_eq!(rx.takes(1_000_000), bytes(b"more"));
}

fn reads_divide_what_was_written_at_once<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    assert_eq!(tx.writes(b"abcdefghij"), Ok(10));
    let parts = [rx.takes(3), rx.takes(3), rx.takes(10)];
    assert_eq!(parts, [bytes(b"abc"), bytes(b"def"), bytes(b"ghij")]);
}

fn a_nonblocking_read_of_nothing_is_eagain<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        rx.set_nonblocking(true);
        assert_eq!(rx.reads(1), Err(Errno::EAGAIN));
        assert_eq!(rx.reads(1_000_000), Err(Errno::EAGAIN));
        assert_eq!(tx.writes(b"ab"), Ok(2));
        assert_eq!(rx.takes(10), bytes(b"ab"));
        assert_eq!(rx.reads(1), Err(Errno::EAGAIN));
    }
}

fn a_read_is_zero_once_the_writers_are_gone_and_again<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        assert_eq!(tx.writes(b"abc"), Ok(3));
        drop(tx);
        assert_eq!(
            [rx.reads(10), rx.reads(10), rx.reads(10)].map(Result::unwrap),
            [3, 0, 0]
        );
        rx.set_nonblocking(true);
        assert_eq!([rx.reads(10), rx.reads(1)], [Ok(0), Ok(0)]);
    }
}

/// LTP's pipe14, with more than one read's worth.
fn what_was_written_is_there_after_its_writer<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let n = tx.capacity();
        assert_eq!(tx.writes(&stream(0, n)), Ok(n));
        drop(tx);
        for at in (0..n).step_by(1000) {
            let rest = (n - at).min(1000);
            assert_eq!(rx.takes(1000), Ok(stream(at, rest)));
        }
        assert_eq!(rx.reads(1000), Ok(0));
    }
}

fn a_read_of_nothing_is_zero_in_any_state<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        assert_eq!(rx.reads(0), Ok(0), "empty, and blocking");
        rx.set_nonblocking(true);
        assert_eq!(rx.reads(0), Ok(0), "empty, and nonblocking");
        assert_eq!(tx.writes(b"x"), Ok(1));
        assert_eq!((rx.reads(0), rx.unread()), (Ok(0), 1));
        drop(tx);
        assert_eq!(
            [rx.reads(0), rx.reads(9), rx.reads(0), rx.reads(9)].map(Result::unwrap),
            [0, 1, 0, 0]
        );
    }
}

fn a_bad_buffer_takes_nothing<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    assert_eq!(tx.writes(b"abc"), Ok(3));
    let expected = BAD_BUFFER.expected::<S, _>(Some(Err(Errno::EFAULT)), None);
    assert_eq!(S::read_to_nowhere(&mut rx), expected);
    assert_eq!(rx.takes(3), bytes(b"abc"));
}

fn a_vectored_read_is_one_read<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    assert_eq!(tx.writes(b"abcdef"), Ok(6));
    let (mut first, mut none, mut second) = ([0; 2], [], [0; 10]);
    let read = rx.read_vectored(&mut [
        IoSliceMut::new(&mut first),
        IoSliceMut::new(&mut none),
        IoSliceMut::new(&mut second),
    ]);
    assert_eq!(
        (read.unwrap(), &first, &second),
        (6, b"ab", b"cdef\0\0\0\0\0\0")
    );
    assert_eq!(rx.read_vectored(&mut []).unwrap(), 0);
    drop(tx);
    assert_eq!(
        rx.read_vectored(&mut [IoSliceMut::new(&mut first)])
            .unwrap(),
        0
    );
}

fn lines_can_be_read<S: Subject>() {
    let (mut tx, rx) = S::pipe();
    tx.write_all(b"one\ntwo\n\nthr").unwrap();
    let mut rx = S::buffered(rx);
    let mut line = || {
        let mut line = String::new();
        rx.read_line(&mut line).unwrap();
        line
    };
    assert_eq!([line(), line(), line()], ["one\n", "two\n", "\n"]);
    tx.write_all(b"ee").unwrap();
    drop(tx);
    assert_eq!([line(), line(), line()], ["three", "", ""]);
}

/// As the standard library tests its own.
fn all_can_be_read_to_the_end<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let written = call(move || {
            let mut other = tx.twin();
            tx.write_all(&stream(0, 100_000)).unwrap();
            drop(tx);
            other.write_all(&stream(100_000, 200_000)).unwrap();
        });
        let mut all = Vec::new();
        assert_eq!(rx.read_to_end(&mut all).unwrap(), 300_000);
        assert!(all == stream(0, 300_000));
        written.join();
    }
}

fn a_stream_arrives_in_order_through_reads_of_any_size<S: Subject>() {
    const BYTES: usize = 2_000_000;
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let written = call(move || {
            let (mut dice, mut at) = (Dice::seeded("writes"), 0);
            while at < BYTES {
                let n = (1 + dice.below(10_000)).min(BYTES - at);
                assert_eq!(tx.writes(&stream(at, n)), Ok(n));
                at += n;
            }
        });
        let (mut dice, mut at) = (Dice::seeded("reads"), 0);
        loop {
            let came = rx.takes(1 + dice.below(10_000)).unwrap();
            if came.is_empty() {
                break;
            }
            assert!(came == stream(at, came.len()));
            at += came.len();
        }
        assert_eq!(at, BYTES);
        written.join();
    }
}

/// Past the end of whatever the bytes lie in, many times; each outcome is in the bounds that POSIX sets.
fn a_long_walk_through_the_pipe_matches_a_queue<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    tx.set_nonblocking(true);
    rx.set_nonblocking(true);
    let (mut dice, mut queue, mut at) = (Dice::seeded("walk"), VecDeque::new(), 0);
    for _ in 0..5000 {
        let n = 1 + dice.below(12_000);
        if dice.below(2) == 0 {
            let outcome = tx.writes(&stream(at, n));
            if let Ok(written) = outcome {
                assert!(written == n || (1..n).contains(&written) && n > crate::subject::PIPE_BUF);
                queue.extend(stream(at, written));
                at += written;
            } else {
                assert!(outcome == Err(Errno::EAGAIN) && !queue.is_empty());
            }
        } else if queue.is_empty() {
            assert_eq!(rx.reads(n), Err(Errno::EAGAIN));
        } else {
            let came: Vec<_> = queue.drain(..n.min(queue.len())).collect();
            assert!(rx.takes(n) == Ok(came));
        }
        assert_eq!(rx.unread(), queue.len());
    }
}
