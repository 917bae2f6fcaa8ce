//! Where the next claim of a role can be made: the first position that nobody has claimed.
//!
//! Each participant knows a position before which everything is claimed, and goes on from there over claimed words. So that
//! nobody has far to go, `produced` and `consumed` in the header tell how far somebody has come; they lag behind, and
//! nothing rests on them: not telling each claim saves half of an operation's time.

use super::place::Place;
use super::word::{Kind, Stand, Word};
use crate::memory::Board;
use crate::ring::Role;
use crate::sync::{AtomicU64, Ordering};

/// How many positions a participant goes on before it tells.
const LAG: usize = if cfg!(loom) { 4 } else { 32 };

/// How many words are passed at most. In a ring that nobody spoils, others have told of most.
pub(super) const STEPS: usize = if cfg!(fuzzing) { 1 << 10 } else { 1 << 16 };

/// The same where none may be missed: besides, those of two laps.
pub(super) fn steps(capacity: usize) -> usize {
    STEPS.saturating_add(2 * capacity)
}

/// A position before which everything is claimed, and how far that is from the last one told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frontier {
    pub(super) place: Place,
    untold: usize,
}

/// What tells how far the holders of a role have come.
#[inline(always)]
pub(super) fn told(board: &Board, role: Role) -> &AtomicU64 {
    match role {
        Role::Producer => &board.control().produced,
        Role::Consumer => &board.control().consumed,
    }
}

impl Frontier {
    /// What a newcomer starts with. Acquire, E5.
    pub(super) fn of(board: &Board, role: Role) -> Self {
        let told = told(board, role).load(Ordering::Acquire);
        Self {
            place: Place::at(told, board.words().len()),
            untold: 0,
        }
    }

    /// Goes on over a run that this participant has claimed.
    #[inline(always)]
    pub(super) fn claimed(&mut self, len: usize, board: &Board, role: Role) {
        let capacity = board.words().len();
        self.place = match len {
            1 => self.place.next(capacity),
            _ => self.place.ahead(len, capacity),
        };
        self.untold += len;
        if self.untold >= LAG {
            self.tell(board, role);
        }
    }

    /// Goes on over a word that somebody else has claimed, at once to where others have told that they came.
    ///
    /// Acquire, E5: words that those had seen are not seen as they were before.
    pub(super) fn pass(&mut self, word: Word, board: &Board, role: Role) {
        let capacity = board.words().len();
        let step = match word.stand(self.place.lap) {
            Stand::Now => word.run(capacity),
            _ => 1,
        };
        let next = self.place.ahead(step, capacity);
        let far = told(board, role).load(Ordering::Acquire);
        if is_ahead(far, next.position) {
            self.place = next.seek(far, capacity);
            self.untold = 0;
        } else {
            self.claimed(step, board, role);
        }
    }

    /// Goes to where others have told that they came; `false` if that is no further. Acquire, E5.
    #[cold]
    pub(super) fn jump(&mut self, board: &Board, role: Role) -> bool {
        let far = told(board, role).load(Ordering::Acquire);
        let ahead = is_ahead(far, self.place.position);
        if ahead {
            self.place = Place::at(far, board.words().len());
        }
        ahead
    }

    /// Goes on to the first position that no consumer has claimed.
    pub(super) fn past_taken(&mut self, board: &Board) -> Place {
        for _ in 0..steps(board.words().len()) {
            // Acquire, E7: whoever finds the first word of a run freed goes on to the words within it, which were freed before.
            let word = Word::of_bits(board.words()[self.place.slot].load(Ordering::Acquire));
            let taken = match (word.stand(self.place.lap), word.kind()) {
                (Stand::Now, Some(Kind::Reading | Kind::Returned | Kind::Draining)) => true,
                (stand, _) => stand == Stand::After,
            };
            if !taken {
                break;
            }
            self.pass(word, board, Role::Consumer);
        }
        self.place
    }

    /// Tells how far this participant has come, unless others have come further. Release, E5.
    #[cold]
    fn tell(&mut self, board: &Board, role: Role) {
        self.untold = 0;
        let (told, here) = (told(board, role), self.place.position);
        let before = told.load(Ordering::Relaxed);
        if is_ahead(here, before) {
            // Fails when somebody else tells, which will do.
            let _ = told.compare_exchange(before, here, Ordering::Release, Ordering::Relaxed);
        }
    }
}

fn is_ahead(position: u64, of: u64) -> bool {
    position.wrapping_sub(of).cast_signed() > 0
}

/// How far the holders of a role have come, as seen from outside at this moment.
///
/// Relaxed loads only, for memory that is mapped for reading; bounded, whatever the words are.
#[cfg(not(loom))]
fn seen(board: &Board, role: Role) -> u64 {
    let words = board.words();
    let mut place = Place::at(told(board, role).load(Ordering::Relaxed), words.len());
    // Nobody goes on for longer without telling.
    let late = LAG * (board.entries().len() + 2);
    for _ in 0..(words.len() + late).min(STEPS) {
        let word = Word::of_bits(words[place.slot].load(Ordering::Relaxed));
        let step = match (word.stand(place.lap), word.kind(), role) {
            (Stand::Now, Some(Kind::Free), _) => break,
            (Stand::Now, Some(Kind::Full | Kind::Writing | Kind::Skip), Role::Consumer) => break,
            (Stand::Now, Some(_), _) => word.run(words.len()),
            (Stand::After, ..) => 1,
            (Stand::Before | Stand::Never, ..) | (_, None, _) => break,
        };
        place = place.ahead(step, words.len());
    }
    place.position
}

/// How many items are in a ring at this moment that nobody has taken, as seen from outside.
#[cfg(not(loom))]
pub(crate) fn len(board: &Board) -> usize {
    // Consumers first: so the difference is not negative, unless words are seen out of order.
    let consumed = seen(board, Role::Consumer);
    let produced = seen(board, Role::Producer);
    let len = produced.wrapping_sub(consumed);
    if is_ahead(consumed, produced) {
        0
    } else {
        usize::try_from(len).map_or(board.words().len(), |len| len.min(board.words().len()))
    }
}

/// How many slots were ever claimed to be written, and to be read, as seen from outside.
#[cfg(not(loom))]
pub(crate) fn both(board: &Board) -> [u64; 2] {
    [Role::Producer, Role::Consumer].map(|role| seen(board, role))
}
