//! One ordering weakened on purpose, to see that a model fails without it.
//!
//! `RINGPIPE_WEAKEN=src/ring/side.rs:190` makes the access on that line relaxed, and takes a fence on it away; with `:acquire` or
//! `:release` behind it, only that half goes. `ci/edges.sh` does this to every edge. `RINGPIPE_WEAKEN=list` prints the
//! accesses stronger than relaxed that a model makes.

use std::collections::HashSet;
use std::panic::Location;
use std::sync::{Mutex, OnceLock};

use loom::sync::atomic::Ordering;

/// The line, and the half that goes, if it is but one.
#[derive(Debug)]
struct Target {
    file: String,
    line: u32,
    half: Option<Ordering>,
}

fn wish() -> Option<&'static str> {
    static WISH: OnceLock<Option<String>> = OnceLock::new();
    let wish = WISH.get_or_init(|| std::env::var("RINGPIPE_WEAKEN").ok());
    wish.as_deref()
}

fn target() -> Option<&'static Target> {
    static TARGET: OnceLock<Option<Target>> = OnceLock::new();
    TARGET
        .get_or_init(|| wish().filter(|wish| *wish != "list").map(parse))
        .as_ref()
}

fn parse(wish: &str) -> Target {
    let mut parts = wish.split(':');
    let file = parts.next().expect("a file").to_owned();
    let line = parts.next().and_then(|line| line.parse().ok());
    let half = parts.next().map(|half| match half {
        "acquire" => Ordering::Acquire,
        "release" => Ordering::Release,
        other => panic!("acquire or release, not {other}"),
    });
    Target {
        file,
        line: line.expect("a line: FILE:LINE, or FILE:LINE:acquire"),
        half,
    }
}

/// The ordering that an access at `at` has today.
pub(super) fn ordering(order: Ordering, at: &Location<'_>) -> Ordering {
    if order == Ordering::Relaxed {
        return order;
    }
    if wish() == Some("list") {
        list(order, at);
    }
    let Some(target) = target().filter(|target| target.is(at)) else {
        return order;
    };
    match (order, target.half) {
        (Ordering::AcqRel, Some(Ordering::Acquire)) => Ordering::Release,
        (Ordering::AcqRel, Some(Ordering::Release)) => Ordering::Acquire,
        _ => Ordering::Relaxed,
    }
}

impl Target {
    fn is(&self, at: &Location<'_>) -> bool {
        self.line == at.line() && at.file().ends_with(&self.file)
    }
}

fn list(order: Ordering, at: &Location<'_>) {
    static LISTED: Mutex<Option<HashSet<(String, u32)>>> = Mutex::new(None);
    let mut listed = LISTED.lock().expect("nobody panics with it");
    let place = (at.file().to_owned(), at.line());
    if listed.get_or_insert_default().insert(place) {
        println!("edge {}:{} {order:?}", at.file(), at.line());
    }
}
