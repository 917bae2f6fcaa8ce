//! Collecting what is provably dead: half-made and nameless rings, orphaned semaphores, stale names.

use std::ffi::OsString;
use std::fs::DirEntry;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use super::rendezvous::{self, Found};
use super::{Trust, kind, leftover, limits, note, open, participants, replace, stat};
use crate::error::Error;
use crate::memory::{Facts, Region};
use crate::name::Name;
use crate::parking::Semaphores;
use crate::ring::many::outside;
use crate::ring::{self, DeadConsumer};
use crate::sync::{Arc, Ordering};
use crate::sys::file::{Folder, Links};
use crate::sys::key::Key;
use crate::sys::sem::{self, SemId};
use crate::sys::shm::{self, ShmAtFlags, ShmId, ShmStat};
use crate::sys::{Errno, proc};

/// Something dead that [`collect`] removed, or would remove.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Garbage {
    /// A ring whose creator was killed before it was ready.
    HalfMade(ShmId),
    /// A ring whose remover was killed after it had taken the name away and noted that, and that
    /// nobody is attached to.
    Removed(ShmId),
    /// An empty ring that nobody is attached to and no name leads to.
    Nameless(ShmId),
    /// An empty ring whose semaphores were removed, and that nobody is attached to: nobody can ever use it.
    Broken(ShmId),
    /// A semaphore set whose segment is gone; also one whose creator was killed before it could mark it.
    Semaphores(SemId),
    /// A rendezvous file whose ring is gone.
    StaleName(PathBuf),
}

impl core::fmt::Display for Garbage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::HalfMade(id) => {
                write!(f, "segment {}: a ring whose creator was killed", id.raw())
            }
            Self::Removed(id) => {
                write!(f, "segment {}: a ring whose remover was killed", id.raw())
            }
            Self::Nameless(id) => write!(
                f,
                "segment {}: an empty ring with no name and no user",
                id.raw()
            ),
            Self::Broken(id) => write!(
                f,
                "segment {}: an empty ring whose semaphores were removed",
                id.raw()
            ),
            Self::Semaphores(id) => write!(f, "semaphore set {}: its ring is gone", id.raw()),
            Self::StaleName(path) => write!(f, "{}: a name whose ring is gone", path.display()),
        }
    }
}

/// How long a ring with a path must not have been used before a collector believes that its name is gone.
const GRACE: Duration = Duration::from_secs(300);

/// Removes what is dead, and nothing else; with `dry_run` it only tells.
///
/// That is: half-made rings that nobody is attached to; rings without users that are noted as
/// removed; rings without items and users that have no name, or whose semaphores are gone; semaphore sets of rings that are gone; and, among
/// `paths` and the files in the folders among them, names of rings that are gone. A ring with items
/// in it that nobody has removed stays, whoever has died; what a dead consumer had in hand and is
/// to be delivered again counts among them, and so does all that an mpmc ring of more than
/// 16,777,216 slots may hold.
///
/// A file that was renamed still leads to its ring, and nobody can tell where it is now. So an
/// empty ring whose path leads elsewhere is taken only when no role of it was taken or given up for
/// five minutes, not counting what the clock was set forward since the ring was made; and never by
/// creation itself, which collects where a limit is reached.
///
/// A path in a header is looked at only if the calling user made the ring and no other user may
/// write to it. An empty ring of another user, or one that a group may write to, stays when its
/// file is gone, for [`remove()`](crate::remove()) by its id.
///
/// # Errors
///
/// [`Error::File`] when the kernel's lists or a folder cannot be read. What this process has no permission for is left.
pub fn collect(paths: &[PathBuf], dry_run: bool) -> Result<Vec<Garbage>, Error> {
    sweep(paths, dry_run, Some(GRACE))
}

/// Removes what cannot be anybody's, to make room.
pub(super) fn make_room() -> Result<bool, Error> {
    sweep(&[], false, None).map(|garbage| !garbage.is_empty())
}

/// As [`collect`], with empty rings whose path leads elsewhere only if unused for `grace`, or not at all.
fn sweep(paths: &[PathBuf], dry_run: bool, grace: Option<Duration>) -> Result<Vec<Garbage>, Error> {
    let of_list = |file| move |source| super::of_file(Path::new(file), "read", source);
    let segments = proc::shm_ids().map_err(of_list("/proc/sysvipc/shm"))?;
    let segments: Vec<_> = segments
        .into_iter()
        .filter_map(|id| {
            // Attached until it is removed, so that the id cannot come to mean another segment.
            let (garbage, _attached) = dead_segment(id, grace)?;
            let discarded = dry_run || discard(&garbage).unwrap_or(false);
            discarded.then_some(garbage)
        })
        .collect();
    // After the segments, whose names are stale now.
    let mut found = stale_names(paths)?;
    if !dry_run {
        found.retain(|garbage| discard(garbage).unwrap_or(false));
    }
    found.extend(segments);
    // After the segments: what belonged to those that were just removed is dead now.
    let sets = proc::sem_ids().map_err(of_list("/proc/sysvipc/sem"))?;
    let mut sets: Vec<_> = sets
        .into_iter()
        .filter(|set| is_dead_set(*set))
        .map(Garbage::Semaphores)
        .collect();
    if !dry_run {
        sets.retain(|garbage| discard(garbage).unwrap_or(false));
    }
    found.extend(sets);
    Ok(found)
}

/// What is dead, attached by nobody but this process.
type Dead = (Garbage, Arc<Region>);

fn dead_segment(id: ShmId, grace: Option<Duration>) -> Option<Dead> {
    if let Some(region) = replace::never_finished(id) {
        return Some((Garbage::HalfMade(id), Arc::new(region)));
    }
    nameless(id, grace).unwrap_or(None)
}

/// The ring, if nobody is attached, nobody can use it or no name leads to it, and it is empty or was removed.
fn nameless(id: ShmId, grace: Option<Duration>) -> io::Result<Option<Dead>> {
    let Some(known) = stat(id)? else {
        return Ok(None);
    };
    let is_to_make_room = grace.is_none();
    if known.nattch > 0 || (is_to_make_room && !is_ours(known.cuid)) {
        return Ok(None);
    }
    let attached = open::attach(
        &Name::Id(id),
        id,
        &known,
        ShmAtFlags::READ_ONLY,
        Trust::Look,
    );
    let Ok(Some(region)) = attached else {
        return Ok(None);
    };
    let Ok(facts) = region.header().identity.read(region.len()) else {
        return Ok(None);
    };
    // Only we are attached, before it is looked at and after, and nobody came and went meanwhile: that would show in
    // the account's times or its last process.
    let Some(before) = stat(id)?.filter(|now| now.nattch == 1) else {
        return Ok(None);
    };
    let region = Arc::new(region);
    let found = judge(id, &region, &facts, &before, grace)?;
    let found = found.filter(|_| stat(id) == Ok(Some(before)));
    Ok(found.map(|garbage| (garbage, region)))
}

/// What an attached ring is, as far as it tells by itself.
fn judge(
    id: ShmId,
    region: &Arc<Region>,
    facts: &Facts,
    known: &ShmStat,
    grace: Option<Duration>,
) -> io::Result<Option<Garbage>> {
    // Only where it matters: to look at all words of a ring takes memory.
    let is_empty = || is_empty(region, facts, known);
    let is_broken = || Semaphores::are_lost(SemId::from_raw(facts.sem_id), id);
    if is_ours_alone(known) && is_broken() && is_empty() {
        return Ok(Some(Garbage::Broken(id)));
    }
    if known.key != Key::PRIVATE {
        return Ok(None); // its name leads to it
    }
    // Without a time of grace, nothing depends on where the path leads.
    let way = match grace {
        Some(_) => way_to(region, facts, known)?,
        None => way_unseen(region),
    };
    // Relaxed: a note.
    let noted = &region.header().control.roster.removed;
    let noted = noted.load(Ordering::Relaxed);
    Ok(match (noted, way) {
        (_, Way::Leads) => None,
        // Noted when the name was gone: the removal was meant, items or not. If others may write to
        // the ring, anybody may have noted that.
        (note::REMOVED, _) if is_ours_alone(known) || is_empty() => Some(Garbage::Removed(id)),
        (_, Way::None) if is_empty() => Some(Garbage::Nameless(id)),
        (_, Way::Elsewhere) if is_unused(region, facts, grace) && is_empty() => {
            Some(Garbage::Nameless(id))
        }
        _ => None,
    })
}

/// How many slots of a ring that another user made are looked at. Each may be memory that is not
/// there before, and there may be thousands of such rings.
const STRANGERS_SLOTS: usize = 1 << 13;

/// Whether there is nothing to be delivered in a ring that nobody is attached to. One that this version cannot read may
/// hold anything.
fn is_empty(region: &Arc<Region>, facts: &Facts, known: &ShmStat) -> bool {
    match facts.expected.kind {
        kind::SPSC => ring::len(&region.header().control, facts.capacity) == 0,
        // The indices count what a dead producer has not published, and not what a dead consumer had in hand.
        kind::MPMC if !is_ours(known.cuid) && facts.capacity > STRANGERS_SLOTS => false,
        kind::MPMC => participants::board(region, facts).is_some_and(|board| {
            outside::is_empty(&board, DeadConsumer::of_code(facts.crew.policy))
        }),
        // What is in a stream that nobody has open is discarded by the next to open it.
        kind::STREAM => true,
        _ => false,
    }
}

/// Whether no role was taken or given up for so long; its creation counts as well.
fn is_unused(region: &Region, facts: &Facts, grace: Option<Duration>) -> bool {
    let set = SemId::from_raw(facts.sem_id);
    let used = sem::semctl_stat(set).map_or(0, |stat| stat.otime.max(stat.ctime));
    // Relaxed: a note.
    let made = region.header().uptime.load(Ordering::Relaxed);
    let clocks = Clocks {
        made: (facts.created, made),
        used: used.try_into().unwrap_or(0),
        now: (wall_clock(), proc::uptime()),
    };
    grace.is_some_and(|grace| clocks.idle() >= Some(grace))
}

fn wall_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// Times in seconds. The kernel notes uses by the wall clock, which can be set; uptime cannot.
struct Clocks {
    /// When the ring was made: wall clock, uptime (0 if unknown).
    made: (u64, u64),
    /// The last use, by the wall clock.
    used: u64,
    now: (u64, u64),
}

impl Clocks {
    /// How long the ring has not been used at least; `None` if that cannot be told.
    ///
    /// If the wall clock was set forward since the ring was made, that much may be missing. A clock
    /// that was set back makes the ring look used in the future, or even made there.
    fn idle(&self) -> Option<Duration> {
        /// Both clocks are read in whole seconds.
        const ROUNDING: u64 = 2;
        let made = Some(self.made.1).filter(|made| *made > 0)?;
        let age = self.now.1.checked_sub(made)?;
        let by_wall = self.now.0.checked_sub(self.made.0)?;
        let jump = match by_wall.saturating_sub(age) {
            0..=ROUNDING => 0,
            jump => jump,
        };
        let idle = self.now.0.checked_sub(self.used)?.checked_sub(jump)?;
        Some(Duration::from_secs(idle.min(age)))
    }
}

/// Whether a path leads to a ring.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It has no path.
    None,
    Leads,
    /// But the file may have another name now.
    Elsewhere,
    /// Not to be told from here.
    Unknown,
}

/// What can be told without looking at any file.
fn way_unseen(region: &Region) -> Way {
    match region.header().name().0 {
        path if path.is_empty() => Way::None,
        _ => Way::Unknown,
    }
}

/// Looks at the path in the header, if nobody but this process's own user can have written it.
///
/// A path that another user wrote is not even walked: on the way, or at its end, may be what makes
/// a collector wait, or has effects.
fn way_to(region: &Region, facts: &Facts, known: &ShmStat) -> io::Result<Way> {
    let (path, scope) = region.header().name();
    let path = PathBuf::from(OsString::from_vec(path));
    if path.as_os_str().is_empty() {
        return Ok(Way::None);
    }
    let Some(name) = path.file_name() else {
        return Ok(Way::Unknown);
    };
    if !is_ours_alone(known) || scope.mount != proc::mount_namespace()? {
        return Ok(Way::Unknown);
    }
    // The inode of a namespace that has ended is given to another one: so the folder, too, must be
    // the one in which the file was linked.
    let folder = match Folder::hold(rendezvous::folder_of(&path)) {
        Ok(folder) if folder.id()? == scope.folder => folder,
        _ => return Ok(Way::Unknown),
    };
    let Some(file) = rendezvous::find_in(&folder, name)? else {
        return Ok(Way::Elsewhere);
    };
    // Not what was put there: a collector neither follows a link nor reads what another user owns.
    if file.is_link() || file.owner() != known.cuid {
        return Ok(Way::Unknown);
    }
    Ok(match rendezvous::read_unopened(&file)? {
        Found::Record(record) if record.cookie == facts.cookie => Way::Leads,
        _ => Way::Elsewhere,
    })
}

fn is_ours(maker: u32) -> bool {
    maker == proc::effective_uid()
}

/// The mode bits by which others than the owner may write.
const OTHERS_WRITE: u32 = 0o022;

/// Whether this process's own user made the segment, and no other user may write to it.
fn is_ours_alone(known: &ShmStat) -> bool {
    is_ours(known.cuid) && known.uid == known.cuid && known.mode & OTHERS_WRITE == 0
}

fn is_dead_set(set: SemId) -> bool {
    is_orphan(set).unwrap_or(false) || leftover::is_blank_set(set).unwrap_or(false)
}

/// Whether a set is a ring's, nobody is attached by it, and its segment is gone.
///
/// Whoever may change the values of a set can mark it. So a set of another user is believed to be a
/// ring's only if its maker alone may do that.
fn is_orphan(set: SemId) -> Result<bool, Errno> {
    let known = sem::semctl_stat(set)?;
    let others_may = known.uid != known.cuid || known.mode & OTHERS_WRITE != 0;
    if !is_ours(known.cuid) && others_may {
        return Ok(false);
    }
    let Some(mark) = Semaphores::read_mark(set)? else {
        return Ok(false);
    };
    Ok(mark.attached == 0 && stat(mark.segment)?.is_none())
}

fn stale_names(paths: &[PathBuf]) -> Result<Vec<Garbage>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries =
                fs::read_dir(path).map_err(|source| super::of_file(path, "list", source))?;
            // By what the folder says: nothing is asked about what is mounted on an entry.
            let is_file = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
            let entries = entries.filter_map(Result::ok).filter(is_file);
            files.extend(entries.map(|entry| entry.path()));
        } else {
            files.push(path.clone());
        }
    }
    files.retain(|file| is_stale_name(file).unwrap_or(false));
    Ok(files.into_iter().map(Garbage::StaleName).collect())
}

fn is_stale_name(path: &Path) -> io::Result<bool> {
    match rendezvous::read(path, Links::Refuse)? {
        Found::Record(record) => replace::is_stale(&record),
        Found::Nothing | Found::Foreign | Found::Empty => Ok(false),
    }
}

/// Removes it; `false` if that was not to be.
fn discard(garbage: &Garbage) -> Result<bool, Error> {
    let name = || Name::Private;
    match garbage {
        // Looked at again right before: its id may mean another set by now. What is left between the
        // two calls is that of the last user of a ring: see `last_user`.
        Garbage::Semaphores(id) if !is_dead_set(*id) => Ok(false),
        Garbage::HalfMade(id)
        | Garbage::Removed(id)
        | Garbage::Nameless(id)
        | Garbage::Broken(id) => shm::shmctl_rmid(*id)
            .map(|()| true)
            .map_err(|errno| limits::of_call("shmctl(IPC_RMID)", &name(), "remove", errno)),
        Garbage::Semaphores(id) => sem::semctl_rmid(*id)
            .map(|()| true)
            .map_err(|errno| limits::of_call("semctl(IPC_RMID)", &name(), "remove", errno)),
        Garbage::StaleName(path) => {
            replace::clear_stale(path, Links::Refuse)?;
            Ok(fs::symlink_metadata(path).is_err())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spsc::Ring;

    /// Removed at the end, whatever happens.
    struct Removed(ShmId);

    impl Drop for Removed {
        fn drop(&mut self) {
            let _ = crate::segment::remove(&Name::Id(self.0));
        }
    }

    #[test]
    fn a_ring_whose_path_leads_elsewhere_is_taken_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ring");
        let ring = Ring::<u8>::create(&path, 1).unwrap();
        let Some(Name::Id(id)) = ring.id() else {
            panic!("it has an id");
        };
        drop(ring);
        let _removed = Removed(id);
        let taken = |grace, looks: u32| {
            // Others may look at it at the same time, and children of other tests be attached, which keeps it.
            (0..looks).any(|_| {
                std::thread::sleep(Duration::from_millis(1));
                let found = sweep(&[], true, grace).unwrap();
                found.contains(&Garbage::Nameless(id))
            })
        };
        assert!(!taken(Some(Duration::ZERO), 20), "its name leads to it");
        fs::remove_file(&path).unwrap();
        assert!(!taken(None, 20) && !taken(Some(GRACE), 20));
        assert!(taken(Some(Duration::ZERO), 10_000));
    }

    #[test]
    fn a_ring_whose_folder_was_replaced_stays() {
        let folder = tempfile::tempdir().unwrap();
        let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
        fs::create_dir(&here).unwrap();
        let ring = Ring::<u8>::create(here.join("ring"), 1).unwrap();
        let Some(Name::Id(id)) = ring.id() else {
            panic!("it has an id");
        };
        drop(ring);
        let _removed = Removed(id);
        fs::rename(&here, &there).unwrap();
        fs::create_dir(&here).unwrap();
        for _ in 0..200 {
            std::thread::sleep(Duration::from_millis(1));
            let found = sweep(&[], true, Some(Duration::ZERO)).unwrap();
            assert!(!found.contains(&Garbage::Nameless(id)));
        }
        assert_eq!(Ring::<u8>::open(there.join("ring")).unwrap().capacity(), 1);
    }

    #[test]
    fn idle_time_leaves_out_what_the_clock_was_set_forward() {
        let idle = |made, used, now| Clocks { made, used, now }.idle().map(|idle| idle.as_secs());
        assert_eq!(idle((1000, 50), 1400, (2000, 1050)), Some(600));
        // The clocks need not tick together.
        assert_eq!(idle((1000, 50), 1400, (2000, 1048)), Some(600));
        // Set forward by 500 seconds, or from 1970 to a date: most, or all, of it was no time.
        assert_eq!(idle((1000, 50), 1400, (2500, 1050)), Some(600));
        assert_eq!(idle((20, 20), 30, (1_800_000_000, 60)), Some(30));
        assert_eq!(idle((1000, 50), 1400, (1900, 60)), None);
        // No more than its age, whatever the clock says.
        assert_eq!(idle((1000, 50), 200, (1100, 150)), Some(100));
        // Set back; and a ring that says nothing of its age, or of one that cannot be.
        assert_eq!(idle((1000, 50), 1400, (900, 1050)), None);
        assert_eq!(idle((1000, 50), 1400, (1300, 1050)), None);
        assert_eq!(idle((1000, 0), 1400, (2000, 1050)), None);
        assert_eq!(idle((1000, 2000), 1400, (2000, 1050)), None);
    }
}
