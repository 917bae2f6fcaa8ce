//! What ours has and a pipe has not: limits of time, sizes, work in place.

use std::io::{BufRead, ErrorKind, Read, Write};
use std::time::Duration;

use nix::errno::Errno;
use ringpipe::Error;
use ringpipe::stream::{self, Options};

use crate::common::apart::{segments, sets, skipped};
use crate::common::{Shared, forked, wait_for_the_end};
use crate::ring::Ring;
use crate::stage::{call, fifo, fill, is_apart, pipe_and_fifo, stream};
use crate::subject::{Fifo, PIPE_BUF, Reads, Writes, bytes, errno, opened};

macro_rules! cases_of_ours {
    ($($case:ident)*) => {
        mod ring {
            $(#[test]
            fn $case() {
                let test = concat!(module_path!(), "::", stringify!($case));
                crate::stage::perform::<crate::ring::Ring>(test, super::$case);
            })*
        }
    };
}

cases_of_ours! {
    a_read_ends_when_its_time_is_over
    a_write_of_nothing_yet_ends_when_its_time_is_over
    a_write_in_parts_counts_them_when_its_time_is_over
    copies_share_limits_of_time
    what_comes_in_time_is_read
    opening_ends_when_its_time_is_over
    opening_in_time_is_opening
    a_pipe_has_the_capacity_asked_for_to_the_byte
    a_pipe_is_no_smaller_than_what_is_atomic
    there_are_as_many_ends_as_asked_for
    threads_need_no_segment
    two_pipes_make_one_for_both_ways
    bytes_can_be_looked_at_before_they_are_taken
    bytes_can_be_written_in_place
    what_nobody_commits_is_not_written
    reserving_follows_the_matrix_of_writing
    bytes_go_from_and_to_descriptors
    a_closed_end_is_closed
    a_pipe_vanishes_with_its_ends
    a_pipe_vanishes_with_its_processes
    an_end_that_is_not_inherited_is_not_there_in_a_child
}

const SOON: Option<Duration> = Some(Duration::from_millis(5));

fn a_read_ends_when_its_time_is_over() {
    for (mut tx, mut rx) in pipe_and_fifo::<Ring>() {
        rx.set_read_timeout(SOON);
        let late = rx.read(&mut [0]).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert_eq!((tx.writes(b"x"), rx.reads(9)), (Ok(1), Ok(1)));
        rx.set_nonblocking(true);
        assert_eq!(rx.reads(9), Err(Errno::EAGAIN));
        drop(tx);
        assert_eq!(rx.reads(9), Ok(0));
    }
}

fn a_write_of_nothing_yet_ends_when_its_time_is_over() {
    for (mut tx, mut rx) in pipe_and_fifo::<Ring>() {
        let full = fill(&mut tx);
        assert_eq!(rx.reads(100), Ok(100));
        tx.set_write_timeout(SOON);
        for _ in 0..2 {
            let late = tx.write(&[0; 101]).unwrap_err();
            assert_eq!(late.kind(), ErrorKind::TimedOut);
        }
        assert_eq!(rx.available(), full - 100);
        drop(rx);
        assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
    }
}

fn a_write_in_parts_counts_them_when_its_time_is_over() {
    let (mut tx, mut rx) = stream::pipe().unwrap();
    tx.set_write_timeout(SOON);
    let n = tx.writes(&stream(0, 1_000_000)).unwrap();
    assert_eq!(n, tx.capacity());
    assert_eq!(rx.takes(1_000_000), Ok(stream(0, n)));
}

fn copies_share_limits_of_time() {
    let (tx, rx) = stream::pipe().unwrap();
    let mut other = rx.try_clone().unwrap();
    rx.set_read_timeout(SOON);
    assert_eq!(
        other.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    other.set_read_timeout(None);
    let read = call(move || other.reads(1));
    read.until_asleep();
    drop((rx, tx));
    assert_eq!(read.join(), Ok(0));
}

fn what_comes_in_time_is_read() {
    let (mut tx, mut rx) = stream::pipe().unwrap();
    rx.set_read_timeout(Some(Duration::from_secs(1000)));
    let read = call(move || rx.takes(9));
    read.until_asleep();
    assert_eq!(tx.writes(b"abc"), Ok(3));
    assert_eq!(read.join(), bytes(b"abc"));
}

fn opening_ends_when_its_time_is_over() {
    let fifo = fifo::<Ring>();
    let late = fifo.reader_timeout(Duration::from_millis(5)).unwrap_err();
    assert_eq!(late.raw_os_error(), Some(libc::ETIMEDOUT));
    assert!(matches!(late, Error::TimedOut { .. }));
    let nobody = opened(Fifo::writer_nonblocking(&fifo).map(drop));
    assert_eq!(nobody, Err(Errno::ENXIO), "it leaves no reader behind");
    assert!(fifo.writer_timeout(Duration::ZERO).is_err());
}

fn opening_in_time_is_opening() {
    let fifo = fifo::<Ring>();
    let theirs = fifo.clone();
    let long = Duration::from_secs(1000);
    let open = call(move || theirs.reader_timeout(long).unwrap());
    open.until_asleep();
    let mut tx = fifo.writer_timeout(long).unwrap();
    let mut rx = open.join();
    assert_eq!((tx.writes(b"x"), rx.reads(9)), (Ok(1), Ok(1)));
}

fn a_pipe_has_the_capacity_asked_for_to_the_byte() {
    for capacity in [PIPE_BUF, 5000, 100_001] {
        let (mut tx, mut rx) = Options::new().capacity(capacity).pipe().unwrap();
        assert_eq!((tx.capacity(), rx.capacity()), (capacity, capacity));
        assert_eq!(fill(&mut tx), capacity);
        tx.set_nonblocking(true);
        assert_eq!(rx.takes(100), Ok(stream(0, 100)));
        assert_eq!(tx.writes(&[0; 101]), Err(Errno::EAGAIN));
        assert_eq!(tx.writes(&stream(capacity, 100)), Ok(100));
        assert_eq!(rx.takes(2 * capacity), Ok(stream(100, capacity)));
    }
}

fn a_pipe_is_no_smaller_than_what_is_atomic() {
    let small = Options::new().capacity(PIPE_BUF - 1).pipe();
    assert!(matches!(small, Err(Error::BadCapacity { .. })));
    assert_eq!(stream::PIPE_BUF, PIPE_BUF);
    let (tx, _rx) = stream::pipe().unwrap();
    assert_eq!(tx.capacity(), stream::DEFAULT_CAPACITY);
}

fn there_are_as_many_ends_as_asked_for() {
    let (tx, rx) = Options::new().participants(3).pipe().unwrap();
    let third = tx.try_clone().unwrap();
    assert!(matches!(rx.try_clone(), Err(Error::Crowded { .. })));
    drop(third);
    assert!(rx.try_clone().is_ok());
}

fn threads_need_no_segment() {
    if !is_apart() {
        return skipped("others have objects here too");
    }
    let (mut tx, mut rx) = Options::new().in_process().unwrap();
    assert_eq!((segments(), sets()), (vec![], vec![]));
    let read = call(move || [rx.takes(9), rx.takes(9)]);
    read.until_asleep();
    assert_eq!(tx.writes(b"abc"), Ok(3));
    drop(tx);
    assert_eq!(read.join(), [bytes(b"abc"), bytes(b"")]);
}

fn two_pipes_make_one_for_both_ways() {
    let (mut here, there) = stream::duplex().unwrap();
    let answer = call(move || {
        let mut there = there;
        let question = there.takes(9);
        there.write_all(b"answer").unwrap();
        question
    });
    assert_eq!(here.writes(b"question"), Ok(8));
    assert_eq!(here.takes(9), bytes(b"answer"));
    assert_eq!(answer.join(), bytes(b"question"));
    assert_eq!(
        (here.takes(9), here.writes(b"x")),
        (bytes(b""), Err(Errno::EPIPE))
    );
    let (mut tx, mut rx) = here.split();
    assert_eq!((tx.writes(b"x"), rx.reads(1)), (Err(Errno::EPIPE), Ok(0)));
}

fn bytes_can_be_looked_at_before_they_are_taken() {
    let (mut tx, mut rx) = stream::pipe().unwrap();
    assert_eq!(tx.writes(b"abcdef"), Ok(6));
    assert_eq!(rx.fill_buf().unwrap(), b"abcdef");
    rx.consume(0);
    assert_eq!(
        rx.available(),
        6,
        "they are the pipe's until they are consumed"
    );
    assert_eq!(rx.fill_buf().unwrap(), b"abcdef");
    rx.consume(2);
    assert_eq!((rx.available(), rx.takes(2)), (4, bytes(b"cd")));
    assert_eq!(rx.fill_buf().unwrap(), b"ef");
    rx.consume(2);
    rx.set_nonblocking(true);
    assert_eq!(
        rx.fill_buf().map_err(|error| errno(&error)),
        Err(Errno::EAGAIN)
    );
    drop(tx);
    assert_eq!(rx.fill_buf().unwrap(), b"");
}

/// Writes that into a reservation; both slices of it.
fn put(room: &mut stream::Reservation<'_>, bytes: &[u8]) {
    let (first, second) = room.as_mut_slices();
    let (head, tail) = bytes.split_at(first.len().min(bytes.len()));
    first[..head.len()].copy_from_slice(head);
    second[..tail.len()].copy_from_slice(tail);
}

fn bytes_can_be_written_in_place() {
    let (mut tx, mut rx) = Options::new().capacity(5000).pipe().unwrap();
    for at in (0..100_000).step_by(1000) {
        let mut room = tx.reserve(1500).unwrap();
        assert_eq!(room.len(), 1500);
        put(&mut room, &stream(at, 1000));
        room.commit(1000);
        assert_eq!(rx.takes(9999), Ok(stream(at, 1000)));
    }
}

fn what_nobody_commits_is_not_written() {
    let (mut tx, rx) = stream::pipe().unwrap();
    for _ in 0..3 {
        let mut room = tx.reserve(PIPE_BUF).unwrap();
        put(&mut room, b"abc");
        drop(room);
        tx.reserve(PIPE_BUF).unwrap().commit(0);
        assert_eq!(rx.available(), 0);
    }
    assert_eq!(fill(&mut tx), rx.capacity());
}

fn reserving_follows_the_matrix_of_writing() {
    let (mut tx, mut rx) = stream::pipe().unwrap();
    let full = fill(&mut tx);
    tx.set_nonblocking(true);
    let refused = |tx: &mut stream::Writer, n| match tx.reserve(n) {
        Ok(room) => panic!("{} bytes", room.len()),
        Err(error) => errno(&error),
    };
    assert_eq!(refused(&mut tx, 1), Errno::EAGAIN);
    assert_eq!(rx.reads(100), Ok(100));
    assert_eq!(refused(&mut tx, 101), Errno::EAGAIN);
    let long = tx.reserve(PIPE_BUF + 1).unwrap();
    assert_eq!(long.len(), 100);
    long.commit(100);
    assert_eq!(rx.available(), full);
    drop(rx);
    assert_eq!(refused(&mut tx, 1), Errno::EPIPE);
}

fn bytes_go_from_and_to_descriptors() {
    let (mut tx, mut rx) = stream::pipe().unwrap();
    let (mut from, mut into) = std::io::pipe().unwrap();
    into.write_all(&stream(0, 1000)).unwrap();
    assert_eq!(tx.copy_from_fd(&from, 600).unwrap(), 600);
    assert_eq!(tx.copy_from_fd(&from, 600).unwrap(), 400);
    assert_eq!(rx.copy_to_fd(&into, 700).unwrap(), 700);
    drop(tx);
    assert_eq!(rx.copy_to_fd(&into, 700).unwrap(), 300);
    assert_eq!(rx.copy_to_fd(&into, 700).unwrap(), 0);
    let mut came = [0; 1000];
    from.read_exact(&mut came).unwrap();
    assert!(came[..] == stream(0, 1000));
    drop(into);
    let (mut tx, _rx) = stream::pipe().unwrap();
    assert_eq!(tx.copy_from_fd(&from, 9).unwrap(), 0);
}

fn a_closed_end_is_closed() {
    let (tx, mut rx) = stream::pipe().unwrap();
    tx.close().unwrap();
    assert_eq!(rx.reads(1), Ok(0));
    let (mut tx, rx) = stream::pipe().unwrap();
    rx.close().unwrap();
    assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
    let (tx, mut rx) = stream::pipe().unwrap();
    tx.abandon();
    assert_eq!(rx.reads(1), Ok(0));
    let (mut tx, rx) = stream::pipe().unwrap();
    rx.abandon();
    assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
}

fn a_pipe_vanishes_with_its_ends() {
    if !is_apart() {
        return skipped("others have objects here too");
    }
    for writer_first in [false, true] {
        let (mut tx, rx) = stream::pipe().unwrap();
        assert_eq!(tx.writes(b"x"), Ok(1));
        let other = rx.try_clone().unwrap();
        if writer_first {
            drop(tx);
            drop((rx, other));
        } else {
            drop((rx, other));
            drop(tx);
        }
        assert_eq!((segments(), sets()), (vec![], vec![]));
    }
}

/// The memory at once, and the semaphores with whoever looks for what is left.
fn a_pipe_vanishes_with_its_processes() {
    if !is_apart() {
        return skipped("others have objects here too");
    }
    let shared = Shared::new();
    let child = forked(|| {
        let (mut tx, _rx) = stream::pipe().unwrap();
        assert_eq!(tx.writes(b"x"), Ok(1));
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    child.kill();
    ringpipe::collect(&[], false).unwrap();
    assert_eq!((segments(), sets()), (vec![], vec![]));
}

fn an_end_that_is_not_inherited_is_not_there_in_a_child() {
    let (mut tx, mut rx) = stream::pipe().unwrap();
    tx.set_inheritable(false);
    let shared = Shared::new();
    let child = forked(|| {
        let refused = tx.write(b"x").unwrap_err();
        assert_eq!(refused.raw_os_error(), None);
        shared.set(0, 1);
        wait_for_the_end();
    });
    shared.until(0, 1);
    drop(tx);
    assert_eq!(rx.reads(1), Ok(0));
    child.kill();
}
