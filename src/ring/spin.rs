//! Waiting awake: spin, then yield, for as long as the strategy says.

use crossbeam_utils::Backoff;

use super::handshake::Strategy;
use crate::parking::{Stopwatch, Vigil};

/// How many rounds of spinning and yielding come before a sleep, where the vigil is not over before.
const ROUNDS: u32 = 16;

/// Looks again and again, awake, until `look` finds something or the strategy's patience is over.
pub(crate) fn awake<R, E>(
    strategy: Strategy,
    vigil: Vigil,
    mut look: impl FnMut() -> Result<Option<R>, E>,
) -> Result<Option<R>, E> {
    if strategy == Strategy::Sleep {
        return Ok(None);
    }
    let watch = Stopwatch::start();
    for _ in 0..ROUNDS {
        let backoff = Backoff::new();
        while !backoff.is_completed() {
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            // Also where others want the processor, and a yield takes long.
            if vigil.is_over(watch.waited()) {
                return Ok(None);
            }
            backoff.snooze();
        }
    }
    Ok(None)
}

/// Lets those who were faster get on, for longer the more often that was so: whoever fights for a line makes all slow.
#[inline]
pub(crate) fn stand_back(lost: &mut u32) {
    if cfg!(not(loom)) {
        (0..1_u32 << (*lost).min(7)).for_each(|_| core::hint::spin_loop());
    }
    *lost += 1;
}
