//! A stream of bytes.

use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Write};
use std::time::Duration;

use ringpipe::stream::{Fifo, Reader, Writer};

use crate::ledger::{self, Met};
use crate::victims::{self as v, Watch};

/// A timeout that is one: nothing would be for ever, and a blocking call may take that long.
fn short(dice: &mut v::Dice) -> Option<Duration> {
    Some(v::timeout(dice).max(Duration::from_micros(1)))
}

fn of(result: io::Result<usize>, most: usize) -> Met {
    match result {
        Ok(count) => {
            assert!(count <= most, "{count} of {most}");
            Met::Done
        }
        Err(error) => ledger::of_io(&error),
    }
}

pub(crate) fn write(watch: &mut Watch, open: impl Fn() -> Result<Fifo, ringpipe::Error>) {
    while !watch.is_over() {
        let Some(fifo) = watch.opened(1, &open) else {
            continue;
        };
        let (way, time) = (watch.dice.below(3), v::timeout(&mut watch.dice));
        let opened = watch.opened(2 + way as u64, || match way {
            0 => fifo.writer_nonblocking(),
            1 => fifo.writer_timeout(time),
            _ => fifo.both().map(|(writer, _)| writer),
        });
        let Some(mut tx) = opened else {
            continue;
        };
        tx.set_strategy(v::strategy(&mut watch.dice));
        for _ in 0..watch.dice.below(60) {
            tx.set_nonblocking(watch.dice.below(2) == 0);
            tx.set_write_timeout(short(&mut watch.dice));
            let call = watch.dice.below(9) as u64;
            let met = watch.call(90 + call, |dice| put(&mut tx, call, dice));
            if watch.is_over() || matches!(met, Met::Corrupt | Met::Removed) {
                break;
            }
        }
        match watch.dice.below(3) {
            0 => drop(watch.call(6, |_| of(tx.close().map(|()| 0), 0))),
            1 => tx.abandon(),
            _ => drop(tx),
        }
    }
    while watch.may_wait() {
        let Some(fifo) = watch.opened(1, &open) else {
            continue;
        };
        let Some(mut tx) = watch.opened(5, || fifo.writer()) else {
            continue;
        };
        tx.set_strategy(v::sleepy(&mut watch.dice));
        watch.call(42, |dice| {
            of(tx.write(&[1; 9000][..dice.below(9001)]), 9000)
        });
    }
}

fn put(tx: &mut Writer, call: u64, dice: &mut v::Dice) -> Met {
    let bytes = [b'x'; 9000];
    let len = [0, 1, 100, 4096, 4097, 9000][dice.below(6)];
    let bytes = &bytes[..len];
    match call {
        0..3 => of(tx.write(bytes), len),
        3 => {
            let (first, second) = bytes.split_at(len / 3);
            let parts = [IoSlice::new(first), IoSlice::new(second)];
            of(tx.write_vectored(&parts), len)
        }
        4 => {
            let len = len.min(tx.capacity());
            let room = tx.reserve(len).map(|mut room| {
                let (first, second) = room.as_mut_slices();
                first.fill(1);
                second.fill(2);
                let all = room.len();
                room.commit(dice.below(all + 1));
                0
            });
            of(room, 0)
        }
        5 => {
            let time = short(dice);
            let waited = tx.wait_writable(time).and_then(|_| tx.readiness());
            of(waited.map(|_| 0), 0)
        }
        6 => v::told(tx.readers()),
        7 => match tx.try_clone() {
            Ok(mut twin) => of(twin.write(bytes), len),
            Err(error) => ledger::of_error(&error),
        },
        _ => {
            assert!(tx.available() <= tx.capacity());
            Met::Done
        }
    }
}

pub(crate) fn read(watch: &mut Watch, open: impl Fn() -> Result<Fifo, ringpipe::Error>) {
    while !watch.is_over() {
        let Some(fifo) = watch.opened(1, &open) else {
            continue;
        };
        let (way, time) = (watch.dice.below(3), v::timeout(&mut watch.dice));
        let opened = watch.opened(2 + way as u64, || match way {
            0 => fifo.reader_nonblocking(),
            1 => fifo.reader_timeout(time),
            _ => fifo.both().map(|(_, reader)| reader),
        });
        let Some(mut rx) = opened else {
            continue;
        };
        rx.set_strategy(v::strategy(&mut watch.dice));
        for _ in 0..watch.dice.below(60) {
            rx.set_nonblocking(watch.dice.below(2) == 0);
            rx.set_read_timeout(short(&mut watch.dice));
            let call = watch.dice.below(9) as u64;
            let met = watch.call(110 + call, |dice| take(&mut rx, call, dice));
            if watch.is_over() || matches!(met, Met::Corrupt | Met::Removed) {
                break;
            }
        }
        match watch.dice.below(3) {
            0 => drop(watch.call(6, |_| of(rx.close().map(|()| 0), 0))),
            1 => rx.abandon(),
            _ => drop(rx),
        }
    }
    while watch.may_wait() {
        let Some(fifo) = watch.opened(1, &open) else {
            continue;
        };
        let Some(mut rx) = watch.opened(5, || fifo.reader()) else {
            continue;
        };
        rx.set_strategy(v::sleepy(&mut watch.dice));
        watch.call(43, |dice| {
            of(rx.read(&mut [0; 9000][..dice.below(9001)]), 9000)
        });
    }
}

fn take(rx: &mut Reader, call: u64, dice: &mut v::Dice) -> Met {
    let mut bytes = [0; 9000];
    let len = [0, 1, 100, 4096, 4097, 9000][dice.below(6)];
    let bytes = &mut bytes[..len];
    match call {
        0..3 => of(rx.read(bytes), len),
        3 => {
            let (first, second) = bytes.split_at_mut(len / 3);
            let mut parts = [IoSliceMut::new(first), IoSliceMut::new(second)];
            of(rx.read_vectored(&mut parts), len)
        }
        4 => {
            let shown = rx.fill_buf().map(|bytes| {
                std::hint::black_box(bytes.iter().fold(0, |sum, byte| sum ^ byte));
                bytes.len()
            });
            if let Ok(shown) = shown {
                rx.consume(dice.below(shown + 1));
            }
            of(shown, usize::MAX)
        }
        5 => {
            let time = short(dice);
            let waited = rx.wait_readable(time).and_then(|_| rx.readiness());
            of(waited.map(|_| 0), 0)
        }
        6 => v::told(rx.writers()),
        7 => match rx.try_clone() {
            Ok(mut twin) => of(twin.read(bytes), len),
            Err(error) => ledger::of_error(&error),
        },
        _ => {
            assert!(rx.available() <= rx.capacity());
            Met::Done
        }
    }
}
