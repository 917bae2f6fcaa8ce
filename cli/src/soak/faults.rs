//! What is done to workers and rings.

use std::fs;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use ringpipe::sysv::{self, Errno, SemOp};
use ringpipe::{Error, Name};

use super::crew::Heir;
use super::kernel::{self, Setting};
use super::lane::Scene;
use super::log::now;
use super::plan::{Act, Fault, Kind, Lack, Scarce};
use super::waits::Death;
use crate::exit::{Exit, Failure};

/// How long a child is given to tell of itself.
const NEWBORN: Duration = Duration::from_millis(5);

impl Scene<'_> {
    pub(super) fn perform(&mut self, act: &Act) -> Result<(), Failure> {
        let slot = act.victim;
        match &act.fault {
            Fault::Kill { others } => self.kill(slot, others),
            Fault::Bereave { others } => self.bereave(slot, others),
            Fault::KillNewcomer { microseconds } => self.kill_newcomer(slot, *microseconds),
            Fault::Stop { milliseconds } => self.stop(slot, *milliseconds, Signal::SIGCONT),
            Fault::StopAndKill { milliseconds } => self.stop(slot, *milliseconds, Signal::SIGKILL),
            Fault::Core { abort } => self.dump_core(slot, *abort),
            Fault::Fork { milliseconds } => self.fork(slot, *milliseconds, Signal::SIGTERM),
            Fault::ForkAndKillChild { milliseconds } => {
                self.fork(slot, *milliseconds, Signal::SIGKILL)
            }
            Fault::ForkAndKillParent { milliseconds } => self.fork_and_die(slot, *milliseconds),
            Fault::KillForking { microseconds } => self.kill_forking(slot, *microseconds),
            Fault::Limit { lack } => self.begin_with_too_little(slot, *lack),
            Fault::KernelLimit { lack } => self.lower_limit(*lack),
            Fault::RemoveSemaphores => self.remove_semaphores(),
            Fault::RemoveSegment => {
                let _making = self.yard.making.read();
                self.stage.remove_segment()?;
                self.yard.tally(|tally| tally.removals.segments += 1);
                Ok(())
            }
        }
    }

    /// One or several at once.
    fn kill(&mut self, slot: usize, others: &[usize]) -> Result<(), Failure> {
        let slots = [&[slot], others].concat();
        self.slay(&slots, Signal::SIGKILL)?;
        self.yard
            .tally(|tally| tally.deaths.killed += slots.len() as u64);
        self.replace(&slots, None)
    }

    /// All of a role; the others are told before anybody comes again.
    fn bereave(&mut self, slot: usize, others: &[usize]) -> Result<(), Failure> {
        let slots = [&[slot], others].concat();
        self.slay(&slots, Signal::SIGKILL)?;
        let survivors = (0..self.lane.workers()).filter(|slot| !slots.contains(slot));
        for survivor in survivors.collect::<Vec<_>>() {
            let told = self.crew[survivor].catch_up()?.clone();
            if told.hears && !(self.lane.kind == Kind::Stream && self.epoch.guard) {
                self.until(
                    "a worker learns that its peers are gone",
                    survivor,
                    |scene| Ok(scene.crew[survivor].catch_up()?.alone > told.alone),
                )?;
            }
        }
        self.yard.tally(|tally| {
            tally.deaths.killed += slots.len() as u64;
            tally.bereavements += 1;
        });
        self.replace(&slots, None)
    }

    /// Ends workers by a signal, and waits until the kernel tells of it.
    fn slay(&mut self, slots: &[usize], by: Signal) -> Result<(), Failure> {
        let killed = now();
        for slot in slots {
            self.crew[*slot].died = true;
            self.crew[*slot].signal(by)?;
        }
        let noticed = self.until_noticed(slots)?;
        self.bury(slots, by)?;
        let reaped = slots.iter().filter_map(|slot| self.crew[*slot].end);
        self.times.deaths.push(Death {
            ids: slots.iter().map(|slot| self.crew[*slot].id).collect(),
            killed,
            noticed,
            reaped: reaped.map(|end| end.at).max().unwrap_or(noticed),
            replaced: None,
        });
        self.yard.bar.inc(slots.len() as u64);
        Ok(())
    }

    /// Waits until the kernel has given back the semaphores of all.
    fn until_noticed(&self, slots: &[usize]) -> Result<u64, Failure> {
        for slot in slots {
            let wait = [SemOp::wait_zero(self.bystander(*slot))];
            let patience = Some(self.yard.patience);
            match sysv::semtimedop(self.yard.bystander, &wait, patience) {
                Ok(()) => {}
                Err(Errno::EAGAIN) => return Err(self.hang("the kernel tells of its death", *slot)),
                Err(error) => return Err(Failure::io("wait for a death", &error.into())),
            }
        }
        Ok(now())
    }

    fn bury(&mut self, slots: &[usize], by: Signal) -> Result<(), Failure> {
        let patience = self.yard.patience;
        for slot in slots {
            let worker = &mut self.crew[*slot];
            match worker.wait(patience) {
                Some(end) if end.is_by(by) => {}
                Some(end) => {
                    let how = format!(
                        "{} was sent {by}, and ended so: {:?}",
                        worker.called(),
                        end.status
                    );
                    return Err(Failure::new(Exit::Other, how));
                }
                None => return Err(self.hang("a killed worker ends", *slot)),
            }
        }
        Ok(())
    }

    /// New workers for those that died.
    fn replace(&mut self, slots: &[usize], scarce: Option<Scarce>) -> Result<(), Failure> {
        for slot in slots {
            let successor = self.hire(*slot, scarce)?;
            let dead = std::mem::replace(&mut self.crew[*slot], successor);
            self.past.push(dead);
        }
        for slot in slots {
            self.until_ready(*slot)?;
        }
        // Only those that left a place empty have somebody who may have waited for a successor.
        let (producers, all) = (self.lane.producers, self.lane.workers());
        let emptied = |mut role: std::ops::Range<usize>| role.all(|slot| slots.contains(&slot));
        if (emptied(0..producers) || emptied(producers..all))
            && let Some(death) = self.times.deaths.last_mut()
        {
            death.replaced = Some(now());
        }
        Ok(())
    }

    fn kill_newcomer(&mut self, slot: usize, microseconds: u64) -> Result<(), Failure> {
        self.slay(&[slot], Signal::SIGKILL)?;
        let newcomer = self.hire(slot, None)?;
        let dead = std::mem::replace(&mut self.crew[slot], newcomer);
        self.past.push(dead);
        thread::sleep(Duration::from_micros(microseconds));
        self.slay(&[slot], Signal::SIGKILL)?;
        self.yard.tally(|tally| {
            tally.deaths.killed += 1;
            tally.deaths.killed_at_start += 1;
        });
        self.replace(&[slot], None)
    }

    /// Stops a worker for a while; then it goes on, or is killed as it is.
    fn stop(&mut self, slot: usize, milliseconds: u64, then: Signal) -> Result<(), Failure> {
        let from = now();
        self.crew[slot].signal(Signal::SIGSTOP)?;
        self.until("a worker stops", slot, |scene| {
            Ok(state(scene.crew[slot].pid) == Some('T'))
        })?;
        thread::sleep(Duration::from_millis(milliseconds));
        if then == Signal::SIGKILL {
            self.slay(&[slot], then)?;
            self.yard
                .tally(|tally| tally.deaths.stopped_and_killed += 1);
        } else {
            self.crew[slot].signal(then)?;
            self.yard.tally(|tally| tally.stops += 1);
        }
        self.times.stops.push((from, now()));
        if then == Signal::SIGKILL {
            self.replace(&[slot], None)
        } else {
            Ok(())
        }
    }

    fn dump_core(&mut self, slot: usize, abort: bool) -> Result<(), Failure> {
        let by = if abort {
            Signal::SIGABRT
        } else {
            Signal::SIGTRAP
        };
        self.slay(&[slot], by)?;
        let dumped = self.crew[slot].end.is_some_and(|end| end.has_dumped());
        self.yard.tally(|tally| {
            if dumped {
                tally.deaths.dumped_core += 1;
            } else {
                tally.deaths.aborted += 1;
            }
        });
        self.remove_cores()?;
        self.replace(&[slot], None)
    }

    fn remove_cores(&self) -> Result<(), Failure> {
        let folder = self.stage.path().with_file_name("");
        let failed = |error| Failure::io("remove core dumps", &error);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with("core") {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Has a worker fork; the child, that is.
    fn have_child(&mut self, slot: usize) -> Result<Heir, Failure> {
        let before = self.crew[slot].catch_up()?.children.len();
        self.crew[slot].signal(Signal::SIGUSR1)?;
        self.until("a worker forks", slot, |scene| {
            Ok(scene.crew[slot].catch_up()?.children.len() > before)
        })?;
        self.yard.tally(|tally| tally.forks.children += 1);
        let child = self.crew[slot].told.children[before];
        Ok(Heir::new(child, &self.yard.reaper))
    }

    /// A child that stays for a while beside its parent, and then ends or is killed.
    fn fork(&mut self, slot: usize, milliseconds: u64, end: Signal) -> Result<(), Failure> {
        let child = self.have_child(slot)?;
        thread::sleep(Duration::from_millis(milliseconds));
        child.signal(end)?;
        if end == Signal::SIGKILL {
            self.yard.tally(|tally| tally.forks.killed += 1);
        }
        self.until("a forked child ends", slot, |_| {
            Ok(matches!(state(child.pid), None | Some('Z' | 'X')))
        })
    }

    /// A child that outlives its parent, and with it the parent's successor's coming.
    fn fork_and_die(&mut self, slot: usize, milliseconds: u64) -> Result<(), Failure> {
        let child = self.have_child(slot)?;
        self.kill(slot, &[])?;
        self.yard
            .tally(|tally| tally.forks.outlived_their_parent += 1);
        thread::sleep(Duration::from_millis(milliseconds));
        child.signal(Signal::SIGTERM)?;
        self.until("an orphan ends", slot, |_| Ok(child.was_reaped()))
    }

    /// Kills a worker that was told to fork. Its child, if it has come to one, is an orphan as soon as it is there.
    fn kill_forking(&mut self, slot: usize, microseconds: u64) -> Result<(), Failure> {
        let before = self.crew[slot].catch_up()?.children.len();
        self.crew[slot].signal(Signal::SIGUSR1)?;
        thread::sleep(Duration::from_micros(microseconds));
        self.slay(&[slot], Signal::SIGKILL)?;
        thread::sleep(NEWBORN); // one that tells of itself later ends by itself
        let orphan = self.crew[slot].catch_up()?.children.get(before).copied();
        let orphan = orphan.map(|child| Heir::new(child, &self.yard.reaper));
        self.yard.tally(|tally| tally.deaths.killed_forking += 1);
        self.replace(&[slot], None)?;
        if let Some(orphan) = orphan {
            orphan.signal(Signal::SIGTERM)?;
        }
        Ok(())
    }

    fn begin_with_too_little(&mut self, slot: usize, lack: Scarce) -> Result<(), Failure> {
        self.slay(&[slot], Signal::SIGKILL)?;
        self.replace(&[slot], Some(lack))?;
        if !self.crew[slot].told.refused {
            return Err(Failure::new(
                Exit::Other,
                "a worker with too little was not refused",
            ));
        }
        self.yard.tally(|tally| {
            tally.deaths.killed += 1;
            tally.limits.of_processes += 1;
        });
        Ok(())
    }

    /// Nobody can make another ring, and whoever tries is told which limit it is.
    fn lower_limit(&mut self, lack: Lack) -> Result<(), Failure> {
        if !self.yard.limits {
            self.yard.tally(|tally| tally.limits.skipped += 1);
            return Ok(());
        }
        let _alone = self.yard.making.write();
        let path = self.stage.path().with_file_name("another");
        let create = || ringpipe::spsc::Ring::<u64>::create(&path, 1000);
        let lowered = Setting::lower(lack)?;
        let refused = create().map(drop);
        drop(lowered);
        match refused {
            Err(Error::Limit { limit, .. }) if limit == kernel::name(lack) => {}
            other => {
                let _ = ringpipe::remove(&path);
                let got = other.map_or_else(|error| error.to_string(), |()| "a ring".into());
                return Err(Failure::new(
                    Exit::Other,
                    format!("{lack:?} are too few, and one gets {got}"),
                ));
            }
        }
        create()?;
        ringpipe::remove(Name::from(&path))?;
        self.yard.tally(|tally| tally.limits.of_the_kernel += 1);
        Ok(())
    }

    /// All are told, and end.
    fn remove_semaphores(&mut self) -> Result<(), Failure> {
        {
            let _making = self.yard.making.read();
            self.stage.remove_semaphores()?;
        }
        self.yard.tally(|tally| tally.removals.semaphores += 1);
        for slot in 0..self.lane.workers() {
            self.until("a worker learns that the ring was removed", slot, |scene| {
                Ok(scene.crew[slot].has_ended())
            })?;
            self.crew[slot].check_end()?;
            if !self.crew[slot].catch_up()?.removed {
                let who = self.crew[slot].called();
                let what = format!("{who} ended, but was not told that the ring was removed");
                return Err(Failure::new(Exit::Other, what));
            }
        }
        Ok(())
    }
}

/// What a process is at, as the kernel has it: R, S, T, Z.
pub(super) fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}
