//! Who is, was or never was in a role: a word for each, beside the semaphores' truth.
//!
//! The semaphores say whether a role is held. The word says the rest: whether anybody ever held it, and
//! whether the last one ended in good order. It is written by the holder (there is one at a time) and,
//! from attached to died, by a peer that asked the semaphores; the generation keeps that peer from
//! overwriting the word of a successor.

use super::Role;
use crate::memory::{Control, Roster};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// What a roster word says of its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Never,
    Attached,
    Finished,
    Died,
}

/// A roster word taken apart: how many ever held the role, and what became of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) generation: u64,
    pub(crate) state: State,
}

impl Entry {
    fn of_word(word: u64) -> Self {
        let state = match word & 3 {
            0 => State::Never,
            1 => State::Attached,
            2 => State::Finished,
            _ => State::Died,
        };
        Self {
            generation: word >> 2,
            state,
        }
    }

    /// The entry of the one who comes after.
    fn successor(self) -> Self {
        // The generation of a hostile word may be anything: it wraps, it does not overflow into a panic.
        let generation = self.generation.wrapping_add(1) & (u64::MAX >> 2);
        Self {
            generation,
            state: State::Attached,
        }
    }

    fn word(self) -> u64 {
        let state = match self.state {
            State::Never => 0,
            State::Attached => 1,
            State::Finished => 2,
            State::Died => 3,
        };
        self.generation << 2 | state
    }
}

fn word(roster: &Roster, role: Role) -> &AtomicU64 {
    match role {
        Role::Producer => &roster.producer,
        Role::Consumer => &roster.consumer,
    }
}

fn deaths(roster: &Roster, role: Role) -> &AtomicU32 {
    match role {
        Role::Producer => &roster.producer_deaths,
        Role::Consumer => &roster.consumer_deaths,
    }
}

/// What the roster says of `role`.
pub(crate) fn entry(control: &Control, role: Role) -> Entry {
    // Relaxed, as all access to these words: they carry nothing but themselves, and their order against an attach
    // and an end is that of the semaphores (E4).
    Entry::of_word(word(&control.roster, role).load(Ordering::Relaxed))
}

/// How many holders of `role` were found dead.
#[cfg(not(loom))]
pub(crate) fn deaths_seen(control: &Control, role: Role) -> u32 {
    deaths(&control.roster, role).load(Ordering::Relaxed) // a statistic
}

/// Whether the last holder of `role` is known to be gone: one load, no system call.
#[inline(always)]
pub(crate) fn known_gone(control: &Control, role: Role) -> bool {
    // Relaxed: a stale answer is corrected by the next call, and a "gone" is confirmed by the semaphores.
    word(&control.roster, role).load(Ordering::Relaxed) & 2 != 0
}

/// How often a change is tried anew because another was faster. More is no ring's doing: somebody changes the word all the time.
const TRIES: u32 = 1 << 16;

/// Enters the next holder; what the word said of the one before.
fn enter_next(control: &Control, role: Role) -> Entry {
    let mut last = entry(control, role);
    for _ in 0..TRIES {
        match replace(control, role, last, last.successor()) {
            Ok(()) => break,
            Err(now) => last = now,
        }
    }
    last
}

/// Enters a new holder. Only whoever has just attached calls this.
pub(crate) fn enter(control: &Control, role: Role) {
    // A peer may note the predecessor's death meanwhile: so this death is counted once.
    let last = enter_next(control, role);
    if last.state == State::Attached {
        count_death(control, role);
    }
}

fn replace(control: &Control, role: Role, old: Entry, new: Entry) -> Result<(), Entry> {
    let exchanged = word(&control.roster, role).compare_exchange(
        old.word(),
        new.word(),
        Ordering::Relaxed,
        Ordering::Relaxed,
    );
    exchanged.map(drop).map_err(Entry::of_word)
}

/// Enters one more holder of a role that several may hold. Their deaths are counted by who clears up after them.
pub(crate) fn enter_shared(control: &Control, role: Role) {
    enter_next(control, role);
}

/// Notes that nobody holds a shared role any more, unless somebody has come since `last` was read.
pub(crate) fn finish_shared(control: &Control, role: Role, last: Entry) {
    let state = State::Finished;
    let _ = replace(control, role, last, Entry { state, ..last });
}

/// Notes an end in good order. Only the holder calls this, before it detaches.
pub(crate) fn finish(control: &Control, role: Role) {
    let last = entry(control, role);
    let new = Entry {
        state: State::Finished,
        ..last
    };
    word(&control.roster, role).store(new.word(), Ordering::Relaxed);
}

/// Notes that the holder `seen` died: called by a peer to whom the semaphores have said so. Whether it is news.
pub(crate) fn note_death(control: &Control, role: Role, seen: Entry) -> bool {
    let new = Entry {
        state: State::Died,
        ..seen
    };
    // Fails, as it should, when a successor has entered or another peer was first.
    replace(control, role, seen, new).is_ok()
}

pub(crate) fn count_death(control: &Control, role: Role) {
    // Relaxed: a statistic.
    deaths(&control.roster, role).fetch_add(1, Ordering::Relaxed);
}
