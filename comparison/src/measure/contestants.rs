//! The ways, with their types erased: what each measurement needs of them.

use super::contest::{Entry, Run};
use crate::common::duel::Ends;
use crate::ends;
use crate::scheduled::{Schedule, scheduled};
use crate::timing::Times;
use crate::way::{Waits, Way};
use crate::ways::{Family, Visitor, visit_all};

/// How many messages are passed at once where a way has a call for that.
pub(crate) const SLICE: usize = 64;

/// Sizes of messages, in bytes.
pub(crate) const SIZES: [usize; 5] = [8, 64, 256, 1 << 10, 4 << 10];

/// Opens a connection that holds so many messages.
type Open = fn(usize) -> Ends;

/// One way.
#[derive(Clone, Copy)]
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    pub(crate) waits: Waits,
    /// Whether anything is to be learned from one message at a time.
    takes_part_singly: bool,
    /// One message at a time, by size.
    pub(crate) single: [Open; 5],
    /// `SLICE` messages at a time, by size, where it has a call for that.
    pub(crate) slices: Option<[Open; 5]>,
    /// There and back, for 8 and for 64 bytes.
    pub(crate) round_trips: [fn(usize, Times) -> Ends; 2],
    /// 64 bytes when they are due.
    pub(crate) scheduled: fn(usize, Schedule, Times) -> Ends,
}

impl Contestant {
    fn of<W: Way<1> + Way<8> + Way<32> + Way<128> + Way<512>>(family: Family) -> Self {
        Self {
            name: <W as Way<1>>::NAME,
            family,
            waits: <W as Way<1>>::WAITS,
            takes_part_singly: <W as Way<1>>::SINGLE,
            single: [
                ends::single::<1, W>,
                ends::single::<8, W>,
                ends::single::<32, W>,
                ends::single::<128, W>,
                ends::single::<512, W>,
            ],
            slices: slices::<W>(),
            round_trips: [ends::round_trips::<1, W>, ends::round_trips::<8, W>],
            scheduled: scheduled::<W>,
        }
    }

    /// To be measured in that way, at that place of the axis.
    pub(crate) fn entry(&self, x: f64, run: impl Run + 'static) -> Entry {
        Entry {
            name: self.name.into(),
            family: self.family,
            waits: Some(self.waits),
            yardstick: false,
            x,
            run: Box::new(run),
        }
    }

    /// All there are.
    pub(crate) fn all() -> Vec<Self> {
        let mut list = List(Vec::new());
        visit_all(&mut list);
        list.0
    }

    /// One message at a time, by size, where that means something.
    pub(crate) fn singly(&self) -> Option<[Open; 5]> {
        self.takes_part_singly.then_some(self.single)
    }

    /// Those for which one message at a time means something.
    pub(crate) fn all_singly() -> Vec<Self> {
        let mut all = Self::all();
        all.retain(|one| one.takes_part_singly);
        all
    }
}

/// Not compiled for ways that have none.
fn slices<W: Way<1> + Way<8> + Way<32> + Way<128> + Way<512>>() -> Option<[Open; 5]> {
    if !<W as Way<1>>::SLICES {
        return None;
    }
    Some([
        ends::slices::<SLICE, 1, W>,
        ends::slices::<SLICE, 8, W>,
        ends::slices::<SLICE, 32, W>,
        ends::slices::<SLICE, 128, W>,
        ends::slices::<SLICE, 512, W>,
    ])
}

struct List(Vec<Contestant>);

impl Visitor for List {
    fn visit<W: Way<1> + Way<8> + Way<32> + Way<128> + Way<512>>(&mut self, family: Family) {
        self.0.push(Contestant::of::<W>(family));
    }
}
