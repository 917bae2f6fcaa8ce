//! The shape of a segment: fixed-width fields, fixed offsets, nothing borrowed from another crate.
//!
//! `docs/abi.md` lists the offsets; the assertions below and `tests/abi.rs` hold both to them.

use crate::sync::{AtomicU32, AtomicU64};

/// Distance that keeps two fields from sharing a cache line, or a pair of lines fetched together.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct Line<T>(pub(crate) T);

impl<T> core::ops::Deref for Line<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Who holds, or last held, one role. Hints for people and for quick answers; the semaphores decide.
///
/// Each word is `generation << 2 | state` (see [`crate::ring::roster`]). Written by the holder on attach and
/// detach, and by a peer that found the holder dead.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Roster {
    pub(crate) producer: AtomicU64,
    pub(crate) consumer: AtomicU64,
    /// Holders that were found dead, for `stat`.
    pub(crate) producer_deaths: AtomicU32,
    pub(crate) consumer_deaths: AtomicU32,
    /// 1 once the ring's name was taken away in good order; 2 until its creator begins to name it.
    pub(crate) removed: AtomicU32,
}

/// What the lock-free core works on.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Control {
    /// Read on each operation, written when somebody comes or goes.
    pub(crate) roster: Line<Roster>,
    /// Items ever published; written by the producer alone. Never wraps: 2^64 items at 10^9 a second take
    /// 584 years.
    pub(crate) produced: Line<AtomicU64>,
    /// Items ever released; written by the consumer alone. `produced - capacity <= consumed <= produced`.
    pub(crate) consumed: Line<AtomicU64>,
    /// Consumers that sleep, or are about to, and that nobody has promised a wake-up yet.
    pub(crate) sleeping_consumers: Line<AtomicU32>,
    /// The same for producers.
    pub(crate) sleeping_producers: Line<AtomicU32>,
}

impl Control {
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            roster: Line(Roster {
                producer: AtomicU64::new(0),
                consumer: AtomicU64::new(0),
                producer_deaths: AtomicU32::new(0),
                consumer_deaths: AtomicU32::new(0),
                removed: AtomicU32::new(0),
            }),
            produced: Line(AtomicU64::new(0)),
            consumed: Line(AtomicU64::new(0)),
            sleeping_consumers: Line(AtomicU32::new(0)),
            sleeping_producers: Line(AtomicU32::new(0)),
        }
    }
}

#[cfg(not(loom))]
pub(crate) use whole::*;

/// The parts that only a real segment has: loom's atomics have another size, so it never sees them.
#[cfg(not(loom))]
mod whole {
    use core::mem::{align_of, offset_of, size_of};

    use super::{AtomicU32, AtomicU64, Control, Line};
    use crate::memory::crowd::{Crowd, Entry, PARTICIPANTS_MAX};
    use crate::memory::ready::{Readiness, Ready};
    use crate::memory::type_name::StoredTypeName;
    use crate::sync::{AtomicU8, Ordering};

    /// "RINGPIPE", read as a little-endian number.
    const MAGIC: u64 = u64::from_le_bytes(*b"RINGPIPE");
    /// Raised whenever a field moves or changes its meaning.
    const ABI: u32 = 1;
    /// Room for the ring's path, in bytes. A longer path is not stored.
    pub(crate) const NAME_MAX: usize = 1024;
    /// The highest policy there is, of any kind of ring.
    const POLICY_MAX: u32 = 1;
    /// The largest alignment an item may ask for.
    pub(crate) const ALIGN_MAX: usize = 4096;

    /// What a ring is. Written once by its creator, the ready word last; copied once by each opener.
    #[repr(C)]
    #[derive(Debug)]
    pub(crate) struct Identity {
        magic: AtomicU64,
        abi: AtomicU32,
        kind: AtomicU32,
        item_size: AtomicU32,
        item_align: AtomicU32,
        fingerprint: AtomicU64,
        capacity: AtomicU64,
        payload: AtomicU64,
        segment_size: AtomicU64,
        cookie: [AtomicU64; 2],
        sem_id: AtomicU32,
        creator: AtomicU32,
        created: AtomicU64,
        name_len: AtomicU32,
        ready: Ready,
        /// Inode of the mount namespace in which the name is a path.
        mount: AtomicU64,
        /// How many participants there may be at a time; 0 where each role has one holder.
        participants: AtomicU32,
        /// What becomes of a dead consumer's items, where there may be several consumers.
        policy: AtomicU32,
        /// Device and inode of the folder in which the name is one.
        folder: [AtomicU64; 2],
    }

    /// The first page of each segment.
    #[repr(C, align(4096))]
    #[derive(Debug)]
    pub(crate) struct Header {
        pub(crate) identity: Line<Identity>,
        pub(crate) control: Control,
        /// When the ring was made, by the clock that nobody sets; see [`Facts::created`].
        pub(crate) uptime: AtomicU64,
        pub(crate) type_name: StoredTypeName,
        reserved: [AtomicU64; 16],
        name: [AtomicU8; NAME_MAX],
        pub(crate) crowd: Crowd,
    }

    const _: () = {
        assert!(size_of::<Line<AtomicU32>>() == 128);
        assert!(offset_of!(Identity, magic) == 0);
        assert!(offset_of!(Identity, abi) == 8);
        assert!(offset_of!(Identity, kind) == 12);
        assert!(offset_of!(Identity, item_size) == 16);
        assert!(offset_of!(Identity, item_align) == 20);
        assert!(offset_of!(Identity, fingerprint) == 24);
        assert!(offset_of!(Identity, capacity) == 32);
        assert!(offset_of!(Identity, payload) == 40);
        assert!(offset_of!(Identity, segment_size) == 48);
        assert!(offset_of!(Identity, cookie) == 56);
        assert!(offset_of!(Identity, sem_id) == 72);
        assert!(offset_of!(Identity, creator) == 76);
        assert!(offset_of!(Identity, created) == 80);
        assert!(offset_of!(Identity, name_len) == 88);
        assert!(offset_of!(Identity, ready) == 92);
        assert!(offset_of!(Identity, mount) == 96);
        assert!(offset_of!(Identity, participants) == 104);
        assert!(offset_of!(Identity, policy) == 108);
        assert!(offset_of!(Identity, folder) == 112);
        assert!(size_of::<Identity>() == 128);
        assert!(offset_of!(Header, control) == 128);
        assert!(offset_of!(Control, produced) == 128);
        assert!(offset_of!(Control, consumed) == 256);
        assert!(offset_of!(Control, sleeping_consumers) == 384);
        assert!(offset_of!(Control, sleeping_producers) == 512);
        assert!(size_of::<Control>() == 640);
        assert!(offset_of!(Header, uptime) == 768);
        assert!(offset_of!(Header, type_name) == 776);
        assert!(offset_of!(Header, reserved) == 896);
        assert!(offset_of!(Header, name) == 1024);
        assert!(offset_of!(Header, crowd) == 2048);
        assert!(size_of::<Header>() == 4096);
        assert!(align_of::<Header>() == ALIGN_MAX);
    };

    /// What the header calls the kinds of rings.
    pub(crate) mod kind {
        /// One producer, one consumer.
        pub(crate) const SPSC: u32 = 1;
        /// Any number of each.
        pub(crate) const MPMC: u32 = 2;
        /// Bytes; any number of each, who take turns.
        pub(crate) const STREAM: u32 = 3;
    }

    /// What a ring is made for, as its creator sets it and each opener demands it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Expected {
        pub(crate) kind: u32,
        pub(crate) item_size: usize,
        pub(crate) item_align: usize,
        pub(crate) fingerprint: u64,
    }

    /// A checked copy of an [`Identity`]: what a process believes of a ring from then on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Facts {
        pub(crate) expected: Expected,
        pub(crate) capacity: usize,
        pub(crate) crew: Crew,
        pub(crate) segment_size: usize,
        pub(crate) cookie: [u64; 2],
        pub(crate) sem_id: i32,
        pub(crate) creator: i32,
        /// Seconds since the epoch.
        pub(crate) created: u64,
    }

    /// Where a ring's path means something; zeroes where there is none.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct PathScope {
        /// Inode of the mount namespace.
        pub(crate) mount: u64,
        /// Device and inode of the folder.
        pub(crate) folder: [u64; 2],
    }

    /// What the creator of a ring with several in a role decides besides; zeroes for any other.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Crew {
        pub(crate) participants: usize,
        pub(crate) policy: u32,
    }

    /// Why memory is not a ring that can be used.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Unfit {
        /// The magic is missing: not a ring, or one whose creator has not begun.
        NotARing,
        /// The magic is there, the ready word is not.
        NotReady,
        /// Another ABI version.
        Version(u32),
        /// A field that cannot be.
        Corrupt(&'static str),
    }

    /// Where the items of a ring begin, and how many bytes it takes in all.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Extent {
        pub(crate) payload: usize,
        pub(crate) size: usize,
    }

    /// The extent of a ring of `capacity` items of `item_size` bytes, if a segment can be so large.
    ///
    /// Where there are participants, their entries come behind the header; where they claim slots, then a word for each slot.
    pub(crate) fn extent(
        kind: u32,
        crew: Crew,
        capacity: usize,
        item_size: usize,
    ) -> Option<Extent> {
        let table = crew.participants.checked_mul(size_of::<Entry>())?;
        let words = if kind == kind::STREAM || crew.participants == 0 {
            0
        } else {
            capacity.checked_mul(size_of::<u64>())?
        };
        let behind = table.checked_add(words)?;
        let payload = size_of::<Header>()
            .checked_add(behind)?
            .checked_next_multiple_of(ALIGN_MAX)?;
        let size = payload.checked_add(capacity.checked_mul(item_size)?)?;
        // Rounded up to a page, it is a size that memory can have.
        (size <= isize::MAX as usize - ALIGN_MAX).then_some(Extent { payload, size })
    }

    impl Identity {
        /// Marks the memory as a ring in the making, so that a collector knows it if its creator dies.
        pub(crate) fn begin(&self) {
            self.magic.store(MAGIC, Ordering::Relaxed);
        }

        /// Writes all but the ready word.
        pub(crate) fn fill(&self, facts: &Facts) {
            let Facts { expected, .. } = facts;
            self.abi.store(ABI, Ordering::Relaxed);
            self.kind.store(expected.kind, Ordering::Relaxed);
            self.item_size
                .store(narrow(expected.item_size), Ordering::Relaxed);
            self.item_align
                .store(narrow(expected.item_align), Ordering::Relaxed);
            self.fingerprint
                .store(expected.fingerprint, Ordering::Relaxed);
            self.capacity
                .store(facts.capacity as u64, Ordering::Relaxed);
            self.payload
                .store(facts.payload() as u64, Ordering::Relaxed);
            let Crew {
                participants,
                policy,
            } = facts.crew;
            self.participants
                .store(narrow(participants), Ordering::Relaxed);
            self.policy.store(policy, Ordering::Relaxed);
            self.segment_size
                .store(facts.segment_size as u64, Ordering::Relaxed);
            self.cookie[0].store(facts.cookie[0], Ordering::Relaxed);
            self.cookie[1].store(facts.cookie[1], Ordering::Relaxed);
            self.sem_id
                .store(facts.sem_id.cast_unsigned(), Ordering::Relaxed);
            self.creator
                .store(facts.creator.cast_unsigned(), Ordering::Relaxed);
            self.created.store(facts.created, Ordering::Relaxed);
        }

        /// Says that the ring can be used (E0): all that [`Identity::fill`] wrote comes before it.
        pub(crate) fn finish(&self) {
            self.ready.say();
        }

        /// Copies the identity once and checks all of it against the segment's real size.
        ///
        /// A ready word that is seen brings the fields with it (E0).
        pub(crate) fn read(&self, actual_size: usize) -> Result<Facts, Unfit> {
            let ready = self.ready.look();
            if self.magic.load(Ordering::Relaxed) != MAGIC {
                return Err(Unfit::NotARing);
            }
            match ready {
                Readiness::Ready => {}
                Readiness::NotYet => return Err(Unfit::NotReady),
                Readiness::Corrupt => return Err(Unfit::Corrupt("ready word")),
            }
            match self.abi.load(Ordering::Relaxed) {
                ABI => self.read_fields(actual_size),
                other => Err(Unfit::Version(other)),
            }
        }

        /// The cookie, whatever else the memory holds: it alone says whether a name leads here.
        pub(crate) fn cookie(&self) -> [u64; 2] {
            // Relaxed: written before the name was given, and compared with a copy.
            [0, 1].map(|half: usize| self.cookie[half].load(Ordering::Relaxed))
        }

        fn read_fields(&self, actual_size: usize) -> Result<Facts, Unfit> {
            let expected = Expected {
                kind: self.kind.load(Ordering::Relaxed),
                item_size: self.item_size.load(Ordering::Relaxed) as usize,
                item_align: self.item_align.load(Ordering::Relaxed) as usize,
                fingerprint: self.fingerprint.load(Ordering::Relaxed),
            };
            let facts = Facts {
                expected,
                capacity: wide(&self.capacity)?,
                crew: Crew {
                    participants: self.participants.load(Ordering::Relaxed) as usize,
                    policy: self.policy.load(Ordering::Relaxed),
                },
                segment_size: wide(&self.segment_size)?,
                cookie: self.cookie(),
                sem_id: self.sem_id.load(Ordering::Relaxed).cast_signed(),
                creator: self.creator.load(Ordering::Relaxed).cast_signed(),
                created: self.created.load(Ordering::Relaxed),
            };
            facts.check(actual_size, wide(&self.payload)?)
        }
    }

    impl Facts {
        /// Where items begin.
        pub(crate) fn payload(&self) -> usize {
            self.extent().map_or(0, |extent| extent.payload)
        }

        fn extent(&self) -> Option<Extent> {
            let Expected {
                kind, item_size, ..
            } = self.expected;
            extent(kind, self.crew, self.capacity, item_size)
        }

        fn check(self, actual_size: usize, payload: usize) -> Result<Self, Unfit> {
            let Expected {
                item_size,
                item_align,
                ..
            } = self.expected;
            if item_size == 0 {
                return Err(Unfit::Corrupt("item size"));
            }
            let aligned = item_align.is_power_of_two() && item_size.is_multiple_of(item_align);
            if !aligned || item_align > ALIGN_MAX {
                return Err(Unfit::Corrupt("item alignment"));
            }
            if self.crew.participants > PARTICIPANTS_MAX {
                return Err(Unfit::Corrupt("participant limit"));
            }
            if self.crew.policy > POLICY_MAX {
                return Err(Unfit::Corrupt("policy"));
            }
            let Some(extent) = self.extent().filter(|_| self.capacity > 0) else {
                return Err(Unfit::Corrupt("capacity"));
            };
            if extent.payload != payload {
                return Err(Unfit::Corrupt("payload offset"));
            }
            if extent.size != self.segment_size {
                return Err(Unfit::Corrupt("capacity"));
            }
            if self.segment_size != actual_size {
                return Err(Unfit::Corrupt("segment size"));
            }
            if self.sem_id < 0 {
                return Err(Unfit::Corrupt("semaphore set"));
            }
            Ok(self)
        }
    }

    impl Header {
        /// Stores the ring's path, for people and collectors, and where it is one.
        ///
        /// At most [`NAME_MAX`] bytes of it.
        pub(crate) fn set_name(&self, path: &[u8], scope: PathScope) {
            let path = &path[..path.len().min(NAME_MAX)];
            for (to, from) in self.name.iter().zip(path) {
                to.store(*from, Ordering::Relaxed);
            }
            self.identity.mount.store(scope.mount, Ordering::Relaxed);
            for (to, from) in self.identity.folder.iter().zip(scope.folder) {
                to.store(from, Ordering::Relaxed);
            }
            self.identity
                .name_len
                .store(narrow(path.len()), Ordering::Relaxed);
        }

        /// The stored path and where it is one; empty where there is none. As untrusted as all that
        /// a peer can write.
        pub(crate) fn name(&self) -> (Vec<u8>, PathScope) {
            let len = self.identity.name_len.load(Ordering::Relaxed) as usize;
            let bytes = self.name.get(..len).unwrap_or_default();
            let path = bytes
                .iter()
                .map(|byte| byte.load(Ordering::Relaxed))
                .collect();
            let Identity { mount, folder, .. } = &*self.identity;
            let scope = PathScope {
                mount: mount.load(Ordering::Relaxed),
                folder: [0, 1].map(|half: usize| folder[half].load(Ordering::Relaxed)),
            };
            (path, scope)
        }
    }

    fn narrow(value: usize) -> u32 {
        u32::try_from(value).unwrap_or(0) // 0 is refused by every reader; creators check before
    }

    fn wide(word: &AtomicU64) -> Result<usize, Unfit> {
        usize::try_from(word.load(Ordering::Relaxed))
            .map_err(|_| Unfit::Corrupt("a size beyond the address space"))
    }

    #[cfg(test)]
    mod tests {
        use core::ops::Range;

        use memoffset::span_of;

        use super::{Control, Header, Identity};
        use crate::memory::Roster;

        /// The fields in `docs/abi.md`, but for the reserved ranges.
        fn documented() -> Vec<(&'static str, Range<usize>)> {
            let row = |line: &'static str| {
                let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
                let offset = cells.next()?.parse::<usize>().ok()?;
                let width = cells.next()?.parse::<usize>().ok()?;
                let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
                Some((name, offset..offset + width))
            };
            let header = include_str!("../../docs/abi.md").split("## The semaphore set");
            header
                .take(1)
                .flat_map(str::lines)
                .filter_map(row)
                .collect()
        }

        #[test]
        fn every_field_has_the_documented_place_and_width() {
            let control = span_of!(Header, control).start;
            let roster = control + span_of!(Control, roster).start;
            let shifted = |by: usize, span: Range<usize>| span.start + by..span.end + by;
            let indices = [
                ("produced", span_of!(Control, produced).start, 8),
                ("consumed", span_of!(Control, consumed).start, 8),
                (
                    "sleeping_consumers",
                    span_of!(Control, sleeping_consumers).start,
                    4,
                ),
                (
                    "sleeping_producers",
                    span_of!(Control, sleeping_producers).start,
                    4,
                ),
            ];
            let cookie = span_of!(Identity, cookie);
            let folder = span_of!(Identity, folder);
            let mut spans = vec![
                ("magic", span_of!(Identity, magic)),
                ("abi", span_of!(Identity, abi)),
                ("kind", span_of!(Identity, kind)),
                ("item_size", span_of!(Identity, item_size)),
                ("item_align", span_of!(Identity, item_align)),
                ("fingerprint", span_of!(Identity, fingerprint)),
                ("capacity", span_of!(Identity, capacity)),
                ("payload", span_of!(Identity, payload)),
                ("segment_size", span_of!(Identity, segment_size)),
                ("cookie_high", cookie.start..cookie.start + 8),
                ("cookie_low", cookie.start + 8..cookie.end),
                ("sem_id", span_of!(Identity, sem_id)),
                ("creator", span_of!(Identity, creator)),
                ("created", span_of!(Identity, created)),
                ("name_len", span_of!(Identity, name_len)),
                ("ready", span_of!(Identity, ready)),
                ("mount", span_of!(Identity, mount)),
                ("participants", span_of!(Identity, participants)),
                ("policy", span_of!(Identity, policy)),
                ("folder_device", folder.start..folder.start + 8),
                ("folder_inode", folder.start + 8..folder.end),
                ("producer", shifted(roster, span_of!(Roster, producer))),
                ("consumer", shifted(roster, span_of!(Roster, consumer))),
                (
                    "producer_deaths",
                    shifted(roster, span_of!(Roster, producer_deaths)),
                ),
                (
                    "consumer_deaths",
                    shifted(roster, span_of!(Roster, consumer_deaths)),
                ),
                ("removed", shifted(roster, span_of!(Roster, removed))),
            ];
            // A line is as wide as its alignment; the field in it begins it.
            spans.extend(
                indices
                    .map(|(name, start, width)| (name, control + start..control + start + width)),
            );
            spans.push(("uptime", span_of!(Header, uptime)));
            let type_name = span_of!(Header, type_name).start;
            spans.extend(crate::memory::type_name::spans(type_name));
            spans.push(("name", span_of!(Header, name)));
            spans.extend(crate::memory::crowd::spans(span_of!(Header, crowd).start));
            assert_eq!(documented(), spans);
        }
    }
}
