//! What a segment holds where several share a role: who sleeps, who takes part, what was returned.
//!
//! Together with a word for each slot, behind the table of participants. `docs/abi.md` lists the offsets.

use super::layout::Line;
use crate::sync::{AtomicU32, AtomicU64};

/// How many participants a ring can have: their numbers begin at 1 and take nine bits in a slot's word.
pub(crate) const PARTICIPANTS_MAX: usize = 511;

/// Words of sleepers' bits: 32 participants each.
pub(crate) const BERTHS: usize = if cfg!(loom) { 1 } else { 16 };

/// Two bits for each participant of a role: see [`crate::ring::many`], `sleepers`.
pub(crate) type Berths = [AtomicU64; BERTHS];

/// What became of the claims of the dead; figures for people.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Tallies {
    /// Claims of the dead that were cleared up.
    pub(crate) recovered: AtomicU64,
    /// Items that were delivered again.
    pub(crate) redelivered: AtomicU64,
    /// Items that were dropped with the consumer that had them.
    pub(crate) dropped: AtomicU64,
    /// Slots that were reserved and never filled.
    pub(crate) skipped: AtomicU64,
}

/// What tells of items that were in a consumer's hands and are to be delivered again. Read with each pop, rarely written.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Returned {
    /// Not 0 where there may be some that nobody has taken up yet. Raised after they were returned.
    pub(crate) flag: AtomicU32,
    /// How often some were returned. Counted before.
    pub(crate) times: AtomicU32,
}

/// The second part of the header.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) sleeping_consumers: Line<Berths>,
    pub(crate) sleeping_producers: Line<Berths>,
    pub(crate) returned: Line<Returned>,
    pub(crate) tallies: Line<Tallies>,
    /// Where producers, and consumers, take turns: whose it is. See `ring::turns`.
    pub(crate) producers_turn: Line<AtomicU64>,
    pub(crate) consumers_turn: Line<AtomicU64>,
}

/// One participant. Written by whoever holds its semaphore: itself while it lives, after that who clears up.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Entry {
    /// `generation << 2 | state`: see `ring::many::crew`.
    pub(crate) state: AtomicU64,
    /// Where its last claim begins, stored before the claim is made. Whether it holds, the slot's
    /// word says. Where there are turns: which of its process's threads takes it, stored before
    /// that.
    pub(crate) claim: AtomicU64,
    /// While it cuts its claim in two: `offset << 12 | run` of the second part; else 0.
    pub(crate) split: AtomicU64,
    /// Items that it has pushed or popped; for people.
    pub(crate) moved: AtomicU64,
    /// Where there are turns: not 0 while it uses a turn that it keeps.
    pub(crate) busy: AtomicU64,
}

#[cfg(not(loom))]
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Crowd, sleeping_producers) == 128);
    assert!(offset_of!(Crowd, returned) == 256);
    assert!(offset_of!(Crowd, tallies) == 384);
    assert!(offset_of!(Tallies, skipped) == 24);
    assert!(offset_of!(Crowd, producers_turn) == 512);
    assert!(offset_of!(Crowd, consumers_turn) == 640);
    assert!(size_of::<Crowd>() == 768);
    assert!(offset_of!(Entry, state) == 0);
    assert!(offset_of!(Entry, claim) == 8);
    assert!(offset_of!(Entry, split) == 16);
    assert!(offset_of!(Entry, moved) == 24);
    assert!(offset_of!(Entry, busy) == 32);
    assert!(size_of::<Entry>() == 128);
};

#[cfg(loom)]
impl Crowd {
    pub(crate) fn new() -> Self {
        let berths = || Line(core::array::from_fn(|_| AtomicU64::new(0)));
        Self {
            sleeping_consumers: berths(),
            sleeping_producers: berths(),
            returned: Line(Returned {
                flag: AtomicU32::new(0),
                times: AtomicU32::new(0),
            }),
            tallies: Line(Tallies {
                recovered: AtomicU64::new(0),
                redelivered: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
                skipped: AtomicU64::new(0),
            }),
            producers_turn: Line(AtomicU64::new(0)),
            consumers_turn: Line(AtomicU64::new(0)),
        }
    }
}

#[cfg(loom)]
impl Entry {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU64::new(0),
            claim: AtomicU64::new(0),
            split: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            busy: AtomicU64::new(0),
        }
    }
}

/// Where the fields of a [`Crowd`] at that offset lie, and then those of an [`Entry`], for the comparison with the document.
#[cfg(all(test, not(loom)))]
pub(crate) fn spans(at: usize) -> Vec<(&'static str, core::ops::Range<usize>)> {
    use memoffset::span_of;
    let line = |n: usize| at + n * 128;
    let shifted = |by: usize, span: core::ops::Range<usize>| span.start + by..span.end + by;
    let mut spans = vec![
        ("consumers_asleep", line(0)..line(1)),
        ("producers_asleep", line(1)..line(2)),
        ("returned", shifted(line(2), span_of!(Returned, flag))),
        ("returns", shifted(line(2), span_of!(Returned, times))),
    ];
    let tallies = [
        ("recovered", span_of!(Tallies, recovered)),
        ("redelivered", span_of!(Tallies, redelivered)),
        ("dropped", span_of!(Tallies, dropped)),
        ("skipped", span_of!(Tallies, skipped)),
    ];
    spans.extend(tallies.map(|(name, span)| (name, shifted(line(3), span))));
    spans.extend([
        ("producers_turn", line(4)..line(4) + 8),
        ("consumers_turn", line(5)..line(5) + 8),
        ("state", span_of!(Entry, state)),
        ("claim", span_of!(Entry, claim)),
        ("split", span_of!(Entry, split)),
        ("moved", span_of!(Entry, moved)),
        ("busy", span_of!(Entry, busy)),
    ]);
    spans
}
