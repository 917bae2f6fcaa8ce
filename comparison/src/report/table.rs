//! Tables for the terminal.

use std::fmt::Write;

use super::sweep;
use super::told::{figure, time};
use super::work::{Better, Row, Work};
use crate::common::report::Spread;
use crate::ways::Family;

/// What a family's rows stand under.
pub(crate) fn family_name(family: Family) -> &'static str {
    match family {
        Family::Ours => "ours, between processes",
        Family::Kernel => "the kernel's, between processes",
        Family::Processes => "others, between processes",
        Family::Threads => "between threads of one process",
    }
}

/// One line for each contender, ours first; or one for each size.
pub(crate) fn of(work: &Work) -> String {
    if work.sweep {
        return sweep::of(work);
    }
    let mut text = format!("\n{}\n{}", work.title, heading(work));
    let best = work.best_rival().map(|row| row.name.as_str());
    let mut family = None;
    for row in &work.rows {
        let group = if row.yardstick {
            "for comparison"
        } else {
            family_name(row.family)
        };
        if family.replace(group) != Some(group) {
            let _ = writeln!(text, " {group}");
        }
        let mark = if best == Some(&row.name) { '*' } else { ' ' };
        let _ = writeln!(text, " {mark}{:<30} {}", row.name, cells(work, row));
    }
    text + &foot(work)
}

fn heading(work: &Work) -> String {
    let unit = match work.better {
        Better::Higher => format!("{} (more is better)", work.unit),
        Better::Lower => format!("{} (less is better)", work.unit),
    };
    let columns = if has_latency(work) {
        format!(
            "{:>9} {:>9} {:>9} {:>9} {:>9} {:>8}",
            "p50", "p90", "p99", "p99.9", "max", "lines"
        )
    } else {
        let gigabytes = if work.bytes.is_some() { "GB/s" } else { "" };
        format!("{:>9} {:>9} {:>9} {:>7}", "median", "min", "max", gigabytes)
    };
    let ratio = ratio_title(work);
    format!("  {unit:<30} {columns}  {ratio}\n")
}

fn ratio_title(work: &Work) -> String {
    let reference = work.reference.as_ref();
    reference.map_or(String::new(), |name| {
        format!("{name} is better by a factor of")
    })
}

fn has_latency(work: &Work) -> bool {
    work.rows.iter().any(|row| row.latency.is_some())
}

fn cells(work: &Work, row: &Row) -> String {
    if let Some(remark) = &row.remark {
        let failed = if row.failed { "FAILED: " } else { "" };
        return format!("  {failed}{remark}");
    }
    let mut cells = if has_latency(work) {
        latencies(row)
    } else {
        speeds(work, row)
    };
    if let Some(Spread { median, min, max }) = row.ratio {
        let _ = write!(
            cells,
            "  {:>7} ({} to {})",
            figure(median),
            figure(min),
            figure(max)
        );
    }
    cells + &row_remarks(row)
}

fn row_remarks(row: &Row) -> String {
    let behind = row.repetitions.iter().filter(|one| one.fell_behind).count();
    let detail = row.detail.iter().map(|detail| format!("  {detail}"));
    let mut remarks: String = detail.collect();
    if behind > 0 {
        let _ = write!(
            remarks,
            "  fell behind in {behind} of {}",
            row.repetitions.len()
        );
    }
    remarks
}

fn latencies(row: &Row) -> String {
    let Some(latency) = &row.latency else {
        return String::new();
    };
    let mut cells = String::new();
    let figures = [
        latency.p50,
        latency.p90,
        latency.p99,
        latency.p999,
        latency.max,
    ];
    for (i, nanoseconds) in figures.into_iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        let _ = write!(cells, "{space}{:>9}", time(nanoseconds as f64));
    }
    let lines = row
        .to_line
        .map_or("-".into(), |spread| figure(spread.median));
    let _ = write!(cells, " {lines:>8}");
    cells
}

fn speeds(work: &Work, row: &Row) -> String {
    let Some(Spread { median, min, max }) = row.spread else {
        return String::new();
    };
    let bytes = work.bytes.map(|bytes| median * bytes as f64 / 1e3);
    let bytes = bytes.map_or(String::new(), figure);
    let [median, min, max] = [median, min, max].map(figure);
    format!("{median:>9} {min:>9} {max:>9} {bytes:>7}")
}

/// What is to be known about the whole.
pub(crate) fn foot(work: &Work) -> String {
    let mut text = String::new();
    for note in &work.notes {
        let _ = writeln!(text, "  {note}");
    }
    let (disturbed, all) = work.disturbed();
    let lines = work.lines();
    let line = lines.map_or(String::new(), |Spread { median, min, max }| {
        format!("; a cache line's round trip: {median:.0} ns ({min:.0} to {max:.0})")
    });
    let switches = work.switches();
    let _ = writeln!(
        text,
        "  disturbed: {disturbed} of {all} repetitions{line}; {switches} involuntary context switches"
    );
    text
}
