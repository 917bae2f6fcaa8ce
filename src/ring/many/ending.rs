//! What keeps a consumer from being told of the end: items in another's hands, or returned.

use super::frontier::Frontier;
use super::place::Place;
use super::word::{Kind, Stand};
use crate::ring::Role;
use crate::ring::crew::{Waiter, role_of};
use crate::sync::Ordering;

impl Waiter<'_> {
    pub(in crate::ring) fn times_returned(&self) -> u32 {
        let times = &self.crew.board.crowd().returned.times;
        times.load(Ordering::Relaxed) // ordered by the words that are looked at: see `Crew::give_back`
    }

    /// Whether something is returned: another consumer has taken the flag down, and is about to find it. Should that one die
    /// before, the flag is raised anew.
    pub(in crate::ring) fn others_seek(&self) -> bool {
        let from = Frontier::of(self.crew.board, Role::Consumer).past_taken(self.crew.board);
        let mut taken = self.crew.taken_places(from);
        taken.any(|place| self.crew.returned_at(place).is_some())
    }

    /// Whether another consumer has items in hand, or has returned some that nobody has taken up.
    pub(in crate::ring) fn others_hold(&self) -> bool {
        let capacity = self.crew.board.words().len();
        let others = (1..).zip(self.crew.board.entries());
        let mut others = others.filter(|(number, _)| *number != self.number);
        others.any(|(number, entry)| {
            let role = role_of(entry.state.load(Ordering::Acquire)); // E8
            let place = Place::at(entry.claim.load(Ordering::Relaxed), capacity);
            let word = self.crew.word(place);
            let held = match word.kind() {
                Some(Kind::Reading) => word.owner() == number,
                Some(Kind::Returned) => word.stand(place.lap) == Stand::Now,
                _ => false,
            };
            held && role == Some(Role::Consumer)
        })
    }
}
