//! What is compared: ways for messages to go from one side to another.
//!
//! A way is told once how its two sides open, send and receive; each measurement is made of these alone, and is therefore
//! the same for all.

use super::common::duel::Between;

/// What goes: as many words as the size asks for, each with the message's number.
pub(crate) type Message<const N: usize> = [u64; N];

/// How a side waits when it has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// It asks again and again.
    Awake,
    /// In the kernel, at once.
    Asleep,
    /// Awake for a while, then in the kernel.
    Both,
}

/// One way for messages of `N` words to go from a producer to a consumer.
pub(crate) trait Way<const N: usize>: 'static {
    const NAME: &'static str;
    const BETWEEN: Between;
    const WAITS: Waits;
    /// Whether there is a call for many messages at once.
    const SLICES: bool = false;
    /// Whether anything is to be learned from one message at a time.
    const SINGLE: bool = true;

    type Tx: Tx<N>;
    type Rx: Rx<N>;

    /// Opens one that holds that many messages, or as near to it as it can. What is returned makes each side ready where
    /// it will run: in a process or thread of its own.
    fn open(
        messages: usize,
    ) -> (
        impl FnOnce() -> Self::Tx + Send + 'static,
        impl FnOnce() -> Self::Rx + Send + 'static,
    );
}

/// The side that sends.
pub(crate) trait Tx<const N: usize>: 'static {
    /// Sends a message, and waits for room before.
    fn send(&mut self, message: &Message<N>);

    /// Sends the messages that `make` makes for 0 to `count`, as many in one call as the way can.
    #[inline(always)]
    fn send_all(&mut self, count: usize, mut make: impl FnMut(usize) -> Message<N>) {
        (0..count).for_each(|i| self.send(&make(i)));
    }
}

/// The side that receives.
pub(crate) trait Rx<const N: usize>: 'static {
    /// Waits for the next message, and shows it.
    fn receive<R>(&mut self, look: impl FnOnce(&Message<N>) -> R) -> R;

    /// Waits for the next message, and shows it and those that have come behind it, up to `most`, in one call; says how
    /// many there were.
    #[inline(always)]
    fn receive_some(&mut self, most: usize, mut look: impl FnMut(&Message<N>)) -> usize {
        debug_assert!(most > 0);
        self.receive(|message| look(message));
        1
    }
}
