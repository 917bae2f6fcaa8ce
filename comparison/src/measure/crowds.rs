//! How many items pass when several send and several receive, also many more than there are processors.

use super::contest::{Contest, Entry, Plan, Reading, Run};
use super::passing::{Passing, millions};
use crate::common::crowd::{self, Crowd, Shape};
use crate::common::duel::Between;
use crate::common::{queues, rings_mpmc, warehouse};
use crate::report::work::{Axis, Better};
use crate::way::Waits;
use crate::ways::{Family, crowds};

/// Items that each holds.
const CAPACITY: usize = 16 << 10;

const SHAQ: &str = "shaq's queue for many";

/// From so many to as many on it stood still again and again when it was tried.
const SHAQ_STOPS: u64 = 4;

/// Items of one run.
const RUN: usize = 32;

/// As many producers as consumers.
const EACH: [u64; 6] = [1, 2, 4, 8, 16, 32];

pub(crate) fn contests() -> Vec<Contest> {
    EACH.map(contest).into()
}

fn contest(each: u64) -> Contest {
    Contest {
        figure: "producers and consumers".into(),
        title: format!("8 B items, {each} to {each}: several producers and consumers"),
        unit: "million items/s",
        better: Better::Higher,
        axis: Axis::Participants,
        sweep: false,
        bytes: None,
        notes: vec![
            "each item is of one producer and must come once, to one consumer, in that producer's order".into(),
            "nobody is pinned, except one producer that meets one consumer".into(),
        ],
        entries: entries(each),
    }
}

fn entries(each: u64) -> Vec<Entry> {
    let entry = |name, family, waits, open| entry(each, name, family, waits, open);
    let (ours, kernel) = (Family::Ours, Family::Kernel);
    let (processes, threads) = (Family::Processes, Family::Threads);
    vec![
        entry("mpmc ring", ours, Waits::Both, |capacity| {
            rings_mpmc::single(capacity, Between::Processes)
        }),
        entry("mpmc ring, runs of 32", ours, Waits::Both, |capacity| {
            rings_mpmc::runs::<RUN>(capacity, Between::Processes)
        }),
        entry("three semaphores", kernel, Waits::Asleep, warehouse::open),
        entry(SHAQ, processes, Waits::Both, crowds::shaq),
        entry(
            "cloudtoid-interprocess",
            processes,
            Waits::Asleep,
            crowds::cloudtoid,
        ),
        entry(
            "crossbeam ArrayQueue",
            threads,
            Waits::Awake,
            queues::array_queue,
        ),
        entry(
            "crossbeam-channel",
            threads,
            Waits::Both,
            queues::crossbeam_channel,
        ),
        entry("kanal", threads, Waits::Both, queues::kanal),
    ]
}

fn entry(each: u64, name: &str, family: Family, waits: Waits, open: fn(usize) -> Crowd) -> Entry {
    let shape = Shape {
        producers: each,
        consumers: each,
    };
    let pass = move |laps| crowd::run(open(CAPACITY), shape, laps);
    let passing = Passing::new(each * RUN as u64, CAPACITY as u64, millions(), pass);
    Entry {
        name: name.into(),
        family,
        waits: Some(waits),
        yardstick: false,
        x: (2 * each) as f64,
        run: Box::new(Crowded {
            passing,
            refusal: refusal(name, each),
        }),
    }
}

/// Who cannot take part, and why.
fn refusal(name: &str, each: u64) -> Option<String> {
    let too_many = name == SHAQ && each >= SHAQ_STOPS;
    too_many.then(|| "left out: it stood still for a minute, once in a few runs".into())
}

struct Crowded {
    passing: Passing,
    refusal: Option<String>,
}

impl Run for Crowded {
    fn plan(&self, quick: bool) -> Result<Plan, String> {
        self.refusal
            .clone()
            .map_or_else(|| self.passing.plan(quick), Err)
    }

    fn once(&self, plan: Plan) -> Reading {
        self.passing.once(plan)
    }
}
