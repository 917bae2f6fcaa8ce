//! Coming and going.
//!
//! A pipe that nobody has open has nothing in it. So whoever finds nobody there comes as the first, which the semaphores
//! make sure of: with both turns in hand, so that nobody else can have moved a byte before the old ones are discarded.

use super::member::Member;
use super::turn::{Taken, Turn, settle};
use crate::memory::{Board, Entry, View};
use crate::parking::{self, Deadline, ParkFault};
use crate::ring::crew::{Crew, Estate};
use crate::ring::{Fault, Parking, Role, roster};
use crate::sync::{Arc, Ordering};

/// Where a newcomer comes to.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) board: Board,
    pub(crate) view: View<u8>,
    pub(crate) parking: Arc<dyn Parking>,
}

/// Why nobody could come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// As many as there can be are there, and live.
    Full,
    /// Nobody is in the other role.
    NoPeer,
    /// The deadline has passed, while somebody else who came as the first was not done.
    Late,
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ParkFault> for Refusal {
    fn from(fault: ParkFault) -> Self {
        Self::Fault(fault.into())
    }
}

/// How often a newcomer begins anew where all numbers that seem to be free are somebody's: who clears up, or leaves, is soon done.
const TRIES: u32 = 64;

const BOTH: [Role; 2] = [Role::Producer, Role::Consumer];

impl Place {
    /// Takes part. Besides, how many of the other role had ever come when this one began to; one less if one of them was there.
    pub(crate) fn join(
        &self,
        role: Role,
        until: Option<Deadline>,
    ) -> Result<(Member, u64), Refusal> {
        let mut turned_away = 0;
        loop {
            let seen = roster::entry(self.board.control(), role.peer()).generation;
            let met = self.parking.attached(role.peer())? > 0;
            let number = match self.company()? {
                Some(beside) => self.join_beside(role, beside, &mut turned_away)?,
                None => self.found(role)?,
            };
            if let Some(number) = number {
                let seen = seen.wrapping_sub(u64::from(met));
                return Ok((self.arrived(number, role)?, seen));
            }
            if until.is_some_and(parking::passed) {
                return Err(Refusal::Late);
            }
            parking::nap();
        }
    }

    /// The same, but only while somebody is in the other role.
    pub(crate) fn join_peers(
        &self,
        role: Role,
        until: Option<Deadline>,
    ) -> Result<Member, Refusal> {
        let (beside, mut turned_away) = (role.peer(), 0);
        while self.parking.attached(beside)? > 0 {
            if let Some(number) = self.join_beside(role, beside, &mut turned_away)? {
                return self.arrived(number, role);
            }
            // Only the semaphores say that somebody is there, and perhaps for ever.
            if until.is_some_and(parking::passed) {
                return Err(Refusal::Late);
            }
        }
        Err(Refusal::NoPeer)
    }

    /// Takes a number while somebody is in that role; `None` if that was over too soon.
    fn join_beside(
        &self,
        role: Role,
        beside: Role,
        turned_away: &mut u32,
    ) -> Result<Option<u16>, Refusal> {
        let crew = self.crew();
        let joined = crew.join(role, Some(beside))?;
        if joined.is_none() && self.parking.attached(beside)? > 0 {
            *turned_away += 1;
            // The table may say for ever that numbers are free which belong to the living.
            if crew.is_full() || *turned_away > TRIES {
                return Err(Refusal::Full);
            }
        }
        Ok(joined)
    }

    /// In a forked child: takes part as `member`, whom the parent has joined for it. `false` if it is too late.
    pub(crate) fn adopt(&self, member: &Member) -> Result<bool, ParkFault> {
        let adopted = self.parking.adopt(member.number, member.role)?;
        if adopted {
            self.parking.settle_in(member.number);
        }
        Ok(adopted)
    }

    /// In the parent of a forked child: leaves `member` to the child, or gives the number up if the child has died before.
    pub(crate) fn part_with(&self, member: &Member) -> Result<(), ParkFault> {
        self.parking.leave(member.number, member.role)?;
        if !self.parking.alive(member.number)? {
            self.crew().bury(member.number)?;
        }
        Ok(())
    }

    fn crew(&self) -> Crew<'_> {
        Crew {
            board: &self.board,
            parking: &*self.parking,
            fence: parking::Fence::full(),
            estate: Estate::Turn,
        }
    }

    /// A role that somebody is in.
    fn company(&self) -> Result<Option<Role>, ParkFault> {
        for role in BOTH {
            if self.parking.attached(role)? > 0 {
                return Ok(Some(role));
            }
        }
        Ok(None)
    }

    fn arrived(&self, number: u16, role: Role) -> Result<Member, Refusal> {
        let (board, view) = (self.board.clone(), self.view.clone());
        let parking = Arc::clone(&self.parking);
        self.parking.settle_in(number);
        let mut member = Member::new(board, view, parking, (number, role));
        match self.settle_in(&mut member) {
            Ok(()) => Ok(member),
            Err(fault) => {
                let _ = member.leave(true); // the same fault, most likely
                Err(fault.into())
            }
        }
    }

    fn settle_in(&self, member: &mut Member) -> Result<(), ParkFault> {
        if self.parking.attached(member.role)? == 1 {
            member.turn.keep(&self.board);
            member.resume();
        }
        self.tell_peers(member.role)
    }

    /// Wakes all who wait for somebody to come, of whom some may wait for something else.
    fn tell_peers(&self, role: Role) -> Result<(), ParkFault> {
        let crew = self.crew();
        let mut told = 0;
        while let Some(next) = crew.wake_above(role.peer(), told)? {
            told = next;
        }
        Ok(())
    }

    /// Comes as the first. `None` when somebody else was, or is about to be.
    fn found(&self, role: Role) -> Result<Option<u16>, Fault> {
        let crew = self.crew();
        crew.bury_all()?;
        let Some((number, entry)) = crew.take_number()? else {
            return Ok(None);
        };
        let founded = self.found_as(number, entry, role);
        if !matches!(founded, Ok(true)) {
            settle(&self.board, number, entry);
            self.parking.give(number)?;
        }
        // Who came second may wait for a turn. A fault shows to whoever waits next; who has come is not to be lost for it.
        let _ = crew.wake_both();
        Ok(founded?.then_some(number))
    }

    fn found_as(&self, number: u16, entry: &Entry, role: Role) -> Result<bool, Fault> {
        settle(&self.board, number, entry);
        for role in BOTH {
            if self.take_turn(number, role)? != Taken::Mine {
                return Ok(false);
            }
        }
        // With both turns in hand, nobody else comes as the first; and if nobody is there, nobody can come beside. So there is time
        // to discard what is old before this one is there for others to come beside.
        if !self.parking.is_deserted()? {
            return Ok(false);
        }
        self.discard();
        if !self.parking.found(number, role)? {
            return Ok(false);
        }
        self.crew().enter(number, entry, role); // which opens the turns
        Ok(true)
    }

    fn take_turn(&self, number: u16, role: Role) -> Result<Taken, Fault> {
        let mut turn = Turn::new(role, number, false);
        let taken = turn.take(&self.board)?;
        if let Taken::Held(owner) = taken {
            let crew = self.crew();
            crew.entry(owner).ok_or(Fault::Corrupt)?;
            if !self.parking.alive(owner)? {
                crew.bury(owner)?;
                return turn.take(&self.board);
            }
        }
        Ok(taken)
    }

    /// Takes all that is in the ring out of it. The caller has both turns.
    fn discard(&self) {
        let control = self.board.control();
        let produced = control.produced.load(Ordering::Relaxed);
        // Relaxed: a writer goes by it with its turn in hand, which is let go after this (E10).
        control.consumed.store(produced, Ordering::Relaxed);
    }
}

impl Member {
    /// How many ever came to the other role.
    pub(crate) fn peers_ever(&self) -> u64 {
        roster::entry(self.control(), self.role.peer()).generation
    }

    /// Gives the number up: in good order, or as a death would.
    pub(crate) fn leave(&mut self, in_good_order: bool) -> Result<(), ParkFault> {
        if in_good_order {
            self.put_down();
            let entry = &self.board.entries()[usize::from(self.number) - 1];
            settle(&self.board, self.number, entry);
        }
        let last = roster::entry(self.control(), self.role);
        self.crew().leave(self.number, self.role, in_good_order)?;
        if !in_good_order && self.parking.attached(self.role)? == 0 {
            // Unlike a death, this may be known to another thread of the process at once.
            roster::note_death(self.control(), self.role, last);
        }
        Ok(())
    }
}
