//! Taking names away, and what has none.
//!
//! Removing a ring takes its name away, as unlink(2) does: whoever has it open goes on with it, and the kernel
//! frees the memory with the last of them. The semaphore set, which the kernel would free at once,
//! is left to the last one out (see [`Region::with_farewell`](crate::memory::Region)).

use std::path::Path;

use super::rendezvous::{self, Found, Record};
use super::{limits, open, stat};
use crate::error::Error;
use crate::memory::{Region, Unfit};
use crate::name::Name;
use crate::sync::Ordering;
use crate::sys::key::Key;
use crate::sys::shm::{self, ShmAtFlags, ShmId};
use crate::sys::{Errno, proc};

/// Removes the ring of that name; a stale name is taken away too.
pub(crate) fn remove(name: &Name) -> Result<(), Error> {
    match name {
        Name::Path(path) => {
            let path = super::absolute(path)?;
            match open::probe(name, ShmAtFlags::READ_ONLY) {
                Ok(segment) => remove_path(name, &path, segment.id),
                Err(Error::Stale { .. }) => clear_stale(&path),
                // The name may lead to a segment that is no ring any more, or not one for us: it is still the one.
                Err(
                    error @ (Error::Corrupt { .. }
                    | Error::WrongVersion { .. }
                    | Error::NotReady { .. }
                    | Error::NotARing { .. }),
                ) => match record_of(name, &path) {
                    Ok(record) => remove_path(name, &path, record.segment),
                    Err(_) => Err(error),
                },
                Err(error) => Err(error),
            }
        }
        Name::Key(key) => remove_known(name, open::by_key(name, *key)?),
        Name::Id(id) => remove_known(name, *id),
        Name::Private => Err(Error::BadName {
            name: name.to_string(),
            why: "a private ring has no name to take away",
        }),
    }
}

fn record_of(name: &Name, path: &Path) -> Result<Record, Error> {
    match rendezvous::read(path) {
        Ok(Found::Record(record)) => Ok(record),
        Ok(_) => Err(Error::NotFound { name: name.clone() }),
        Err(source) => Err(super::of_file(path, "open", source)),
    }
}

fn remove_path(name: &Name, path: &Path, id: ShmId) -> Result<(), Error> {
    let record = record_of(name, path)?;
    // The name first: killed in between, a ring without a name stays for the collector, not a name without a ring.
    let withdrawn = rendezvous::withdraw(path, &record);
    if !withdrawn.map_err(|source| super::of_guarded_file(name, path, "remove", source))? {
        return Err(Error::NotFound { name: name.clone() });
    }
    remove_segment(name, id)
}

/// Removes a segment that holds a ring, finished or not; refuses any other.
fn remove_known(name: &Name, id: ShmId) -> Result<(), Error> {
    let known = open::account(name, id)?;
    let region = open::attach(name, id, &known, ShmAtFlags::READ_ONLY)?;
    let unfit = region.map_or(Some(Unfit::NotARing), |region| {
        region.header().identity.read(known.size).err()
    });
    if unfit == Some(Unfit::NotARing) {
        return Err(Error::NotARing {
            name: name.clone(),
            why: "the segment holds no ring (`ipcrm` removes any)",
        });
    }
    remove_segment(name, id)
}

/// Marks the segment for removal and, if nobody is attached, removes its semaphores too.
fn remove_segment(name: &Name, id: ShmId) -> Result<(), Error> {
    let known = open::account(name, id)?;
    // Attached while it is marked, so that the farewell of this attachment, like any other, sees to the semaphores.
    let region = open::attach(name, id, &known, ShmAtFlags::empty())?;
    let segment = region.and_then(|region| {
        let facts = region.header().identity.read(known.size).ok()?;
        Some(super::Segment::of_region(name.clone(), id, facts, region))
    });
    match shm::shmctl_rmid(id) {
        Ok(()) | Err(Errno::EINVAL | Errno::EIDRM) => {}
        Err(errno) => return Err(limits::of_call("shmctl(IPC_RMID)", name, "remove", errno)),
    }
    if let Some(segment) = segment {
        let roster = &segment.region.header().control.roster;
        // Relaxed: a note for people and for slow paths.
        roster.removed.store(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Takes the name away if it is provably stale: of an earlier boot, or of a segment of this boot and namespace that is gone.
pub(super) fn clear_stale(path: &Path) -> Result<(), Error> {
    let Ok(Found::Record(record)) = rendezvous::read(path) else {
        return Ok(());
    };
    if is_stale(&record).unwrap_or(false) {
        let withdrawn = rendezvous::withdraw(path, &record);
        withdrawn.map_err(|source| super::of_file(path, "replace the stale name", source))?;
    }
    Ok(())
}

/// Whether nobody can ever open a ring by that record again.
pub(super) fn is_stale(record: &Record) -> std::io::Result<bool> {
    if record.boot != proc::boot_id()? {
        return Ok(true);
    }
    if record.namespace != proc::ipc_namespace()? {
        return Ok(false); // it may be alive there
    }
    let Some(known) = stat(record.segment)? else {
        return Ok(true);
    };
    let name = Name::Id(record.segment);
    // With another cookie, another segment has taken over the id. With that cookie it is the one, however corrupt, and is
    // left for people to see.
    let attached = open::attach(&name, record.segment, &known, ShmAtFlags::READ_ONLY);
    Ok(match attached {
        Ok(region) => !open::holds(region.as_ref(), record.cookie),
        Err(_) => false, // not ours to judge
    })
}

/// Removes what a killed creator left under a key, and its semaphores with it.
pub(super) fn clear_half_made(name: &Name, key: Key) -> Result<(), Error> {
    let Ok(id) = open::by_key(name, key) else {
        return Ok(());
    };
    if is_half_made(id) {
        let _ = shm::shmctl_rmid(id); // another creator may have been faster
        super::collect(&[], false)?;
    }
    Ok(())
}

/// Whether the segment is a ring that nobody will finish.
pub(super) fn is_half_made(id: ShmId) -> bool {
    let Ok(Some(known)) = stat(id) else {
        return false;
    };
    let attached = open::attach(&Name::Id(id), id, &known, ShmAtFlags::READ_ONLY);
    matches!(attached, Ok(Some(region)) if is_abandoned(id, &region, known.size))
}

/// Whether an attached segment is a ring whose creator is gone.
///
/// A creator is attached from before it writes the magic until after the ready word. So: the magic seen, then nobody
/// attached but us, then still not ready, proves that it ended without finishing.
pub(super) fn is_abandoned(id: ShmId, region: &Region, size: usize) -> bool {
    let half_made = || region.header().identity.read(size) == Err(Unfit::NotReady);
    let alone = || matches!(stat(id), Ok(Some(stat)) if stat.nattch == 1);
    half_made() && alone() && half_made()
}
