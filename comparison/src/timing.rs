//! The clock of all processes, and the times that single messages took.

use std::mem::replace;
use std::sync::{Arc, Mutex};

use hdrhistogram::Histogram;
use hdrhistogram::iterators::IterationValue;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use crate::common::machine::relax;

const SECOND: u64 = 1_000_000_000;

/// Nothing takes longer.
const LONGEST: u64 = 200 * SECOND;

/// Nanoseconds by a clock that is the same in all processes.
#[inline(always)]
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock");
    time.tv_sec() as u64 * SECOND + time.tv_nsec() as u64
}

/// How somebody waits for the time to come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    Awake,
    Asleep,
}

impl Pace {
    /// Returns at that time, or at once when it is past.
    #[inline(always)]
    pub(crate) fn wait_until(self, due: u64) {
        while now() < due {
            match self {
                Self::Awake => relax(),
                Self::Asleep => sleep_until(due),
            }
        }
    }
}

fn sleep_until(due: u64) {
    let (seconds, rest) = (due / SECOND, due % SECOND);
    let time = nix::sys::time::TimeSpec::new(seconds as i64, rest as i64);
    // If a signal comes first the caller asks again.
    let _ = clock_nanosleep(
        ClockId::CLOCK_MONOTONIC,
        ClockNanosleepFlags::TIMER_ABSTIME,
        &time,
    );
}

/// What single messages took, written by the side that receives and read by who measures, in the same process.
#[derive(Clone)]
pub(crate) struct Times(Arc<Mutex<Taken>>);

/// What came of one lap.
pub(crate) struct Taken {
    pub(crate) histogram: Histogram<u64>,
    /// How long after it was due the last message was sent.
    pub(crate) last_late: u64,
}

/// For nanoseconds, in three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 3).expect("valid bounds")
}

impl Taken {
    pub(crate) fn new() -> Self {
        Self {
            histogram: histogram(),
            last_late: 0,
        }
    }

    /// How many took how long.
    pub(crate) fn pairs(&self) -> Vec<(u64, u64)> {
        let recorded = self.histogram.iter_recorded();
        let pair = |one: IterationValue<u64>| (one.value_iterated_to(), one.count_at_value());
        recorded.map(pair).collect()
    }

    #[inline(always)]
    pub(crate) fn enter(&mut self, nanoseconds: u64) {
        self.histogram.saturating_record(nanoseconds);
    }
}

impl Times {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Taken::new())))
    }

    /// What was put there last.
    pub(crate) fn take(&self) -> Taken {
        replace(&mut self.0.lock().expect("no panic"), Taken::new())
    }

    /// Replaces what was there: each lap counts alone.
    pub(crate) fn put(&self, taken: Taken) {
        *self.0.lock().expect("no panic") = taken;
    }
}
