//! Buffers in several parts, written piece by piece.

use std::io::IoSlice;

use crate::ring::turns::Member;

/// What is to be written, and how far that has come.
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

    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Copies the next `n` bytes into the ring, behind `offset` others. The member has the turn, and room for them.
    pub(super) fn put(&mut self, member: &Member, offset: usize, n: usize) {
        let mut done = 0;
        while done < n {
            let first = &self.parts[0][self.skipped..];
            let now = first.len().min(n - done);
            member.put(offset + done, &first[..now]);
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
