//! What is shown of a ring: the library's account in words and plain numbers, the same for people and for JSON.

use ringpipe::{DeadConsumer, RingState, Status};
use serde::Serialize;

/// A ring.
#[derive(Debug, Serialize)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) id: i32,
    pub(super) set: Option<i32>,
    pub(super) state: &'static str,
    pub(super) kind: String,
    pub(super) item_size: usize,
    pub(super) capacity: usize,
    pub(super) len: usize,
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
    pub(super) deaths: u32,
    pub(super) finished: bool,
    pub(super) sleeping: u32,
}

impl View {
    pub(super) fn of(ring: &Status) -> Self {
        Self {
            name: ring.name.to_string(),
            id: ring.id.raw(),
            set: ring.set.map(ringpipe::sysv::SemId::raw),
            state: state(ring.state),
            kind: ring.kind.clone(),
            item_size: ring.item_size,
            capacity: ring.capacity,
            len: ring.len,
            produced: ring.produced,
            consumed: ring.consumed,
            segment_size: ring.segment_size,
            producer: Side::of(&ring.producer),
            consumer: Side::of(&ring.consumer),
            participant_limit: ring.participant_limit,
            participants: ring.participants.iter().map(Participant::of).collect(),
            tallies: Tallies::of(&ring.tallies),
            dead_consumer: ring.dead_consumer.map(fate),
            mode: format!("{:04o}", ring.mode),
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
    fn of(side: &ringpipe::Side) -> Self {
        Self {
            alive: side.attached > 0,
            attached: side.attached,
            pid: side.pid,
            command: side.command.clone(),
            holders: side.holders,
            deaths: side.deaths,
            finished: side.finished,
            sleeping: side.sleeping,
        }
    }

    /// What became of the last one, when nobody is there.
    pub(super) fn past(&self) -> &'static str {
        match (self.holders, self.finished) {
            (0, _) => "never came",
            (_, true) => "finished",
            (_, false) => "died",
        }
    }
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
