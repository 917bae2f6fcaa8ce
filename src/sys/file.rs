//! The file calls that the standard library has no safe name for.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

/// What to do about a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    /// The link is what was meant, and is no regular file.
    Refuse,
}

/// Opens a regular file for reading, `None` if it is anything else. open(2), `O_PATH`.
///
/// Anything else is not opened at all: FIFOs wait for a writer, and what opening a device does only its driver knows.
pub(crate) fn open_regular(path: &Path, links: Links) -> io::Result<Option<File>> {
    let found = find(path, links)?;
    if !found.metadata()?.is_file() {
        return Ok(None);
    }
    // By the descriptor, so that it is the file that was looked at.
    File::open(held(&found)).map(Some)
}

/// As [`open_regular`], for writing too where that is allowed: some file systems lock no other files.
pub(crate) fn open_to_lock(path: &Path, links: Links) -> io::Result<Option<File>> {
    let found = find(path, links)?;
    if !found.metadata()?.is_file() {
        return Ok(None);
    }
    let both = OpenOptions::new().read(true).write(true).open(held(&found));
    both.or_else(|_| File::open(held(&found))).map(Some)
}

/// Finds what is under the path without opening it.
fn find(path: &Path, links: Links) -> io::Result<File> {
    let no_link = match links {
        Links::Follow => 0,
        Links::Refuse => libc::O_NOFOLLOW,
    };
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | no_link)
        .open(path)
}

/// A path to an open file, whatever its name is by now.
fn held(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// A folder that stays the same one, whatever is done to its name.
#[derive(Debug)]
pub(crate) struct Folder(File);

impl Folder {
    /// Holds a folder. open(2), `O_DIRECTORY`.
    pub(crate) fn hold(path: &Path) -> io::Result<Self> {
        let folder = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(path)?;
        Ok(Self(folder))
    }

    /// A path to something in it.
    pub(crate) fn inside(&self, name: &OsStr) -> PathBuf {
        held(&self.0).join(name)
    }

    /// Takes the name of a file in it away. unlinkat(2).
    pub(crate) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }
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
    Ok(linkat(
        AT_FDCWD,
        &held(file),
        AT_FDCWD,
        path,
        AtFlags::AT_SYMLINK_FOLLOW,
    )?)
}
