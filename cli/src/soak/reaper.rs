//! Waits for the end of every process that was started, and of those that they left behind, in one place: so each end is seen
//! when it happens, and none is taken for another's.

use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::log::now;
use crate::exit::Failure;

/// How a process ended, and when that was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) status: WaitStatus,
    pub(super) at: u64,
}

impl End {
    pub(super) fn is_good(&self) -> bool {
        matches!(self.status, WaitStatus::Exited(_, 0))
    }

    pub(super) fn is_by(&self, signal: Signal) -> bool {
        matches!(self.status, WaitStatus::Signaled(_, by, _) if by == signal)
    }

    pub(super) fn has_dumped(&self) -> bool {
        matches!(self.status, WaitStatus::Signaled(_, _, true))
    }
}

#[derive(Debug, Default)]
pub(super) struct Reaper {
    ended: Mutex<HashMap<i32, End>>,
    news: Condvar,
    over: AtomicBool,
}

impl Reaper {
    /// Orphans of this process's children become its own from now on.
    pub(super) fn new() -> Result<Self, Failure> {
        set_child_subreaper(true).map_err(|error| Failure::io("adopt orphans", &error.into()))?;
        Ok(Self::default())
    }

    fn table(&self) -> MutexGuard<'_, HashMap<i32, End>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process; its number cannot be another's until its end was asked for.
    pub(super) fn spawn(&self, command: &mut Command) -> Result<i32, Failure> {
        let mut table = self.table();
        let child = command
            .spawn()
            .map_err(|error| Failure::io("start a worker", &error))?;
        let pid = child.id().cast_signed();
        table.remove(&pid); // an orphan of that number that nobody asked for
        Ok(pid)
    }

    /// A process of that number is alive: whatever is known of an end is another's.
    pub(super) fn is_alive(&self, pid: i32) {
        self.table().remove(&pid);
    }

    /// How it ended, if it has.
    pub(super) fn end(&self, pid: i32) -> Option<End> {
        self.table().get(&pid).copied()
    }

    /// Waits for its end.
    pub(super) fn wait(&self, pid: i32, patience: Duration) -> Option<End> {
        let until = Instant::now() + patience;
        let mut table = self.table();
        loop {
            if let Some(end) = table.get(&pid) {
                return Some(*end);
            }
            let left = until.checked_duration_since(Instant::now())?;
            let waited = self.news.wait_timeout(table, left);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Reaps until told to stop and nobody is left.
    pub(super) fn run(&self) {
        loop {
            match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Ok(status) => status.pid().into_iter().for_each(|pid| self.reap(pid)),
                Err(Errno::ECHILD) if self.over.load(Ordering::Relaxed) => return,
                Err(_) => thread::sleep(Duration::from_micros(200)),
            }
        }
    }

    /// Its number is free for others once it is reaped; so that happens under the lock.
    fn reap(&self, pid: Pid) {
        let at = now();
        let mut table = self.table();
        if let Ok(status) = waitpid(pid, None) {
            table.insert(pid.as_raw(), End { status, at });
        }
        drop(table);
        self.news.notify_all();
    }

    pub(super) fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
