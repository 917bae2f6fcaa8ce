//! Names that nobody else has, what is known by them, which goes when it is no longer needed, and how two sides wait for
//! each other to have opened it.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::unistd::Pid;

/// Where files are memory, and are never written to a disk.
const MEMORY: &str = "/dev/shm";

/// A name that no other way of this or any other process has.
pub(crate) fn name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("ringpipe-{}-{number}-", process::id())
}

/// A folder, which is removed with all that is in it when the process that made it drops this, also in a panic. A
/// process that is killed leaves it.
pub(crate) struct Place {
    path: PathBuf,
    maker: u32,
}

impl Place {
    pub(crate) fn temporary() -> Self {
        Self::within(&std::env::temp_dir())
    }

    pub(crate) fn in_memory() -> Self {
        Self::within(Path::new(MEMORY))
    }

    fn within(folder: &Path) -> Self {
        let path = folder.join(name());
        fs::create_dir(&path).expect("a new folder");
        Self {
            path,
            maker: process::id(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.maker == process::id() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// What a crate makes in /dev/shm under names of its own choice that have this one in them. It is removed in the same
/// cases.
pub(crate) struct Objects {
    name: String,
    maker: u32,
}

impl Objects {
    pub(crate) fn new() -> Self {
        Self {
            name: name(),
            maker: process::id(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        if self.maker == process::id() {
            remove(Path::new(MEMORY), &self.name);
        }
    }
}

/// Removes all that has this name in its own.
fn remove(folder: &Path, name: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().contains(name) {
            let path = entry.path();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
    }
}

/// Removes what a process has left that was killed.
pub(crate) fn sweep(pid: Pid) {
    for folder in [&std::env::temp_dir(), Path::new(MEMORY)] {
        remove(folder, &format!("ringpipe-{pid}-"));
    }
}

/// One of two that wait for each other.
pub(crate) struct Gate {
    says: PipeWriter,
    hears: PipeReader,
}

impl Gate {
    pub(crate) fn pair() -> (Self, Self) {
        let there = pipe().expect("a pipe");
        let back = pipe().expect("a pipe");
        let one = Self {
            says: there.1,
            hears: back.0,
        };
        let other = Self {
            says: back.1,
            hears: there.0,
        };
        (one, other)
    }

    /// Lets the other go on.
    pub(crate) fn open(&mut self) {
        self.says.write_all(&[0]).expect("the other side");
    }

    /// Waits until the other has let this one go on.
    pub(crate) fn pass(&mut self) {
        self.hears.read_exact(&mut [0]).expect("the other side");
    }
}
