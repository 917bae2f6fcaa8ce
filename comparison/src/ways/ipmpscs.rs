//! ipmpsc 0.5, between processes: a ring under a mutex and a condition variable that are shared, and messages that pass
//! through serde and bincode.
//!
//! Sides sleep at once. Messages go as bytes, without a look at each, and are read out of the ring in place, which the
//! crate recommends for large ones. A side that is killed while it has the mutex leaves it locked.

use std::fmt;
use std::sync::Arc;

use ipmpsc::{Receiver, Sender, SharedRingBuffer};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zerocopy::{FromBytes, IntoBytes};

use super::place::{Gate, Place};
use crate::common::duel::Between;
use crate::way::{Message, Rx, Tx, Waits, Way};

pub(crate) enum Ipmpsc {}

impl<const N: usize> Way<N> for Ipmpsc {
    const NAME: &'static str = "ipmpsc";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Out;
    type Rx = In;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let place = Arc::new(Place::in_memory());
        let other = Arc::clone(&place);
        let (mut near, mut far) = Gate::pair();
        let size = (messages * (size_of::<Message<N>>() + PREFIXES)) as u32;
        (
            move || {
                let ring = SharedRingBuffer::create(&path(&place), size);
                near.open();
                Out(Sender::new(ring.expect("a ring")), place)
            },
            move || {
                far.pass();
                let ring = SharedRingBuffer::open(&path(&other));
                In(Receiver::new(ring.expect("the ring")), other)
            },
        )
    }
}

/// What stands before a message's bytes: its size, by the crate, and their number, by bincode.
const PREFIXES: usize = 4 + 8;

fn path(place: &Place) -> String {
    let path = place.path().join("ring");
    path.into_os_string().into_string().expect("a plain path")
}

pub(crate) struct Out(
    Sender,
    #[allow(dead_code, reason = "for its drop")] Arc<Place>,
);

pub(crate) struct In(
    Receiver,
    #[allow(dead_code, reason = "for its drop")] Arc<Place>,
);

/// Bytes that are serialized at once, and borrowed when they come.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Borrows)
    }
}

struct Borrows;

impl<'de> Visitor<'de> for Borrows {
    type Value = Bytes<'de>;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("bytes")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Bytes(bytes))
    }
}

impl<const N: usize> Tx<N> for Out {
    fn send(&mut self, message: &Message<N>) {
        self.0.send(&Bytes(message.as_bytes())).expect("the ring");
    }
}

impl<const N: usize> Rx<N> for In {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        let mut context = self.0.zero_copy_context();
        let Bytes(bytes) = context.recv().expect("the ring");
        look(&Message::read_from_bytes(bytes).expect("a whole message"))
    }
}
