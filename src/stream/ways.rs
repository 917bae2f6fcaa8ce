//! How an end goes about its work: settings that clones share, as what dup(2) gives shares O_NONBLOCK.

use std::time::{Duration, Instant};

use super::halt::Halt;
use crate::halt;
use crate::parking::{self, Deadline};
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::sys::Errno;

/// Relaxed throughout: each is a setting by itself, and takes effect with the next operation.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) nonblocking: Switch,
    pub(super) interruptible: Switch,
    pub(super) sigpipe: Switch,
    /// Nanoseconds; 0 for ever.
    timeout: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct Switch(AtomicBool);

impl Switch {
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}

impl Ways {
    pub(super) fn set_timeout(&self, timeout: Option<Duration>) {
        // A timeout of nothing is the shortest; one beyond five centuries is none.
        let nanos =
            timeout.map(|timeout| u64::try_from(timeout.as_nanos()).map_or(0, |n| n.max(1)));
        self.timeout.store(nanos.unwrap_or(0), Ordering::Relaxed);
    }

    /// Waits for a file, as for the stream: not at all, until the deadline, or until a signal ends
    /// it.
    pub(super) fn await_file(
        &self,
        until: Option<Deadline>,
        is_ready_within: impl Fn(Option<Duration>) -> Result<bool, Errno>,
    ) -> Result<(), Halt> {
        loop {
            let left = match self.nonblocking.is_on() {
                true => Some(Duration::ZERO),
                false => until.map(|until| until.saturating_duration_since(Instant::now())),
            };
            match is_ready_within(left) {
                Ok(true) => return Ok(()),
                Ok(false) if self.nonblocking.is_on() => return Err(Halt::NotNow),
                Ok(false) if until.is_some_and(parking::passed) => return Err(Halt::TimedOut),
                Ok(false) => {}
                Err(Errno::EINTR) if !self.interruptible.is_on() => {}
                Err(errno) => return Err(Halt::File(errno)),
            }
        }
    }

    /// When an operation that begins now gives up.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        match self.timeout.load(Ordering::Relaxed) {
            0 => None,
            nanos => halt::after(Duration::from_nanos(nanos)),
        }
    }
}
