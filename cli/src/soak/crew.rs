//! Workers as their supervisor has them.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use std::os::unix::process::CommandExt;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::judge::Account;
use super::log::{Note, Trail};
use super::reaper::{End, Reaper};
use super::worker::{Role, Task};
use crate::exit::{Exit, Failure};

/// What a worker has told about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) ready: bool,
    /// Whether it wants to be told when its peers are gone.
    pub(super) hears: bool,
    /// How often it was.
    pub(super) alone: u64,
    pub(super) refused: bool,
    pub(super) ending: bool,
    pub(super) removed: bool,
    pub(super) children: Vec<i32>,
}

impl Told {
    fn hear(&mut self, note: Note) {
        match note {
            Note::Ready { hears } => (self.ready, self.hears) = (true, hears),
            Note::Alone => self.alone += 1,
            Note::Refused => self.refused = true,
            Note::Ending => self.ending = true,
            Note::Removed => self.removed = true,
            Note::Child { pid } => self.children.push(pid),
            _ => {}
        }
    }
}

/// A process at work, or one that has been.
pub(super) struct Worker {
    pub(super) id: u32,
    pub(super) slot: usize,
    pub(super) role: Role,
    pub(super) pid: i32,
    pub(super) end: Option<End>,
    /// Whether it was killed, by us.
    pub(super) died: bool,
    /// What it has told about itself so far.
    pub(super) told: Told,
    trail: Trail,
    log: PathBuf,
    reaper: Arc<Reaper>,
}

impl Worker {
    pub(super) fn start(
        task: &Task,
        slot: usize,
        complaints: &File,
        reaper: &Arc<Reaper>,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::io("start a worker", &error);
        let trail = Trail::create(&task.journal).map_err(failed)?;
        let folder = task.journal.parent().unwrap_or(&task.journal);
        let told = serde_json::to_string(task).map_err(|error| failed(error.into()))?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.arg("soak-worker").arg(told).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(complaints.try_clone().map_err(failed)?);
        command.env("RUST_BACKTRACE", "0").process_group(0);
        Ok(Self {
            id: task.id,
            slot,
            role: task.role,
            pid: reaper.spawn(&mut command)?,
            end: None,
            died: false,
            told: Told::default(),
            trail,
            log: task.journal.clone(),
            reaper: Arc::clone(reaper),
        })
    }

    /// Who it is, for messages.
    pub(super) fn called(&self) -> String {
        let role = match self.role {
            Role::Producer => "producer",
            Role::Consumer => "consumer",
        };
        format!("{role} #{} (pid {})", self.id, self.pid)
    }

    /// Sends a signal, unless it has ended; its number is not another's before that was seen.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        if self.end.is_some() {
            return Ok(());
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(Failure::io("signal a worker", &error.into())),
        }
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.end = self.end.or_else(|| self.reaper.end(self.pid));
        self.end.is_some()
    }

    pub(super) fn wait(&mut self, patience: Duration) -> Option<End> {
        if self.end.is_none() {
            self.end = self.reaper.wait(self.pid, patience);
        }
        self.end
    }

    pub(super) fn moved(&self) -> Result<u64, Failure> {
        self.trail
            .moved()
            .map_err(|error| Failure::io("read a log", &error))
    }

    /// Reads on in its log.
    pub(super) fn catch_up(&mut self) -> Result<&Told, Failure> {
        let news = self.trail.follow();
        let news = news.map_err(|error| Failure::io("read a log", &error))?;
        news.into_iter().for_each(|note| self.told.hear(note));
        Ok(&self.told)
    }

    /// What it leaves, and no log any more.
    pub(super) fn account(&mut self) -> Result<Account, Failure> {
        let notes = self.trail.read();
        let notes = notes.map_err(|error| Failure::io("read a log", &error))?;
        fs::remove_file(&self.log).map_err(|error| Failure::io("remove a log", &error))?;
        Ok(Account {
            id: self.id,
            role: self.role,
            pid: self.pid,
            died: self.died,
            notes,
        })
    }

    /// That its end was a good one, if it was not killed.
    pub(super) fn check_end(&self) -> Result<(), Failure> {
        match self.end {
            Some(end) if end.is_good() || self.died => Ok(()),
            end => {
                let how = end.map_or("is still there".into(), |end| {
                    format!("ended: {:?}", end.status)
                });
                Err(Failure::new(
                    Exit::Other,
                    format!("{} {how}", self.called()),
                ))
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.has_ended() {
            // With its children, if it has any: they are of its group. While it was not reaped, that is nobody else's.
            let _ = killpg(Pid::from_raw(self.pid), Signal::SIGKILL);
            let _ = self.signal(Signal::SIGKILL);
            let _ = self.wait(Duration::from_secs(10));
        }
    }
}

/// A child that a worker has forked. Killed at the end, whatever happens.
pub(super) struct Heir {
    pub(super) pid: i32,
    reaper: Arc<Reaper>,
}

impl Heir {
    /// It is alive.
    pub(super) fn new(pid: i32, reaper: &Arc<Reaper>) -> Self {
        reaper.is_alive(pid);
        let reaper = Arc::clone(reaper);
        Self { pid, reaper }
    }

    /// Once its parent has ended, its end is told to us.
    pub(super) fn was_reaped(&self) -> bool {
        self.reaper.end(self.pid).is_some()
    }

    /// Its number is not another's: its parent does not reap, and we tell when we do.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        if self.was_reaped() {
            return Ok(());
        }
        match kill(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(Failure::io("signal a forked child", &error.into())),
        }
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        let _ = self.signal(Signal::SIGKILL);
    }
}
