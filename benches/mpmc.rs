//! How many items pass from several producers to several consumers in a second: by queues and channels between threads,
//! and by the textbook's semaphores between processes.
//!
//! `cargo bench --bench mpmc` takes less than a minute. After `--`: `--quick` passes a few thousand items by each way,
//! to see that none is lost, doubled or overtaken; `--json` prints one document; `--rounds N`; a word chooses the
//! tables whose title has it.
//!
//! The contenders take turns in each round, and a ratio is the median of the rounds' ratios. Only ratios mean something
//! elsewhere.

mod common;

use common::contest::{self, Contender, Group, Match};
use common::crowd::{self, Crowd, Shape};
use common::duel::Laps;
use common::{machine, queues, warehouse};

/// Items that each contender holds. A System V semaphore counts to 32767.
const CAPACITY: usize = 16 << 10;

/// What each number of items is a multiple of, so that runs of 128 divide what each of four producers sends.
const UNIT: u64 = 4 * 128;

/// How many items pass before the clock starts; the warehouse, which takes a thousand times as long, starts colder.
const WARM: u64 = 2 * CAPACITY as u64;

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
    Group {
        title,
        note: "",
        bytes: 8,
        contenders: rivals(shape),
        matches: matches(),
    }
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

/// What the queue and the channels, the first three, gain over the warehouse.
fn matches() -> Vec<Match> {
    let over_warehouse = |ours| Match {
        ours,
        theirs: vec![3],
        goal: None,
    };
    (0..3).map(over_warehouse).collect()
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
