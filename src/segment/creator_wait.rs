//! How long an opener waits for the creator of a ring.

use std::time::{Duration, Instant};

use super::stat;
use crate::sys::proc;
use crate::sys::shm::ShmId;

/// For a creator that does nothing, as far as can be told.
const IDLE_TIME: Duration = Duration::from_secs(2);
/// For one that makes pages, since the last page that came.
const STALL_TIME: Duration = Duration::from_secs(30);
/// For one that makes pages, in all.
const BUSY_TIME: Duration = Duration::from_secs(600);
/// How often the opener looks.
pub(super) const LOOK: Duration = Duration::from_millis(1);
/// The same once it has waited for long.
const SELDOM_LOOK: Duration = Duration::from_millis(50);

/// A wait for a creator, or for who creates and removes in turn.
#[derive(Debug)]
pub(super) struct CreatorWait {
    start: Instant,
    /// When there last were more pages than before.
    progress: Instant,
    /// How many bytes there were then.
    bytes: u64,
}

impl CreatorWait {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            start: now,
            progress: now,
            bytes: 0,
        }
    }

    /// How long to sleep until the next look.
    pub(super) fn pause(&self) -> Duration {
        if self.is_over() { SELDOM_LOOK } else { LOOK }
    }

    /// Whether it was long enough for all but a creator that makes pages.
    pub(super) fn is_over(&self) -> bool {
        self.start.elapsed() > IDLE_TIME
    }

    /// Whether it was long enough for the creator of an attached segment.
    pub(super) fn is_over_for(&mut self, id: ShmId) -> bool {
        if !self.is_over() {
            return false;
        }
        let Some(bytes) = bytes_in_making(id) else {
            return true;
        };
        if bytes > self.bytes {
            self.bytes = bytes;
            self.progress = Instant::now();
        }
        self.progress.elapsed() > STALL_TIME || self.start.elapsed() > BUSY_TIME
    }
}

/// How much of an attached segment there is, if its creator may be making the rest: some are missing, somebody else is attached, and
/// the creator is neither gone nor stopped, as far as can be told. (Its number is 0 in another pid namespace.)
fn bytes_in_making(id: ShmId) -> Option<u64> {
    let known = stat(id).ok()??;
    let pid = known.cpid;
    let at_work = pid == 0 || !proc::has_ended(pid) && !proc::is_stopped(pid);
    let bytes = proc::bytes_had(id).ok()??;
    (known.nattch > 1 && at_work && bytes < known.size as u64).then_some(bytes)
}
