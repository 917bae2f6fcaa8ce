//! Sentences of errors that take more than a template.

use crate::Name;
use crate::sysv::Errno;

/// A number of things: `1 item`, `2 items`.
pub(super) fn count(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

/// What a capacity amounts to. Items of one byte are bytes.
pub(super) fn capacity(capacity: usize, item_size: usize) -> String {
    match item_size {
        1 => count(capacity, "byte"),
        _ => format!("{} of {item_size} bytes", count(capacity, "item")),
    }
}

/// That something has the name. What is no ring is not to be removed as one.
pub(super) fn taken(name: &Name, what: Option<&str>) -> String {
    match what {
        None => format!(
            "{name} exists already; open it, take another name, or remove it with `ringpipe rm {name}`"
        ),
        Some(what) => {
            format!("{name} exists already and is not a ring, but {what}; take another name")
        }
    }
}

/// That something is forbidden, and who could allow or do it.
pub(super) fn denied(name: &Name, action: &str, source: Errno) -> String {
    let shown = match name {
        Name::Path(_) => format!("`ls -l {name}`"),
        _ => "`ipcs -m`".to_owned(),
    };
    let rule = match action {
        "remove" => {
            format!("only its owner, who made it or root may; {shown} shows whose it is")
        }
        _ => format!(
            "to use a ring takes the right to read and write it, to look at it the right to read it; {shown} shows \
             whose it is and its mode, which its maker chooses (`Options::mode`, `--mode`)"
        ),
    };
    format!("no permission to {action} {name}: {source}; {rule}")
}

/// That as many take part as can.
pub(super) fn crowded(limit: usize) -> String {
    let all = match limit {
        1 => "the one participant that this ring can have is there".to_owned(),
        _ => format!("all {limit} participants that this ring can have are there"),
    };
    format!(
        "{all} (`ringpipe stat` shows who); wait for one to end, or create the ring with a higher limit \
         (`Options::participants`)"
    )
}

/// How many items of a slice were pushed.
pub(super) fn pushed(number: usize) -> String {
    let were = if number == 1 { "was" } else { "were" };
    format!("{} {were} pushed", count(number, "item"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_them_is_not_several() {
        assert_eq!(count(1, "item"), "1 item");
        assert_eq!(count(0, "item"), "0 items");
        assert_eq!(capacity(1, 8), "1 item of 8 bytes");
        assert_eq!(capacity(1, 1), "1 byte");
        assert_eq!(pushed(1), "1 item was pushed");
        assert_eq!(pushed(2), "2 items were pushed");
        assert!(crowded(1).starts_with("the one participant"));
    }
}
