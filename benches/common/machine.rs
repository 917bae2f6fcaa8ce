//! Where the two sides run, and how far apart that is at the moment.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The processors of the producer and of the consumer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Placement {
    Pinned {
        producer: usize,
        consumer: usize,
    },
    /// This process may use one processor only: nothing is pinned, and nobody may spin.
    Alone,
}

/// The processors that this process could use when it began.
fn allowed() -> &'static CpuSet {
    static ALLOWED: OnceLock<CpuSet> = OnceLock::new();
    ALLOWED.get_or_init(|| sched_getaffinity(Pid::from_raw(0)).expect("own affinity can be read"))
}

/// The first two processors that this process could use when it began.
pub(crate) fn placement() -> Placement {
    static PLACEMENT: OnceLock<Placement> = OnceLock::new();
    *PLACEMENT.get_or_init(|| {
        let allowed = allowed();
        let mut cpus = (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false));
        match (cpus.next(), cpus.next()) {
            (Some(producer), Some(consumer)) => Placement::Pinned { producer, consumer },
            _ => Placement::Alone,
        }
    })
}

/// Says where the two sides run.
pub(crate) fn introduction() -> String {
    match placement() {
        Placement::Pinned { producer, consumer } => {
            format!("producer on processor {producer}, consumer on processor {consumer}")
        }
        Placement::Alone => {
            "one processor only: nothing is pinned, and the figures say little".into()
        }
    }
}

/// Pins the calling thread to the producer's processor.
pub(crate) fn become_producer() {
    if let Placement::Pinned { producer, .. } = placement() {
        pin(producer);
    }
}

/// Pins the calling thread to the consumer's processor.
pub(crate) fn become_consumer() {
    if let Placement::Pinned { consumer, .. } = placement() {
        pin(consumer);
    }
}

/// Lets the calling thread run wherever the scheduler puts it.
pub(crate) fn roam() {
    sched_setaffinity(Pid::from_raw(0), allowed()).expect("what was allowed still is");
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).expect("a processor's number fits the set");
    sched_setaffinity(Pid::from_raw(0), &set).expect("an allowed processor can be chosen");
}

/// One round of waiting awake, for contenders that cannot sleep.
#[inline(always)]
pub(crate) fn relax() {
    match placement() {
        Placement::Pinned { .. } => std::hint::spin_loop(),
        Placement::Alone => thread::yield_now(),
    }
}

/// A line of its own.
#[repr(align(128))]
struct Ball(AtomicUsize);

impl Ball {
    fn new() -> Self {
        Self(AtomicUsize::new(0))
    }
}

const ROUND_TRIPS: usize = 4000;

/// How long a cache line takes from one side to the other and back; `None` on one processor.
///
/// It depends on where a hypervisor has put the processors, which changes by the second: figures are comparable
/// only while it stays about the same.
pub(crate) fn ping_pong() -> Option<Duration> {
    let ball = Ball::new();
    rally(&ball, &ball)
}

/// The same with one line for each direction, as two rings have: each must be taken back from who looks at it before it can be
/// written, which on some processors doubles the time.
pub(crate) fn ping_pong_on_two_lines() -> Option<Duration> {
    rally(&Ball::new(), &Ball::new())
}

/// How long it takes there and back, by a line for each.
fn rally(there: &Ball, back: &Ball) -> Option<Duration> {
    if matches!(placement(), Placement::Alone) {
        return None;
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            become_producer();
            (0..ROUND_TRIPS).for_each(|n| strike(there, back, 2 * n));
        });
        become_consumer();
        strike(back, there, 1);
        let start = Instant::now();
        (1..ROUND_TRIPS).for_each(|n| strike(back, there, 2 * n + 1));
        Some(start.elapsed() / (ROUND_TRIPS as u32 - 1))
    })
}

/// Waits for `n` to come, and sends the next number.
fn strike(from: &Ball, to: &Ball, n: usize) {
    while from.0.load(Ordering::Acquire) != n {
        std::hint::spin_loop();
    }
    to.0.store(n + 1, Ordering::Release);
}
