//! What is counted.
//!
//! Each case does one side's work so often, on a ring of its own with room for all of it. What the other side does comes before
//! or after, and is not counted; so nobody ever waits, and the same instructions are carried out each time.

use std::array::from_fn;
use std::hint::black_box;
use std::io::{Read, Write};

use ringpipe::{mpmc, spsc, stream};

use crate::counted;

/// One operation, so many of which are counted.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) calls: usize,
    /// Items, or bytes, in each call.
    pub(crate) items: usize,
    pub(crate) run: fn(usize),
}

const fn case(name: &'static str, (calls, items): (usize, usize), run: fn(usize)) -> Case {
    Case {
        name,
        calls,
        items,
        run,
    }
}

const SINGLE: (usize, usize) = (1000, 1);
const SLICE: usize = 64;
const SLICES: (usize, usize) = (100, SLICE);
const RUN: usize = 32;
const RUNS: (usize, usize) = (100, RUN);
const PAGE: usize = 4096;

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    case("spsc push, 8 B", SINGLE, spsc_push::<1>),
    case("spsc pop, 8 B", SINGLE, spsc_pop::<1>),
    case("spsc push, 64 B", SINGLE, spsc_push::<8>),
    case("spsc pop, 64 B", SINGLE, spsc_pop::<8>),
    case("spsc try_push, 8 B", SINGLE, spsc_try_push),
    case("spsc try_pop, 8 B", SINGLE, spsc_try_pop),
    case("spsc reserve and commit, 8 B", SINGLE, spsc_reserve),
    case("spsc peek and release, 8 B", SINGLE, spsc_peek),
    case("spsc push_slice of 64, 8 B", SLICES, spsc_push_slice::<1>),
    case("spsc pop_slice of 64, 8 B", SLICES, spsc_pop_slice::<1>),
    case("spsc push_slice of 64, 64 B", SLICES, spsc_push_slice::<8>),
    case("spsc pop_slice of 64, 64 B", SLICES, spsc_pop_slice::<8>),
    case("mpmc push, 8 B", SINGLE, mpmc_push::<1>),
    case("mpmc pop, 8 B", SINGLE, mpmc_pop::<1>),
    case("mpmc push, 64 B", SINGLE, mpmc_push::<8>),
    case("mpmc pop, 64 B", SINGLE, mpmc_pop::<8>),
    case("mpmc push_slice of 32, 8 B", RUNS, mpmc_push_run),
    case("mpmc pop_slice of 32, 8 B", RUNS, mpmc_pop_run),
    case("stream write of 64 B", (1000, 64), stream_write::<64>),
    case("stream read of 64 B", (1000, 64), stream_read::<64>),
    case("stream write of 4 KiB", (100, PAGE), stream_write::<PAGE>),
    case("stream read of 4 KiB", (100, PAGE), stream_read::<PAGE>),
];

type Pair<T> = (spsc::Producer<T>, spsc::Consumer<T>);

/// The two ends of a ring with room for that many items and one more, which has gone through it: so both know what there is.
fn pair<const N: usize>(items: usize) -> Pair<[u64; N]> {
    let ring = spsc::Ring::private(items + 1).expect("a ring");
    let (mut tx, mut rx) = (
        ring.producer().expect("a role"),
        ring.consumer().expect("a role"),
    );
    tx.push([0; N]).expect("room");
    rx.pop().expect("an item");
    (tx, rx)
}

/// The same with that many items in it, of which the consumer knows.
fn full_pair<const N: usize>(items: usize) -> Pair<[u64; N]> {
    let (mut tx, mut rx) = pair(items + 1);
    for _ in 0..=items {
        tx.push([1; N]).expect("room");
    }
    rx.pop().expect("an item");
    (tx, rx)
}

fn spsc_push<const N: usize>(n: usize) {
    let (mut tx, _rx) = pair::<N>(n);
    counted(&mut || {
        for _ in 0..n {
            tx.push(black_box([1; N])).expect("room");
        }
    });
}

fn spsc_pop<const N: usize>(n: usize) {
    let (_tx, mut rx) = full_pair::<N>(n);
    counted(&mut || {
        for _ in 0..n {
            black_box(rx.pop().expect("an item"));
        }
    });
}

fn spsc_try_push(n: usize) {
    let (mut tx, _rx) = pair::<1>(n);
    counted(&mut || {
        for _ in 0..n {
            tx.try_push(black_box([1])).expect("room");
        }
    });
}

fn spsc_try_pop(n: usize) {
    let (_tx, mut rx) = full_pair::<1>(n);
    counted(&mut || {
        for _ in 0..n {
            black_box(rx.try_pop().expect("an item"));
        }
    });
}

fn spsc_reserve(n: usize) {
    let (mut tx, _rx) = pair::<1>(n);
    counted(&mut || {
        for _ in 0..n {
            let mut room = tx.reserve(1).expect("room");
            room.as_mut_slices().0[0] = black_box([1]);
            room.commit(1);
        }
    });
}

fn spsc_peek(n: usize) {
    let (_tx, mut rx) = full_pair::<1>(n);
    counted(&mut || {
        for _ in 0..n {
            let items = rx.peek(1).expect("an item");
            black_box(items.as_slices().0[0]);
            items.release_all();
        }
    });
}

fn spsc_push_slice<const N: usize>(n: usize) {
    let (mut tx, _rx) = pair::<N>(n * SLICE);
    let items = [[1; N]; SLICE];
    counted(&mut || {
        for _ in 0..n {
            tx.push_slice(black_box(&items)).expect("room");
        }
    });
}

fn spsc_pop_slice<const N: usize>(n: usize) {
    let (_tx, mut rx) = full_pair::<N>(n * SLICE);
    let mut into = [[0; N]; SLICE];
    counted(&mut || {
        for _ in 0..n {
            let count = rx.pop_slice(black_box(&mut into)).expect("items");
            assert_eq!(count, SLICE);
        }
    });
}

type Crew<T> = (mpmc::Producer<T>, mpmc::Consumer<T>);

/// One producer and one consumer of a ring with room for that many items.
fn crew<const N: usize>(items: usize) -> Crew<[u64; N]> {
    let ring = mpmc::Ring::private(items).expect("a ring");
    (
        ring.producer().expect("a number"),
        ring.consumer().expect("a number"),
    )
}

/// The same with that many items in it.
fn full_crew<const N: usize>(items: usize) -> Crew<[u64; N]> {
    let (mut tx, rx) = crew(items);
    for _ in 0..items {
        tx.push([1; N]).expect("room");
    }
    (tx, rx)
}

fn mpmc_push<const N: usize>(n: usize) {
    let (mut tx, _rx) = crew::<N>(n);
    counted(&mut || {
        for _ in 0..n {
            tx.push(black_box([1; N])).expect("room");
        }
    });
}

fn mpmc_pop<const N: usize>(n: usize) {
    let (_tx, mut rx) = full_crew::<N>(n);
    counted(&mut || {
        for _ in 0..n {
            black_box(rx.pop().expect("an item"));
        }
    });
}

fn mpmc_push_run(n: usize) {
    let (mut tx, _rx) = crew::<1>(n * RUN);
    let items = [[1]; RUN];
    counted(&mut || {
        for _ in 0..n {
            tx.push_slice(black_box(&items)).expect("room");
        }
    });
}

fn mpmc_pop_run(n: usize) {
    let (_tx, mut rx) = full_crew::<1>(n * RUN);
    let mut into = [[0]; RUN];
    counted(&mut || {
        for _ in 0..n {
            let count = rx.pop_slice(black_box(&mut into)).expect("items");
            assert_eq!(count, RUN);
        }
    });
}

/// The two ends of a stream that holds so many bytes.
fn flow(bytes: usize) -> (stream::Writer, stream::Reader) {
    stream::Options::new()
        .capacity(bytes)
        .pipe()
        .expect("a stream")
}

/// To so many streams in turn, so that what one knows of its readers is always too old when its turn comes again.
const STREAMS: usize = 10;

fn stream_write<const SIZE: usize>(n: usize) {
    let mut flows: [_; STREAMS] = from_fn(|_| flow(n / STREAMS * SIZE));
    let bytes = [1; SIZE];
    counted(&mut || {
        for _ in 0..n / STREAMS {
            for (tx, _rx) in &mut flows {
                assert_eq!(tx.write(black_box(&bytes)).expect("room"), SIZE);
            }
        }
    });
}

fn stream_read<const SIZE: usize>(n: usize) {
    let (mut tx, mut rx) = flow(n * SIZE);
    let mut bytes = [1; SIZE];
    for _ in 0..n {
        tx.write_all(&bytes).expect("room");
    }
    counted(&mut || {
        for _ in 0..n {
            assert_eq!(rx.read(black_box(&mut bytes)).expect("bytes"), SIZE);
        }
    });
}
