//! Rounds in which all contenders take turns, with a look at the machine before and after each repetition.

use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use super::isolated::isolated;
use super::weather::{Weather, watched};
use crate::common::duel::Laps;
use crate::report::work::{Axis, Better, Latency, Repetition, Row, Work};
use crate::timing::histogram;
use crate::way::Waits;
use crate::ways::Family;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    /// One tiny round, to see that everything works.
    pub(crate) quick: bool,
}

/// What a repetition came to.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reading {
    /// In the contest's unit.
    pub(crate) value: f64,
    /// What single messages took: nanoseconds, and how many took as long.
    pub(crate) times: Vec<(u64, u64)>,
    /// Whether messages were sent ever later than they were due.
    pub(crate) fell_behind: bool,
}

impl Reading {
    pub(crate) fn of(value: f64) -> Self {
        Self {
            value,
            times: Vec::new(),
            fell_behind: false,
        }
    }
}

/// How much makes a repetition of the right length.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) warm: u64,
    pub(crate) timed: u64,
    /// Messages per second, where they are sent by a schedule.
    pub(crate) rate: f64,
}

impl Plan {
    pub(crate) fn laps(self) -> Laps {
        Laps {
            warm: self.warm,
            timed: self.timed,
        }
    }
}

/// Something that can be measured again and again, each time in a process of its own.
pub(crate) trait Run {
    /// Finds out how much to do; or says why there is nothing to measure.
    fn plan(&self, quick: bool) -> Result<Plan, String>;

    fn once(&self, plan: Plan) -> Reading;

    /// What is peculiar to this one.
    fn detail(&self, _: Plan) -> Option<String> {
        None
    }
}

/// One who takes part.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) family: Family,
    pub(crate) waits: Option<Waits>,
    /// Whether it shows what a part of the work costs, rather than taking part.
    pub(crate) yardstick: bool,
    /// Where it stands on the contest's axis, if that is swept.
    pub(crate) x: f64,
    pub(crate) run: Box<dyn Run>,
}

/// The same work for all who take part.
pub(crate) struct Contest {
    /// The plot that it belongs to.
    pub(crate) figure: String,
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) axis: Axis,
    /// Whether the entries stand at several places of the axis, rather than beside each other.
    pub(crate) sweep: bool,
    /// Bytes of a message, where bytes per second mean something.
    pub(crate) bytes: Option<usize>,
    pub(crate) notes: Vec<String>,
    pub(crate) entries: Vec<Entry>,
}

impl Contest {
    /// Leaves out the rivals whose names have none of these words, if there are any.
    pub(crate) fn select(&mut self, names: &[String]) {
        let named = |name: &str| names.iter().any(|word| name.contains(word.as_str()));
        self.entries
            .retain(|one| one.family == Family::Ours || names.is_empty() || named(&one.name));
    }

    /// Has everybody measured, once in each round.
    pub(crate) fn hold(self, settings: &Settings, progress: &ProgressBar) -> Work {
        let mut taken = self.prepare(settings, progress);
        let mut line = Weather::line();
        for round in 0..settings.rounds {
            for turn in 0..taken.len() {
                let i = (round + turn) % taken.len();
                progress.set_message(self.entries[i].name.clone());
                line = taken[i].take(round, line, self.entries[i].run.as_ref());
                progress.inc(1);
            }
        }
        self.close(taken)
    }

    fn prepare(&self, settings: &Settings, progress: &ProgressBar) -> Vec<Taken> {
        let prepared = |one: &Entry| {
            progress.set_message(one.name.clone());
            Taken::by(isolated(|| one.run.plan(settings.quick)))
        };
        self.entries.iter().map(prepared).collect()
    }

    fn close(self, taken: Vec<Taken>) -> Work {
        let rows = self.entries.into_iter().zip(taken);
        Work {
            figure: self.figure,
            title: self.title,
            unit: self.unit,
            better: self.better,
            axis: self.axis,
            sweep: self.sweep,
            bytes: self.bytes,
            notes: self.notes,
            reference: None,
            rows: rows.map(|(entry, taken)| taken.row(entry)).collect(),
        }
        .evaluated()
    }
}

/// What one entry did so far.
struct Taken {
    plan: Option<Plan>,
    /// Why there is nothing more to measure.
    remark: Option<String>,
    failed: bool,
    repetitions: Vec<Repetition>,
    times: Histogram<u64>,
}

impl Taken {
    fn by(plan: Result<Result<Plan, String>, String>) -> Self {
        let failed = plan.is_err();
        let plan = plan.and_then(|plan| plan);
        Self {
            plan: plan.as_ref().ok().copied(),
            remark: plan.err(),
            failed,
            repetitions: Vec::new(),
            times: histogram(),
        }
    }

    /// One repetition; returns how far apart the processors are after it.
    fn take(&mut self, round: usize, line: Option<Duration>, run: &dyn Run) -> Option<Duration> {
        let Some(plan) = self.plan else { return line };
        let (reading, weather) = watched(line, || isolated(|| run.once(plan)));
        match reading {
            Ok(reading) => self.enter(round, &reading, weather),
            Err(why) => {
                self.failed = true;
                self.remark = Some(why);
                self.plan = None;
            }
        }
        weather.line_after
    }

    fn enter(&mut self, round: usize, reading: &Reading, weather: Weather) {
        let mut times = histogram();
        for &(nanoseconds, count) in &reading.times {
            times.saturating_record_n(nanoseconds, count);
        }
        self.times.add(&times).expect("histograms of one make");
        self.repetitions.push(Repetition {
            round,
            value: reading.value,
            p99_ns: (!times.is_empty()).then(|| times.value_at_quantile(0.99)),
            fell_behind: reading.fell_behind,
            weather,
        });
    }

    fn row(self, entry: Entry) -> Row {
        Row {
            name: entry.name,
            family: entry.family,
            waits: entry.waits,
            yardstick: entry.yardstick,
            x: entry.x,
            detail: self.plan.and_then(|plan| entry.run.detail(plan)),
            latency: (!self.times.is_empty()).then(|| Latency::of(&self.times)),
            repetitions: self.repetitions,
            spread: None,
            ratio: None,
            to_line: None,
            remark: self.remark,
            failed: self.failed,
        }
    }
}
