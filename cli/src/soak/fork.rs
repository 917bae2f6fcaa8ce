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
/// How long a child of a child stays.
const SHORT_LIFE: Duration = Duration::from_millis(3);

/// Forks a child that notes its number, forks a child of its own that stays for a moment, and does nothing until it is told to end.
///
/// Either has whatever it inherits.
pub(super) fn idle_child(journal: &mut Journal, ending: &AtomicBool) -> io::Result<()> {
    if is_child()? {
        idle(journal, ending);
    }
    Ok(())
}

/// Forks; whether this is the child.
fn is_child() -> io::Result<bool> {
    // SAFETY: a worker has one thread, so nothing is locked, and nothing half done, in the child.
    #[expect(unsafe_code, reason = "a mapping is inherited by fork alone")]
    let forked = unsafe { fork() }?;
    Ok(matches!(forked, ForkResult::Child))
}

fn idle(journal: &mut Journal, ending: &AtomicBool) -> ! {
    let since = Instant::now();
    let pid = getpid().as_raw();
    let noted = journal.put(Note::Child { pid });
    if is_child().is_ok_and(|is_child| is_child) {
        thread::sleep(SHORT_LIFE);
        process::exit(0);
    }
    while noted.is_ok() && since.elapsed() < LIFE && !ending.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
    }
    process::exit(0)
}
