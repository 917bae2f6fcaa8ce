//! What can be chosen when a ring is created or opened.

use super::{KIND, Ring};
use crate::error::Error;
use crate::item::Item;
use crate::memory::{ALIGN_MAX, Expected, View};
use crate::name::Name;
use crate::parking::Local;
use crate::segment::{self, Access, Pages, Plan};
use crate::sync::Arc;

/// How often [`Options::open_or_create`] tries anew when others create and remove at the same time.
const TRIES: u32 = 100;

/// How to create or open a ring.
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
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a ring is created or opened with them"]
pub struct Options {
    capacity: usize,
    type_name: String,
    access: Access,
    pages: Pages,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// Capacity 1024, mode 0600, owner and group of the process, no type name, memory allocated at creation.
    pub fn new() -> Self {
        Self {
            capacity: 1024,
            type_name: String::new(),
            access: Access {
                mode: 0o600,
                uid: None,
                gid: None,
            },
            pages: Pages {
                prefault: true,
                lock: false,
                huge: false,
            },
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
    /// Both sides need to read and write, also the consumer. Of use to creators only.
    pub fn mode(mut self, mode: u32) -> Self {
        self.access.mode = mode & 0o777;
        self
    }

    /// Gives the ring to that user. Needs the permission to do so. Of use to creators only.
    pub fn uid(mut self, uid: u32) -> Self {
        self.access.uid = Some(uid);
        self
    }

    /// Gives the ring to that group. Needs the permission to do so. Of use to creators only.
    pub fn gid(mut self, gid: u32) -> Self {
        self.access.gid = Some(gid);
        self
    }

    /// Whether all pages are allocated at creation. If not, they come as the ring fills for the first time, and a lack of
    /// memory then kills whoever writes. Of use to creators only.
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
    pub fn huge_pages(mut self, huge: bool) -> Self {
        self.pages.huge = huge;
        self
    }

    /// Creates a ring: see [`Ring::create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create<T: Item>(&self, name: impl Into<Name>) -> Result<Ring<T>, Error> {
        segment::create(&name.into(), &self.plan::<T>()).map(Ring::of_segment)
    }

    /// Opens a ring: see [`Ring::open`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open<T: Item>(&self, name: impl Into<Name>) -> Result<Ring<T>, Error> {
        segment::open(&name.into(), &self.plan::<T>().expected).map(Ring::of_segment)
    }

    /// Opens a ring or creates it: see [`Ring::open_or_create`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_or_create<T: Item>(&self, name: impl Into<Name>) -> Result<Ring<T>, Error> {
        let name = name.into();
        for _ in 0..TRIES {
            match self.open(&name) {
                Err(Error::NotFound { .. } | Error::Stale { .. } | Error::NotReady { .. }) => {}
                opened => return opened,
            }
            match self.create(&name) {
                Err(Error::NameTaken { .. }) => {}
                created => return created,
            }
        }
        self.open(&name)
    }

    /// Creates a ring for threads of this process: see [`Ring::in_process`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn in_process<T: Item>(&self) -> Result<Ring<T>, Error> {
        let plan = self.plan::<T>();
        let len = plan.size()?;
        let view = View::on_heap(plan.capacity, len).ok_or_else(|| segment::out_of_memory(len))?;
        Ok(Ring {
            view,
            parking: Arc::new(Local::new()),
            segment: None,
        })
    }

    fn plan<T: Item>(&self) -> Plan {
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
            kind: KIND,
            item_size: size_of::<T>(),
            item_align: align_of::<T>(),
            fingerprint: fingerprint(&self.type_name),
        };
        Plan {
            expected,
            capacity: self.capacity,
            access: self.access,
            pages: self.pages,
        }
    }
}

/// FNV-1a of the type's name: enough to tell two names apart by mistake, not against malice.
fn fingerprint(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
