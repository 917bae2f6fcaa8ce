//! The books of a ring within one process: a lock and two condition variables.
//!
//! For doctests, tests, fuzzing and loom, and for whoever wants a ring between threads. It keeps the promise that
//! the kernel keeps for processes: [`Local::bury`] ends an attachment as a death does.

#[cfg(not(loom))]
use std::time::Instant;

#[cfg(not(loom))]
use super::SLICE;
use super::{Deadline, ParkFault, Reach};
use crate::ring::{Parking, Role, Wake};
use crate::sync::{Condvar, Mutex, MutexGuard};

#[derive(Debug, Default)]
struct Books {
    attached: [u32; 2],
    wakeups: [u32; 2],
    /// Whether whoever would sleep is interrupted at once: models have no clock and no signals.
    #[cfg(loom)]
    restless: [bool; 2],
}

#[derive(Debug)]
pub(crate) struct Local {
    books: Mutex<Books>,
    bell: [Condvar; 2],
    /// Whether a death adds its wake-ups. Only a model that shows what they are for switches it off.
    credits: bool,
}

impl Local {
    pub(crate) fn new() -> Self {
        Self::with_credits(true)
    }

    pub(crate) fn with_credits(credits: bool) -> Self {
        Self {
            books: Mutex::new(Books::default()),
            bell: [Condvar::new(), Condvar::new()],
            credits,
        }
    }

    /// A call into the books: one step, as a system call is.
    fn open(&self) -> MutexGuard<'_, Books> {
        died_before_call();
        self.books.lock().expect(UNPOISONED)
    }

    /// Enters a role that others may be in too.
    #[cfg(loom)]
    pub(crate) fn join(&self, role: Role) {
        self.open().attached[index(role)] += 1;
    }

    #[cfg(loom)]
    pub(crate) fn set_restless(&self, role: Role, restless: bool) {
        self.open().restless[index(role)] = restless;
    }

    /// What the kernel does at a death: ends the attachment and adds a wake-up on each side, in one step.
    pub(crate) fn bury(&self, role: Role) {
        let mut books = self.books.lock().expect(UNPOISONED);
        books.attached[index(role)] -= 1;
        if self.credits {
            for (wakeups, bell) in books.wakeups.iter_mut().zip(&self.bell) {
                *wakeups = wakeups.saturating_add(1);
                bell.notify_one();
            }
        }
    }
}

/// In a model, a participant may be killed before it makes a call.
fn died_before_call() {
    #[cfg(loom)]
    crate::sync::mortal::step();
}

const UNPOISONED: &str = "nothing panics while the books are open";

fn index(role: Role) -> usize {
    match role {
        Role::Producer => 0,
        Role::Consumer => 1,
    }
}

impl Parking for Local {
    fn attach(&self, role: Role) -> Result<bool, ParkFault> {
        let mut books = self.open();
        let attached = &mut books.attached[index(role)];
        let free = *attached == 0;
        *attached = 1;
        if free {
            books.wakeups[index(role)] = 0; // alone in its role, and not asleep: they were promised to the dead
        }
        Ok(free)
    }

    fn detach(&self, role: Role) -> Result<(), ParkFault> {
        died_before_call();
        self.bury(role);
        Ok(())
    }

    fn attached(&self, role: Role) -> Result<u32, ParkFault> {
        Ok(self.open().attached[index(role)])
    }

    #[cfg(not(loom))]
    fn sleep(&self, role: Role, until: Option<Deadline>, reach: Reach) -> Result<Wake, ParkFault> {
        let bell = &self.bell[index(role)];
        let slice_ends = (reach == Reach::Fenced).then(|| Instant::now() + SLICE);
        let mut books = self.open();
        while books.wakeups[index(role)] == 0 {
            let now = Instant::now();
            books = match until.into_iter().chain(slice_ends).min() {
                None => bell.wait(books).expect(UNPOISONED),
                Some(end) if end > now => bell.wait_timeout(books, end - now).expect(UNPOISONED).0,
                Some(end) if Some(end) == until => return Ok(Wake::TimedOut),
                Some(_) => return Ok(Wake::Slice),
            };
        }
        books.wakeups[index(role)] -= 1;
        Ok(Wake::Token)
    }

    #[cfg(loom)]
    fn sleep(&self, role: Role, _: Option<Deadline>, _: Reach) -> Result<Wake, ParkFault> {
        let mut books = self.open();
        while books.wakeups[index(role)] == 0 {
            if books.restless[index(role)] {
                return Ok(Wake::Interrupted);
            }
            books = self.bell[index(role)].wait(books).expect(UNPOISONED);
        }
        books.wakeups[index(role)] -= 1;
        Ok(Wake::Token)
    }

    fn wake(&self, role: Role) -> Result<(), ParkFault> {
        let mut books = self.open();
        let wakeups = &mut books.wakeups[index(role)];
        *wakeups = wakeups.saturating_add(1);
        self.bell[index(role)].notify_one();
        Ok(())
    }
}
