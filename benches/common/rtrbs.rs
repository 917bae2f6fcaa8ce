//! The rival from user space: rtrb between two threads, spinning on full and on empty, as it cannot wait.

use rtrb::RingBuffer;

use super::duel::{Between, Ends, start};
use super::machine::relax;
use super::payload::{Numbered, SLICE, check, check_all};

/// One push and one pop per item.
pub(crate) fn single<T: Numbered>(capacity: usize) -> Ends {
    let (mut tx, mut rx) = RingBuffer::<T>::new(capacity);
    Ends {
        source: start(move || {
            move |numbers| {
                for n in numbers {
                    while tx.push(T::of(n)).is_err() {
                        assert!(!tx.is_abandoned(), "the consumer failed");
                        relax();
                    }
                }
            }
        }),
        sink: start(move || {
            move |numbers| {
                for n in numbers {
                    let item = loop {
                        match rx.pop() {
                            Ok(item) => break item,
                            Err(_) => relax(),
                        }
                    };
                    check(&item, n);
                }
            }
        }),
        between: Between::Threads,
    }
}

/// One chunk per slice, filled and read in place.
pub(crate) fn chunks<T: Numbered>(capacity: usize) -> Ends {
    let (mut tx, mut rx) = RingBuffer::<T>::new(capacity);
    Ends {
        source: start(move || {
            move |numbers| {
                for first in numbers.step_by(SLICE) {
                    let chunk = loop {
                        if let Ok(chunk) = tx.write_chunk_uninit(SLICE) {
                            break chunk;
                        }
                        relax();
                    };
                    chunk.fill_from_iter((first..).map(T::of));
                }
            }
        }),
        sink: start(move || {
            move |numbers| {
                for first in numbers.step_by(SLICE) {
                    let chunk = loop {
                        if let Ok(chunk) = rx.read_chunk(SLICE) {
                            break chunk;
                        }
                        relax();
                    };
                    let (head, tail) = chunk.as_slices();
                    check_all(head, first);
                    check_all(tail, first + head.len() as u64);
                    chunk.commit_all();
                }
            }
        }),
        between: Between::Threads,
    }
}
