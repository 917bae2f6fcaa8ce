//! How many items the ring passes from several producers to several consumers in a second, and how that compares with
//! queues and channels between threads, and with the textbook's semaphores between processes, in the same run.
//!
//! `cargo bench --bench mpmc` takes somewhat more than a minute. After `--`: `--quick` passes a few thousand items by
//! each way, to see that none is lost, doubled or overtaken; `--json` prints one document; `--rounds N`; a word chooses
//! the tables whose title has it.
//!
//! The contenders take turns in each round, and a ratio is the median of the rounds' ratios. Only ratios mean something
//! elsewhere.

mod common;

use common::contest::{self, Contender, Group, Match};
use common::crowd::{self, Crowd, Shape};
use common::duel::{Between, Laps};
use common::report::Measure;
use common::{machine, queues, rings_mpmc, warehouse};

/// Items that each contender holds. A System V semaphore counts to 32767.
const CAPACITY: usize = 16 << 10;

/// What each number of items is a multiple of, so that runs divide what each of four producers sends.
const UNIT: u64 = 4 * 128;

/// How many items pass before the clock starts; the warehouse, which takes a thousand times as long, starts colder.
const WARM: u64 = 2 * CAPACITY as u64;

const NOTE: &str = "queue, channels and warehouse pass items one by one, having no calls for runs";

fn contender(
    shape: Shape,
    name: &'static str,
    warm: u64,
    open: impl Fn() -> Crowd + 'static,
) -> Contender {
    Contender {
        name,
        run: Box::new(move |timed| crowd::run(open(), shape, Laps { warm, timed })),
        unit: UNIT,
    }
}

fn group(title: &'static str, producers: u64, consumers: u64) -> Group {
    let shape = Shape {
        producers,
        consumers,
    };
    let mut contenders = rings(shape, Between::Processes, RINGS);
    contenders.extend(rings(shape, Between::Threads, RINGS_IN_THREADS));
    contenders.extend(rivals(shape));
    Group {
        title,
        note: NOTE,
        measure: Measure::Items(8),
        contenders,
        matches: matches(),
    }
}

const RINGS: [&str; 4] = [
    "ring",
    "ring, runs of 8",
    "ring, runs of 32",
    "ring, runs of 128",
];

const RINGS_IN_THREADS: [&str; 4] = [
    "ring in threads",
    "ring in threads, runs of 8",
    "ring in threads, runs of 32",
    "ring in threads, runs of 128",
];

/// The ring, one item at a time and in runs.
fn rings(shape: Shape, between: Between, names: [&'static str; 4]) -> Vec<Contender> {
    let opens: [fn(usize, Between) -> Crowd; 4] = [
        rings_mpmc::single,
        rings_mpmc::runs::<8>,
        rings_mpmc::runs::<32>,
        rings_mpmc::runs::<128>,
    ];
    let ring = |(name, open): (_, fn(usize, Between) -> Crowd)| {
        contender(shape, name, WARM, move || open(CAPACITY, between))
    };
    names.into_iter().zip(opens).map(ring).collect()
}

fn rivals(shape: Shape) -> Vec<Contender> {
    vec![
        contender(shape, "ArrayQueue", WARM, || queues::array_queue(CAPACITY)),
        contender(shape, "crossbeam-channel", WARM, || {
            queues::crossbeam_channel(CAPACITY)
        }),
        contender(shape, "kanal", WARM, || queues::kanal(CAPACITY)),
        contender(shape, "semaphore warehouse", UNIT, || {
            warehouse::open(CAPACITY)
        }),
    ]
}

/// Who is compared with whom, by place: the ring singly and in runs of 8, 32 and 128, first between processes, then
/// between threads; ArrayQueue and the two channels; the warehouse.
fn matches() -> Vec<Match> {
    let best = |ours, goal| Match {
        ours,
        theirs: vec![8, 9, 10],
        goal,
    };
    let warehouse = |ours, goal| Match {
        ours,
        theirs: vec![11],
        goal,
    };
    vec![
        best(0, Some(1.0)),
        best(1, None),
        best(2, Some(4.0)),
        best(3, None),
        best(4, None),
        best(6, None),
        warehouse(0, None),
        warehouse(2, Some(500.0)),
    ]
}

fn main() {
    let introduction = format!(
        "one and one: {}; more are not pinned; each contender holds {CAPACITY} items",
        machine::introduction()
    );
    let groups = vec![
        group("1x1 producers x consumers", 1, 1),
        group("2x2 producers x consumers", 2, 2),
        group("4x4 producers x consumers", 4, 4),
    ];
    contest::hold(&introduction, groups);
}
