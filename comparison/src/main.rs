//! Measures ringpipe beside its rivals, in one run.

#[path = "../../benches/common/mod.rs"]
mod common;
mod ends;
mod way;
mod ways;

use common::duel::{self, Laps};
use common::machine;

fn main() {
    let laps = Laps {
        warm: 10_000,
        timed: 100_000,
    };
    for _ in 0..5 {
        let line = machine::ping_pong().unwrap().as_nanos() as f64;
        let ring8 = duel::run(ends::echo::<1, ways::Ring>(1024), laps).as_nanos() as f64 / 1e5;
        let ring64 = duel::run(ends::echo::<8, ways::Ring>(1024), laps).as_nanos() as f64 / 1e5;
        let line2 = machine::ping_pong().unwrap().as_nanos() as f64;
        let slices = duel::run(
            ends::slices::<64, 8, ways::Ring>(1024),
            Laps {
                warm: 64 * 1000,
                timed: 64 * 10000,
            },
        )
        .as_nanos() as f64
            / 640000.;
        let pipe = duel::run(
            ends::echo::<8, ways::Pipe>(1024),
            Laps {
                timed: 1000,
                ..laps
            },
        )
        .as_nanos() as f64
            / 1e3;
        println!(
            "line {line} {line2} ring8 {ring8} ring64 {ring64} pipe {pipe} slice-of-64 {slices} ns an item"
        );
    }
}
