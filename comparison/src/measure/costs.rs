//! What it costs to make a ring, to come to one, to leave it, and to go on after a death, by capacity.
//!
//! Deaths are real: a child gets hold of something, says so, and is killed. The clock starts when waitpid(2) has told of it,
//! with the first call of whoever comes next, and stops when that one has gone on. The rings have no names: the kernel takes
//! them away with their last user, however this ends.

use std::io::{BufRead, PipeWriter, Read, Write, pipe};
use std::marker::PhantomData;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use ringpipe::sysv::shmctl_stat;
use ringpipe::{Error, Name, Options, PeerLoss, RingKind, mpmc, spsc, stream};

use crate::common::duel;

/// What one work takes on rings of one capacity.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    pub(crate) ring: &'static str,
    pub(crate) work: &'static str,
    /// In slots; a stream's slot is a byte.
    pub(crate) capacity: usize,
    /// Bytes of an item.
    pub(crate) item: usize,
    /// Bytes of the segment, as the kernel says.
    pub(crate) segment: usize,
    /// The same, as docs/abi.md says.
    pub(crate) formula: usize,
    /// Nanoseconds.
    pub(crate) median: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
}

const CAPACITIES: [usize; 6] = [64, 1 << 10, 16 << 10, 256 << 10, 1 << 20, 16 << 20];

/// Measures all that does not come with each message, on all kinds of rings.
pub(crate) fn costs(quick: bool) -> Vec<Cost> {
    // The first ring of a process finds out whether the kernel undoes what the dead have done.
    drop(create::<Pair>(1, Pages::AtOnce));
    let (capacities, pace) = if quick {
        (&CAPACITIES[..4], QUICK)
    } else {
        (&CAPACITIES[..], THOROUGH)
    };
    let mut costs = Vec::new();
    for &capacity in capacities {
        costs.extend(costs_of::<Pair>(capacity, pace));
        costs.extend(costs_of::<Crowd>(capacity, pace));
        // Less is no stream.
        if capacity >= stream::PIPE_BUF {
            costs.extend(costs_of::<Stream>(capacity, pace));
        }
    }
    costs
}

/// How often each work is done: so many times at least, and until the time is up.
#[derive(Clone, Copy)]
struct Pace {
    rounds: usize,
    time: Duration,
}

const QUICK: Pace = Pace {
    rounds: 1,
    time: Duration::ZERO,
};
const THOROUGH: Pace = Pace {
    rounds: 3,
    time: Duration::from_millis(100),
};
const ROUNDS_MAX: usize = 101;

/// How a ring's memory comes about.
#[derive(Clone, Copy)]
enum Pages {
    AtOnce,
    AsUsed,
    Huge,
}

/// Something that is done with a ring, and leaves it as it was; how long it took.
type Work<R> = (&'static str, fn(&R) -> Duration);

/// What the kinds of rings differ in.
trait Ring: Sized + 'static {
    const NAME: &'static str;
    const ITEM: usize;
    const WORKS: &'static [Work<Self>];

    fn create(capacity: usize, pages: Pages) -> Result<Self, Error>;
    fn open(name: Name) -> Self;
    fn id(&self) -> Name;
    /// Where items begin, as docs/abi.md has it.
    fn payload(capacity: usize) -> usize;
}

fn costs_of<R: Ring>(capacity: usize, pace: Pace) -> Vec<Cost> {
    let ring = create::<R>(capacity, Pages::AtOnce);
    let bench = Bench::of(&ring, capacity, pace);
    let (at_once, as_used) = (Pages::AtOnce, Pages::AsUsed);
    let made = |pages| move || timed(|| create::<R>(capacity, pages)).1;
    let mut costs = vec![
        bench.cost("create, pages at once", made(at_once)),
        bench.cost("create, pages as they are used", made(as_used)),
        bench.cost("leave as the last", || {
            let last = create::<R>(capacity, Pages::AtOnce);
            timed(|| drop(last)).1
        }),
        bench.cost("open", || timed(|| R::open(ring.id())).1),
        bench.cost("leave while others stay", || {
            let other = R::open(ring.id());
            timed(|| drop(other)).1
        }),
    ];
    // Only where somebody has reserved some.
    if R::create(capacity, Pages::Huge).is_ok() {
        costs.push(bench.cost("create, huge pages", made(Pages::Huge)));
    }
    let works = R::WORKS.iter();
    costs.extend(works.map(|(work, run)| bench.cost(work, || run(&ring))));
    costs
}

fn create<R: Ring>(capacity: usize, pages: Pages) -> R {
    R::create(capacity, pages).expect("memory for a ring")
}

/// Rings of a kind and a capacity.
struct Bench<R> {
    capacity: usize,
    segment: usize,
    pace: Pace,
    kind: PhantomData<R>,
}

impl<R: Ring> Bench<R> {
    /// Panics unless the ring is as large as is written.
    fn of(ring: &R, capacity: usize, pace: Pace) -> Self {
        let Name::Id(id) = ring.id() else {
            panic!("a ring between processes has a segment");
        };
        let segment = shmctl_stat(id).expect("the segment is there").size;
        let written = R::payload(capacity) + capacity * R::ITEM;
        assert_eq!(segment, written, "{} of {capacity}", R::NAME);
        Self {
            capacity,
            segment,
            pace,
            kind: PhantomData,
        }
    }

    fn cost(&self, work: &'static str, mut run: impl FnMut() -> Duration) -> Cost {
        let mut times = Vec::new();
        let start = Instant::now();
        while times.len() < self.pace.rounds
            || (times.len() < ROUNDS_MAX && start.elapsed() < self.pace.time)
        {
            times.push(run().as_nanos() as u64);
        }
        times.sort_unstable();
        Cost {
            ring: R::NAME,
            work,
            capacity: self.capacity,
            item: R::ITEM,
            segment: self.segment,
            formula: R::payload(self.capacity) + self.capacity * R::ITEM,
            median: times[times.len() / 2],
            least: times[0],
            most: times[times.len() - 1],
        }
    }
}

fn timed<A>(work: impl FnOnce() -> A) -> (A, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Lets a child get hold of something, kills it as soon as it says that it has, and returns when it is gone.
fn killed(get_hold: impl FnOnce(&dyn Fn())) {
    let (mut hears, says) = pipe().expect("a pipe");
    let (child, ()) = duel::fork((), || get_hold(&|| stay(&says)));
    drop(says);
    hears
        .read_exact(&mut [0])
        .expect("the child got hold of it");
    kill(child, Signal::SIGKILL).expect("the child is there");
    waitpid(child, None).expect("the child is ours");
}

fn stay(mut says: &PipeWriter) {
    says.write_all(&[0]).expect("the parent listens");
    loop {
        thread::park();
    }
}

fn options<K: RingKind>(capacity: usize, pages: Pages) -> Options<K> {
    let options = Options::new().capacity(capacity);
    match pages {
        Pages::AtOnce => options,
        Pages::AsUsed => options.prefault(false),
        Pages::Huge => options.huge_pages(true),
    }
}

/// The first multiple of a page that is no less.
fn up_to_page(bytes: usize) -> usize {
    bytes.next_multiple_of(4096)
}

const HEADER: usize = 4096;
const ENTRY: usize = 128;
const WORD: usize = 8;

type Pair = spsc::Ring<u64>;

impl Ring for Pair {
    const NAME: &'static str = "spsc";
    const ITEM: usize = size_of::<u64>();
    const WORKS: &'static [Work<Self>] = &[
        ("take a role", |ring| timed(|| ring.producer()).1),
        ("give a role up", |ring| {
            let tx = ring.producer().expect("a role");
            timed(|| tx.finish()).1
        }),
        ("follow a killed producer", follow_producer),
        ("follow a killed consumer", follow_consumer),
    ];

    fn create(capacity: usize, pages: Pages) -> Result<Self, Error> {
        options::<spsc::Kind>(capacity, pages).create(Name::Private)
    }

    fn open(name: Name) -> Self {
        Pair::open(name).expect("it is there")
    }

    fn id(&self) -> Name {
        Pair::id(self).expect("it has one")
    }

    fn payload(_: usize) -> usize {
        HEADER
    }
}

/// A producer that goes on whether anybody reads or not.
fn producer(ring: &Pair) -> spsc::Producer<u64> {
    let mut tx = ring.producer().expect("nobody lives in the role");
    tx.set_peer_loss(PeerLoss::Wait);
    tx
}

fn pop(ring: &Pair) -> u64 {
    let mut rx = ring.consumer().expect("nobody lives in the role");
    rx.pop().expect("an item")
}

fn follow_producer(ring: &Pair) -> Duration {
    killed(|stay| {
        let mut tx = producer(ring);
        let _room = tx.reserve(1).expect("room");
        stay();
    });
    let (pushed, time) = timed(|| producer(ring).push(1));
    pushed.expect("room");
    assert_eq!(pop(ring), 1);
    time
}

fn follow_consumer(ring: &Pair) -> Duration {
    producer(ring).push(1).expect("room");
    killed(|stay| {
        let mut rx = ring.consumer().expect("a role");
        let _items = rx.peek(1).expect("an item");
        stay();
    });
    let (item, time) = timed(|| pop(ring));
    assert_eq!(item, 1);
    time
}

type Crowd = mpmc::Ring<u64>;

impl Ring for Crowd {
    const NAME: &'static str = "mpmc";
    const ITEM: usize = size_of::<u64>();
    const WORKS: &'static [Work<Self>] = &[
        ("take part", |ring| timed(|| ring.producer()).1),
        ("leave", |ring| {
            let tx = ring.producer().expect("a number");
            timed(|| tx.finish()).1
        }),
        ("clear up after a killed producer", clear_up_producer),
        ("clear up after a killed consumer", clear_up_consumer),
        ("find what was returned, farthest back", find_returned),
    ];

    fn create(capacity: usize, pages: Pages) -> Result<Self, Error> {
        options::<mpmc::Kind>(capacity, pages).create(Name::Private)
    }

    fn open(name: Name) -> Self {
        Crowd::open(name).expect("it is there")
    }

    fn id(&self) -> Name {
        Crowd::id(self).expect("it has one")
    }

    fn payload(capacity: usize) -> usize {
        up_to_page(HEADER + PARTICIPANTS * ENTRY + capacity * WORD)
    }
}

/// As many as there can be of a crowd unless told otherwise.
const PARTICIPANTS: usize = 64;

/// Two who take part.
fn two(ring: &Crowd) -> (mpmc::Producer<u64>, mpmc::Consumer<u64>) {
    let tx = ring.producer().expect("a number");
    (tx, ring.consumer().expect("a number"))
}

/// The item behind the killed one's room is there; who wants it has to put the room away.
fn clear_up_producer(ring: &Crowd) -> Duration {
    let (mut tx, mut rx) = two(ring);
    killed(|stay| {
        let mut tx = ring.producer().expect("a number");
        let _room = tx.reserve(1).expect("room");
        stay();
    });
    tx.push(1).expect("room");
    let (item, time) = timed(|| rx.pop());
    assert_eq!(item, Ok(1));
    time
}

/// There is no other item than the one that the killed one had.
fn clear_up_consumer(ring: &Crowd) -> Duration {
    let (mut tx, mut rx) = two(ring);
    tx.push(1).expect("room");
    killed(|stay| {
        let mut rx = ring.consumer().expect("a number");
        let _claim = rx.claim(1).expect("an item");
        stay();
    });
    let (item, time) = timed(|| rx.pop());
    assert_eq!((item, rx.redelivered()), (Ok(1), true));
    time
}

/// The first item of a full ring comes back when all others were taken: the whole ring lies between.
fn find_returned(ring: &Crowd) -> Duration {
    let (mut tx, mut rx) = two(ring);
    let mut other = ring.consumer().expect("a number");
    let mut run = [0; 1024];
    let mut left = ring.capacity();
    while left > 0 {
        let most = left.min(run.len());
        left -= tx.try_push_slice(&run[..most]).expect("a consumer");
    }
    let first = other.claim(1).expect("an item");
    while rx.try_pop_slice(&mut run).expect("a producer") > 0 {}
    first.put_back();
    let (item, time) = timed(|| rx.try_pop());
    assert_eq!((item, rx.redelivered()), (Ok(0), true));
    time
}

type Stream = stream::Fifo;

impl Ring for Stream {
    const NAME: &'static str = "stream";
    const ITEM: usize = 1;
    const WORKS: &'static [Work<Self>] = &[
        ("take part", |fifo| {
            let _ends = fifo.both().expect("numbers");
            timed(|| fifo.writer()).1
        }),
        ("leave", |fifo| {
            let _ends = fifo.both().expect("numbers");
            let writer = fifo.writer().expect("a reader");
            timed(|| writer.close()).1
        }),
        ("take the turn of a killed writer", follow_writer),
        ("take the turn of a killed reader", follow_reader),
    ];

    fn create(capacity: usize, pages: Pages) -> Result<Self, Error> {
        options::<stream::Kind>(capacity, pages).create(Name::Private)
    }

    fn open(name: Name) -> Self {
        Stream::open(name).expect("it is there")
    }

    fn id(&self) -> Name {
        Stream::id(self).expect("it has one")
    }

    fn payload(_: usize) -> usize {
        up_to_page(HEADER + stream::DEFAULT_PARTICIPANTS * ENTRY)
    }
}

fn follow_writer(fifo: &Stream) -> Duration {
    let (mut writer, mut reader) = fifo.both().expect("numbers");
    killed(|stay| {
        let mut writer = fifo.writer().expect("a reader");
        let _room = writer.reserve(1).expect("room");
        stay();
    });
    let (written, time) = timed(|| writer.write_all(&[1]));
    written.expect("room");
    reader.read_exact(&mut [0]).expect("a byte");
    time
}

fn follow_reader(fifo: &Stream) -> Duration {
    let (mut writer, mut reader) = fifo.both().expect("numbers");
    writer.write_all(&[1]).expect("room");
    killed(|stay| {
        let mut reader = fifo.reader().expect("a writer");
        assert_eq!(reader.fill_buf().expect("a byte"), [1]);
        stay();
    });
    let mut byte = [0];
    let (read, time) = timed(|| reader.read_exact(&mut byte));
    read.expect("the byte is there still");
    assert_eq!(byte, [1]);
    time
}
