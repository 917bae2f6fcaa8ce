//! Items that say who made them and when, and the books on who got which.

use std::iter;

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// How many bits of an item say its place in its producer's row; those above name the producer.
const PLACE: u32 = 48;

/// The item at this place in a producer's row.
#[inline(always)]
pub(crate) fn item(producer: u64, place: u64) -> u64 {
    producer << PLACE | place
}

/// What a consumer has taken: how many items, their sum and their xor, and how far each producer's row has come.
#[derive(Debug)]
pub(crate) struct Ledger {
    tally: Tally,
    /// For each producer the least item that may come next.
    next: Box<[u64]>,
}

/// How many items there were, and two sums of them that no loss and doubling leaves alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    pub(crate) xor: u64,
}

impl Ledger {
    pub(crate) fn new(producers: u64) -> Self {
        Self {
            tally: Tally::default(),
            next: (0..producers).map(|producer| item(producer, 0)).collect(),
        }
    }

    /// Enters an item.
    ///
    /// # Panics
    ///
    /// When it is of nobody, or comes after one that its producer sent later, or a second time.
    #[inline(always)]
    pub(crate) fn enter(&mut self, item: u64) {
        match self.next.get_mut((item >> PLACE) as usize) {
            Some(next) if *next <= item => *next = item + 1,
            _ => wrong(item),
        }
        self.tally.add(item);
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }
}

#[cold]
fn wrong(item: u64) -> ! {
    let (producer, place) = (item >> PLACE, item & ((1 << PLACE) - 1));
    panic!("item {place} of producer {producer} did not come whole or in its turn");
}

impl Tally {
    /// What all consumers together have to have.
    pub(crate) fn expected(producers: u64, each: u64) -> Self {
        let mut tally = Self::default();
        for producer in 0..producers {
            (0..each).for_each(|place| tally.add(item(producer, place)));
        }
        tally
    }

    #[inline(always)]
    fn add(&mut self, item: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(item);
        self.xor ^= item;
    }
}

impl iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |all, one| Self {
            count: all.count + one.count,
            sum: all.sum.wrapping_add(one.sum),
            xor: all.xor ^ one.xor,
        })
    }
}
