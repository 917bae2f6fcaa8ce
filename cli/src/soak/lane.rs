//! One ring after the other, with its workers, and what is done to them.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use nix::sys::signal::Signal;
use ringpipe::sysv::SemId;

use super::crew::Worker;
use super::dice::mix;
use super::judge::{Account, Terms, Verdict, judge};
use super::plan::{Epoch, Fault, Kind, LANES, Lane, Plan, Scarce};
use super::reaper::Reaper;
use super::report::Tally;
use super::stage::Stage;
use super::waits::Times;
use super::worker::{Role, Task};
use crate::exit::{Exit, Failure};

/// Between two looks at what is awaited.
const GLANCE: Duration = Duration::from_micros(200);

/// What all lanes have in common.
pub(super) struct Yard {
    pub(super) plan: Plan,
    pub(super) items: u64,
    pub(super) patience: Duration,
    pub(super) folder: PathBuf,
    pub(super) reaper: Arc<Reaper>,
    /// One semaphore for each worker, which its death gives back.
    pub(super) bystander: SemId,
    /// Whether the kernel's limits are ours to change.
    pub(super) limits: bool,
    /// Rings are made and removed while nobody changes those limits.
    pub(super) making: RwLock<()>,
    pub(super) stop: AtomicBool,
    /// How many items each lane has moved so far.
    pub(super) moved: [AtomicU64; LANES.len()],
    pub(super) tally: Mutex<Tally>,
    pub(super) bar: ProgressBar,
}

impl Yard {
    pub(super) fn tally(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn total(&self) -> u64 {
        self.moved
            .iter()
            .map(|moved| moved.load(Ordering::Relaxed))
            .sum()
    }
}

/// An epoch that is being played. What comes first is dropped first.
pub(super) struct Scene<'a> {
    pub(super) yard: &'a Yard,
    pub(super) lane: &'static Lane,
    pub(super) epoch: &'a Epoch,
    /// Those at work, by their slots; then nobody, once they have ended.
    pub(super) crew: Vec<Worker>,
    pub(super) past: Vec<Worker>,
    pub(super) stage: Stage,
    which: usize,
    folder: PathBuf,
    complaints: File,
    next: u32,
    pub(super) times: Times,
}

/// Plays all epochs of a lane.
pub(super) fn run(yard: &Yard, which: usize) -> Result<(), Failure> {
    let epochs = &yard.plan.lanes[which];
    for (index, epoch) in epochs.iter().enumerate() {
        let place = || format!("ring {} of round {}", LANES[which].name, epoch.number);
        let last = index + 1 == epochs.len();
        play(yard, which, epoch, last).map_err(|failure| failure.within(&place()))?;
    }
    Ok(())
}

fn play(yard: &Yard, which: usize, epoch: &Epoch, last: bool) -> Result<(), Failure> {
    let mut scene = Scene::set(yard, which, epoch)?;
    let outcome = scene.play(last);
    outcome.map_err(|failure| match scene.complaints() {
        None => failure,
        Some(complaints) => failure.and(&format!("workers said: {complaints}")),
    })?;
    scene.judge()
}

impl<'a> Scene<'a> {
    fn set(yard: &'a Yard, which: usize, epoch: &'a Epoch) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::io("prepare a ring's folder", &error);
        let lane = &LANES[which];
        let folder = yard.folder.join(format!("{}-{}", lane.name, epoch.number));
        fs::create_dir(&folder).map_err(failed)?;
        let complaints = File::options()
            .append(true)
            .create_new(true)
            .open(folder.join("complaints"));
        let stage = {
            let _making = yard.making.read();
            Stage::create(&folder.join("ring"), lane, epoch)?
        };
        Ok(Self {
            yard,
            lane,
            epoch,
            crew: Vec::new(),
            past: Vec::new(),
            stage,
            which,
            folder,
            complaints: complaints.map_err(failed)?,
            next: 1,
            times: Times::default(),
        })
    }

    fn complaints(&self) -> Option<String> {
        let text = fs::read_to_string(self.folder.join("complaints")).ok()?;
        let text = text.trim().replace('\n', "; ");
        (!text.is_empty()).then_some(text)
    }

    fn play(&mut self, last: bool) -> Result<(), Failure> {
        for slot in 0..self.lane.workers() {
            let worker = self.hire(slot, None)?;
            self.crew.push(worker);
        }
        for slot in 0..self.lane.workers() {
            self.until_ready(slot)?;
        }
        for act in &self.epoch.acts {
            self.until_moved(act.victim, act.after)?;
            self.perform(act).map_err(|failure| {
                failure.within(&format!("fault {} on worker {}", act.number, act.victim))
            })?;
            self.publish()?;
        }
        if last {
            self.move_the_rest()?;
        }
        if self.is_removed() {
            Ok(())
        } else {
            self.wind_up()
        }
    }

    pub(super) fn is_removed(&self) -> bool {
        let last = self.epoch.acts.last();
        last.is_some_and(|act| act.fault == Fault::RemoveSemaphores)
    }

    /// Starts a worker.
    pub(super) fn hire(&mut self, slot: usize, scarce: Option<Scarce>) -> Result<Worker, Failure> {
        let id = self.next;
        self.next += 1;
        let first: usize = LANES[..self.which].iter().map(Lane::workers).sum();
        let producer = slot < self.lane.producers;
        let most = match self.lane.kind {
            Kind::Stream if producer && self.epoch.seed.is_multiple_of(3) => 1500,
            Kind::Stream => 128,
            _ => self.epoch.capacity.min(16) as u64,
        };
        let task = Task {
            kind: self.lane.kind,
            role: if producer {
                Role::Producer
            } else {
                Role::Consumer
            },
            ring: self.stage.path().to_owned(),
            tag: (self.which as u32) << 24 | (self.epoch.number & 0xff_ffff),
            id,
            seed: mix(self.epoch.seed ^ u64::from(id)),
            journal: self.folder.join(format!("worker-{id}")),
            hold: self.epoch.hold,
            most,
            bystander: (self.yard.bystander.raw(), (first + slot) as u16),
            scarce,
            supervisor: std::process::id().cast_signed(),
        };
        Worker::start(&task, slot, &self.complaints, &self.yard.reaper)
    }

    /// The semaphore that a worker's death gives back.
    pub(super) fn bystander(&self, slot: usize) -> u16 {
        let first: usize = LANES[..self.which].iter().map(Lane::workers).sum();
        (first + slot) as u16
    }

    pub(super) fn until_ready(&mut self, slot: usize) -> Result<(), Failure> {
        self.until("a worker takes part", slot, |scene| {
            Ok(scene.crew[slot].catch_up()?.ready)
        })
    }

    pub(super) fn until_moved(&mut self, slot: usize, count: u64) -> Result<(), Failure> {
        self.until("a worker gets on", slot, |scene| {
            Ok(scene.crew[slot].moved()? >= count)
        })
    }

    /// Waits until something is so; fails if it does not come about, or if somebody ends who should not.
    pub(super) fn until(
        &mut self,
        what: &str,
        slot: usize,
        mut so: impl FnMut(&mut Self) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let since = Instant::now();
        while !so(self)? {
            if self.yard.stop.load(Ordering::Relaxed) {
                return Err(Failure::new(Exit::Other, "")); // another says why
            }
            for worker in &mut self.crew {
                if worker.has_ended() {
                    worker.check_end()?;
                }
            }
            if since.elapsed() > self.yard.patience {
                return Err(self.hang(what, slot));
            }
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Tells how many items this lane has moved.
    fn publish(&self) -> Result<(), Failure> {
        let mut moved = 0;
        for worker in self.crew.iter().chain(&self.past) {
            if worker.role == Role::Producer {
                moved += worker.moved()?;
            }
        }
        let shared = &self.yard.moved[self.which];
        let before = self.times.published.replace(moved);
        shared.fetch_add(moved.saturating_sub(before), Ordering::Relaxed);
        Ok(())
    }

    /// Goes on until all lanes together have moved as many items as are wanted.
    fn move_the_rest(&mut self) -> Result<(), Failure> {
        if self.is_removed() {
            return Ok(());
        }
        loop {
            self.publish()?;
            let before = self.yard.total();
            if before >= self.yard.items {
                return Ok(());
            }
            self.until("the items move", 0, |scene| {
                scene.publish()?;
                Ok(scene.yard.total() > before)
            })?;
        }
    }

    /// All come to an end in good order: the producers, then the consumers, who take what is left.
    fn wind_up(&mut self) -> Result<(), Failure> {
        let (producers, all) = (self.lane.producers, self.lane.workers());
        self.end_those(0..producers)?;
        self.stage.close_writer();
        self.end_those(producers..all)?;
        match self.stage.rest()? {
            0 => Ok(()),
            rest => Err(Failure::new(
                Exit::Other,
                format!("{rest} items are left when all consumers were told of the end"),
            )),
        }
    }

    fn end_those(&mut self, slots: std::ops::Range<usize>) -> Result<(), Failure> {
        for slot in slots.clone() {
            let mut told = Instant::now() - Duration::from_secs(1);
            // Again if it was about to sleep when the signal came.
            self.until("a worker hears that it is to end", slot, |scene| {
                if told.elapsed() > Duration::from_millis(50) {
                    scene.crew[slot].signal(Signal::SIGTERM)?;
                    told = Instant::now();
                }
                Ok(scene.crew[slot].catch_up()?.ending)
            })?;
        }
        for slot in slots {
            self.until("a worker ends", slot, |scene| {
                Ok(scene.crew[slot].has_ended())
            })?;
            self.crew[slot].check_end()?;
        }
        Ok(())
    }

    /// Accounts for every item, and removes the ring.
    fn judge(mut self) -> Result<(), Failure> {
        self.publish()?;
        let status = self.stage.look().ok();
        let tallies = status.map(|status| status.tallies).unwrap_or_default();
        let terms = self.terms(tallies.dropped);
        let workers = self.past.iter_mut().chain(&mut self.crew);
        let accounts = workers
            .map(Worker::account)
            .collect::<Result<Vec<Account>, _>>()?;
        let verdict = judge(&terms, &accounts);
        self.yard.tally(|tally| {
            tally.rounds += 1;
            tally.items.add(&verdict.items);
            tally.cleared_up.add(&tallies);
            tally.waits.add(self.lane.name, &self.times, &accounts);
        });
        self.strike()?;
        pronounce(&terms, &verdict)
    }

    fn terms(&self, dropped: u64) -> Terms {
        Terms {
            kind: self.lane.kind,
            capacity: self.epoch.capacity,
            hold: self.epoch.hold,
            drops: self.lane.drops,
            dropped,
            removed: self.is_removed(),
        }
    }

    /// Nothing of it is left.
    fn strike(self) -> Result<(), Failure> {
        let making = self.yard.making.read();
        self.stage.end()?;
        drop(making);
        fs::remove_dir_all(self.folder).map_err(|error| Failure::io("remove logs", &error))
    }
}

/// A failure, if anything is wrong.
fn pronounce(terms: &Terms, verdict: &Verdict) -> Result<(), Failure> {
    if verdict.wrong.is_empty() {
        return Ok(());
    }
    let (kind, capacity, style) = (terms.kind, terms.capacity, style(terms));
    let wrong = verdict.wrong.join("\n  ");
    let message = format!("({kind:?}, capacity {capacity}, {style}):\n  {wrong}\n ");
    Err(Failure::new(Exit::Other, message))
}

fn style(terms: &Terms) -> &'static str {
    if terms.hold {
        "consumers look first and release later"
    } else {
        "consumers take"
    }
}
