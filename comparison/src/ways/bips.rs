//! shm-primitives 7, its bipartite buffer, between processes: bytes that always lie in one piece.
//!
//! Sides cannot wait: they spin. Many messages are written and read in place, in one piece each time; a piece is waited
//! for until there is room for all of it.

use std::sync::Arc;

use shm_primitives::{BIPBUF_HEADER_SIZE, BipBuf, FileCleanup, MmapRegion};
use zerocopy::{FromBytes, IntoBytes};

use super::place::{Gate, Place};
use crate::common::duel::Between;
use crate::common::machine::relax;
use crate::way::{Message, Rx, Tx, Waits, Way};

pub(crate) enum BipBuffer {}

impl<const N: usize> Way<N> for BipBuffer {
    const NAME: &'static str = "shm-primitives";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Awake;
    const SLICES: bool = true;
    type Tx = End;
    type Rx = End;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let place = Arc::new(Place::in_memory());
        let other = Arc::clone(&place);
        let (mut near, mut far) = Gate::pair();
        let capacity = messages * size_of::<Message<N>>();
        (
            move || {
                let end = End::create(place, capacity);
                near.open();
                end
            },
            move || {
                far.pass();
                End::attach(other)
            },
        )
    }
}

pub(crate) struct End {
    buffer: BipBuf,
    _memory: MmapRegion,
    _place: Arc<Place>,
}

impl End {
    #[allow(
        unsafe_code,
        reason = "the crate trusts its callers to be the only ones"
    )]
    fn create(place: Arc<Place>, capacity: usize) -> Self {
        let path = place.path().join("buffer");
        let size = BIPBUF_HEADER_SIZE + capacity;
        let memory = MmapRegion::create(&path, size, FileCleanup::Manual).expect("memory");
        // SAFETY: the memory is new and nobody else's until the other side is told of it, is page-aligned, and has room
        // for a header and for as much as is said.
        let buffer = unsafe { BipBuf::init(memory.region(), 0, capacity as u32) };
        Self {
            buffer,
            _memory: memory,
            _place: place,
        }
    }

    #[allow(
        unsafe_code,
        reason = "the crate trusts its callers to be the only ones"
    )]
    fn attach(place: Arc<Place>) -> Self {
        let memory = MmapRegion::attach(&place.path().join("buffer")).expect("the memory");
        // SAFETY: `create` has initialized it.
        let buffer = unsafe { BipBuf::attach(memory.region(), 0) };
        Self {
            buffer,
            _memory: memory,
            _place: place,
        }
    }

    #[inline(always)]
    fn write(&mut self, size: usize, fill: impl FnOnce(&mut [u8])) {
        let buffer = self.buffer.inner();
        let room = loop {
            match buffer.try_grant(size as u32) {
                Some(room) => break room,
                None => relax(),
            }
        };
        fill(room);
        buffer.commit(size as u32);
    }

    #[inline(always)]
    fn bytes(&mut self) -> &[u8] {
        loop {
            match self.buffer.inner().try_read() {
                Some(bytes) => return bytes,
                None => relax(),
            }
        }
    }
}

impl<const N: usize> Tx<N> for End {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        self.write(size_of_val(message), |room| {
            room.copy_from_slice(message.as_bytes());
        });
    }

    #[inline(always)]
    fn send_all(&mut self, count: usize, mut make: impl FnMut(usize) -> Message<N>) {
        self.write(count * size_of::<Message<N>>(), |room| {
            let places = room.chunks_exact_mut(size_of::<Message<N>>());
            for (i, place) in places.enumerate() {
                place.copy_from_slice(make(i).as_bytes());
            }
        });
    }
}

impl<const N: usize> Rx<N> for End {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        let bytes = &self.bytes()[..size_of::<Message<N>>()];
        let message = Message::read_from_bytes(bytes).expect("its size");
        self.buffer.inner().release(size_of_val(&message) as u32);
        look(&message)
    }

    #[inline(always)]
    fn receive_some(&mut self, most: usize, mut look: impl FnMut(&Message<N>)) -> usize {
        let bytes = self.bytes();
        let messages = bytes.chunks_exact(size_of::<Message<N>>());
        let count = messages.len().min(most);
        for bytes in messages.take(count) {
            look(&Message::read_from_bytes(bytes).expect("its size"));
        }
        let size = count * size_of::<Message<N>>();
        self.buffer.inner().release(size as u32);
        count
    }
}
