//! Taking a turn and letting it go.
//!
//! Who has used a turn several times in a row without another coming keeps it (`Kept`). From then on, it says in its own
//! entry that it is busy, and looks whether the word still says so:
//!
//! ```text
//! keeper                                    another
//!   busy = 1                                  Kept -> Asked (CAS)
//!   full fence                      E11       full fence
//!   word as I left it? it is mine             keeper busy?   it is the keeper's
//!   ... use it ...                            else           Asked -> Held, mine (CAS)
//!   busy = 0 (Release)
//! ```
//!
//! As for sleepers, the fences let one of the two see the other: a keeper that finds its word unchanged is seen to be
//! busy.

use super::word::{State, Word};
use crate::memory::{Board, Entry};
#[cfg(not(loom))]
use crate::parking;
use crate::parking::Fence;
use crate::ring::{Fault, Role};
use crate::sync::{AtomicU64, Ordering};

/// How often in a row a turn is found as it was left before it is kept.
const STREAK: u32 = if cfg!(loom) { 1 } else { 64 };

/// How often a change is tried anew because another was faster: each time, that one got on. More is no ring's doing.
const TRIES: u32 = 1 << 12;

/// What came of asking for a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Mine,
    /// It is in the hands of that participant.
    Held(u16),
}

/// One participant's dealings with a turn.
#[derive(Debug)]
pub(super) struct Turn {
    role: Role,
    number: u16,
    /// Whether it may be kept.
    keeps: bool,
    pub(super) in_hand: bool,
    /// The word by which this participant keeps it.
    kept: Option<Word>,
    /// The word as this participant left it, and how often in a row it has found it so.
    left: Word,
    streak: u32,
}

pub(super) fn word_of(board: &Board, role: Role) -> &AtomicU64 {
    match role {
        Role::Producer => &board.crowd().producers_turn,
        Role::Consumer => &board.crowd().consumers_turn,
    }
}

fn entry(board: &Board, number: u16) -> Result<&Entry, Fault> {
    let at = usize::from(number).wrapping_sub(1);
    board.entries().get(at).ok_or(Fault::Corrupt)
}

impl Turn {
    pub(super) fn new(role: Role, number: u16, keeps: bool) -> Self {
        Self {
            role,
            number,
            keeps,
            in_hand: false,
            kept: None,
            left: Word::of_bits(0),
            streak: 0,
        }
    }

    #[inline(always)]
    fn word<'a>(&self, board: &'a Board) -> &'a AtomicU64 {
        word_of(board, self.role)
    }

    /// Keeps a turn that nobody has, if it may be kept: for who is alone in its role.
    pub(super) fn keep(&mut self, board: &Board) {
        // Relaxed: the change decides.
        let word = Word::of_bits(self.word(board).load(Ordering::Relaxed));
        if self.keeps && word.state() == State::Open {
            let kept = word.next(State::Kept(self.number));
            self.kept = self.change(board, word, kept).then_some(kept);
        }
    }

    #[inline(always)]
    pub(super) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Takes a turn that this participant keeps; `entry` is its own. `false` if it keeps none, or another has asked for it.
    #[inline(always)]
    pub(super) fn take_kept(&mut self, board: &Board, entry: &Entry, fence: Fence) -> bool {
        let Some(kept) = self.kept else {
            return false;
        };
        sign(entry);
        entry.busy.store(1, Ordering::Relaxed); // E11, by the barrier
        fence.light();
        // Relaxed: if it is as it was, nobody else has had it since.
        if self.word(board).load(Ordering::Relaxed) == kept.bits() {
            self.in_hand = true;
            return true;
        }
        // Relaxed: nothing was done with the turn since the barrier, which releases what was done before.
        entry.busy.store(0, Ordering::Relaxed);
        self.kept = None;
        false
    }

    /// Takes the turn unless it is in another's hands.
    pub(super) fn take(&mut self, board: &Board) -> Result<Taken, Fault> {
        sign(entry(board, self.number)?);
        for _ in 0..TRIES {
            // Relaxed: the change decides.
            let word = Word::of_bits(self.word(board).load(Ordering::Relaxed));
            match word.state() {
                State::Held(owner) if owner == self.number => return Err(Fault::Corrupt),
                State::Held(owner) => return Ok(Taken::Held(owner)),
                State::Kept(owner) if owner != self.number => {
                    self.change(board, word, word.next(State::Asked(owner)));
                    continue;
                }
                State::Asked(owner) if owner != self.number && Self::is_busy(board, owner)? => {
                    return Ok(Taken::Held(owner));
                }
                State::Open | State::Kept(_) | State::Asked(_) => {}
            }
            if self.change(board, word, word.next(State::Held(self.number))) {
                self.streak = if word == self.left {
                    self.streak + 1
                } else {
                    0
                };
                self.left = word.next(State::Held(self.number));
                self.in_hand = true;
                return Ok(Taken::Mine);
            }
        }
        Err(Fault::Corrupt)
    }

    /// Whether the keeper of a turn that was asked for is using it.
    fn is_busy(board: &Board, owner: u16) -> Result<bool, Fault> {
        Fence::full().light(); // E11: after it was asked for
        // Acquire, E11: what the keeper did with it comes before what this one does.
        Ok(entry(board, owner)?.busy.load(Ordering::Acquire) != 0)
    }

    fn change(&self, board: &Board, from: Word, to: Word) -> bool {
        let word = self.word(board);
        // Acquire, E10: what the last holder did comes before what this one does. What is asked for is ordered by barriers (E11).
        let changed =
            word.compare_exchange(from.bits(), to.bits(), Ordering::Acquire, Ordering::Relaxed);
        changed.is_ok()
    }

    /// Lets the turn go; `entry` is this participant's own.
    #[inline(always)]
    pub(super) fn let_go(&mut self, board: &Board, entry: &Entry) {
        self.in_hand = false;
        if self.is_kept() {
            entry.busy.store(0, Ordering::Release); // E11
        } else {
            self.put_back(board);
        }
    }

    fn put_back(&mut self, board: &Board) {
        let keeps = self.keeps && self.streak >= STREAK;
        let state = if keeps {
            State::Kept(self.number)
        } else {
            State::Open
        };
        self.left = self.left.next(state);
        self.kept = keeps.then_some(self.left);
        // Release, E10. A store will do: a word that is held is changed by nobody else while its holder lives.
        self.word(board).store(self.left.bits(), Ordering::Release);
    }
}

/// Notes in a participant's own entry which thread takes its turn: before it does, so whoever finds
/// the turn in its hands finds the thread, too. A note for its own process, which looks at it in
/// [`is_held_here`].
#[inline(always)]
fn sign(entry: &Entry) {
    // Relaxed: only the thread itself has to find it.
    #[cfg(not(loom))]
    entry.claim.store(parking::this_thread(), Ordering::Relaxed);
    #[cfg(loom)]
    let _ = entry;
}

/// Takes the note off again: the turn is not bound to a thread from now on.
#[cfg(not(loom))]
pub(super) fn unsign(entry: &Entry) {
    entry.claim.store(0, Ordering::Relaxed); // as above
}

/// Whether a role's turn is in the hands of a participant of this process, and in this thread.
#[cfg(not(loom))]
pub(in crate::ring) fn is_held_here(board: &Board, role: Role, owner: u16) -> bool {
    // Relaxed: this thread's own words are found for sure, and any other is not this thread's.
    let word = Word::of_bits(word_of(board, role).load(Ordering::Relaxed));
    entry(board, owner).is_ok_and(|entry| {
        let busy = || entry.busy.load(Ordering::Relaxed) != 0;
        let held = match word.state() {
            State::Held(holder) => holder == owner,
            State::Asked(keeper) => keeper == owner && busy(),
            State::Open | State::Kept(_) => false,
        };
        held && entry.claim.load(Ordering::Relaxed) == parking::this_thread()
    })
}

/// Opens all turns that name a participant. Only whoever holds its semaphore calls this. Whether there were any.
pub(in crate::ring) fn settle(board: &Board, number: u16, entry: &Entry) -> bool {
    let [written, read] = [Role::Producer, Role::Consumer].map(|role| open(board, role, number));
    // Relaxed: who asked for the turn finds that it is another.
    entry.busy.store(0, Ordering::Relaxed);
    written || read
}

fn open(board: &Board, role: Role, number: u16) -> bool {
    let turn = word_of(board, role);
    let mut now = Word::of_bits(turn.load(Ordering::Relaxed));
    // A few times at most: others only ask for it, or take it.
    for _ in 0..TRIES {
        if now.owner() != Some(number) {
            break;
        }
        let open = now.next(State::Open).bits();
        // Release, E10: what the former holder has done was ordered before by the semaphores (E4).
        match turn.compare_exchange(now.bits(), open, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(other) => now = Word::of_bits(other),
        }
    }
    false
}
