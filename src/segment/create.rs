//! Making a ring, so that a creator killed at any moment leaves nothing that can be taken for one.
//!
//! 1. The segment, and in it at once the magic: from then on a collector knows it for ours. Before, it does by the mode: see
//!    [`leftover`].
//! 2. The semaphore set (private, marked with the segment's id), the self-test of SEM_UNDO on it, the identity, the access
//!    rights.
//! 3. The name, if it is a path: a key was there from the beginning. Of several creators, one gets the name, and the others end
//!    here.
//! 4. The pages, which may take long, and be more than there are for two rings.
//! 5. The ready word, for which openers wait. A private ring's segment is marked for removal, so that the kernel frees it with
//!    its last user.

use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use super::rendezvous::{self, Record};
use super::{Plan, Segment, leftover, limits};
use crate::error::Error;
use crate::memory::{Facts, NAME_MAX, PathScope, Region};
use crate::name::Name;
use crate::parking::{Semaphores, operations, set_size};
use crate::sync::Ordering;
use crate::sys::file::{Folder, Links};
use crate::sys::key::Key;
use crate::sys::sem::{self, SemGetFlags, SemId};
use crate::sys::shm::{self, ShmAtFlags, ShmGetFlags, ShmId};
use crate::sys::{Errno, Ownership, memory, proc};

/// Creates a ring that has no name yet, or says that the name is taken.
pub(crate) fn create(name: &Name, plan: &Plan) -> Result<Segment, Error> {
    let size = plan.extent()?.size;
    match name {
        Name::Key(Key::PRIVATE) => Err(super::no_key(name)),
        Name::Key(key) => match make(name, *key, plan, size) {
            Err(Error::NameTaken { .. }) => {
                super::replace::make_way_for_key(name, *key)?;
                make(name, *key, plan, size)
            }
            made => made,
        },
        Name::Private => {
            let segment = make(name, Key::PRIVATE, plan, size)?;
            shm::shmctl_rmid(segment.id).map_err(|source| Error::Call {
                call: "shmctl(IPC_RMID)",
                source,
            })?;
            Ok(segment)
        }
        Name::Path(path) => {
            let path = super::absolute(path)?;
            super::replace::make_way(&path, plan.replace_other_namespace)?;
            let taken = rendezvous::is_taken(&path);
            if taken.map_err(|source| super::of_file(&path, "create", source))? {
                return Err(Error::NameTaken {
                    name: name.clone(),
                    what: rendezvous::what_else(&path),
                });
            }
            make(&Name::Path(path), Key::PRIVATE, plan, size)
        }
        Name::Id(_) => Err(Error::BadName {
            name: name.to_string(),
            why: "the kernel gives ids; create a private ring and pass its id on",
        }),
    }
}

fn make(name: &Name, key: Key, plan: &Plan, size: usize) -> Result<Segment, Error> {
    if !plan.allow_rmid_forced && matches!(name, Name::Path(_) | Name::Key(_)) {
        limits::check_rmid_forced()?;
    }
    let made = Unfinished::new(new_segment(name, key, plan, size)?);
    finish(name, made, plan, size)
}

/// Whether the kernel keeps SEM_UNDO's promise: asked in each process until there is an answer.
///
/// On the ring's own set, which is marked: so a creator killed meanwhile leaves nothing else. The answer "no" is not kept, since
/// whoever may use the set could have brought it about. Not under the lock: a child that was forked meanwhile would wait for ever.
fn check_undo(set: SemId) -> Result<(), Error> {
    static WORKS: OnceLock<()> = OnceLock::new();
    if WORKS.get().is_some() {
        return Ok(());
    }
    match Semaphores::undo_works(set) {
        Ok(true) => {
            WORKS.get_or_init(|| ());
            Ok(())
        }
        Ok(false) => Err(Error::NoUndo),
        Err(source) => Err(Error::Call {
            call: "the self-test of SEM_UNDO",
            source,
        }),
    }
}

/// Makes an object; what is dead makes room first where a limit is reached.
fn with_room<T>(make: impl Fn() -> Result<T, Errno>) -> Result<T, Errno> {
    match make() {
        Err(Errno::ENOSPC) if collect_some() => make(),
        made => made,
    }
}

fn new_segment(name: &Name, key: Key, plan: &Plan, size: usize) -> Result<ShmId, Error> {
    let mut flags = ShmGetFlags::CREATE | ShmGetFlags::EXCLUSIVE;
    flags.set(ShmGetFlags::HUGETLB, plan.pages.huge);
    let mode = leftover::mode_in_making(plan.access.mode);
    let made = with_room(|| shm::shmget(key, size, flags, mode));
    made.map_err(|errno| match errno {
        Errno::EEXIST => taken(name),
        _ => limits::of_segment(name, size, plan.pages.huge, errno),
    })
}

fn new_set(name: &Name, plan: &Plan) -> Result<SemId, Error> {
    let flags = SemGetFlags::CREATE | SemGetFlags::EXCLUSIVE;
    let size = set_size(plan.crew.participants);
    let mode = leftover::mode_in_making(plan.access.mode);
    let made = with_room(|| sem::semget(Key::PRIVATE, size, flags, mode));
    made.map_err(|errno| limits::of_set(name, size, errno))
}

fn collect_some() -> bool {
    super::collect::make_room().unwrap_or(false)
}

fn taken(name: &Name) -> Error {
    Error::NameTaken {
        name: name.clone(),
        what: None,
    }
}

/// What to take away again if the making fails.
struct Unfinished {
    segment: ShmId,
    set: Option<SemId>,
    name: Option<(PathBuf, Record)>,
}

impl Unfinished {
    fn new(segment: ShmId) -> Self {
        Self {
            segment,
            set: None,
            name: None,
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Errors: somebody else removed them first, and a drop has nobody to tell of anything else.
        if let Some((path, record)) = &self.name {
            let _ = rendezvous::withdraw(path, record, Links::Refuse, || ());
        }
        let _ = shm::shmctl_rmid(self.segment);
        if let Some(set) = self.set {
            let _ = sem::semctl_rmid(set);
        }
    }
}

fn finish(name: &Name, mut made: Unfinished, plan: &Plan, size: usize) -> Result<Segment, Error> {
    let id = made.segment;
    let mapping = shm::shmat(id, ShmAtFlags::empty())
        .map_err(|errno| limits::of_call("shmat", name, "attach to", errno))?;
    if !plan.pages.huge {
        // Huge pages take such advice for whole ones only, and are not dumped unless asked for (core(5)). A dump of others would
        // only delay the notice of a death: not worth failing for.
        let _ = memory::dont_dump(&mapping, size);
    }
    let region = Region::of_segment(mapping, size).expect("a segment made for a header holds it");
    region.header().identity.begin();
    let set = new_set(name, plan)?;
    made.set = Some(set);
    let participants = plan.crew.participants;
    Semaphores::mark(set, id, participants)
        .map_err(|errno| limits::of_operations(name, operations(participants), errno))?;
    check_undo(set)?;
    let facts = describe(plan, size, set)?;
    region.header().identity.fill(&facts);
    // Relaxed: a note, before the ready word.
    let uptime = &region.header().uptime;
    uptime.store(proc::uptime(), Ordering::Relaxed);
    region.header().type_name.store(&plan.type_name);
    let folder = store_name(&region, name)?;
    set_access(name, id, set, plan)?;
    if let (Name::Path(path), Some(folder)) = (name, folder) {
        let record = Record::here(id, facts.cookie)
            .map_err(|source| super::of_file(path, "describe the ring for", source))?;
        if !publish(&folder, path, &record, plan)? {
            return Err(taken(name));
        }
        made.name = Some((path.clone(), record));
    }
    have_pages(&region, id, plan, size)?;
    region.header().identity.finish();
    core::mem::forget(made);
    let region = super::last_user::with_set_removal(region, id, size, proc::effective_uid());
    Ok(Segment::of_region(name.clone(), id, facts, region))
}

/// Gives the ring its name; `false` if the name is taken.
fn publish(folder: &Folder, path: &Path, record: &Record, plan: &Plan) -> Result<bool, Error> {
    let name = path.file_name().unwrap_or_default();
    super::publish::publish(folder, name, record, &plan.access)
        .map_err(|source| super::of_file(path, "create", source))
}

fn have_pages(region: &Region, id: ShmId, plan: &Plan, size: usize) -> Result<(), Error> {
    if plan.pages.lock {
        shm::shmctl_lock(id).map_err(limits::locked_memory)?;
    }
    if plan.pages.prefault
        && let Some(mapping) = region.mapping()
    {
        match memory::populate_write(mapping, size) {
            Ok(()) => {}
            // A kernel before 5.14. The next best: a lack of memory is a signal, but now and not later.
            Err(Errno::EINVAL) => region.touch_pages(),
            Err(errno) => return Err(limits::out_of_memory(size, errno)),
        }
    }
    Ok(())
}

fn describe(plan: &Plan, segment_size: usize, set: SemId) -> Result<Facts, Error> {
    let cookie = proc::random_bytes::<16>().map_err(|error| Error::Call {
        call: "getrandom",
        source: Errno::from_raw(error.raw_os_error().unwrap_or_default()),
    })?;
    let cookie = u128::from_ne_bytes(cookie);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(Facts {
        expected: plan.expected,
        capacity: plan.capacity,
        crew: plan.crew,
        segment_size,
        cookie: [(cookie >> 64) as u64, cookie as u64],
        sem_id: set.raw(),
        creator: process::id().cast_signed(),
        created: now.as_secs(),
    })
}

/// Stores the path, if it has one, and holds the folder in which its file will be.
fn store_name(region: &Region, name: &Name) -> Result<Option<Folder>, Error> {
    let Name::Path(path) = name else {
        return Ok(None);
    };
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.len() > NAME_MAX {
        return Err(Error::BadName {
            name: name.to_string(),
            why: "its absolute path is longer than 1024 bytes",
        });
    }
    let failed = |source| super::of_file(path, "create", source);
    let folder = Folder::hold(rendezvous::folder_of(path)).map_err(failed)?;
    let scope = PathScope {
        mount: proc::mount_namespace().unwrap_or(0),
        folder: folder.id().map_err(failed)?,
    };
    region.header().set_name(bytes, scope);
    Ok(Some(folder))
}

/// Gives both objects their mode, and their owner if it is to be another.
fn set_access(name: &Name, id: ShmId, set: SemId, plan: &Plan) -> Result<(), Error> {
    let access = plan.access;
    let own = shm::shmctl_stat(id)
        .map_err(|errno| limits::of_call("shmctl(IPC_STAT)", name, "look at", errno))?;
    let ownership = Ownership {
        uid: access.uid.unwrap_or(own.uid),
        gid: access.gid.unwrap_or(own.gid),
        mode: access.mode,
    };
    match shm::shmctl_set(id, ownership).and_then(|()| sem::semctl_set(set, ownership)) {
        Ok(()) => Ok(()),
        // A user without a number in its user namespace cannot even name itself. The objects keep the mode that
        // they were made with, in which nobody may read or write who may not by the ring's own.
        Err(Errno::EINVAL) if access.uid.is_none() && access.gid.is_none() => Ok(()),
        Err(errno) => Err(limits::of_call(
            "shmctl(IPC_SET)",
            name,
            "set the mode or owner of",
            errno,
        )),
    }
}
