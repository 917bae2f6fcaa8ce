//! Why a read or write did not happen, in the words of io::Error.

use std::io;

use crate::error::Fault;
use crate::ring::{self, Stop};
use crate::sys::Errno;

#[derive(Debug)]
pub(super) enum Halt {
    /// It would have to wait.
    NotNow,
    /// Nobody is at the other end.
    Gone,
    TimedOut,
    Interrupted,
    /// A file that the stream is copied from or to has failed.
    File(Errno),
    Fault(Fault),
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Gone => Self::Gone,
            Stop::TimedOut => Self::TimedOut,
            Stop::Interrupted => Self::Interrupted,
            Stop::Fault(fault) => Self::Fault(fault.into()),
        }
    }
}

impl From<ring::Fault> for Halt {
    fn from(fault: ring::Fault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Halt> for io::Error {
    #[cold]
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::NotNow => Errno::EAGAIN.into(),
            Halt::Gone => Errno::EPIPE.into(),
            Halt::TimedOut => Self::new(
                io::ErrorKind::TimedOut,
                "the stream was not ready within the timeout",
            ),
            Halt::Interrupted => Errno::EINTR.into(),
            Halt::File(errno) => errno.into(),
            Halt::Fault(fault) => fault.into(),
        }
    }
}
