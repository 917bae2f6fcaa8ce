//! Why an operation on items did not happen, before each operation says it in its own words.

use std::time::{Duration, Instant};

use crate::error::{
    Fault, PopError, PopTimeoutError, PushError, PushTimeoutError, TryPopError, TryPushError,
};
use crate::parking::{self, Deadline};
use crate::ring::Stop;

/// Why an operation did not happen.
pub(crate) enum Halt {
    /// There is no room, or no item, now; or a timeout has passed.
    NotNow,
    Gone,
    Interrupted,
    Fault(Fault),
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Gone => Self::Gone,
            Stop::TimedOut => Self::NotNow,
            Stop::Interrupted => Self::Interrupted,
            Stop::Fault(fault) => Self::Fault(fault.into()),
        }
    }
}

impl From<crate::ring::Fault> for Halt {
    fn from(fault: crate::ring::Fault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// When a timeout from now ends; never, if that is beyond what the clock can say.
pub(crate) fn after(timeout: Duration) -> Option<Deadline> {
    Instant::now().checked_add(timeout)
}

/// Looks once a millisecond whether it is so, until then; whether it is.
pub(crate) fn wait_until(
    until: Option<Deadline>,
    mut is_so: impl FnMut() -> Result<bool, Fault>,
) -> Result<bool, Fault> {
    loop {
        if is_so()? {
            return Ok(true);
        }
        if until.is_some_and(parking::passed) {
            return Ok(false);
        }
        parking::nap();
    }
}

impl Halt {
    #[cold]
    pub(crate) fn try_push<T>(self, item: T) -> TryPushError<T> {
        match self {
            Self::NotNow | Self::Interrupted => TryPushError::Full(item),
            Self::Gone => TryPushError::Disconnected(item),
            Self::Fault(fault) => TryPushError::Fault(item, fault),
        }
    }

    #[cold]
    pub(crate) fn push<T>(self, item: T) -> PushError<T> {
        match self {
            Self::NotNow | Self::Interrupted => PushError::Interrupted(item),
            Self::Gone => PushError::Disconnected(item),
            Self::Fault(fault) => PushError::Fault(item, fault),
        }
    }

    #[cold]
    pub(crate) fn push_timeout<T>(self, item: T) -> PushTimeoutError<T> {
        match self {
            Self::NotNow => PushTimeoutError::Timeout(item),
            Self::Interrupted => PushTimeoutError::Interrupted(item),
            Self::Gone => PushTimeoutError::Disconnected(item),
            Self::Fault(fault) => PushTimeoutError::Fault(item, fault),
        }
    }

    #[cold]
    pub(crate) fn try_pop(self) -> TryPopError {
        match self {
            Self::NotNow | Self::Interrupted => TryPopError::Empty,
            Self::Gone => TryPopError::Disconnected,
            Self::Fault(fault) => TryPopError::Fault(fault),
        }
    }

    #[cold]
    pub(crate) fn pop(self) -> PopError {
        match self {
            Self::NotNow | Self::Interrupted => PopError::Interrupted,
            Self::Gone => PopError::Disconnected,
            Self::Fault(fault) => PopError::Fault(fault),
        }
    }

    #[cold]
    pub(crate) fn pop_timeout(self) -> PopTimeoutError {
        match self {
            Self::NotNow => PopTimeoutError::Timeout,
            Self::Interrupted => PopTimeoutError::Interrupted,
            Self::Gone => PopTimeoutError::Disconnected,
            Self::Fault(fault) => PopTimeoutError::Fault(fault),
        }
    }
}
