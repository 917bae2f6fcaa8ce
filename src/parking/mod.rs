//! The two ways to keep the books and to sleep, both behind [`crate::ring::Parking`], and what they
//! need of the clock and of the processor.

mod barrier;
mod local;
#[cfg(not(loom))]
mod sysv;

pub(crate) use barrier::{Fence, Reach, heavy_barrier};
pub(crate) use local::Local;
#[cfg(not(loom))]
pub(crate) use sysv::{SET_SIZE, Semaphores};
#[cfg(not(loom))]
pub(crate) use time::{Deadline, PULSE, SLICE, coarse_now, passed};

/// Why the books cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParkFault {
    /// Somebody removed the semaphore set.
    Removed,
    /// Another error of the named call.
    System { call: &'static str, errno: i32 },
}

#[cfg(not(loom))]
mod time {
    use std::time::{Duration, Instant};

    /// When to stop waiting.
    pub(crate) type Deadline = Instant;

    /// How long a sleep lasts at most that a publisher may have missed.
    pub(crate) const SLICE: Duration = Duration::from_millis(10);

    /// How long nothing must have been found before the kernel is asked about the peer, in nanoseconds.
    pub(crate) const PULSE: u64 = 5_000_000;

    /// A clock with the resolution of the kernel's tick, in nanoseconds, never 0; no system call.
    pub(crate) fn coarse_now() -> u64 {
        crate::sys::proc::coarse_tick().max(1)
    }

    pub(crate) fn passed(deadline: Deadline) -> bool {
        Instant::now() >= deadline
    }
}

#[cfg(loom)]
pub(crate) use timeless::{Deadline, PULSE, coarse_now, passed};

/// loom has no time: there are no deadlines, and it is always time to ask.
#[cfg(loom)]
mod timeless {
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Deadline {}

    pub(crate) const PULSE: u64 = 0;

    pub(crate) fn coarse_now() -> u64 {
        1
    }

    pub(crate) fn passed(deadline: Deadline) -> bool {
        match deadline {}
    }
}
