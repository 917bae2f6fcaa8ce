//! Who takes part in a ring whose roles are shared, as `ringpipe stat` shows it.

use super::{Segment, kind};
use crate::memory::{Board, Facts, Region};
use crate::parking::Semaphores;
use crate::ring::many::outside::{self, Seen};
use crate::ring::{Role, Roll};
use crate::sync::{Arc, Ordering};
use crate::sys::proc;

/// One who takes part in a ring with several producers and consumers, or who died at it and left something that nobody has
/// put in order yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// Its number, from 1 up.
    pub number: usize,
    /// What it does.
    pub role: Role,
    /// Its process, as seen in this process's pid namespace; 0 if it cannot be told.
    pub pid: i32,
    /// What that process calls itself, if it lives.
    pub command: Option<String>,
    /// Whether it lives, as the kernel has it.
    pub alive: bool,
    /// How many items it has pushed or popped.
    pub moved: u64,
    /// Whether it sleeps, or is about to.
    pub sleeping: bool,
}

/// What became of what the dead had in hand, since the ring was made. Statistics: an update may be lost with a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tallies {
    /// Claims of the dead that were cleared up.
    pub recovered: u64,
    /// Items that were delivered again: those of dead consumers, and those that were put back.
    pub redelivered: u64,
    /// Items that were dropped with the consumer that had them.
    pub dropped: u64,
    /// Slots that were reserved and never filled.
    pub skipped: u64,
}

/// The table and, where they claim slots, the words of a ring whose roles are shared, to be read; `None` if it is of another
/// kind, or cannot be.
pub(super) fn board(region: &Arc<Region>, facts: &Facts) -> Option<Board> {
    let words = match facts.expected.kind {
        kind::MPMC => facts.capacity,
        kind::STREAM => 0,
        _ => return None,
    };
    match facts.crew.participants {
        0 => None,
        participants => Board::fitting(Arc::clone(region), participants, words),
    }
}

/// All that are in the table of a segment, by their numbers.
pub(super) fn participants(segment: &Segment) -> Vec<Participant> {
    let Some(board) = board(&segment.region, &segment.facts) else {
        return vec![];
    };
    let seen = outside::participants(&board);
    // After the table: who enters it has its semaphore before, and who leaves it has it until after.
    let alive = segment.semaphores.numbers().unwrap_or_default();
    let told: Vec<_> = seen
        .iter()
        .map(|seen| participant(seen, &alive, &segment.semaphores))
        .collect();
    let still = seen.iter().map(|seen| outside::is_there(&board, seen));
    told.into_iter()
        .zip(still)
        .filter_map(|(told, still)| still.then_some(told))
        .collect()
}

fn participant(seen: &Seen, alive: &Roll, semaphores: &Semaphores) -> Participant {
    let alive = alive.contains(seen.number);
    let pid = semaphores.last_owner(seen.number).unwrap_or(0);
    Participant {
        number: seen.number.into(),
        role: seen.role,
        pid,
        command: alive.then(|| proc::command_of(pid)).flatten(),
        alive,
        moved: seen.moved,
        sleeping: alive && seen.asleep,
    }
}

pub(super) fn tallies(segment: &Segment) -> Tallies {
    let Some(board) = board(&segment.region, &segment.facts) else {
        return Tallies::default();
    };
    let tallies = &board.crowd().tallies;
    Tallies {
        // Relaxed: figures for people.
        recovered: tallies.recovered.load(Ordering::Relaxed),
        redelivered: tallies.redelivered.load(Ordering::Relaxed),
        dropped: tallies.dropped.load(Ordering::Relaxed),
        skipped: tallies.skipped.load(Ordering::Relaxed),
    }
}
