//! The file calls that the standard library has no safe name for.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;

/// Opens for reading and never waits, whatever is there: a FIFO would wait for a writer. open(2).
pub(crate) fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

/// A file in `folder` that has no name yet and vanishes unless it gets one. open(2), `O_TMPFILE`.
///
/// Fails with `EOPNOTSUPP`, `EISDIR` or `ENOENT` on file systems that have no such files.
pub(crate) fn open_unnamed(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE)
        .open(folder)
}

/// Gives a file from [`open_unnamed`] a name, unless it is taken (`EEXIST`). linkat(2).
pub(crate) fn link_unnamed(file: &File, path: &Path) -> io::Result<()> {
    let open = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok(linkat(
        AT_FDCWD,
        &open,
        AT_FDCWD,
        path,
        AtFlags::AT_SYMLINK_FOLLOW,
    )?)
}
