//! Taking names away, and what has none.
//!
//! Removing a ring takes its name away, as unlink(2) does: whoever has it open goes on with it, and the kernel
//! frees the memory with the last of them. The semaphore set, which the kernel would free at once,
//! is left to the last one out (see [`last_user`](super::last_user)).

use std::io::{self, ErrorKind};
use std::path::Path;

use super::rendezvous::{self, Record};
use super::{Segment, Trust, leftover, limits, note, open, replace};
use crate::error::Error;
use crate::memory::{Facts, Region, Unfit};
use crate::name::Name;
use crate::sync::Ordering;
use crate::sys::file::Links;
use crate::sys::shm::{self, ShmAtFlags, ShmId};
use crate::sys::{Errno, Ownership, proc};

/// Removes the ring of that name; a stale name is taken away too.
pub(crate) fn remove(name: &Name) -> Result<(), Error> {
    let removed = match name {
        Name::Path(path) => remove_path(name, &super::absolute(path)?, None),
        Name::Key(key) => open::by_key(name, *key).and_then(|id| remove_known(name, id)),
        Name::Id(id) => remove_known(name, *id),
        Name::Private => Err(nothing_to_take(name)),
    };
    removed.map_err(of_removal)
}

/// Whichever step was forbidden: what matters is who may remove the ring.
fn of_removal(error: Error) -> Error {
    match error {
        Error::PermissionDenied { name, source, .. } => Error::PermissionDenied {
            name,
            action: "remove",
            source,
        },
        other => other,
    }
}

/// Removes that ring, and not another one that has come to have its name.
pub(crate) fn remove_itself(segment: &Segment) -> Result<(), Error> {
    let name = &segment.name;
    match name {
        Name::Path(path) => remove_path(name, path, Some(segment.facts.cookie)),
        Name::Key(key) if open::by_key(name, *key)? != segment.id => {
            Err(Error::NotFound { name: name.clone() })
        }
        Name::Key(_) | Name::Id(_) => remove_known(name, segment.id),
        Name::Private => Err(nothing_to_take(name)),
    }
}

fn nothing_to_take(name: &Name) -> Error {
    Error::BadName {
        name: name.to_string(),
        why: "a private ring has no name to take away",
    }
}

/// Removes what a path leads to, if it is the segment with that `cookie`, or any without one; in whatever state it is.
///
/// One record from beginning to end, and attached all the time, so that neither the name nor the id comes to mean
/// another ring on the way.
fn remove_path(name: &Name, path: &Path, cookie: Option<[u64; 2]>) -> Result<(), Error> {
    let record = match open::read_record(name, path) {
        Err(Error::Stale { .. }) => return replace::clear_stale(path, Links::Follow),
        found => found?,
    };
    if cookie.is_some_and(|cookie| cookie != record.cookie) {
        return Err(Error::NotFound { name: name.clone() });
    }
    let doomed = match Doomed::attach(name, record.segment) {
        Err(Error::Stale { .. }) => return replace::clear_stale(path, Links::Follow),
        attached => attached?,
    };
    if !open::holds(doomed.region.as_ref(), record.cookie) {
        return replace::clear_stale(path, Links::Follow);
    }
    doomed.check_permission(name)?;
    // The note comes after the name: a collector that finds it takes the ring with what is in it. A
    // remover killed before it leaves a ring without a name, which stays if it holds items.
    let noted = || doomed.note_removal();
    let withdrawn = rendezvous::withdraw(path, &record, Links::Follow, noted);
    if !withdrawn.map_err(|source| not_withdrawn(name, path, "remove", source))? {
        return Err(Error::NotFound { name: name.clone() });
    }
    doomed.remove(name)
}

/// Removes the ring that a record leads to, and the name with it, if nobody can ever use it.
pub(super) fn remove_useless(name: &Name, path: &Path, record: &Record) -> Result<(), Error> {
    let Ok(doomed) = Doomed::attach(name, record.segment) else {
        return Ok(());
    };
    let useless = doomed.region.as_ref().is_some_and(|region| {
        open::holds(Some(region), record.cookie) && replace::is_useless(doomed.id, region)
    });
    if !useless {
        return Ok(());
    }
    let noted = || doomed.note_removal();
    let withdrawn = rendezvous::withdraw(path, record, Links::Follow, noted);
    if withdrawn.map_err(|source| not_withdrawn(name, path, "replace", source))? {
        doomed.remove(name)?;
    }
    Ok(())
}

/// Removes a segment that holds a ring, finished or not; refuses any other.
fn remove_known(name: &Name, id: ShmId) -> Result<(), Error> {
    let doomed = Doomed::attach(name, id)?;
    if doomed.read() == Err(Unfit::NotARing) {
        drop(doomed);
        let Some(_attached) = leftover::blank_segment(id) else {
            return Err(Error::NotARing {
                name: name.clone(),
                why: "the segment holds no ring",
            });
        };
        return shm::shmctl_rmid(id)
            .map_err(|errno| limits::of_call("shmctl(IPC_RMID)", name, "remove", errno));
    }
    doomed.remove(name)
}

/// A segment that is attached while it is removed, so that the farewell of this attachment, like any other, sees to
/// the semaphores.
struct Doomed {
    id: ShmId,
    region: Option<Region>,
    writable: bool,
}

impl Doomed {
    fn attach(name: &Name, id: ShmId) -> Result<Self, Error> {
        let known = open::account(name, id)?;
        let (attached, writable) =
            match open::attach(name, id, &known, ShmAtFlags::empty(), Trust::Look) {
                // Removing is the owner's right, whatever the mode says.
                Err(Error::PermissionDenied { .. }) => {
                    let attached =
                        open::attach(name, id, &known, ShmAtFlags::READ_ONLY, Trust::Look);
                    (attached, false)
                }
                attached => (attached, true),
            };
        Ok(Self {
            id,
            region: attached?,
            writable,
        })
    }

    fn read(&self) -> Result<Facts, Unfit> {
        let region = self.region.as_ref().ok_or(Unfit::NotARing)?;
        region.header().identity.read(region.len())
    }

    /// Whether the kernel would let this process remove the segment: it asks for as much to set the owner, which here
    /// stays the same.
    fn check_permission(&self, name: &Name) -> Result<(), Error> {
        let own = open::account(name, self.id)?;
        // To ask the kernel would take back what another changes at the same time.
        if [own.uid, own.cuid].contains(&proc::effective_uid()) {
            return Ok(());
        }
        let same = Ownership {
            uid: own.uid,
            gid: own.gid,
            mode: own.mode,
        };
        shm::shmctl_set(self.id, same)
            .map_err(|errno| limits::of_call("shmctl(IPC_SET)", name, "remove", errno))
    }

    /// Marks the segment for removal and, if nobody is attached, removes its semaphores too.
    fn remove(self, name: &Name) -> Result<(), Error> {
        match shm::shmctl_rmid(self.id) {
            Ok(()) | Err(Errno::EINVAL | Errno::EIDRM) => {}
            Err(errno) => return Err(limits::of_call("shmctl(IPC_RMID)", name, "remove", errno)),
        }
        self.note_removal();
        let unfinished = self.read() == Err(Unfit::NotReady);
        drop(self);
        if unfinished {
            // It may not say yet which semaphores are its own; but those say whose they are.
            let _ = super::collect::make_room();
        }
        Ok(())
    }

    /// Notes in the header, where that may be written, that the name is gone and that this was
    /// meant. Nothing takes it back.
    fn note_removal(&self) {
        if let (Some(region), Ok(_), true) = (&self.region, self.read(), self.writable) {
            // Relaxed: for people and for slow paths.
            let roster = &region.header().control.roster;
            roster.removed.store(note::REMOVED, Ordering::Relaxed);
        }
    }
}

/// Why a name could not be taken away.
pub(super) fn not_withdrawn(
    name: &Name,
    path: &Path,
    action: &'static str,
    source: io::Error,
) -> Error {
    match source.kind() {
        ErrorKind::WouldBlock => super::of_file(path, "lock", source),
        _ => super::of_guarded_file(name, path, action, source),
    }
}
