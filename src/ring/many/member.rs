//! One participant: what producers and consumers of a shared ring have in common.

use super::frontier::Frontier;
#[cfg(not(loom))]
use super::frontier::told;
use super::place::Place;
use super::word::RUN_MAX;
use super::words::DeadConsumer;
use crate::memory::{Board, Entry};
use crate::parking::{Deadline, Fence, ParkFault, Pulse};
use crate::ring::crew::{Crew, Estate, Sight, Waiter, sleepers};
use crate::ring::{Fault, Parking, Patience, Role, Stop};
#[cfg(not(loom))]
use crate::ring::{Strategy, heels};
use crate::sync::Arc;
#[cfg(not(loom))]
use crate::sync::Ordering;

/// A run in a participant's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) place: Place,
    pub(crate) len: usize,
    /// Whether somebody had it in hand before.
    pub(crate) redelivered: bool,
}

/// How many slots a claim is for: as many as there are, up to `most`, but not fewer than `least`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) least: usize,
    pub(crate) most: usize,
}

/// A participant. Not detached when dropped: whoever owns it does that, see [`Member::leave`].
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) board: Board,
    pub(super) parking: Arc<dyn Parking>,
    pub(super) fence: Fence,
    policy: DeadConsumer,
    pub(super) number: u16,
    pub(super) role: Role,
    /// Words of sleepers' bits that are in use.
    pub(super) words: usize,
    pub(super) frontier: Frontier,
    /// What a guard has in hand.
    pub(super) hold: Option<Hold>,
    /// What was claimed last of that which had been returned: it does not end at the frontier.
    pub(super) again: Option<Hold>,
    pub(super) moved: u64,
    pub(super) pulse: Pulse,
    /// Whether a look has freed slots, of which nobody was told yet.
    pub(super) drained: bool,
}

impl Member {
    /// Takes part; `None` when there are as many participants as there can be.
    pub(crate) fn join(
        board: Board,
        parking: Arc<dyn Parking>,
        policy: DeadConsumer,
        role: Role,
    ) -> Result<Option<Self>, ParkFault> {
        let fence = Fence::of_publisher();
        let crew = Crew {
            board: &board,
            parking: &*parking,
            fence,
            estate: Estate::Claims(policy),
        };
        let Some(number) = crew.join(role, None)? else {
            return Ok(None);
        };
        let frontier = Frontier::of(&board, role);
        Ok(Some(Self {
            words: sleepers::words(board.entries().len()),
            board,
            parking,
            fence,
            policy,
            number,
            role,
            frontier,
            hold: None,
            again: None,
            moved: 0,
            pulse: Pulse::default(),
            drained: false,
        }))
    }

    /// Gives the number up: in good order, after giving back what is in hand, or as a death would.
    pub(crate) fn leave(&mut self, in_good_order: bool) -> Result<(), ParkFault> {
        if in_good_order {
            self.give_back();
        }
        self.crew().leave(self.number, self.role, in_good_order)
    }

    #[inline(always)]
    pub(super) fn crew(&self) -> Crew<'_> {
        Crew {
            board: &self.board,
            parking: &*self.parking,
            fence: self.fence,
            estate: Estate::Claims(self.policy),
        }
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    pub(crate) fn parking(&self) -> &dyn Parking {
        &*self.parking
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    #[inline(always)]
    pub(crate) fn capacity(&self) -> usize {
        self.board.words().len()
    }

    /// The longest run that can be claimed at once.
    #[inline(always)]
    pub(crate) fn run_limit(&self) -> usize {
        self.capacity().min(RUN_MAX)
    }

    #[inline(always)]
    pub(super) fn entry(&self) -> &Entry {
        &self.board.entries()[usize::from(self.number) - 1]
    }

    /// Claims by the role, or says what is in the way.
    pub(crate) fn look(&mut self, wish: Wish) -> Result<Sight<Hold>, Fault> {
        let sight = match self.role {
            Role::Producer => self.look_free(wish),
            Role::Consumer => self.look_full(wish),
        };
        if core::mem::take(&mut self.drained) {
            self.stir();
        }
        sight
    }

    /// Waits for a moment, awake, until there may be something to claim; where the others are at work, until there is more.
    #[cfg(not(loom))]
    pub(crate) fn look_closely(&self, least: usize, item_size: usize, strategy: Strategy) {
        let ahead = heels::ahead(self.capacity(), item_size);
        let within_reach = || -> Result<usize, core::convert::Infallible> {
            // As told, which is a little late.
            let peers = told(&self.board, self.role.peer()).load(Ordering::Relaxed);
            let bound = match self.role {
                Role::Producer => peers.wrapping_add(self.capacity() as u64),
                Role::Consumer => peers,
            };
            let reach = bound.saturating_sub(self.frontier.place.position);
            Ok(usize::try_from(reach).unwrap_or(0))
        };
        let _ = heels::closely(strategy, least, ahead, within_reach);
    }

    /// Waits until a claim can be made.
    #[cold]
    pub(crate) fn wait(
        &mut self,
        wish: Wish,
        patience: Patience,
        until: Option<Deadline>,
    ) -> Result<Hold, Stop> {
        let (board, parking) = (self.board.clone(), Arc::clone(&self.parking));
        let waiter = self.waiter(&board, &*parking, patience);
        waiter.wait(until, || self.look(wish))
    }

    /// For operations that do not wait and found nothing: asks the kernel, now and then only, whether somebody died.
    #[cold]
    pub(crate) fn poll(&mut self, wish: Wish, patience: Patience) -> Result<Option<Hold>, Stop> {
        if !self.pulse.due() {
            return Ok(None);
        }
        let (board, parking) = (self.board.clone(), Arc::clone(&self.parking));
        let waiter = self.waiter(&board, &*parking, patience);
        waiter
            .judge(&mut || self.look(wish))
            .map(|(found, _)| found)
    }

    fn waiter<'a>(
        &self,
        board: &'a Board,
        parking: &'a dyn Parking,
        patience: Patience,
    ) -> Waiter<'a> {
        Waiter {
            crew: Crew {
                board,
                parking,
                fence: self.fence,
                estate: Estate::Claims(self.policy),
            },
            role: self.role,
            number: self.number,
            patience,
        }
    }
}
