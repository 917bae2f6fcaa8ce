//! What is in a FIFO while ends come and go: R7, R8, W11, W12, F4, F7.

use nix::errno::Errno;

use crate::common::{Shared, forked};
use crate::differences::TWO_HANDLES;
use crate::stage::{call, fifo, fill, open_fifo, path, stream};
use crate::subject::{End, Fifo, Reads, Subject, Writes, bytes, opened};

cases! {
    the_end_is_not_for_good
    a_read_waits_for_a_writer_that_has_come_again
    a_reader_without_a_writer_yet_is_at_the_end
    a_new_reader_gets_what_the_last_one_left
    a_new_writer_goes_on_where_the_last_one_stopped
    what_is_in_it_goes_with_the_last_end
    what_is_in_a_full_one_goes_with_the_last_end
    one_reader_serves_many_processes
    those_who_hold_both_ends_see_neither_end
    the_ends_of_both_ways_close_by_themselves
    ends_outlive_the_name
    a_name_given_again_is_another_fifo
}

fn the_end_is_not_for_good<S: Subject>() {
    let (fifo, tx, mut rx) = open_fifo::<S>();
    drop(tx);
    rx.set_nonblocking(true);
    for _ in 0..100 {
        assert_eq!([rx.reads(9), rx.reads(9)], [Ok(0), Ok(0)]);
        let mut tx = fifo.writer().unwrap();
        assert_eq!(rx.reads(9), Err(Errno::EAGAIN));
        assert_eq!(tx.writes(b"abc"), Ok(3));
        drop(tx);
        assert_eq!(rx.takes(9), bytes(b"abc"));
    }
}

fn a_read_waits_for_a_writer_that_has_come_again<S: Subject>() {
    let (fifo, tx, mut rx) = open_fifo::<S>();
    drop(tx);
    assert_eq!(rx.reads(9), Ok(0));
    let mut tx = fifo.writer().unwrap();
    let read = call(move || rx.takes(9));
    read.until_asleep();
    assert_eq!(tx.writes(b"abc"), Ok(3));
    assert_eq!(read.join(), bytes(b"abc"));
}

fn a_reader_without_a_writer_yet_is_at_the_end<S: Subject>() {
    let fifo = fifo::<S>();
    let mut rx = fifo.reader_nonblocking().unwrap();
    assert_eq!([rx.reads(1), rx.reads(1)], [Ok(0), Ok(0)]);
    rx.set_nonblocking(false);
    assert_eq!(rx.reads(1), Ok(0), "nor does it wait");
}

fn a_new_reader_gets_what_the_last_one_left<S: Subject>() {
    let (fifo, mut tx, mut rx) = open_fifo::<S>();
    for _ in 0..50 {
        assert_eq!(tx.writes(b"abcdef"), Ok(6));
        assert_eq!(rx.takes(2), bytes(b"ab"));
        drop(rx);
        assert_eq!(
            [tx.writes(b"lost"), tx.writes(b"lost")],
            [Err(Errno::EPIPE); 2]
        );
        assert_eq!(tx.unread(), 4);
        rx = fifo.reader().unwrap();
        assert_eq!(tx.writes(b"gh"), Ok(2));
        assert_eq!(rx.takes(9), bytes(b"cdefgh"));
    }
}

fn a_new_writer_goes_on_where_the_last_one_stopped<S: Subject>() {
    let (fifo, mut tx, mut rx) = open_fifo::<S>();
    for _ in 0..50 {
        assert_eq!(tx.writes(b"abc"), Ok(3));
        drop(tx);
        tx = fifo.writer().unwrap();
        assert_eq!(tx.writes(b"de"), Ok(2));
        assert_eq!(rx.takes(9), bytes(b"abcde"));
    }
}

fn what_is_in_it_goes_with_the_last_end<S: Subject>() {
    let (fifo, mut tx, mut rx) = open_fifo::<S>();
    for writer_first in [true, false].repeat(20) {
        assert_eq!(tx.writes(b"abcdef"), Ok(6));
        assert_eq!(rx.takes(2), bytes(b"ab"));
        if writer_first {
            drop(tx);
            assert_eq!(rx.unread(), 4);
            drop(rx);
        } else {
            drop(rx);
            assert_eq!(tx.unread(), 4);
            drop(tx);
        }
        rx = fifo.reader_nonblocking().unwrap();
        assert_eq!((rx.reads(9), rx.unread()), (Ok(0), 0));
        tx = fifo.writer().unwrap();
        assert_eq!((rx.reads(9), tx.unread()), (Err(Errno::EAGAIN), 0));
    }
}

fn what_is_in_a_full_one_goes_with_the_last_end<S: Subject>() {
    let (fifo, mut tx, mut rx) = open_fifo::<S>();
    for _ in 0..20 {
        let full = fill(&mut tx);
        assert_eq!(rx.takes(5000), Ok(stream(0, 5000)));
        drop((tx, rx));
        (tx, rx) = fifo.both().unwrap();
        assert_eq!(rx.unread(), 0);
        assert_eq!((fill(&mut tx), rx.reads(full)), (full, Ok(full)));
    }
}

/// They find it by its name, one after the other and several at a time.
fn one_reader_serves_many_processes<S: Subject>() {
    let (_tx, mut rx) = fifo::<S>().both().unwrap();
    for _ in 0..20 {
        let clients = [0, 1, 2].map(|client| {
            forked(move || {
                let mut tx = S::Fifo::find(&path()).unwrap().writer().unwrap();
                assert_eq!(tx.writes(&[client; 100]), Ok(100));
            })
        });
        let mut seen = [0; 3];
        while seen != [100; 3] {
            let came = rx.takes(150).unwrap();
            came.into_iter()
                .for_each(|client| seen[usize::from(client)] += 1);
        }
        clients.into_iter().for_each(crate::common::Child::join);
        assert_eq!(rx.unread(), 0);
    }
}

fn those_who_hold_both_ends_see_neither_end<S: Subject>() {
    let fifo = fifo::<S>();
    let (mut tx, mut rx) = fifo.both().unwrap();
    let mut other = fifo.writer().unwrap();
    assert_eq!(other.writes(b"abc"), Ok(3));
    drop(other);
    assert_eq!(rx.takes(9), bytes(b"abc"));
    rx.set_nonblocking(true);
    assert_eq!(rx.reads(9), Err(Errno::EAGAIN), "a writer is left");
    drop(fifo.reader().unwrap());
    assert_eq!(tx.writes(b"x"), Ok(1), "a reader is left");
}

fn the_ends_of_both_ways_close_by_themselves<S: Subject>() {
    let fifo = fifo::<S>();
    let (mut tx, rx) = fifo.both().unwrap();
    drop(rx);
    let expected = TWO_HANDLES.expected::<S, _>(Ok(1), Err(Errno::EPIPE));
    assert_eq!(tx.writes(b"x"), expected);
    drop(tx);
    let (tx, mut rx) = fifo.both().unwrap();
    drop(tx);
    rx.set_nonblocking(true);
    let expected = TWO_HANDLES.expected::<S, _>(Err(Errno::EAGAIN), Ok(0));
    assert_eq!(rx.reads(1), expected);
}

fn ends_outlive_the_name<S: Subject>() {
    let (fifo, mut tx, mut rx) = open_fifo::<S>();
    fifo.remove().unwrap();
    assert_eq!(opened(S::Fifo::find(&path()).map(drop)), Err(Errno::ENOENT));
    drop(fifo);
    let read = call(move || [rx.takes(9), rx.takes(9)]);
    read.until_asleep();
    assert_eq!(tx.writes(b"abc"), Ok(3));
    drop(tx);
    assert_eq!(read.join(), [bytes(b"abc"), bytes(b"")]);

    let (fifo, mut tx, rx) = open_fifo::<S>();
    fifo.remove().unwrap();
    drop(rx);
    assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
}

fn a_name_given_again_is_another_fifo<S: Subject>() {
    let (fifo, mut tx, mut rx) = open_fifo::<S>();
    fifo.remove().unwrap();
    let (_, mut new_tx, mut new_rx) = open_fifo::<S>();
    assert_eq!((tx.writes(b"old"), new_tx.writes(b"new")), (Ok(3), Ok(3)));
    assert_eq!(
        (rx.takes(9), new_rx.takes(9)),
        (bytes(b"old"), bytes(b"new"))
    );
    let shared = Shared::new();
    let child = forked(|| {
        // By its name, it is the new one.
        let mut tx = S::Fifo::find(&path()).unwrap().writer().unwrap();
        assert_eq!(tx.writes(b"child"), Ok(5));
        shared.set(0, 1);
    });
    shared.until(0, 1);
    child.join();
    assert_eq!((rx.unread(), new_rx.takes(9)), (0, bytes(b"child")));
    drop(tx);
    new_rx.set_nonblocking(true);
    assert_eq!((rx.reads(1), new_rx.reads(1)), (Ok(0), Err(Errno::EAGAIN)));
}
