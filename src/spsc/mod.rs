//! A ring with one producer and one consumer.
//!
//! The producer and the consumer are any two processes that can open the ring, or two threads. While both
//! keep up, items pass through atomics alone, without a system call; who has to wait sleeps in the kernel
//! (see [`Strategy`](crate::Strategy)). Whoever is killed, at whatever instruction:
//!
//! | killed | what the others find |
//! |---|---|
//! | the producer, before an item is published | the item never existed |
//! | the producer, after | the item is delivered |
//! | the consumer, before an item is released | the next consumer gets the item, again |
//! | the consumer, after | the item is delivered, and gone with the consumer |
//! | either, while the other sleeps | the other wakes, and is told or waits on, as it chose ([`PeerLoss`](crate::PeerLoss)) |
//! | both | what was published and not released stays in the ring until the ring is removed |
//!
//! A role whose holder is dead can be taken, and goes on where it stopped. A role whose holder lives is refused.
//!
//! # Cost
//!
//! | | grows with |
//! |---|---|
//! | pushing or popping an item | nothing: O(1), without a system call while both sides keep up |
//! | a run of items | its length: each item is copied once, or not at all where it is used in place |
//! | opening the ring, closing it while others have it open | nothing: O(1) |
//! | taking a role, also after a holder that was killed; giving it up | nothing: O(1) |
//! | creating the ring | the memory, O(capacity), since each page is touched; O(1) with [`Options::prefault`]`(false)` |
//! | closing it as the last | the memory that was touched: the kernel takes it back |
//!
//! The memory is 4096 bytes and the items.
//!
//! # Examples
//!
//! Two processes would each open the ring by its name; here two threads share one.
//!
//! ```
//! use ringpipe::spsc;
//!
//! let ring = spsc::Ring::<u64>::in_process(1024)?;
//! let mut tx = ring.producer()?;
//! let mut rx = ring.consumer()?;
//! std::thread::scope(|scope| {
//!     scope.spawn(move || {
//!         for n in 0..100_000 {
//!             tx.push(n).unwrap();
//!         }
//!     });
//!     let sum: u64 = (&mut rx).into_iter().sum();
//!     assert_eq!(sum, 100_000 * 99_999 / 2);
//! });
//! # Ok::<(), ringpipe::Error>(())
//! ```

mod consumer;
mod handle;
mod producer;

pub use consumer::{Consumer, IntoIter, Items, Iter};
pub use handle::Peer;
pub use producer::{Producer, Room};

use core::fmt;

use handle::Handle;

use crate::brief::brief;
use crate::error::Error;
use crate::item::Item;
use crate::memory::{Facts, Region, View};
use crate::name::Name;
use crate::options::{RingKind, sealed::Sealed};
use crate::parking::Local;
use crate::ring::{End, Parking, Read, Role, Side, Write};
use crate::segment::{Segment, Status, kind};
use crate::sync::Arc;
use crate::sys::fork;

/// Rings with one producer and one consumer, for [`Options`].
#[derive(Clone, Copy, Debug)]
pub enum Kind {}

impl RingKind for Kind {}

impl Sealed for Kind {
    const KIND: u32 = kind::SPSC;
    const PARTICIPANTS: usize = 0;
}

/// How to create or open such a ring.
pub type Options = crate::options::Options<Kind>;

impl Options {
    /// Creates a ring: see [`Ring::create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create<T: Item>(&self, name: impl Into<Name>) -> Result<Ring<T>, Error> {
        self.create_segment::<T>(&name.into()).map(Ring::of_segment)
    }

    /// Opens a ring: see [`Ring::open`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open<T: Item>(&self, name: impl Into<Name>) -> Result<Ring<T>, Error> {
        self.open_segment::<T>(&name.into()).map(Ring::of_segment)
    }

    /// Opens a ring or creates it: see [`Ring::open_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_or_create<T: Item>(&self, name: impl Into<Name>) -> Result<Ring<T>, Error> {
        self.open_or_create_segment::<T>(&name.into())
            .map(Ring::of_segment)
    }

    /// Creates a ring for threads of this process: see [`Ring::in_process`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn in_process<T: Item>(&self) -> Result<Ring<T>, Error> {
        let (region, extent) = self.on_heap::<T>()?;
        Ok(Ring {
            view: View::new(region, extent.payload, self.slots()),
            parking: Arc::new(Local::new()),
            segment: None,
        })
    }
}

/// A ring: created or opened, with no role taken yet.
///
/// Cheap to clone. May be inherited through fork, unlike the handles made from it: the child takes its own.
///
/// # Examples
///
/// ```
/// use ringpipe::spsc::Ring;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("ticks");
///
/// let ring = Ring::<u64>::create(&path, 65_536)?;
/// ring.producer()?.push(42)?;
///
/// // In another process, now or later: items outlive whoever pushed them.
/// let mut rx = Ring::<u64>::open(&path)?.consumer()?;
/// assert_eq!(rx.pop()?, 42);
///
/// ringpipe::remove(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Ring<T: Item> {
    view: View<T>,
    parking: Arc<dyn Parking>,
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
    /// Creates a ring of `capacity` items, with mode 0600. [`Options`] has more to choose from.
    ///
    /// The capacity is any number from 1 up; it need not be a power of two. The memory is allocated at once.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`]; [`Error::Limit`] when the kernel has no room for it, or would free it
    /// ([`Options::allow_rmid_forced`]); [`Error::BadCapacity`];
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

    fn of_segment(segment: Segment) -> Self {
        let (region, parking) = (Arc::clone(&segment.region), Arc::clone(&segment.semaphores));
        let ring = Self::in_region(region, &segment.facts, parking);
        Self {
            segment: Some(Arc::new(segment)),
            ..ring
        }
    }

    /// A ring in memory of which the facts were checked.
    pub(crate) fn in_region(region: Arc<Region>, facts: &Facts, parking: Arc<dyn Parking>) -> Self {
        Self {
            view: View::new(region, facts.payload(), facts.capacity),
            parking,
            segment: None,
        }
    }

    /// Takes the producer's role, and goes on where its last holder stopped.
    ///
    /// # Errors
    ///
    /// [`Error::RoleTaken`] while another lives in it; [`Error::Removed`].
    pub fn producer(&self) -> Result<Producer<T>, Error> {
        self.attach::<Write>().map(Producer::new)
    }

    /// Takes the consumer's role, and goes on where its last holder stopped: what that one had not released comes again.
    ///
    /// # Errors
    ///
    /// [`Error::RoleTaken`] while another lives in it; [`Error::Removed`].
    pub fn consumer(&self) -> Result<Consumer<T>, Error> {
        self.attach::<Read>().map(Consumer::new)
    }

    fn attach<E: End>(&self) -> Result<Handle<T, E>, Error> {
        let incarnation = fork::incarnation();
        match Side::attach(self.view.clone(), Arc::clone(&self.parking))? {
            Some(side) => Ok(Handle::new(side, incarnation, self.segment.clone())),
            None => Err(Error::RoleTaken {
                role: E::ROLE,
                pid: holder(self.segment.as_deref(), E::ROLE),
            }),
        }
    }

    /// How many items it holds at most.
    pub fn capacity(&self) -> usize {
        self.view.capacity()
    }

    /// How many items are in it at this moment; may have changed by the time you look at the answer.
    pub fn len(&self) -> usize {
        crate::ring::len(self.view.control(), self.view.capacity())
    }

    /// Whether nothing is in it at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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

    /// All that is known of it; `None` within one process.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the segment is gone, [`Error::Call`].
    pub fn status(&self) -> Result<Option<Status>, Error> {
        self.id().map(|id| crate::status(&id)).transpose()
    }
}

/// The process that holds a role; 0 where that cannot be told.
fn holder(segment: Option<&Segment>, role: Role) -> i32 {
    match segment {
        Some(segment) => segment.semaphores.last_holder(role).unwrap_or(0),
        None => std::process::id().cast_signed(),
    }
}
