//! A position with its slot and its lap, kept together so that no operation divides.

use core::ops::Range;

use crate::ring::cursor;

/// The `position`th item ever, the slot that it lies in, and how often the ring was gone round before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) slot: usize,
    pub(crate) lap: u64,
}

impl Place {
    pub(crate) fn at(position: u64, capacity: usize) -> Self {
        Self {
            position,
            slot: cursor::slot_of(position, capacity),
            lap: position / capacity as u64,
        }
    }

    /// The same as [`Place::at`], from a place that is usually close.
    #[inline(always)]
    pub(crate) fn seek(self, position: u64, capacity: usize) -> Self {
        let ahead = position.wrapping_sub(self.position);
        if ahead <= capacity as u64 {
            self.ahead(ahead as usize, capacity)
        } else {
            Self::at(position, capacity)
        }
    }

    /// The place `n` further on, for `n <= capacity`.
    #[inline(always)]
    pub(crate) fn ahead(self, n: usize, capacity: usize) -> Self {
        let next = self.slot + n;
        let wraps = next >= capacity;
        Self {
            position: self.position.wrapping_add(n as u64),
            slot: if wraps { next - capacity } else { next },
            lap: self.lap.wrapping_add(u64::from(wraps)),
        }
    }

    /// The place just behind.
    #[inline(always)]
    pub(crate) fn next(self, capacity: usize) -> Self {
        let slot = cursor::next(self.slot, capacity);
        Self {
            position: self.position.wrapping_add(1),
            slot,
            lap: self.lap.wrapping_add(u64::from(slot == 0)),
        }
    }

    /// The place just before.
    pub(crate) fn back(self, capacity: usize) -> Self {
        let wraps = self.slot == 0;
        Self {
            position: self.position.wrapping_sub(1),
            slot: if wraps { capacity } else { self.slot } - 1,
            lap: self.lap.wrapping_sub(u64::from(wraps)),
        }
    }

    /// The same slot one lap before.
    pub(crate) fn lap_before(self, capacity: usize) -> Self {
        Self {
            position: self.position.wrapping_sub(capacity as u64),
            lap: self.lap.wrapping_sub(1),
            ..self
        }
    }

    /// The slots of a run from here on, cut where it wraps, each part with its lap.
    #[inline(always)]
    pub(crate) fn parts(self, len: usize, capacity: usize) -> [(Range<usize>, u64); 2] {
        let run = cursor::Run {
            slot: self.slot,
            len,
        };
        let (first, second) = run.split(capacity);
        [(first, self.lap), (second, self.lap.wrapping_add(1))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeking_is_dividing() {
        let start = Place::at(5, 3);
        assert_eq!((start.slot, start.lap), (2, 1));
        for position in [5, 6, 8, 9, 4, 0, 1000] {
            assert_eq!(start.seek(position, 3), Place::at(position, 3));
        }
        assert_eq!(start.lap_before(3), Place::at(2, 3));
        assert_eq!(Place::at(6, 3).back(3), start);
        assert_eq!(start.next(3), Place::at(6, 3));
        assert_eq!(start.next(3).next(3), Place::at(7, 3));
    }
}
