//! A ring with any number of producers and consumers, any of which may be killed at any instruction.
//!
//! The bounded warehouse: producers put, consumers take, there are never fewer items than none nor more than the capacity,
//! and nobody's death costs the others anything. While nobody has to wait, items pass through atomics alone, without a
//! system call; who has to wait sleeps in the kernel.
//!
//! | killed | what the others find |
//! |---|---|
//! | a producer, before an item or a run is published | it never existed; its slots come back |
//! | a producer, after | it is delivered |
//! | a consumer, before it has released what it took | that is delivered again, to another, which can tell; or dropped and counted, as the ring's creator chose ([`DeadConsumer`]) |
//! | a consumer, after | it is delivered, and gone with the consumer |
//! | anybody, while others sleep | they wake, and go on as soon as the kernel has taken the dead one down |
//!
//! Nobody watches: whoever is stopped by what the dead have left puts it in order. A process that is merely stopped
//! (SIGSTOP) is never taken for dead, so what it holds is waited for.
//!
//! # Order
//!
//! Items are taken in the order in which their slots were claimed by the producers: one order for all, in which the
//! items of each producer stand as it pushed them, and those of one [`Producer::push_slice`] run, or of one [`Room`], next to each other. A consumer gets
//! its items in that order. Between two consumers there is none: who took an item first may come to use it last. An
//! item that comes again ([`Consumer::redelivered`]), because its consumer died or put it back, comes before what was not taken yet, and
//! after what others have taken meanwhile; several of them come in no particular order.
//!
//! # Runs
//!
//! What is pushed, popped, reserved or claimed at once is a run of at most [`Producer::run_limit`] slots. A run is published whole
//! or, if its producer dies, not at all; and what a consumer takes at once comes again as a whole if it dies before the end.
//! A longer slice is cut into runs.
//!
//! # Participants
//!
//! Each handle has a number while it lives, of which there are as many as the creator chose ([`Options::participants`], 64 unless
//! told otherwise). A dead one's number is given out again once its remains are put in order.
//!
//! # Cost
//!
//! | | grows with |
//! |---|---|
//! | pushing or popping an item | nothing: O(1), with one locked operation, and without a system call while nobody has to wait. Who comes to where others have claimed meanwhile passes their words |
//! | a run of items | its length: each item is copied once, and its slot's word looked at and set |
//! | opening the ring, closing it while others have it open | nothing: O(1) |
//! | taking part, leaving, clearing up after one that was killed | the limit on participants, O([`Options::participants`]), and what the killed one had in hand; not the capacity |
//! | taking an item that came back, from a dead consumer or by [`Claim::put_back`] | the slots between it and the newest that was taken: O(capacity) at worst, one load each |
//! | creating the ring | the memory, O(capacity), since each page is touched; O(1) with [`Options::prefault`]`(false)` |
//! | closing it as the last | the memory that was touched: the kernel takes it back |
//!
//! The memory is 4096 bytes, 128 for each participant and 8 for each slot, rounded up to a page, and the items.
//!
//! # Examples
//!
//! Processes would each open the ring by its name; here threads share one.
//!
//! ```
//! use ringpipe::mpmc;
//!
//! let ring = mpmc::Ring::<u64>::in_process(1024)?;
//! let mut sums = Vec::new();
//! std::thread::scope(|scope| {
//!     let consumers: Vec<_> = (0..2)
//!         .map(|_| {
//!             let mut rx = ring.consumer().unwrap();
//!             scope.spawn(move || (&mut rx).into_iter().sum::<u64>())
//!         })
//!         .collect();
//!     for first in [0, 50_000] {
//!         let mut tx = ring.producer().unwrap();
//!         scope.spawn(move || (first..first + 50_000).for_each(|n| tx.push(n).unwrap()));
//!     }
//!     sums.extend(consumers.into_iter().map(|consumer| consumer.join().unwrap()));
//! });
//! assert_eq!(sums.iter().sum::<u64>(), 100_000 * 99_999 / 2);
//! # Ok::<(), ringpipe::Error>(())
//! ```

mod consumer;
mod handle;
mod producer;

pub use consumer::{Claim, Consumer, IntoIter, Iter, OnDrop};
pub use handle::Peers;
pub use producer::{Producer, Room};

use core::fmt;

use handle::Handle;

use crate::brief::brief;
use crate::error::Error;
use crate::item::Item;
use crate::memory::{Board, Facts, PARTICIPANTS_MAX, Region, View};
use crate::name::Name;
use crate::options::{RingKind, sealed::Sealed};
use crate::parking::Local;
use crate::ring::many::{Member, frontier};
use crate::ring::{DeadConsumer, Parking, Role};
use crate::segment::{self, Segment, Status, kind};
use crate::sync::Arc;
use crate::sys::fork;

/// Rings with any number of producers and consumers, for [`Options`].
#[derive(Clone, Copy, Debug)]
pub enum Kind {}

impl RingKind for Kind {}

impl Sealed for Kind {
    const KIND: u32 = kind::MPMC;
    const PARTICIPANTS: usize = 64;
}

/// How to create or open such a ring.
pub type Options = crate::options::Options<Kind>;

impl Options {
    /// How many producers and consumers there may be at a time, together: from 1 to 511. Of use to creators only.
    ///
    /// Each takes a semaphore and 128 bytes.
    pub fn participants(mut self, limit: usize) -> Self {
        self.crew.participants = limit;
        self
    }

    /// What becomes of the items that a consumer held when it died. Of use to creators only.
    pub fn dead_consumer(mut self, policy: DeadConsumer) -> Self {
        self.crew.policy = policy.code();
        self
    }

    /// Creates a ring: see [`Ring::create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create<T: Item>(&self, name: impl Into<Name>) -> Result<Ring<T>, Error> {
        self.check()?;
        Ring::of_segment(self.create_segment::<T>(&name.into())?)
    }

    /// Opens a ring: see [`Ring::open`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open<T: Item>(&self, name: impl Into<Name>) -> Result<Ring<T>, Error> {
        Ring::of_segment(self.open_segment::<T>(&name.into())?)
    }

    /// Opens a ring or creates it: see [`Ring::open_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_or_create<T: Item>(&self, name: impl Into<Name>) -> Result<Ring<T>, Error> {
        self.check()?;
        Ring::of_segment(self.open_or_create_segment::<T>(&name.into())?)
    }

    /// Creates a ring for threads of this process: see [`Ring::in_process`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn in_process<T: Item>(&self) -> Result<Ring<T>, Error> {
        self.check()?;
        let (region, extent) = self.on_heap::<T>()?;
        let crew = self.crew;
        Ok(Ring {
            board: Board::new(Arc::clone(&region), crew.participants, self.slots()),
            items: View::new(region, extent.payload, self.slots()),
            parking: Arc::new(Local::new()),
            policy: DeadConsumer::of_code(crew.policy),
            segment: None,
        })
    }

    fn check(&self) -> Result<(), Error> {
        match self.crew.participants {
            1..=PARTICIPANTS_MAX => Ok(()),
            limit => Err(Error::BadLimit { limit }),
        }
    }
}

/// A ring: created or opened, with no part taken yet.
///
/// Cheap to clone. May be inherited through fork, unlike the handles made from it: the child takes its own.
///
/// # Examples
///
/// ```
/// use ringpipe::mpmc::Ring;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("jobs");
///
/// let ring = Ring::<u64>::create(&path, 1024)?;
/// ring.producer()?.push_slice(&[1, 2, 3])?;
///
/// // In another process, or several, now or later: items outlive whoever pushed them.
/// let mut worker = Ring::<u64>::open(&path)?.consumer()?;
/// let job = worker.claim(1)?;
/// assert_eq!(job.as_slices().0, [1]);
/// job.release_all(); // done; had this process died before, another would get the job
///
/// ringpipe::remove(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ring<T: Item> {
    board: Board,
    items: View<T>,
    parking: Arc<dyn Parking>,
    policy: DeadConsumer,
    /// Where it came from; `None` within one process.
    segment: Option<Arc<Segment>>,
}

impl<T: Item> fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = (self.len(), self.capacity());
        brief(f, "Ring", self.segment.as_deref(), used)
    }
}

impl<T: Item> Ring<T> {
    /// Creates a ring of `capacity` items, with mode 0600, for up to 64 participants. [`Options`] has more to choose from.
    ///
    /// The capacity is any number from 1 up; it need not be a power of two. The memory is allocated at once.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`]; [`Error::Limit`] when the kernel has no room for it, or would free it
    /// ([`Options::allow_rmid_forced`]); [`Error::BadCapacity`], [`Error::BadLimit`];
    /// [`Error::NoUndo`] where a death would go unnoticed.
    pub fn create(name: impl Into<Name>, capacity: usize) -> Result<Self, Error> {
        Options::new().capacity(capacity).create(name)
    }

    /// Opens a ring that exists.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Stale`], [`Error::WrongType`], [`Error::WrongVersion`],
    /// [`Error::ForeignOwner`] when another user made it (see [`Options::trust_uid`]),
    /// [`Error::PermissionDenied`], [`Error::Corrupt`] and others that say why it is no ring for `T`.
    pub fn open(name: impl Into<Name>) -> Result<Self, Error> {
        Options::new().open(name)
    }

    /// Opens the ring, or creates it with `capacity` items if there is none or a stale name only.
    ///
    /// Of several processes that do so at once, one creates and the others open what it made.
    ///
    /// # Errors
    ///
    /// Those of [`Ring::create`] and [`Ring::open`], but for the two that the other mends.
    pub fn open_or_create(name: impl Into<Name>, capacity: usize) -> Result<Self, Error> {
        Options::new().capacity(capacity).open_or_create(name)
    }

    /// Creates a ring without a name, for this process and those that it forks, or that are told its [`Ring::id`].
    ///
    /// The kernel frees its memory with the last process that has it. The last to drop it removes its semaphores, too, which the kernel
    /// does not free: if that one ends without dropping it (it is killed, calls exit(3) or `_exit(2)`, or has it in a static), they
    /// stay until [`collect`](crate::collect()) or `ringpipe gc` takes them.
    ///
    /// # Errors
    ///
    /// Those of [`Ring::create`].
    pub fn private(capacity: usize) -> Result<Self, Error> {
        Self::create(Name::Private, capacity)
    }

    /// Creates a ring for threads of this process, without any System V object.
    ///
    /// # Errors
    ///
    /// [`Error::BadCapacity`]; [`Error::Limit`] when there is no memory.
    pub fn in_process(capacity: usize) -> Result<Self, Error> {
        Options::new().capacity(capacity).in_process()
    }

    fn of_segment(segment: Segment) -> Result<Self, Error> {
        let (region, parking) = (Arc::clone(&segment.region), Arc::clone(&segment.semaphores));
        match Self::in_region(region, &segment.facts, parking) {
            Ok(ring) => Ok(Self {
                segment: Some(Arc::new(segment)),
                ..ring
            }),
            Err(field) => Err(Error::Corrupt {
                name: segment.name,
                field,
            }),
        }
    }

    /// A ring in memory of which the facts were checked, or what such a ring cannot have.
    pub(crate) fn in_region(
        region: Arc<Region>,
        facts: &Facts,
        parking: Arc<dyn Parking>,
    ) -> Result<Self, &'static str> {
        let participants = facts.crew.participants;
        if participants == 0 {
            return Err("participant limit");
        }
        Ok(Self {
            board: Board::new(Arc::clone(&region), participants, facts.capacity),
            items: View::new(region, facts.payload(), facts.capacity),
            parking,
            policy: DeadConsumer::of_code(facts.crew.policy),
            segment: None,
        })
    }

    /// Takes part as one more producer.
    ///
    /// # Errors
    ///
    /// [`Error::Crowded`] while there are as many participants as there can be; [`Error::Removed`].
    pub fn producer(&self) -> Result<Producer<T>, Error> {
        self.join(Role::Producer).map(Producer::new)
    }

    /// Takes part as one more consumer.
    ///
    /// # Errors
    ///
    /// [`Error::Crowded`] while there are as many participants as there can be; [`Error::Removed`].
    pub fn consumer(&self) -> Result<Consumer<T>, Error> {
        self.join(Role::Consumer).map(Consumer::new)
    }

    fn join(&self, role: Role) -> Result<Handle<T>, Error> {
        let incarnation = fork::incarnation();
        let (board, parking) = (self.board.clone(), Arc::clone(&self.parking));
        let member = Member::join(board, parking, self.policy, role)?;
        let member = member.ok_or(Error::Crowded {
            limit: self.participant_limit(),
        })?;
        let segment = self.segment.clone();
        Ok(Handle::new(
            member,
            self.items.clone(),
            incarnation,
            segment,
        ))
    }

    /// How many items it holds at most.
    pub fn capacity(&self) -> usize {
        self.items.capacity()
    }

    /// How many items are in it at this moment that nobody has taken; may have changed by the time you look at the answer.
    ///
    /// Items that are just being pushed count; those in a consumer's hands do not, even if they come again.
    pub fn len(&self) -> usize {
        frontier::len(&self.board)
    }

    /// Whether nothing is in it at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many participants there can be at a time.
    pub fn participant_limit(&self) -> usize {
        self.board.entries().len()
    }

    /// What becomes of the items that a consumer holds when it dies, as the creator chose.
    pub fn dead_consumer(&self) -> DeadConsumer {
        self.policy
    }

    /// Its name: what it was created or opened by, paths made absolute. `None` within one process.
    pub fn name(&self) -> Option<&Name> {
        self.segment.as_deref().map(|segment| &segment.name)
    }

    /// A name by which other processes can open it, even a private ring: [`Name::Id`]. `None` within one process.
    pub fn id(&self) -> Option<Name> {
        self.segment.as_deref().map(|segment| Name::Id(segment.id))
    }

    /// Whether its name was taken away. Those who have it open go on with it; nobody else will come.
    ///
    /// A ring that was created under the same name afterwards is another one.
    pub fn is_removed(&self) -> bool {
        self.segment.as_deref().is_some_and(Segment::is_removed)
    }

    /// Takes its name away, as [`remove`](crate::remove) does, but never that of another ring that has come to have the same
    /// name: so of several who find the work done, each may tidy up.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the name does not lead to it any more; [`Error::BadName`] when it never had one;
    /// [`Error::PermissionDenied`].
    pub fn remove(&self) -> Result<(), Error> {
        match &self.segment {
            Some(segment) => segment::remove_itself(segment),
            None => Err(Error::BadName {
                name: "a ring within one process".into(),
                why: "there is no name to take away",
            }),
        }
    }

    /// All that is known of it, its participants too; `None` within one process.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the segment is gone, [`Error::Call`].
    pub fn status(&self) -> Result<Option<Status>, Error> {
        self.id().map(|id| crate::status(&id)).transpose()
    }
}
