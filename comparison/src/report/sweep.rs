//! Tables of what depends on a size: a line for each size, a column for each way.

use std::fmt::Write;

use super::table::foot;
use super::told::{bytes, count, figure};
use super::work::{Axis, Work};
use crate::common::report::Spread;

pub(crate) fn of(work: &Work) -> String {
    let mut text = format!("\n{}\n  {:<12}", work.title, work.unit);
    let names = distinct(work.rows.iter().map(|row| row.name.as_str()));
    for name in &names {
        let _ = write!(text, " {name:>28}");
    }
    for x in distinct(work.rows.iter().map(|row| row.x)) {
        let _ = write!(text, "\n  {:<12}", place(work.axis, x));
        for name in &names {
            let _ = write!(text, " {:>28}", cell(work, name, x));
        }
    }
    text + "\n" + &foot(work)
}

/// Each once, in the order in which they come.
pub(crate) fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

/// A place on the axis, as people call it.
pub(crate) fn place(axis: Axis, x: f64) -> String {
    match axis {
        Axis::None => String::new(),
        Axis::MessageSize | Axis::PieceSize | Axis::RingSize => bytes(x),
        Axis::Slots | Axis::Participants => count(x),
    }
}

fn cell(work: &Work, name: &str, x: f64) -> String {
    let row = work.rows.iter().find(|row| row.name == name && row.x == x);
    let spread = row.and_then(|row| row.spread);
    spread.map_or("-".into(), |Spread { median, min, max }| {
        let [median, min, max] = [median, min, max].map(figure);
        format!("{median} ({min} to {max})")
    })
}
