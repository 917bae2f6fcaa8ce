//! Any bytes as a segment, and a peer that writes into it while it is used.
//!
//! The first byte says how the bytes are taken: as a segment as it is, or as a script. A script says which ring is made (with an identity that is
//! valid), what is in its words when it is opened, and what happens then: operations, and words that the peer overwrites, between
//! operations or in the middle of one.

use super::Script;
use super::subjects::{Pair, Pipes, Subject, Warehouse};
use crate::Name;
use crate::memory::{Expected, Extent, Facts, Region};
use crate::options::Options;
use crate::parking::Local;
use crate::segment::{Plan, compare, kind};
use crate::sync::{Arc, Ordering, hostile};

/// No script is longer.
const STEPS: usize = 100;

/// Takes `bytes` for a whole segment, or for a script about one: it is refused, or every operation ends in bounded time, within
/// its memory.
pub fn segment(bytes: &[u8]) {
    let mut script = Script(bytes);
    match script.byte() % 5 {
        0 => raw(script.0),
        1 => scripted::<Pair<u8>>(script),
        2 => scripted::<Pair<u64>>(script),
        3 => scripted::<Warehouse>(script),
        _ => scripted::<Pipes>(script),
    }
    hostile::leave_alone();
}

/// Bytes as they are, and each operation twice.
fn raw(bytes: &[u8]) {
    let Some(region) = Region::of_bytes(bytes) else {
        return;
    };
    let _ = region.header().name();
    let Ok(facts) = region.header().identity.read(region.len()) else {
        return;
    };
    let region = Arc::new(region);
    let Expected {
        kind, item_size, ..
    } = facts.expected;
    let tour: Vec<u8> = (0..64).flat_map(|n| [n % 32, n, n / 2]).collect();
    match (kind, item_size) {
        (kind::SPSC, 1) => Scene::<Pair<u8>>::new(region).play(Script(&tour)),
        (kind::SPSC, _) => Scene::<Pair<u64>>::new(region).play(Script(&tour)),
        (kind::MPMC, _) => Scene::<Warehouse>::new(region).play(Script(&tour)),
        _ => Scene::<Pipes>::new(region).play(Script(&tour)),
    }
}

fn scripted<S: Subject>(mut script: Script<'_>) {
    let plan = plan::<S>(&mut script);
    let Ok(Extent { size, .. }) = plan.extent() else {
        return;
    };
    let region = Region::on_heap(size).expect("a small segment");
    identify(&region, &plan, size);
    let mut scene = Scene::<S>::of(Arc::new(region), Some(plan));
    for _ in 0..script.below(64) {
        scene.poke(&mut script);
    }
    scene.open();
    scene.play(script);
}

/// What the script says of a ring's shape.
fn plan<S: Subject>(script: &mut Script<'_>) -> Plan {
    let [capacity, participants, policy] = [(); 3].map(|()| script.byte());
    let mut plan = wanted::<S>();
    plan.capacity = S::LEAST + usize::from(capacity % 20);
    if plan.crew.participants > 0 {
        plan.crew.participants = match participants {
            few @ ..240 => usize::from(few % 6) + 1,
            many => usize::from(many % 16) + 30, // more than a word of sleepers' bits
        };
        plan.crew.policy = u32::from(policy % 2);
    }
    plan
}

/// What an opener asks for.
fn wanted<S: Subject>() -> Plan {
    Options::<S::Kind>::new().plan::<S::Item>()
}

fn identify(region: &Region, plan: &Plan, segment_size: usize) {
    let identity = &region.header().identity;
    identity.begin();
    identity.fill(&Facts {
        expected: plan.expected,
        capacity: plan.capacity,
        crew: plan.crew,
        segment_size,
        cookie: [1, 2],
        sem_id: 3,
        creator: 4,
        created: 5,
    });
    identity.finish();
}

/// A segment, who has opened it, and a peer that writes into it.
struct Scene<S> {
    region: Arc<Region>,
    parking: Arc<Local>,
    /// How many words lie before the items.
    words: usize,
    participants: usize,
    subject: Option<S>,
}

impl<S: Subject> Scene<S> {
    fn new(region: Arc<Region>) -> Self {
        let mut scene = Self::of(region, None);
        scene.open();
        scene
    }

    fn of(region: Arc<Region>, plan: Option<Plan>) -> Self {
        let payload = plan.and_then(|plan| plan.extent().ok());
        Self {
            region,
            parking: Arc::new(Local::new()),
            words: payload.map_or(0, |extent| extent.payload / size_of::<u64>()),
            participants: plan.map_or(0, |plan| plan.crew.participants),
            subject: None,
        }
    }

    /// Opens the segment as it is now, beside those who have opened it before.
    fn open(&mut self) {
        let _ = self.region.header().name();
        let facts = self.region.header().identity.read(self.region.len());
        let wanted = wanted::<S>();
        let names = || [self.region.header().type_name.load(), wanted.type_name];
        if let Ok(facts) = facts
            && compare(&Name::Private, &facts.expected, &wanted.expected, names).is_ok()
        {
            let (region, parking) = (Arc::clone(&self.region), Arc::clone(&self.parking));
            let opened = S::open(region, &facts, parking);
            if let Some(opened) = opened {
                match &mut self.subject {
                    Some(subject) => subject.reopened(opened),
                    None => self.subject = Some(opened),
                }
            }
        }
    }

    fn play(&mut self, mut script: Script<'_>) {
        for _ in 0..STEPS {
            if script.is_over() {
                break;
            }
            match script.byte() {
                // As often as any operation, and more often.
                200.. => self.poke(&mut script),
                199 => self.open(),
                operation => {
                    let (one, two) = (script.byte(), script.byte());
                    if let Some(subject) = &mut self.subject {
                        subject.step(operation, one, two);
                    }
                }
            }
        }
    }

    /// The peer overwrites a word: now, or after so many accesses.
    fn poke(&self, script: &mut Script<'_>) {
        let word = self.place(script.byte(), script.byte());
        let (manner, delay) = (script.byte(), script.byte());
        let change = change(manner, script);
        if self.words == 0 {
            return; // somebody's bytes are as they are
        }
        let (region, word) = (Arc::clone(&self.region), word % self.words);
        let act = move || {
            if let Some(word) = region.word(word) {
                let now = word.load(Ordering::Relaxed);
                word.store(change(now), Ordering::Relaxed);
            }
        };
        match delay % 4 {
            0 => act(),
            _ => hostile::intrude(u32::from(delay / 4 % 32), act),
        }
    }

    /// Which word is meant. Most of a segment's are of no consequence, so it is told by what it is for: see `docs/abi.md`.
    fn place(&self, field: u8, n: u8) -> usize {
        let n = usize::from(n);
        let (table, words) = (4096, 4096 + 128 * self.participants);
        let offset = match field % 16 {
            0 => 8 * (n % 14),                          // identity
            1 => 128 + 8 * (n % 4),                     // roster
            2 | 3 => 256,                               // produced
            4 | 5 => 384,                               // consumed
            6 => [512, 640][n % 2],                     // sleepers of a pair
            7 => 2048 + 8 * (n % 32),                   // sleepers' bits
            8 => [2304, 2560, 2688, 2048, 2176][n % 5], // returned, turns, the first of the bits
            9..12 => table + 128 * (n / 5 % self.participants.max(1)) + 8 * (n % 5),
            12..15 => words + 8 * n,
            _ => 16 * n,
        };
        offset / size_of::<u64>()
    }
}

/// What becomes of a word: anything, a little more or less, another kind, owner or length.
fn change(manner: u8, script: &mut Script<'_>) -> impl Fn(u64) -> u64 + use<> {
    let by = script.byte();
    let literal = if manner.is_multiple_of(8) {
        script.word()
    } else {
        0
    };
    move |now| {
        let small = u64::from(by);
        match manner % 8 {
            0 => literal,
            1 => now.wrapping_add_signed(i64::from(by.cast_signed() >> 4)), // from 8 less to 7 more
            2 => now & !7 | small & 7,                                      // kind, state
            3 => now & !(0x1ff << 3) | (small & 0x1ff) << 3,                // owner of a slot
            4 => now & !(0xfff << 12) | small << 12,                        // length of a run
            5 => now.wrapping_add_signed(i64::from(by.cast_signed()) << 24), // lap
            6 => now & !(0x1ff << 2) | small << 2, // owner of a turn, generation
            _ => now ^ 1 << (by % 64),
        }
    }
}
