//! What is shown of a ring: the library's account in words and plain numbers, the same for people and for JSON.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::{Uid, User};
use ringpipe::{DeadConsumer, Name, RingState, Role, Status};
use serde::Serialize;

use crate::text::printable;

/// A ring.
#[derive(Debug, Serialize)]
pub(super) struct View {
    /// As it can be shown: bytes of a path that are no UTF-8 are replaced.
    pub(super) name: String,
    /// The path's bytes, where `name` does not have them all.
    pub(super) path_bytes: Option<Vec<u8>>,
    pub(super) id: i32,
    pub(super) set: Option<i32>,
    pub(super) state: &'static str,
    pub(super) kind: String,
    pub(super) item_size: usize,
    pub(super) capacity: usize,
    pub(super) len: usize,
    /// Bytes of a stream that its last ends have left in it: the next one will not find them.
    pub(super) discarded: usize,
    pub(super) produced: u64,
    pub(super) consumed: u64,
    pub(super) segment_size: usize,
    pub(super) producer: Side,
    pub(super) consumer: Side,
    /// 0 for a ring with one of each.
    pub(super) participant_limit: usize,
    pub(super) participants: Vec<Participant>,
    pub(super) tallies: Tallies,
    /// What becomes of the items that a consumer holds when it dies; `null` but for rings of records.
    pub(super) dead_consumer: Option<&'static str>,
    /// In octal, as chmod(1) takes it.
    pub(super) mode: String,
    /// The owner's name, if it has one here.
    pub(super) user: Option<String>,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) attachments: u64,
    pub(super) creator: i32,
    /// In seconds since the epoch.
    pub(super) created: u64,
}

/// What became of what the dead had in hand.
#[derive(Debug, Serialize)]
pub(super) struct Tallies {
    pub(super) recovered: u64,
    pub(super) redelivered: u64,
    pub(super) dropped: u64,
    pub(super) skipped: u64,
}

/// One who takes part in a ring that many share.
#[derive(Debug, Serialize)]
pub(super) struct Participant {
    pub(super) number: usize,
    pub(super) role: String,
    pub(super) pid: i32,
    pub(super) command: Option<String>,
    pub(super) alive: bool,
    pub(super) moved: u64,
    pub(super) sleeping: bool,
}

/// One side of a ring.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) alive: bool,
    pub(super) attached: u32,
    pub(super) pid: Option<i32>,
    pub(super) command: Option<String>,
    pub(super) holders: u64,
    /// How many died or gave up; also those after whom nobody has cleared up yet.
    pub(super) deaths: u32,
    pub(super) finished: bool,
    pub(super) sleeping: u32,
}

impl View {
    pub(super) fn of(ring: &Status) -> Self {
        let deserted = ring.producer.attached == 0 && ring.consumer.attached == 0;
        let (len, discarded) = match &*ring.kind {
            "stream" if deserted => (0, ring.len),
            _ => (ring.len, 0),
        };
        Self {
            name: ring.name.to_string(),
            path_bytes: match &ring.name {
                Name::Path(path) => bytes_of(path),
                _ => None,
            },
            id: ring.id.raw(),
            set: ring.set.map(ringpipe::sysv::SemId::raw),
            state: state(ring.state),
            kind: ring.kind.clone(),
            item_size: ring.item_size,
            capacity: ring.capacity,
            len,
            discarded,
            produced: ring.produced,
            consumed: ring.consumed,
            segment_size: ring.segment_size,
            producer: Side::of(&ring.producer, ring, Role::Producer),
            consumer: Side::of(&ring.consumer, ring, Role::Consumer),
            participant_limit: ring.participant_limit,
            participants: ring.participants.iter().map(Participant::of).collect(),
            tallies: Tallies::of(&ring.tallies),
            dead_consumer: ring.dead_consumer.map(fate),
            mode: format!("{:04o}", ring.mode),
            user: user(ring.uid),
            uid: ring.uid,
            gid: ring.gid,
            attachments: ring.attachments,
            creator: ring.creator,
            created: ring.created,
        }
    }
}

impl View {
    pub(super) fn is_stream(&self) -> bool {
        self.kind == "stream"
    }
}

impl Tallies {
    fn of(tallies: &ringpipe::Tallies) -> Self {
        Self {
            recovered: tallies.recovered,
            redelivered: tallies.redelivered,
            dropped: tallies.dropped,
            skipped: tallies.skipped,
        }
    }
}

impl Participant {
    fn of(one: &ringpipe::Participant) -> Self {
        Self {
            number: one.number,
            role: one.role.to_string(),
            pid: one.pid,
            command: one.command.clone(),
            alive: one.alive,
            moved: one.moved,
            sleeping: one.sleeping,
        }
    }
}

impl Side {
    fn of(side: &ringpipe::Side, ring: &Status, role: Role) -> Self {
        let left = ring
            .participants
            .iter()
            .filter(|one| one.role == role && !one.alive);
        let deaths = side
            .deaths
            .saturating_add(u32::try_from(left.count()).unwrap_or(u32::MAX));
        // One that nobody has noticed, or who gave up, at the least.
        let lost = side.attached == 0 && side.holders > 0 && !side.finished;
        Self {
            alive: side.attached > 0,
            attached: side.attached,
            pid: side.pid,
            command: side.command.clone(),
            holders: side.holders,
            deaths: deaths.max(lost.into()),
            finished: side.finished,
            sleeping: side.sleeping,
        }
    }

    /// What became of the last one, when nobody is there.
    pub(super) fn past(&self) -> &'static str {
        match (self.holders, self.finished) {
            (0, _) => "never came",
            (_, true) => "finished",
            (_, false) => "the last one died or gave up",
        }
    }
}

/// A path's bytes, if they are no text.
pub(super) fn bytes_of(path: &Path) -> Option<Vec<u8>> {
    match path.to_str() {
        Some(_) => None,
        None => Some(path.as_os_str().as_bytes().to_vec()),
    }
}

fn user(uid: u32) -> Option<String> {
    let user = User::from_uid(Uid::from_raw(uid)).ok()??;
    Some(printable(&user.name))
}

fn fate(policy: DeadConsumer) -> &'static str {
    match policy {
        DeadConsumer::Redeliver => "redeliver",
        DeadConsumer::Drop => "drop",
    }
}

fn state(state: RingState) -> &'static str {
    match state {
        RingState::Ready => "ready",
        RingState::HalfMade => "half made",
        RingState::Removed => "removed",
        RingState::Broken => "broken",
        _ => "unknown",
    }
}
