//! The first look of a side that has run out, and how long it may take.
//!
//! A side that treads on the other's heels makes both slow: each item then costs them a transfer of the index's line
//! and one of the slot's, where a few lines at a time cost hardly more. So whoever finds a little at once, which says
//! that the peer is at work, lets it get ahead before it goes on: it lingers. What comes late comes from a peer that
//! is slower than this, or answers what we sent: it is taken without delay.

use core::hint::spin_loop;

use super::handshake::Strategy;

/// Looks that follow one another closely, a pause apart: a few times what two lines take to cross.
const CLOSE: u32 = 64;

/// Of these, the first ones, before which only a peer that is at work can have done something.
const AT_ONCE: u32 = 3;

/// How often to let the peer get further ahead, and for how many pauses each.
const LINGERS: u32 = 4;
const PAUSES: u32 = 16;

/// How far ahead the peer is to be, in bytes, before a side that lingers goes on.
const AHEAD: usize = 4096;

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
            // A peer that breaks the protocol may take back what was seen.
            let room = linger(room, ahead, look)?;
            return Ok((room >= wanted).then_some(room));
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
pub(crate) fn linger<E>(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_has_taken_back_was_counted_as_there() {
        let mut rooms = [2].into_iter().chain(core::iter::repeat(0));
        let look = || Ok::<_, ()>(rooms.next().unwrap());
        let found = closely(Strategy::SpinThenSleep, 1, 8, look);
        assert_eq!(found, Ok(None));
    }
}
