//! Errors as [`io::Error`]: by the kernel's number where there is one.

use std::io;

use super::{Error, Fault};
use crate::sysv::Errno;

impl Error {
    /// The number by which a pipe or FIFO would tell of this, or the kernel did: ENXIO, EEXIST,
    /// ENOENT, EACCES, ETIMEDOUT, EINTR and others; `None` where they know no such error.
    pub fn raw_os_error(&self) -> Option<i32> {
        let errno = match self {
            Self::NameTaken { .. } => Errno::EEXIST,
            Self::NotFound { .. } | Self::Stale { .. } => Errno::ENOENT,
            Self::NoReader { .. } => Errno::ENXIO,
            Self::TimedOut { .. } => Errno::ETIMEDOUT,
            Self::Interrupted => Errno::EINTR,
            Self::Crowded { .. } => Errno::EMFILE,
            Self::BadCapacity { .. } | Self::BadLimit { .. } | Self::BadName { .. } => {
                Errno::EINVAL
            }
            // As for a FIFO of another user in a folder like /tmp (fs.protected_fifos).
            Self::ForeignOwner { .. } | Self::ForeignPages { .. } => Errno::EACCES,
            Self::PermissionDenied { source, .. }
            | Self::Limit { source, .. }
            | Self::Call { source, .. } => *source,
            Self::File { source, .. } => return source.raw_os_error(),
            _ => return None,
        };
        Some(errno.raw())
    }
}

/// By its number, if it has one; else with the error itself within. See the table at [`Error`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::from_raw_os_error(errno),
            None => Self::other(error),
        }
    }
}

impl Fault {
    /// The number that the kernel gave; `None` if it was not a call of its that failed.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Call { source, .. } => Some(source.raw()),
            Self::Forked | Self::Corrupt | Self::Removed => None,
        }
    }
}

/// By its number, if it has one; else with the fault itself within.
impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        match fault.raw_os_error() {
            Some(errno) => Self::from_raw_os_error(errno),
            None => Self::other(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;
    use crate::ring::Role;
    use crate::sysv::ShmId;

    /// One of each, with the number that is expected of it.
    fn all() -> Vec<(Error, Option<i32>)> {
        let (name, source) = (Name::Private, Errno::ENOMEM);
        let (why, id) = ("so", ShmId::from_raw(1));
        let file = io::Error::from(Errno::EMFILE);
        vec![
            (
                Error::NameTaken {
                    name: name.clone(),
                    what: None,
                },
                Some(Errno::EEXIST.raw()),
            ),
            (
                Error::NotFound { name: name.clone() },
                Some(Errno::ENOENT.raw()),
            ),
            (
                Error::Stale {
                    name: name.clone(),
                    why,
                },
                Some(Errno::ENOENT.raw()),
            ),
            (
                Error::OtherNamespace {
                    name: name.clone(),
                    theirs: 1,
                    ours: 2,
                    alive: true,
                },
                None,
            ),
            (
                Error::NotARing {
                    name: name.clone(),
                    why,
                },
                None,
            ),
            (
                Error::NotReady {
                    name: name.clone(),
                    creator: 1,
                },
                None,
            ),
            (
                Error::WrongVersion {
                    name: name.clone(),
                    found: 1,
                    supported: 2,
                },
                None,
            ),
            (
                Error::WrongType {
                    name: name.clone(),
                    what: "it",
                    found: "a".into(),
                    wanted: "b".into(),
                },
                None,
            ),
            (
                Error::Corrupt {
                    name: name.clone(),
                    field: "it",
                },
                None,
            ),
            (
                Error::RoleTaken {
                    role: Role::Producer,
                    pid: 1,
                },
                None,
            ),
            (Error::Crowded { limit: 1 }, Some(Errno::EMFILE.raw())),
            (Error::BadLimit { limit: 0 }, Some(Errno::EINVAL.raw())),
            (
                Error::PermissionDenied {
                    name: name.clone(),
                    action: "open",
                    source: Errno::EACCES,
                },
                Some(Errno::EACCES.raw()),
            ),
            (
                Error::ForeignOwner {
                    name: name.clone(),
                    uid: 1,
                    ours: 2,
                },
                Some(Errno::EACCES.raw()),
            ),
            (
                Error::ForeignPages {
                    name: name.clone(),
                    uid: 1,
                    id,
                },
                Some(Errno::EACCES.raw()),
            ),
            (
                Error::Limit {
                    what: "it".into(),
                    limit: "a",
                    value: "1".into(),
                    advice: "b".into(),
                    source: Errno::ENOSPC,
                },
                Some(Errno::ENOSPC.raw()),
            ),
            (
                Error::BadCapacity {
                    capacity: 0,
                    item_size: 1,
                    why,
                },
                Some(Errno::EINVAL.raw()),
            ),
            (
                Error::BadName {
                    name: "x".into(),
                    why,
                },
                Some(Errno::EINVAL.raw()),
            ),
            (Error::NoUndo, None),
            (
                Error::NoReader { name: name.clone() },
                Some(Errno::ENXIO.raw()),
            ),
            (
                Error::TimedOut { name: name.clone() },
                Some(Errno::ETIMEDOUT.raw()),
            ),
            (Error::Interrupted, Some(Errno::EINTR.raw())),
            (Error::Removed, None),
            (Error::Forked, None),
            (
                Error::Call {
                    call: "semop",
                    source,
                },
                Some(Errno::ENOMEM.raw()),
            ),
            (
                Error::File {
                    path: "/x".into(),
                    action: "open",
                    source: file,
                },
                Some(Errno::EMFILE.raw()),
            ),
        ]
    }

    #[test]
    fn an_error_keeps_its_number_as_an_io_error() {
        for (error, errno) in all() {
            let text = error.to_string();
            assert_eq!(error.raw_os_error(), errno, "{text}");
            let io = io::Error::from(error);
            assert_eq!(io.raw_os_error(), errno, "{text}");
            let within = io.get_ref().and_then(|error| error.downcast_ref::<Error>());
            assert_eq!(
                within.map(ToString::to_string),
                errno.is_none().then_some(text)
            );
        }
    }

    #[test]
    fn a_fault_keeps_its_number_as_an_io_error() {
        let call = Fault::Call {
            call: "semop",
            source: Errno::EACCES,
        };
        let faults = [
            (call, Some(Errno::EACCES.raw())),
            (Fault::Forked, None),
            (Fault::Corrupt, None),
            (Fault::Removed, None),
        ];
        for (fault, errno) in faults {
            let io = io::Error::from(fault);
            assert_eq!(io.raw_os_error(), errno);
            let within = io.get_ref().and_then(|error| error.downcast_ref::<Fault>());
            assert_eq!(within.copied(), errno.is_none().then_some(fault));
        }
    }
}
