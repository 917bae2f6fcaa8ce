//! Us, the rivals, and what each is good for.

mod pipe;
mod rings;

pub(crate) use pipe::Pipe;
pub(crate) use rings::Ring;
