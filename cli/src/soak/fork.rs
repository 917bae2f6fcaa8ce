//! The one thing that the program cannot do with safe code alone: to fork without exec, so that a child inherits its parent's mappings.

use std::io;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{ForkResult, fork, getpid};

use super::log::{Journal, Note};

/// How long a child stays if nobody ends it.
const LIFE: Duration = Duration::from_secs(5);

/// Forks a child that notes its number and does nothing until it is told to end.
pub(super) fn idle_child(journal: &mut Journal, ending: &AtomicBool) -> io::Result<()> {
    // SAFETY: a worker has one thread, so nothing is locked, and nothing half done, in the child.
    #[expect(unsafe_code, reason = "a mapping is inherited by fork alone")]
    match unsafe { fork() }? {
        ForkResult::Parent { .. } => Ok(()),
        ForkResult::Child => idle(journal, ending),
    }
}

fn idle(journal: &mut Journal, ending: &AtomicBool) -> ! {
    let since = Instant::now();
    let pid = getpid().as_raw();
    let noted = journal.put(Note::Child { pid });
    while noted.is_ok() && since.elapsed() < LIFE && !ending.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
    }
    process::exit(0)
}
