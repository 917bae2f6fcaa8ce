//! The books of a ring within one process: a lock and two condition variables.
//!
//! For doctests, tests, fuzzing and loom, and for whoever wants a ring between threads. They are kept as the kernel keeps
//! its own: a wake-up that is added goes to whoever sleeps longest, and a death ends what its process held, and adds its
//! wake-ups, in one step (`Local::die`, under loom).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
#[cfg(not(loom))]
use std::time::Instant;

#[cfg(not(loom))]
use super::SLICE;
use super::{Deadline, ParkFault, Reach};
use crate::ring::{Parking, Role, Roll, Wake};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What one process has taken, as SEM_UNDO keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    process: u32,
    role: Option<Role>,
}

#[derive(Debug, Default)]
struct Books {
    attached: [u32; 2],
    wakeups: [u32; 2],
    /// Who sleeps, in the order of coming, and who was given a wake-up and has not gone yet.
    queue: [VecDeque<u64>; 2],
    called: BTreeSet<u64>,
    tickets: u64,
    /// Who has a participant's number.
    numbers: BTreeMap<u16, Held>,
    /// Whether whoever would sleep is interrupted at once: models have no clock and no signals.
    #[cfg(loom)]
    restless: [bool; 2],
}

impl Books {
    /// Gives a wake-up to whoever sleeps longest, or keeps it.
    fn add(&mut self, role: Role) {
        let role = index(role);
        match self.queue[role].pop_front() {
            Some(ticket) => {
                self.called.insert(ticket);
            }
            None => self.wakeups[role] = self.wakeups[role].saturating_add(1),
        }
    }

    /// Takes a wake-up, or gives a ticket to wait with.
    fn take(&mut self, role: Role) -> Option<u64> {
        let role = index(role);
        if self.wakeups[role] > 0 {
            self.wakeups[role] -= 1;
            return None;
        }
        self.tickets += 1;
        self.queue[role].push_back(self.tickets);
        Some(self.tickets)
    }
}

#[derive(Debug)]
struct Desk {
    books: Mutex<Books>,
    bell: [Condvar; 2],
    /// Whether a death adds its wake-ups. Only a model that shows what they are for switches it off.
    credits: bool,
}

#[derive(Debug)]
pub(crate) struct Local {
    desk: Arc<Desk>,
    /// Whom a death takes along.
    process: u32,
}

impl Local {
    pub(crate) fn new() -> Self {
        Self::with_credits(true)
    }

    pub(crate) fn with_credits(credits: bool) -> Self {
        #[allow(
            clippy::arc_with_non_send_sync,
            reason = "loom's are not; loom runs one thread at a time"
        )]
        let desk = Arc::new(Desk {
            books: Mutex::new(Books::default()),
            bell: [Condvar::new(), Condvar::new()],
            credits,
        });
        Self { desk, process: 0 }
    }

    /// A call into the books: one step, as a system call is.
    fn open(&self) -> MutexGuard<'_, Books> {
        died_before_call();
        self.desk.books.lock().expect(UNPOISONED)
    }

    fn ring(&self, role: Role) {
        self.desk.bell[index(role)].notify_all();
    }

    /// What the kernel does at the end of the holder of a role: ends the attachment and adds a wake-up on each side, in one step.
    pub(crate) fn bury(&self, role: Role) {
        let mut books = self.desk.books.lock().expect(UNPOISONED);
        self.end(&mut books, Some(role));
    }

    fn end(&self, books: &mut Books, role: Option<Role>) {
        if let Some(role) = role {
            books.attached[index(role)] -= 1;
        }
        if self.desk.credits {
            for role in [Role::Producer, Role::Consumer] {
                books.add(role);
                self.ring(role);
            }
        }
    }

    fn is_called(books: &mut Books, ticket: u64) -> bool {
        books.called.remove(&ticket)
    }
}

#[cfg(loom)]
impl Local {
    /// The same books, kept for another process.
    pub(crate) fn of_process(&self, process: u32) -> Self {
        Self {
            desk: Arc::clone(&self.desk),
            process,
        }
    }

    pub(crate) fn set_restless(&self, role: Role, restless: bool) {
        self.open().restless[index(role)] = restless;
    }

    /// What the kernel does when this process has died, in one step.
    pub(crate) fn die(&self) {
        let mut books = self.desk.books.lock().expect(UNPOISONED);
        let numbers = core::mem::take(&mut books.numbers);
        for (number, held) in numbers {
            match held {
                held if held.process != self.process => {
                    books.numbers.insert(number, held);
                }
                Held { role, .. } => self.end(&mut books, role),
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
        let bell = &self.desk.bell[index(role)];
        let slice_ends = (reach == Reach::Fenced).then(|| Instant::now() + SLICE);
        let mut books = self.open();
        let Some(ticket) = books.take(role) else {
            return Ok(Wake::Token);
        };
        while !Self::is_called(&mut books, ticket) {
            let now = Instant::now();
            let end = until.into_iter().chain(slice_ends).min();
            if end.is_some_and(|end| end <= now) {
                books.queue[index(role)].retain(|other| *other != ticket);
                let late = until.is_some() && end == until;
                return Ok(if late { Wake::TimedOut } else { Wake::Slice });
            }
            books = match end {
                None => bell.wait(books).expect(UNPOISONED),
                Some(end) => bell.wait_timeout(books, end - now).expect(UNPOISONED).0,
            };
        }
        Ok(Wake::Token)
    }

    #[cfg(loom)]
    fn sleep(&self, role: Role, _: Option<Deadline>, _: Reach) -> Result<Wake, ParkFault> {
        let mut books = self.open();
        if books.wakeups[index(role)] == 0 && books.restless[index(role)] {
            return Ok(Wake::Interrupted);
        }
        let Some(ticket) = books.take(role) else {
            return Ok(Wake::Token);
        };
        while !Self::is_called(&mut books, ticket) {
            books = self.desk.bell[index(role)].wait(books).expect(UNPOISONED);
        }
        Ok(Wake::Token)
    }

    fn wake(&self, role: Role) -> Result<(), ParkFault> {
        self.open().add(role);
        self.ring(role);
        Ok(())
    }

    fn join(&self, number: u16, role: Role, beside: Option<Role>) -> Result<bool, ParkFault> {
        let mut books = self.open();
        let company = beside.is_none_or(|role| books.attached[index(role)] > 0);
        let free = company && !books.numbers.contains_key(&number);
        if free {
            let held = Held {
                process: self.process,
                role: Some(role),
            };
            books.numbers.insert(number, held);
            books.attached[index(role)] += 1;
        }
        Ok(free)
    }

    fn is_deserted(&self) -> Result<bool, ParkFault> {
        Ok(self.open().attached == [0, 0])
    }

    fn found(&self, number: u16, role: Role) -> Result<bool, ParkFault> {
        let mut books = self.open();
        let first = books.attached == [0, 0];
        if first && let Some(held) = books.numbers.get_mut(&number) {
            held.role = Some(role);
            books.attached[index(role)] += 1;
        }
        Ok(first)
    }

    fn adopt(&self, _: u16, _: Role) -> Result<bool, ParkFault> {
        Ok(false) // what is one process's is not its child's
    }

    fn leave(&self, number: u16, role: Role) -> Result<(), ParkFault> {
        let mut books = self.open();
        if books.numbers.remove(&number).is_some() {
            self.end(&mut books, Some(role));
        }
        Ok(())
    }

    fn take(&self, number: u16) -> Result<bool, ParkFault> {
        let mut books = self.open();
        let free = !books.numbers.contains_key(&number);
        if free {
            let held = Held {
                process: self.process,
                role: None,
            };
            books.numbers.insert(number, held);
        }
        Ok(free)
    }

    fn give(&self, number: u16) -> Result<(), ParkFault> {
        self.open().numbers.remove(&number);
        Ok(())
    }

    fn alive(&self, number: u16) -> Result<bool, ParkFault> {
        Ok(self.open().numbers.contains_key(&number))
    }

    fn settle_in(&self, _: u16) {}

    fn is_ours(&self, _: u16) -> bool {
        true
    }

    fn roll(&self) -> Result<Roll, ParkFault> {
        let mut roll = Roll::default();
        let books = self.open();
        books.numbers.keys().for_each(|number| roll.insert(*number));
        Ok(roll)
    }
}
