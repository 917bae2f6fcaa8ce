//! How long after it was due a message arrives, when messages are due at a fixed rate whatever becomes of them (an open
//! loop).

use std::time::Duration;

use super::contest::{Contest, Entry, Plan, Reading, Run};
use super::contestants::Contestant;
use super::passing::{Passing, millions};
use crate::common::duel;
use crate::report::told::per_second;
use crate::report::work::{Axis, Better};
use crate::scheduled::Schedule;
use crate::timing::{Pace, Times};

const CAPACITY: usize = 1024;

/// How long messages are sent for.
const LENGTH: Duration = Duration::from_millis(200);

/// How long it takes to find out how many messages a way can do.
const TRIAL: Duration = Duration::from_millis(30);

/// Messages a second, and how many, where nothing is to be measured.
const QUICK: (f64, u64) = (1e5, 100);

/// How late the last message may be sent, as a part of the whole and in nanoseconds, whichever is more, unless the
/// producer is to count as having fallen behind.
const LATE: (f64, u64) = (0.02, 1_000_000);

const NOTES: [&str; 2] = [
    "from when a message was due by the schedule until it was there; the producer spins until then, and sends at once what is late",
    "lines: the median in round trips of a bare cache line; ratios are of medians",
];

/// How many messages are due in a second.
#[derive(Clone, Copy)]
enum Rate {
    Fixed(f64),
    /// Half of what the way can do here, clocks included.
    Half,
}

pub(crate) fn contests() -> Vec<Contest> {
    let fixed = [1e4, 1e5, 1e6].map(Rate::Fixed);
    fixed.into_iter().chain([Rate::Half]).map(contest).collect()
}

fn contest(rate: Rate) -> Contest {
    let told = match rate {
        Rate::Fixed(rate) => per_second(rate),
        Rate::Half => "half of what each can do".into(),
    };
    Contest {
        figure: format!("open loop, {told}"),
        title: format!("open loop: 64 B messages, {told}"),
        unit: "from when it was due",
        better: Better::Lower,
        axis: Axis::None,
        sweep: false,
        bytes: None,
        notes: notes(rate),
        entries: Contestant::all_singly()
            .iter()
            .map(|one| entry(one, rate))
            .collect(),
    }
}

fn notes(rate: Rate) -> Vec<String> {
    let mut notes: Vec<String> = NOTES.map(String::from).into();
    if matches!(rate, Rate::Half) {
        notes.push("each has a rate of its own, so mind it when you read the ratios".into());
    }
    notes
}

fn entry(one: &Contestant, rate: Rate) -> Entry {
    let open_loop = OpenLoop {
        one: *one,
        wanted: rate,
        times: Times::new(),
    };
    one.entry(0.0, open_loop)
}

struct OpenLoop {
    one: Contestant,
    wanted: Rate,
    times: Times,
}

impl OpenLoop {
    /// How many messages a second can be done at most, with everything being due at once.
    fn most(&self) -> f64 {
        let (one, times) = (self.one, self.times.clone());
        let at_once = Schedule::of(f64::INFINITY, Pace::Awake);
        let open = move || (one.scheduled)(CAPACITY, at_once, times.clone());
        let passing = Passing::duel(1, 2 * CAPACITY as u64, millions(), open);
        passing.plan_for(TRIAL).rate
    }
}

impl Run for OpenLoop {
    fn plan(&self, quick: bool) -> Result<Plan, String> {
        if quick {
            return Ok(plan(QUICK.0, QUICK.1));
        }
        let most = self.most();
        let rate = match self.wanted {
            Rate::Fixed(rate) if rate > most => {
                return Err(format!("cannot keep up: {} at most", per_second(most)));
            }
            Rate::Fixed(rate) => rate,
            Rate::Half => most / 2.0,
        };
        Ok(plan(rate, (rate * LENGTH.as_secs_f64()) as u64))
    }

    fn once(&self, plan: Plan) -> Reading {
        let schedule = Schedule::of(plan.rate, Pace::Awake);
        let ends = (self.one.scheduled)(CAPACITY, schedule, self.times.clone());
        duel::run(ends, plan.laps());
        let taken = self.times.take();
        let late = (LATE.0 * schedule.interval * plan.timed as f64) as u64;
        Reading {
            value: taken.histogram.value_at_quantile(0.5) as f64,
            times: taken.pairs(),
            fell_behind: taken.last_late > late.max(LATE.1),
        }
    }

    fn detail(&self, plan: Plan) -> Option<String> {
        matches!(self.wanted, Rate::Half).then(|| format!("at {}", per_second(plan.rate)))
    }
}

fn plan(rate: f64, timed: u64) -> Plan {
    Plan {
        warm: timed.div_ceil(10),
        timed,
        rate,
    }
}
