//! Looking at the rings of a machine.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::participants::{self, Participant, Tallies};
use super::{Segment, Trust, kind, note, open};
use crate::error::Error;
use crate::memory::Region;
use crate::memory::Unfit;
use crate::name::Name;
use crate::ring::many::frontier;
use crate::ring::roster::{self, State};
use crate::ring::{self, DeadConsumer, Parking, Role};
use crate::sync::Ordering;
use crate::sys::key::Key;
use crate::sys::proc;
use crate::sys::sem::SemId;
use crate::sys::shm::{ShmAtFlags, ShmId, ShmStat};

/// What state a ring is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RingState {
    /// It can be used.
    Ready,
    /// Its creator is at work, or was killed at it.
    HalfMade,
    /// Its name was taken away; those who have it open go on.
    Removed,
    /// Its semaphores are gone: nobody can attach or sleep.
    Broken,
}

impl core::fmt::Display for RingState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::HalfMade => "half made",
            Self::Removed => "removed",
            Self::Broken => "broken",
        })
    }
}

/// One side of a ring, as `ringpipe stat` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Side {
    /// How many hold the role now.
    pub attached: u32,
    /// The process that holds it, as seen in this process's pid namespace; 0 if it cannot be told. `None` if nobody
    /// does, or several do.
    pub pid: Option<i32>,
    /// What that process calls itself.
    pub command: Option<String>,
    /// How many ever held it. Who has just come is counted a moment after `attached` shows it.
    pub holders: u64,
    /// How many of them were found dead.
    pub deaths: u32,
    /// Whether the last one to leave ended in good order. Of meaning only while nobody holds the role.
    pub finished: bool,
    /// How many sleep in it at this moment.
    pub sleeping: u32,
}

/// What can be seen of a ring from outside.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Its path or key; [`Name::Private`] if it has neither.
    pub name: Name,
    /// The segment.
    pub id: ShmId,
    /// The semaphore set; `None` while half made.
    pub set: Option<SemId>,
    /// What state it is in.
    pub state: RingState,
    /// Which kind of ring, such as `spsc`.
    pub kind: String,
    /// Bytes of an item.
    pub item_size: usize,
    /// Items that it holds at most.
    pub capacity: usize,
    /// Items in it at this moment that nobody has taken.
    pub len: usize,
    /// Items ever published; in an mpmc ring, slots ever claimed for items.
    pub produced: u64,
    /// Items ever released; in an mpmc ring, those ever taken, and slots that were skipped.
    pub consumed: u64,
    /// Bytes of the segment.
    pub segment_size: usize,
    /// The producer's side.
    pub producer: Side,
    /// The consumer's side.
    pub consumer: Side,
    /// How many participants there can be at a time; 0 where each role has one holder.
    pub participant_limit: usize,
    /// Where roles are shared, those who take part, and those of the dead after whom nobody has cleared up yet.
    pub participants: Vec<Participant>,
    /// Where roles are shared, what became of what the dead had in hand.
    pub tallies: Tallies,
    /// In an mpmc ring, what becomes of the items that a consumer holds when it dies.
    pub dead_consumer: Option<DeadConsumer>,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// How many mappings there are; not a number of processes.
    pub attachments: u64,
    /// The creator's process id; it may be long gone, and another process may have it.
    pub creator: i32,
    /// When it was created, in seconds since the epoch.
    pub created: u64,
}

/// The rings of this IPC namespace that this process may read.
///
/// # Errors
///
/// [`Error::File`] when the kernel's list cannot be read.
pub fn list() -> Result<Vec<Status>, Error> {
    let ids = proc::shm_ids()
        .map_err(|source| super::of_file(Path::new("/proc/sysvipc/shm"), "read", source))?;
    Ok(ids
        .into_iter()
        .filter_map(|id| look(id).ok().flatten())
        .collect())
}

/// What can be seen of one ring.
pub(crate) fn status(name: &Name) -> Result<Status, Error> {
    let id = match name {
        Name::Id(id) => *id, // also of a ring that is not ready
        _ => open::probe(name, Trust::Look, ShmAtFlags::READ_ONLY)?.id,
    };
    look(id)?.ok_or_else(|| Error::NotFound { name: name.clone() })
}

/// What can be seen of a segment; `None` if it holds no ring.
fn look(id: ShmId) -> Result<Option<Status>, Error> {
    let name = Name::Id(id);
    let known = open::account(&name, id)?;
    let Some(region) = open::attach(&name, id, &known, ShmAtFlags::READ_ONLY, Trust::Look)? else {
        return Ok(None);
    };
    Ok(match region.header().identity.read(region.len()) {
        // As a segment, so that somebody takes the semaphores away if the last user goes meanwhile.
        Ok(facts) => Some(describe(
            &Segment::of_region(name, id, facts, region),
            &known,
        )),
        Err(Unfit::NotReady) => Some(half_made(id, &known)),
        Err(_) => None,
    })
}

fn describe(segment: &Segment, known: &ShmStat) -> Status {
    let Segment {
        id,
        facts,
        region,
        semaphores,
        ..
    } = segment;
    let kind = facts.expected.kind;
    let participants = participants::participants(segment);
    let control = &region.header().control;
    let (len, [produced, consumed]) = match participants::board(region, facts) {
        Some(board) if kind == kind::MPMC => (frontier::len(&board), frontier::both(&board)),
        _ => (
            ring::len(control, facts.capacity),
            // Relaxed: figures for people.
            [&control.produced, &control.consumed].map(|index| index.load(Ordering::Relaxed)),
        ),
    };
    let broken = semaphores.are_lost_to(*id);
    // Relaxed: a note; see `remove`.
    let removed = control.roster.removed.load(Ordering::Relaxed) == note::REMOVED;
    let state = match (broken, removed) {
        (true, _) => RingState::Broken,
        (false, true) => RingState::Removed,
        (false, false) => RingState::Ready,
    };
    Status {
        set: Some(SemId::from_raw(facts.sem_id)),
        state,
        kind: open::kind_name(kind),
        item_size: facts.expected.item_size,
        capacity: facts.capacity,
        len,
        produced,
        consumed,
        segment_size: facts.segment_size,
        producer: side(segment, Role::Producer, &participants),
        consumer: side(segment, Role::Consumer, &participants),
        participant_limit: if kind == kind::SPSC {
            0
        } else {
            facts.crew.participants
        },
        participants,
        tallies: participants::tallies(segment),
        dead_consumer: (kind == kind::MPMC).then(|| DeadConsumer::of_code(facts.crew.policy)),
        creator: facts.creator,
        created: facts.created,
        ..half_made_as(name_of(known, region), *id, known)
    }
}

fn side(segment: &Segment, role: Role, participants: &[Participant]) -> Side {
    let (control, semaphores) = (&segment.region.header().control, &segment.semaphores);
    let entry = roster::entry(control, role);
    let attached = semaphores.attached(role).unwrap_or(0);
    let mut alive = participants
        .iter()
        .filter(|one| one.alive && one.role == role);
    let pid = match (segment.facts.expected.kind, attached) {
        (_, 0) => None,
        (kind::SPSC, _) => Some(semaphores.last_holder(role).unwrap_or(0)),
        (_, 1) => alive.next().map(|one| one.pid),
        _ => None,
    };
    Side {
        attached,
        pid,
        command: pid.and_then(proc::command_of),
        holders: entry.generation,
        deaths: roster::deaths_seen(control, role),
        finished: entry.state == State::Finished,
        sleeping: semaphores.sleeping(role).unwrap_or(0).unsigned_abs(),
    }
}

fn half_made(id: ShmId, known: &ShmStat) -> Status {
    half_made_as(key_name(known), id, known)
}

/// What the kernel alone knows of a segment.
fn half_made_as(name: Name, id: ShmId, known: &ShmStat) -> Status {
    Status {
        name,
        id,
        set: None,
        state: RingState::HalfMade,
        kind: "unknown".into(),
        item_size: 0,
        capacity: 0,
        len: 0,
        produced: 0,
        consumed: 0,
        segment_size: known.size,
        producer: Side::default(),
        consumer: Side::default(),
        participant_limit: 0,
        participants: vec![],
        tallies: Tallies::default(),
        dead_consumer: None,
        mode: known.mode,
        uid: known.uid,
        gid: known.gid,
        attachments: known.nattch,
        creator: known.cpid,
        created: u64::try_from(known.ctime).unwrap_or(0),
    }
}

fn name_of(known: &ShmStat, region: &Region) -> Name {
    let (path, _) = region.header().name();
    if path.is_empty() {
        key_name(known)
    } else {
        Name::Path(OsString::from_vec(path).into())
    }
}

fn key_name(known: &ShmStat) -> Name {
    if known.key == Key::PRIVATE {
        Name::Private
    } else {
        Name::Key(known.key)
    }
}
