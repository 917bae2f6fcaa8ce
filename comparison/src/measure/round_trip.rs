//! How long a message there and an answer back take, one after the other (a closed loop).

use super::contest::{Contest, Entry, Plan, Reading, Run};
use super::contestants::Contestant;
use super::passing::{Passing, millions};
use crate::report::work::{Axis, Better};
use crate::timing::Times;

const CAPACITY: usize = 1024;
const WARM: u64 = 1000;

const NOTES: [&str; 2] = [
    "each round trip is timed on its own, by two readings of the clock, one of which counts",
    "lines: the median in round trips of a bare cache line, measured just before and after; ratios are of medians",
];

pub(crate) fn contests() -> Vec<Contest> {
    vec![contest(0, 8), contest(1, 64)]
}

fn contest(place: usize, size: usize) -> Contest {
    Contest {
        figure: format!("round trip of {size} B"),
        title: format!("round trip: {size} B there, {size} B back"),
        unit: "there and back",
        better: Better::Lower,
        axis: Axis::None,
        sweep: false,
        bytes: None,
        notes: NOTES.map(String::from).into(),
        entries: Contestant::all_singly()
            .iter()
            .map(|one| entry(one, place))
            .collect(),
    }
}

fn entry(one: &Contestant, place: usize) -> Entry {
    let (open, times) = (one.round_trips[place], Times::new());
    let noted = times.clone();
    let open = move || open(CAPACITY, noted.clone());
    let passing = Passing::duel(1, WARM, millions(), open);
    one.entry(0.0, RoundTrips { passing, times })
}

struct RoundTrips {
    passing: Passing,
    times: Times,
}

impl Run for RoundTrips {
    fn plan(&self, quick: bool) -> Result<Plan, String> {
        self.passing.plan(quick)
    }

    fn once(&self, plan: Plan) -> Reading {
        self.passing.pass(plan);
        let taken = self.times.take();
        Reading {
            value: taken.histogram.value_at_quantile(0.5) as f64,
            times: taken.pairs(),
            fell_behind: false,
        }
    }
}
