//! What goes to standard output: aligned text that no name can spoil, or JSON; a lost reader is no panic.

use std::io::{self, Write};

use serde::Serialize;

use crate::exit::Failure;

/// How wide text is where nothing else says.
const WIDTH: usize = 80;

pub(crate) const OUTPUT: &str = "write to standard output";

/// Writes text to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::io(OUTPUT, &error))
}

/// Writes a value to standard output as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::io("write JSON", &error.into()))?;
    print(&(text + "\n"))
}

/// Rows as lines, each column as wide as its widest cell.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells: String = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}  "))
        .collect();
    format!("{}\n", cells.trim_end())
}

/// Rows of a word and what it stands for, within 80 columns where that can be broken.
pub(crate) fn account_of(rows: &[[String; 2]]) -> String {
    let longest = rows.iter().map(|[word, _]| word.chars().count()).max();
    let indent = longest.unwrap_or(0) + 2;
    rows.iter()
        .map(|[word, value]| {
            let fits = indent + value.chars().count() <= WIDTH;
            let value = match &**word {
                _ if fits => value.clone(),
                "name" => value.clone(), // blanks may be part of it
                _ => wrapped(value, indent, WIDTH),
            };
            format!("{word:indent$}{value}\n")
        })
        .collect()
}

/// A number of things: `1 item`, `2 items`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// Text with breaks between words, so that no line is over `width` columns; `indent` spaces begin all lines but the first.
pub(crate) fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let (mut lines, mut column) = (String::new(), indent);
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if column > indent && column + 1 + len > width {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += len;
    }
    lines
}

/// Text of others, such as a ring's path, without what could steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        if c.is_control() {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bbb"], ["cccc", "d"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "a     bbb\ncccc  d\n");
    }

    #[test]
    fn wrapped_lines_hang_and_fit() {
        assert_eq!(
            wrapped("one two three four", 2, 9),
            "one two\n  three\n  four"
        );
        assert_eq!(wrapped("exactly ten", 0, 11), "exactly ten");
        assert_eq!(
            wrapped("a longer-than-that b", 1, 6),
            "a\n longer-than-that\n b"
        );
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(printable("/tmp/ä\u{1b}[2J\n"), "/tmp/ä\\u{1b}[2J\\n");
    }
}
