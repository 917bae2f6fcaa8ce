//! What is to be drawn: lines, which of them matter, and what the axes say.

use super::sweep::place;
use super::told::{figure as number, time};
use super::work::{Axis, Better, Row, Work};
use crate::ways::Family;

/// How many lines are drawn in colour; the others are grey.
const COLOURED: usize = 8;

/// A row's name, and its figures from left to right.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) ours: bool,
    pub(crate) coloured: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What the horizontal axis has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Across {
    /// Sizes or numbers, of which each step is twice the last.
    Doublings(Axis),
    /// Percentiles: each step has another nine.
    Nines,
}

impl Across {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Nines => "messages that took no longer",
            Self::Doublings(Axis::MessageSize) => "size of a message",
            Self::Doublings(Axis::PieceSize) => "bytes at a time",
            Self::Doublings(Axis::RingSize) => "memory between the two",
            Self::Doublings(Axis::Slots) => "slots of the ring",
            Self::Doublings(Axis::Participants) => "producers and consumers together",
            Self::Doublings(Axis::None) => "",
        }
    }

    /// What stands at a place of the axis, which is a logarithm; nothing between the steps.
    pub(crate) fn label(self, at: f64) -> String {
        let step = at.round();
        if (at - step).abs() > 1e-6 {
            return String::new();
        }
        match self {
            Self::Doublings(axis) => place(axis, step.exp2()),
            Self::Nines => nines(step as usize),
        }
    }
}

/// 90 % for one nine, 99.9 % for three.
fn nines(count: usize) -> String {
    match count {
        0 => "0 %".into(),
        1 => "90 %".into(),
        2 => "99 %".into(),
        more => format!("99.{} %", "9".repeat(more - 2)),
    }
}

/// One plot.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) title: String,
    pub(crate) across: Across,
    pub(crate) unit: String,
    pub(crate) better: Better,
    pub(crate) is_time: bool,
    pub(crate) lines: Vec<Line>,
}

impl Figure {
    /// What can be drawn of these works.
    pub(crate) fn all(works: &[Work]) -> Vec<Self> {
        let mut titles: Vec<&str> = Vec::new();
        for work in works {
            if titles.last() != Some(&work.figure.as_str()) {
                titles.push(&work.figure);
            }
        }
        let of = |title: &str| works.iter().filter(|work| work.figure == title).collect();
        let figures = titles.into_iter().filter_map(|title| Self::of(of(title)));
        figures.collect()
    }

    /// Times of ours by the capacity of a ring.
    pub(crate) fn by_capacity(title: String, lines: Vec<Line>) -> Self {
        Self {
            title,
            across: Across::Doublings(Axis::Slots),
            unit: "time".into(),
            better: Better::Lower,
            is_time: true,
            lines: coloured(lines, Better::Lower),
        }
    }

    fn of(works: Vec<&Work>) -> Option<Self> {
        let first = *works.first()?;
        let is_time = first.rows.iter().any(|row| row.latency.is_some());
        let across = match first.axis {
            _ if is_time => Across::Nines,
            Axis::None => return None,
            axis => Across::Doublings(axis),
        };
        let lines = coloured(lines(&works), first.better);
        let worth_it = lines.iter().any(|line| line.points.len() > 1);
        worth_it.then(|| Self {
            title: first.figure.clone(),
            across,
            unit: first.unit.into(),
            better: first.better,
            is_time,
            lines,
        })
    }

    pub(crate) fn file_name(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = self.title.to_lowercase().chars().map(plain).collect();
        let words = name.split('-').filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-") + ".svg"
    }

    pub(crate) fn value(&self, value: f64) -> String {
        if self.is_time {
            time(value)
        } else if value >= 1.0 {
            format!("{value}")
        } else {
            number(value)
        }
    }
}

fn lines(works: &[&Work]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for row in works.iter().flat_map(|work| &work.rows) {
        let points = points(row);
        match lines.iter_mut().find(|line| line.name == row.name) {
            Some(line) => line.points.extend(points),
            None => lines.push(Line {
                name: row.name.clone(),
                ours: row.family == Family::Ours,
                coloured: false,
                points,
            }),
        }
    }
    lines.retain(|line| !line.points.is_empty());
    lines
}

fn points(row: &Row) -> Vec<(f64, f64)> {
    match (&row.latency, row.spread) {
        (Some(latency), _) => {
            let curve = latency.curve.iter();
            curve.map(|&(nines, time)| (nines, time as f64)).collect()
        }
        (None, Some(spread)) => vec![(row.x.log2(), spread.median)],
        (None, None) => Vec::new(),
    }
}

/// Ours and the best of the others are to be seen, the best last.
fn coloured(mut lines: Vec<Line>, better: Better) -> Vec<Line> {
    lines.sort_by(|a, b| {
        let place = |line: &Line| (!line.ours, worth(line, better));
        place(a).partial_cmp(&place(b)).expect("numbers")
    });
    for line in lines.iter_mut().take(COLOURED) {
        line.coloured = true;
    }
    lines.reverse();
    lines
}

/// The mean of the logarithms, and less of it for the better.
fn worth(line: &Line, better: Better) -> f64 {
    let sum: f64 = line
        .points
        .iter()
        .map(|(_, value)| value.max(1e-9).ln())
        .sum();
    let mean = sum / line.points.len() as f64;
    match better {
        Better::Higher => -mean,
        Better::Lower => mean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, ours: bool, value: f64) -> Line {
        Line {
            name: name.into(),
            ours,
            coloured: false,
            points: vec![(3.0, value), (4.0, value)],
        }
    }

    #[test]
    fn ours_and_the_best_rivals_are_coloured() {
        for (better, worst) in [(Better::Higher, 0), (Better::Lower, 9)] {
            let rivals = (0..10).map(|n| line(&n.to_string(), false, n as f64 + 1.0));
            let lines = rivals.chain([line("ours", true, 0.1)]).collect();
            let drawn = coloured(lines, better);
            let shown: Vec<_> = drawn.iter().filter(|line| line.coloured).collect();
            assert_eq!(shown.len(), COLOURED);
            assert_eq!(shown.last().map(|line| line.name.as_str()), Some("ours"));
            assert_eq!(drawn[0].name, worst.to_string());
            assert!(!drawn[0].coloured);
        }
    }

    #[test]
    fn each_step_of_the_percentiles_has_another_nine() {
        let labels = [0.0, 1.0, 2.0, 3.0, 5.0].map(|at| Across::Nines.label(at));
        assert_eq!(labels, ["0 %", "90 %", "99 %", "99.9 %", "99.999 %"]);
        assert_eq!(Across::Nines.label(1.5), "");
        let sizes = Across::Doublings(Axis::MessageSize);
        assert_eq!([3.0, 12.0].map(|at| sizes.label(at)), ["8 B", "4 KiB"]);
    }
}
