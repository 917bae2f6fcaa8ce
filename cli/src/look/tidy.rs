//! Removing rings: those that are named, and those that are provably dead.

use ringpipe::Garbage;
use serde::Serialize;

use super::view::bytes_of;
use crate::args::{Gc, Rm};
use crate::exit::Failure;
use crate::text::{print, print_json, printable};

/// Runs `ringpipe rm`: tries every name, and ends as the first failure says.
pub(crate) fn rm(order: &Rm) -> Result<(), Failure> {
    let names = order.names.iter();
    if order.other_namespace {
        return crate::exit::all(names.map(ringpipe::remove_other_namespace));
    }
    crate::exit::all(names.map(ringpipe::remove))
}

/// What `ringpipe gc --json` prints.
#[derive(Debug, Serialize)]
struct Collection {
    dry_run: bool,
    garbage: Vec<Piece>,
}

#[derive(Debug, Serialize)]
struct Piece {
    kind: &'static str,
    /// Of a segment or a semaphore set.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The path's bytes, where `path` does not have them all.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Vec<u8>>,
}

impl Piece {
    fn of(garbage: &Garbage) -> Self {
        let (kind, id, path) = match garbage {
            Garbage::HalfMade(id) => ("half made", Some(id.raw()), None),
            Garbage::Nameless(id) => ("nameless", Some(id.raw()), None),
            Garbage::Removed(id) => ("removed", Some(id.raw()), None),
            Garbage::Broken(id) => ("broken", Some(id.raw()), None),
            Garbage::Semaphores(id) => ("semaphores", Some(id.raw()), None),
            Garbage::StaleName(path) => ("stale name", None, Some(path.display().to_string())),
            _ => ("unknown", None, None),
        };
        let path_bytes = match garbage {
            Garbage::StaleName(path) => bytes_of(path),
            _ => None,
        };
        Self {
            kind,
            id,
            path,
            path_bytes,
        }
    }
}

/// Runs `ringpipe gc`.
pub(crate) fn gc(order: &Gc) -> Result<(), Failure> {
    let found = ringpipe::collect(&order.paths, order.dry_run)?;
    if order.json {
        return print_json(&Collection {
            dry_run: order.dry_run,
            garbage: found.iter().map(Piece::of).collect(),
        });
    }
    let verb = if order.dry_run {
        "would remove"
    } else {
        "removed"
    };
    let lines: String = found
        .iter()
        .map(|garbage| format!("{verb} {}\n", printable(&garbage.to_string())))
        .collect();
    print(&lines)
}
