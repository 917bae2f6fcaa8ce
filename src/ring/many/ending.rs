//! What keeps a consumer from being told of the end: items in another's hands, or returned.

use super::frontier::Frontier;
use super::place::Place;
use super::word::{Kind, Stand};
use crate::ring::Role;
use crate::ring::crew::{Waiter, role_of};
use crate::sync::Ordering;

impl Waiter<'_> {
    /// How often something was returned, or was just about to be.
    ///
    /// By an update, so that it is the newest count. AcqRel, E9: who has counted before has claimed before (acquire), and who
    /// counts after it returns after all that was seen before (release).
    pub(in crate::ring) fn times_returned(&self) -> u32 {
        let times = &self.crew.board.crowd().returned.times;
        times.fetch_add(0, Ordering::AcqRel)
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
            // Acquire, E8: whoever has left, or has come to another claim, is seen to have done what it did before.
            let role = role_of(entry.state.load(Ordering::Acquire));
            let place = Place::at(entry.claim.load(Ordering::Acquire), capacity);
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
