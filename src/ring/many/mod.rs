//! A ring whose roles are shared: any number of producers and consumers, any of which may be killed at any instruction.
//!
//! The popular layouts (a ticket, a sequence number, head and tail of a reservation) cannot be repaired after SIGKILL: nobody
//! knows who had claimed a slot. Here the claim is made on the slot's own word, and carries its owner's number ([`word`]).
//! [`member`] claims and hands over, `words` sets the words, `ending` knows when nothing will come; `outside` looks on. Who takes
//! part, who clears up and how one waits is said in [`crate::ring::crew`].

mod claims;
mod ending;
pub(crate) mod frontier;
mod hand;
mod member;
#[cfg(not(loom))]
pub(crate) mod outside;
mod place;
mod word;
mod words;
pub(crate) use member::{Hold, Member, Wish};
pub use words::DeadConsumer;
