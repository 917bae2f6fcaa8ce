//! What a write does while there are readers: W1, W3, W7, W9, W10; and C1, C3.

use std::io::{IoSlice, Write};

use nix::errno::Errno;

use crate::differences::{DEFAULT_CAPACITY, DIRECTIONS};
use crate::stage::{call, fill, fill_but, pipe_and_fifo, stream};
use crate::subject::{End, PIPE_BUF, Reads, Subject, Writes, bytes};

cases! {
    a_pipe_has_the_usual_capacity
    either_end_tells_how_much_is_unread
    a_full_pipe_takes_nothing_without_waiting
    a_short_write_waits_until_all_of_it_fits
    a_long_write_waits_until_all_is_written
    a_short_write_is_all_or_nothing_without_waiting
    a_long_write_is_some_or_nothing_without_waiting
    a_long_write_into_an_empty_pipe_is_at_least_what_is_atomic
    short_writes_fill_a_pipe_by_half_at_least
    a_write_of_nothing_is_zero_in_any_state
    a_vectored_write_is_one_write
    a_vectored_write_is_all_or_nothing_without_waiting
    an_end_has_one_direction
    flushing_waits_for_nobody
}

fn a_pipe_has_the_usual_capacity<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        let usual = DEFAULT_CAPACITY.expected::<S, _>(65_536, ringpipe::stream::DEFAULT_CAPACITY);
        assert_eq!((tx.capacity(), rx.capacity()), (usual, usual));
        assert_eq!(fill(&mut tx), usual);
    }
}

/// LTP's pipe12, which fills it too.
fn either_end_tells_how_much_is_unread<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        assert_eq!((tx.unread(), rx.unread()), (0, 0));
        assert_eq!(tx.writes(&stream(0, 5000)), Ok(5000));
        assert_eq!((tx.unread(), rx.unread()), (5000, 5000));
        assert_eq!(rx.reads(1), Ok(1));
        assert_eq!((tx.unread(), rx.unread()), (4999, 4999));
        assert_eq!(rx.reads(5000), Ok(4999));
        let full = fill(&mut tx);
        assert_eq!((tx.unread(), rx.unread()), (full, full));
        drop(tx);
        assert_eq!(rx.unread(), full);
    }
}

/// LTP's pipe12, pipe2_04 and write04.
fn a_full_pipe_takes_nothing_without_waiting<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let full = fill(&mut tx);
        tx.set_nonblocking(true);
        for n in [1, PIPE_BUF, PIPE_BUF + 1, 1_000_000] {
            assert_eq!(tx.writes(&stream(full, n)), Err(Errno::EAGAIN));
        }
        assert_eq!(tx.writes(b""), Ok(0));
        assert_eq!(rx.takes(2 * full), Ok(stream(0, full)));
        assert_eq!(tx.writes(b"x"), Ok(1));
    }
}

/// It lies there in one piece or not at all.
fn a_short_write_waits_until_all_of_it_fits<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let before = fill_but(&mut tx, PIPE_BUF - 1);
        let write = call(move || tx.writes(&stream(before, PIPE_BUF)));
        write.until_asleep();
        assert_eq!(rx.unread(), before);
        assert_eq!(rx.reads(PIPE_BUF), Ok(PIPE_BUF));
        assert_eq!(write.join(), Ok(PIPE_BUF));
        assert_eq!(rx.takes(before + 1), Ok(stream(PIPE_BUF, before)));
        assert_eq!(rx.reads(1), Ok(0));
    }
}

fn a_long_write_waits_until_all_is_written<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let n = 3 * tx.capacity() + 17;
        let write = call(move || (tx.writes(&stream(0, n)), tx));
        write.until_asleep();
        assert!((1..n).contains(&rx.unread()));
        let mut at = 0;
        while at < n {
            let came = rx.takes(1000).unwrap();
            assert!(came == stream(at, came.len()));
            at += came.len();
        }
        let (outcome, _tx) = write.join();
        assert_eq!((outcome, at), (Ok(n), n));
    }
}

fn a_short_write_is_all_or_nothing_without_waiting<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let before = fill_but(&mut tx, 100);
        tx.set_nonblocking(true);
        for n in [101, PIPE_BUF] {
            assert_eq!(tx.writes(&stream(before, n)), Err(Errno::EAGAIN));
        }
        assert_eq!(rx.unread(), before);
        assert_eq!(rx.reads(PIPE_BUF), Ok(PIPE_BUF));
        assert_eq!(tx.writes(&stream(before, PIPE_BUF)), Ok(PIPE_BUF));
        assert_eq!(rx.takes(2 * before), Ok(stream(PIPE_BUF, before)));
    }
}

fn a_long_write_is_some_or_nothing_without_waiting<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let full = fill(&mut tx);
        tx.set_nonblocking(true);
        assert_eq!(tx.writes(&stream(full, 10_000)), Err(Errno::EAGAIN));
        assert_eq!(rx.reads(PIPE_BUF + 10), Ok(PIPE_BUF + 10));
        let some = tx.writes(&stream(full, 10_000)).unwrap();
        assert!((1..=PIPE_BUF + 10).contains(&some));
        assert_eq!(rx.unread(), full - PIPE_BUF - 10 + some);
        let rest = stream(PIPE_BUF + 10, full - PIPE_BUF - 10 + some);
        assert_eq!(rx.takes(2 * full), Ok(rest));
    }
}

fn a_long_write_into_an_empty_pipe_is_at_least_what_is_atomic<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        tx.set_nonblocking(true);
        let some = tx.writes(&stream(0, 1_000_000)).unwrap();
        assert!((PIPE_BUF..=tx.capacity()).contains(&some));
        assert_eq!(rx.takes(1_000_000), Ok(stream(0, some)));
    }
}

/// The kernel keeps each of these in a page of its own; nobody may do worse.
fn short_writes_fill_a_pipe_by_half_at_least<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    tx.set_nonblocking(true);
    let n = PIPE_BUF / 2 + 1;
    let fitting = (0..).take_while(|k| tx.writes(&stream(k * n, n)) == Ok(n));
    let fitting = fitting.count();
    let capacity = rx.capacity();
    assert!((capacity / 2..=capacity).contains(&(fitting * n)));
    assert_eq!(rx.takes(capacity), Ok(stream(0, fitting * n)));
}

fn a_write_of_nothing_is_zero_in_any_state<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        assert_eq!((tx.writes(b""), rx.unread()), (Ok(0), 0));
        fill(&mut tx);
        assert_eq!(tx.writes(b""), Ok(0), "full, and blocking");
        drop(rx);
        assert_eq!(tx.writes(b""), Ok(0), "nobody reads");
    }
}

fn a_vectored_write_is_one_write<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let slices = [&b"ab"[..], b"", b"cd"].map(IoSlice::new);
    assert_eq!(tx.write_vectored(&slices).unwrap(), 4);
    assert_eq!(rx.takes(10), bytes(b"abcd"));
    assert_eq!(tx.write_vectored(&[]).unwrap(), 0);
}

/// The sum counts.
fn a_vectored_write_is_all_or_nothing_without_waiting<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let before = fill_but(&mut tx, 3000);
    tx.set_nonblocking(true);
    let halves = [stream(before, 2000), stream(before + 2000, 2000)];
    let slices = [IoSlice::new(&halves[0]), IoSlice::new(&halves[1])];
    let refused = tx.write_vectored(&slices).unwrap_err();
    assert_eq!(
        (refused.raw_os_error(), rx.unread()),
        (Some(libc::EAGAIN), before)
    );
    assert_eq!(rx.reads(PIPE_BUF), Ok(PIPE_BUF));
    assert_eq!(tx.write_vectored(&slices).unwrap(), 4000);
    assert_eq!(
        rx.takes(2 * before),
        Ok(stream(PIPE_BUF, before - PIPE_BUF + 4000))
    );
}

/// LTP's pipe03.
fn an_end_has_one_direction<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let expected = DIRECTIONS.expected::<S, _>(Some(Err(Errno::EBADF)), None);
    assert_eq!(
        (S::write_to(&mut rx), S::read_from(&mut tx)),
        (expected, expected)
    );
}

fn flushing_waits_for_nobody<S: Subject>() {
    let (mut tx, rx) = S::pipe();
    assert_eq!(tx.writes(b"x"), Ok(1));
    tx.flush().unwrap();
    assert_eq!(rx.unread(), 1);
}
