//! What producers and consumers note in shared memory, and what is on an item, so that every one can be accounted for.

use super::Shared;

/// The even ones produce, the odd ones consume.
pub const WORKERS: usize = 8;
/// Items of one producer; then it ends, and another comes.
pub const QUOTA: usize = 3000;

/// `[producer << 32 | number, first of its run << 32 | length of its run, a seal]`
pub type Parcel = [u64; 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub producer: usize,
    pub number: usize,
    pub first: usize,
    pub len: usize,
}

impl Tag {
    pub fn parcel(self) -> Parcel {
        let name = (self.producer as u64) << 32 | self.number as u64;
        let run = (self.first as u64) << 32 | self.len as u64;
        [name, run, name.rotate_left(17) ^ !run]
    }

    /// What is on a parcel. Panics if it was never pushed.
    pub fn of(parcel: Parcel) -> Self {
        let half = |word: u64| ((word >> 32) as usize, word as u32 as usize);
        let ((producer, number), (first, len)) = (half(parcel[0]), half(parcel[1]));
        let tag = Self {
            producer,
            number,
            first,
            len,
        };
        assert_eq!(tag.parcel(), parcel, "a parcel is whole");
        tag
    }
}

/// What all note in shared memory.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    /// How many producers there can ever be.
    pub producers: usize,
    pub notes: Shared,
}

/// What a consumer is about, so that its death can be judged.
pub const POPPING: u64 = 1 << 32;
pub const CLAIMING: u64 = 2 << 32;
pub const TWICE: u64 = 1 << 8;
pub const RUN_OF: u64 = 1 << 16;

impl Ledger {
    pub fn new(producers: usize) -> Self {
        let notes = Shared::with(WORKERS + 1 + producers * (QUOTA + 1));
        Self { producers, notes }
    }

    /// Over: producers end.
    pub fn over(self) -> usize {
        WORKERS
    }

    /// How many items a producer's pushes have returned for.
    pub fn pushed(self, producer: usize) -> usize {
        WORKERS + 1 + producer
    }

    /// How often an item was delivered as a new one, and (times [`TWICE`]) as one that comes again; and (times [`RUN_OF`]) its run.
    pub fn delivered(self, producer: usize, number: usize) -> usize {
        WORKERS + 1 + self.producers + producer * QUOTA + number
    }

    pub fn deliver(self, parcel: Parcel, again: bool) {
        let tag = Tag::of(parcel);
        let index = self.delivered(tag.producer, tag.number);
        let before = self.notes.more(index, if again { TWICE } else { 1 });
        if before == 0 {
            self.notes
                .more(index, ((tag.first as u64) << 8 | tag.len as u64) * RUN_OF);
        }
    }
}
