//! How slots are handed over, and whom that wakes.

use super::frontier::STEPS;
use super::member::{Hold, Member};
use super::word::{Kind, Stand, Word};
use crate::ring::Role;
use crate::ring::crew::sleepers;
use crate::sync::Ordering;

impl Member {
    /// Publishes the first `n` slots of a run that was claimed to be written; the others are skipped.
    #[inline(always)]
    pub(crate) fn publish(&mut self, hold: Hold, n: usize) {
        let Hold { place, len, .. } = hold;
        if n < len {
            let rest = place.ahead(n, self.capacity());
            self.crew().set(rest, Word::skip(len - n, rest.lap));
        }
        self.crew().set_run(place, n, Word::full); // E6
        self.settle(n);
    }

    /// Gives the first `n` slots of a run that was claimed to be read to the producers; the others are returned.
    #[inline(always)]
    pub(crate) fn release(&mut self, hold: Hold, n: usize) {
        if n < hold.len {
            return self.release_part(hold, n);
        }
        self.crew().free(hold.place, n); // E7
        self.settle(n);
    }

    #[cold]
    fn release_part(&mut self, hold: Hold, n: usize) {
        let Hold { place, len, .. } = hold;
        let crew = self.crew();
        if n == 0 {
            crew.give_back(place, len);
        } else {
            crew.split(self.number, self.entry(), place, len, n);
            crew.free(place, n);
        }
        self.settle(n);
    }

    /// After something changed hands: the account of it, and whom it may wake.
    #[inline(always)]
    fn settle(&mut self, moved: usize) {
        self.hold = None;
        self.moved += moved as u64;
        self.entry().moved.store(self.moved, Ordering::Relaxed); // for people
        self.stir();
    }

    /// Notes what is in a guard's hands, so that it is given back whatever becomes of the guard.
    pub(crate) fn keep_hold(&mut self, hold: Hold) {
        self.hold = Some(hold);
        self.stir(); // others of this role may sleep beside what comes next
    }

    /// Gives back what a guard has left in hand.
    #[inline(always)]
    pub(crate) fn give_back(&mut self) {
        if let Some(hold) = self.hold {
            self.give_back_now(hold);
        }
    }

    /// Releases what a guard has left in hand, of a consumer.
    pub(crate) fn release_held(&mut self) {
        if let Some(hold) = self.hold {
            self.release(hold, hold.len);
        }
    }

    #[cold]
    fn give_back_now(&mut self, hold: Hold) {
        match self.role {
            Role::Producer => self.publish(hold, 0),
            Role::Consumer => self.release(hold, 0),
        }
    }

    /// Wakes those who may wait for what was just done.
    #[inline(always)]
    pub(super) fn stir(&mut self) {
        self.fence.light(); // E3
        let crowd = self.board.crowd();
        if sleepers::any(crowd, Role::Producer, self.words)
            || sleepers::any(crowd, Role::Consumer, self.words)
        {
            self.wake();
        }
    }

    /// One of the other role, and one more if what lies behind was handed over before; and one of this role, if there is something
    /// for it too. A fault, since the semaphores were removed, does not undo what was done, and shows to whoever waits next.
    #[cold]
    fn wake(&mut self) {
        let _ = self.crew().wake_one(self.role.peer(), None);
        if self.ready_behind() {
            let _ = self.crew().wake_one(self.role.peer(), None);
        }
        let behind = self.frontier;
        if self.next_ready() || self.last_of_the_feed() {
            let _ = self.crew().wake_one(self.role, None);
        }
        if self.hold.is_some() {
            self.frontier = behind; // where it ends, for when it is handed over
        }
    }

    /// Whether what lies behind the last claim was handed over before it: whoever that woke found this claim in the way, and
    /// sleeps again.
    ///
    /// One more is woken for it, however much it is: each that takes something wakes the next. So one that is stopped in
    /// between does not keep the others asleep.
    fn ready_behind(&self) -> bool {
        let claim = self.entry().claim.load(Ordering::Relaxed); // this one's own
        let end = match self.again {
            Some(again) if again.place.position == claim => {
                again.place.ahead(again.len, self.capacity())
            }
            _ => self.frontier.place, // it has not looked for more since
        };
        let word = self.crew().word(end);
        match (self.role, word.kind()) {
            (_, Some(Kind::Skip)) | (Role::Producer, Some(Kind::Full)) => {
                word.stand(end.lap) == Stand::Now
            }
            (Role::Consumer, Some(Kind::Free)) => word.stand(end.lap) == Stand::After,
            _ => false,
        }
    }

    /// Whether the producers are gone, so that others may have waited for what became of this consumer's claim, and for
    /// nothing else.
    fn last_of_the_feed(&self) -> bool {
        self.role == Role::Consumer && self.parking.attached(Role::Producer) == Ok(0)
    }

    /// Whether another of this role could do something now.
    fn next_ready(&mut self) -> bool {
        let Role::Consumer = self.role else {
            return self.next_free();
        };
        if self.crew().any_returned() {
            return true;
        }
        let place = self.frontier.past_taken(&self.board);
        let word = self.crew().word(place);
        let ready = matches!(word.kind(), Some(Kind::Full | Kind::Skip));
        ready && word.stand(place.lap) == Stand::Now
    }

    fn next_free(&mut self) -> bool {
        for _ in 0..self.capacity().min(STEPS) {
            let place = self.frontier.place;
            let word = self.crew().word(place);
            match (word.stand(place.lap), word.kind()) {
                (Stand::Now, Some(Kind::Free)) | (Stand::Before, Some(Kind::Skip)) => return true,
                (Stand::Now | Stand::After, _) => {
                    self.frontier.pass(word, &self.board, self.role);
                }
                _ => break,
            }
        }
        false
    }
}
