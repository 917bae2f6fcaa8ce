//! Who sleeps: two bits for each participant, `announced` and `promised`.
//!
//! A waiter announces itself, and looks once more before it sleeps. Who has handed something over turns one announced bit
//! into a promised one, and then adds a wake-up, which any sleeper of that role may take. So there are never fewer
//! wake-ups, added or owed by somebody alive, than sleepers with a promise; and a number that was left behind is known for
//! whose it was, which a mere count could not tell.
//!
//! Relaxed throughout, but for loops: the bits carry nothing but themselves, and are ordered by the barriers of E3.

use crate::memory::{Berths, Crowd};
use crate::ring::Role;
use crate::sync::{AtomicU64, Ordering};

const ANNOUNCED: u64 = 0xffff_ffff;
const PER_WORD: usize = 32;

/// Words that are looked at whether they are in use or not.
const FEW: usize = if cfg!(loom) { 1 } else { 2 };

/// How often a change is tried anew because others were faster. More is no ring's doing: somebody changes the word all the time.
const TRIES: u32 = 1 << 16;

/// How a sleeper found its bits when it took them off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// As it left them: whatever woke it was not meant for it.
    Announced,
    /// Somebody has promised it a wake-up.
    Promised,
}

/// How many words a ring with so many participants uses.
pub(crate) fn words(participants: usize) -> usize {
    participants.div_ceil(PER_WORD)
}

fn berths(crowd: &Crowd, role: Role) -> &Berths {
    match role {
        Role::Producer => &crowd.sleeping_producers,
        Role::Consumer => &crowd.sleeping_consumers,
    }
}

fn berth(crowd: &Crowd, role: Role, number: u16) -> (&AtomicU64, u64) {
    let (n, bit) = index(number);
    (&berths(crowd, role)[n], bit)
}

/// The word of a number's bits, and the first of them.
fn index(number: u16) -> (usize, u64) {
    let at = usize::from(number) - 1;
    (at / PER_WORD, 1 << (at % PER_WORD))
}

/// Whether somebody of `role` sleeps without a promise. E3: the caller has just passed the light barrier.
#[inline(always)]
pub(crate) fn any(crowd: &Crowd, role: Role, words: usize) -> bool {
    let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
    // Most rings use two at most, streams four: without a loop.
    let (first, rest) = berths(crowd, role).split_at(FEW);
    let mut bits = first.iter().map(load).fold(0, core::ops::BitOr::bitor);
    if words > FEW {
        let (next, rest) = rest.split_at(rest.len().min(FEW));
        bits |= next.iter().map(load).fold(0, core::ops::BitOr::bitor);
        if words > 2 * FEW {
            bits |= rest.iter().map(load).fold(0, core::ops::BitOr::bitor);
        }
    }
    bits & ANNOUNCED != 0
}

pub(crate) fn announce(crowd: &Crowd, role: Role, number: u16) {
    let (word, bit) = berth(crowd, role, number);
    word.fetch_or(bit, Ordering::Relaxed);
}

/// Takes a participant's bits off, whatever they are.
pub(crate) fn withdraw(crowd: &Crowd, role: Role, number: u16) -> Found {
    let (word, bit) = berth(crowd, role, number);
    let before = word.fetch_and(!(bit | bit << PER_WORD), Ordering::Relaxed);
    if before & bit << PER_WORD == 0 {
        Found::Announced
    } else {
        Found::Promised
    }
}

/// Whether the participant has announced itself, or has a promise.
#[cfg(not(loom))]
pub(crate) fn is_asleep(crowd: &Crowd, role: Role, number: u16) -> bool {
    let (word, bit) = berth(crowd, role, number);
    word.load(Ordering::Relaxed) & (bit | bit << PER_WORD) != 0
}

/// Whether somebody of `role` sleeps without a promise besides `except`.
pub(crate) fn any_but(crowd: &Crowd, role: Role, words: usize, except: u16) -> bool {
    let (own, bit) = index(except);
    let mut berths = berths(crowd, role)[..words].iter().enumerate();
    berths.any(|(n, word)| {
        let bit = if n == own { bit } else { 0 };
        word.load(Ordering::Relaxed) & ANNOUNCED & !bit != 0
    })
}

/// Turns the announcement of the lowest sleeper, of those that `whom` admits, into a promise. Who gets a number owes it a
/// wake-up.
pub(crate) fn promise(
    crowd: &Crowd,
    role: Role,
    words: usize,
    whom: impl Fn(u16) -> bool,
) -> Option<u16> {
    let admitted = |n: usize, bits: u64| {
        let numbers = (0..PER_WORD).filter(|bit| bits >> bit & 1 == 1);
        let mut numbers = numbers.map(|bit| (bit, (n * PER_WORD + bit + 1) as u16));
        numbers.find(|(_, number)| whom(*number))
    };
    berths(crowd, role)[..words]
        .iter()
        .enumerate()
        .find_map(|(n, word)| {
            let mut now = word.load(Ordering::Relaxed);
            for _ in 0..TRIES {
                let (bit, number) = admitted(n, now & ANNOUNCED)?;
                let (from, to) = (1_u64 << bit, 1_u64 << (bit + PER_WORD));
                match exchange(word, now, now & !from | to) {
                    Ok(()) => return Some(number),
                    Err(other) => now = other,
                }
            }
            None
        })
}

/// Turns the promise of one sleeper back into an announcement, if there is one: its wake-up was taken by the caller.
pub(crate) fn take_back(crowd: &Crowd, role: Role, words: usize) -> bool {
    berths(crowd, role)[..words].iter().any(|word| {
        let mut now = word.load(Ordering::Relaxed);
        for _ in 0..TRIES {
            let promised = now & !ANNOUNCED;
            let lowest = promised & promised.wrapping_neg();
            if lowest == 0 {
                return false;
            }
            match exchange(word, now, now & !lowest | lowest >> PER_WORD) {
                Ok(()) => return true,
                Err(other) => now = other,
            }
        }
        false
    })
}

fn exchange(word: &AtomicU64, from: u64, to: u64) -> Result<(), u64> {
    let exchanged = word.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    exchanged.map(drop)
}
