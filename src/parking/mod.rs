//! The two ways to keep the books and to sleep, both behind [`crate::ring::Parking`], and what they
//! need of the clock and of the processor.

mod barrier;
mod local;
#[cfg(not(loom))]
mod sysv;

pub(crate) use barrier::{Fence, Reach, full_barrier, heavy_barrier};
pub(crate) use local::Local;
#[cfg(not(loom))]
pub(crate) use sysv::{Semaphores, operations, set_size};
#[cfg(not(loom))]
pub(crate) use time::{Deadline, Pulse, SLICE, Stopwatch, Vouched, nap, passed};

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

    use crate::sys::proc;

    /// When to stop waiting.
    pub(crate) type Deadline = Instant;

    /// How long a sleep lasts at most that a publisher may have missed.
    pub(crate) const SLICE: Duration = Duration::from_millis(10);

    /// How long nothing must have been found before the kernel is asked about the peer, in nanoseconds.
    const PULSE: u64 = 5_000_000;

    /// How long a side waits awake before it sleeps, at most.
    const AWAKE: Duration = Duration::from_micros(if cfg!(fuzzing) { 0 } else { 200 });

    pub(crate) fn passed(deadline: Deadline) -> bool {
        Instant::now() >= deadline
    }

    /// Lets others have the processor for a moment.
    pub(crate) fn nap() {
        if !cfg!(fuzzing) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Says when a side has been awake for long enough.
    #[derive(Debug)]
    pub(crate) struct Stopwatch(Instant);

    impl Stopwatch {
        pub(crate) fn start() -> Self {
            Self(Instant::now())
        }

        pub(crate) fn ran_out(&self) -> bool {
            self.0.elapsed() > AWAKE
        }
    }

    /// Says whether what the kernel said of the peers a moment ago will do.
    ///
    /// A process cannot learn of another's death sooner than the kernel tells: the semaphores come first, and between them
    /// and the end of a waitpid(2) or the like lie several system calls' time. So an answer that is younger than that is as good as a
    /// new one, to whoever has no clock that is finer.
    #[derive(Debug, Default)]
    pub(crate) struct Vouched(Option<Instant>);

    impl Vouched {
        pub(crate) fn is_fresh(&self) -> bool {
            self.0.is_some_and(|since| since.elapsed() < VOUCHED)
        }

        pub(crate) fn renew(&mut self) {
            self.0 = Some(Instant::now());
        }
    }

    /// How long an answer is fresh.
    const VOUCHED: Duration = Duration::from_micros(2);

    /// Says when it is time to ask the kernel whether the peer lives.
    ///
    /// Operations that do not sleep find nothing, over and over, while a peer is slow or dead; asking each time would
    /// cost a system call each time. So the kernel is asked only when nothing was found throughout a few
    /// milliseconds, by a clock that is read without a system call.
    #[derive(Debug, Default)]
    pub(crate) struct Pulse {
        /// When the present row of failures began, or was last asked about; 0 outside a row.
        since: u64,
    }

    impl Pulse {
        /// Something was found: the peer was there a moment ago.
        #[inline]
        pub(crate) fn reset(&mut self) {
            self.since = 0;
        }

        /// Nothing was found. Whether to ask the kernel now.
        pub(crate) fn due(&mut self) -> bool {
            let now = proc::coarse_tick().max(1);
            if self.since == 0 {
                self.since = now;
            }
            let due = now.saturating_sub(self.since) >= PULSE;
            if due {
                self.since = now;
            }
            due
        }
    }
}

#[cfg(loom)]
pub(crate) use timeless::{Deadline, Pulse, Stopwatch, nap, passed};

/// loom has no time: there are no deadlines, and it is always time to ask.
#[cfg(loom)]
mod timeless {
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Deadline {}

    pub(crate) fn passed(deadline: Deadline) -> bool {
        match deadline {}
    }

    pub(crate) fn nap() {
        crate::sync::yield_now();
    }

    #[derive(Debug)]
    pub(crate) struct Stopwatch;

    impl Stopwatch {
        pub(crate) fn start() -> Self {
            Self
        }

        pub(crate) fn ran_out(&self) -> bool {
            false
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Pulse {
        _since: (),
    }

    impl Pulse {
        pub(crate) fn reset(&mut self) {}

        pub(crate) fn due(&mut self) -> bool {
            true
        }
    }
}
