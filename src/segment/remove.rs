//! Taking names away, and what has none.
//!
//! Removing a ring takes its name away, as unlink(2) does: whoever has it open goes on with it, and the kernel
//! frees the memory with the last of them. The semaphore set, which the kernel would free at once,
//! is left to the last one out (see [`last_user`](super::last_user)).

use std::io::{self, ErrorKind};
use std::path::Path;

use super::rendezvous::{self, Found, Record};
use super::{Segment, Trust, leftover, limits, note, open, stat};
use crate::error::Error;
use crate::memory::{Facts, Region, Unfit};
use crate::name::Name;
use crate::sync::Ordering;
use crate::sys::file::Links;
use crate::sys::key::Key;
use crate::sys::shm::{self, ShmAtFlags, ShmId};
use crate::sys::{Errno, Ownership, proc};

/// Removes the ring of that name; a stale name is taken away too.
pub(crate) fn remove(name: &Name) -> Result<(), Error> {
    match name {
        Name::Path(path) => remove_path(name, &super::absolute(path)?, None),
        Name::Key(key) => remove_known(name, open::by_key(name, *key)?),
        Name::Id(id) => remove_known(name, *id),
        Name::Private => Err(nothing_to_take(name)),
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
        Err(Error::Stale { .. }) => return clear_stale(path, Links::Follow),
        found => found?,
    };
    if cookie.is_some_and(|cookie| cookie != record.cookie) {
        return Err(Error::NotFound { name: name.clone() });
    }
    let doomed = match Doomed::attach(name, record.segment) {
        Err(Error::Stale { .. }) => return clear_stale(path, Links::Follow),
        attached => attached?,
    };
    if !open::holds(doomed.region.as_ref(), record.cookie) {
        return clear_stale(path, Links::Follow);
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
fn not_withdrawn(name: &Name, path: &Path, action: &'static str, source: io::Error) -> Error {
    match source.kind() {
        ErrorKind::WouldBlock => super::of_file(path, "lock", source),
        _ => super::of_guarded_file(name, path, action, source),
    }
}

/// Takes the name away if it is provably stale: of an earlier boot, or of a segment of this boot and namespace that is gone.
pub(super) fn clear_stale(path: &Path, links: Links) -> Result<(), Error> {
    let Ok(Found::Record(record)) = rendezvous::read(path, links) else {
        return Ok(());
    };
    if is_stale(&record).unwrap_or(false) {
        let name = Name::Path(path.to_owned());
        rendezvous::withdraw(path, &record, links, || ())
            .map_err(|source| not_withdrawn(&name, path, "replace the stale name", source))?;
    }
    Ok(())
}

/// Whether nobody can ever open a ring by that record again.
///
/// In this namespace the segment says so, whatever the boot id: a container may have one of its
/// own. In another one the ring may be alive, unless that namespace has ended with another boot.
pub(super) fn is_stale(record: &Record) -> std::io::Result<bool> {
    let of_another_boot = open::is_of_another_boot(record)?;
    if record.namespace != proc::ipc_namespace()? {
        return Ok(of_another_boot);
    }
    let known = match stat(record.segment) {
        Ok(Some(known)) => known,
        Ok(None) => return Ok(true),
        // Not ours to look at. If it is of this boot, it may be the ring.
        Err(Errno::EACCES) => return Ok(of_another_boot),
        Err(errno) => return Err(errno.into()),
    };
    let name = Name::Id(record.segment);
    // With another cookie, another segment has taken over the id. With that cookie it is the one, however corrupt, and is
    // left for people to see.
    let attached = open::attach(
        &name,
        record.segment,
        &known,
        ShmAtFlags::READ_ONLY,
        Trust::Look,
    );
    Ok(match attached {
        Ok(region) => !open::holds(region.as_ref(), record.cookie),
        Err(_) => of_another_boot, // as above
    })
}

/// Removes what a killed creator left under a key, and its semaphores with it.
pub(super) fn clear_half_made(name: &Name, key: Key) -> Result<(), Error> {
    let Ok(id) = open::by_key(name, key) else {
        return Ok(());
    };
    let Some(attached) = never_finished(id) else {
        return Ok(());
    };
    let _ = shm::shmctl_rmid(id); // another creator may have been faster
    drop(attached);
    super::collect::make_room().map(drop)
}

/// The segment, attached, if it was to be a ring, and nobody will finish it. Its id is its own while it is attached.
pub(super) fn never_finished(id: ShmId) -> Option<Region> {
    half_made(id).or_else(|| leftover::blank_segment(id))
}

fn half_made(id: ShmId) -> Option<Region> {
    let known = stat(id).ok()??;
    let attached = open::attach(
        &Name::Id(id),
        id,
        &known,
        ShmAtFlags::READ_ONLY,
        Trust::Look,
    );
    attached.ok()?.filter(|region| is_abandoned(id, region))
}

/// Whether an attached segment is a ring whose creator is gone.
///
/// A creator is attached from before it writes the magic until after the ready word. So: the magic seen, then nobody
/// attached but us, then still not ready, proves that it ended without finishing.
pub(super) fn is_abandoned(id: ShmId, region: &Region) -> bool {
    let half_made = || region.header().identity.read(region.len()) == Err(Unfit::NotReady);
    let alone = || matches!(stat(id), Ok(Some(stat)) if stat.nattch == 1);
    half_made() && alone() && half_made()
}
