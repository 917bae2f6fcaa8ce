//! Messages through what carries bytes, one call each.

use std::io::{Read, Write};

use zerocopy::IntoBytes;

use crate::way::{Message, Rx, Tx};

pub(crate) struct Out<W>(pub(crate) W);

pub(crate) struct In<R>(pub(crate) R);

impl<const N: usize, W: Write + 'static> Tx<N> for Out<W> {
    #[inline(always)]
    fn send(&mut self, message: &Message<N>) {
        self.0.write_all(message.as_bytes()).expect("a reader");
    }
}

impl<const N: usize, R: Read + 'static> Rx<N> for In<R> {
    #[inline(always)]
    fn receive<T>(&mut self, look: impl FnOnce(&Message<N>) -> T) -> T {
        let mut message = [0; N];
        self.0.read_exact(message.as_mut_bytes()).expect("a writer");
        look(&message)
    }
}
