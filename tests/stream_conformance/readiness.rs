//! What poll(2) says of an end: the table A.6, and what waits for it.

use std::time::Duration;

use nix::poll::PollFlags;

use crate::stage::{Call, call, fifo, fill, open_fifo, pipe_and_fifo, stream};
use crate::subject::{End, Fifo, PIPE_BUF, Reads, Subject, Writes};

cases! {
    an_empty_pipe_can_be_written
    a_full_pipe_can_be_read
    a_pipe_can_be_written_when_any_short_write_fits
    a_reader_without_writers_hangs_up
    a_writer_without_readers_is_in_error
    a_reader_that_has_seen_no_writer_does_not_hang_up
    a_writer_that_comes_again_takes_the_hang_up_back
    a_reader_that_comes_again_takes_the_error_back
    both_ways_are_never_hung_up
    waiting_for_what_is_there_takes_no_time
    waiting_for_what_does_not_come_ends
    a_byte_ends_the_wait_of_all
    room_ends_a_wait
    the_last_writer_ends_the_wait_of_all_by_going
    the_last_reader_ends_the_wait_of_all_by_going
    waiting_takes_nothing
}

const NONE: PollFlags = PollFlags::empty();
const IN: PollFlags = PollFlags::POLLIN;
const OUT: PollFlags = PollFlags::POLLOUT;
const ERR: PollFlags = PollFlags::POLLERR;
const HUP: PollFlags = PollFlags::POLLHUP;

fn an_empty_pipe_can_be_written<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        assert_eq!((tx.readiness(), rx.readiness()), (OUT, NONE));
        assert_eq!(tx.writes(b"x"), Ok(1));
        assert_eq!((tx.readiness(), rx.readiness()), (OUT, IN));
        assert_eq!(rx.reads(1), Ok(1));
        assert_eq!((tx.readiness(), rx.readiness()), (OUT, NONE));
    }
}

fn a_full_pipe_can_be_read<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        fill(&mut tx);
        assert_eq!((tx.readiness(), rx.readiness()), (NONE, IN));
    }
}

fn a_pipe_can_be_written_when_any_short_write_fits<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        let full = fill(&mut tx);
        assert_eq!(rx.reads(PIPE_BUF - 1), Ok(PIPE_BUF - 1));
        assert_eq!(tx.readiness(), NONE);
        assert_eq!(rx.reads(1), Ok(1));
        assert_eq!(tx.readiness(), OUT);
        tx.set_nonblocking(true);
        assert_eq!(tx.writes(&stream(full, PIPE_BUF)), Ok(PIPE_BUF));
    }
}

fn a_reader_without_writers_hangs_up<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        assert_eq!(tx.writes(b"x"), Ok(1));
        drop(tx);
        assert_eq!(rx.readiness(), IN | HUP);
        assert_eq!(rx.reads(9), Ok(1));
        assert_eq!(rx.readiness(), HUP);
        assert_eq!((rx.reads(9), rx.readiness()), (Ok(0), HUP));
    }
}

fn a_writer_without_readers_is_in_error<S: Subject>() {
    for (tx, rx) in pipe_and_fifo::<S>() {
        drop(rx);
        assert_eq!(tx.readiness(), OUT | ERR);
    }
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        fill(&mut tx);
        drop(rx);
        assert_eq!(tx.readiness(), ERR);
    }
}

fn a_reader_that_has_seen_no_writer_does_not_hang_up<S: Subject>() {
    let fifo = fifo::<S>();
    let mut rx = fifo.reader_nonblocking().unwrap();
    assert_eq!((rx.reads(1), rx.readiness()), (Ok(0), NONE));
    drop(fifo.writer().unwrap());
    assert_eq!((rx.reads(1), rx.readiness()), (Ok(0), HUP));
    let later = fifo.reader_nonblocking().unwrap();
    assert_eq!((later.readiness(), rx.readiness()), (NONE, HUP));
}

fn a_writer_that_comes_again_takes_the_hang_up_back<S: Subject>() {
    let (fifo, tx, rx) = open_fifo::<S>();
    drop(tx);
    assert_eq!(rx.readiness(), HUP);
    let mut tx = fifo.writer().unwrap();
    assert_eq!(rx.readiness(), NONE);
    assert_eq!((tx.writes(b"x"), rx.readiness()), (Ok(1), IN));
}

fn a_reader_that_comes_again_takes_the_error_back<S: Subject>() {
    let (fifo, tx, rx) = open_fifo::<S>();
    drop(rx);
    assert_eq!(tx.readiness(), OUT | ERR);
    let _rx = fifo.reader().unwrap();
    assert_eq!(tx.readiness(), OUT);
}

fn both_ways_are_never_hung_up<S: Subject>() {
    let fifo = fifo::<S>();
    let (mut tx, rx) = fifo.both().unwrap();
    drop(fifo.writer().unwrap());
    drop(fifo.reader().unwrap());
    assert_eq!((tx.readiness(), rx.readiness()), (OUT, NONE));
    fill(&mut tx);
    assert_eq!((tx.readiness(), rx.readiness()), (NONE, IN));
}

fn waiting_for_what_is_there_takes_no_time<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        assert_eq!(tx.wait(None), OUT);
        assert_eq!(tx.writes(b"x"), Ok(1));
        assert_eq!((rx.wait(None), tx.wait(None)), (IN, OUT));
        let last = tx.twin();
        drop(tx);
        assert_eq!(rx.wait(None), IN);
        drop(last);
        assert_eq!(rx.wait(None), IN | HUP);
    }
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        drop(rx);
        assert_eq!(tx.wait(None), OUT | ERR);
    }
}

fn waiting_for_what_does_not_come_ends<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        for time in [Duration::ZERO, Duration::from_millis(5)] {
            assert_eq!(rx.wait(Some(time)), NONE);
        }
        fill(&mut tx);
        for time in [Duration::ZERO, Duration::from_millis(5)] {
            assert_eq!(tx.wait(Some(time)), NONE);
        }
    }
}

/// Three ends that wait, each in a thread.
fn waiting<E: End>(end: &E) -> [Call<PollFlags>; 3] {
    let calls = [(); 3].map(|()| {
        let mut twin = end.twin();
        call(move || twin.wait(None))
    });
    calls.iter().for_each(Call::until_asleep);
    calls
}

fn a_byte_ends_the_wait_of_all<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        let waiting = waiting(&rx);
        assert_eq!(tx.writes(b"x"), Ok(1));
        assert_eq!(waiting.map(Call::join), [IN; 3]);
    }
}

fn room_ends_a_wait<S: Subject>() {
    for (mut tx, mut rx) in pipe_and_fifo::<S>() {
        fill(&mut tx);
        let waiting = waiting(&tx);
        assert_eq!(rx.reads(PIPE_BUF - 1), Ok(PIPE_BUF - 1));
        waiting.iter().for_each(Call::until_asleep);
        assert_eq!(rx.reads(1), Ok(1));
        assert_eq!(waiting.map(Call::join), [OUT; 3]);
    }
}

fn the_last_writer_ends_the_wait_of_all_by_going<S: Subject>() {
    for (tx, rx) in pipe_and_fifo::<S>() {
        let waiting = waiting(&rx);
        drop(tx);
        assert_eq!(waiting.map(Call::join), [HUP; 3]);
    }
}

fn the_last_reader_ends_the_wait_of_all_by_going<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        fill(&mut tx);
        let waiting = waiting(&tx);
        drop(rx);
        assert_eq!(waiting.map(Call::join), [ERR; 3]);
    }
}

/// One who only looks must not be the one who is woken in a reader's stead.
fn waiting_takes_nothing<S: Subject>() {
    let (mut tx, rx) = S::pipe();
    let mut reader = rx.twin();
    let waiting = waiting(&rx);
    let read = call(move || reader.reads(1));
    read.until_asleep();
    assert_eq!(tx.writes(b"xy"), Ok(2));
    assert_eq!(waiting.map(Call::join), [IN; 3]);
    assert_eq!((read.join(), rx.unread()), (Ok(1), 1));
}
