//! Error numbers.
//!
//! A number and not an enum: the kernel may answer with any number, also with one that did not
//! exist when this was compiled, and it has to reach the caller unchanged.

use core::fmt;
use std::io;

/// What a call in this layer answers.
pub type Result<T> = core::result::Result<T, Errno>;

/// The error number of a failed system call.
///
/// [`Display`](fmt::Display) gives the operating system's text, [`Debug`](fmt::Debug) the name.
/// See errno(3).
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::Errno;
///
/// assert_eq!(Errno::from_raw(17), Errno::EEXIST);
/// assert_eq!(format!("{:?}", Errno::EEXIST), "EEXIST (17)");
///
/// let error = std::io::Error::from(Errno::EEXIST);
/// assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
/// ```
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Errno(i32);

impl Errno {
    /// Operation not permitted: neither the owner nor privileged.
    pub const EPERM: Self = Self(libc::EPERM);
    /// Nothing there with this name or key.
    pub const ENOENT: Self = Self(libc::ENOENT);
    /// No such process.
    pub const ESRCH: Self = Self(libc::ESRCH);
    /// A signal arrived while the call slept.
    pub const EINTR: Self = Self(libc::EINTR);
    /// No such device or address.
    pub const ENXIO: Self = Self(libc::ENXIO);
    /// It would wait for itself.
    pub const EDEADLK: Self = Self(libc::EDEADLK);
    /// As many files as there may be are open.
    pub const EMFILE: Self = Self(libc::EMFILE);
    /// A file has as many names as it may have.
    pub const EMLINK: Self = Self(libc::EMLINK);
    /// Nobody reads the other end.
    pub const EPIPE: Self = Self(libc::EPIPE);
    /// The time is over.
    pub const ETIMEDOUT: Self = Self(libc::ETIMEDOUT);
    /// More elements than the call takes.
    pub const E2BIG: Self = Self(libc::E2BIG);
    /// It would have to sleep, or the time is over.
    pub const EAGAIN: Self = Self(libc::EAGAIN);
    /// Not enough memory.
    pub const ENOMEM: Self = Self(libc::ENOMEM);
    /// The permission bits forbid it.
    pub const EACCES: Self = Self(libc::EACCES);
    /// An address that is not mapped, or not for this access.
    pub const EFAULT: Self = Self(libc::EFAULT);
    /// It exists already.
    pub const EEXIST: Self = Self(libc::EEXIST);
    /// An argument that makes no sense, or an identifier of nothing.
    pub const EINVAL: Self = Self(libc::EINVAL);
    /// Too large; from semop(2): a semaphore number outside the set.
    pub const EFBIG: Self = Self(libc::EFBIG);
    /// A system-wide limit is reached; from System V calls it is not about a disk.
    pub const ENOSPC: Self = Self(libc::ENOSPC);
    /// The result would leave the range of a value.
    pub const ERANGE: Self = Self(libc::ERANGE);
    /// The kernel does not have this call.
    pub const ENOSYS: Self = Self(libc::ENOSYS);
    /// The object was removed, possibly while the call slept on it.
    pub const EIDRM: Self = Self(libc::EIDRM);
    /// The kernel has the call, but not this operation.
    pub const ENOTSUP: Self = Self(libc::ENOTSUP);

    /// Wraps an error number.
    #[must_use]
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// The number itself.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The calling thread's errno, meaningful right after a call that failed.
    pub(crate) fn last() -> Self {
        Self(io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// The symbolic name, for the numbers that have a constant here.
    fn name(self) -> Option<&'static str> {
        let found = NAMES.iter().find(|(errno, _)| *errno == self);
        found.map(|(_, name)| *name)
    }
}

const NAMES: [(Errno, &str); 23] = [
    (Errno::EPERM, "EPERM"),
    (Errno::ENOENT, "ENOENT"),
    (Errno::ESRCH, "ESRCH"),
    (Errno::EINTR, "EINTR"),
    (Errno::ENXIO, "ENXIO"),
    (Errno::EDEADLK, "EDEADLK"),
    (Errno::EMFILE, "EMFILE"),
    (Errno::EMLINK, "EMLINK"),
    (Errno::EPIPE, "EPIPE"),
    (Errno::ETIMEDOUT, "ETIMEDOUT"),
    (Errno::E2BIG, "E2BIG"),
    (Errno::EAGAIN, "EAGAIN"),
    (Errno::ENOMEM, "ENOMEM"),
    (Errno::EACCES, "EACCES"),
    (Errno::EFAULT, "EFAULT"),
    (Errno::EEXIST, "EEXIST"),
    (Errno::EINVAL, "EINVAL"),
    (Errno::EFBIG, "EFBIG"),
    (Errno::ENOSPC, "ENOSPC"),
    (Errno::ERANGE, "ERANGE"),
    (Errno::ENOSYS, "ENOSYS"),
    (Errno::EIDRM, "EIDRM"),
    (Errno::ENOTSUP, "ENOTSUP"),
];

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        io::Error::from(*self).fmt(f)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name().unwrap_or("errno"), self.0)
    }
}

impl std::error::Error for Errno {}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}
