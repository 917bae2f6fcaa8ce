//! The segment seen as memory: what lies where, and the only raw copies of the crate.
//!
//! Nothing here knows where a segment came from (that is [`crate::segment`]) or what the indices in it
//! mean (that is [`crate::ring`]). May depend on `sync`, `item` and, for the owner of a mapping, `sys`.

#[cfg(not(loom))]
mod board;
mod crowd;
mod layout;
#[cfg(loom)]
mod modelled;
mod ready;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
mod type_name;
#[cfg(not(loom))]
mod view;

#[cfg(not(loom))]
pub(crate) use board::Board;
#[cfg(not(loom))]
pub(crate) use crowd::PARTICIPANTS_MAX;
pub(crate) use crowd::{Berths, Crowd, Entry};
#[cfg(not(loom))]
pub(crate) use layout::{
    ALIGN_MAX, Crew, Expected, Extent, Facts, NAME_MAX, PathScope, Unfit, extent, kind,
};
pub(crate) use layout::{Control, Roster};
#[cfg(loom)]
pub(crate) use modelled::{Board, View};
#[cfg(loom)]
pub(crate) use ready::{Readiness, Ready};
#[cfg(not(loom))]
pub(crate) use region::{AfterDetach, Region};
#[cfg(not(loom))]
pub(crate) use type_name::{TypeName, fingerprint_of};
#[cfg(not(loom))]
pub(crate) use view::View;
