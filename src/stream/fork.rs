//! Ends that a forked child has too.
//!
//! SEM_UNDO does not follow fork(2), so a child has to join the stream itself. It must have joined before fork(3) returns in the
//! parent, or the parent could close its end first, and for a moment nobody would have it open. So:
//!
//! ```text
//! parent: prepare      join a second number for each inheritable end
//! child                adopt these numbers, ring the bell, wait for the answer
//! parent               wait for the bell, answer, leave the second numbers
//! ```
//!
//! The answer proves that the numbers were the parent's when the child adopted them: the parent was alive afterwards, and
//! had not left them. That it is stopped, and has not answered, proves the same. Without a proof, the parent may have been
//! killed before, and the numbers may belong to a newcomer. Then the child gives them back, and its ends are
//! [`Fault::Forked`](crate::Fault::Forked).
//!
//! Both waits are bounded: a parent that waits for a stopped child gives up after two seconds, and so does a child whose
//! parent neither answers, nor ends, nor is stopped. No lock is held over the fork, since the handlers of other libraries run
//! meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::process::parent_id;
use std::process;
use std::time::{Duration, Instant};

use super::end::OPENING;
use crate::halt::after;
use crate::ring::Role;
use crate::ring::turns::{Member, Place};
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::sys::atfork::{self, Hooks};
use crate::sys::process_local::ProcessLocal;
use crate::sys::{Errno, fd, proc};

/// How long to wait for the other process at a time, and how often. If all are stopped meanwhile, that takes one turn.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: u32 = 200;

/// What the processes tell each other: the child that it has adopted the numbers, the parent whether they were its own.
const YES: u8 = 1;
const NO: u8 = 0;

/// An end of this process or, in a child, of the process that it was inherited from.
#[derive(Debug)]
struct Source {
    place: Place,
    role: Role,
    /// Set before the end is closed: a child that is forked later does not have it.
    closed: AtomicBool,
}

#[derive(Debug)]
struct Record {
    source: Arc<Source>,
    /// In a child, the participant that its copy of the end becomes with its first use.
    successor: Option<Member>,
}

/// The inheritable ends of this process, by the addresses of their sources.
///
/// A child begins with none, and enters those that it has adopted.
static INHERITABLE: ProcessLocal<BTreeMap<usize, Record>> = ProcessLocal::new();

thread_local! {
    /// What this thread has prepared for the fork that it is in.
    static FORKING: RefCell<Option<Forking>> = const { RefCell::new(None) };
}

/// Keeps an end inheritable until it is dropped.
#[derive(Debug)]
pub(super) struct InheritedEnd(Arc<Source>);

impl InheritedEnd {
    /// From now on, forked children have the end too.
    pub(super) fn register(place: &Place, role: Role) -> Self {
        atfork::install::<Handlers>();
        let source = Arc::new(Source {
            place: place.clone(),
            role,
            closed: AtomicBool::new(false),
        });
        enter(Arc::clone(&source), None);
        Self(source)
    }

    /// In a child, the participant that the end goes on as; `None` if it was not inherited, or was claimed before.
    pub(super) fn claim(&self) -> Option<Member> {
        let mut inheritable = INHERITABLE.lock();
        inheritable.get_mut(&address(&self.0))?.successor.take()
    }
}

impl Drop for InheritedEnd {
    fn drop(&mut self) {
        // Relaxed: a child has this thread's stores as the fork found them.
        self.0.closed.store(true, Ordering::Relaxed);
        let record = INHERITABLE.lock().remove(&address(&self.0));
        drop(record); // after the lock was released
    }
}

fn enter(source: Arc<Source>, successor: Option<Member>) {
    let record = Record { source, successor };
    let address = address(&record.source);
    INHERITABLE.lock().insert(address, record);
}

fn address(source: &Arc<Source>) -> usize {
    Arc::as_ptr(source).addr()
}

/// A number that the parent has joined for the child, for each end.
type Numbers = Vec<(Arc<Source>, Member)>;

/// A fork that is under way.
struct Forking {
    numbers: Numbers,
    parent: u32,
    /// It closes with the child's death.
    bell: (PipeReader, PipeWriter),
    /// It closes with the parent's death.
    answer: (PipeReader, PipeWriter),
}

struct Handlers;

// They may be installed, and so run, more than once: the first finds the fork, the others nothing.
impl Hooks for Handlers {
    fn prepare() {
        // In a thread that is ending, this may be gone; then nothing is inherited.
        let _ = FORKING.try_with(|forking| {
            if let Ok(mut forking) = forking.try_borrow_mut()
                && forking.is_none()
            {
                *forking = prepare();
            }
        });
    }

    fn parent() {
        if let Some(forking) = under_way() {
            forking.hand_over();
        }
    }

    fn child() {
        if let Some(forking) = under_way() {
            forking.inherit();
        }
    }
}

fn under_way() -> Option<Forking> {
    FORKING.try_with(RefCell::take).ok().flatten()
}

/// Joins a number for each inheritable end. An end that gets none is not inherited.
fn prepare() -> Option<Forking> {
    let mut numbers = join_all();
    if numbers.is_empty() {
        return None;
    }
    // As many files may be open as are allowed: nothing is inherited.
    let (Ok(bell), Ok(answer)) = (pipe(), pipe()) else {
        for (_, member) in &mut numbers {
            let _ = member.leave(true); // a fault: the stream was removed, and nobody counts any more
        }
        return None;
    };
    Some(Forking {
        numbers,
        parent: process::id(),
        bell,
        answer,
    })
}

fn join_all() -> Numbers {
    let until = after(OPENING);
    // Locked meanwhile: an end is closed before its number is joined, or once both are there.
    let inheritable = INHERITABLE.lock();
    let sources = inheritable.values().map(|record| &record.source);
    let joined = sources.map(|source| {
        let joined = source.place.join(source.role, until);
        joined.map(|(member, _)| (Arc::clone(source), member))
    });
    joined.filter_map(Result::ok).collect()
}

impl Forking {
    /// In the parent: waits for the child, answers it, and leaves the numbers to it.
    fn hand_over(self) {
        let (mut bell, told) = self.bell;
        drop(told);
        let (_kept, mut answer) = self.answer; // kept: without a reader, to write is a signal
        let adopted = wait_for(&mut bell, || false);
        // Before the numbers are left: a child that adopts them later, from somebody else, must not take them for these. It may
        // also be dead, which shows below.
        let _ = answer.write(&[if adopted { YES } else { NO }]);
        part_with(&self.numbers);
    }

    /// In the child: adopts the numbers, and keeps them if they were the parent's.
    fn inherit(self) {
        let (mut answer, told) = self.answer;
        drop(told);
        let mut numbers = self.numbers;
        numbers.retain(|(source, member)| {
            // Relaxed: see `drop`.
            let closed = source.closed.load(Ordering::Relaxed);
            !closed && source.place.adopt(member) == Ok(true)
        });
        let (_kept, mut bell) = self.bell;
        let _ = bell.write(&[YES]); // the parent may be dead: then it does not answer
        if wait_for(&mut answer, || is_stopped(self.parent)) {
            for (source, member) in numbers {
                enter(source, Some(member));
            }
        } else {
            part_with(&numbers);
        }
    }
}

/// Leaves numbers that another process may have, too, and clears up after those that it does not have.
fn part_with(numbers: &Numbers) {
    for (source, member) in numbers {
        // A fault: the stream was removed, and nobody counts any more.
        let _ = source.place.part_with(member);
    }
}

/// Whether this process's parent is that one, and is stopped now: then it is alive, and no part of it has ended.
fn is_stopped(parent: u32) -> bool {
    let is_parent = || parent_id() == parent;
    // Still the parent afterwards: so it was the one that was looked at.
    is_parent() && proc::is_stopped(parent.cast_signed()) && is_parent()
}

/// Waits for a `YES`, or for `proof` that there would be one. `false` if the other process says `NO`, has ended, or takes too long.
fn wait_for(from: &mut PipeReader, proof: impl Fn() -> bool) -> bool {
    for _ in 0..LOOKS {
        if let Some(said) = said_within(from, LOOK) {
            return said == YES;
        }
        if proof() {
            return said_within(from, Duration::ZERO) != Some(NO);
        }
    }
    false
}

/// What the other process says within a time. Its end is a `NO`.
fn said_within(from: &mut PipeReader, limit: Duration) -> Option<u8> {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match fd::is_readable_within(from.as_fd(), Some(left)) {
            Ok(false) => return None,
            Ok(true) => {
                let mut said = [NO];
                let read = from.read(&mut said);
                if !matches!(&read, Err(error) if error.kind() == ErrorKind::Interrupted) {
                    return Some(said[0]);
                }
            }
            Err(Errno::EINTR) => {}
            Err(_) => return Some(NO),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::stream;

    /// Two threads that come at once may register the handlers twice.
    #[test]
    fn handlers_that_run_twice_join_once() {
        let (mut writer, reader) = stream::pipe().unwrap();
        let alive = || {
            [
                reader.writers().unwrap().alive,
                writer.readers().unwrap().alive,
            ]
        };
        assert_eq!(alive(), [1, 1]);
        Handlers::prepare();
        Handlers::prepare();
        assert_eq!(alive(), [2, 2]);
        // No child has the bell, as if fork(2) had failed.
        Handlers::parent();
        Handlers::parent();
        assert_eq!(alive(), [1, 1]);
        writer.write_all(b"x").unwrap();
    }
}
