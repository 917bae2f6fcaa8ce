//! How many bytes flow in a second, in writes of several sizes.

use super::contest::{Contest, Entry};
use super::passing::{Passing, gigabytes};
use crate::common::duel::Ends;
use crate::common::{kernel, pipes, streams};
use crate::report::told::bytes;
use crate::report::work::{Axis, Better};
use crate::way::Waits;
use crate::ways::Family;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const WRITES: [usize; 3] = [4 * KIB, 64 * KIB, MIB];

/// Opens one with writes of that size that holds so many bytes.
type Open = fn(usize, usize) -> Ends;

/// The stream first that has as many bytes as it has unless told otherwise.
const OURS: [(&str, usize, Open); 6] = [
    (
        "stream, 256 KiB",
        streams::DEFAULT_CAPACITY,
        streams::copied,
    ),
    ("stream, 64 KiB", 64 * KIB, streams::copied),
    ("stream, 1 MiB", MIB, streams::copied),
    (
        "stream in place, 256 KiB",
        streams::DEFAULT_CAPACITY,
        streams::in_place,
    ),
    ("stream in place, 64 KiB", 64 * KIB, streams::in_place),
    ("stream in place, 1 MiB", MIB, streams::in_place),
];

const KERNEL: [(&str, usize, Open); 6] = [
    ("pipe, 64 KiB", pipes::DEFAULT, kernel::through_pipe),
    ("pipe, 1 MiB", MIB, kernel::through_pipe),
    ("UNIX stream", pipes::DEFAULT, |size, _| {
        kernel::through_socket(size)
    }),
    (
        "UNIX stream, larger buffer",
        2 * MIB,
        kernel::through_large_socket,
    ),
    ("vmsplice, 64 KiB", pipes::DEFAULT, kernel::through_vmsplice),
    ("vmsplice, 1 MiB", MIB, kernel::through_vmsplice),
];

pub(crate) fn contests() -> Vec<Contest> {
    WRITES.map(contest).into()
}

fn contest(size: usize) -> Contest {
    let ours = OURS.map(|one| entry(size, Family::Ours, Waits::Both, one));
    let kernel = KERNEL.map(|one| entry(size, Family::Kernel, Waits::Asleep, one));
    Contest {
        figure: "streams of bytes".into(),
        title: format!("streams of bytes: writes of {}", bytes(size as f64)),
        unit: "GB/s",
        better: Better::Higher,
        axis: Axis::PieceSize,
        sweep: false,
        bytes: None,
        notes: vec!["each byte is made and checked, which is a part of the work".into()],
        entries: ours.into_iter().chain(kernel).collect(),
    }
}

fn entry(size: usize, family: Family, waits: Waits, one: (&str, usize, Open)) -> Entry {
    let (name, capacity, open) = one;
    let warm = 2 * capacity.div_ceil(size) as u64;
    let passing = Passing::duel(1, warm, gigabytes(size), move || open(size, capacity));
    Entry {
        name: name.into(),
        family,
        waits: Some(waits),
        yardstick: false,
        x: size as f64,
        run: Box::new(passing),
    }
}
