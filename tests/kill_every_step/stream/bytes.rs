//! Bytes that show whose they are, and where they stood.

/// Whose bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Before,
    Victim,
    Beside,
    Sleeper,
}

const SOURCES: [Source; 4] = [
    Source::Before,
    Source::Victim,
    Source::Beside,
    Source::Sleeper,
];

/// How many of one source differ. A prime, so that a piece that stands a round too far shows.
pub(super) const ROUND: usize = 61;

impl Source {
    /// The next `count` bytes of this source, of which `first` came before.
    pub(super) fn bytes(self, first: usize, count: usize) -> Vec<u8> {
        let byte = |n: usize| (self as u8) << 6 | (n % ROUND) as u8;
        (first..first + count).map(byte).collect()
    }

    fn of(byte: u8) -> Self {
        SOURCES[usize::from(byte >> 6)]
    }
}

/// What somebody has read, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Tape(pub(super) Vec<u8>);

impl Tape {
    /// What came of one source.
    pub(super) fn of(&self, source: Source) -> Vec<u8> {
        let own = self.0.iter().copied();
        own.filter(|byte| Source::of(*byte) == source).collect()
    }

    /// Whether all bytes of a source stand side by side.
    pub(super) fn is_whole(&self, source: Source) -> bool {
        let own = |byte: &u8| Source::of(*byte) == source;
        let first = self.0.iter().position(own).unwrap_or(0);
        let last = self.0.iter().rposition(own).map_or(0, |at| at + 1);
        self.0[first..last].iter().all(own)
    }
}
