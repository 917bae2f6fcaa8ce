//! How many items, or bytes, pass from one side to the other in a second, and how that compares with a pipe and
//! with rtrb in the same run.
//!
//! `cargo bench --bench throughput` takes about a minute. After `--`: `--quick` passes a few thousand items by each
//! way, to see that they come whole and in order; `--json` prints one document; `--rounds N`; a word chooses the
//! tables whose title has it.
//!
//! The contenders take turns in each round, and a ratio is the median of the rounds' ratios. Only ratios mean something
//! elsewhere.

mod common;

use common::contest::{self, Contender, Group, Match};
use common::duel::{self, Ends, Laps};
use common::payload::{CHUNK, Line, SLICE};
use common::report::Measure;
use common::{machine, pipes, rings, rtrbs};

const SMALL: usize = 256 << 10;
const MEGABYTE: usize = 1 << 20;
const LARGE: usize = 4 << 20;

/// A contender that passes items in a duel.
fn duellist(
    name: &'static str,
    open: fn(usize) -> Ends,
    capacity: usize,
    warm: usize,
) -> Contender {
    let unit = SLICE as u64; // so that slices divide any number of items
    let warm = (warm as u64).next_multiple_of(unit);
    Contender {
        name,
        run: Box::new(move |timed| duel::run(open(capacity), Laps { warm, timed })),
        unit,
    }
}

/// A contender whose memory is warm after twice its capacity in items.
fn buffer(name: &'static str, open: fn(usize) -> Ends, items: usize) -> Contender {
    duellist(name, open, items, 2 * items)
}

/// A contender that passes chunks through that many bytes.
fn stream(name: &'static str, open: fn(usize) -> Ends, bytes: usize) -> Contender {
    duellist(name, open, bytes, 2 * (bytes / CHUNK))
}

/// The ratio of one contender to another, by place.
fn over(ours: usize, theirs: usize, goal: Option<f64>) -> Match {
    Match {
        ours,
        theirs: vec![theirs],
        goal,
    }
}

fn groups() -> Vec<Group> {
    vec![
        small_items(),
        lines(),
        small_slices(),
        line_slices(),
        streams(),
    ]
}

fn small_items() -> Group {
    Group {
        title: "8 bytes, one at a time",
        note: "",
        measure: Measure::Items(8),
        contenders: vec![
            buffer("ring, 256 KiB", rings::single::<u64>, SMALL / 8),
            buffer("rtrb, 256 KiB", rtrbs::single::<u64>, SMALL / 8),
            buffer("pipe", |_| pipes::single::<u64>(), pipes::DEFAULT / 8),
            buffer("ring, 4 MiB", rings::single::<u64>, LARGE / 8),
            buffer("rtrb, 4 MiB", rtrbs::single::<u64>, LARGE / 8),
        ],
        matches: vec![
            over(0, 2, Some(50.0)),
            over(0, 1, Some(1.0)),
            over(3, 4, Some(1.0)),
        ],
    }
}

fn lines() -> Group {
    Group {
        title: "64 bytes, one at a time",
        note: "",
        measure: Measure::Items(64),
        contenders: vec![
            buffer("ring, 256 KiB", rings::single::<Line>, SMALL / 64),
            buffer("rtrb, 256 KiB", rtrbs::single::<Line>, SMALL / 64),
            buffer("pipe", |_| pipes::single::<Line>(), pipes::DEFAULT / 64),
            buffer("ring, 4 MiB", rings::single::<Line>, LARGE / 64),
            buffer("rtrb, 4 MiB", rtrbs::single::<Line>, LARGE / 64),
        ],
        matches: vec![
            over(0, 2, None),
            over(0, 1, Some(1.0)),
            over(3, 4, Some(1.0)),
        ],
    }
}

fn small_slices() -> Group {
    Group {
        title: "8 bytes, 64 at a time",
        note: "",
        measure: Measure::Items(8),
        contenders: vec![
            buffer("ring slices, 256 KiB", rings::slices::<u64>, SMALL / 8),
            buffer("ring in place, 256 KiB", rings::in_place::<u64>, SMALL / 8),
            buffer("rtrb chunks, 256 KiB", rtrbs::chunks::<u64>, SMALL / 8),
            buffer("ring slices, 4 MiB", rings::slices::<u64>, LARGE / 8),
            buffer("ring in place, 4 MiB", rings::in_place::<u64>, LARGE / 8),
            buffer("rtrb chunks, 4 MiB", rtrbs::chunks::<u64>, LARGE / 8),
        ],
        matches: vec![
            over(0, 2, None),
            over(1, 2, None),
            over(3, 5, None),
            over(4, 5, None),
        ],
    }
}

fn line_slices() -> Group {
    Group {
        title: "64 bytes, 64 at a time",
        note: "",
        measure: Measure::Items(64),
        contenders: vec![
            buffer("ring slices, 256 KiB", rings::slices::<Line>, SMALL / 64),
            buffer(
                "ring in place, 256 KiB",
                rings::in_place::<Line>,
                SMALL / 64,
            ),
            buffer("rtrb chunks, 256 KiB", rtrbs::chunks::<Line>, SMALL / 64),
            buffer("ring slices, 4 MiB", rings::slices::<Line>, LARGE / 64),
            buffer("ring in place, 4 MiB", rings::in_place::<Line>, LARGE / 64),
            buffer("rtrb chunks, 4 MiB", rtrbs::chunks::<Line>, LARGE / 64),
        ],
        matches: vec![
            over(0, 2, None),
            over(1, 2, None),
            over(3, 5, None),
            over(4, 5, None),
        ],
    }
}

fn streams() -> Group {
    Group {
        title: "a stream of bytes, 64 KiB at a time",
        note: "",
        measure: Measure::Items(CHUNK),
        contenders: vec![
            stream("ring in place, 1 MiB", rings::stream_in_place, MEGABYTE),
            stream("ring in place, 4 MiB", rings::stream_in_place, LARGE),
            stream("ring copied, 1 MiB", rings::stream_copied, MEGABYTE),
            stream("ring copied, 4 MiB", rings::stream_copied, LARGE),
            stream("pipe, 64 KiB", pipes::stream, pipes::DEFAULT),
            stream("pipe, 1 MiB", pipes::stream, MEGABYTE),
        ],
        matches: vec![
            over(0, 4, Some(3.0)),
            over(1, 4, Some(3.0)),
            over(2, 4, Some(3.0)),
            over(3, 4, Some(3.0)),
            over(2, 5, None),
        ],
    }
}

fn main() {
    contest::hold(&machine::introduction(), groups());
}
