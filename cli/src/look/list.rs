//! The table of `ringpipe ls`.

use std::io;

use terminal_size::{Width, terminal_size_of};

use super::view::{Side, View};
use super::words;
use crate::text::{columns, printable};

/// One line for each ring, its name last. On a terminal, a name that does not fit there has a line of its own.
pub(super) fn table(rings: &[View]) -> String {
    let head = [
        "ID", "KIND", "HOLDS", "MEMORY", "OWNER", "MODE", "AGE", "IN", "OUT", "NAME",
    ];
    let rows: Vec<_> = [head.map(str::to_owned)]
        .into_iter()
        .chain(rings.iter().map(row))
        .collect();
    let table = columns(&rows);
    let Some((Width(width), _)) = terminal_size_of(io::stdout()) else {
        return table;
    };
    let lines = table.lines().zip(&rows);
    lines
        .map(|(line, row)| fitted(line, &row[9], width.into()))
        .collect()
}

fn fitted(line: &str, name: &str, width: usize) -> String {
    match line.strip_suffix(name) {
        Some(front) if line.chars().count() > width => {
            format!("{}\n  {name}\n", front.trim_end())
        }
        _ => format!("{line}\n"),
    }
}

fn row(ring: &View) -> [String; 10] {
    let name = printable(&ring.name);
    let holds = ring.len as u64;
    [
        ring.id.to_string(),
        ring.kind.clone(),
        if ring.is_stream() {
            words::short_bytes(holds)
        } else {
            holds.to_string()
        },
        words::short_bytes(ring.segment_size as u64),
        ring.user.clone().unwrap_or_else(|| ring.uid.to_string()),
        ring.mode[1..].to_owned(),
        words::short_age(ring.created),
        in_short(&ring.producer),
        in_short(&ring.consumer),
        match ring.state {
            "ready" => name,
            state => format!("{name} ({state})"),
        },
    ]
}

/// How many are there; if nobody is, what became of the last.
fn in_short(side: &Side) -> String {
    match (side.attached, side.holders, side.finished) {
        (0, 0, _) => "-".to_owned(),
        (0, _, true) => "end".to_owned(),
        (0, ..) => "died".to_owned(),
        (attached, ..) => attached.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_fit_has_its_own_line() {
        assert_eq!(fitted("1  /a/b", "/a/b", 7), "1  /a/b\n");
        assert_eq!(fitted("1  /a/b", "/a/b", 6), "1\n  /a/b\n");
    }
}
