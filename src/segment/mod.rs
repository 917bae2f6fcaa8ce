//! The cold side: how rings come to be, are found, validated, inspected, removed and collected.
//!
//! May use everything below it (`sys`, `memory`, `parking`); nothing of the hot path comes here.

mod collect;
mod create;
mod creator_wait;
mod last_user;
mod leftover;
mod limits;
mod open;
mod participants;
mod publish;
mod remove;
mod rendezvous;
mod replace;
mod survey;

pub use collect::{Garbage, collect};
pub use participants::{Participant, Tallies};
pub use survey::{RingState, Side, Status, list};

use std::io;
use std::path::{Path, PathBuf};
use std::thread;

pub(crate) use crate::memory::kind;
pub(crate) use create::create;
#[cfg(fuzzing)]
pub(crate) use open::compare;
pub(crate) use open::open;
pub(crate) use remove::{remove, remove_itself};
pub(crate) use replace::remove_other_namespace;
pub(crate) use survey::status;

use crate::error::Error;
use crate::memory::{Crew, Expected, Extent, Facts, Region, TypeName, extent};
use crate::name::Name;
use crate::parking::{MappedSegment, Semaphores};
use crate::sync::{Arc, Ordering};
use crate::sys::sem::SemId;
use crate::sys::shm::{self, ShmId, ShmStat};
use crate::sys::{Errno, proc};

/// What the header's `removed` says.
mod note {
    /// The name was taken away, by somebody who meant to remove the ring.
    pub(super) const REMOVED: u32 = 1;
}

/// Who may use a ring. Set explicitly: System V objects know no umask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) mode: u32,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
}

/// Whose rings an opener takes part in.
///
/// Whoever makes a ring can write into it, whatever its mode says, for as long as anybody uses it; and may have put it
/// under a name where its victim looks for its own. So what others have made is opened only if that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those that its own user has made.
    #[default]
    Own,
    /// Those that this user has made, too.
    Also(u32),
    /// Those of all users.
    Any,
    /// Those of all users, to look at; of huge pages, only those of its own user.
    Look,
}

impl Trust {
    /// Refuses a segment that was made by somebody who is not trusted.
    ///
    /// By its creator, which the kernel keeps: its owner may be anybody whom the creator has named.
    fn check(self, name: &Name, known: &ShmStat) -> Result<(), Error> {
        let (uid, ours) = (known.cuid, proc::effective_uid());
        if matches!(self, Self::Any | Self::Look) || self == Self::Also(uid) || uid == ours {
            return Ok(());
        }
        Err(Error::ForeignOwner {
            name: name.clone(),
            uid,
            ours,
        })
    }

    /// Refuses a segment of huge pages before any of them is touched, unless its maker is trusted.
    ///
    /// A process that may write to it can give such a page back to the kernel and use it up
    /// elsewhere. Then the next load from it is a signal (SIGBUS).
    fn check_huge(self, name: &Name, id: ShmId, known: &ShmStat) -> Result<(), Error> {
        if self != Self::Look || known.cuid == proc::effective_uid() {
            return self.check(name, known);
        }
        Err(Error::ForeignPages {
            name: name.clone(),
            uid: known.cuid,
            id,
        })
    }
}

/// How a ring's memory is had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages {
    /// Allocate all pages at creation, so that a lack of memory shows then, as an error if the kernel kills nobody for it, and
    /// not as a SIGBUS later.
    pub(crate) prefault: bool,
    pub(crate) lock: bool,
    pub(crate) huge: bool,
}

/// All that a creator decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) expected: Expected,
    /// For people; the fingerprint in `expected` decides.
    pub(crate) type_name: TypeName,
    pub(crate) capacity: usize,
    pub(crate) crew: Crew,
    pub(crate) access: Access,
    pub(crate) trust: Trust,
    pub(crate) pages: Pages,
    /// Make a named ring also where the kernel frees it when nobody is attached.
    pub(crate) allow_rmid_forced: bool,
    /// Replace a name that leads into another IPC namespace, alive or not.
    pub(crate) replace_other_namespace: bool,
}

impl Plan {
    /// Where what lies in the segment, if there can be such a ring.
    pub(crate) fn extent(&self) -> Result<Extent, Error> {
        let Expected {
            kind, item_size, ..
        } = self.expected;
        let bad = |why| Error::BadCapacity {
            capacity: self.capacity,
            item_size,
            why,
        };
        if self.capacity == 0 {
            return Err(bad("it has to hold at least one item"));
        }
        extent(kind, self.crew, self.capacity, item_size)
            .ok_or_else(|| bad("it would exceed the address space"))
    }
}

/// How often [`open_or_create`] tries anew when others create and remove at the same time.
const TRIES: u32 = 100;

/// Opens a ring, or creates it if there is none, or only what nobody can ever use.
///
/// Waits for creators as long as [`open()`] does, however often it tries.
pub(crate) fn open_or_create(name: &Name, plan: &Plan) -> Result<Segment, Error> {
    let plan = &Plan {
        // A stream that nobody has open holds nothing, and the next caller makes it anew: no harm
        // if it is freed.
        allow_rmid_forced: plan.allow_rmid_forced || plan.expected.kind == kind::STREAM,
        ..*plan
    };
    let mut wait = creator_wait::CreatorWait::new();
    let mut tries = 1..=TRIES;
    loop {
        let missing = match open::open_within(name, plan, &mut wait) {
            Err(error) if may_be_replaced(&error, plan) => error,
            opened => return opened,
        };
        match create(name, plan) {
            Err(taken @ Error::NameTaken { .. }) if tries.next().is_none() || wait.is_over() => {
                return Err(more_telling(taken, missing));
            }
            // Not attached all the time: of several who come at once, one must find that nobody else is.
            Err(Error::NameTaken { .. }) => thread::sleep(creator_wait::LOOK),
            created => return created,
        }
    }
}

/// Of two reasons why a ring is neither opened nor created.
fn more_telling(taken: Error, missing: Error) -> Error {
    match taken {
        Error::NameTaken { what: Some(_), .. } => taken,
        _ => missing,
    }
}

/// Whether creation may replace what a name leads to.
fn may_be_replaced(error: &Error, plan: &Plan) -> bool {
    match error {
        Error::NotFound { .. } | Error::Stale { .. } | Error::NotReady { .. } | Error::Removed => {
            true
        }
        Error::OtherNamespace { .. } => plan.replace_other_namespace,
        Error::Corrupt { field, .. } => *field == open::SEMAPHORES,
        _ => false,
    }
}

/// What a file would say that leads to that segment.
#[cfg(fuzzing)]
pub(crate) fn record_of(id: ShmId) -> Option<String> {
    let segment = open::probe(&Name::Id(id), Trust::Own, shm::ShmAtFlags::READ_ONLY).ok()?;
    let record = rendezvous::Record::here(id, segment.facts.cookie).ok()?;
    Some(record.render())
}

/// Says that this process has no memory for a ring of that size.
pub(crate) fn out_of_memory(size: usize) -> Error {
    limits::out_of_memory(size, Errno::ENOMEM)
}

/// A ring's segment, attached and validated.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: Name,
    pub(crate) id: ShmId,
    pub(crate) facts: Facts,
    pub(crate) region: Arc<Region>,
    pub(crate) semaphores: Arc<Semaphores>,
}

impl Segment {
    /// Of a region that this thread has just mapped.
    fn of_region(name: Name, id: ShmId, facts: Facts, region: Region) -> Self {
        let set = SemId::from_raw(facts.sem_id);
        Self {
            name,
            id,
            facts,
            region: Arc::new(region),
            semaphores: Arc::new(Semaphores::new(set, MappedSegment::of(id))),
        }
    }

    /// Whether the ring's name was taken away, by [`remove()`] or by `ipcrm`.
    pub(crate) fn is_removed(&self) -> bool {
        // Relaxed: a note, see `remove`.
        if self
            .region
            .header()
            .control
            .roster
            .removed
            .load(Ordering::Relaxed)
            == note::REMOVED
        {
            return true;
        }
        // A private ring is marked for removal from the beginning; one opened by its id may be private.
        let named = matches!(self.name, Name::Path(_) | Name::Key(_));
        named && shm::shmctl_stat(self.id).map_or(true, |stat| stat.removed)
    }
}

/// A path that means the same in every process: absolute, its folder resolved.
fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let bad = |why| Error::BadName {
        name: path.display().to_string(),
        why,
    };
    let file = path
        .file_name()
        .ok_or_else(|| bad("a ring's path ends in a file name"))?;
    let folder = rendezvous::folder_of(path);
    let folder = folder.canonicalize().map_err(|source| Error::File {
        path: folder.to_owned(),
        action: "find the folder",
        source,
    })?;
    Ok(folder.join(file))
}

/// Key 0 names nothing: it is the kernel's word for "without a key".
fn no_key(name: &Name) -> Error {
    Error::BadName {
        name: name.to_string(),
        why: "key 0 is IPC_PRIVATE, which nothing has",
    }
}

/// The kernel's account of a segment; `None` when there is none of that id.
fn stat(id: ShmId) -> Result<Option<ShmStat>, Errno> {
    match shm::shmctl_stat(id) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::EINVAL | Errno::EIDRM) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What an error of a call on a rendezvous file means for its name.
fn of_file(path: &Path, action: &'static str, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        action,
        source,
    }
}

/// The same where the ring's permissions may be what forbids it.
fn of_guarded_file(name: &Name, path: &Path, action: &'static str, source: io::Error) -> Error {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(source @ (Errno::EACCES | Errno::EPERM)) => Error::PermissionDenied {
            name: name.clone(),
            action,
            source,
        },
        _ => of_file(path, action, source),
    }
}
