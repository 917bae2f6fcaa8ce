//! Keys: the numbers under which unrelated processes find an object.

use core::fmt;
use core::num::NonZeroU8;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::errno::{Errno, Result};

/// The key of a System V object.
///
/// A key is a 32-bit number that everybody on the system (in one IPC namespace) shares, with no
/// owner and no registry; two programs that pick the same one meet each other's objects. Prefer
/// [`Key::PRIVATE`] and hand the identifier over by other means. See sysvipc(7).
///
/// # Examples
///
/// ```
/// use ringpipe::sysv::Key;
///
/// assert_eq!(Key::new(0x2a).to_string(), "0x0000002a");
/// assert_eq!(Key::new(-1).to_string(), "0xffffffff");
/// assert_eq!(Key::PRIVATE.raw(), 0);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Key(i32);

impl Key {
    /// `IPC_PRIVATE`: not a key, but the wish for a new object that has none.
    pub const PRIVATE: Self = Self(libc::IPC_PRIVATE);

    /// Wraps a number; 0 is [`Key::PRIVATE`].
    #[must_use]
    pub const fn new(raw: i32) -> Self {
        Self(raw)
    }

    /// The number itself.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

/// Makes a key out of an existing file and a project number.
///
/// `key_t ftok(const char *pathname, int proj_id)`: ftok(3). The answer is the same number as the
/// C library's, and never [`Key::PRIVATE`]. It is put together here from what stat(2) says, because
/// the C function answers −1 both for a failure and for one valid key.
///
/// **Not unique.** A key holds 16 bits of the inode number, 8 bits of the device and the project.
/// Measured on one ordinary machine: of the 60 765 files below `/usr/lib`, 6 055 share their key with
/// another one; of 120 033 files altogether, 56 268 do. Nor is it stable: after deleting and
/// recreating a file the path has another key, and its old key may now belong to an unrelated file.
/// Whoever uses a key from here must check that what he found is his.
///
/// # Errors
///
/// Those of stat(2): `ENOENT`, `EACCES`, …; `EINVAL` for a path with a zero byte in it.
///
/// # Examples
///
/// ```
/// use core::num::NonZeroU8;
/// use ringpipe::sysv::{Key, ftok};
///
/// let project = NonZeroU8::new(b'r').unwrap();
/// let key = ftok("/", project)?;
/// assert_ne!(key, Key::PRIVATE);
/// assert_eq!(key, ftok("/", project)?);
/// # Ok::<(), ringpipe::sysv::Errno>(())
/// ```
pub fn ftok(path: impl AsRef<Path>, project: NonZeroU8) -> Result<Key> {
    let file = std::fs::metadata(path).map_err(|error| stat_errno(&error))?;
    let inode = file.ino() as u32 & 0xffff;
    let device = file.dev() as u32 & 0xff;
    let number = inode | device << 16 | u32::from(project.get()) << 24;
    Ok(Key(number.cast_signed()))
}

/// std refuses a path with a zero byte by itself, without an errno.
fn stat_errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
}
