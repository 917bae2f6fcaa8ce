//! The word that says that a segment can be used.

use crate::sync::{AtomicU32, Ordering, fence};

/// Not 1, so that a stray store is unlikely to make it.
const READY: u32 = 0x5245_4459;

/// Edge E0: stored last by who creates a ring, loaded first by who opens it.
#[repr(transparent)]
#[derive(Debug)]
pub(crate) struct Ready(AtomicU32);

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    NotYet,
    Ready,
    /// What no creator stores.
    Corrupt,
}

impl Ready {
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// E0 release: all that was written comes before it.
    pub(crate) fn say(&self) {
        self.0.store(READY, Ordering::Release);
    }

    /// E0 acquire: what is loaded after it, if it is ready, is as it was written before.
    ///
    /// By a fence, since in memory that is mapped for reading only, no load but a relaxed one is promised to work.
    pub(crate) fn look(&self) -> Readiness {
        let word = self.0.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        match word {
            0 => Readiness::NotYet,
            READY => Readiness::Ready,
            _ => Readiness::Corrupt,
        }
    }
}
