//! The segment seen as memory: what lies where, and the only raw copies of the crate.
//!
//! Nothing here knows where a segment came from (that is [`crate::segment`]) or what the indices in it
//! mean (that is [`crate::ring`]). May depend on `sync`, `item` and, for the owner of a mapping, `sys`.

mod layout;
#[cfg(loom)]
mod modelled;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
mod view;

#[cfg(not(loom))]
pub(crate) use layout::{ALIGN_MAX, Expected, Facts, NAME_MAX, Unfit, segment_size};
pub(crate) use layout::{Control, Roster};
#[cfg(loom)]
pub(crate) use modelled::View;
#[cfg(not(loom))]
pub(crate) use region::Region;
#[cfg(not(loom))]
pub(crate) use view::View;
