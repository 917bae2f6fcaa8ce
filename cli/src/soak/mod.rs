//! Workers on rings of all kinds, killed, stopped, forked and starved, while every item is accounted for.
//!
//! The program starts itself as the workers. What is done to whom is drawn from a seed before anything begins (`plan`). Each worker
//! notes what it does in a file that outlives it (`log`), and when a ring has come to its end, the notes of all who ever worked at it
//! are held against what is promised (`judge`).

mod cell;
mod crew;
mod dice;
mod faults;
mod fork;
mod hang;
mod judge;
mod kernel;
mod lane;
mod log;
mod plan;
mod reaper;
mod report;
mod stage;
mod waits;
mod worker;

pub(crate) use worker::run as work;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ringpipe::sysv::{self, Key, SemGetFlags, SemId};

use crate::args::Soak;
use crate::exit::{Exit, Failure};
use crate::signals::Signals;
use dice::mix;
use lane::Yard;
use plan::{LANES, Plan};
use reaper::Reaper;
use report::Report;

/// Between two looks whether the lanes are through.
const TICK: Duration = Duration::from_millis(20);

/// Runs `ringpipe soak`.
pub(crate) fn run(order: &Soak) -> Result<(), Failure> {
    let seed = order.seed.unwrap_or_else(random);
    let plan = Plan::draw(seed, order.deaths);
    if order.plan {
        return report::print_plan(&plan, order.json);
    }
    eprintln!("ringpipe: seed {seed}");
    let replay = format!(
        "replay the faults with `ringpipe soak --seed {seed} --deaths {} --items {}`",
        order.deaths, order.items
    );
    soak(order, plan).map_err(|failure| failure.and(&replay))
}

fn random() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    mix(now.as_nanos() as u64 ^ u64::from(std::process::id())) >> 32
}

fn soak(order: &Soak, plan: Plan) -> Result<(), Failure> {
    let signals = Signals::watch()?;
    let alone = !order.shared && kernel::isolate();
    // The first ring of a process tries SEM_UNDO out with a child, which must not be reaped by others.
    drop(ringpipe::spsc::Ring::<u8>::private(1)?);
    let folder = tempfile::Builder::new().prefix("ringpipe-soak-").tempdir();
    let folder = folder.map_err(|error| Failure::io("make a folder", &error))?;
    let bystander = Bystander::new()?;
    let since = Instant::now();
    let yard = Yard {
        items: order.items,
        patience: Duration::from_secs(order.patience),
        folder: folder.path().to_owned(),
        reaper: Arc::new(Reaper::new()?),
        bystander: bystander.0,
        limits: alone && kernel::may_change_limits(),
        making: std::sync::RwLock::default(),
        stop: AtomicBool::new(false),
        moved: Default::default(),
        tally: std::sync::Mutex::default(),
        bar: report::bar(order.deaths),
        plan,
    };
    let outcome = all_lanes(&yard, &signals);
    yard.bar.finish_and_clear();
    drop(bystander);
    let outcome = outcome.and_then(|()| if alone { nothing_left() } else { Ok(()) });
    let (seed, seconds) = (yard.plan.seed, since.elapsed().as_secs_f64());
    let tally = yard.tally.into_inner().unwrap_or_default();
    signals.check()?;
    Report::new(seed, outcome.is_ok(), seconds, tally).print(order.json)?;
    outcome
}

/// Plays all lanes at once; the first failure ends them all.
fn all_lanes(yard: &Yard, signals: &Signals) -> Result<(), Failure> {
    thread::scope(|scope| {
        scope.spawn(|| yard.reaper.run());
        let lanes: Vec<_> = (0..LANES.len())
            .map(|which| scope.spawn(move || one_lane(yard, which)))
            .collect();
        while !lanes.iter().all(thread::ScopedJoinHandle::is_finished) {
            if signals.check().is_err() {
                yard.stop.store(true, Ordering::Relaxed);
            }
            thread::sleep(TICK);
        }
        let outcomes: Vec<_> = lanes
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        yard.reaper.stop();
        signals.check()?;
        let failures = outcomes
            .into_iter()
            .filter_map(|outcome| outcome.unwrap_or_else(|_| Err(panicked())).err());
        let told = failures.max_by_key(Failure::says_something);
        told.map_or(Ok(()), Err)
    })
}

fn one_lane(yard: &Yard, which: usize) -> Result<(), Failure> {
    let outcome = catch_unwind(AssertUnwindSafe(|| lane::run(yard, which)));
    let outcome = outcome.unwrap_or_else(|_| Err(panicked()));
    if outcome.is_err() {
        yard.stop.store(true, Ordering::Relaxed);
    }
    outcome
}

fn panicked() -> Failure {
    Failure::new(Exit::Other, "the supervisor panicked")
}

/// In a namespace of one's own, whatever is there at the end was left behind.
fn nothing_left() -> Result<(), Failure> {
    let objects = kernel::objects();
    if objects.is_empty() {
        return Ok(());
    }
    let message = format!("left behind:\n  {}\n ", objects.join("\n  "));
    Err(Failure::new(Exit::Other, message))
}

/// A semaphore for each worker, beside all rings.
struct Bystander(SemId);

impl Bystander {
    fn new() -> Result<Self, Failure> {
        let count = report::workers() as i32;
        let set = sysv::semget(Key::PRIVATE, count, SemGetFlags::CREATE, 0o600);
        set.map(Self)
            .map_err(|error| Failure::io("create semaphores", &error.into()))
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = sysv::semctl_rmid(self.0);
    }
}
