//! What stands in the way of a new ring, and goes if nobody can ever use it: stale names, half-made rings, and rings whose
//! semaphores are gone.

use std::path::Path;

use super::rendezvous::{self, Found, Record};
use super::{Trust, leftover, open, remove, stat};
use crate::error::Error;
use crate::memory::{Region, Unfit};
use crate::name::Name;
use crate::parking::Semaphores;
use crate::ring::Role;
use crate::ring::roster::{self, State};
use crate::sys::file::Links;
use crate::sys::key::Key;
use crate::sys::sem::SemId;
use crate::sys::shm::{self, ShmAtFlags, ShmId};
use crate::sys::{Errno, proc};

/// Takes the name away if it is provably stale: of an earlier boot, or of a segment of this boot and namespace that is gone.
pub(super) fn clear_stale(path: &Path, links: Links) -> Result<(), Error> {
    let Ok(Found::Record(record)) = rendezvous::read(path, links) else {
        return Ok(());
    };
    if is_stale(&record).unwrap_or(false) {
        withdraw(&Name::Path(path.to_owned()), path, &record, links)?;
    }
    Ok(())
}

/// Takes away what a path leads to that a new ring is to have, if nobody can ever use it; with `other_namespace`, also a name
/// that leads into another IPC namespace.
pub(super) fn make_way(path: &Path, other_namespace: bool) -> Result<(), Error> {
    clear_stale(path, Links::Follow)?;
    let (Ok(Found::Record(record)), Ok(own)) =
        (rendezvous::read(path, Links::Follow), proc::ipc_namespace())
    else {
        return Ok(());
    };
    let name = Name::Path(path.to_owned());
    if record.namespace == own {
        return remove::remove_useless(&name, path, &record);
    }
    if other_namespace {
        withdraw(&name, path, &record, Links::Follow)?;
    }
    Ok(())
}

/// Takes away a name that leads into another IPC namespace, and nothing else: what is there cannot be reached from here.
pub(crate) fn remove_other_namespace(name: &Name) -> Result<(), Error> {
    let bad = |why| Error::BadName {
        name: name.to_string(),
        why,
    };
    let Name::Path(path) = name else {
        return Err(bad("only a path can lead into another IPC namespace"));
    };
    let path = super::absolute(path)?;
    match open::read_record(name, &path) {
        Err(Error::Stale { .. } | Error::OtherNamespace { .. }) => make_way(&path, true),
        Err(error) => Err(error),
        Ok(_) => Err(bad(
            "its ring is of this IPC namespace; remove it without that flag",
        )),
    }
}

fn withdraw(name: &Name, path: &Path, record: &Record, links: Links) -> Result<(), Error> {
    rendezvous::withdraw(path, record, links, || ())
        .map(drop)
        .map_err(|source| remove::not_withdrawn(name, path, "replace the name", source))
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

/// Removes what has a key that a new ring is to have, and its semaphores with it, if nobody can ever use it.
pub(super) fn make_way_for_key(name: &Name, key: Key) -> Result<(), Error> {
    let Ok(id) = open::by_key(name, key) else {
        return Ok(());
    };
    let Some(attached) = never_finished(id).or_else(|| broken(id)) else {
        return Ok(());
    };
    let _ = shm::shmctl_rmid(id); // another creator may have been faster
    drop(attached);
    super::collect::make_room().map(drop)
}

/// The segment, attached, if it was to be a ring, and nobody will finish it. Its id is its own while it is attached.
pub(super) fn never_finished(id: ShmId) -> Option<Region> {
    let half_made = attach(id).filter(|region| is_abandoned(id, region));
    half_made.or_else(|| leftover::blank_segment(id))
}

fn broken(id: ShmId) -> Option<Region> {
    attach(id).filter(|region| is_broken(id, region))
}

fn attach(id: ShmId) -> Option<Region> {
    let known = stat(id).ok()??;
    let flags = ShmAtFlags::READ_ONLY;
    open::attach(&Name::Id(id), id, &known, flags, Trust::Look).ok()?
}

/// Whether nobody can ever use an attached ring.
pub(super) fn is_useless(id: ShmId, region: &Region) -> bool {
    is_abandoned(id, region) || is_broken(id, region)
}

/// Whether an attached segment is a ring whose creator is gone.
///
/// A creator is attached from before it writes the magic until after the ready word. So: the magic seen, then nobody
/// attached but us, or no process of the creator's number left, then still not ready, proves that it ended without finishing.
pub(super) fn is_abandoned(id: ShmId, region: &Region) -> bool {
    let half_made = || region.header().identity.read(region.len()) == Err(Unfit::NotReady);
    let gone = || {
        stat(id).is_ok_and(|stat| {
            stat.is_some_and(|stat| stat.nattch == 1 || proc::has_ended(stat.cpid))
        })
    };
    half_made() && is_unused(region) && gone() && half_made()
}

/// Whether nobody has ever taken part in the ring. One that is not ready, but was used, was ready: somebody who may write to
/// it has changed that.
fn is_unused(region: &Region) -> bool {
    let control = &region.header().control;
    [Role::Producer, Role::Consumer]
        .into_iter()
        .all(|role| roster::entry(control, role).state == State::Never)
}

/// Whether an attached segment is a ring of this user's whose semaphores are gone, and that nobody else is attached to.
///
/// Ids of sets do not come back to the ring's own, so nobody will ever take part in it: whoever attaches now is told so.
fn is_broken(id: ShmId, region: &Region) -> bool {
    let Ok(facts) = region.header().identity.read(region.len()) else {
        return false;
    };
    let known = stat(id).ok().flatten();
    known.is_some_and(|known| known.nattch == 1 && known.cuid == proc::effective_uid())
        && Semaphores::are_lost(SemId::from_raw(facts.sem_id), id)
}
