//! Instructions of each call when they were last recorded, with the Rust version of `Cargo.toml`, on x86-64.
//!
//! Those of this program and the crate alone: what the C library takes, which copies whatever is long, depends on the machine.
//! `RINGPIPE_RECORD=1 cargo bench --bench instructions` prints this file anew.

use crate::Each;
use crate::cases::CASES;

#[rustfmt::skip]
pub(crate) const RECORDED: &[(&str, f64)] = &[
    ("spsc push, 8 B", 39.0),
    ("spsc pop, 8 B", 34.0),
    ("spsc push, 64 B", 50.0),
    ("spsc pop, 64 B", 58.0),
    ("spsc try_push, 8 B", 39.0),
    ("spsc try_pop, 8 B", 34.0),
    ("spsc reserve and commit, 8 B", 51.0),
    ("spsc peek and release, 8 B", 55.0),
    ("spsc push_slice of 64, 8 B", 87.0),
    ("spsc pop_slice of 64, 8 B", 72.0),
    ("spsc push_slice of 64, 64 B", 94.0),
    ("spsc pop_slice of 64, 64 B", 77.0),
    ("mpmc push, 8 B", 96.5),
    ("mpmc pop, 8 B", 95.5),
    ("mpmc push, 64 B", 108.5),
    ("mpmc pop, 64 B", 120.5),
    ("mpmc push_slice of 32, 8 B", 415.0),
    ("mpmc pop_slice of 32, 8 B", 417.0),
    ("stream write of 64 B", 277.2),
    ("stream read of 64 B", 196.0),
    ("stream write of 4 KiB", 277.2),
    ("stream read of 4 KiB", 196.0),
];

/// Prints this file with other numbers.
pub(crate) fn print(counts: &[Each]) {
    let (before, rest) = include_str!("recorded.rs")
        .split_once("= &[\n")
        .expect("a table");
    let (_, after) = rest.split_once("];\n").expect("its end");
    println!("{before}= &[");
    for (case, count) in CASES.iter().zip(counts) {
        println!("    ({:?}, {:.1}),", case.name, count.own);
    }
    print!("];\n{after}");
}
