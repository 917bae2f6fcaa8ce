//! Coming and going.
//!
//! A pipe that nobody has open has nothing in it. So whoever finds nobody there comes as the first, which the semaphores
//! make sure of: with both turns in hand, so that nobody else can have moved a byte before the old ones are discarded.

use super::member::Member;
use super::turn::{Taken, Turn, settle};
use crate::memory::{Board, Entry, View};
use crate::parking::{self, ParkFault};
use crate::ring::crew::{Crew, Estate};
use crate::ring::{Fault, Parking, Role, roster};
use crate::sync::{Arc, Ordering};

/// Whether turns may be kept: only where all who come can issue the barrier that takes them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bias {
    Kept,
    Never,
}

/// Where a newcomer comes to.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) board: Board,
    pub(crate) view: View<u8>,
    pub(crate) parking: Arc<dyn Parking>,
    pub(crate) bias: Bias,
}

/// How often a newcomer begins anew because others come and go.
const ROUNDS: u32 = 64;

const BOTH: [Role; 2] = [Role::Producer, Role::Consumer];

impl Place {
    /// Takes part; `None` when there are as many as there can be.
    pub(crate) fn join(&self, role: Role) -> Result<Option<Member>, Fault> {
        for round in 0..ROUNDS {
            if round > 0 {
                parking::nap();
            }
            let number = match self.company()? {
                Some(beside) => match self.crew().join(role, Some(beside))? {
                    None if self.parking.attached(beside)? > 0 => return Ok(None),
                    number => number,
                },
                None => self.found(role)?,
            };
            if let Some(number) = number {
                return self.arrived(number, role).map(Some);
            }
        }
        Ok(None)
    }

    /// The same, but only while somebody is in the other role.
    pub(crate) fn join_peers(&self, role: Role) -> Result<Result<Option<Member>, NoPeer>, Fault> {
        let beside = role.peer();
        if self.parking.attached(beside)? == 0 {
            return Ok(Err(NoPeer));
        }
        match self.crew().join(role, Some(beside))? {
            Some(number) => Ok(Ok(Some(self.arrived(number, role)?))),
            None if self.parking.attached(beside)? == 0 => Ok(Err(NoPeer)),
            None => Ok(Ok(None)),
        }
    }

    /// In a forked child: takes part as `member`, whom the parent has joined for it. `false` if it is too late.
    pub(crate) fn adopt(&self, member: &Member) -> Result<bool, ParkFault> {
        self.parking.adopt(member.number, member.role)
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
            fence: parking::Fence::of_publisher(),
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

    fn arrived(&self, number: u16, role: Role) -> Result<Member, Fault> {
        let (board, view) = (self.board.clone(), self.view.clone());
        let parking = Arc::clone(&self.parking);
        let keeps = self.bias == Bias::Kept;
        let mut member = Member::new(board, view, parking, (number, role), keeps);
        if self.parking.attached(role)? == 1 {
            member.turn.keep(&self.board);
            member.resume();
        }
        self.tell_peers(role)?;
        Ok(member)
    }

    /// Wakes all who wait for somebody to come, of whom some may wait for something else.
    fn tell_peers(&self, role: Role) -> Result<(), ParkFault> {
        let crew = self.crew();
        for _ in self.board.entries() {
            if !crew.wake_one(role.peer(), None)? {
                break;
            }
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
        // Who came second may wait for a turn.
        crew.wake_both()?;
        Ok(founded?.then_some(number))
    }

    fn found_as(&self, number: u16, entry: &Entry, role: Role) -> Result<bool, Fault> {
        settle(&self.board, number, entry);
        for role in BOTH {
            if self.take_turn(number, role)? != Taken::Mine {
                return Ok(false);
            }
        }
        if !self.parking.found(number, role)? {
            return Ok(false);
        }
        self.discard();
        self.crew().enter(number, entry, role);
        settle(&self.board, number, entry);
        Ok(true)
    }

    fn take_turn(&self, number: u16, role: Role) -> Result<Taken, Fault> {
        let mut turn = Turn::new(role, number, false);
        let taken = turn.take(&self.board)?;
        if let Taken::Held(owner) = taken
            && !self.parking.alive(owner)?
        {
            self.crew().bury(owner)?;
            return turn.take(&self.board);
        }
        Ok(taken)
    }

    /// Takes all that is in the ring out of it. The caller has both turns.
    fn discard(&self) {
        let control = self.board.control();
        let produced = control.produced.load(Ordering::Relaxed);
        control.consumed.store(produced, Ordering::Release); // E2
    }
}

/// Nobody is in the other role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPeer;

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
        self.crew().leave(self.number, self.role, in_good_order)
    }
}
