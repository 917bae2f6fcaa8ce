//! A ring whose roles are shared: any number of producers and consumers, any of which may be killed at any instruction.
//!
//! The popular layouts (a ticket, a sequence number, head and tail of a reservation) cannot be repaired after SIGKILL: nobody
//! knows who had claimed a slot. Here the claim is made on the slot's own word, and carries its owner's number ([`word`]).
//! [`member`] claims and hands over, [`crew`] knows who takes part and clears up after the dead, [`wait`] sleeps; `outside`
//! looks on.

mod claims;
mod crew;
pub(crate) mod frontier;
mod hand;
mod member;
#[cfg(not(loom))]
pub(crate) mod outside;
mod place;
mod sleepers;
mod wait;
mod word;

pub use crew::DeadConsumer;
pub(crate) use member::{Hold, Member, Wish};
#[cfg(not(loom))]
pub(crate) use wait::Sight;
