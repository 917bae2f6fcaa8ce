//! What the two ends have in common: a participant, whose it is, and how it waits.

use core::fmt;
use std::thread;
use std::time::Duration;

use super::PIPE_BUF;
use super::fork::InheritedEnd;
use super::halt::Halt;
use super::readiness::Readiness;
use super::ways::Ways;
use crate::brief::brief;
use crate::error::{Error, Fault};
use crate::halt::after;
use crate::mpmc::Peers;
use crate::name::Name;
use crate::parking::{self, Deadline, Stopwatch, Vigil, Vouched};
use crate::ring::crew::Sight;
use crate::ring::turns::{Member, Place, Refusal};
use crate::ring::{Patience, PeerLoss, Role, Strategy, roster};
use crate::segment::Segment;
use crate::sync::Arc;
use crate::sys::fork::{self, Incarnation};

/// How long a nonblocking operation waits for another's to be done with the turn.
const COURTESY: Duration = Duration::from_millis(1);

/// How long an open that does not wait waits for others that are about to open, and were stopped in the middle.
pub(super) const OPENING: Duration = Duration::from_secs(1);

/// How many bytes are copied before the other side may begin with them.
pub(super) const SHARE: usize = 32 << 10;

/// A participant with its owner.
pub(super) struct End {
    pub(super) member: Member,
    role: Role,
    place: Place,
    incarnation: Incarnation,
    pub(super) ways: Arc<Ways>,
    strategy: Strategy,
    vigil: Vigil,
    vouched: Vouched,
    /// How many writers there had been when a reader was opened without waiting for one.
    unmet: Option<u64>,
    /// While forked children have it too.
    inherited: Option<InheritedEnd>,
    /// Keeps the name and the semaphores' id.
    segment: Option<Arc<Segment>>,
    /// Whether it has left already.
    ended: bool,
}

impl End {
    pub(super) fn new(
        member: Member,
        role: Role,
        place: Place,
        ways: Arc<Ways>,
        segment: Option<Arc<Segment>>,
    ) -> Self {
        Self {
            member,
            role,
            place,
            incarnation: fork::incarnation(),
            ways,
            strategy: Strategy::default(),
            vigil: Vigil::default(),
            vouched: Vouched::default(),
            unmet: None,
            inherited: None,
            segment,
            ended: false,
        }
    }

    /// Takes part in a role; its settings are its own, or those of whom it is a clone.
    pub(super) fn join(
        place: &Place,
        role: Role,
        ways: Arc<Ways>,
        segment: Option<Arc<Segment>>,
    ) -> Result<Self, Error> {
        let (member, _) = place
            .join(role, after(OPENING))
            .map_err(|refusal| refused(refusal, place, || Name::Private))?;
        Ok(Self::new(member, role, place.clone(), ways, segment))
    }

    pub(super) fn try_clone(&self) -> Result<Self, Error> {
        let (ways, segment) = (Arc::clone(&self.ways), self.segment.clone());
        let mut clone = Self::join(&self.place, self.role, ways, segment)?;
        clone.set_inheritable(self.inherited.is_some());
        clone.strategy = self.strategy;
        clone.unmet = self.unmet;
        Ok(clone)
    }

    /// Waits, as open(2) does with a FIFO, until the other role has somebody, or has had since there were `seen`.
    pub(super) fn meet(&mut self, seen: u64, until: Option<Deadline>) -> Result<(), Halt> {
        let patience = Patience {
            strategy: Strategy::Sleep,
            peer_loss: PeerLoss::Wait,
            interruptible: self.ways.interruptible.is_on(),
            ..Patience::default()
        };
        Ok(self.member.wait_for_peers(seen, patience, until)?)
    }

    /// Notes that the other role has had nobody yet, as far as this end is concerned, since there were `seen`; unless somebody is there.
    pub(super) fn note_unmet(&mut self, seen: u64) -> Result<(), Fault> {
        self.unmet = (!self.is_met()?).then_some(seen);
        Ok(())
    }

    /// Sets whether forked children have it too; never within one process, nor in a child that does not have it.
    pub(super) fn set_inheritable(&mut self, inheritable: bool) {
        if self.check_process().is_err() {
            return;
        }
        let inheritable = inheritable && self.segment.is_some();
        if inheritable != self.inherited.is_some() {
            let register = || InheritedEnd::register(&self.place, self.role);
            self.inherited = inheritable.then(register);
        }
    }

    /// Whether this is the process that joined, or a child that has inherited the end.
    #[inline]
    pub(super) fn check_process(&mut self) -> Result<(), Fault> {
        if self.incarnation.is_current() {
            Ok(())
        } else {
            self.inherit()
        }
    }

    /// In a forked child: goes on with what it has inherited, which has nothing in hand.
    #[cold]
    fn inherit(&mut self) -> Result<(), Fault> {
        let inherited = self.inherited.as_ref();
        let successor = inherited.and_then(InheritedEnd::claim);
        self.member = successor.ok_or(Fault::Forked)?;
        self.incarnation = fork::incarnation();
        self.vouched = Vouched::default();
        Ok(())
    }

    /// For guards, whose methods have no error to return.
    #[inline(always)]
    pub(super) fn assert_not_forked(&self) {
        assert!(self.incarnation.is_current(), "{}", Fault::Forked);
    }

    /// Whether somebody is at the other end: as the kernel has it, now or a moment ago.
    #[inline]
    pub(super) fn is_met(&mut self) -> Result<bool, Fault> {
        let gone = roster::known_gone(self.member.control(), self.role.peer());
        if !gone && self.vouched.is_fresh() {
            return Ok(true);
        }
        let met = self.member.peers()? > 0;
        if met {
            self.vouched.renew();
        }
        Ok(met)
    }

    /// Waits, by the ways, until `least` bytes are ready and the turn is in hand; how many are. With `moved` bytes told of, a
    /// signal ends the wait.
    #[inline]
    pub(super) fn ready(
        &mut self,
        least: usize,
        moved: usize,
        until: Option<Deadline>,
    ) -> Result<usize, Halt> {
        match self.member.look(least)? {
            Sight::Found(ready) => Ok(ready),
            sight => self.wait(sight, least, moved, until),
        }
    }

    /// After a look that has found something in the way.
    fn wait(
        &mut self,
        sight: Sight<usize>,
        least: usize,
        moved: usize,
        until: Option<Deadline>,
    ) -> Result<usize, Halt> {
        if self.ways.nonblocking.is_on() {
            return self.ready_now(least, sight);
        }
        self.member.look_closely(least, self.strategy);
        let patience = self.patience(moved > 0);
        let watch = Stopwatch::start();
        let end = self.member.wait(least, patience, until);
        self.vigil.learn(watch.waited());
        Ok(end?)
    }

    /// The same for a reader of up to `wanted` bytes. Where there are a few at once, the writer is at work: to read each few of them
    /// would cost both sides more than to let it get ahead.
    #[inline]
    pub(super) fn ready_ahead(
        &mut self,
        wanted: usize,
        until: Option<Deadline>,
    ) -> Result<usize, Halt> {
        match self.member.look(1)? {
            Sight::Found(few)
                if self.strategy == Strategy::SpinThenSleep && !self.ways.nonblocking.is_on() =>
            {
                Ok(self.member.linger(few, wanted)?)
            }
            Sight::Found(ready) => Ok(ready),
            sight => self.wait(sight, 1, 0, until),
        }
    }

    /// The same for bytes that are in nobody else's hands: nothing but the peers' end stops the
    /// wait.
    pub(super) fn ready_at_last(&mut self, least: usize) -> Result<usize, Halt> {
        match self.member.look(least)? {
            Sight::Found(ready) => Ok(ready),
            _ => {
                let patience = Patience {
                    interruptible: false,
                    ..self.patience(false)
                };
                Ok(self.member.wait(least, patience, None)?)
            }
        }
    }

    fn patience(&self, hurried: bool) -> Patience {
        Patience {
            strategy: self.strategy,
            peer_loss: PeerLoss::Disconnect,
            interruptible: hurried || self.ways.interruptible.is_on(),
            vigil: self.vigil,
        }
    }

    #[cold]
    fn ready_now(&mut self, least: usize, sight: Sight<usize>) -> Result<usize, Halt> {
        if let Sight::Held(_) = sight {
            let waited = self
                .member
                .wait(least, self.patience(false), after(COURTESY));
            return waited.map_err(|stop| match stop.into() {
                Halt::TimedOut => Halt::NotNow,
                halt => halt,
            });
        }
        if self.is_met()? {
            return Err(Halt::NotNow);
        }
        let found = self.member.judge(least, self.patience(false))?;
        found.ok_or(Halt::NotNow)
    }

    /// What poll(2) would say.
    pub(super) fn readiness(&self) -> Result<Readiness, Fault> {
        let met = self.member.peers()? > 0; // before the look: what the last of them did is seen (E4)
        let near = self.member.near();
        let mut bits = Readiness::empty();
        match self.role {
            Role::Producer => {
                bits.set(Readiness::OUT, near >= PIPE_BUF);
                bits.set(Readiness::ERR, !met);
            }
            Role::Consumer => {
                bits.set(Readiness::IN, near > 0);
                let unmet = self.unmet == Some(self.member.peers_ever());
                bits.set(Readiness::HUP, !met && !unmet);
            }
        }
        Ok(bits)
    }

    /// Waits until poll(2) would say something; says nothing when the timeout has passed.
    pub(super) fn await_readiness(&mut self, timeout: Option<Duration>) -> Result<Readiness, Halt> {
        let until = timeout.and_then(after);
        let least = match self.role {
            Role::Producer => PIPE_BUF,
            Role::Consumer => 1,
        };
        self.check_process()?;
        let mut patience = self.patience(false);
        loop {
            let bits = self.readiness()?;
            // What was waited for may be gone again, and so on for ever.
            if !bits.is_empty() || until.is_some_and(parking::passed) {
                return Ok(bits);
            }
            let unmet = self.unmet.filter(|seen| *seen == self.member.peers_ever());
            patience.peer_loss = match unmet {
                Some(_) => PeerLoss::Wait,
                None => PeerLoss::Disconnect,
            };
            match self
                .member
                .wait_near(least, unmet, patience, until)
                .map_err(Halt::from)
            {
                Ok(()) | Err(Halt::Gone) => {}
                Err(Halt::TimedOut) => return Ok(self.readiness()?),
                Err(halt) => return Err(halt),
            }
        }
    }

    pub(super) fn peers(&self) -> Result<Peers, Fault> {
        self.member.bury_all()?;
        let (control, role) = (self.member.control(), self.role.peer());
        Ok(Peers {
            alive: self.member.peers()?,
            ever: self.member.peers_ever(),
            deaths: roster::deaths_seen(control, role),
        })
    }

    pub(super) fn available(&self) -> usize {
        crate::ring::len(self.member.control(), self.member.capacity())
    }

    pub(super) fn set_strategy(&mut self, strategy: Strategy) {
        self.strategy = strategy;
    }

    /// Lets the turn go that a guard has left, or that was asked for in vain.
    pub(super) fn put_down(&mut self) {
        if self.incarnation.is_current() {
            self.member.put_down();
        }
    }

    /// Leaves.
    pub(super) fn end(&mut self, in_good_order: bool) -> Result<(), Fault> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.check_process()?; // in a child that has not inherited it, the number is the parent's
        self.inherited = None; // before the end is left: a fork in between must not join it anew
        let left = self.member.leave(in_good_order);
        Ok(left.map_err(crate::ring::Fault::from)?)
    }
}

impl End {
    /// See [`brief`](crate::brief).
    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        let used = (self.available(), self.member.capacity());
        brief(f, what, self.segment.as_deref(), used)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // A panic is no end in good order. An error here means that the ring was removed: there is nothing to leave.
        let _ = self.end(!thread::panicking());
    }
}

/// Why an end could not be opened.
pub(super) fn refused(refusal: Refusal, place: &Place, name: impl FnOnce() -> Name) -> Error {
    match refusal {
        Refusal::Full => Error::Crowded {
            limit: place.board.entries().len(),
        },
        Refusal::NoPeer => Error::NoReader { name: name() },
        Refusal::Late => Error::TimedOut { name: name() },
        Refusal::Fault(fault) => fault.into(),
    }
}
