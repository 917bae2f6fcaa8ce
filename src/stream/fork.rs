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
//! parent neither answers, nor ends, nor is stopped. (A child that another thread forks meanwhile has copies of the pipes, so
//! that an end may show by the bound alone.) No lock is held over the fork, since the handlers of other libraries run
//! meanwhile. These may fork, too, and so may signal handlers: each process acts only on what it has prepared itself, or on what
//! its own parent has prepared for it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::parent_id;
use std::process;
use std::sync::Mutex;
use std::sync::Weak;
use std::time::{Duration, Instant};

use super::end::OPENING;
use crate::halt::after;
use crate::ring::Role;
use crate::ring::turns::{Member, Place};
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::sys::atfork::{self, Hooks};
use crate::sys::fork::{self, Incarnation};
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
    /// In a child, the participant that its copy of the end becomes with its first use; and which child that is.
    successor: Mutex<Option<(Incarnation, Member)>>,
}

impl Source {
    /// Changes the successor. `None` if a thread that is not there held the lock when this process was forked.
    fn replace(&self, new: Option<(Incarnation, Member)>) -> Option<(Incarnation, Member)> {
        let mut successor = self.successor.try_lock().ok()?;
        std::mem::replace(&mut *successor, new)
    }
}

/// The inheritable ends of this process, by the addresses of their sources. They are not kept alive by it: the copy that a
/// child has of its parent's table is never dropped.
///
/// A child begins with none, and enters those that it has adopted.
static INHERITABLE: ProcessLocal<BTreeMap<usize, Weak<Source>>> = ProcessLocal::new();

thread_local! {
    /// How many forks this thread is in: more than one where a handler forks. The outermost alone is prepared for.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What this thread has prepared for it.
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
            successor: Mutex::new(None),
        });
        enter(&source);
        Self(source)
    }

    /// In a child, the participant that the end goes on as; `None` if it was not inherited, or was claimed before.
    pub(super) fn claim(&self) -> Option<Member> {
        let (process, member) = self.0.replace(None)?;
        process.is_current().then_some(member)
    }
}

impl Drop for InheritedEnd {
    fn drop(&mut self) {
        // Relaxed: a child has this thread's stores as the fork found them.
        self.0.closed.store(true, Ordering::Relaxed);
        INHERITABLE.lock().remove(&address(&self.0));
    }
}

fn enter(source: &Arc<Source>) {
    INHERITABLE
        .lock()
        .insert(address(source), Arc::downgrade(source));
}

fn address(source: &Arc<Source>) -> usize {
    Arc::as_ptr(source).addr()
}

/// A number that the parent has joined for the child, for each end.
type Numbers = Vec<(Arc<Source>, Member)>;

/// A fork that is under way.
struct Forking {
    numbers: Numbers,
    /// The process that has joined the numbers.
    process: Incarnation,
    parent: Parent,
    /// It closes with the child's death.
    bell: (PipeReader, PipeWriter),
    /// It closes with the parent's death.
    answer: (PipeReader, PipeWriter),
}

struct Handlers;

// They may be installed, and so run, more than once for a fork: the first of `prepare` and the last of the others count.
impl Hooks for Handlers {
    fn prepare() {
        if deeper(1) == Some(1) {
            let prepared = prepare();
            put(prepared);
        }
    }

    fn parent() {
        if deeper(-1) == Some(0)
            && let Some(forking) = take()
            && forking.process.is_current()
        {
            forking.hand_over();
        }
    }

    fn child() {
        if deeper(-1) == Some(0)
            && let Some(forking) = take()
            && !forking.process.is_current()
            && parent_id() == forking.parent.id
        {
            forking.inherit();
        }
    }
}

/// Counts a fork that begins or ends; in how many this thread is then. `None` in a thread that is ending, where nothing is
/// inherited.
fn deeper(by: i32) -> Option<u32> {
    let deeper = DEPTH.try_with(|depth| {
        depth.set(depth.get().saturating_add_signed(by));
        depth.get()
    });
    deeper.ok()
}

fn put(forking: Option<Forking>) {
    let _ = FORKING.try_with(|slot| slot.try_borrow_mut().map(|mut slot| *slot = forking));
}

fn take() -> Option<Forking> {
    let taken = FORKING.try_with(|slot| slot.try_borrow_mut().ok()?.take());
    taken.ok().flatten()
}

/// Joins a number for each inheritable end. An end that gets none is not inherited.
fn prepare() -> Option<Forking> {
    let process = fork::incarnation();
    let numbers = join_all();
    if numbers.is_empty() {
        return None;
    }
    // As many files may be open as are allowed: nothing is inherited.
    let (Ok(bell), Ok(answer)) = (fd::pipe(), fd::pipe()) else {
        leave(numbers);
        return None;
    };
    Some(Forking {
        numbers,
        process,
        parent: Parent::this(),
        bell,
        answer,
    })
}

fn join_all() -> Numbers {
    let until = after(OPENING);
    // Locked meanwhile: an end is closed before its number is joined, or once both are there.
    let inheritable = INHERITABLE.lock();
    let sources = inheritable.values().filter_map(Weak::upgrade);
    let joined = sources.filter_map(|source| {
        let (member, _) = source.place.join(source.role, until).ok()?;
        Some((source, member))
    });
    joined.collect()
}

impl Forking {
    /// In the parent: waits for the child, answers it, and leaves the numbers to it.
    fn hand_over(self) {
        let (mut bell, told) = self.bell;
        drop(told);
        let (_kept, mut answer) = self.answer; // kept: without a reader, to write is a signal
        let adopted = wait_for(&mut bell, || false);
        // Before the numbers are left: a child that adopts them later, from somebody else, must not take them for these. Its end is a
        // NO, too. The child may also be dead, which shows below.
        let _ = answer.write(&[if adopted { YES } else { NO }]);
        drop(answer);
        if adopted {
            part_with(&self.numbers);
        } else {
            leave(self.numbers);
        }
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
        if wait_for(&mut answer, || self.parent.is_stopped()) {
            for (source, member) in numbers {
                source.replace(Some((fork::incarnation(), member)));
                enter(&source);
            }
        } else {
            part_with(&numbers);
        }
    }
}

// A fault below: the stream was removed, and nobody counts any more.

/// Leaves numbers that another process may have, too, and clears up after those that it does not have.
fn part_with(numbers: &Numbers) {
    for (source, member) in numbers {
        let _ = source.place.part_with(member);
    }
}

/// Leaves numbers that nobody has come to have. That is no death.
fn leave(numbers: Numbers) {
    for (_, mut member) in numbers {
        let _ = member.leave(true);
    }
}

/// The process that has prepared a fork, for its child to look at.
struct Parent {
    id: u32,
    /// Opened by itself: so it is that process's, whatever proc(5) is mounted in the child, and nobody else's later.
    stat: Option<File>,
}

impl Parent {
    fn this() -> Self {
        Self {
            id: process::id(),
            stat: proc::own_stat().ok(),
        }
    }

    /// Whether it is stopped now: then it is alive, and no part of it has ended.
    fn is_stopped(&self) -> bool {
        self.stat.as_ref().is_some_and(proc::is_stopped_by)
    }
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
    use crate::sys::testing::in_child;

    /// Two threads that come at once may register the handlers twice.
    #[test]
    fn handlers_that_run_twice_join_once() {
        // In a child, where no other test forks.
        in_child(|| {
            let (mut writer, reader) = stream::pipe().unwrap();
            let alive = || {
                let peers = [reader.writers(), writer.readers()];
                peers.map(|peers| peers.unwrap().alive)
            };
            assert_eq!(alive(), [1, 1]);
            Handlers::prepare();
            Handlers::prepare();
            assert_eq!(alive(), [2, 2]);
            // No child has the bell, as if fork(2) had failed.
            Handlers::parent();
            assert_eq!(alive(), [2, 2]);
            Handlers::parent();
            assert_eq!(alive(), [1, 1]);
            writer.write_all(b"x").unwrap();
        });
    }
}
