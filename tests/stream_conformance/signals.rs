//! Signals during a call: I1, I2, W8, F5.
//!
//! The kernel goes by the handler, which was set with `SA_RESTART` or without; ours by what the end was told. Every
//! combination of both is tried.

use std::io::{ErrorKind, Read, Write};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, Signal};

use crate::common::{Shared, forked, until};
use crate::differences::{OPEN_GOES_ON, WAIT_GOES_ON};
use crate::stage::{call, count_signals, fifo, fill, pipe_and_fifo, signals, stream};
use crate::subject::{End, Fifo, Reads, Subject, Writes, opened};

cases! {
    a_read_that_a_signal_interrupts
    a_write_of_nothing_yet_that_a_signal_interrupts
    a_write_in_parts_counts_them_when_a_signal_comes
    opening_that_a_signal_interrupts
    interrupted_calls_can_be_made_again
    an_error_of_a_signal_is_known_as_one
    a_stop_ends_no_wait
    a_signal_while_nobody_waits_does_nothing
}

const SIGNAL: Signal = Signal::SIGUSR1;

/// Whether a handler restarts calls, and whether an end may be interrupted.
const COMBINATIONS: [(bool, bool); 4] =
    [(false, false), (false, true), (true, false), (true, true)];

/// Sets the handler.
fn handle(restart: bool) {
    let restarts = if restart {
        SaFlags::SA_RESTART
    } else {
        SaFlags::empty()
    };
    count_signals(SIGNAL, restarts);
}

fn a_read_that_a_signal_interrupts<S: Subject>() {
    for (restart, interruptible) in COMBINATIONS {
        for (mut tx, mut rx) in pipe_and_fifo::<S>() {
            handle(restart);
            rx.set_interruptible(interruptible);
            let read = call(move || (rx.reads(10), rx));
            if WAIT_GOES_ON.expected::<S, _>(!restart, interruptible) {
                let (outcome, mut rx) = read.interrupted(SIGNAL);
                assert_eq!(outcome, Err(Errno::EINTR));
                assert_eq!((tx.writes(b"x"), rx.reads(10)), (Ok(1), Ok(1)));
            } else {
                read.disturb(SIGNAL);
                assert_eq!(tx.writes(b"x"), Ok(1));
                assert_eq!(read.join().0, Ok(1));
            }
        }
    }
}

fn a_write_of_nothing_yet_that_a_signal_interrupts<S: Subject>() {
    for (restart, interruptible) in COMBINATIONS {
        for (mut tx, mut rx) in pipe_and_fifo::<S>() {
            handle(restart);
            tx.set_interruptible(interruptible);
            let full = fill(&mut tx);
            let write = call(move || (tx.writes(b"x"), tx));
            if WAIT_GOES_ON.expected::<S, _>(!restart, interruptible) {
                assert_eq!(write.interrupted(SIGNAL).0, Err(Errno::EINTR));
                assert_eq!(rx.unread(), full);
            } else {
                write.disturb(SIGNAL);
                rx.read_exact(&mut vec![0; full]).unwrap();
                assert_eq!(write.join().0, Ok(1));
            }
        }
    }
}

/// Whatever the handler, and whatever the end was told.
fn a_write_in_parts_counts_them_when_a_signal_comes<S: Subject>() {
    for (restart, interruptible) in COMBINATIONS {
        for (mut tx, mut rx) in pipe_and_fifo::<S>() {
            handle(restart);
            tx.set_interruptible(interruptible);
            let write = call(move || tx.writes(&stream(0, 1_000_000)));
            until(|| rx.unread() > 0);
            write.until_asleep();
            let written = write.interrupted(SIGNAL).unwrap();
            assert!((1..1_000_000).contains(&written));
            assert_eq!(rx.takes(1_000_000), Ok(stream(0, written)));
            assert_eq!(rx.reads(1), Ok(0));
        }
    }
}

fn opening_that_a_signal_interrupts<S: Subject>() {
    let fifo = fifo::<S>();
    for restart in [false, true] {
        handle(restart);
        let theirs = fifo.clone();
        let open = call(move || opened(theirs.reader()));
        if OPEN_GOES_ON.expected::<S, _>(!restart, false) {
            let interrupted = open.interrupted(SIGNAL).map(drop);
            assert_eq!(interrupted, Err(Errno::EINTR));
            let nobody = opened(fifo.writer_nonblocking().map(drop));
            assert_eq!(nobody, Err(Errno::ENXIO), "it leaves no reader behind");
        } else {
            open.disturb(SIGNAL);
            drop(fifo.writer().unwrap());
            assert_eq!(open.join().unwrap().reads(1), Ok(0));
        }
    }
}

/// As the standard library does it.
fn interrupted_calls_can_be_made_again<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    handle(false);
    tx.set_interruptible(true);
    rx.set_interruptible(true);
    let (some, more) = (100_000, 2 * tx.capacity());
    let read = call(move || {
        let mut bytes = vec![0; some];
        rx.read_exact(&mut bytes).map(|()| (bytes, rx))
    });
    read.disturb(SIGNAL);
    let written = call(move || tx.write_all(&stream(0, some + more)));
    let (bytes, mut rx) = read.join().unwrap();
    assert!(bytes == stream(0, some));
    written.disturb(SIGNAL);
    let mut rest = Vec::new();
    rx.read_to_end(&mut rest).unwrap();
    assert!(rest == stream(some, more));
    written.join().unwrap();
}

fn an_error_of_a_signal_is_known_as_one<S: Subject>() {
    let (_tx, mut rx) = S::pipe();
    handle(false);
    rx.set_interruptible(true);
    let read = call(move || rx.read(&mut [0]).map_err(|error| error.kind()));
    assert_eq!(read.interrupted(SIGNAL), Err(ErrorKind::Interrupted));
}

/// System calls may end by it, without any handler; reads and writes do not.
fn a_stop_ends_no_wait<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let (mut back, mut answer) = S::pipe();
    let shared = Shared::new();
    let child = forked(|| {
        shared.set(0, 1);
        assert_eq!(rx.reads(10), Ok(1));
        fill(&mut back);
        shared.set(0, 2);
        assert_eq!(back.writes(b"x"), Ok(1));
    });
    shared.until(0, 1);
    let stop_asleep = || {
        child.until_asleep();
        child.signal(Signal::SIGSTOP);
        until(|| child.is_stopped());
        child.signal(Signal::SIGCONT);
        child.until_asleep();
    };
    stop_asleep();
    assert_eq!(tx.writes(b"x"), Ok(1));
    shared.until(0, 2);
    stop_asleep();
    assert!(answer.reads(10_000).is_ok());
    child.join();
}

fn a_signal_while_nobody_waits_does_nothing<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    handle(false);
    tx.set_interruptible(true);
    rx.set_interruptible(true);
    let before = signals();
    nix::sys::signal::raise(SIGNAL).unwrap();
    assert_eq!(signals(), before + 1);
    assert_eq!((tx.writes(b"x"), rx.reads(1)), (Ok(1), Ok(1)));
}
