//! How our own ring's speed depends on its capacity and on the size of an item.

use ringpipe::spsc::{Consumer, Producer, Ring};

use super::contest::{Contest, Entry};
use super::contestants::SLICE;
use super::passing::{Passing, Tell, gigabytes, millions};
use crate::common::duel::{Between, Ends, start};
use crate::ends;
use crate::report::work::{Axis, Better};
use crate::way::Waits;
use crate::ways::{self, Family};

/// 64 to 16 million slots.
const CAPACITIES: [usize; 10] = [
    1 << 6,
    1 << 8,
    1 << 10,
    1 << 12,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 20,
    1 << 22,
    1 << 24,
];

/// Bytes that a ring of items of each size holds, or that many items, if that is more.
const BYTES: usize = 1 << 20;
const FEWEST: usize = 64;

/// Of a ring, at most this part is written and read in place at a time, so that there is something for the other side
/// to do.
const PART: usize = 4;

const SINGLE: &str = "one at a time";
const SLICES: &str = "64 at a time, in place";

pub(crate) fn contests() -> Vec<Contest> {
    vec![capacities(), item_sizes()]
}

fn capacities() -> Contest {
    let of = |capacity| {
        let slice = SLICE.min(capacity / PART);
        let single = move || ends::single::<1, ways::Ring>(capacity);
        let slices = move || in_place::<8>(capacity, slice);
        [
            entry(SINGLE, capacity, passing(1, capacity, millions(), single)),
            entry(
                SLICES,
                capacity,
                passing(slice, capacity, millions(), slices),
            ),
        ]
    };
    Contest {
        figure: "ring by capacity".into(),
        title: "our ring by capacity: 8 B items".into(),
        unit: "million items/s",
        better: Better::Higher,
        axis: Axis::Slots,
        sweep: true,
        bytes: None,
        notes: vec!["the smallest is written and read in place 16 items at a time".into()],
        entries: CAPACITIES.into_iter().flat_map(of).collect(),
    }
}

fn item_sizes() -> Contest {
    let mut entries = Vec::new();
    of_size::<1>(&mut entries);
    of_size::<4>(&mut entries);
    of_size::<16>(&mut entries);
    of_size::<64>(&mut entries);
    of_size::<256>(&mut entries);
    of_size::<1024>(&mut entries);
    of_size::<4096>(&mut entries);
    of_size::<16384>(&mut entries);
    of_size::<65536>(&mut entries);
    Contest {
        figure: "ring by item size".into(),
        title: "our ring by item size: room for 1 MiB, or for 64 items if that is more".into(),
        unit: "GB/s",
        better: Better::Higher,
        axis: Axis::MessageSize,
        sweep: true,
        bytes: None,
        notes: vec![
            "each byte is made and checked, which is a part of the work".into(),
            "in place: 64 at a time, or a quarter of the ring if that is less".into(),
        ],
        entries,
    }
}

fn of_size<const SIZE: usize>(entries: &mut Vec<Entry>) {
    let capacity = (BYTES / SIZE).max(FEWEST);
    let slice = SLICE.min(capacity / PART);
    let tell = || gigabytes(SIZE);
    let single = passing(1, capacity, tell(), move || one_by_one::<SIZE>(capacity));
    let slices = passing(slice, capacity, tell(), move || {
        in_place::<SIZE>(capacity, slice)
    });
    entries.push(entry(SINGLE, SIZE, single));
    entries.push(entry(SLICES, SIZE, slices));
}

fn passing(unit: usize, capacity: usize, tell: Tell, open: impl Fn() -> Ends + 'static) -> Passing {
    Passing::duel(unit as u64, 2 * capacity as u64, tell, open)
}

fn entry(name: &str, x: usize, passing: Passing) -> Entry {
    Entry {
        name: name.into(),
        family: Family::Ours,
        waits: Some(Waits::Both),
        yardstick: false,
        x: x as f64,
        run: Box::new(passing),
    }
}

type Bytes<const SIZE: usize> = [u8; SIZE];

fn ends<const SIZE: usize, S, R>(
    capacity: usize,
    send: impl FnOnce(Producer<Bytes<SIZE>>) -> S + Send + 'static,
    receive: impl FnOnce(Consumer<Bytes<SIZE>>) -> R + Send + 'static,
) -> Ends
where
    S: FnMut(std::ops::Range<u64>) + 'static,
    R: FnMut(std::ops::Range<u64>) + 'static,
{
    let ring = Ring::private(capacity).expect("a ring");
    let other = ring.clone();
    Ends {
        source: start(move || send(ring.producer().expect("the producer's role"))),
        sink: start(move || receive(other.consumer().expect("the consumer's role"))),
        between: Between::Processes,
    }
}

fn one_by_one<const SIZE: usize>(capacity: usize) -> Ends {
    ends::<SIZE, _, _>(
        capacity,
        |mut tx| move |numbers| numbers.for_each(|n| tx.push([n as u8; SIZE]).expect("a consumer")),
        |mut rx| move |numbers| numbers.for_each(|n| check(&rx.pop().expect("a producer"), n)),
    )
}

fn in_place<const SIZE: usize>(capacity: usize, slice: usize) -> Ends {
    ends::<SIZE, _, _>(
        capacity,
        move |mut tx| {
            move |numbers| {
                for first in numbers.step_by(slice) {
                    let mut room = tx.reserve(slice).expect("a consumer");
                    let (head, tail) = room.as_mut_slices();
                    let slots = head.iter_mut().chain(tail);
                    slots.zip(first..).for_each(|(slot, n)| slot.fill(n as u8));
                    room.commit(slice);
                }
            }
        },
        move |mut rx| {
            move |numbers| {
                let mut next = numbers.start;
                while next < numbers.end {
                    let items = rx.peek(slice).expect("a producer");
                    let (head, tail) = items.as_slices();
                    let numbered = head.iter().chain(tail).zip(next..);
                    numbered.for_each(|(item, n)| check(item, n));
                    next += items.len() as u64;
                    items.release_all();
                }
            }
        },
    )
}

/// Panics unless each byte has what the item's number comes to.
#[inline(always)]
fn check<const SIZE: usize>(item: &Bytes<SIZE>, n: u64) {
    let wrong = item.iter().fold(0, |wrong, byte| wrong | (byte ^ n as u8));
    assert!(wrong == 0, "item {n} did not come whole or in its turn");
}
