//! The rendezvous file: what a path leads to.
//!
//! Five lines of text that name the segment and what it must hold to be the right one. The file is complete before it
//! has a name (it is linked into place), so nobody ever reads half of one, and two creators cannot both win. The ring may still be
//! in the making then: its ready word tells.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::file::{Folder, Links, Unopened};
use crate::sys::proc;
use crate::sys::shm::ShmId;

const FIRST_LINE: &str = "ringpipe 1";
/// No rendezvous file is longer.
const LENGTH_MAX: u64 = 511;
/// How long to wait for others who take the same name away.
const LOCK_TIME: Duration = Duration::from_secs(2);
/// How often to look whether they are done.
const LOOK: Duration = Duration::from_millis(1);

/// What a rendezvous file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) segment: ShmId,
    /// The segment's header holds the same number, which no other segment does.
    pub(crate) cookie: [u64; 2],
    /// Ids end with the system's run …
    pub(crate) boot: [u8; 16],
    /// … and mean something in one IPC namespace only.
    pub(crate) namespace: u64,
}

impl Record {
    /// A record for a segment of this boot and namespace.
    pub(crate) fn here(segment: ShmId, cookie: [u64; 2]) -> io::Result<Self> {
        Ok(Self {
            segment,
            cookie,
            boot: proc::boot_id()?,
            namespace: proc::ipc_namespace()?,
        })
    }

    pub(super) fn render(&self) -> String {
        let [high, low] = self.cookie;
        let boot = u128::from_be_bytes(self.boot);
        format!(
            "{FIRST_LINE}\nsegment {}\ncookie {high:016x}{low:016x}\nboot {boot:032x}\nnamespace {}\n",
            self.segment.raw(),
            self.namespace
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let segment = field("segment")?.parse().ok()?;
        let cookie = u128::from_str_radix(field("cookie")?, 16).ok()?;
        let boot = u128::from_str_radix(field("boot")?, 16).ok()?;
        let namespace = field("namespace")?.parse().ok()?;
        let record = Self {
            segment: ShmId::from_raw(segment),
            cookie: [(cookie >> 64) as u64, cookie as u64],
            boot: boot.to_be_bytes(),
            namespace,
        };
        // A number that was cut off is a number too, and means something else.
        (record.render() == text).then_some(record)
    }
}

/// What was found under a path.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    /// A file, but no rendezvous file.
    Foreign,
    /// A file in which nothing is, or nothing yet: see [`publish`](super::publish).
    Empty,
    Record(Record),
}

/// Reads what is under `path`.
pub(crate) fn read(path: &Path, links: Links) -> io::Result<Found> {
    match find(path, links)? {
        Some(file) => read_unopened(&file),
        None => Ok(Found::Nothing),
    }
}

/// What is under `path`, not opened; `None` if nothing is.
fn find(path: &Path, links: Links) -> io::Result<Option<Unopened>> {
    match (links, path.file_name()) {
        (Links::Refuse, Some(name)) => find_in(&Folder::hold(folder_of(path))?, name),
        _ => some(Unopened::find(path, links)),
    }
}

/// The same in a folder, without following a link or looking at what is mounted there.
pub(super) fn find_in(folder: &Folder, name: &OsStr) -> io::Result<Option<Unopened>> {
    some(folder.find(name))
}

fn some(found: io::Result<Unopened>) -> io::Result<Option<Unopened>> {
    match found {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a file that was found, if it can be a rendezvous file; else it is not opened.
pub(super) fn read_unopened(file: &Unopened) -> io::Result<Found> {
    if file.is_small_file(LENGTH_MAX)? {
        read_file(&file.open()?)
    } else if file.is_empty_file() {
        Ok(Found::Empty)
    } else {
        Ok(Found::Foreign)
    }
}

/// Whether anything has that name, also what cannot be read, or a link that leads nowhere.
pub(crate) fn is_taken(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a path leads to, in words, if that is known to be no rendezvous file. Opens nothing but such files.
pub(super) fn what_else(path: &Path) -> Option<&'static str> {
    let kind = match fs::metadata(path) {
        Ok(known) => known.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let link = fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink());
            return link.then_some("a link that leads nowhere");
        }
        Err(_) => return None,
    };
    if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a FIFO of the kernel")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_file() {
        let foreign = matches!(read(path, Links::Follow), Ok(Found::Foreign));
        foreign.then_some("a file that ringpipe did not make")
    } else {
        Some("a device")
    }
}

fn read_file(file: &File) -> io::Result<Found> {
    let mut text = Vec::new();
    // One byte more, so that a longer one is seen to be.
    file.take(LENGTH_MAX + 1).read_to_end(&mut text)?;
    let record = str::from_utf8(&text).ok().and_then(Record::parse);
    Ok(record.map_or(Found::Foreign, Found::Record))
}

/// Takes the name away if it still leads to `record`. `Ok(false)` when it leads elsewhere.
///
/// Under a lock on the file, so that two processes that both found a stale name cannot take away the
/// fresh one that a third has put there meanwhile. `WouldBlock` when somebody does not let go of such a lock.
/// `done` is called right after the name is gone, before the lock is.
pub(crate) fn withdraw(
    path: &Path,
    record: &Record,
    links: Links,
    done: impl FnOnce(),
) -> io::Result<bool> {
    let Some(name) = path.file_name() else {
        return Ok(false);
    };
    // Held, so that nobody puts another folder in its place and has a file in that one taken away.
    let folder = Folder::hold(folder_of(path))?;
    let named = folder.inside(name);
    let found = match links {
        Links::Follow => find(&named, links),
        Links::Refuse => find_in(&folder, name),
    };
    let file = match found? {
        Some(file) if file.is_small_file(LENGTH_MAX)? => file.open_to_lock()?,
        _ => return Ok(false),
    };
    let patience = match links {
        Links::Follow => LOCK_TIME,
        Links::Refuse => Duration::ZERO,
    };
    lock(&file, patience)?; // released when the file is closed, by whatever end
    let same_record = matches!(read_file(&file)?, Found::Record(found) if found == *record);
    if !same_record || !still_named(&file, &named, links)? {
        return Ok(false);
    }
    folder.unlink(name)?;
    done();
    Ok(true)
}

/// Locks the file, but waits no longer than removers take, and a collector not at all: whoever may
/// read it can hold a lock on it for ever.
fn lock(file: &File, patience: Duration) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if start.elapsed() < patience => thread::sleep(LOOK),
            locked => return Ok(locked?),
        }
    }
}

fn still_named(file: &File, path: &Path, links: Links) -> io::Result<bool> {
    let named = match links {
        Links::Follow => fs::metadata(path),
        Links::Refuse => fs::symlink_metadata(path),
    };
    let named = match named {
        Ok(named) => named,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let open = file.metadata()?;
    Ok(named.dev() == open.dev() && named.ino() == open.ino())
}

/// The folder that a file of that name is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn record() -> Record {
        Record {
            segment: ShmId::from_raw(7),
            cookie: [0x0123_4567_89ab_cdef, 42],
            boot: [9; 16],
            namespace: 4_026_531_839,
        }
    }

    #[test]
    fn a_record_survives_the_file() {
        assert_eq!(Record::parse(&record().render()), Some(record()));
    }

    #[test]
    fn anything_else_is_no_record() {
        let good = record().render();
        for end in 0..good.len() {
            assert_eq!(Record::parse(&good[..end]), None, "cut off at {end}");
        }
        for text in [
            "",
            "ringpipe 2\n",
            "ringpipe 1\nsegment x\n",
            &good.replace("segment 7", "segment 77777777777"),
            &good.replace("segment 7", "segment +7"),
            &format!("{good}and more\n"),
        ] {
            assert_eq!(Record::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn folders_and_devices_are_foreign() {
        assert!(matches!(
            read(Path::new("/"), Links::Follow).unwrap(),
            Found::Foreign
        ));
        assert!(matches!(
            read(Path::new("/dev/zero"), Links::Follow).unwrap(),
            Found::Foreign
        ));
    }
}
