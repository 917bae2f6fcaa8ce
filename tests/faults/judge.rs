//! Whether an error says what went wrong.

use std::io;

use libc::{E2BIG, EACCES, EAGAIN, EINTR, EINVAL, ENOMEM, ENOSPC, EPERM};
use ringpipe::{Error, Fault};

use crate::stage::{Hit, Stage};

/// Why something was not done, of whatever operation.
#[derive(Debug)]
pub enum Trouble {
    /// Of rings: they could not be made, opened, joined and so on.
    Set(Error),
    /// Of items.
    Fault(Fault),
    Interrupted,
    Timeout,
    Disconnected,
    /// Of streams.
    Io(io::Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Set(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        if let Some(fault) = inner {
            return Self::Fault(*fault);
        }
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Timeout,
            io::ErrorKind::BrokenPipe => Self::Disconnected,
            _ => Self::Io(error),
        }
    }
}

impl Trouble {
    /// Panics unless the fault that was made explains it.
    #[track_caller]
    pub fn judge(&self, stage: Stage) {
        stage.failed();
        let Some(hit) = stage.fault() else {
            panic!("{self:?}, and nothing was disturbed");
        };
        let fits = match self {
            Self::Set(error) => fits(&hit, error),
            Self::Fault(fault) => fault_fits(&hit, *fault),
            Self::Io(error) => {
                // pthread_create(3) has one error for all that it lacks.
                let errno = match hit.number {
                    libc::SYS_clone | libc::SYS_clone3 | libc::SYS_mmap | libc::SYS_mprotect => {
                        EAGAIN
                    }
                    _ => hit.errno,
                };
                let same = [errno, hit.errno].map(Some).contains(&error.raw_os_error());
                hit.errno != EINTR && (same || wrapped(error, &hit))
            }
            // A file's.
            Self::Disconnected => hit.errno == libc::EPIPE,
            // What ends a wait in good order is told by the scene that has one.
            Self::Interrupted | Self::Timeout => false,
        };
        assert!(fits, "{self:?} for {hit:?}");
    }
}

fn wrapped(error: &io::Error, hit: &Hit) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.is_some_and(|error| fits(hit, error))
}

fn fault_fits(hit: &Hit, fault: Fault) -> bool {
    match fault {
        Fault::Removed => hit.is_false_alarm(),
        Fault::Call { call, source } => {
            source.raw() == hit.errno
                && hit.errno != EINTR
                && says(&fault.to_string(), hit)
                && !call.is_empty()
        }
        _ => false,
    }
}

/// The class of an error, and what its text must name.
fn fits(hit: &Hit, error: &Error) -> bool {
    let text = error.to_string();
    let limit_of = |names: &[&str]| match error {
        Error::Limit { limit, .. } => names.contains(limit) && text.contains(limit),
        _ => false,
    };
    let huge = hit.args[2] & libc::SHM_HUGETLB != 0;
    let locks = hit.number == libc::SYS_shmctl && hit.args[1] == libc::SHM_LOCK;
    match (hit.number, hit.errno) {
        (libc::SYS_shmget, ENOSPC) => limit_of(&["kernel.shmmni", "kernel.shmall"]),
        (libc::SYS_shmget, EINVAL) => limit_of(&["kernel.shmmax"]),
        (libc::SYS_shmget, ENOMEM | EPERM) if huge => limit_of(&["vm.nr_hugepages"]),
        (libc::SYS_shmget, ENOMEM) | (libc::SYS_madvise, _) => limit_of(&["memory"]),
        (libc::SYS_semget, ENOSPC) => limit_of(&["kernel.sem"]),
        (libc::SYS_semget, EINVAL) => limit_of(&["kernel.sem"]) || plain(hit, error, &text),
        (libc::SYS_shmctl, _) if locks => limit_of(&["RLIMIT_MEMLOCK"]),
        (libc::SYS_semtimedop, E2BIG) => limit_of(&["kernel.sem"]) || plain(hit, error, &text),
        (libc::SYS_semtimedop, EAGAIN) => {
            // Of a set that was just made, that somebody has changed it.
            matches!(error, Error::RoleTaken { .. } | Error::Crowded { .. })
                || plain(hit, error, &text)
        }
        // Waits alone are ended by signals, and by far not all of them.
        (_, EINTR) => false,
        (_, EACCES | EPERM) => denied(hit, error) && says(&text, hit),
        _ if hit.is_false_alarm() => is_gone(error),
        _ => plain(hit, error, &text),
    }
}

/// Where permission is missing to use an object of the kernel, the error is of that class; to use a file, it may say which.
fn denied(hit: &Hit, error: &Error) -> bool {
    let class = match error {
        Error::PermissionDenied { .. } => true,
        Error::File { .. } => !hit.is_of_ipc(),
        // One who had the right has lost it.
        Error::Call { .. } => true,
        _ => false,
    };
    class && error.raw_os_error() == Some(hit.errno)
}

fn plain(hit: &Hit, error: &Error, text: &str) -> bool {
    error.raw_os_error() == Some(hit.errno) && says(text, hit)
}

/// The error's text has that of the errno.
fn says(text: &str, hit: &Hit) -> bool {
    text.contains(&strerror(hit.errno))
}

fn strerror(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_owned()
}

/// What is said of something that is not there.
fn is_gone(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound { .. } | Error::Stale { .. } | Error::Removed | Error::NameTaken { .. }
    ) || matches!(error, Error::Call { source, .. } if [EINVAL, libc::EIDRM].contains(&source.raw()))
}
