//! What a ring costs apart from messages: a table for each kind, by capacity.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::figure::{Figure, Line};
use super::sweep::distinct;
use super::told::{bytes, count, time};
use crate::measure::costs::Cost;

/// What one work takes on rings of one capacity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CostRow {
    ring: String,
    work: String,
    /// In slots; a stream's slot is a byte.
    capacity: usize,
    item_bytes: usize,
    /// As the kernel says.
    segment_bytes: usize,
    /// As docs/abi.md says.
    formula_bytes: usize,
    median_ns: u64,
    min_ns: u64,
    max_ns: u64,
}

impl From<Cost> for CostRow {
    fn from(cost: Cost) -> Self {
        Self {
            ring: cost.ring.into(),
            work: cost.work.into(),
            capacity: cost.capacity,
            item_bytes: cost.item,
            segment_bytes: cost.segment,
            formula_bytes: cost.formula,
            median_ns: cost.median,
            min_ns: cost.least,
            max_ns: cost.most,
        }
    }
}

impl CostRow {
    /// Whether the ring has another size than the documentation says.
    pub(crate) fn is_wrong(&self) -> bool {
        self.segment_bytes != self.formula_bytes
    }
}

/// A plot for each kind of ring.
pub(crate) fn figures(rows: &[CostRow]) -> impl Iterator<Item = Figure> {
    let kinds = distinct(rows.iter().map(|row| row.ring.as_str()));
    kinds.into_iter().map(|kind| {
        let of_kind = rows.iter().filter(|row| row.ring == kind);
        let works = distinct(of_kind.map(|row| row.work.as_str()));
        let line = |work: &str| Line {
            name: work.into(),
            ours: true,
            coloured: false,
            points: rows
                .iter()
                .filter(|row| row.ring == kind && row.work == work)
                .map(|row| ((row.capacity as f64).log2(), row.median_ns as f64))
                .collect(),
        };
        let title = format!("what a ring costs apart from messages, {kind}");
        Figure::by_capacity(title, works.into_iter().map(line).collect())
    })
}

/// A table for each kind of ring.
pub(crate) fn tables(rows: &[CostRow]) -> String {
    let kinds = distinct(rows.iter().map(|row| row.ring.as_str()));
    let of = |kind| rows.iter().filter(|row| row.ring == kind).collect();
    kinds
        .into_iter()
        .map(|kind| table(kind, of(kind)))
        .collect()
}

fn table(kind: &str, rows: Vec<&CostRow>) -> String {
    let capacities = distinct(rows.iter().map(|row| row.capacity));
    let works = distinct(rows.iter().map(|row| row.work.as_str()));
    let at = |capacity, work: Option<&str>| {
        let mut these = rows.iter().filter(|row| row.capacity == capacity);
        these.find(|row| work.is_none_or(|work| row.work == work))
    };
    let item = rows.first().map_or(0, |row| row.item_bytes);
    let mut text = format!(
        "\nwhat a ring costs apart from messages: {kind}, items of {item} B, by capacity (medians)\n"
    );
    line(
        &mut text,
        "",
        capacities.iter().map(|&slots| count(slots as f64)),
    );
    for work in works {
        let cell =
            |&capacity: &usize| at(capacity, Some(work)).map(|row| time(row.median_ns as f64));
        line(
            &mut text,
            work,
            capacities
                .iter()
                .map(|capacity| cell(capacity).unwrap_or("-".into())),
        );
    }
    let memory = |&capacity: &usize| at(capacity, None).map_or(String::new(), |row| memory(row));
    line(
        &mut text,
        "memory, as docs/abi.md says",
        capacities.iter().map(memory),
    );
    text
}

fn memory(row: &CostRow) -> String {
    if row.is_wrong() {
        return format!("FAILED: {} for {}", row.segment_bytes, row.formula_bytes);
    }
    bytes(row.segment_bytes as f64)
}

fn line(text: &mut String, name: &str, cells: impl Iterator<Item = String>) {
    let _ = write!(text, "  {name:<44}");
    for cell in cells {
        let _ = write!(text, " {cell:>11}");
    }
    text.push('\n');
}
