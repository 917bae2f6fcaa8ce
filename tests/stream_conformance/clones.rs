//! Copies of ends within a process: C8, D1, D6.

use std::io::{Read, Write};

use nix::errno::Errno;

use crate::stage::{call, fill, open_fifo, pipe_and_fifo, stream};
use crate::subject::{End, Fifo, Reads, Subject, Writes, bytes};

cases! {
    an_end_is_open_until_its_last_copy_closes
    copies_are_the_same_end
    what_a_copy_writes_is_in_order_with_the_rest
    copies_share_the_nonblocking_flag
    ends_that_are_no_copies_share_no_flag
    a_waiting_read_keeps_its_end_open
    a_waiting_write_keeps_its_end_open
    a_copy_can_be_used_while_another_waits
    many_copies_come_and_go
}

fn an_end_is_open_until_its_last_copy_closes<S: Subject>() {
    for (tx, mut rx) in pipe_and_fifo::<S>() {
        rx.set_nonblocking(true);
        let (first, mut last) = (tx.twin(), tx.twin());
        drop(tx);
        drop(first);
        assert_eq!(rx.reads(1), Err(Errno::EAGAIN));
        assert_eq!((last.writes(b"x"), rx.reads(9)), (Ok(1), Ok(1)));
        drop(last);
        assert_eq!(rx.reads(1), Ok(0));
    }
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        let (first, mut last) = (rx.twin(), rx.twin());
        drop(rx);
        drop(first);
        assert_eq!((tx.writes(b"x"), last.reads(9)), (Ok(1), Ok(1)));
        drop(last);
        assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
    }
}

/// As the standard library tests its own.
fn copies_are_the_same_end<S: Subject>() {
    let (tx, rx) = S::pipe();
    let (mut other_tx, mut other_rx) = (tx.twin(), rx.twin());
    drop((tx, rx));
    other_tx.write_all(b"12345").unwrap();
    drop(other_tx);
    let mut text = String::new();
    other_rx.read_to_string(&mut text).unwrap();
    assert_eq!(text, "12345");
}

fn what_a_copy_writes_is_in_order_with_the_rest<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let (mut other_tx, mut other_rx) = (tx.twin(), rx.twin());
        for at in (0..300_000).step_by(2000) {
            assert_eq!(tx.writes(&stream(at, 1000)), Ok(1000));
            assert_eq!(other_tx.writes(&stream(at + 1000, 1000)), Ok(1000));
            assert_eq!(rx.takes(1500), Ok(stream(at, 1500)));
            assert_eq!(other_rx.takes(9000), Ok(stream(at + 1500, 500)));
        }
    }
}

fn copies_share_the_nonblocking_flag<S: Subject>() {
    for (tx, rx) in pipe_and_fifo::<S>() {
        let (mut other_tx, mut other_rx) = (tx.twin(), rx.twin());
        rx.set_nonblocking(true);
        assert!(other_rx.is_nonblocking() && other_rx.twin().is_nonblocking());
        assert_eq!(other_rx.reads(1), Err(Errno::EAGAIN));
        other_rx.set_nonblocking(false);
        assert!(!rx.is_nonblocking());
        tx.set_nonblocking(true);
        fill(&mut other_tx);
        assert_eq!(other_tx.writes(b"x"), Err(Errno::EAGAIN));
    }
}

fn ends_that_are_no_copies_share_no_flag<S: Subject>() {
    let (fifo, tx, rx) = open_fifo::<S>();
    rx.set_nonblocking(true);
    tx.set_nonblocking(true);
    assert!(!fifo.reader().unwrap().is_nonblocking());
    assert!(!fifo.writer().unwrap().is_nonblocking());
    let (tx, rx) = S::pipe();
    rx.set_nonblocking(true);
    assert!(!tx.is_nonblocking());
}

/// gVisor's `ReadFromClosedFd`.
fn a_waiting_read_keeps_its_end_open<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        let mut other = rx.twin();
        let read = call(move || other.takes(9));
        read.until_asleep();
        drop(rx);
        read.until_asleep();
        assert_eq!(tx.writes(b"abc"), Ok(3));
        assert_eq!(read.join(), bytes(b"abc"));
        assert_eq!(tx.writes(b"abc"), Err(Errno::EPIPE));
    }
}

fn a_waiting_write_keeps_its_end_open<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let full = fill(&mut tx);
        let mut other = tx.twin();
        let write = call(move || other.writes(b"abc"));
        write.until_asleep();
        drop(tx);
        write.until_asleep();
        rx.read_exact(&mut vec![0; full]).unwrap();
        assert_eq!(write.join(), Ok(3));
        assert_eq!([rx.takes(9), rx.takes(9)], [bytes(b"abc"), bytes(b"")]);
    }
}

fn a_copy_can_be_used_while_another_waits<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let mut other = rx.twin();
    let read = call(move || other.takes(1));
    read.until_asleep();
    rx.set_nonblocking(true);
    assert_eq!(rx.reads(1), Err(Errno::EAGAIN));
    assert_eq!(tx.writes(b"x"), Ok(1));
    assert_eq!(read.join(), bytes(b"x"));
}

fn many_copies_come_and_go<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    for _ in 0..1000 {
        let (other_tx, other_rx) = (tx.twin(), rx.twin());
        drop((tx, rx));
        (tx, rx) = (other_tx, other_rx);
    }
    assert_eq!((tx.writes(b"x"), rx.reads(9)), (Ok(1), Ok(1)));
    drop(tx);
    assert_eq!(rx.reads(9), Ok(0));
}
