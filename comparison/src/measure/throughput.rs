//! How many messages of each size pass in a second.

use super::contest::{Contest, Entry};
use super::contestants::{Contestant, SIZES, SLICE};
use super::passing::{Passing, millions};
use crate::report::told::bytes;
use crate::report::work::{Axis, Better};

/// How many bytes of messages each holds, as far as it can be told to.
const RINGS: [usize; 2] = [256 << 10, 4 << 20];

pub(crate) fn contests() -> Vec<Contest> {
    let mut contests = Vec::new();
    for ring in RINGS {
        for slices in [false, true] {
            contests.extend((0..SIZES.len()).map(|size| contest(ring, slices, size)));
        }
    }
    contests
}

fn contest(ring: usize, slices: bool, size: usize) -> Contest {
    let how = if slices {
        format!("{SLICE} at a time")
    } else {
        "one at a time".into()
    };
    let figure = format!("throughput, {how}, room for {}", bytes(ring as f64));
    Contest {
        title: format!(
            "messages of {}, {how}, room for {}",
            bytes(SIZES[size] as f64),
            bytes(ring as f64)
        ),
        figure,
        unit: "million messages/s",
        better: Better::Higher,
        axis: Axis::MessageSize,
        sweep: false,
        bytes: Some(SIZES[size]),
        notes: Vec::new(),
        entries: Contestant::all()
            .iter()
            .filter_map(|one| entry(one, ring, slices, size))
            .collect(),
    }
}

/// Nobody, where a way has no call for many messages.
fn entry(one: &Contestant, ring: usize, slices: bool, size: usize) -> Option<Entry> {
    let capacity = ring / SIZES[size];
    let (open, unit) = if slices {
        (one.slices?[size], SLICE)
    } else {
        (one.singly()?[size], 1)
    };
    let warm = 2 * capacity as u64;
    let passing = Passing::duel(unit as u64, warm, millions(), move || open(capacity));
    Some(one.entry(SIZES[size] as f64, passing))
}
