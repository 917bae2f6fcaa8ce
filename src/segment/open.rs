//! Finding a ring by its name and believing nothing of it that was not checked.

use std::io;
use std::path::Path;
use std::thread;

use super::creator_wait::{CreatorWait, LOOK};
use super::rendezvous::{self, Found, Record};
use super::{Plan, Segment, Trust, kind, leftover, limits, replace, stat};
use crate::error::Error;
use crate::memory::{Expected, Facts, Region, TypeName, Unfit, fingerprint_of};
use crate::name::Name;
use crate::parking::{Semaphores, set_size};
use crate::sys::file::Links;
use crate::sys::key::Key;
use crate::sys::sem::SemId;
use crate::sys::shm::{self, Mapping, ShmAtFlags, ShmGetFlags, ShmId, ShmStat};
use crate::sys::{Errno, memory, proc};

/// What is corrupt if the set that the header names is not the ring's.
pub(super) const SEMAPHORES: &str = "semaphore set";
/// The ABI version that this crate reads.
const SUPPORTED: u32 = 1;

/// Opens the ring of that name, whatever its items are: to use it, or only to look at it.
pub(crate) fn probe(name: &Name, trust: Trust, flags: ShmAtFlags) -> Result<Segment, Error> {
    probe_within(name, trust, flags, &mut CreatorWait::new())
}

fn probe_within(
    name: &Name,
    trust: Trust,
    flags: ShmAtFlags,
    wait: &mut CreatorWait,
) -> Result<Segment, Error> {
    let (name, id, cookie) = find(name)?;
    let (region, facts) = attach_ready(&name, id, cookie, trust, flags, wait)?;
    Ok(Segment::of_region(name, id, facts, region))
}

/// Opens the ring of that name, if it is made for such items, and by somebody who is trusted.
pub(crate) fn open(name: &Name, plan: &Plan) -> Result<Segment, Error> {
    open_within(name, plan, &mut CreatorWait::new())
}

/// The same, as part of a longer wait.
pub(super) fn open_within(
    name: &Name,
    plan: &Plan,
    wait: &mut CreatorWait,
) -> Result<Segment, Error> {
    let segment = probe_within(name, plan.trust, ShmAtFlags::empty(), wait)?;
    let names = || [segment.region.header().type_name.load(), plan.type_name];
    compare(
        &segment.name,
        &segment.facts.expected,
        &plan.expected,
        names,
    )?;
    check_set(&segment)?;
    Ok(segment)
}

/// Whether the semaphores are this ring's. The header says so, which anybody may have written who may write to the
/// segment; the set says so too, which takes the right to use the set; and both were made by the same user, which the
/// kernel says.
fn check_set(segment: &Segment) -> Result<(), Error> {
    let name = &segment.name;
    let maker = account(name, segment.id)?.cuid;
    let needed = set_size(segment.facts.crew.participants) as usize;
    match Semaphores::read_mark(SemId::from_raw(segment.facts.sem_id)) {
        Ok(Some(mark))
            if (mark.segment, mark.maker) == (segment.id, maker) && mark.size >= needed =>
        {
            Ok(())
        }
        Ok(_) => Err(Error::Corrupt {
            name: name.clone(),
            field: SEMAPHORES,
        }),
        Err(Errno::EINVAL | Errno::EIDRM) => Err(Error::Removed),
        Err(errno) => Err(limits::of_call(
            "semctl(GETALL)",
            name,
            "use the semaphores of",
            errno,
        )),
    }
}

/// The segment that the name leads to, and the cookie that it must hold.
fn find(name: &Name) -> Result<(Name, ShmId, Option<[u64; 2]>), Error> {
    match name {
        Name::Path(path) => {
            let path = super::absolute(path)?;
            let record = read_record(name, &path)?;
            Ok((Name::Path(path), record.segment, Some(record.cookie)))
        }
        Name::Key(key) => Ok((name.clone(), by_key(name, *key)?, None)),
        Name::Id(id) => Ok((name.clone(), *id, None)),
        Name::Private => Err(Error::BadName {
            name: name.to_string(),
            why: "a private ring is inherited through fork, or opened by its id",
        }),
    }
}

pub(super) fn by_key(name: &Name, key: Key) -> Result<ShmId, Error> {
    if key == Key::PRIVATE {
        return Err(super::no_key(name));
    }
    shm::shmget(key, 0, ShmGetFlags::empty(), 0).map_err(|errno| match errno {
        Errno::ENOENT => Error::NotFound { name: name.clone() },
        _ => limits::of_call("shmget", name, "open", errno),
    })
}

/// The record under `path`, if it is of this boot and this namespace.
pub(super) fn read_record(name: &Name, path: &Path) -> Result<Record, Error> {
    let record = match read_written(name, path)? {
        Found::Nothing => return Err(Error::NotFound { name: name.clone() }),
        Found::Foreign => {
            let what = rendezvous::what_else(path);
            return Err(Error::NotARing {
                name: name.clone(),
                why: what.unwrap_or("ringpipe did not make what has that name"),
            });
        }
        Found::Empty => {
            return Err(Error::NotARing {
                name: name.clone(),
                why: "the file is empty; if its creator was killed before it wrote it, or nobody needs it, remove it with `rm`",
            });
        }
        Found::Record(record) => record,
    };
    judge(name, path, &record)?;
    Ok(record)
}

/// What is under `path`; waits a little for who is about to write it.
fn read_written(name: &Name, path: &Path) -> Result<Found, Error> {
    const LOOKS: u32 = 100;
    let mut looks = 1..=LOOKS;
    loop {
        let found = rendezvous::read(path, Links::Follow)
            .map_err(|source| super::of_guarded_file(name, path, "open", source))?;
        if !matches!(found, Found::Empty) || looks.next().is_none() {
            return Ok(found);
        }
        thread::sleep(LOOK);
    }
}

/// Whether the record's ids can mean anything here and now.
fn judge(name: &Name, path: &Path, record: &Record) -> Result<(), Error> {
    let here = |source| super::of_file(path, "compare the system with", source);
    // In this namespace, the segment tells more; but its id may be that of a stranger's by now.
    if is_of_another_boot(record).map_err(here)? && replace::is_stale(record).map_err(here)? {
        return Err(Error::Stale {
            name: name.clone(),
            why: "the system was started anew since it was made",
        });
    }
    let ours = proc::ipc_namespace().map_err(here)?;
    if record.namespace != ours {
        return Err(Error::OtherNamespace {
            name: name.clone(),
            theirs: record.namespace,
            ours,
            alive: proc::is_namespace_alive(record.namespace),
        });
    }
    Ok(())
}

/// Whether the record was provably written in another boot than this: both boots are known, and
/// differ.
pub(super) fn is_of_another_boot(record: &Record) -> io::Result<bool> {
    let boots = [record.boot, proc::boot_id()?];
    Ok(boots[0] != boots[1] && !boots.contains(&proc::UNKNOWN_BOOT))
}

/// Attaches once the creator has finished; waits for it until then, while it may be at work.
///
/// With a `cookie`, only to the one segment that holds it.
fn attach_ready(
    name: &Name,
    id: ShmId,
    cookie: Option<[u64; 2]>,
    trust: Trust,
    flags: ShmAtFlags,
    wait: &mut CreatorWait,
) -> Result<(Region, Facts), Error> {
    loop {
        let known = account(name, id)?;
        if is_freed_by_a_look(&known) {
            // Its creator is about to attach, or it is about to be freed.
            refuse(name, Unfit::NotReady, &known, wait.is_over())?;
            thread::sleep(wait.pause());
            continue;
        }
        let region = attach(name, id, &known, flags, trust)?;
        if cookie.is_some_and(|cookie| !holds(region.as_ref(), cookie)) {
            return Err(Error::Stale {
                name: name.clone(),
                why: "its segment is gone, and another has its id",
            });
        }
        // Anew: now that it is attached, the id means this segment. And before it is waited for, or anything in it believed.
        trust.check(name, &account(name, id)?)?;
        let Some(region) = region else {
            return Err(Error::NotARing {
                name: name.clone(),
                why: "the segment is too small",
            });
        };
        match region.header().identity.read(region.len()) {
            Ok(facts) => return Ok((region, facts)),
            Err(unfit) => {
                let unfit = match unfit {
                    Unfit::NotARing if leftover::is_begun(&known, &region) => Unfit::NotReady,
                    _ => unfit,
                };
                let late = match unfit {
                    Unfit::NotReady => wait.is_over_for(id) || is_abandoned(id, &region, &known),
                    _ => wait.is_over(),
                };
                refuse(name, unfit, &known, late)?;
            }
        }
        // Not attached between two looks: of several openers that wait, each can find itself alone.
        drop(region);
        thread::sleep(wait.pause());
    }
}

/// Whether nobody will finish an attached segment.
fn is_abandoned(id: ShmId, region: &Region, known: &ShmStat) -> bool {
    let blank = leftover::is_begun(known, region) && proc::has_ended(known.cpid);
    blank || replace::is_abandoned(id, region)
}

/// Whether an attached segment, `None` if it is too small to be a ring, is the one that a record speaks of.
pub(super) fn holds(region: Option<&Region>, cookie: [u64; 2]) -> bool {
    region.is_some_and(|region| region.header().identity.cookie() == cookie)
}

pub(super) fn account(name: &Name, id: ShmId) -> Result<ShmStat, Error> {
    match stat(id) {
        Ok(Some(stat)) => Ok(stat),
        Ok(None) if matches!(name, Name::Path(_)) => Err(Error::Stale {
            name: name.clone(),
            why: "its segment was removed: by `ipcrm`, with the last user of a removed ring, or with its last user where \
                  kernel.shm_rmid_forced is 1",
        }),
        Ok(None) => Err(Error::NotFound { name: name.clone() }),
        Err(errno) => Err(limits::of_call("shmctl(IPC_STAT)", name, "look at", errno)),
    }
}

/// Attaches; `None` when the segment is too small to be a ring.
///
/// Between the account in `known` and the attachment the id may have come to mean another, smaller segment; from then
/// on it means the same.
pub(super) fn attach(
    name: &Name,
    id: ShmId,
    known: &ShmStat,
    flags: ShmAtFlags,
    trust: Trust,
) -> Result<Option<Region>, Error> {
    if flags.contains(ShmAtFlags::READ_ONLY) && is_freed_by_a_look(known) {
        return Err(not_ready(name, known));
    }
    let mapping = shm::shmat(id, flags).map_err(|errno| match errno {
        Errno::EINVAL | Errno::EIDRM => Error::NotFound { name: name.clone() },
        _ => limits::of_call("shmat", name, "attach to", errno),
    })?;
    let now = account(name, id)?;
    let size = known.size.min(now.size);
    if memory::is_huge(&mapping) {
        trust.check_huge(name, id, &now)?;
    }
    // A dump of the ring would only delay the notice of the dumping process's death. Not worth failing for.
    let _ = memory::dont_dump(&mapping, size);
    // Before anything in it is looked at: who made it may be no friend. The header first, since it may be a stranger's huge segment.
    check_pages(name, &mapping, size.min(HEADER))?;
    let region = Region::of_segment(mapping, size);
    if let Some(region) = &region
        && region.header().identity.read(size) != Err(Unfit::NotARing)
        && let Some(mapping) = region.mapping()
    {
        check_pages(name, mapping, size)?;
    }
    // A process that only looks, or will be refused, may be the last user, too. But it removes nothing
    // for a stranger, who could have removed it himself, at a moment that he chose: see `last_user`.
    let only_looks = flags.contains(ShmAtFlags::READ_ONLY);
    let is_own = now.cuid == proc::effective_uid();
    let removes = is_own || (!only_looks && trust.check(name, &now).is_ok());
    Ok(region.map(|region| match removes {
        true => super::last_user::with_set_removal(region, id, size, now.cuid),
        false => region,
    }))
}

/// Whether the kernel would free the segment, in whatever state and whoever's it is, because of a
/// process that attaches to it and detaches. One that somebody has attached is not kept for longer by anybody.
fn is_freed_by_a_look(known: &ShmStat) -> bool {
    known.nattch == 0 && !known.removed && limits::is_rmid_forced()
}

fn not_ready(name: &Name, known: &ShmStat) -> Error {
    Error::NotReady {
        name: name.clone(),
        creator: known.cpid,
    }
}

/// Bytes of a header, whatever version.
const HEADER: usize = 4096;

fn check_pages(name: &Name, mapping: &Mapping, len: usize) -> Result<(), Error> {
    let call = "madvise(MADV_POPULATE_READ)";
    memory::check_huge(mapping, len)
        .map_err(|errno| limits::of_call(call, name, "read the pages of", errno))
}

/// What is wrong with the memory, unless it may yet become a ring.
fn refuse(name: &Name, unfit: Unfit, known: &ShmStat, late: bool) -> Result<(), Error> {
    let error = not_ready(name, known);
    let name = name.clone();
    // By a key or path, an opener may come before the creator is done; by a key, before it has begun.
    match (unfit, &name) {
        (Unfit::NotReady, Name::Key(_) | Name::Path(_)) if !late => return Ok(()),
        (Unfit::NotARing, Name::Key(_)) if !late => return Ok(()),
        _ => {}
    }
    match unfit {
        Unfit::NotReady => Err(error),
        Unfit::NotARing => Err(Error::NotARing {
            name,
            why: "the segment holds no ring",
        }),
        Unfit::Version(found) => Err(Error::WrongVersion {
            name,
            found,
            supported: SUPPORTED,
        }),
        Unfit::Corrupt(field) => Err(Error::Corrupt { name, field }),
    }
}

/// Whether a ring is made for such items. `names` are those of both types, for the error.
pub(crate) fn compare(
    name: &Name,
    found: &Expected,
    wanted: &Expected,
    names: impl FnOnce() -> [TypeName; 2],
) -> Result<(), Error> {
    let differs = |what, found: String, wanted: String| {
        Err(Error::WrongType {
            name: name.clone(),
            what,
            found,
            wanted,
        })
    };
    if found.kind != wanted.kind {
        return differs(
            "the kind of ring",
            kind_name(found.kind),
            kind_name(wanted.kind),
        );
    }
    if found.item_size != wanted.item_size {
        return differs(
            "an item's size in bytes",
            found.item_size.to_string(),
            wanted.item_size.to_string(),
        );
    }
    if found.item_align != wanted.item_align {
        return differs(
            "an item's alignment in bytes",
            found.item_align.to_string(),
            wanted.item_align.to_string(),
        );
    }
    if found.fingerprint != wanted.fingerprint {
        let [theirs, ours] = in_words(
            [found.fingerprint, wanted.fingerprint],
            names().map(|name| (!name.is_empty()).then(|| name.to_string())),
        );
        return differs("the type name", theirs, ours);
    }
    Ok(())
}

/// Two types' names; where they look alike or were not stored, with their fingerprints.
fn in_words(fingerprints: [u64; 2], names: [Option<String>; 2]) -> [String; 2] {
    let alike = names[0] == names[1];
    let mut fingerprints = fingerprints.into_iter();
    names.map(|name| {
        let fingerprint = fingerprints.next().unwrap_or_default();
        match name {
            None if fingerprint == fingerprint_of("") => "none".to_owned(),
            None => format!("one of fingerprint {fingerprint:016x}"),
            Some(name) if alike => format!("{name} (of fingerprint {fingerprint:016x})"),
            Some(name) => name,
        }
    })
}

/// What the kinds of rings are called.
pub(super) fn kind_name(kind: u32) -> String {
    match kind {
        kind::SPSC => "spsc".into(),
        kind::MPMC => "mpmc".into(),
        kind::STREAM => "stream".into(),
        other => format!("unknown ({other})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_no_larger_than_it_was_when_attached() {
        let flags = ShmGetFlags::CREATE;
        let id = shm::shmget(Key::PRIVATE, 8192, flags, 0o600).unwrap();
        let known = ShmStat {
            size: 1 << 20,
            ..shm::shmctl_stat(id).unwrap()
        };
        let region = attach(&Name::Id(id), id, &known, ShmAtFlags::empty(), Trust::Look);
        shm::shmctl_rmid(id).unwrap();
        assert_eq!(region.unwrap().unwrap().len(), 8192);
    }
}
