//! The two ways to keep the books and to sleep, both behind [`crate::ring::Parking`], and what they
//! need of the clock and of the processor.

mod barrier;
#[cfg(not(loom))]
mod held;
mod local;
#[cfg(not(loom))]
mod sysv;

#[cfg(not(loom))]
pub(crate) use crate::sys::thread::this_thread;
pub(crate) use barrier::{Fence, Reach, full_barrier, heavy_barrier};
#[cfg(not(loom))]
pub(crate) use held::MappedSegment;
pub(crate) use local::Local;
#[cfg(not(loom))]
pub(crate) use sysv::{SET_SIZE, Semaphores, operations, set_size};
#[cfg(not(loom))]
pub(crate) use time::{Deadline, Pulse, SLICE, Stopwatch, Vigil, Vouched, nap, passed};

#[cfg(not(loom))]
use crate::sys::Errno;

/// Why the books cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParkFault {
    /// Somebody removed the semaphore set.
    Removed,
    /// Another error of the named call.
    System { call: &'static str, errno: i32 },
}

#[cfg(not(loom))]
impl ParkFault {
    /// Who would wait for a turn has it already, further down its stack.
    pub(crate) const OWN_TURN: Self = Self::System {
        call: "waiting for a turn that the same thread has",
        errno: Errno::EDEADLK.raw(),
    };
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

    /// How long a side waits awake before it sleeps: at most, and where that has been in vain of late.
    const AWAKE: Duration = Duration::from_micros(if cfg!(fuzzing) { 0 } else { 200 });
    const IN_VAIN: Duration = Duration::from_micros(if cfg!(fuzzing) { 0 } else { 3 });

    /// Waits that are longer than this cost less asleep: it is about what a sleep and a wake-up take.
    const SHORT: Duration = Duration::from_micros(60);

    pub(crate) fn passed(deadline: Deadline) -> bool {
        Instant::now() >= deadline
    }

    /// Lets others have the processor for a moment.
    pub(crate) fn nap() {
        if !cfg!(fuzzing) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How long a side has been waiting.
    #[derive(Debug)]
    pub(crate) struct Stopwatch(Instant);

    impl Stopwatch {
        pub(crate) fn start() -> Self {
            Self(Instant::now())
        }

        pub(crate) fn waited(&self) -> Duration {
            self.0.elapsed()
        }
    }

    /// How long a side stays awake before it sleeps: as long as may pay, by what its last waits were like.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Vigil(Duration);

    impl Default for Vigil {
        fn default() -> Self {
            Self(AWAKE)
        }
    }

    impl Vigil {
        pub(crate) fn is_over(self, waited: Duration) -> bool {
            waited > self.0
        }

        /// Notes that a wait has ended. One that was short, asleep or awake, is what staying awake is for; after long ones it gets
        /// shorter.
        pub(crate) fn learn(&mut self, waited: Duration) {
            self.0 = if waited < SHORT {
                AWAKE
            } else {
                (self.0 / 2).max(IN_VAIN)
            };
        }
    }

    /// Says whether what the kernel said of the peers a moment ago will do.
    ///
    /// A process cannot learn of another's death sooner than the kernel tells: the semaphores come first, and between them
    /// and the end of a waitpid(2) or the like lie several system calls' time. So an answer that is younger than that is as good as a
    /// new one, to whoever has no clock that is finer.
    #[derive(Debug, Default)]
    pub(crate) struct Vouched {
        /// Until when, in nanoseconds.
        until: u64,
    }

    impl Vouched {
        #[inline]
        pub(crate) fn is_fresh(&self) -> bool {
            proc::tick() < self.until
        }

        pub(crate) fn renew(&mut self) {
            self.until = proc::tick() + VOUCHED;
        }
    }

    /// How long an answer is fresh, in nanoseconds.
    const VOUCHED: u64 = 2_000;

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
pub(crate) use timeless::{Deadline, Pulse, Stopwatch, Vigil, nap, passed};

/// loom has no time: there are no deadlines, and it is always time to ask.
#[cfg(loom)]
mod timeless {
    use core::time::Duration;

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

        pub(crate) fn waited(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Vigil {
        _awake: (),
    }

    impl Vigil {
        pub(crate) fn is_over(self, _: Duration) -> bool {
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

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::Vigil;

    const LONG: Duration = Duration::from_millis(1);
    const AWHILE: Duration = Duration::from_micros(30);

    #[test]
    fn after_long_waits_a_side_stays_awake_for_less_and_after_a_short_one_as_at_first() {
        let mut vigil = Vigil::default();
        assert!(!vigil.is_over(AWHILE));
        (0..8).for_each(|_| vigil.learn(LONG));
        assert!(vigil.is_over(AWHILE));
        assert!(!vigil.is_over(Duration::from_micros(2)), "never at once");
        vigil.learn(AWHILE);
        assert!(!vigil.is_over(AWHILE));
    }
}
