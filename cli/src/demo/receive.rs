//! The receiving side of the demo, by either way: takes chunks, hashes them, and takes the time.

use std::io::Read;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use ringpipe::PopTimeoutError;
use ringpipe::spsc::{Consumer, Options};
use xxhash_rust::xxh3::Xxh3Default;

use super::Task;
use super::child::Sender;
use super::report::{Run, bar};
use crate::args::Way;
use crate::exit::Failure;
use crate::signals::TICK;

pub(super) const TYPE_NAME: &str = "demo";

/// What has come, and since when.
struct Intake<'a> {
    task: &'a Task,
    start: Instant,
    hash: Xxh3Default,
    left: u64,
    bar: ProgressBar,
}

impl<'a> Intake<'a> {
    fn new(task: &'a Task, way: &'static str) -> Self {
        Self {
            task,
            start: Instant::now(),
            hash: Xxh3Default::new(),
            left: task.bytes,
            bar: bar(way, task.bytes),
        }
    }

    /// Begins to take the time: the first byte is wanted now.
    fn begin(&mut self) {
        self.start = Instant::now();
    }

    /// How much to ask for; 0 when all has come.
    fn wanted(&self) -> usize {
        usize::try_from(self.left).map_or(self.task.chunk, |left| left.min(self.task.chunk))
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.left -= bytes.len() as u64;
        self.bar.inc(bytes.len() as u64);
    }

    fn end(self) -> Run {
        let time = self.start.elapsed();
        self.bar.finish_and_clear();
        Run {
            time,
            hash: self.hash.digest(),
        }
    }
}

/// One round through a ring without a name, of which nothing can stay behind.
pub(super) fn by_ring(task: &Task) -> Result<Run, Failure> {
    let options = Options::new().capacity(task.capacity).type_name(TYPE_NAME);
    let ring = options.create::<u8>(ringpipe::Name::Private)?;
    let mut consumer = ring.consumer()?;
    consumer.set_interruptible(true);
    let mut sender = Sender::start(Way::Ring, ring.id().as_ref(), task)?;
    let mut intake = Intake::new(task, "ring");
    intake.begin();
    sender.begin(&task.signals)?;
    while intake.wanted() > 0 {
        task.signals.check()?;
        if !take_from(&mut consumer, &mut intake)? {
            return Err(sender.lost(&task.signals));
        }
    }
    let run = intake.end();
    sender.finish(&task.signals)?;
    Ok(run)
}

/// Takes what comes within a tick. `false` if the sender is gone.
fn take_from(consumer: &mut Consumer<u8>, intake: &mut Intake) -> Result<bool, Failure> {
    match consumer.peek_timeout(intake.wanted(), TICK) {
        Ok(items) => {
            let (first, second) = items.as_slices();
            intake.take(first);
            intake.take(second);
            items.release_all();
            Ok(true)
        }
        Err(PopTimeoutError::Timeout | PopTimeoutError::Interrupted) => Ok(true),
        Err(PopTimeoutError::Disconnected) => Ok(false),
        Err(PopTimeoutError::Fault(fault)) => Err(fault.into()),
    }
}

/// One round through a pipe as the system gives it.
pub(super) fn by_pipe(task: &Task) -> Result<Run, Failure> {
    let mut sender = Sender::start(Way::Pipe, None, task)?;
    let mut buffer = vec![0; task.chunk];
    let mut intake = Intake::new(task, "pipe");
    intake.begin();
    sender.begin(&task.signals)?;
    while intake.wanted() > 0 {
        let wanted = intake.wanted();
        let read = sender.output().read(&mut buffer[..wanted]);
        task.signals.check()?;
        match read {
            Ok(0) => return Err(sender.lost(&task.signals)),
            Ok(count) => intake.take(&buffer[..count]),
            Err(error) => return Err(Failure::io("read from the pipe", &error)),
        }
    }
    let run = intake.end();
    sender.finish(&task.signals)?;
    Ok(run)
}

/// Bytes a second.
pub(super) fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64()
}
