//! What came out of the same work for all: figures, ratios, percentiles.

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};

use crate::common::report::Spread;
use crate::measure::weather::Weather;
use crate::way::Waits;
use crate::ways::Family;

/// Whether more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// What a plot of several works has along its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Axis {
    /// Nothing: the work stands alone.
    None,
    /// Bytes of a message.
    MessageSize,
    /// Bytes that are copied or written at a time.
    PieceSize,
    /// Bytes of a ring.
    RingSize,
    /// Slots of a ring.
    Slots,
    /// Producers and consumers together.
    Participants,
}

/// One measurement of one contender.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Repetition {
    pub(crate) round: usize,
    pub(crate) value: f64,
    pub(crate) p99_ns: Option<u64>,
    pub(crate) fell_behind: bool,
    #[serde(flatten)]
    pub(crate) weather: Weather,
}

/// What single messages took, in all rounds together, in nanoseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
    /// Nines and nanoseconds: at 3, 99.9 % took no longer.
    pub(crate) curve: Vec<(f64, u64)>,
}

impl Latency {
    pub(crate) fn of(times: &Histogram<u64>) -> Self {
        let at = |quantile| times.value_at_quantile(quantile);
        Self {
            count: times.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: times.max(),
            curve: curve(times),
        }
    }
}

/// The fraction that so many nines stand for.
pub(crate) fn quantile(nines: f64) -> f64 {
    1.0 - 10f64.powf(-nines)
}

/// The curve goes as far as a message alone decides.
fn curve(times: &Histogram<u64>) -> Vec<(f64, u64)> {
    let most = (times.len().max(1) as f64).log10();
    let steps = (most * 20.0) as usize;
    let point = |nines: f64| (nines, times.value_at_quantile(quantile(nines)));
    (0..=steps).map(|step| point(step as f64 / 20.0)).collect()
}

/// What one contender did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(serialize_with = "debug")]
    pub(crate) family: Family,
    #[serde(serialize_with = "debug")]
    pub(crate) waits: Option<Waits>,
    /// Whether it shows what a part of the work costs, rather than taking part.
    pub(crate) yardstick: bool,
    pub(crate) x: f64,
    /// What is peculiar to this one.
    pub(crate) detail: Option<String>,
    #[serde(serialize_with = "spread")]
    pub(crate) spread: Option<Spread>,
    /// How many times as good the first of ours is, round by round.
    #[serde(serialize_with = "spread")]
    pub(crate) ratio: Option<Spread>,
    /// How many round trips of a cache line it took, round by round.
    #[serde(serialize_with = "spread")]
    pub(crate) to_line: Option<Spread>,
    pub(crate) latency: Option<Latency>,
    /// Why there are no figures, or no more of them.
    pub(crate) remark: Option<String>,
    /// Whether that is because it failed, or a message was not what it should be.
    pub(crate) failed: bool,
    pub(crate) repetitions: Vec<Repetition>,
}

fn debug<S: Serializer>(value: &impl std::fmt::Debug, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format!("{value:?}").to_lowercase())
}

fn spread<S: Serializer>(value: &Option<Spread>, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Ends {
        median: f64,
        min: f64,
        max: f64,
    }
    let ends = |Spread { median, min, max }| Ends { median, min, max };
    value.map(ends).serialize(to)
}

/// All who did the same work.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Work {
    pub(crate) figure: String,
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) axis: Axis,
    pub(crate) sweep: bool,
    pub(crate) bytes: Option<usize>,
    pub(crate) notes: Vec<String>,
    /// The one of ours that ratios are of.
    pub(crate) reference: Option<String>,
    pub(crate) rows: Vec<Row>,
}

impl Work {
    /// With medians, and ratios of the same rounds, and the rows in the order of the table.
    pub(crate) fn evaluated(mut self) -> Self {
        let ours = self.rows.iter().find(|row| row.family == Family::Ours);
        let ours = ours.filter(|row| !row.yardstick && !self.sweep).cloned();
        self.reference = ours.as_ref().map(|row| row.name.clone());
        let ours = ours.map(|row| row.repetitions).unwrap_or_default();
        for row in &mut self.rows {
            row.spread = spread_of(row.repetitions.iter().map(|one| one.value));
            row.to_line = spread_of(row.repetitions.iter().filter_map(to_line));
            if !row.yardstick {
                row.ratio = spread_of(ratios(&ours, &row.repetitions, self.better));
            }
        }
        if !self.sweep {
            let better = self.better;
            self.rows.sort_by(|a, b| {
                place(a, better)
                    .partial_cmp(&place(b, better))
                    .expect("numbers")
            });
        }
        self
    }

    /// The rival to beat.
    pub(crate) fn best_rival(&self) -> Option<&Row> {
        let rivals = self.rows.iter().filter(|row| row.family != Family::Ours);
        let measured = rivals.filter(|row| row.spread.is_some() && !row.yardstick);
        let worth = |row: &Row| place(row, self.better).1;
        measured.min_by(|a, b| worth(a).total_cmp(&worth(b)))
    }

    fn repetitions(&self) -> impl Iterator<Item = &Repetition> + Clone {
        self.rows.iter().flat_map(|row| &row.repetitions)
    }

    /// A cache line's round trips around all repetitions.
    pub(crate) fn lines(&self) -> Option<Spread> {
        spread_of(self.repetitions().filter_map(|one| one.weather.mean_line()))
    }

    pub(crate) fn switches(&self) -> i64 {
        let switches = |one: &Repetition| one.weather.involuntary_switches;
        self.repetitions().map(switches).sum()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.rows.iter().any(|row| row.failed)
    }

    /// How many repetitions are to be distrusted, of how many.
    pub(crate) fn disturbed(&self) -> (usize, usize) {
        let all = self.repetitions();
        let disturbed = all.clone().filter(|one| one.weather.disturbed);
        (disturbed.count(), all.count())
    }
}

/// By family, the best first; who was not measured last.
fn place(row: &Row, better: Better) -> (u8, f64) {
    let worth = match (row.spread, better) {
        (None, _) => f64::MAX,
        (Some(spread), Better::Higher) => -spread.median,
        (Some(spread), Better::Lower) => spread.median,
    };
    (
        if row.yardstick {
            u8::MAX
        } else {
            row.family as u8
        },
        worth,
    )
}

fn spread_of(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut figures = figures.into_iter().peekable();
    figures.peek().is_some().then(|| Spread::of(figures))
}

fn to_line(one: &Repetition) -> Option<f64> {
    Some(one.value / one.weather.mean_line()?)
}

/// Above one where ours are better.
fn ratios<'a>(
    ours: &'a [Repetition],
    theirs: &'a [Repetition],
    better: Better,
) -> impl Iterator<Item = f64> + 'a {
    let same_round = move |one: &'a Repetition| {
        let other = theirs.iter().find(|other| other.round == one.round)?;
        Some(match better {
            Better::Higher => one.value / other.value,
            Better::Lower => other.value / one.value,
        })
    };
    ours.iter().filter_map(same_round)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, family: Family, values: &[f64]) -> Row {
        let weather = Weather {
            line_before: None,
            line_after: None,
            stolen_ticks: 0,
            involuntary_switches: 0,
            disturbed: false,
        };
        let rounds = values.iter().enumerate();
        let repetition = |(round, &value): (usize, &f64)| Repetition {
            round,
            value,
            p99_ns: None,
            fell_behind: false,
            weather,
        };
        Row {
            name: name.into(),
            family,
            waits: None,
            yardstick: false,
            x: 0.0,
            detail: None,
            spread: None,
            ratio: None,
            to_line: None,
            latency: None,
            remark: None,
            failed: false,
            repetitions: rounds.map(repetition).collect(),
        }
    }

    fn work(better: Better) -> Work {
        let rows = vec![
            row("slow", Family::Kernel, &[1.0, 2.0, 4.0]),
            row("fast", Family::Kernel, &[20.0, 10.0, 30.0]),
            row("ours", Family::Ours, &[10.0, 20.0, 80.0]),
        ];
        Work {
            figure: String::new(),
            title: String::new(),
            unit: "",
            better,
            axis: Axis::None,
            sweep: false,
            bytes: None,
            notes: Vec::new(),
            reference: None,
            rows,
        }
        .evaluated()
    }

    #[test]
    fn ratios_are_of_the_same_rounds_and_above_one_where_ours_are_better() {
        let ratio = |work: &Work, name: &str| {
            let row = work.rows.iter().find(|row| row.name == name);
            let spread = row.and_then(|row| row.ratio).expect("a ratio");
            (spread.min, spread.median, spread.max)
        };
        let more = work(Better::Higher);
        assert_eq!(ratio(&more, "slow"), (10.0, 10.0, 20.0));
        assert_eq!(ratio(&more, "fast"), (0.5, 2.0, 8.0 / 3.0));
        assert_eq!(more.best_rival().map(|row| row.name.as_str()), Some("fast"));
        let less = work(Better::Lower);
        assert_eq!(ratio(&less, "slow"), (0.05, 0.1, 0.1));
        assert_eq!(less.best_rival().map(|row| row.name.as_str()), Some("slow"));
        let order =
            |work: &Work| -> Vec<String> { work.rows.iter().map(|row| row.name.clone()).collect() };
        assert_eq!(order(&more), ["ours", "fast", "slow"]);
        assert_eq!(order(&less), ["ours", "slow", "fast"]);
    }

    #[test]
    fn the_curve_has_each_nine_where_it_belongs() {
        let mut times = crate::timing::histogram();
        (1..=1000).for_each(|time| times.saturating_record(time));
        let latency = Latency::of(&times);
        let at = |nines: f64| latency.curve.iter().find(|point| point.0 == nines);
        assert_eq!(at(1.0), Some(&(1.0, 900)));
        assert_eq!(at(2.0), Some(&(2.0, 990)));
        assert_eq!(at(3.0), Some(&(3.0, 999)));
        assert_eq!(latency.curve.last().map(|point| point.0), Some(3.0));
        assert_eq!((latency.p50, latency.p999, latency.max), (500, 999, 1000));
    }
}
