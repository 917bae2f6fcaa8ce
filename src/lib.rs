//! A lock-free ring buffer in System V shared memory, for processes that may be killed at any moment.
//!
//! Items move through atomics alone. Only a side that has to wait makes a system call, on a System V semaphore, and
//! sleeps there. When a process dies, however and wherever, the kernel itself tells the others (SEM_UNDO): nothing
//! hangs, nothing published is lost, nothing leaks that `ringpipe gc` would not find.
//!
//! | module | what it offers |
//! |---|---|
//! | [`spsc`] | a ring with one producer and one consumer |
//! | [`mpmc`] | a ring with any number of each |
//! | [`stream`] | bytes, as through a pipe or FIFO |
//! | [`sysv`] | the System V calls themselves, as safe functions |
//!
//! # Limits
//!
//! Linux only. A ring is not a file descriptor: it cannot be polled. Both sides need read and write permission.
//! System V objects outlive processes: a ring stays, with what is in it, until it is removed ([`remove`]). A forked child
//! may use an inherited [`spsc::Ring`], and the ends of a [`stream`] that are inheritable, but no other handle; a handle does
//! not survive exec, and its role stays taken until the new program ends. Whoever may write to a segment can spoil what is in
//! it, but cannot make
//! this process touch memory outside it. See `README.md` and `docs/design.md` of the project.

// The public handles, which use all of the core, are not there under loom.
#![cfg_attr(loom, allow(dead_code))]

#[cfg(not(loom))]
mod brief;
#[cfg(not(loom))]
pub mod error;
#[cfg(not(loom))]
mod halt;
#[cfg(any(loom, fuzzing))]
#[doc(hidden)]
pub mod internals;
mod item;
#[cfg(not(loom))]
pub mod iter;
mod memory;
#[cfg(not(loom))]
pub mod mpmc;
#[cfg(not(loom))]
mod name;
#[cfg(not(loom))]
mod options;
mod parking;
mod ring;
#[cfg(not(loom))]
mod segment;
#[cfg(not(loom))]
pub mod spsc;
#[cfg(not(loom))]
pub mod stream;
mod sync;
#[cfg(not(loom))]
mod sys;
#[cfg(not(loom))]
pub mod sysv;

pub use item::Item;
pub use ring::{DeadConsumer, PeerLoss, Role, Strategy};
/// The crate whose traits and derives make a structure an [`Item`].
pub use zerocopy;
pub use zerocopy::{FromBytes, Immutable, IntoBytes};

#[cfg(not(loom))]
pub use self::{
    error::{
        Error, Fault, PopError, PopTimeoutError, PushError, PushSliceError, PushSliceTimeoutError,
        PushTimeoutError, TryPopError, TryPushError,
    },
    name::Name,
    options::{Options, RingKind},
    segment::{Garbage, Participant, RingState, Side, Status, Tallies, collect, list},
    spsc::Peer,
};

/// Removes a ring: takes its name away, as unlink(2) does.
///
/// Those who have it open go on with it, and its memory is freed with the last of them; what is in it goes then. A stale name
/// is taken away too.
///
/// # Errors
///
/// [`Error::NotFound`], [`Error::NotARing`], [`Error::PermissionDenied`]: only the owner, the creator or root may.
///
/// # Examples
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("ticks");
/// let ring = ringpipe::spsc::Ring::<u64>::create(&path, 16)?;
/// ringpipe::remove(&path)?;
/// assert!(ring.is_removed());
/// assert!(!path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(not(loom))]
pub fn remove(name: impl Into<Name>) -> Result<(), Error> {
    segment::remove(&name.into())
}

/// Takes away a path that leads into another IPC namespace, usually another container's, and touches no ring.
///
/// What is in that namespace cannot be reached from this one. If it has ended, its rings are gone, and the path leads nowhere. If
/// not, they stay, without a name: see [`Error::OtherNamespace`].
///
/// # Errors
///
/// [`Error::BadName`] when the name is no path or leads to a ring of this namespace; [`Error::NotFound`], [`Error::NotARing`],
/// [`Error::PermissionDenied`].
#[cfg(not(loom))]
pub fn remove_other_namespace(name: impl Into<Name>) -> Result<(), Error> {
    segment::remove_other_namespace(&name.into())
}

/// What can be seen of a ring from outside, whatever its kind and items.
///
/// # Errors
///
/// Those of [`spsc::Ring::open`], but for those about the type.
#[cfg(not(loom))]
pub fn status(name: impl Into<Name>) -> Result<Status, Error> {
    segment::status(&name.into())
}

/// The README's examples, compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
