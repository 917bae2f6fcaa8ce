//! What can be told of a shared ring from outside.
//!
//! Loads only, and relaxed ones, so that memory that is mapped for reading will do; and nothing that is read is believed:
//! any bytes give an answer.

use super::word::{Kind, Word};
use super::words::DeadConsumer;
use crate::memory::Board;
use crate::ring::Role;
use crate::ring::crew::{role_of, sleepers};
use crate::sync::{AtomicU64, Ordering};

/// A participant, as its entry has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) number: u16,
    pub(crate) role: Role,
    pub(crate) moved: u64,
    pub(crate) asleep: bool,
    /// By which it is told from who has the number before or after it.
    state: u64,
}

/// Who is in the table: the living, and the dead after whom nobody has cleared up yet.
pub(crate) fn participants(board: &Board) -> Vec<Seen> {
    let seen = (1..).zip(board.entries()).map(|(number, entry)| {
        let state = entry.state.load(Ordering::Relaxed);
        let role = role_of(state)?;
        Some(Seen {
            number,
            role,
            moved: entry.moved.load(Ordering::Relaxed),
            asleep: sleepers::is_asleep(board.crowd(), role, number),
            state,
        })
    });
    seen.flatten().collect()
}

/// Whether the entry is still that participant's.
pub(crate) fn is_there(board: &Board, seen: &Seen) -> bool {
    let entry = board.entries().get(usize::from(seen.number) - 1);
    entry.is_some_and(|entry| entry.state.load(Ordering::Relaxed) == seen.state)
}

/// How many words are looked through for items, at most. In memory that nobody has touched yet, each page of them is had by looking
/// at it, at the cost of who looks.
const WORDS: usize = 1 << 24;

/// Whether there is nothing to be delivered: see [`pending`]. Of a ring that is too large to be looked through, nobody knows.
pub(crate) fn is_empty(board: &Board, policy: DeadConsumer) -> bool {
    board.words().len() <= WORDS && pending(board, policy) == 0
}

/// How many items there are to be delivered, now or after clearing up, in a ring that nobody takes part in.
///
/// What a dead producer had not published is none; what a dead consumer had not released is, unless it goes with it. A word
/// that cannot be is taken for an item.
fn pending(board: &Board, policy: DeadConsumer) -> usize {
    let words = board.words();
    // The first slot may lie within a run that begins at the end. Words within a run are each for one slot, or for the rest
    // of the run: so a way around comes out at the end of one, wherever it begins.
    let start = around(words, 0, |_, _| {}) - words.len();
    let mut pending = 0;
    around(words, start, |kind, run| {
        pending += match (kind, policy) {
            (Some(Kind::Free | Kind::Writing | Kind::Skip | Kind::Draining), _)
            | (Some(Kind::Reading), DeadConsumer::Drop) => 0,
            (Some(Kind::Reading | Kind::Returned), _) => run,
            (Some(Kind::Full) | None, _) => 1,
        }
    });
    pending
}

/// Goes from run to run, once around from the slot `start`, and says where that ends.
fn around(words: &[AtomicU64], start: usize, mut each: impl FnMut(Option<Kind>, usize)) -> usize {
    let capacity = words.len();
    let mut at = start;
    while at < start + capacity {
        let word = Word::of_bits(words[at % capacity].load(Ordering::Relaxed));
        let run = match word.kind() {
            Some(Kind::Free | Kind::Full) | None => 1,
            Some(Kind::Reading) => uncut(words, at, word.run(capacity)),
            Some(_) => word.run(capacity),
        };
        each(word.kind(), run);
        at += run;
    }
    at
}

/// How much of a run that is being read belongs together: its second part may have been let go already.
fn uncut(words: &[AtomicU64], at: usize, run: usize) -> usize {
    let within = |n: &usize| {
        let word = words[(at + n) % words.len()].load(Ordering::Relaxed);
        matches!(Word::of_bits(word).kind(), Some(Kind::Free | Kind::Full))
    };
    1 + (1..run).take_while(within).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Crew, Region, extent, kind};
    use crate::sync::Arc;

    fn board(words: &[Word]) -> Board {
        let (participants, capacity) = (3, words.len());
        let crew = Crew {
            participants,
            policy: 0,
        };
        let size = extent(kind::MPMC, crew, capacity, 1).unwrap().size;
        let board = Board::new(
            Arc::new(Region::on_heap(size).unwrap()),
            participants,
            capacity,
        );
        for (slot, word) in board.words().iter().zip(words) {
            slot.store(word.bits(), Ordering::Relaxed);
        }
        board
    }

    #[track_caller]
    fn assert_pending(words: &[Word], redelivering: usize, dropping: usize) {
        let board = board(words);
        assert_eq!(pending(&board, DeadConsumer::Redeliver), redelivering);
        assert_eq!(pending(&board, DeadConsumer::Drop), dropping);
    }

    const FREE: Word = Word::of_bits(0);

    fn full() -> Word {
        Word::full(0)
    }

    fn owned(kind: Kind, run: usize) -> Word {
        Word::owned(kind, 2, run, 0)
    }

    #[test]
    fn what_was_published_is_pending() {
        assert_pending(&[FREE; 4], 0, 0);
        assert_pending(&[full(); 4], 4, 4);
        assert_pending(&[FREE, full(), full(), FREE], 2, 2);
    }

    #[test]
    fn what_the_dead_had_in_hand_is_pending_as_the_policy_says() {
        let next = Word::free(1);
        let reading = owned(Kind::Reading, 3);
        assert_pending(&[reading, full(), full(), full()], 4, 1);
        // Killed while it released: from the last to the first.
        assert_pending(&[reading, full(), next, full()], 4, 1);
        assert_pending(&[reading, next, next, FREE], 3, 0);
        assert_pending(&[Word::returned(2, 0), full(), FREE, FREE], 2, 2);
        // Killed while it cut its run in two.
        let second = Word::returned(2, 0);
        assert_pending(&[reading, second, full(), FREE], 3, 2);
        assert_pending(&[owned(Kind::Reading, 1), second, full(), FREE], 3, 2);
    }

    #[test]
    fn what_was_not_published_is_not() {
        assert_pending(&[owned(Kind::Writing, 3), FREE, FREE, FREE], 0, 0);
        // Killed while it published: from the last to the first.
        assert_pending(&[owned(Kind::Writing, 3), FREE, full(), full()], 1, 1);
        let part = [
            owned(Kind::Writing, 4),
            full(),
            Word::skip(2, 0),
            FREE,
            full(),
        ];
        assert_pending(&part, 1, 1);
        assert_pending(&[Word::skip(2, 0), full(), FREE, FREE], 0, 0);
        assert_pending(
            &[owned(Kind::Draining, 2), Word::free(1), FREE, full()],
            1,
            1,
        );
    }

    #[test]
    fn a_run_may_wrap() {
        assert_pending(&[full(), full(), FREE, owned(Kind::Writing, 3)], 0, 0);
        assert_pending(&[full(), full(), FREE, owned(Kind::Reading, 2)], 3, 1);
        let part = [Word::skip(2, 1), FREE, full(), owned(Kind::Writing, 3)];
        assert_pending(&part, 1, 1);
        assert_pending(&[owned(Kind::Reading, 1)], 1, 0);
    }

    #[test]
    fn any_words_give_an_answer() {
        for bits in [7, u64::MAX, u64::MAX - 1, u64::MAX - 4, 0xfff << 12 | 3] {
            let some = pending(&board(&[Word::of_bits(bits); 5]), DeadConsumer::Redeliver);
            assert!(some <= 9, "{some}");
        }
        assert_pending(&[Word::of_bits(7), FREE], 1, 1);
    }

    #[test]
    fn the_table_is_read_as_it_is() {
        let board = board(&[FREE; 2]);
        let entries = board.entries();
        entries[0].state.store(5 << 2 | 1, Ordering::Relaxed);
        entries[1].state.store(5 << 2, Ordering::Relaxed);
        entries[2].state.store(u64::MAX - 1, Ordering::Relaxed);
        entries[2].moved.store(42, Ordering::Relaxed);
        sleepers::announce(board.crowd(), Role::Consumer, 3);
        let seen = participants(&board);
        let told = seen
            .iter()
            .map(|seen| (seen.number, seen.role, seen.moved, seen.asleep));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [(1, Role::Producer, 0, false), (3, Role::Consumer, 42, true)]
        );
        entries[2].state.store(2, Ordering::Relaxed);
        assert!(is_there(&board, &seen[0]) && !is_there(&board, &seen[1]));
    }
}
