//! What the two handles have in common: a side, whose it is, and how it waits.

use core::fmt;
use core::hint::cold_path;
use std::thread;

use super::holder;
use crate::brief::brief;
use crate::error::Fault;
use crate::halt::Halt;
use crate::item::Item;
use crate::mpmc::Peers;
use crate::parking::{Deadline, Stopwatch};
use crate::ring::roster::{self, State};
use crate::ring::{End, Patience, PeerLoss, Role, Side, Strategy};
use crate::segment::Segment;
use crate::sync::Arc;
use crate::sys::fork::Incarnation;

/// What is known of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// Nobody was ever there.
    Never,
    /// It is there.
    Alive {
        /// Its process, as seen in this process's pid namespace; 0 if that cannot be told.
        pid: i32,
    },
    /// It was there, and ended in good order.
    Finished,
    /// It was there, and was killed, crashed, or gave up.
    Died,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never there"),
            Self::Alive { pid: 0 } => f.write_str("alive"),
            Self::Alive { pid } => write!(f, "alive (pid {pid})"),
            Self::Finished => f.write_str("finished"),
            Self::Died => f.write_str("died"),
        }
    }
}

/// A side with its owner.
pub(super) struct Handle<T: Item, E: End> {
    pub(super) side: Side<T, E>,
    incarnation: Incarnation,
    pub(super) patience: Patience,
    segment: Option<Arc<Segment>>,
    /// Whether the role has been given up already.
    ended: bool,
}

impl<T: Item, E: End> Handle<T, E> {
    pub(super) fn new(
        side: Side<T, E>,
        incarnation: Incarnation,
        segment: Option<Arc<Segment>>,
    ) -> Self {
        Self {
            side,
            incarnation,
            patience: Patience::default(),
            segment,
            ended: false,
        }
    }

    /// Whether `n` slots are this side's and nothing speaks against using them. `false` calls for the slow path.
    #[inline(always)]
    pub(super) fn clear_for(&mut self, n: usize) -> bool {
        let fit = self.incarnation.is_current() && !self.stopped_by_peer();
        fit && matches!(self.side.room(n), Ok(room) if room >= n)
    }

    /// The same without a look at the peer's index: for whoever waits in the slow path, which looks first.
    #[inline(always)]
    pub(super) fn has_at_hand(&self, n: usize) -> bool {
        self.incarnation.is_current() && !self.stopped_by_peer() && self.side.known_room() >= n
    }

    /// Counts anew if fewer than `n` slots are known to be this side's; if fewer there are, so be it.
    ///
    /// For who has some at hand, so that an error will keep until there are none.
    #[inline(always)]
    pub(super) fn count_for(&mut self, n: usize) {
        let _ = self.side.room(n);
    }

    /// Whether the peer seems to have gone in a way that ends this side's work at once: the producer's, whose items
    /// nobody would take. A consumer first takes what is left.
    #[inline(always)]
    fn stopped_by_peer(&self) -> bool {
        E::ROLE == Role::Producer && self.side.peer_known_gone() && {
            cold_path(); // else all conditions are computed, before one jump
            self.patience.peer_loss == PeerLoss::Disconnect
        }
    }

    /// Slots that are this side's now, at least one, or why not.
    #[cold]
    pub(super) fn try_now(&mut self, wanted: usize) -> Result<usize, Halt> {
        self.check()?;
        let room = self.side.room(wanted)?;
        if room > 0 {
            return Ok(room);
        }
        if self.patience.peer_loss == PeerLoss::Wait || !self.side.poll_gone()? {
            return Err(Halt::NotNow);
        }
        match self.side.room(wanted)? {
            0 => Err(Halt::Gone), // E4: what came before the peer's end would have been seen
            room if E::ROLE == Role::Consumer => Ok(room),
            _ => Err(Halt::Gone),
        }
    }

    /// Waits for `wanted` slots. Out of line, so that what has not to wait can be inlined.
    #[cold]
    #[inline(never)]
    pub(super) fn wait(&mut self, wanted: usize, until: Option<Deadline>) -> Result<usize, Halt> {
        self.check()?;
        if let Some(room) = self.side.look_closely(wanted, self.patience.strategy)? {
            return Ok(room);
        }
        let watch = Stopwatch::start();
        let end = self.side.wait(wanted, self.patience, until);
        self.patience.vigil.learn(watch.waited());
        Ok(end?)
    }

    /// For guards, whose methods have no error to return.
    #[inline(always)]
    pub(super) fn assert_not_forked(&self) {
        assert!(self.incarnation.is_current(), "{}", Fault::Forked);
    }

    /// What must hold before anything is done: the process is the one that attached, and the peer is not known to be gone.
    fn check(&self) -> Result<(), Halt> {
        self.check_process().map_err(Halt::Fault)?;
        if self.stopped_by_peer() && self.side.peer_gone()? {
            return Err(Halt::Gone);
        }
        Ok(())
    }

    /// Whether this is the process that attached.
    fn check_process(&self) -> Result<(), Fault> {
        let current = self.incarnation.is_current();
        if current { Ok(()) } else { Err(Fault::Forked) }
    }

    pub(super) fn peer(&self) -> Result<Peer, Fault> {
        self.check_process()?;
        let (attached, last) = self.side.look_at_peer()?;
        if attached {
            let pid = holder(self.segment.as_deref(), E::ROLE.peer());
            return Ok(Peer::Alive { pid });
        }
        Ok(match last.state {
            State::Never => Peer::Never,
            State::Finished => Peer::Finished,
            State::Attached | State::Died => Peer::Died,
        })
    }

    pub(super) fn peers(&self) -> Result<Peers, Fault> {
        self.check_process()?;
        let (attached, last) = self.side.look_at_peer()?;
        Ok(Peers {
            alive: attached.into(),
            ever: last.generation,
            deaths: roster::deaths_seen(self.side.control(), E::ROLE.peer()),
        })
    }

    pub(super) fn is_disconnected(&self) -> Result<bool, Fault> {
        Ok(matches!(self.peer()?, Peer::Finished | Peer::Died))
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

    pub(super) fn len(&self) -> usize {
        crate::ring::len(self.side.control(), self.side.capacity())
    }

    /// Gives the role up.
    pub(super) fn end(&mut self, in_good_order: bool) -> Result<(), Fault> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.check_process()?; // in a child, the role is the parent's
        Ok(self.side.detach(in_good_order)?)
    }
}

impl<T: Item, E: End> Handle<T, E> {
    /// See [`brief`](crate::brief).
    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        let used = (self.len(), self.side.capacity());
        brief(f, what, self.segment.as_deref(), used)
    }
}

impl<T: Item, E: End> Drop for Handle<T, E> {
    fn drop(&mut self) {
        // A panic is no end in good order. An error here means that the ring was removed: there is no role to give up.
        let _ = self.end(!thread::panicking());
    }
}

/// Whether handing an item on costs next to nothing.
pub(super) const fn is_small<T>() -> bool {
    size_of::<T>() <= 64
}
