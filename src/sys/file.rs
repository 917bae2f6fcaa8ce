//! The file calls that the standard library has no safe name for.

use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{
    AT_FDCWD, AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag, openat, openat2, renameat2,
};
use nix::sys::stat::Mode;
use nix::sys::statfs::fstatfs;
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

/// What to do about a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Follow,
    /// A collector's way: the link is what was meant, and is no regular file; what is mounted on a
    /// file is not looked at, and nobody is waited for.
    Refuse,
}

/// A file that was found under a path and has not been opened. open(2), `O_PATH`.
///
/// Opening has effects: a FIFO waits for a writer, a lease for its holder, and what opening a
/// device does only its driver knows. So a file is looked at before it is opened.
#[derive(Debug)]
pub(crate) struct Unopened {
    file: File,
    metadata: Metadata,
}

impl Unopened {
    /// Finds what is under the path.
    pub(crate) fn find(path: &Path, links: Links) -> io::Result<Self> {
        let no_link = match links {
            Links::Follow => 0,
            Links::Refuse => libc::O_NOFOLLOW,
        };
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | no_link)
            .open(path)?;
        Self::of(file)
    }

    fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { file, metadata })
    }

    /// Whether it is a regular file of 1 to `most` bytes, on a file system that stores files.
    ///
    /// The kernel's own file systems have regular files too, and reading some of them waits or has
    /// effects. Most of these have no size, but not all.
    pub(crate) fn is_small_file(&self, most: u64) -> io::Result<bool> {
        let len = self.metadata.len();
        if !self.metadata.is_file() || len == 0 || len > most {
            return Ok(false);
        }
        let magic = fstatfs(&self.file)?.filesystem_type().0 as u32;
        Ok(!KERNEL_FILE_SYSTEMS.contains(&magic))
    }

    /// Whether it is a regular file in which nothing is.
    pub(crate) fn is_empty_file(&self) -> bool {
        self.metadata.is_file() && self.metadata.len() == 0
    }

    /// Whether it is a symbolic link, which [`Links::Refuse`] does not follow.
    pub(crate) fn is_link(&self) -> bool {
        self.metadata.is_symlink()
    }

    /// The user whose file it is.
    pub(crate) fn owner(&self) -> u32 {
        self.metadata.uid()
    }

    /// Opens it for reading, without waiting.
    pub(crate) fn open(&self) -> io::Result<File> {
        self.open_with(OpenOptions::new().read(true))
    }

    /// The same for writing too where that is allowed: some file systems lock no other files.
    pub(crate) fn open_to_lock(&self) -> io::Result<File> {
        let both = self.open_with(OpenOptions::new().read(true).write(true));
        both.or_else(|_| self.open())
    }

    fn open_with(&self, options: &mut OpenOptions) -> io::Result<File> {
        // By the descriptor, so that it is the file that was looked at.
        let opened = options
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(held(&self.file));
        opened.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::ResourceBusy, LEASED),
            _ => error,
        })
    }
}

/// Why a regular file cannot be opened without waiting.
const LEASED: &str = "another process holds a lease on the file (fcntl(2), `F_SETLEASE`; \
    `/proc/locks` lists them); try again when it has let go";

/// Magic numbers of file systems that show what the kernel knows, and store nothing. statfs(2).
const KERNEL_FILE_SYSTEMS: [u32; 24] = [
    0x0000_9fa0, // proc
    0x0000_9fa1, // openprom
    0x0000_9fa2, // usbdevice
    0x0000_0187, // autofs
    0x0000_1cd1, // devpts
    0x0027_e0eb, // cgroup
    0x0765_5821, // resctrl
    0x1980_0202, // mqueue
    0x4249_4e4d, // binfmt_misc
    0x4341_5d53, // smack
    0x5a3c_69f0, // apparmor
    0x6165_676c, // pstore
    0x6265_6570, // configfs
    0x6265_6572, // sysfs
    0x6367_7270, // cgroup2
    0x6462_6720, // debugfs
    0x6573_5543, // fusectl
    0x6759_6969, // rpc_pipefs
    0x6e66_7364, // nfsd
    0x6e73_6673, // nsfs
    0x7363_6673, // securityfs
    0x7472_6163, // tracefs
    0xde5e_81e4, // efivarfs
    0xf97c_ff8c, // selinux
];

/// A path to an open file, whatever its name is by now.
fn held(file: &File) -> PathBuf {
    // Of this thread: the main thread may have ended, and a thread may have files of its own.
    PathBuf::from(format!("/proc/thread-self/fd/{}", file.as_raw_fd()))
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

    /// A file in it that has no name yet and vanishes unless it gets one. open(2), `O_TMPFILE`.
    ///
    /// Fails with `EOPNOTSUPP`, `EISDIR` or `ENOENT` on file systems that have no such files.
    pub(crate) fn open_unnamed(&self) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_TMPFILE)
            .open(held(&self.0))
    }

    /// Gives a file from [`Folder::open_unnamed`] a name, unless it is taken (`EEXIST`). linkat(2).
    pub(crate) fn link_unnamed(&self, file: &File, name: &OsStr) -> io::Result<()> {
        let follow = AtFlags::AT_SYMLINK_FOLLOW;
        Ok(linkat(AT_FDCWD, &held(file), &self.0, name, follow)?)
    }

    /// Gives a file in it another name, unless that is taken (`EEXIST`). renameat2(2),
    /// `RENAME_NOREPLACE`.
    pub(crate) fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let flags = RenameFlags::RENAME_NOREPLACE;
        Ok(renameat2(&self.0, from, &self.0, to, flags)?)
    }

    /// Its device and inode.
    pub(crate) fn id(&self) -> io::Result<[u64; 2]> {
        self.0.metadata().map(|folder| [folder.dev(), folder.ino()])
    }

    /// Finds a file in it, without opening it or following a link. openat2(2), `RESOLVE_NO_XDEV`.
    ///
    /// Fails with `EXDEV` if something is mounted on the file: nothing is asked about that, because a
    /// FUSE server may never answer.
    pub(crate) fn find(&self, name: &OsStr) -> io::Result<Unopened> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let how = OpenHow::new()
            .flags(flags)
            .resolve(ResolveFlag::RESOLVE_NO_XDEV);
        let found = match openat2(&self.0, name, how) {
            // Before Linux 5.6, or forbidden.
            Err(Errno::ENOSYS | Errno::EPERM) => openat(&self.0, name, flags, Mode::empty()),
            found => found,
        };
        Unopened::of(File::from(found?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_has_bytes_and_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let is_small = |path: &Path| {
            let found = Unopened::find(path, Links::Follow).unwrap();
            found.is_small_file(511).unwrap()
        };
        for (len, small) in [(0, false), (1, true), (511, true), (512, false)] {
            let path = folder.path().join("file");
            std::fs::write(&path, vec![b'x'; len]).unwrap();
            assert_eq!(is_small(&path), small, "{len} bytes");
        }
        assert!(!is_small(folder.path()));
        assert!(!is_small(Path::new("/dev/zero")));
        assert!(!is_small(Path::new("/proc/self/status")));
        // The sizes of these are not 0; the kernel's are those of a page, mostly.
        let sized = Unopened::find(Path::new("/sys/kernel/uevent_seqnum"), Links::Follow);
        if let Ok(sized) = sized {
            assert!(!sized.is_small_file(u64::MAX).unwrap());
        }
    }
}
