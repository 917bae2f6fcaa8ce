//! What the two handles have in common: a participant, whose it is, and how it waits.

use core::fmt;
use core::hint::cold_path;
use std::thread;

use crate::brief::brief;
use crate::error::Fault;
use crate::halt::Halt;
use crate::item::Item;
use crate::memory::View;
use crate::parking::{Deadline, Stopwatch};
use crate::ring::crew::Sight;
use crate::ring::many::{Hold, Member, Wish, frontier};
use crate::ring::{Patience, PeerLoss, Role, Strategy, roster};
use crate::segment::Segment;
use crate::sync::Arc;
use crate::sys::fork::Incarnation;

/// What is known of the other role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Peers {
    /// How many are there now, as the kernel has it.
    pub alive: u32,
    /// How many ever came. Who has just come is counted a moment later.
    pub ever: u64,
    /// How many of them were found dead.
    pub deaths: u32,
}

/// A participant with its owner.
pub(super) struct Handle<T: Item> {
    pub(super) member: Member,
    pub(super) items: View<T>,
    role: Role,
    incarnation: Incarnation,
    pub(super) patience: Patience,
    /// Keeps the name and the semaphores' id.
    segment: Option<Arc<Segment>>,
    /// Whether it has left already.
    ended: bool,
}

impl<T: Item> Handle<T> {
    pub(super) fn new(
        member: Member,
        items: View<T>,
        incarnation: Incarnation,
        segment: Option<Arc<Segment>>,
    ) -> Self {
        Self {
            role: member.role(),
            member,
            items,
            incarnation,
            patience: Patience::default(),
            segment,
            ended: false,
        }
    }

    /// Claims what comes next, by the handle's role, which who calls knows beforehand. `None` calls for a closer look.
    #[inline(always)]
    pub(super) fn claim_next(&mut self, role: Role, wish: Wish) -> Option<Hold> {
        debug_assert_eq!(role, self.role);
        if !self.incarnation.is_current() || self.stopped_by_peers(role) {
            return None;
        }
        self.member.give_back();
        self.member.claim_next(role, wish)
    }

    /// The same, or whatever else can be claimed at once. `None` calls for the slow path.
    #[inline(always)]
    pub(super) fn claim_at_once(&mut self, role: Role, wish: Wish) -> Option<Hold> {
        debug_assert_eq!(role, self.role);
        if !self.incarnation.is_current() || self.stopped_by_peers(role) {
            return None;
        }
        self.member.give_back();
        match self.member.claim_next(role, wish) {
            Some(hold) => Some(hold),
            None => self.claim_looking(wish),
        }
    }

    /// The same where something is in the way, out of line.
    #[inline(never)]
    fn claim_looking(&mut self, wish: Wish) -> Option<Hold> {
        match self.look(wish) {
            Ok(Sight::Found(hold)) => Some(hold),
            _ => None,
        }
    }

    fn look(&mut self, wish: Wish) -> Result<Sight<Hold>, crate::ring::Fault> {
        self.member.look(wish)
    }

    /// Whether all peers seem to have gone, and that ends this side's work at once: a producer's, whose items nobody would
    /// take. A consumer first takes what is left.
    #[inline(always)]
    fn stopped_by_peers(&self, role: Role) -> bool {
        role == Role::Producer
            && roster::known_gone(self.member.board().control(), Role::Consumer)
            && {
                cold_path(); // else all conditions are computed, before one jump
                self.patience.peer_loss == PeerLoss::Disconnect
            }
    }

    /// Claims without waiting, or says why not.
    #[cold]
    pub(super) fn claim_now(&mut self, wish: Wish) -> Result<Hold, Halt> {
        self.check()?;
        if let Sight::Found(hold) = self.look(wish)? {
            return Ok(hold);
        }
        let found = self.member.poll(wish, self.patience)?;
        found.ok_or(Halt::NotNow)
    }

    /// Waits until it can claim.
    #[cold]
    pub(super) fn claim(&mut self, wish: Wish, until: Option<Deadline>) -> Result<Hold, Halt> {
        self.check()?;
        self.member
            .look_closely(wish.least, size_of::<T>(), self.patience.strategy);
        let watch = Stopwatch::start();
        let end = self.member.wait(wish, self.patience, until);
        self.patience.vigil.learn(watch.waited());
        Ok(end?)
    }

    /// Gives back what a guard has left in hand; in a forked child, it is not the child's to give.
    #[inline]
    pub(super) fn give_back(&mut self) {
        if self.incarnation.is_current() {
            self.member.give_back();
        }
    }

    /// Releases what a guard has left in hand.
    pub(super) fn release_held(&mut self) {
        if self.incarnation.is_current() {
            self.member.release_held();
        }
    }

    /// For guards, whose methods have no error to return.
    #[inline(always)]
    pub(super) fn assert_not_forked(&self) {
        assert!(self.incarnation.is_current(), "{}", Fault::Forked);
    }

    /// What must hold before anything is done: the process is the one that attached, and the peers are not known to be gone.
    fn check(&mut self) -> Result<(), Halt> {
        self.check_process()?;
        self.member.give_back();
        if self.stopped_by_peers(self.role) && self.peers()?.alive == 0 {
            return Err(Halt::Gone);
        }
        Ok(())
    }

    /// Whether this is the process that attached.
    fn check_process(&self) -> Result<(), Fault> {
        let current = self.incarnation.is_current();
        if current { Ok(()) } else { Err(Fault::Forked) }
    }

    pub(super) fn peers(&self) -> Result<Peers, Fault> {
        self.check_process()?;
        let (control, role) = (self.member.board().control(), self.role.peer());
        let alive = self.member.parking().attached(role);
        Ok(Peers {
            alive: alive.map_err(crate::ring::Fault::from)?,
            ever: roster::entry(control, role).generation,
            deaths: roster::deaths_seen(control, role),
        })
    }

    pub(super) fn is_disconnected(&self) -> Result<bool, Fault> {
        let peers = self.peers()?;
        Ok(peers.alive == 0 && peers.ever > 0)
    }

    pub(super) fn len(&self) -> usize {
        frontier::len(self.member.board())
    }

    pub(super) fn set_strategy(&mut self, strategy: Strategy) {
        self.patience.strategy = strategy;
    }

    pub(super) fn set_peer_loss(&mut self, peer_loss: PeerLoss) {
        self.patience.peer_loss = peer_loss;
    }

    pub(super) fn set_interruptible(&mut self, interruptible: bool) {
        self.patience.interruptible = interruptible;
    }

    /// Leaves.
    pub(super) fn end(&mut self, in_good_order: bool) -> Result<(), Fault> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.check_process()?; // in a child, the number is the parent's
        let left = self.member.leave(in_good_order);
        Ok(left.map_err(crate::ring::Fault::from)?)
    }
}

impl<T: Item> Handle<T> {
    /// See [`brief`](crate::brief).
    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        let used = (frontier::len(self.member.board()), self.items.capacity());
        brief(f, what, self.segment.as_deref(), used)
    }
}

impl<T: Item> Drop for Handle<T> {
    fn drop(&mut self) {
        // A panic is no end in good order. An error here means that the ring was removed: there is nothing to leave.
        let _ = self.end(!thread::panicking());
    }
}
