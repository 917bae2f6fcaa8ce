//! A process at work on a ring: pushes, or takes, until it is told to end; or is killed.

mod ends;
mod limits;
mod opening;
mod pushing;
mod taking;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;
use ringpipe::sysv::{self, SemId, SemOp};
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGTERM, SIGUSR1};
use signal_hook::flag;

use super::dice::Dice;
use super::fork;
use super::log::{Journal, Note, now};
use super::plan::{Kind, Scarce};
use crate::exit::{Exit, Failure};

pub(super) use opening::type_name;

/// A call that takes longer than this is noted as a wait.
const LONG: u64 = 1_000_000;
/// How long a worker that has lost its peers waits before it looks again.
const LONELY: Duration = Duration::from_micros(300);
/// One in so many calls has a pause after it, so that rings run empty and full.
const PAUSES: u64 = 24;
/// One in so many times, a worker is a while about what it has in hand.
const DWELLS: u64 = 8;
/// How many microseconds either takes at most.
const MICROSECONDS: u64 = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    Producer,
    Consumer,
}

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) kind: Kind,
    pub(super) role: Role,
    pub(super) ring: PathBuf,
    /// What its items say which ring they are of.
    pub(super) tag: u32,
    /// What its items say who pushed them.
    pub(super) id: u32,
    pub(super) seed: u64,
    pub(super) journal: PathBuf,
    /// Whether a consumer looks at items in the ring and releases them afterwards.
    pub(super) hold: bool,
    /// How many items it moves at once at most.
    pub(super) most: u64,
    /// A semaphore that its death gives back: by this it is seen when the kernel tells of it.
    pub(super) bystander: (i32, u16),
    /// What it has too little of at first.
    pub(super) scarce: Option<Scarce>,
    /// Who started it.
    pub(super) supervisor: i32,
}

/// Why a call moved nothing, or less than it was asked to.
#[derive(Debug)]
enum Stop {
    Interrupted,
    /// Nobody is at the other end.
    Gone,
    Removed,
    Failed(String),
}

/// The worker itself.
struct Worker {
    task: Task,
    journal: Journal,
    dice: Dice,
    ending: Arc<AtomicBool>,
    forking: Arc<AtomicBool>,
}

/// Runs the hidden command.
pub(crate) fn run(task: &str) -> Result<(), Failure> {
    let task: Task = serde_json::from_str(task)
        .map_err(|error| Failure::new(Exit::Usage, format!("what is this task? {error}")))?;
    let journal =
        Journal::open(&task.journal).map_err(|error| Failure::io("write a log", &error))?;
    let mut worker = Worker {
        dice: Dice::new(task.seed),
        task,
        journal,
        ending: Arc::default(),
        forking: Arc::default(),
    };
    worker.prepare()?;
    match worker.work() {
        Ok(()) => worker.note(Note::Done),
        Err(Stop::Removed) => worker.note(Note::Removed),
        Err(stop) => Err(Failure::new(Exit::Other, stop.to_string())),
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted"),
            Self::Gone => f.write_str("the peers are gone"),
            Self::Removed => f.write_str("removed"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

fn pause(dice: &mut Dice) -> Duration {
    Duration::from_micros(dice.some(MICROSECONDS))
}

/// None at all, mostly.
fn dwell(dice: &mut Dice) -> Duration {
    if dice.one_in(DWELLS) {
        pause(dice)
    } else {
        Duration::ZERO
    }
}

fn failed(error: impl std::fmt::Display) -> Stop {
    Stop::Failed(error.to_string())
}

impl Worker {
    /// What must be so before it touches the ring.
    fn prepare(&self) -> Result<(), Failure> {
        let failed = |error: nix::Error| Failure::io("prepare a worker", &error.into());
        set_pdeathsig(Signal::SIGKILL).map_err(failed)?;
        if getppid().as_raw() != self.task.supervisor {
            return Err(Failure::new(Exit::PeerGone, "the supervisor is gone"));
        }
        let (_, most) = getrlimit(Resource::RLIMIT_CORE).map_err(failed)?;
        setrlimit(Resource::RLIMIT_CORE, most, most).map_err(failed)?;
        for (signal, flag) in [(SIGTERM, &self.ending), (SIGUSR1, &self.forking)] {
            flag::register(signal, Arc::clone(flag))
                .map_err(|error| Failure::io("watch for signals", &error))?;
        }
        let (set, number) = self.task.bystander;
        sysv::semop(SemId::from_raw(set), &[SemOp::add(number, 1).undo()])
            .map_err(|error| Failure::io("announce a worker", &error.into()))
    }

    fn work(&mut self) -> Result<(), Stop> {
        if let Some(scarce) = self.task.scarce {
            limits::refused(scarce, || self.open_only())?;
            self.journal.add(Note::Refused);
        }
        match self.task.role {
            Role::Producer => self.push(),
            Role::Consumer => self.take(),
        }
    }

    fn note(&mut self, note: Note) -> Result<(), Failure> {
        self.journal
            .put(note)
            .map_err(|error| Failure::io("write a log", &error))
    }

    fn is_told_to_end(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Now and then does nothing for a moment; forks if it is told to.
    fn between_calls(&mut self) -> Result<(), Stop> {
        if self.dice.one_in(PAUSES) {
            self.journal.flush().map_err(failed)?;
            thread::sleep(pause(&mut self.dice));
        }
        if self.forking.swap(false, Ordering::Relaxed) {
            self.journal.flush().map_err(failed)?;
            fork::idle_child(&mut self.journal, &self.ending).map_err(failed)?;
        }
        Ok(())
    }

    /// Nobody is at the other end.
    fn be_alone(&mut self) -> Result<(), Stop> {
        self.journal.put(Note::Alone).map_err(failed)?;
        thread::sleep(LONELY);
        Ok(())
    }

    /// Notes a call that took long.
    fn note_wait(&mut self, from: u64) {
        let to = now();
        if to - from > LONG {
            self.journal.add(Note::Waited { from, to });
        }
    }
}
