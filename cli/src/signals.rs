//! SIGINT, SIGTERM and SIGHUP as something to ask about, so that a command can end in good order.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, io};

use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::flag;

use crate::exit::{Exit, Failure};

/// How long anything waits before it asks whether a signal came. A signal that comes between the question and
/// the wait is noticed no later than this.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// What has come so far. The second SIGINT or SIGTERM ends the program at once, as if there were no
/// handler. (A terminal that is closed gives SIGHUP twice: the kernel's, and the shell's.)
///
/// A signal that is ignored from the start, as by nohup(1) or in the background of a script, ends
/// nothing.
#[derive(Debug)]
pub(crate) struct Signals {
    caught: Arc<AtomicUsize>,
}

impl Signals {
    pub(crate) fn watch() -> Result<Self, Failure> {
        let caught = Arc::new(AtomicUsize::new(0));
        let again = Arc::new(AtomicBool::new(false));
        let ignored = ignored();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if ignored & (1 << (signal - 1)) == 0 {
                watch_one(signal, &caught, &again)
                    .map_err(|error| Failure::io("watch for signals", &error))?;
            }
        }
        Ok(Self { caught })
    }

    /// The same, and SIGPIPE: for who moves bytes, and ends as cat(1) does. (Rust's runtime ignores
    /// it, so nobody can tell whether it was ignored before.)
    pub(crate) fn watch_all() -> Result<Self, Failure> {
        let signals = Self::watch()?;
        watch_one(SIGPIPE, &signals.caught, &Arc::default())
            .map_err(|error| Failure::io("watch for signals", &error))?;
        Ok(signals)
    }

    /// Why a command ends: a signal that has come is the reason, whatever else came of it. (It may
    /// have ended the other side, too.)
    pub(crate) fn or(&self, failure: Failure) -> Failure {
        self.check().err().unwrap_or(failure)
    }

    /// Fails once a signal has come.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let caught = i32::try_from(self.caught.load(Ordering::Relaxed));
        let ended = caught.ok().and_then(ended_by);
        ended.map_or(Ok(()), |exit| Err(by_signal(exit)))
    }

    /// Why a command ends that has lost a process of its own, which ended like this: by a signal
    /// that came to this one, or to that one, since they usually come to both.
    pub(crate) fn or_of_child(&self, end: ExitStatus, lost: Failure) -> Failure {
        let of_child = end.signal().and_then(ended_by).map(by_signal);
        self.or(of_child.unwrap_or(lost))
    }
}

/// How the program ends by a signal that it watches for.
fn ended_by(signal: i32) -> Option<Exit> {
    match signal {
        SIGINT => Some(Exit::Interrupted),
        SIGTERM => Some(Exit::Terminated),
        SIGHUP => Some(Exit::HungUp),
        SIGPIPE => Some(Exit::NoReader),
        _ => None,
    }
}

fn by_signal(exit: Exit) -> Failure {
    match exit {
        Exit::NoReader => Failure::new(exit, ""), // nobody hears of that
        _ => Failure::new(exit, exit.meaning()),
    }
}

fn watch_one(signal: i32, caught: &Arc<AtomicUsize>, again: &Arc<AtomicBool>) -> io::Result<()> {
    if [SIGINT, SIGTERM].contains(&signal) {
        // In this order: the first signal finds `again` unset, and sets it.
        flag::register_conditional_default(signal, Arc::clone(again))?;
        flag::register(signal, Arc::clone(again))?;
    }
    let number = usize::try_from(signal).unwrap_or_default();
    flag::register_usize(signal, Arc::clone(caught), number)?;
    Ok(())
}

/// The signals that this process ignores, as bits: number 1 is the lowest. None, where it cannot be
/// seen.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .unwrap_or(0)
}
