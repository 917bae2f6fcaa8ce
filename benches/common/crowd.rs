//! How many producers and many consumers meet: each in a process or thread of its own, by one clock.
//!
//! Each producer sends as many items as each other, and each consumer takes as many as each other. First they let a
//! warm-up pass. When all have done so the clock starts and they are told to go on; it stops when the last consumer has
//! taken and checked its last item. Then the consumers' books are added up: each item must have come to one of them.
//! Whoever is done waits for all others before it goes: that a process ends takes a processor as long as thousands of items do.
//!
//! Nobody is pinned, except one producer that meets one consumer: where the members of a crowd run is up to the
//! scheduler, and how well a contender gets on with it is part of what is measured.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::ops::Range;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::duel::{self, Between, Laps, Work};
use super::ledger::{Ledger, Tally, item};
use super::machine;

/// How long nobody may have anything to say, in milliseconds. Nothing is expected to come near.
const PATIENCE: u16 = 60_000;

/// Takes that many items and enters them.
pub(crate) type Take = Box<dyn FnMut(u64, &mut Ledger)>;

/// Makes members ready where they will run: each in its own process or thread.
pub(crate) struct Crowd {
    /// Makes the producer with this number.
    source: Box<dyn Fn(u64) -> Work + Sync>,
    sink: Box<dyn Fn() -> Take + Sync>,
    between: Between,
}

impl Crowd {
    pub(crate) fn new<W, T>(
        between: Between,
        source: impl Fn(u64) -> W + Sync + 'static,
        sink: impl Fn() -> T + Sync + 'static,
    ) -> Self
    where
        W: FnMut(Range<u64>) + 'static,
        T: FnMut(u64, &mut Ledger) + 'static,
    {
        Self {
            source: Box::new(move |producer| Box::new(source(producer))),
            sink: Box::new(move || Box::new(sink())),
            between,
        }
    }

    /// Members that all use clones of the same, and pass one item at a time.
    pub(crate) fn alike(
        between: Between,
        send: impl Fn(u64) + Clone + Sync + 'static,
        receive: impl Fn() -> u64 + Clone + Sync + 'static,
    ) -> Self {
        Self::new(
            between,
            move |producer| {
                let send = send.clone();
                move |places| places.for_each(|place| send(item(producer, place)))
            },
            move || {
                let receive = receive.clone();
                move |count, ledger| (0..count).for_each(|_| ledger.enter(receive()))
            },
        )
    }
}

/// How many meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) producers: u64,
    pub(crate) consumers: u64,
}

impl Shape {
    fn members(self) -> u64 {
        self.producers + self.consumers
    }
}

/// Lets the items pass, which must be a multiple of the producers and of the consumers; returns how long the timed ones
/// took. Whatever goes wrong ends the benchmark.
pub(crate) fn run(crowd: Crowd, shape: Shape, laps: Laps) -> Duration {
    machine::roam(); // so that the members begin apart
    let meeting = Meeting::new(crowd, shape, laps);
    match meeting.crowd.between {
        Between::Processes => meeting.of_processes(),
        Between::Threads => meeting.of_threads(),
    }
}

/// What the members share.
struct Meeting {
    crowd: Crowd,
    shape: Shape,
    laps: Laps,
    began: Instant,
    /// A byte for each member that may go on.
    go: Cue,
    /// The same for all who may leave.
    over: Cue,
    words: (PipeReader, PipeWriter),
}

impl Meeting {
    fn new(crowd: Crowd, shape: Shape, laps: Laps) -> Self {
        for parts in [shape.producers, shape.consumers] {
            assert!(laps.warm.is_multiple_of(parts) && laps.timed.is_multiple_of(parts));
        }
        Self {
            crowd,
            shape,
            laps,
            began: Instant::now(),
            go: Cue::new(),
            over: Cue::new(),
            words: pipe().expect("a pipe for what the members say"),
        }
    }

    fn of_processes(&self) -> Duration {
        let members = 0..self.shape.members();
        let fork = |member| duel::fork((), || self.take_part(member)).0;
        let children = Children(members.map(fork).collect());
        let time = self.preside().unwrap_or_else(|why| panic!("{why}"));
        children.reap();
        time
    }

    fn of_threads(&self) -> Duration {
        thread::scope(|scope| {
            for member in 0..self.shape.members() {
                scope.spawn(move || self.take_part(member));
            }
            self.preside().unwrap_or_else(|why| {
                eprintln!("{why}");
                exit(1) // because threads that wait for ever cannot be ended alone
            })
        })
    }

    /// What the process does that the members belong to.
    fn preside(&self) -> Result<Duration, String> {
        for _ in 0..self.shape.members() {
            self.hear()?;
        }
        let start = self.time();
        self.go.give(self.shape.members());
        let words: Result<Vec<Word>, _> = (0..self.shape.members()).map(|_| self.hear()).collect();
        let words = words?;
        self.over.give(self.shape.members());
        let all = self.laps.warm + self.laps.timed;
        let expected = Tally::expected(self.shape.producers, all / self.shape.producers);
        let came = words.iter().map(|word| word.tally).sum();
        if expected != came {
            return Err(format!("{came:?} of {expected:?} came"));
        }
        let end = words.iter().map(|word| word.time).max();
        Ok(Duration::from_nanos(end.expect("a member") - start))
    }

    fn take_part(&self, member: u64) {
        let producers = self.shape.producers;
        let end = catch_unwind(AssertUnwindSafe(|| match member.checked_sub(producers) {
            None => self.produce(member),
            Some(_) => self.consume(),
        }));
        if let Err(why) = end {
            self.say(&Word {
                failed: 1,
                ..Word::default()
            });
            resume_unwind(why);
        }
    }

    fn produce(&self, producer: u64) {
        self.place(machine::become_producer);
        let [warm, timed] = [self.laps.warm, self.laps.timed].map(|all| all / self.shape.producers);
        let mut send = (self.crowd.source)(producer);
        send(0..warm);
        self.wait_for_go();
        send(warm..warm + timed);
        self.say(&Word::default());
        self.over.wait();
    }

    fn consume(&self) {
        self.place(machine::become_consumer);
        let [warm, timed] = [self.laps.warm, self.laps.timed].map(|all| all / self.shape.consumers);
        let mut ledger = Ledger::new(self.shape.producers);
        let mut take = (self.crowd.sink)();
        take(warm, &mut ledger);
        self.wait_for_go();
        take(timed, &mut ledger);
        self.say(&Word {
            time: self.time(),
            tally: ledger.tally(),
            ..Word::default()
        });
        self.over.wait();
    }

    fn place(&self, alone: fn()) {
        if self.shape.members() == 2 {
            alone();
        } else {
            machine::roam();
        }
    }

    fn wait_for_go(&self) {
        self.say(&Word::default());
        self.go.wait();
    }

    fn say(&self, word: &Word) {
        (&self.words.1)
            .write_all(word.as_bytes())
            .expect("somebody who listens");
    }

    fn hear(&self) -> Result<Word, String> {
        let mut pipe = [PollFd::new(self.words.0.as_fd(), PollFlags::POLLIN)];
        if poll(&mut pipe, PATIENCE).expect("a pipe can be polled") == 0 {
            return Err("nobody got on any more".into());
        }
        let mut word = Word::default();
        let mut words = &self.words.0;
        words.read_exact(word.as_mut_bytes()).expect("a whole word");
        match word.failed {
            0 => Ok(word),
            _ => Err("a member failed".into()),
        }
    }

    /// Nanoseconds since the meeting began.
    fn time(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

/// What all members wait for: a byte for each.
struct Cue {
    wait: PipeReader,
    give: PipeWriter,
}

impl Cue {
    fn new() -> Self {
        let (wait, give) = pipe().expect("a pipe for a signal");
        Self { wait, give }
    }

    fn give(&self, members: u64) {
        let bytes = vec![0; members as usize];
        (&self.give).write_all(&bytes).expect("the members listen");
    }

    fn wait(&self) {
        (&self.wait)
            .read_exact(&mut [0])
            .expect("the signal to go on");
    }
}

/// What a member says when it has done a lap: few enough bytes to be written at once.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Word {
    failed: u64,
    /// When it had done the timed lap, in nanoseconds since the meeting began.
    time: u64,
    tally: Tally,
}

/// Processes that are ended and reaped, whatever happens.
struct Children(Vec<Pid>);

impl Children {
    fn reap(mut self) {
        while let Some(&child) = self.0.last() {
            let end = waitpid(child, None).expect("the child is ours");
            self.0.pop();
            assert_eq!(end, WaitStatus::Exited(child, 0), "a member failed");
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for &child in &self.0 {
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitpid(child, None);
        }
    }
}
