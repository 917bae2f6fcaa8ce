//! Waiting awake: look closely, spin, then yield, for as long as the strategy says.
//!
//! A side that treads on the other's heels makes both slow: each item then costs them a transfer of the index's line
//! and one of the slot's, where a few lines at a time cost hardly more. So whoever finds a little at once, which says
//! that the peer is at work, lets it get ahead before it goes on: it lingers. What comes late comes from a peer that
//! is slower than this, or answers what we sent: it is taken without delay.

use core::hint::spin_loop;

use crossbeam_utils::Backoff;

use super::handshake::Strategy;
use crate::parking;

/// Looks that follow one another closely, a pause apart: a few times what two lines take to cross.
const CLOSE: u32 = 64;

/// Of these, the first ones, before which only a peer that is at work can have done something.
const AT_ONCE: u32 = 3;

/// How often to let the peer get further ahead, and for how many pauses each.
const LINGERS: u32 = 4;
const PAUSES: u32 = 16;

/// How far ahead the peer is to be, in bytes, before a side that lingers goes on.
const AHEAD: usize = 4096;

/// How many rounds of spinning and yielding come before a sleep.
const ROUNDS: u32 = 16;

/// Looks for `wanted` slots, closely, and lingers where the peer is at work; `None` when it is time for more patience.
///
/// `ahead` says how far the peer is to get then. With [`Strategy::Sleep`], looks once.
pub(crate) fn closely<E>(
    strategy: Strategy,
    wanted: usize,
    ahead: usize,
    mut look: impl FnMut() -> Result<usize, E>,
) -> Result<Option<usize>, E> {
    let looks = if strategy == Strategy::Sleep {
        1
    } else {
        CLOSE
    };
    for n in 0..looks {
        let room = look()?;
        if room < wanted {
            spin_loop();
        } else if n < AT_ONCE && strategy == Strategy::SpinThenSleep {
            return linger(room, ahead, look).map(Some);
        } else {
            return Ok(Some(room));
        }
    }
    Ok(None)
}

/// How many slots of `size` bytes the peer is to be ahead where a side lingers. In a small ring, it is soon at its end.
pub(crate) fn ahead(capacity: usize, size: usize) -> usize {
    (AHEAD / size).max(8).min(capacity / 4)
}

/// Waits a moment while `room` is less than `ahead` and grows.
fn linger<E>(
    mut room: usize,
    ahead: usize,
    mut look: impl FnMut() -> Result<usize, E>,
) -> Result<usize, E> {
    for _ in 0..LINGERS {
        if room >= ahead {
            break;
        }
        (0..PAUSES).for_each(|_| spin_loop());
        let before = core::mem::replace(&mut room, look()?);
        if room == before {
            break;
        }
    }
    Ok(room)
}

/// Looks again and again, awake, until `look` finds something or the strategy's patience is over.
pub(crate) fn awake<R, E>(
    strategy: Strategy,
    mut look: impl FnMut() -> Result<Option<R>, E>,
) -> Result<Option<R>, E> {
    let rounds = if strategy == Strategy::Sleep {
        0
    } else {
        ROUNDS
    };
    for _ in 0..rounds {
        let backoff = Backoff::new();
        while !backoff.is_completed() {
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            backoff.snooze();
        }
    }
    Ok(None)
}

/// Says when it is time to ask the kernel whether the peer lives.
///
/// Operations that do not sleep find nothing, over and over, while a peer is slow or dead; asking each time would
/// cost a system call each time. So the kernel is asked only when nothing was found throughout a few
/// milliseconds, by a clock that is read without a system call.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// When the present row of failures began, or was last asked about; 0 outside a row.
    since: u64,
}

impl Pulse {
    /// Something was found: the peer was there a moment ago.
    #[inline]
    pub(crate) fn reset(&mut self) {
        self.since = 0;
    }

    /// Nothing was found. Whether to ask the kernel now.
    pub(crate) fn due(&mut self) -> bool {
        let now = parking::coarse_now();
        if self.since == 0 {
            self.since = now;
        }
        let due = now.saturating_sub(self.since) >= parking::PULSE;
        if due {
            self.since = now;
        }
        due
    }
}
