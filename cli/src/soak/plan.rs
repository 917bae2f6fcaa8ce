//! What is done to whom, all of it drawn from the seed before anything begins.

use serde::{Deserialize, Serialize};

use super::dice::{Dice, mix};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Spsc,
    Mpmc,
    Stream,
}

/// What a process has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scarce {
    /// RLIMIT_AS.
    Memory,
    /// RLIMIT_NOFILE.
    Files,
}

/// What the kernel has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Lack {
    /// kernel.shmmni.
    Segments,
    /// kernel.shmmax.
    SegmentSize,
    /// The fourth number of kernel.sem.
    Sets,
}

/// Who works at a ring: the same throughout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) producers: usize,
    pub(super) consumers: usize,
    /// Whether what a dead consumer had in hand is dropped.
    pub(super) drops: bool,
}

impl Lane {
    const fn new(name: &'static str, kind: Kind, producers: usize, consumers: usize) -> Self {
        Self {
            name,
            kind,
            producers,
            consumers,
            drops: false,
        }
    }

    pub(super) fn workers(&self) -> usize {
        self.producers + self.consumers
    }
}

pub(super) const LANES: [Lane; 6] = [
    Lane::new("pair-1", Kind::Spsc, 1, 1),
    Lane::new("shared", Kind::Mpmc, 3, 3),
    Lane {
        drops: true,
        ..Lane::new("dropping", Kind::Mpmc, 2, 2)
    },
    Lane::new("stream-1", Kind::Stream, 2, 2),
    Lane::new("pair-2", Kind::Spsc, 1, 1),
    Lane::new("stream-2", Kind::Stream, 2, 1),
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub(super) enum Fault {
    /// SIGKILL, others at the same time.
    Kill { others: Vec<usize> },
    /// SIGKILL to all of a role, whose peers must be told before others come.
    Bereave { others: Vec<usize> },
    /// SIGKILL, and once more to its successor as it starts.
    KillNewcomer { microseconds: u64 },
    /// SIGSTOP and SIGCONT.
    Stop { milliseconds: u64 },
    /// SIGSTOP and SIGKILL.
    StopAndKill { milliseconds: u64 },
    /// SIGTRAP or SIGABRT, with a core dump. (SIGQUIT is ignored by whatever a shell has started in the background.)
    Core { abort: bool },
    /// A child that ends by itself.
    Fork { milliseconds: u64 },
    /// A child that is killed.
    ForkAndKillChild { milliseconds: u64 },
    /// A child that outlives its parent, which is killed.
    ForkAndKillParent { milliseconds: u64 },
    /// SIGKILL while it forks, or about then.
    KillForking { microseconds: u64 },
    /// SIGKILL, and its successor begins with too little.
    Limit { lack: Scarce },
    /// Another ring cannot be made.
    KernelLimit { lack: Lack },
    /// `ipcrm -s`
    RemoveSemaphores,
    /// `ipcrm -m`
    RemoveSegment,
}

impl Fault {
    pub(super) fn deaths(&self) -> u64 {
        match self {
            Self::Kill { others } | Self::Bereave { others } => 1 + others.len() as u64,
            Self::KillNewcomer { .. } => 2,
            Self::StopAndKill { .. }
            | Self::Core { .. }
            | Self::ForkAndKillParent { .. }
            | Self::KillForking { .. }
            | Self::Limit { .. } => 1,
            _ => 0,
        }
    }

    fn ends_epoch(&self) -> bool {
        matches!(self, Self::RemoveSemaphores | Self::RemoveSegment)
    }
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Act {
    /// Which of all.
    pub(super) number: u64,
    /// Which of the ring's workers: producers come first.
    pub(super) victim: usize,
    /// How many items the victim has moved by then, at least.
    pub(super) after: u64,
    #[serde(flatten)]
    pub(super) fault: Fault,
}

/// A ring from its making to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Epoch {
    pub(super) number: u32,
    /// In items.
    pub(super) capacity: usize,
    /// Whether consumers release what they took only afterwards; then nothing at all may be lost with them.
    pub(super) hold: bool,
    /// Whether both ends of a stream are kept open all the time.
    pub(super) guard: bool,
    pub(super) seed: u64,
    pub(super) acts: Vec<Act>,
}

impl Epoch {
    fn ends_in_removal(&self) -> bool {
        self.acts.last().is_some_and(|act| act.fault.ends_epoch())
    }
}

/// All of it, for each of [`LANES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) lanes: Vec<Vec<Epoch>>,
}

/// Faults of an epoch, at least.
const FAULTS_MIN: u64 = 6;
/// And how many more there may be.
const FAULTS_MORE: u64 = 24;

impl Plan {
    pub(super) fn draw(seed: u64, deaths: u64) -> Self {
        let mut dice = Dice::new(mix(seed));
        let begun = LANES.map(|lane| vec![epoch(&lane, 0, &mut dice)]);
        let mut lanes = begun.to_vec();
        let mut room = LANES.map(|_| faults(&mut dice));
        let (mut died, mut number) = (0, 0);
        while died < deaths {
            let which = dice.below(LANES.len() as u64) as usize;
            let (lane, epochs) = (&LANES[which], &mut lanes[which]);
            if room[which] == 0 {
                begin_next(lane, epochs, &mut dice);
                room[which] = faults(&mut dice);
            }
            let last = epochs.len() - 1;
            let mut act = act(lane, &epochs[last], number, &mut dice);
            if died + act.fault.deaths() > deaths {
                act.fault = Fault::Kill { others: Vec::new() };
            }
            let over = act.fault.ends_epoch();
            room[which] = if over { 0 } else { room[which] - 1 };
            died += act.fault.deaths();
            number += 1;
            epochs[last].acts.push(act);
        }
        // What is left of the items needs rings that are there.
        for (lane, epochs) in LANES.iter().zip(&mut lanes) {
            if epochs.last().is_some_and(Epoch::ends_in_removal) {
                begin_next(lane, epochs, &mut dice);
            }
        }
        Self { seed, lanes }
    }

    /// All faults in the order in which they were drawn, with the ring and its epoch.
    pub(super) fn acts(&self) -> Vec<(&'static Lane, &Epoch, &Act)> {
        let epochs = LANES.iter().zip(&self.lanes);
        let epochs =
            epochs.flat_map(|(lane, epochs)| epochs.iter().map(move |epoch| (lane, epoch)));
        let mut acts: Vec<_> = epochs
            .flat_map(|(lane, epoch)| epoch.acts.iter().map(move |act| (lane, epoch, act)))
            .collect();
        acts.sort_by_key(|(_, _, act)| act.number);
        acts
    }
}

/// How many faults an epoch has at most.
fn faults(dice: &mut Dice) -> u64 {
    FAULTS_MIN + dice.below(FAULTS_MORE)
}

fn begin_next(lane: &Lane, epochs: &mut Vec<Epoch>, dice: &mut Dice) {
    let number = epochs.len() as u32;
    epochs.push(epoch(lane, number, dice));
}

fn epoch(lane: &Lane, number: u32, dice: &mut Dice) -> Epoch {
    // A stream holds 4096 bytes, 128 items, at least; and some that no page fits into.
    let capacities: &[usize] = match lane.kind {
        Kind::Stream => &[128, 131, 517, 2048, 8192],
        _ => &[1, 2, 7, 64, 1000],
    };
    Epoch {
        number,
        capacity: dice.pick(capacities),
        hold: dice.one_in(2),
        guard: dice.one_in(2),
        seed: dice.word(),
        acts: Vec::new(),
    }
}

fn act(lane: &Lane, epoch: &Epoch, number: u64, dice: &mut Dice) -> Act {
    let victim = dice.below(lane.workers() as u64) as usize;
    Act {
        number,
        victim,
        after: dice.some(512) - 1,
        fault: fault(lane, epoch, victim, dice),
    }
}

fn fault(lane: &Lane, epoch: &Epoch, victim: usize, dice: &mut Dice) -> Fault {
    let milliseconds = dice.some(20);
    match dice.below(100) {
        0..=39 => Fault::Kill { others: Vec::new() },
        40..=41 => Fault::KillForking {
            microseconds: dice.some(1024) - 1,
        },
        42..=44 => Fault::Bereave {
            others: role_of(lane, victim)
                .filter(|slot| *slot != victim)
                .collect(),
        },
        45..=49 => Fault::Kill {
            others: others(lane, epoch, victim, dice),
        },
        50..=60 => Fault::KillNewcomer {
            microseconds: dice.some(4096) - 1,
        },
        61..=67 => Fault::Stop { milliseconds },
        68..=77 => Fault::StopAndKill { milliseconds },
        78..=83 => Fault::Core {
            abort: dice.one_in(2),
        },
        84..=86 => Fault::Fork { milliseconds },
        87..=88 => Fault::ForkAndKillChild { milliseconds },
        89..=91 => Fault::ForkAndKillParent { milliseconds },
        92..=94 => Fault::Limit {
            lack: dice.pick(&[Scarce::Memory, Scarce::Files]),
        },
        95 => Fault::KernelLimit {
            lack: dice.pick(&[Lack::Segments, Lack::SegmentSize, Lack::Sets]),
        },
        96..=97 => Fault::RemoveSemaphores,
        _ => Fault::RemoveSegment,
    }
}

/// All of a worker's role.
fn role_of(lane: &Lane, slot: usize) -> std::ops::Range<usize> {
    if slot < lane.producers {
        0..lane.producers
    } else {
        lane.producers..lane.workers()
    }
}

/// Who dies with the victim. When the last end of a stream is closed, what is in it is discarded; so, where nobody keeps both open, those
/// of the victim's role alone.
fn others(lane: &Lane, epoch: &Epoch, victim: usize, dice: &mut Dice) -> Vec<usize> {
    let role = role_of(lane, victim);
    let free = lane.kind != Kind::Stream || epoch.guard;
    (0..lane.workers())
        .filter(|slot| *slot != victim && (free || role.contains(slot)))
        .filter(|_| dice.one_in(2))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_again_and_another_another() {
        assert_eq!(Plan::draw(7, 200), Plan::draw(7, 200));
        assert_ne!(Plan::draw(7, 200).lanes, Plan::draw(8, 200).lanes);
    }

    #[test]
    fn as_many_die_as_were_asked_for() {
        for deaths in [1, 2, 3, 30, 777] {
            let plan = Plan::draw(deaths, deaths);
            let died: u64 = plan
                .acts()
                .iter()
                .map(|(_, _, act)| act.fault.deaths())
                .sum();
            assert_eq!(died, deaths);
        }
    }

    #[test]
    fn nothing_happens_to_a_ring_after_its_removal() {
        let plan = Plan::draw(3, 5000);
        for epoch in plan.lanes.iter().flatten() {
            let removals = epoch.acts.iter().filter(|act| act.fault.ends_epoch());
            let last = epoch.acts.last().is_some_and(|act| act.fault.ends_epoch());
            assert_eq!(removals.count(), usize::from(last));
        }
    }

    #[test]
    fn every_fault_happens_to_every_kind_of_ring() {
        let plan = Plan::draw(1, 5000);
        let mut seen = std::collections::BTreeSet::new();
        for (lane, _, act) in plan.acts() {
            let value = serde_json::to_value(act).unwrap();
            seen.insert((format!("{:?}", lane.kind), value["fault"].to_string()));
        }
        assert_eq!(seen.len(), 3 * 14, "{seen:?}");
    }
}
