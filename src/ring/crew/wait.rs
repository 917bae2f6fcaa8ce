//! Waiting where several share a role.
//!
//! As in [`handshake`], of which the barriers and the argument are the same, but for three things.
//!
//! A wake-up is taken by any sleeper of the role, also by one that it was not meant for. That one gives the promise that it
//! has used up back ([`sleepers::take_back`]): the other sleeps on as one that waits for the next. And if there was no promise
//! to give back, the wake-up is a death's, and it looks who died. There is always somebody to take a death's wake-up that way,
//! now or when the next one sleeps, since there are as many wake-ups as promises and deaths together.
//!
//! Who is woken and cannot use what it was woken for, passes the wake-up on: a producer that waits for more slots than there
//! are, or anybody who learns that the other role is empty and waits on. To the next higher number, since a waker begins with
//! the lowest that it sees: so the news comes to an end, and reaches all who were asleep. (Who announces itself later, looks
//! later.) A wake-up that was another's, or nobody's, begins anew with the lowest.
//!
//! Who is stopped by a slot or a turn in somebody's hands asks the kernel whether that one lives, before it sleeps; and who is
//! told that nothing will come, first makes sure that no consumer that lives has something in hand that might be returned.

use super::sleepers::{self, Found};
#[cfg(not(loom))]
use super::turns;
use super::{Crew, Estate};
#[cfg(not(loom))]
use crate::parking::ParkFault;
use crate::parking::{self, Deadline, Pulse, Reach};
use crate::ring::roster::{Entry, State};
use crate::ring::{Fault, Patience, PeerLoss, Role, Stop, Strategy, Wake, handshake, spin};

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight<R> {
    Found(R),
    Nothing,
    /// A slot, or the turn, in the hands of that participant is in the way.
    Held(u16),
    /// Something, but less than was wanted; and in whose hands the slot behind it is, if in anybody's.
    Short(Option<u16>),
}

/// How often a look is taken anew because somebody's remains were just put away.
const LOOKS: u32 = 8;

/// One participant's way to wait.
pub(crate) struct Waiter<'a> {
    pub(crate) crew: Crew<'a>,
    pub(crate) role: Role,
    pub(crate) number: u16,
    pub(crate) patience: Patience,
}

/// The wake-up that ended a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// There was none.
    Nothing,
    /// The one that was promised to this sleeper.
    Own,
    /// One that was promised to another.
    Anothers,
    /// A death's, or one that was left behind.
    Stray,
}

impl Waiter<'_> {
    /// Waits, by the strategy, until `look` finds something.
    pub(crate) fn wait<R>(
        &self,
        until: Option<Deadline>,
        mut look: impl FnMut() -> Result<Sight<R>, Fault>,
    ) -> Result<R, Stop> {
        let mut found = || {
            look().map(|sight| match sight {
                Sight::Found(found) => Some(found),
                _ => None,
            })
        };
        if let Some(found) = spin::awake(self.patience.strategy, self.patience.vigil, &mut found)? {
            return Ok(found);
        }
        match self.patience.strategy {
            Strategy::Spin => self.spin_on(until, look),
            Strategy::SpinThenSleep | Strategy::Sleep => {
                let waited = self.sleep_on(until, look);
                waited.inspect_err(|_| {
                    self.withdraw();
                })
            }
        }
    }

    fn sleep_on<R>(
        &self,
        until: Option<Deadline>,
        mut look: impl FnMut() -> Result<Sight<R>, Fault>,
    ) -> Result<R, Stop> {
        let mut taken = Taken::Nothing;
        loop {
            // What it was woken for is there, most likely.
            if taken == Taken::Own
                && let Sight::Found(found) = look()?
            {
                return Ok(found);
            }
            sleepers::announce(self.crew.board.crowd(), self.role, self.number);
            let reach = self.barrier();
            let short = match self.judge(&mut look) {
                Ok((None, short)) => short,
                verdict => return self.go(verdict.map(|(found, _)| found)),
            };
            self.pass_on(taken, short)?;
            let end = self.crew.parking.sleep(self.role, until, reach)?;
            let before = taken;
            taken = self.taken(end)?;
            if taken == Taken::Anothers && before == Taken::Anothers {
                parking::nap();
            }
            // A wake-up comes before a deadline that has passed meanwhile.
            let late = until.is_some_and(parking::passed).then_some(Stop::TimedOut);
            if let Some(stop) = self.patience.ending(end).or(late) {
                return match look()? {
                    Sight::Found(found) => Ok(found),
                    _ => self.hand_on(taken).and(Err(stop)),
                };
            }
        }
    }

    /// E3: who hands something over from now on sees the announcement, or what it has handed over is seen.
    fn barrier(&self) -> Reach {
        match self.crew.estate {
            Estate::Claims(_) => parking::heavy_barrier(),
            Estate::Turn => parking::full_barrier(),
        }
    }

    /// Which wake-up ended a sleep. One that was another's is that one's loss: it is given its place again. And after one that was
    /// nobody's, somebody may have died.
    fn taken(&self, end: Wake) -> Result<Taken, Stop> {
        let found = self.withdraw();
        if end != Wake::Token {
            return Ok(Taken::Nothing);
        }
        if found == Found::Promised {
            return Ok(Taken::Own);
        }
        let words = sleepers::words(self.crew.board.entries().len());
        let anothers = sleepers::take_back(self.crew.board.crowd(), self.role, words);
        self.crew.bury_all()?;
        Ok(if anothers {
            Taken::Anothers
        } else {
            Taken::Stray
        })
    }

    fn withdraw(&self) -> Found {
        sleepers::withdraw(self.crew.board.crowd(), self.role, self.number)
    }

    /// Ends a wait while announced. A wake-up that was promised meanwhile stays for whoever sleeps next.
    fn go<R>(&self, verdict: Result<Option<R>, Stop>) -> Result<R, Stop> {
        self.withdraw();
        if matches!(verdict, Err(Stop::Gone)) {
            self.crew.wake_one(self.role, Some(self.number))?; // who tells the next
        }
        verdict.map(|found| found.expect("a verdict was reached"))
    }

    /// Before it goes back to sleep: wakes another, if it has taken a wake-up that another can use.
    fn pass_on(&self, taken: Taken, short: bool) -> Result<(), Stop> {
        let worthwhile = match taken {
            Taken::Nothing => false,
            Taken::Anothers => true,
            Taken::Own | Taken::Stray => short || self.peers_gone()?,
        };
        if worthwhile {
            self.hand_on(taken)
        } else {
            Ok(())
        }
    }

    /// Wakes the next, by number, for whom a wake-up may be that was of no use here. Whoever cannot use it either, does
    /// the same: so all hear of it, and none twice.
    fn hand_on(&self, taken: Taken) -> Result<(), Stop> {
        match taken {
            Taken::Nothing => {}
            Taken::Own => {
                self.crew.wake_above(self.role, self.number)?;
            }
            Taken::Anothers | Taken::Stray => {
                self.crew.wake_one(self.role, Some(self.number))?;
            }
        }
        Ok(())
    }

    fn spin_on<R>(
        &self,
        until: Option<Deadline>,
        mut look: impl FnMut() -> Result<Sight<R>, Fault>,
    ) -> Result<R, Stop> {
        let mut pulse = Pulse::default();
        loop {
            if let Sight::Found(found) = look()? {
                return Ok(found);
            }
            if pulse.due()
                && let (Some(found), _) = self.judge(&mut look)?
            {
                return Ok(found);
            }
            if until.is_some_and(parking::passed) {
                return Err(Stop::TimedOut);
            }
            core::hint::spin_loop();
        }
    }

    /// Looks, and puts away what the dead have left in the way; if there is nothing, asks whether anything can come.
    ///
    /// Besides, whether there is something, but too little.
    pub(crate) fn judge<R>(
        &self,
        look: &mut impl FnMut() -> Result<Sight<R>, Fault>,
    ) -> Result<(Option<R>, bool), Stop> {
        let mut short = false;
        for _ in 0..LOOKS {
            let owner;
            (owner, short) = match look()? {
                Sight::Found(found) => return Ok((Some(found), false)),
                Sight::Held(owner) => (Some(owner), false),
                Sight::Short(owner) => (owner, true),
                Sight::Nothing => (None, false),
            };
            if !self.cleared(owner)? {
                break;
            }
        }
        if self.patience.peer_loss == PeerLoss::Wait || !self.peers_gone()? {
            return Ok((None, short));
        }
        self.last_look(look)
    }

    /// Whether the remains of somebody were put away, so that it is worth looking again.
    fn cleared(&self, owner: Option<u16>) -> Result<bool, Stop> {
        if let Some(owner) = owner {
            if self.crew.entry(owner).is_none() {
                return Err(Stop::Fault(Fault::Corrupt));
            }
            if !self.crew.parking.alive(owner)? {
                self.crew.bury(owner)?;
                return Ok(true);
            }
            #[cfg(not(loom))]
            self.check_turn(owner)?;
        }
        match self.crew.estate {
            // What a dead consumer had in hand lies behind the head, where it stops nobody: it is asked for.
            Estate::Claims(_) => Ok(self.role == Role::Consumer && self.crew.bury_all()?),
            Estate::Turn => Ok(false),
        }
    }

    /// Whether the turn is not this thread's own, by another handle: as in a signal handler. It
    /// would wait for ever.
    #[cfg(not(loom))]
    fn check_turn(&self, owner: u16) -> Result<(), Stop> {
        // In this order: once the number is this process's, its handle has taken the turn that it
        // has.
        let own = matches!(self.crew.estate, Estate::Turn)
            && self.crew.parking.is_ours(owner)
            && turns::is_held_here(self.crew.board, self.role, owner);
        if own {
            Err(Fault::Parking(ParkFault::OWN_TURN).into())
        } else {
            Ok(())
        }
    }

    /// After the other role was found empty: what its holders have done before, was done (E4).
    ///
    /// Where there are turns, it is enough that nothing is there: whoever has the turn has taken nothing yet.
    fn last_look<R>(
        &self,
        look: &mut impl FnMut() -> Result<Sight<R>, Fault>,
    ) -> Result<(Option<R>, bool), Stop> {
        match (self.crew.estate, self.role) {
            (Estate::Turn, _) => match look()? {
                Sight::Found(found) => Ok((Some(found), false)),
                Sight::Held(_) if self.role == Role::Consumer => Ok((None, false)),
                _ => Err(Stop::Gone),
            },
            (Estate::Claims(_), Role::Producer) => {
                self.crew.bury_all()?;
                match look()? {
                    Sight::Found(found) => Ok((Some(found), false)),
                    _ => Err(Stop::Gone),
                }
            }
            (Estate::Claims(_), Role::Consumer) => {
                self.crew.bury_all()?;
                self.last_look_of_many(look)
            }
        }
    }

    /// For a consumer among several, nothing will come if nothing is there, no other has anything in hand, and nothing was
    /// returned meanwhile.
    ///
    /// It asks twice what is in hand: before it looks, since what was counted as returned may still be on its way from a hand
    /// into the ring; and after that, since whoever it asked first may have what it saw in another's hand.
    fn last_look_of_many<R>(
        &self,
        look: &mut impl FnMut() -> Result<Sight<R>, Fault>,
    ) -> Result<(Option<R>, bool), Stop> {
        for _ in 0..LOOKS {
            let returned = self.times_returned();
            let held_before = self.others_hold();
            match look()? {
                Sight::Found(found) => return Ok((Some(found), false)),
                Sight::Held(_) => break, // by a producer that has come since
                // First what is returned, then what is in hand: the one becomes the other.
                _ if held_before || self.others_seek() || self.others_hold() => break,
                _ if self.times_returned() == returned => return Err(Stop::Gone),
                _ => {}
            }
        }
        Ok((None, false))
    }

    fn peers_gone(&self) -> Result<bool, Stop> {
        let (control, parking) = (self.crew.board.control(), self.crew.parking);
        let (attached, last) = handshake::look_at_peer(control, parking, self.role)?;
        Ok(!attached && self.is_end(last))
    }

    /// Whether it is an end that nobody is there: a pipe's, also if nobody ever was.
    fn is_end(&self, last: Entry) -> bool {
        match self.crew.estate {
            Estate::Claims(_) => last.state != State::Never,
            Estate::Turn => true,
        }
    }
}
