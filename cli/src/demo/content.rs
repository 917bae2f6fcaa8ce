//! What the demo moves: a file's bytes in memory, over and over, so that neither way waits for a disk.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

use super::{of_file, report};
use crate::exit::{Exit, Failure};
use crate::signals::Signals;

/// A short file is repeated in memory until it is so many chunks long, so that few chunks are cut at its end.
const CHUNKS_MIN: usize = 16;

/// The bytes to move, and how many of them.
pub(super) struct Content {
    bytes: Vec<u8>,
    total: u64,
    chunk: usize,
}

impl Content {
    /// Reads as much of the file as is wanted.
    pub(super) fn load(file: &Path, total: u64, chunk: usize) -> Result<Self, Failure> {
        let failed = |error| of_file("read", file, &error);
        let mut bytes = Vec::new();
        let source = File::open(file).map_err(failed)?;
        source.take(total).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.is_empty() {
            let message = format!("{} is empty; take a file with content", file.display());
            return Err(Failure::new(Exit::Other, message));
        }
        let repetitions = chunk.saturating_mul(CHUNKS_MIN).div_ceil(bytes.len());
        Ok(Self {
            bytes: bytes.repeat(repetitions),
            total,
            chunk,
        })
    }

    /// All of it, in chunks.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let mut left = self.total;
        let pieces = self.bytes.chunks(self.chunk).cycle();
        pieces.map_while(move |piece| {
            let len = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            left -= len as u64;
            (len > 0).then(|| &piece[..len])
        })
    }

    /// What its hash must be on the other side.
    pub(super) fn hash(&self, signals: &Signals) -> Result<u64, Failure> {
        let bar = report::bar("hash", self.total);
        let mut hash = Xxh3Default::new();
        for chunk in self.chunks() {
            signals.check()?;
            hash.update(chunk);
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        Ok(hash.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: &[u8], total: u64, chunk: usize) -> Vec<u8> {
        let content = Content {
            bytes: bytes.to_vec(),
            total,
            chunk,
        };
        content.chunks().flatten().copied().collect()
    }

    #[test]
    fn content_is_repeated_and_cut() {
        assert_eq!(content(b"abcde", 12, 2), b"abcdeabcdeab");
        assert_eq!(content(b"abcde", 3, 2), b"abc");
        assert_eq!(content(b"abcde", 5, 64), b"abcde");
    }
}
