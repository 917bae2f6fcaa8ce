//! Stands in for `streams` while there is no stream to measure.

use super::duel::Ends;

pub(crate) const DEFAULT_CAPACITY: usize = 1 << 20;

pub(crate) const HERE: bool = false;

pub(crate) fn copied(_size: usize, _capacity: usize) -> Ends {
    unreachable!()
}

pub(crate) fn in_place(_size: usize, _capacity: usize) -> Ends {
    unreachable!()
}

pub(crate) fn asleep() -> Ends {
    unreachable!()
}

pub(crate) fn awake() -> Ends {
    unreachable!()
}
