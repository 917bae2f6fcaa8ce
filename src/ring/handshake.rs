//! Sleeping and waking without a lost wake-up, where each role has one holder.
//!
//! ```text
//! publisher                                  waiter
//!   store its index (Release)                  sleepers += 1
//!   light barrier                    E3        heavy barrier
//!   sleepers > 0?                              ready now?           withdraw, go on
//!     CAS sleepers n -> n-1,                   peer gone, and
//!     then add one wake-up                     nothing left?        withdraw, say so
//!                                              take a wake-up, sleeping until there is one
//!                                              look again from the top
//! ```
//!
//! Why no wake-up is lost: the barriers order the publisher's store before its load, and the waiter's
//! raise before its look. So either the publisher sees the sleeper, and then a wake-up is added that
//! stays until somebody takes it; or the waiter sees the index, and does not sleep.
//!
//! Why a death loses none: who takes a number off `sleepers` owes a wake-up, and may die before adding it; who
//! was handed a wake-up may die before using it. The semaphores add one wake-up on either side for each
//! death, which repays both. A wake-up too many is harmless: its taker looks, finds nothing, and sleeps.
//!
//! Why wake-ups do not pile up: one too many is taken by a later sleep, which finds nothing. Did that sleep leave its number
//! behind, a publisher would add another wake-up for it, and so on for ever. So a side takes its number off after each sleep.
//! It is alone in its role; where several share one, see `many/wait.rs`.
//!
//! Why withdrawing may fail: `sleepers` is then 0, so somebody has promised us a wake-up. It is left to
//! be taken by whoever sleeps next, who looks again.

use super::roster::{self, Entry, State};
use super::spin;
use super::{Parking, Role, Wake};
use crate::memory::Control;
use crate::parking::{self, Deadline, ParkFault, Pulse, Vigil};
use crate::ring::Fault;
use crate::sync::{AtomicU32, Ordering};

/// How a side waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Never sleep: lowest latency, one core kept busy for as long as the wait lasts.
    Spin,
    /// Spin, then yield, for some tens of microseconds, then sleep in the kernel. While the peer is at work, let it get
    /// ahead now and then, for a microsecond or two: items that come thick and fast pass several times faster so.
    #[default]
    SpinThenSleep,
    /// Sleep at once: for a side that waits long and may not burn its core.
    Sleep,
}

/// What it means to a waiting side that the other side was there and is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerLoss {
    /// It ends the wait with `Disconnected` (a consumer first takes all that is left).
    #[default]
    Disconnect,
    /// It is waited through: for a feed whose publisher, or a worker whose master, comes back.
    Wait,
}

/// How, how long and for whom a side waits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    pub(crate) strategy: Strategy,
    pub(crate) peer_loss: PeerLoss,
    pub(crate) interruptible: bool,
    /// For how long to stay awake, with [`Strategy::SpinThenSleep`].
    pub(crate) vigil: Vigil,
}

impl Patience {
    /// Whether the end of a sleep is the end of the wait.
    pub(crate) fn ending(self, end: Wake) -> Option<Stop> {
        match end {
            Wake::TimedOut => Some(Stop::TimedOut),
            Wake::Interrupted if self.interruptible => Some(Stop::Interrupted),
            Wake::Interrupted | Wake::Token | Wake::Slice => None,
        }
    }
}

/// Why a wait ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Gone,
    TimedOut,
    Interrupted,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ParkFault> for Stop {
    fn from(fault: ParkFault) -> Self {
        Self::Fault(fault.into())
    }
}

fn sleepers(control: &Control, role: Role) -> &AtomicU32 {
    match role {
        Role::Producer => &control.sleeping_producers,
        Role::Consumer => &control.sleeping_consumers,
    }
}

/// Whether somebody of `role` sleeps that has no wake-up promised. E3: the caller has just passed the light barrier.
#[inline(always)]
pub(crate) fn anyone_asleep(control: &Control, role: Role) -> bool {
    sleepers(control, role).load(Ordering::Relaxed) > 0
}

/// Forgets the sleepers of a role that nobody is in: those that died asleep.
pub(crate) fn forget_sleepers(control: &Control, role: Role) {
    // Relaxed: the caller is alone in its role; a peer that takes a number off meanwhile owes one harmless wake-up.
    sleepers(control, role).store(0, Ordering::Relaxed);
}

/// How often a change is tried anew because the peer was faster. More is no ring's doing: somebody changes the count all the time.
const TRIES: u32 = 1 << 16;

/// Takes one number off the sleepers of `role`; `false` when there is none.
fn take_off(control: &Control, role: Role) -> bool {
    let sleepers = sleepers(control, role);
    // Relaxed throughout: the count alone matters; what is waited for travels on E1 and E2.
    let mut n = sleepers.load(Ordering::Relaxed);
    for _ in 0..TRIES {
        if n == 0 {
            break;
        }
        match sleepers.compare_exchange_weak(n, n - 1, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(now) => n = now,
        }
    }
    false
}

/// Promises a wake-up to one sleeper of `role`, if there is one, and adds it.
#[cold]
pub(crate) fn wake_one(
    control: &Control,
    parking: &dyn Parking,
    role: Role,
) -> Result<(), ParkFault> {
    if !take_off(control, role) {
        return Ok(());
    }
    parking.wake(role).inspect_err(|fault| {
        // Nobody was woken: whoever publishes next is to see the sleeper again, if there can still be one. If that one is awake by
        // then, it is woken in vain. Relaxed, as in `take_off`.
        if *fault != ParkFault::Removed {
            sleepers(control, role).store(1, Ordering::Relaxed);
        }
    })
}

/// How often the peer is looked at anew when its roster word changes meanwhile.
const LOOKS: u32 = 8;

/// What became of the peer of `role`: whether somebody is attached now, and the roster's word on the last one. If nobody
/// is, the word is of the one whose end the semaphores tell of, and not of an earlier or later one.
pub(crate) fn look_at_peer(
    control: &Control,
    parking: &dyn Parking,
    role: Role,
) -> Result<(bool, Entry), ParkFault> {
    let peer = role.peer();
    let mut before = roster::entry(control, peer);
    // Bounded, since a hostile peer may change the word for ever.
    for _ in 0..LOOKS {
        let attached = parking.attached(peer)? > 0;
        let after = roster::entry(control, peer);
        if attached || after == before {
            return Ok((attached, after));
        }
        before = after;
    }
    Ok((false, before))
}

/// Whether the peer of `role` was there and is gone, asking the kernel.
pub(crate) fn peer_gone(
    control: &Control,
    parking: &dyn Parking,
    role: Role,
) -> Result<bool, ParkFault> {
    let (attached, last) = look_at_peer(control, parking, role)?;
    if attached || last.state == State::Never {
        return Ok(false);
    }
    if last.state == State::Attached && roster::note_death(control, role.peer(), last) {
        roster::count_death(control, role.peer());
    }
    Ok(true)
}

/// One side's way to wait.
pub(crate) struct Waiter<'a> {
    pub(crate) control: &'a Control,
    pub(crate) parking: &'a dyn Parking,
    pub(crate) role: Role,
    pub(crate) patience: Patience,
}

impl Waiter<'_> {
    /// Waits, by the strategy, until `look` finds something.
    pub(crate) fn wait<R>(
        &self,
        until: Option<Deadline>,
        mut look: impl FnMut() -> Result<Option<R>, Fault>,
    ) -> Result<R, Stop> {
        if let Some(found) = spin::awake(self.patience.strategy, self.patience.vigil, &mut look)? {
            return Ok(found);
        }
        match self.patience.strategy {
            Strategy::Spin => self.spin_on(until, look),
            Strategy::SpinThenSleep | Strategy::Sleep => self.sleep_on(until, look),
        }
    }

    fn sleep_on<R>(
        &self,
        until: Option<Deadline>,
        mut look: impl FnMut() -> Result<Option<R>, Fault>,
    ) -> Result<R, Stop> {
        loop {
            self.announce();
            let reach = parking::heavy_barrier();
            let verdict = self.judge(&mut look);
            if let Some(verdict) = verdict.transpose() {
                take_off(self.control, self.role);
                return verdict;
            }
            let end = self.parking.sleep(self.role, until, reach);
            take_off(self.control, self.role);
            let end = end?;
            // A wake-up comes before a deadline that has passed meanwhile, and there may be no end of them.
            let late = until.is_some_and(parking::passed).then_some(Stop::TimedOut);
            if let Some(stop) = self.patience.ending(end).or(late) {
                return look()?.ok_or(stop);
            }
        }
    }

    /// Counts this side among the sleepers. Relaxed: ordered against the look by the heavy barrier (E3).
    fn announce(&self) {
        // Whatever was there, also what a hostile peer has left.
        sleepers(self.control, self.role).store(1, Ordering::Relaxed);
    }

    fn spin_on<R>(
        &self,
        until: Option<Deadline>,
        mut look: impl FnMut() -> Result<Option<R>, Fault>,
    ) -> Result<R, Stop> {
        let mut pulse = Pulse::default();
        loop {
            if let Some(found) = spin::awake(Strategy::Spin, Vigil::default(), &mut look)? {
                return Ok(found);
            }
            if pulse.due()
                && let Some(found) = self.judge(&mut look)?
            {
                return Ok(found);
            }
            if until.is_some_and(parking::passed) {
                return Err(Stop::TimedOut);
            }
        }
    }

    /// Looks; asks whether the peer is gone; if so looks once more, since its last items may have come between
    /// the look and its end (E4).
    fn judge<R>(
        &self,
        look: &mut impl FnMut() -> Result<Option<R>, Fault>,
    ) -> Result<Option<R>, Stop> {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        let over = self.patience.peer_loss == PeerLoss::Disconnect
            && peer_gone(self.control, self.parking, self.role)?;
        if !over {
            return Ok(None);
        }
        look()?.map(Some).ok_or(Stop::Gone)
    }
}
