//! Waiting awake: spin, then yield, for as long as the strategy says.

use crossbeam_utils::Backoff;

use super::handshake::Strategy;
use crate::parking;

/// How many rounds of spinning and yielding come before a sleep.
const ROUNDS: u32 = 16;

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
