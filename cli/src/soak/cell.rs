//! What travels: items that say where they come from, so that each can be accounted for.

use super::dice::mix;

/// An item as rings carry it, and so many bytes of a stream.
pub(super) type Cell = [u64; 4];

/// Bytes of a cell.
pub(super) const BYTES: usize = size_of::<Cell>();

/// What is on a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// Which ring: no two that ever are have the same.
    pub(super) ring: u32,
    /// Which process pushed it.
    pub(super) producer: u32,
    /// Its number among that process's items.
    pub(super) number: u64,
    /// The first of those that were pushed with it as one.
    pub(super) first: u64,
    /// How many were; 0 if they need not stay together.
    pub(super) len: u32,
}

impl Tag {
    pub(super) fn cell(self) -> Cell {
        let whose = u64::from(self.ring) << 32 | u64::from(self.producer);
        let run = (self.number - self.first) << 32 | u64::from(self.len);
        [whose, self.number, run, check(whose, self.number, run)]
    }

    /// What is on a cell; `None` if nobody can have pushed it so.
    pub(super) fn of(cell: Cell) -> Option<Self> {
        let [whose, number, run, seal] = cell;
        if seal != check(whose, number, run) {
            return None;
        }
        Some(Self {
            ring: (whose >> 32) as u32,
            producer: whose as u32,
            number,
            first: number.checked_sub(run >> 32)?,
            len: run as u32,
        })
    }

    /// Whether this may come right after `before`, or first of all (`None`), in what was taken at once.
    pub(super) fn may_follow(self, before: Option<Self>) -> bool {
        let Some(before) = before else {
            return true;
        };
        let is_next = before.producer == self.producer
            && before.first == self.first
            && before.number + 1 == self.number;
        let begins = self.len == 0 || self.number == self.first;
        let ended = before.len == 0 || before.number + 1 == before.first + u64::from(before.len);
        is_next || (begins && ended)
    }
}

fn check(whose: u64, number: u64, run: u64) -> u64 {
    mix(whose ^ mix(number ^ mix(run ^ 0x7269_6e67_7069_7065)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(producer: u32, number: u64, first: u64, len: u32) -> Tag {
        Tag {
            ring: 7,
            producer,
            number,
            first,
            len,
        }
    }

    #[test]
    fn a_torn_cell_is_told_from_a_whole_one() {
        let (one, other) = (tag(1, 5, 4, 3).cell(), tag(2, 9, 9, 1).cell());
        assert_eq!(Tag::of(one), Some(tag(1, 5, 4, 3)));
        for cut in 1..4 {
            let mut torn = one;
            torn[cut..].copy_from_slice(&other[cut..]);
            assert_eq!(Tag::of(torn), None, "{cut}");
        }
        assert_eq!(Tag::of([0; 4]), None);
    }

    #[test]
    fn what_was_pushed_as_one_stays_together() {
        let run = |number| Some(tag(1, number, 4, 3));
        assert!(tag(1, 5, 4, 3).may_follow(run(4)));
        assert!(tag(1, 5, 4, 3).may_follow(None));
        assert!(tag(2, 0, 0, 2).may_follow(run(6)));
        assert!(
            !tag(2, 0, 0, 2).may_follow(run(5)),
            "the first is cut short"
        );
        assert!(
            !tag(2, 1, 0, 2).may_follow(run(6)),
            "the second has no beginning"
        );
        assert!(!tag(1, 6, 4, 3).may_follow(run(4)), "one is missing");
    }
}
