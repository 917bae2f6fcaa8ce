//! How a producer and a consumer meet: in two pinned processes or threads, by the consumer's clock.
//!
//! The consumer first takes a warm-up. Then it starts its clock, tells the producer to go on, and stops when the last
//! item has come and was checked.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{self, ForkResult, Pid};

use super::machine;

/// Sends, or takes and checks, the items with these numbers.
pub(crate) type Work = Box<dyn FnMut(Range<u64>)>;

/// Makes a side ready where it will run: in its own process or thread.
pub(crate) type Start = Box<dyn FnOnce() -> Work + Send>;

/// Wraps up what starts a side.
pub(crate) fn start<W: FnMut(Range<u64>) + 'static>(
    make: impl FnOnce() -> W + Send + 'static,
) -> Start {
    Box::new(|| Box::new(make()))
}

/// What separates the two sides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Between {
    Processes,
    Threads,
}

/// The two sides of a connection.
pub(crate) struct Ends {
    pub(crate) source: Start,
    pub(crate) sink: Start,
    pub(crate) between: Between,
}

/// How many items pass without the clock, and how many with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Laps {
    pub(crate) warm: u64,
    pub(crate) timed: u64,
}

/// Lets the items pass; returns how long the timed ones took.
pub(crate) fn run(ends: Ends, laps: Laps) -> Duration {
    let (go, says_go) = pipe().expect("a pipe for the starting signal");
    match ends.between {
        Between::Processes => in_processes(ends, laps, go, says_go),
        Between::Threads => thread::scope(|scope| {
            let source = ends.source;
            scope.spawn(move || produce(source, laps, go));
            consume(ends.sink, laps, says_go)
        }),
    }
}

fn in_processes(ends: Ends, laps: Laps, go: PipeReader, says_go: PipeWriter) -> Duration {
    let Ends { source, sink, .. } = ends;
    let (child, (sink, says_go)) = fork((sink, says_go), move || produce(source, laps, go));
    let time = consume(sink, laps, says_go);
    let end = waitpid(child, None).expect("the child is ours");
    assert_eq!(end, WaitStatus::Exited(child, 0), "the producer failed");
    time
}

/// Lets a second process do some work and exit, with a failure if it panicked; it does not outlive this one. What the
/// parent keeps is dropped there.
#[allow(
    unsafe_code,
    reason = "several processes are what is measured, and fork is how they come about"
)]
pub(crate) fn fork<K>(keeps: K, work: impl FnOnce()) -> (Pid, K) {
    // SAFETY: no other thread is alive here, since everything that was measured before, and each ping-pong, ended with
    // its threads; so the child finds no lock held, and may go on as any program does.
    match unsafe { unistd::fork() }.expect("a second process") {
        ForkResult::Child => {
            drop(keeps);
            set_pdeathsig(Signal::SIGKILL).expect("a valid signal");
            let end = catch_unwind(AssertUnwindSafe(work));
            exit(i32::from(end.is_err()))
        }
        ForkResult::Parent { child } => (child, keeps),
    }
}

fn produce(source: Start, laps: Laps, mut go: PipeReader) {
    machine::become_producer();
    let mut send = source();
    send(0..laps.warm);
    go.read_exact(&mut [0]).expect("the consumer says go");
    send(laps.warm..laps.warm + laps.timed);
}

fn consume(sink: Start, laps: Laps, mut says_go: PipeWriter) -> Duration {
    machine::become_consumer();
    let mut receive = sink();
    receive(0..laps.warm);
    let start = Instant::now();
    says_go.write_all(&[0]).expect("the producer listens");
    receive(laps.warm..laps.warm + laps.timed);
    start.elapsed()
}
