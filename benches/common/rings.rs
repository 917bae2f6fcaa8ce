//! The ring itself, between two processes, with handles that wait as they do unless told otherwise.

use ringpipe::Item;
use ringpipe::spsc::{Consumer, Producer, Ring};

use super::duel::{Between, Ends, start};
use super::payload::{CHUNK, Chunk, Numbered, SLICE, check, check_all, check_chunk, number};

/// Makes the ends of a private ring.
fn ends<T, S, R>(
    capacity: usize,
    send: impl FnOnce(Producer<T>) -> S + Send + 'static,
    receive: impl FnOnce(Consumer<T>) -> R + Send + 'static,
) -> Ends
where
    T: Item,
    S: FnMut(std::ops::Range<u64>) + 'static,
    R: FnMut(std::ops::Range<u64>) + 'static,
{
    let ring = Ring::<T>::private(capacity).expect("a ring");
    let other = ring.clone();
    Ends {
        source: start(move || send(ring.producer().expect("the producer's role"))),
        sink: start(move || receive(other.consumer().expect("the consumer's role"))),
        between: Between::Processes,
    }
}

/// One push and one pop per item.
pub(crate) fn single<T: Numbered>(capacity: usize) -> Ends {
    ends::<T, _, _>(
        capacity,
        |mut tx| move |numbers| numbers.for_each(|n| tx.push(T::of(n)).expect("a consumer")),
        |mut rx| move |numbers| numbers.for_each(|n| check(&rx.pop().expect("a producer"), n)),
    )
}

/// One push and one pop per slice.
pub(crate) fn slices<T: Numbered>(capacity: usize) -> Ends {
    ends::<T, _, _>(
        capacity,
        |mut tx| {
            let mut items = [T::of(0); SLICE];
            move |numbers| {
                for first in numbers.step_by(SLICE) {
                    number(&mut items, first);
                    tx.push_slice(&items).expect("a consumer");
                }
            }
        },
        |mut rx| {
            let mut items = [T::of(0); SLICE];
            move |numbers| {
                let mut next = numbers.start;
                while next < numbers.end {
                    let count = rx.pop_slice(&mut items).expect("a producer");
                    check_all(&items[..count], next);
                    next += count as u64;
                }
            }
        },
    )
}

/// One reserve and one peek per slice, filled and read in place.
pub(crate) fn in_place<T: Numbered>(capacity: usize) -> Ends {
    ends::<T, _, _>(
        capacity,
        |mut tx| {
            move |numbers| {
                for first in numbers.step_by(SLICE) {
                    let mut room = tx.reserve(SLICE).expect("a consumer");
                    let (head, tail) = room.as_mut_slices();
                    number(head, first);
                    number(tail, first + head.len() as u64);
                    room.commit(SLICE);
                }
            }
        },
        |mut rx| {
            move |numbers| {
                let mut next = numbers.start;
                while next < numbers.end {
                    let items = rx.peek(SLICE).expect("a producer");
                    let (head, tail) = items.as_slices();
                    check_all(head, next);
                    check_all(tail, next + head.len() as u64);
                    next += items.len() as u64;
                    items.release_all();
                }
            }
        },
    )
}

/// Chunks of bytes, written into the ring and read out of it in place.
pub(crate) fn stream_in_place(capacity: usize) -> Ends {
    ends::<u8, _, _>(
        capacity,
        |mut tx| {
            let mut chunk = Chunk::new();
            move |numbers| {
                for n in numbers {
                    let mut room = tx.reserve(CHUNK).expect("a consumer");
                    room.write(chunk.numbered(n));
                    room.commit_written();
                }
            }
        },
        |mut rx| {
            move |numbers| {
                for n in numbers {
                    let items = rx.peek(CHUNK).expect("a producer");
                    check_chunk(items.as_slices().0, n);
                    items.release_all();
                }
            }
        },
    )
}

/// Chunks of bytes, copied in and copied out.
pub(crate) fn stream_copied(capacity: usize) -> Ends {
    ends::<u8, _, _>(
        capacity,
        |mut tx| {
            let mut chunk = Chunk::new();
            move |numbers| {
                numbers.for_each(|n| tx.push_slice(chunk.numbered(n)).expect("a consumer"));
            }
        },
        |mut rx| {
            let mut bytes = vec![0; CHUNK];
            move |numbers| {
                for n in numbers {
                    let mut have = 0;
                    while have < CHUNK {
                        have += rx.pop_slice(&mut bytes[have..]).expect("a producer");
                    }
                    check_chunk(&bytes, n);
                }
            }
        },
    )
}
