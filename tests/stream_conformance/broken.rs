//! What a write does when no reader is left, and what ends a wait: W4 to W6, W13.

use std::io::Read;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigHandler, Signal};
use nix::sys::wait::WaitStatus;
use nix::unistd::gettid;

use crate::common::{Child, Shared, forked, until};
use crate::differences::SIGPIPE;
use crate::stage::{call, count_signals, fill, handle, pipe_and_fifo, signalled, signals, stream};
use crate::subject::{End, Outcome, PIPE_BUF, Reads, Subject, WriteEnd, Writes};

cases! {
    a_write_that_nobody_can_read_is_epipe
    sigpipe_comes_to_the_thread_that_writes
    sigpipe_comes_unasked
    sigpipe_kills_those_who_do_nothing_about_it
    a_full_pipe_that_nobody_can_read_is_epipe
    a_waiting_short_write_ends_when_the_reader_goes
    a_waiting_long_write_of_nothing_yet_ends_when_the_reader_goes
    a_write_in_parts_counts_them_before_it_fails
    a_waiting_read_ends_when_the_writer_goes
    those_who_wait_can_be_killed
}

fn a_write_that_nobody_can_read_is_epipe<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        drop(rx);
        for n in [1, PIPE_BUF, PIPE_BUF + 1, 1_000_000] {
            assert_eq!(tx.writes(&stream(0, n)), Err(Errno::EPIPE));
        }
        tx.set_nonblocking(true);
        assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
    }
}

fn sigpipe_comes_to_the_thread_that_writes<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        count_signals(Signal::SIGPIPE, SaFlags::empty());
        let before = signals();
        tx.set_sigpipe(true);
        drop(rx);
        assert_eq!(
            (tx.writes(b"x"), signals() - before),
            (Err(Errno::EPIPE), 1)
        );
        assert_eq!(signalled(), gettid().as_raw());
        assert_eq!((tx.writes(b""), signals() - before), (Ok(0), 1));
        let other = call(move || (tx.writes(b"x"), gettid().as_raw()));
        let (outcome, id) = other.join();
        assert_eq!((outcome, signals() - before), (Err(Errno::EPIPE), 2));
        assert_eq!(signalled(), id);
    }
}

fn sigpipe_comes_unasked<S: Subject>() {
    let (mut tx, rx) = S::pipe();
    count_signals(Signal::SIGPIPE, SaFlags::empty());
    drop(rx);
    assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
    assert_eq!(signals(), SIGPIPE.expected::<S, _>(1, 0));
}

/// LTP's pipe02.
fn sigpipe_kills_those_who_do_nothing_about_it<S: Subject>() {
    let (mut tx, rx) = S::pipe();
    drop(rx);
    let child = forked(|| {
        handle(Signal::SIGPIPE, SigHandler::SigDfl, SaFlags::empty());
        tx.set_sigpipe(true);
        let _ = tx.writes(b"x");
    });
    assert_eq!(signal_that_ended(child), Some(Signal::SIGPIPE));
}

fn signal_that_ended(child: Child) -> Option<Signal> {
    match child.end() {
        WaitStatus::Signaled(_, signal, _) => Some(signal),
        _ => None,
    }
}

fn a_full_pipe_that_nobody_can_read_is_epipe<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        let full = fill(&mut tx);
        drop(rx);
        assert_eq!((tx.writes(b"x"), tx.unread()), (Err(Errno::EPIPE), full));
        tx.set_nonblocking(true);
        assert_eq!(tx.writes(b"x"), Err(Errno::EPIPE));
    }
}

/// Fills the pipe and has a write of `n` bytes wait; the reader takes so many, and goes when the write waits again.
/// Returns what came of it and how many SIGPIPEs there were then, and the same of one more write.
fn broken_write<S: Subject>(
    (mut tx, mut rx): (S::Writer, S::Reader),
    n: usize,
    taken: usize,
) -> [(Outcome, usize); 2] {
    count_signals(Signal::SIGPIPE, SaFlags::SA_RESTART);
    let before = signals();
    tx.set_sigpipe(true);
    let full = fill(&mut tx);
    let write = call(move || {
        let first = (tx.writes(&stream(0, n)), signals() - before);
        [first, (tx.writes(b"x"), signals() - before)]
    });
    write.until_asleep();
    if taken > 0 {
        rx.read_exact(&mut vec![0; taken]).unwrap();
        until(|| rx.unread() > full - taken);
        write.until_asleep();
    }
    drop(rx);
    write.join()
}

/// gVisor's `BlockWriteClosed`.
fn a_waiting_short_write_ends_when_the_reader_goes<S: Subject>() {
    for ends in pipe_and_fifo::<S>() {
        let outcomes = broken_write::<S>(ends, PIPE_BUF, 0);
        assert_eq!(outcomes, [(Err(Errno::EPIPE), 1), (Err(Errno::EPIPE), 2)]);
    }
}

fn a_waiting_long_write_of_nothing_yet_ends_when_the_reader_goes<S: Subject>() {
    for ends in pipe_and_fifo::<S>() {
        let outcomes = broken_write::<S>(ends, 200_000, 0);
        assert_eq!(outcomes, [(Err(Errno::EPIPE), 1), (Err(Errno::EPIPE), 2)]);
    }
}

/// gVisor's `BlockPartialWriteClosed`: it has written something, so it says how much; the signal comes with it all the same.
fn a_write_in_parts_counts_them_before_it_fails<S: Subject>() {
    for ends in pipe_and_fifo::<S>() {
        let [(first, at_first), next] = broken_write::<S>(ends, 200_000, 10_000);
        assert!((1..=10_000).contains(&first.unwrap()));
        assert_eq!((at_first, next), (1, (Err(Errno::EPIPE), 2)));
    }
}

fn a_waiting_read_ends_when_the_writer_goes<S: Subject>() {
    for (tx, mut rx) in pipe_and_fifo::<S>() {
        let read = call(move || [rx.reads(10), rx.reads(10)]);
        read.until_asleep();
        drop(tx);
        assert_eq!(read.join(), [Ok(0), Ok(0)]);
    }
}

/// LTP's pipe04.
fn those_who_wait_can_be_killed<S: Subject>() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        for (mut tx, mut rx) in pipe_and_fifo::<S>() {
            tx.set_inheritable(true);
            rx.set_inheritable(true);
            killed_asleep(signal, || _ = rx.reads(1));
            fill(&mut tx);
            killed_asleep(signal, || _ = tx.writes(&stream(0, 100_000)));
        }
    }
}

/// Has a child do what makes it wait, and ends it.
fn killed_asleep(signal: Signal, wait: impl FnOnce()) {
    let shared = Shared::new();
    let child = forked(|| {
        shared.set(0, 1);
        wait();
    });
    shared.until(0, 1);
    child.until_asleep();
    child.signal(signal);
    assert_eq!(signal_that_ended(child), Some(signal));
}
