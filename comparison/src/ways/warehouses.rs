//! The textbook's warehouse, with three semaphores and eight system calls for a message.

use std::sync::Arc;

use crate::common::duel::Between;
use crate::common::warehouse::Warehouse;
use crate::way::{Message, Rx, Tx, Waits, Way};

pub(crate) enum Textbook {}

/// What a semaphore can count.
const MOST: usize = i16::MAX as usize;

impl<const N: usize> Way<N> for Textbook {
    const NAME: &'static str = "three semaphores";
    const BETWEEN: Between = Between::Processes;
    const WAITS: Waits = Waits::Asleep;
    type Tx = Arc<Warehouse<N>>;
    type Rx = Arc<Warehouse<N>>;

    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    ) {
        let warehouse = Arc::new(Warehouse::new(messages.min(MOST)));
        let other = Arc::clone(&warehouse);
        (move || warehouse, move || other)
    }
}

impl<const N: usize> Tx<N> for Arc<Warehouse<N>> {
    fn send(&mut self, message: &Message<N>) {
        self.put(message);
    }
}

impl<const N: usize> Rx<N> for Arc<Warehouse<N>> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R {
        look(&self.get())
    }
}
