//! Those who sleep on a ring while something happens to others.

use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use ringpipe::sysv::{SemId, semctl_getncnt};

use crate::common::until;
use crate::scene::LONG;

/// When one of the others goes to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleeps {
    Never,
    /// Before the operation begins.
    Before,
    /// While the victim is halted in it.
    Meanwhile,
}

/// A thread that sleeps, and what it will come back with.
#[derive(Debug)]
pub struct Sleeper<R> {
    thread: JoinHandle<()>,
    result: Receiver<R>,
}

impl<R: Send + 'static> Sleeper<R> {
    /// Has a thread do something that puts it to sleep on the semaphores of a ring, unless it has nothing to wait for.
    pub fn new(set: SemId, work: impl FnOnce() -> R + Send + 'static) -> Self {
        let (sender, result) = channel();
        let before = sleepers(set);
        let thread = thread::spawn(move || {
            let _ = sender.send(work()); // nobody waits for it if the test has failed
        });
        until(|| sleepers(set) > before || thread.is_finished());
        Self { thread, result }
    }

    /// Whether it has come back.
    pub fn is_awake(&self) -> bool {
        self.thread.is_finished()
    }

    /// It must have been woken.
    pub fn awake(self) -> R {
        let result = self.result.recv_timeout(LONG);
        result.expect("nobody woke the sleeper")
    }
}

/// How many sleep on the first semaphores of a set, among which are all that anybody sleeps on.
fn sleepers(set: SemId) -> i32 {
    let asleep = |semaphore| semctl_getncnt(set, semaphore).expect("the ring is there");
    (0..4).map(asleep).sum()
}
