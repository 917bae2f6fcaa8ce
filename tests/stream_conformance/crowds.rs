//! Many readers and many writers: R9, R10, and W5 for many.

use std::io::{Read, Write};

use nix::errno::Errno;

use crate::common::{Child, Shared, forked};
use crate::stage::{Call, call, fill, pipe_and_fifo, stream};
use crate::subject::{End, Outcome, Reads, Subject, Writes};

cases! {
    all_readers_wake_when_the_last_writer_goes
    all_readers_in_processes_wake_when_the_last_writer_goes
    all_writers_wake_when_the_last_reader_goes
    all_writers_in_processes_wake_when_the_last_reader_goes
    readers_wait_on_while_one_writer_is_left
    writers_wait_on_while_one_reader_is_left
    each_of_the_readers_that_wait_gets_a_byte
    much_for_one_reader_is_enough_for_the_others
    one_large_read_makes_room_for_all_writers
    each_byte_goes_to_one_of_the_readers
    each_byte_of_many_processes_goes_to_one_of_many
}

/// As LTP's pipe13 has it: 2 to 100 of them, and sometimes not all woke.
const CROWDS: [usize; 2] = [2, 30];

/// So many readers that wait, in threads.
fn waiting_readers<S: Subject>(rx: &S::Reader, n: usize) -> Vec<Call<Outcome>> {
    let reader = || {
        let mut rx = rx.twin();
        call(move || rx.reads(1))
    };
    let readers: Vec<_> = (0..n).map(|_| reader()).collect();
    readers.iter().for_each(Call::until_asleep);
    readers
}

/// So many writers that wait in threads at a full pipe.
fn waiting_writers<S: Subject>(tx: &S::Writer, n: usize) -> Vec<Call<Outcome>> {
    let writer = || {
        let mut tx = tx.twin();
        call(move || tx.writes(&stream(0, 1000)))
    };
    let writers: Vec<_> = (0..n).map(|_| writer()).collect();
    writers.iter().for_each(Call::until_asleep);
    writers
}

fn all_readers_wake_when_the_last_writer_goes<S: Subject>() {
    for n in CROWDS {
        let (tx, rx) = S::pipe();
        let readers = waiting_readers::<S>(&rx, n);
        drop(tx);
        assert!(readers.into_iter().all(|read| read.join() == Ok(0)));
    }
}

fn all_writers_wake_when_the_last_reader_goes<S: Subject>() {
    for n in CROWDS {
        let (mut tx, rx) = S::pipe();
        fill(&mut tx);
        let writers = waiting_writers::<S>(&tx, n);
        drop(rx);
        let broken = |write: Call<_>| write.join() == Err(Errno::EPIPE);
        assert!(writers.into_iter().all(broken));
    }
}

/// So many children that do that, and wait in it.
fn waiting_children(n: usize, mut work: impl FnMut()) -> Vec<Child> {
    let shared = Shared::new();
    let child = |_| {
        forked(|| {
            shared.add(0);
            work();
        })
    };
    let children: Vec<_> = (0..n).map(child).collect();
    shared.until(0, n as u64);
    children.iter().for_each(Child::until_asleep);
    children
}

fn all_readers_in_processes_wake_when_the_last_writer_goes<S: Subject>() {
    for n in CROWDS {
        let (tx, mut rx) = S::pipe();
        // A child takes its own copy, and the parent's stays as it is.
        let mut tx = Some(tx);
        let children = waiting_children(n, || {
            drop(tx.take());
            assert_eq!(rx.reads(1), Ok(0));
        });
        drop(tx);
        children.into_iter().for_each(Child::join);
    }
}

fn all_writers_in_processes_wake_when_the_last_reader_goes<S: Subject>() {
    for n in CROWDS {
        let (mut tx, rx) = S::pipe();
        fill(&mut tx);
        let mut rx = Some(rx);
        let children = waiting_children(n, || {
            drop(rx.take());
            assert_eq!(tx.writes(&stream(0, 1000)), Err(Errno::EPIPE));
        });
        drop(rx);
        children.into_iter().for_each(Child::join);
    }
}

fn readers_wait_on_while_one_writer_is_left<S: Subject>() {
    for (tx, rx) in pipe_and_fifo::<S>() {
        let last = tx.twin();
        let readers = waiting_readers::<S>(&rx, 3);
        drop(tx);
        readers.iter().for_each(Call::until_asleep);
        drop(last);
        assert!(readers.into_iter().all(|read| read.join() == Ok(0)));
    }
}

fn writers_wait_on_while_one_reader_is_left<S: Subject>() {
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        fill(&mut tx);
        let last = rx.twin();
        let writers = waiting_writers::<S>(&tx, 3);
        drop(rx);
        writers.iter().for_each(Call::until_asleep);
        drop(last);
        let broken = |write: Call<_>| write.join() == Err(Errno::EPIPE);
        assert!(writers.into_iter().all(broken));
    }
}

fn each_of_the_readers_that_wait_gets_a_byte<S: Subject>() {
    let (mut tx, rx) = S::pipe();
    let readers = waiting_readers::<S>(&rx, 5);
    for _ in 0..5 {
        assert_eq!(tx.writes(b"x"), Ok(1));
    }
    assert!(readers.into_iter().all(|read| read.join() == Ok(1)));
    assert_eq!(rx.unread(), 0);
}

/// One write; whoever wakes must not be the only one.
fn much_for_one_reader_is_enough_for_the_others<S: Subject>() {
    let (mut tx, rx) = S::pipe();
    let readers = waiting_readers::<S>(&rx, 5);
    assert_eq!(tx.writes(&stream(0, 7)), Ok(7));
    assert!(readers.into_iter().all(|read| read.join() == Ok(1)));
    assert_eq!(rx.unread(), 2);
}

fn one_large_read_makes_room_for_all_writers<S: Subject>() {
    let (mut tx, mut rx) = S::pipe();
    let full = fill(&mut tx);
    let writers = waiting_writers::<S>(&tx, 5);
    rx.read_exact(&mut vec![0; full]).unwrap();
    assert!(writers.into_iter().all(|write| write.join() == Ok(1000)));
    assert_eq!(rx.unread(), 5000);
}

/// Writes so many numbers, one by one, beginning at the first of this writer.
fn write_numbers(tx: &mut impl Write, writer: u32, count: u32) {
    for n in 0..count {
        tx.write_all(&(writer << 24 | n).to_ne_bytes()).unwrap();
    }
}

/// Reads numbers to the end.
fn read_numbers(rx: &mut impl Read) -> Vec<u32> {
    let number = || {
        let mut number = [0; 4];
        rx.read_exact(&mut number).ok()?;
        Some(u32::from_ne_bytes(number))
    };
    std::iter::from_fn(number).collect()
}

/// Nobody sees the numbers of a writer in another order than they were written in.
fn assert_in_order(numbers: &[u32]) {
    for writer in 0..4 {
        let mut its = numbers.iter().filter(|number| *number >> 24 == writer);
        assert!(its.by_ref().is_sorted());
    }
}

/// LTP's pipe11.
fn each_byte_goes_to_one_of_the_readers<S: Subject>() {
    const COUNT: u32 = 20_000;
    for (mut tx, rx) in pipe_and_fifo::<S>() {
        let reader = |mut rx: S::Reader| call(move || read_numbers(&mut rx));
        let readers = [reader(rx.twin()), reader(rx.twin()), reader(rx)];
        write_numbers(&mut tx, 0, COUNT);
        drop(tx);
        let came = readers.map(Call::join);
        came.iter().for_each(|numbers| assert_in_order(numbers));
        let mut all = came.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..COUNT));
    }
}

/// Four processes write and three read; these count what they saw.
fn each_byte_of_many_processes_goes_to_one_of_many<S: Subject>() {
    const COUNT: u32 = 3000;
    let (tx, rx) = S::pipe();
    let seen = Shared::with(4 * COUNT as usize);
    let mut ends = (Some(tx), Some(rx));
    let readers = [(); 3].map(|()| {
        forked(|| {
            drop(ends.0.take());
            let numbers = read_numbers(ends.1.as_mut().expect("nobody took it"));
            assert_in_order(&numbers);
            let place = |number| (number >> 24) * COUNT + (number & 0xff_ffff);
            numbers
                .into_iter()
                .for_each(|number| seen.add(place(number) as usize));
        })
    });
    let writers = [0, 1, 2, 3].map(|writer| {
        forked(|| {
            drop(ends.1.take());
            write_numbers(ends.0.as_mut().expect("nobody took it"), writer, COUNT);
        })
    });
    drop(ends);
    writers.into_iter().for_each(Child::join);
    readers.into_iter().for_each(Child::join);
    assert!((0..4 * COUNT as usize).all(|place| seen.get(place) == 1));
}
