//! A ring of bytes whose roles are shared by turns: one writes at a time, and one reads.
//!
//! The indices are those of a pair, and so is what a death leaves: bytes are there once the index says so, all at once, and
//! before that they never were. There is nothing to repair but the turn itself, which carries its holder's number ([`word`])
//! and is given up for the dead by whoever clears up after them ([`settle`]).
//!
//! Who has a role to itself keeps the turn ([`turn`]): it then writes no word that others write, and costs itself two stores
//! to a line of its own. [`member`] moves bytes, [`arrive`] comes and goes.

mod arrive;
mod member;
mod turn;
mod word;

pub(crate) use arrive::{Place, Refusal};
pub(crate) use member::Member;
#[cfg(not(loom))]
pub(super) use turn::is_held_here;
pub(super) use turn::settle;
