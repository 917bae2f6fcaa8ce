//! What the machine can do at all: what no way can be better than.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::band;
use super::contest::{Contest, Entry, Plan, Reading, Run};
use super::passing::{Passing, gigabytes};
use crate::common::machine;
use crate::report::work::{Axis, Better};
use crate::ways::Family;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Bytes that are copied at a time.
const COPIES: [usize; 8] = [
    8 * KIB,
    32 * KIB,
    256 * KIB,
    MIB,
    4 * MIB,
    16 * MIB,
    32 * MIB,
    64 * MIB,
];

/// Bytes of the memory that lies between two processors.
const BANDS: [usize; 4] = [64 * KIB, 256 * KIB, MIB, 16 * MIB];

pub(crate) fn contests() -> Vec<Contest> {
    vec![copies(), bands(), line()]
}

fn copies() -> Contest {
    Contest {
        figure: "memcpy".into(),
        title: "limits of the machine: memcpy, one process, by size".into(),
        notes: vec!["bytes copied, read and written once each".into()],
        entries: COPIES.map(copy).into(),
        ..contest("GB/s", Better::Higher, Axis::PieceSize)
    }
}

fn bands() -> Contest {
    Contest {
        figure: "core to core".into(),
        title: "limits of the machine: from one process to another, 16 KiB at a time, by size of the memory between".into(),
        notes: vec!["copied in by one and out by the other, with two indices and nothing else".into()],
        entries: BANDS.map(between).into(),
        ..contest("GB/s", Better::Higher, Axis::RingSize)
    }
}

fn line() -> Contest {
    Contest {
        figure: "line".into(),
        title: "limits of the machine: a cache line there and back".into(),
        sweep: false,
        notes: vec!["two lines: one for each direction, as two rings have".into()],
        entries: vec![
            entry("a cache line", 0.0, Line(machine::ping_pong)),
            entry(
                "two cache lines",
                0.0,
                Line(machine::ping_pong_on_two_lines),
            ),
        ],
        ..contest("ns", Better::Lower, Axis::None)
    }
}

fn contest(unit: &'static str, better: Better, axis: Axis) -> Contest {
    Contest {
        figure: String::new(),
        title: String::new(),
        unit,
        better,
        axis,
        sweep: true,
        bytes: None,
        notes: Vec::new(),
        entries: Vec::new(),
    }
}

fn entry(name: &str, x: f64, run: impl Run + 'static) -> Entry {
    Entry {
        name: name.into(),
        family: Family::Ours,
        waits: None,
        yardstick: true,
        x,
        run: Box::new(run),
    }
}

fn copy(size: usize) -> Entry {
    let passing = Passing::new(1, 2, gigabytes(size), move |laps| {
        machine::become_consumer();
        let (from, mut to) = (vec![1_u8; size], vec![0; size]);
        copy_often(&from, &mut to, laps.warm);
        copy_often(&from, &mut to, laps.timed)
    });
    entry("memcpy", size as f64, passing)
}

fn copy_often(from: &[u8], to: &mut [u8], times: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        to.copy_from_slice(black_box(from));
        black_box(&mut *to);
    }
    start.elapsed()
}

fn between(size: usize) -> Entry {
    let warm = 2 * (size / band::PIECE) as u64;
    let open = move || band::open(size);
    let passing = Passing::duel(1, warm, gigabytes(band::PIECE), open);
    entry("core to core", size as f64, passing)
}

struct Line(fn() -> Option<Duration>);

impl Run for Line {
    fn plan(&self, _: bool) -> Result<Plan, String> {
        let line = (self.0)().ok_or("there is one processor only")?;
        Ok(Plan {
            warm: 0,
            timed: line.as_nanos() as u64,
            rate: 0.0,
        })
    }

    fn once(&self, _: Plan) -> Reading {
        let line = (self.0)().expect("a second processor");
        Reading::of(line.as_nanos() as f64)
    }
}
