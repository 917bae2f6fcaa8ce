//! What can be chosen when a ring is created or opened.

use core::fmt;
use core::marker::PhantomData;

use crate::error::Error;
use crate::item::Item;
use crate::memory::{ALIGN_MAX, Crew, Expected, Extent, Region, TypeName, fingerprint_of};
use crate::name::Name;
use crate::segment::{self, Access, Pages, Plan, Segment, Trust};
use crate::sync::Arc;

/// Which kind of ring [`Options`] are for: [`spsc::Kind`](crate::spsc::Kind), [`mpmc::Kind`](crate::mpmc::Kind) or
/// [`stream::Kind`](crate::stream::Kind).
pub trait RingKind: sealed::Sealed {}

pub(crate) mod sealed {
    /// What the header says of a kind of ring.
    pub trait Sealed {
        /// The kind's number.
        const KIND: u32;
        /// How many participants there can be unless told otherwise; 0 where each role has one holder.
        const PARTICIPANTS: usize;
        /// How many items it holds unless told otherwise.
        const CAPACITY: usize = 1024;
    }
}

/// How to create or open a ring; use it as [`spsc::Options`](crate::spsc::Options),
/// [`mpmc::Options`](crate::mpmc::Options) or [`stream::Options`](crate::stream::Options).
///
/// # Examples
///
/// ```
/// use ringpipe::spsc::Options;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("ticks");
/// let options = Options::new().capacity(65_536).mode(0o660).type_name("tick v2");
///
/// let ring = options.create::<[u64; 2]>(&path)?;
/// assert_eq!(ring.capacity(), 65_536);
///
/// // The name of the type is part of what an opener must agree in.
/// assert!(Options::new().open::<[u64; 2]>(&path).is_err());
/// assert!(options.open::<[u64; 2]>(&path).is_ok());
///
/// ringpipe::remove(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "options do nothing until a ring is created or opened with them"]
pub struct Options<K> {
    capacity: usize,
    type_name: String,
    pub(crate) crew: Crew,
    access: Access,
    trust: Trust,
    pages: Pages,
    allow_rmid_forced: bool,
    replace_other_namespace: bool,
    kind: PhantomData<K>,
}

impl<K: RingKind> fmt::Debug for Options<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("capacity", &self.capacity)
            .field("type_name", &self.type_name)
            .field("crew", &self.crew)
            .field("access", &self.access)
            .field("trust", &self.trust)
            .field("pages", &self.pages)
            .field("allow_rmid_forced", &self.allow_rmid_forced)
            .field("replace_other_namespace", &self.replace_other_namespace)
            .finish()
    }
}

impl<K: RingKind> Default for Options<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: RingKind> Options<K> {
    /// Capacity 1024 (of a stream, [`DEFAULT_CAPACITY`](crate::stream::DEFAULT_CAPACITY)), mode 0600, owner and group of the process, no type name, memory allocated at creation;
    /// nobody trusted but the own user.
    pub fn new() -> Self {
        Self {
            capacity: K::CAPACITY,
            type_name: String::new(),
            crew: Crew {
                participants: K::PARTICIPANTS,
                policy: 0,
            },
            access: Access {
                mode: 0o600,
                uid: None,
                gid: None,
            },
            trust: Trust::Own,
            pages: Pages {
                prefault: true,
                lock: false,
                huge: false,
            },
            allow_rmid_forced: false,
            replace_other_namespace: false,
            kind: PhantomData,
        }
    }

    /// How many items the ring holds at most: any number from 1 up. Of use to creators only.
    pub fn capacity(mut self, items: usize) -> Self {
        self.capacity = items;
        self
    }

    /// A name for what the items mean, for example `"tick v2"`. Creator and openers must agree in it, as in the items'
    /// size and alignment; Rust's own name for the type does not count.
    pub fn type_name(mut self, name: impl Into<String>) -> Self {
        self.type_name = name.into();
        self
    }

    /// The permission bits of the ring, such as 0o660. They are taken as they are: the umask does not apply.
    ///
    /// Both sides need to read and write, also the consumer; and another user needs to trust who creates it: see
    /// [`Options::trust_uid`]. Of use to creators only.
    pub fn mode(mut self, mode: u32) -> Self {
        self.access.mode = mode & 0o777;
        self
    }

    /// Gives the ring to that user. Needs the permission to do so. Of use to creators only.
    ///
    /// That user needs [`Options::trust_uid`] to open it; so does this process itself, if it takes on that user's identity and then
    /// opens the ring by name. A [`Ring`](crate::spsc::Ring) that it has open already stays so.
    pub fn uid(mut self, uid: u32) -> Self {
        self.access.uid = Some(uid);
        self
    }

    /// Gives the ring to that group. Needs the permission to do so. Of use to creators only.
    pub fn gid(mut self, gid: u32) -> Self {
        self.access.gid = Some(gid);
        self
    }

    /// Opens also what that user has made. Of use to openers only; of several calls the last one counts.
    ///
    /// A ring that another user has made is refused unless this is asked for, with [`Error::ForeignOwner`], also if the mode would allow
    /// it, and to root too: who made a segment can write into it as long as it exists, and may have put it where others
    /// look for their own, as anybody can in /tmp. It counts who *made* it, as the kernel keeps it (`cuid`, see shmctl(2)), not whose it is
    /// now: [`Options::uid`] can name a victim. Whoever only looks or removes ([`status`](crate::status), [`list`](crate::list),
    /// [`remove`](crate::remove), [`collect`](crate::collect)) takes no part, and needs no trust.
    ///
    /// In a user namespace, all users that have no number there have the same one (65534, the kernel's overflowuid): to trust it is to trust
    /// them all, and who is one of them takes the others for itself.
    ///
    /// Trust does not make a peer harmless: it may still send anything, or nothing.
    pub fn trust_uid(mut self, uid: u32) -> Self {
        self.trust = Trust::Also(uid);
        self
    }

    /// Opens what anybody has made, as far as its mode allows: see [`Options::trust_uid`]. Of use to openers only.
    pub fn trust_any_uid(mut self) -> Self {
        self.trust = Trust::Any;
        self
    }

    /// Whether all pages are allocated at creation. If not, they come as the ring fills for the first time, and a lack of
    /// memory then kills whoever writes. Of use to creators only.
    ///
    /// If they are, a lack of memory is [`Error::Limit`] at creation. But at the limit of a control group, the kernel kills a process of
    /// that group, most likely this one, before there is an error, unless the group's OOM killer is disabled. What such a creator
    /// leaves, `ringpipe gc` collects.
    pub fn prefault(mut self, now: bool) -> Self {
        self.pages.prefault = now;
        self
    }

    /// Whether the pages are kept from being swapped out (SHM_LOCK). Of use to creators only.
    pub fn lock_memory(mut self, lock: bool) -> Self {
        self.pages.lock = lock;
        self
    }

    /// Whether the ring takes huge pages (SHM_HUGETLB), which somebody must have reserved. Of use to creators only.
    ///
    /// Whoever may write to such a ring can take its pages away, which ends the next process to
    /// touch one (SIGBUS): give it a mode that only trusted users may write by.
    pub fn huge_pages(mut self, huge: bool) -> Self {
        self.pages.huge = huge;
        self
    }

    /// Whether a ring with a name is created also where `kernel.shm_rmid_forced` is 1. Of use to
    /// creators only.
    ///
    /// There, the kernel frees a ring, with all items in it, as soon as no process is attached to
    /// it; what survives a death elsewhere does not if it was the death of the last. So creation is
    /// refused with [`Error::Limit`], unless this says that some process will always have the ring
    /// open. Rings without a name end with their last user anyway, and are not refused. Nor are
    /// streams by `open_or_create`: one that nobody has open holds nothing, and is made anew. The
    /// setting is looked at when a ring is created; if it is changed later, it applies to rings
    /// that exist, too.
    ///
    /// ```
    /// use ringpipe::spsc::Options;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("ticks");
    /// let ring = Options::new().allow_rmid_forced(true).create::<u64>(&path)?;
    /// # ringpipe::remove(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn allow_rmid_forced(mut self, allow: bool) -> Self {
        self.allow_rmid_forced = allow;
        self
    }

    /// Whether a path that leads into another IPC namespace is given to a new ring. Of use to
    /// creators only.
    ///
    /// Such a path is refused with [`Error::OtherNamespace`] otherwise, since nobody can tell in
    /// general whether that namespace has ended. If it has, as after a container's restart with the
    /// file on a volume, this is the way back, and nothing is lost. If it has not, those who have
    /// the old ring open go on with it, and who opens the path in that namespace does not find it.
    ///
    /// ```
    /// use ringpipe::spsc::Options;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("ticks");
    /// let options = Options::new().replace_other_namespace(true);
    /// let ring = options.open_or_create::<u64>(&path)?;
    /// # ringpipe::remove(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace_other_namespace(mut self, replace: bool) -> Self {
        self.replace_other_namespace = replace;
        self
    }

    pub(crate) fn create_segment<T: Item>(&self, name: &Name) -> Result<Segment, Error> {
        segment::create(name, &self.plan::<T>())
    }

    pub(crate) fn open_segment<T: Item>(&self, name: &Name) -> Result<Segment, Error> {
        segment::open(name, &self.plan::<T>())
    }

    pub(crate) fn open_or_create_segment<T: Item>(&self, name: &Name) -> Result<Segment, Error> {
        segment::open_or_create(name, &self.plan::<T>())
    }

    /// Memory for a ring of this process alone.
    pub(crate) fn on_heap<T: Item>(&self) -> Result<(Arc<Region>, Extent), Error> {
        let extent = self.plan::<T>().extent()?;
        let region = Region::on_heap(extent.size);
        let region = region.ok_or_else(|| segment::out_of_memory(extent.size))?;
        Ok((Arc::new(region), extent))
    }

    pub(crate) fn slots(&self) -> usize {
        self.capacity
    }

    pub(crate) fn plan<T: Item>(&self) -> Plan {
        const {
            assert!(size_of::<T>() > 0, "items of no size need no ring");
            assert!(
                size_of::<T>() <= u32::MAX as usize,
                "an item's size fits 32 bits"
            );
            assert!(
                align_of::<T>() <= ALIGN_MAX,
                "an item's alignment is at most a page"
            );
        }
        let expected = Expected {
            kind: K::KIND,
            item_size: size_of::<T>(),
            item_align: align_of::<T>(),
            fingerprint: fingerprint_of(&self.type_name),
        };
        Plan {
            expected,
            type_name: TypeName::new(&self.type_name),
            capacity: self.capacity,
            crew: self.crew,
            access: self.access,
            trust: self.trust,
            pages: self.pages,
            allow_rmid_forced: self.allow_rmid_forced,
            replace_other_namespace: self.replace_other_namespace,
        }
    }
}
