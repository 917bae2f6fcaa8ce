//! What travels: items that carry their number in each word, and 64 KiB chunks that carry theirs in the sum.

use zerocopy::{FromZeros, IntoBytes};

/// An item that can be made for a number, and checked against it.
pub(crate) trait Numbered: ringpipe::Item + FromZeros {
    fn of(n: u64) -> Self;

    /// Whether it is the `n`th, in all its words.
    fn is(&self, n: u64) -> bool;
}

impl Numbered for u64 {
    #[inline(always)]
    fn of(n: u64) -> Self {
        n
    }

    #[inline(always)]
    fn is(&self, n: u64) -> bool {
        *self == n
    }
}

/// 64 bytes.
pub(crate) type Line = [u64; 8];

impl Numbered for Line {
    #[inline(always)]
    fn of(n: u64) -> Self {
        [n; 8]
    }

    // Not by a comparison of arrays, which calls bcmp and takes longer than the way through.
    #[inline(always)]
    fn is(&self, n: u64) -> bool {
        self.iter().fold(0, |wrong, word| wrong | (word ^ n)) == 0
    }
}

/// Panics unless `item` is the `n`th, in all its words.
#[inline(always)]
pub(crate) fn check<T: Numbered>(item: &T, n: u64) {
    if !item.is(n) {
        wrong(n);
    }
}

#[cold]
fn wrong(n: u64) -> ! {
    panic!("item {n} did not come whole or in its turn");
}

/// How many items go into a slice.
pub(crate) const SLICE: usize = 64;

/// Fills a slice with the items from `first` on.
#[inline(always)]
pub(crate) fn number<T: Numbered>(items: &mut [T], first: u64) {
    for (item, n) in items.iter_mut().zip(first..) {
        *item = T::of(n);
    }
}

/// Checks a slice of items from `first` on.
#[inline(always)]
pub(crate) fn check_all<T: Numbered>(items: &[T], first: u64) {
    for (item, n) in items.iter().zip(first..) {
        check(item, n);
    }
}

/// Bytes of a stream that are written at a time.
pub(crate) const CHUNK: usize = 64 << 10;

/// A chunk to be written.
pub(crate) struct Chunk(Vec<u64>);

impl Chunk {
    pub(crate) fn new() -> Self {
        Self((0..CHUNK as u64 / 8).collect())
    }

    /// The bytes of the `n`th chunk: what was there, with its number in the first word.
    #[inline]
    pub(crate) fn numbered(&mut self, n: u64) -> &[u8] {
        self.0[0] = n;
        self.0.as_bytes()
    }
}

/// Reads all bytes of a chunk and panics unless it is the `n`th.
#[inline]
pub(crate) fn check_chunk(bytes: &[u8], n: u64) {
    let words = CHUNK as u64 / 8;
    if bytes.len() != CHUNK || sum(bytes) != n + words * (words - 1) / 2 {
        wrong(n);
    }
}

fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words
        .iter()
        .fold(0, |sum, word| sum.wrapping_add(u64::from_ne_bytes(*word)))
}
