//! Messages come whole and in order, by each way: one by one, many at once, there and back.
//!
//! Each way has a process of its own, where it forks and makes threads as it does when it is measured. One that hangs is
//! ended by an alarm.

use std::any::type_name;
use std::panic;
use std::sync::Mutex;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{alarm, write};

use super::{Family, Visitor, crowds, place, visit_all};
use crate::common::crowd::{self, Crowd, Shape};
use crate::common::duel::{self, Laps};
use crate::ends;
use crate::way::Way;

/// How long a way may take, in seconds. None is expected to come near.
const PATIENCE: u32 = 60;

/// What the ways are to hold.
const CAPACITY: usize = 1024;

const SLICE: usize = 64;

#[test]
fn ours_is_whole() {
    test(Family::Ours);
}

#[test]
fn the_kernel_is_whole() {
    test(Family::Kernel);
}

#[test]
fn between_processes_all_are_whole() {
    test(Family::Processes);
}

#[test]
fn between_threads_all_are_whole() {
    test(Family::Threads);
}

#[test]
fn no_item_of_a_crowd_is_lost() {
    let alone = ALONE.lock();
    let shaq = alone_passes(|| pass_crowds(crowds::shaq));
    let cloudtoid = alone_passes(|| pass_crowds(crowds::cloudtoid));
    drop(alone);
    assert!(shaq, "shaq");
    assert!(cloudtoid, "cloudtoid");
}

/// Whoever waits here holds no other lock, which a child would find held for ever.
static ALONE: Mutex<()> = Mutex::new(());

fn test(family: Family) {
    let mut tests = Tests {
        family,
        failed: Vec::new(),
        passed: 0,
    };
    let alone = ALONE.lock();
    visit_all(&mut tests);
    drop(alone);
    assert_eq!(tests.failed, [] as [&str; 0]);
    assert!(tests.passed > 0, "a family without members");
}

struct Tests {
    family: Family,
    failed: Vec<&'static str>,
    passed: usize,
}

impl Visitor for Tests {
    fn visit<W: Way<1> + Way<8> + Way<32> + Way<128> + Way<512>>(&mut self, family: Family) {
        if family != self.family {
            return;
        }
        let passes = alone_passes(|| {
            pass::<1, W>(10_000);
            pass::<8, W>(10_000);
            pass::<512, W>(1_000);
        });
        if passes {
            self.passed += 1;
        } else {
            self.failed.push(type_name::<W>());
        }
    }
}

/// Whether it does in a process of its own.
fn alone_passes(work: impl FnOnce()) -> bool {
    let (child, ()) = duel::fork((), || {
        alarm::set(PATIENCE);
        panic::set_hook(Box::new(|why| {
            // Straight, as what is printed in a test is kept where nobody looks for it.
            let _ = write(std::io::stderr(), format!("{why}\n").as_bytes());
        }));
        work();
    });
    let end = waitpid(child, None).expect("a child");
    place::sweep(child);
    end == WaitStatus::Exited(child, 0)
}

fn pass_crowds(open: fn(usize) -> Crowd) {
    for (producers, consumers) in [(1, 1), (2, 2)] {
        let shape = Shape {
            producers,
            consumers,
        };
        let laps = Laps {
            warm: 100,
            timed: 4_000, // few, as who spins may take a time slice for each
        };
        crowd::run(open(CAPACITY), shape, laps);
    }
}

fn pass<const N: usize, W: Way<N>>(messages: u64) {
    let laps = |count: u64| Laps {
        warm: SLICE as u64,
        timed: count.next_multiple_of(SLICE as u64),
    };
    duel::run(ends::single::<N, W>(CAPACITY), laps(messages));
    if W::SLICES {
        duel::run(ends::slices::<SLICE, N, W>(CAPACITY), laps(messages));
    }
    duel::run(ends::echo::<N, W>(CAPACITY), laps(1_000));
}
