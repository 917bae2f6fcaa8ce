//! Pure arithmetic on positions and slots. Depends on nothing.

use core::ops::Range;

/// Consecutive slots, from `slot` on, perhaps past the last slot and on from the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) slot: usize,
    pub(crate) len: usize,
}

impl Run {
    /// The run cut where it wraps, as ranges of slots; the second is empty where it does not.
    #[inline]
    pub(crate) fn split(self, capacity: usize) -> (Range<usize>, Range<usize>) {
        let until_end = capacity - self.slot;
        let first = self.len.min(until_end);
        (self.slot..self.slot + first, 0..self.len - first)
    }

    /// The run without its first `n` slots, of which it has as many.
    #[inline]
    pub(crate) fn skip(self, n: usize, capacity: usize) -> Self {
        Self {
            slot: advance(self.slot, n, capacity),
            len: self.len - n,
        }
    }
}

/// The indices do not belong to any state that a ring can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

/// Items in the ring; `Corrupt` unless `0 <= produced - consumed <= capacity`.
#[inline]
pub(crate) fn used(produced: u64, consumed: u64, capacity: usize) -> Result<usize, Corrupt> {
    let used = produced.wrapping_sub(consumed);
    if used > capacity as u64 {
        Err(Corrupt)
    } else {
        Ok(used as usize)
    }
}

/// The slot `n` after `slot`, for `n <= capacity`.
#[inline]
pub(crate) fn advance(slot: usize, n: usize, capacity: usize) -> usize {
    let next = slot + n;
    if next >= capacity {
        next - capacity
    } else {
        next
    }
}

/// The slot after `slot`.
#[inline]
pub(crate) fn next(slot: usize, capacity: usize) -> usize {
    let next = slot + 1;
    if next >= capacity { 0 } else { next }
}

/// The slot of a position.
pub(crate) fn slot_of(position: u64, capacity: usize) -> usize {
    (position % capacity as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_cut_where_it_wraps() {
        assert_eq!(Run { slot: 1, len: 2 }.split(4), (1..3, 0..0));
        assert_eq!(Run { slot: 3, len: 3 }.split(4), (3..4, 0..2));
        assert_eq!(Run { slot: 0, len: 4 }.split(4), (0..4, 0..0));
    }

    #[test]
    fn indices_out_of_step_are_corrupt() {
        assert_eq!(used(7, 3, 4), Ok(4));
        assert_eq!(used(3, 3, 4), Ok(0));
        assert_eq!(used(8, 3, 4), Err(Corrupt));
        assert_eq!(used(2, 3, 4), Err(Corrupt));
        assert_eq!(used(u64::MAX, 0, usize::MAX), Ok(usize::MAX));
    }

    #[test]
    fn slots_advance_around_the_ring() {
        assert_eq!(advance(2, 1, 4), 3);
        assert_eq!(advance(3, 1, 4), 0);
        assert_eq!(advance(3, 4, 4), 3);
        assert_eq!(advance(0, 1, 1), 0);
        assert_eq!(slot_of(10, 4), 2);
        assert_eq!((next(2, 4), next(3, 4), next(0, 1)), (3, 0, 0));
    }
}
