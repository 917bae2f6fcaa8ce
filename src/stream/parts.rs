//! What is written, piece by piece: one buffer, or several as one.

use std::io::IoSlice;

use crate::ring::turns::Member;

/// What is left to be written.
pub(super) trait Parts {
    fn left(&self) -> usize;
    /// Copies the next `n` bytes into the ring. The member has the turn, and room for them.
    fn put(&mut self, member: &Member, n: usize);
}

/// One buffer.
impl Parts for &[u8] {
    #[inline]
    fn left(&self) -> usize {
        self.len()
    }

    #[inline]
    fn put(&mut self, member: &Member, n: usize) {
        let (now, rest) = self.split_at(n);
        member.put(0, now);
        *self = rest;
    }
}

/// Several buffers.
pub(super) struct Gather<'a> {
    parts: &'a [IoSlice<'a>],
    /// Bytes of the first part that are written.
    skipped: usize,
    left: usize,
}

impl<'a> Gather<'a> {
    pub(super) fn new(parts: &'a [IoSlice<'a>]) -> Self {
        Self {
            parts,
            skipped: 0,
            left: parts.iter().map(|part| part.len()).sum(),
        }
    }
}

impl Parts for Gather<'_> {
    fn left(&self) -> usize {
        self.left
    }

    fn put(&mut self, member: &Member, n: usize) {
        let mut done = 0;
        while done < n {
            let first = &self.parts[0][self.skipped..];
            let now = first.len().min(n - done);
            member.put(done, &first[..now]);
            done += now;
            self.skipped += now;
            if now == first.len() {
                self.parts = &self.parts[1..];
                self.skipped = 0;
            }
        }
        self.left -= n;
    }
}
