//! How an end goes about its work: settings that clones share, as what dup(2) gives shares O_NONBLOCK.

use std::io;
use std::time::Duration;

use crate::halt;
use crate::parking::Deadline;
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

    /// Waits for a file, as for the stream: signals end it if they are to.
    pub(super) fn await_file(&self, wait: impl Fn() -> Result<(), Errno>) -> io::Result<()> {
        loop {
            match wait() {
                Err(Errno::EINTR) if !self.interruptible.is_on() => {}
                waited => return Ok(waited?),
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
