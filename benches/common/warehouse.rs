//! The rival from the textbook: the bounded buffer of Dijkstra's "Cooperating sequential processes" (EWD 123, 1965,
//! section 4.3), also known as the warehouse of producers and consumers.
//!
//! Two semaphores count, the empty places and the full ones, and a third one lets one process at a time into the
//! warehouse. Here they are three System V semaphores in one set; head, tail and places are a System V segment. As in
//! the textbook each P and each V is a call of its own, so an item takes eight system calls: four to bring it in, four
//! to fetch it.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringpipe::sysv::{
    self, Key, Mapping, SemGetFlags, SemId, SemOp, ShmAtFlags, ShmGetFlags, semctl_rmid, semop,
    shmat, shmctl_rmid, shmget,
};

use super::crowd::Crowd;
use super::duel::Between;

/// Between processes.
pub(crate) fn open(capacity: usize) -> Crowd {
    let warehouse = Arc::new(Warehouse::new(capacity));
    let other = Arc::clone(&warehouse);
    Crowd::alike(
        Between::Processes,
        move |item| warehouse.put(&[item]),
        move || {
            let [item] = other.get();
            item
        },
    )
}

/// For items of `N` words.
pub(crate) struct Warehouse<const N: usize> {
    semaphores: Semaphores,
    /// Head, tail, and the places.
    memory: Mapping,
    capacity: usize,
}

const HEAD: usize = 0;
const TAIL: usize = 1;
const PLACES: usize = 2;

impl<const N: usize> Warehouse<N> {
    /// Processes forked from now on share it.
    pub(crate) fn new(capacity: usize) -> Self {
        let size = (PLACES + N * capacity) * size_of::<u64>();
        let segment = shmget(Key::PRIVATE, size, ShmGetFlags::CREATE, 0o600).expect("a segment");
        let memory = shmat(segment, ShmAtFlags::empty());
        // It goes with the last process that has it; all but this one inherit it.
        shmctl_rmid(segment).expect("our own segment");
        Self {
            semaphores: Semaphores::new(capacity),
            memory: memory.expect("room for the segment"),
            capacity,
        }
    }

    #[allow(unsafe_code, reason = "shared memory has an address and no type")]
    fn words(&self) -> &[AtomicU64] {
        let words = self.memory.as_ptr().cast::<AtomicU64>();
        // SAFETY: the segment is page-aligned, has that many words, was filled with zeros, and is mapped for as long as
        // `self` lives; everybody uses it by atomics.
        unsafe { std::slice::from_raw_parts(words.as_ptr(), PLACES + N * self.capacity) }
    }

    /// The place that the index in this word says, which goes on to the next. For who holds the mutex.
    fn step(&self, index: usize) -> &[AtomicU64] {
        let words = self.words();
        let at = words[index].load(Ordering::Relaxed);
        words[index].store((at + 1) % self.capacity as u64, Ordering::Relaxed);
        &words[PLACES + N * at as usize..][..N]
    }

    pub(crate) fn put(&self, item: &[u64; N]) {
        self.semaphores.p(EMPTY);
        self.semaphores.p(MUTEX);
        for (place, &word) in self.step(TAIL).iter().zip(item) {
            place.store(word, Ordering::Relaxed);
        }
        self.semaphores.v(MUTEX);
        self.semaphores.v(FULL);
    }

    pub(crate) fn get(&self) -> [u64; N] {
        self.semaphores.p(FULL);
        self.semaphores.p(MUTEX);
        let place = self.step(HEAD);
        let item = std::array::from_fn(|i| place[i].load(Ordering::Relaxed));
        self.semaphores.v(MUTEX);
        self.semaphores.v(EMPTY);
        item
    }
}

/// The set, which is removed when the process that made it drops this, also in a panic. One that is killed leaves it to
/// ipcrm(1).
struct Semaphores {
    set: SemId,
    maker: u32,
}

const EMPTY: u16 = 0;
const FULL: u16 = 1;
const MUTEX: u16 = 2;

impl Semaphores {
    fn new(capacity: usize) -> Self {
        let set = sysv::semget(Key::PRIVATE, 3, SemGetFlags::CREATE, 0o600).expect("a set");
        let semaphores = Self {
            set,
            maker: process::id(),
        };
        let capacity = i16::try_from(capacity).expect("what a semaphore can count");
        let initial = [SemOp::add(EMPTY, capacity), SemOp::add(MUTEX, 1)];
        semop(set, &initial).expect("a new set's values");
        semaphores
    }

    /// Waits for the semaphore to be above zero, and takes one.
    fn p(&self, semaphore: u16) {
        semop(self.set, &[SemOp::take(semaphore, 1)]).expect("the set");
    }

    /// Adds one.
    fn v(&self, semaphore: u16) {
        semop(self.set, &[SemOp::add(semaphore, 1)]).expect("the set");
    }
}

impl Drop for Semaphores {
    fn drop(&mut self) {
        if self.maker == process::id() {
            let _ = semctl_rmid(self.set);
        }
    }
}
