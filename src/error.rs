//! Every error of the crate, and what each says to do next.
//!
//! Setting up ([`Error`]) and moving items fail in different ways, so they have different types; each
//! operation on items has its own, with the outcomes that it can have. An operation that does not take an
//! item gives it back.

mod errno;
mod text;

use std::io;
use std::path::PathBuf;

use crate::Name;
use crate::parking::ParkFault;
use crate::ring::{self, Role};
use crate::sysv::{Errno, ShmId};

/// Why a ring cannot be created, opened, attached to, inspected or removed.
///
/// `?` turns it into an [`io::Error`], which has either a number or an error within, never both:
///
/// | error | its number in `io::Error` |
/// |---|---|
/// | [`NameTaken`](Self::NameTaken) | EEXIST |
/// | [`NotFound`](Self::NotFound), [`Stale`](Self::Stale) | ENOENT |
/// | [`NoReader`](Self::NoReader) | ENXIO |
/// | [`TimedOut`](Self::TimedOut) | ETIMEDOUT |
/// | [`Interrupted`](Self::Interrupted) | EINTR |
/// | [`Crowded`](Self::Crowded) | EMFILE |
/// | [`BadCapacity`](Self::BadCapacity), [`BadLimit`](Self::BadLimit), [`BadName`](Self::BadName) | EINVAL |
/// | [`ForeignOwner`](Self::ForeignOwner), [`ForeignPages`](Self::ForeignPages) | EACCES |
/// | [`PermissionDenied`](Self::PermissionDenied), [`Limit`](Self::Limit), [`Call`](Self::Call), [`File`](Self::File) | the kernel's own |
/// | any other | none: [`io::Error::get_ref`] gives the error itself |
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something has that name already.
    #[error("{}", text::taken(name, *what))]
    NameTaken {
        /// The name asked for.
        name: Name,
        /// What it is, if it is known to be no ring.
        what: Option<&'static str>,
    },
    /// Nothing has that name.
    #[error("there is no ring {name} (`ringpipe ls` shows what there is)")]
    NotFound {
        /// The name asked for.
        name: Name,
    },
    /// The name leads to a ring that no longer exists.
    #[error(
        "{name} is stale: {why}; create the ring anew (that replaces the name), or remove the name with `ringpipe rm {name}`"
    )]
    Stale {
        /// The name asked for.
        name: Name,
        /// What happened to the ring.
        why: &'static str,
    },
    /// The ring lives in another IPC namespace, usually another container.
    #[error(
        "{name} belongs to IPC namespace {theirs}, and this process is in {ours}: \
         start both sides in one namespace (containers: share it, e.g. with `--ipc`); if that one has ended ({}), take the name \
         away with `ringpipe rm --other-namespace {name}`, or replace it (`Options::replace_other_namespace`, \
         `--replace-other-namespace`)", who_is_there(*alive)
    )]
    OtherNamespace {
        /// The name asked for.
        name: Name,
        /// Inode of the namespace that the ring was made in.
        theirs: u64,
        /// Inode of this process's namespace.
        ours: u64,
        /// Whether a process is in the ring's namespace that this one can see. If not, it may be alive all the same.
        alive: bool,
    },
    /// What has that name is not a ring.
    #[error("{name} is not a ring: {why}{}", how_to_remove(name))]
    NotARing {
        /// The name asked for.
        name: Name,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The ring's creator has not finished it: it is slow, stopped, or was killed.
    #[error(
        "{name} is still being made: its creator{} has not finished it; if it is stopped, continue it{} or end it; once it is \
         gone, create the ring anew, which replaces what it left",
        number(*creator, ", process ", ","),
        number(*creator, " (`kill -CONT ", "`)")
    )]
    NotReady {
        /// The name asked for.
        name: Name,
        /// The creator, as far as the kernel recalls; 0 if it is of another pid namespace.
        creator: i32,
    },
    /// Made by a ringpipe of another ABI version.
    #[error(
        "{name} has ABI version {found}, this program has {supported}: run both sides with the same version, or remove the ring"
    )]
    WrongVersion {
        /// The name asked for.
        name: Name,
        /// The ring's version.
        found: u32,
        /// This crate's version.
        supported: u32,
    },
    /// Another kind of ring, other items, or another type name.
    #[error("{name} is made for other items: {what} is {found} there and {wanted} here")]
    WrongType {
        /// The name asked for.
        name: Name,
        /// What differs.
        what: &'static str,
        /// As the ring has it.
        found: String,
        /// As this program wants it.
        wanted: String,
    },
    /// A field of the header cannot be: somebody wrote into the segment.
    #[error(
        "{name} is corrupt ({field}): some process wrote into the segment; remove the ring and create it anew"
    )]
    Corrupt {
        /// The name asked for.
        name: Name,
        /// Which field is impossible.
        field: &'static str,
    },
    /// The role is held by a process that lives.
    #[error(
        "the {role} of this ring is process {pid}, which is alive; it has to end or detach first"
    )]
    RoleTaken {
        /// Which role.
        role: Role,
        /// Who has it, as seen in this process's pid namespace; 0 if that is unknown.
        pid: i32,
    },
    /// As many take part in the ring as there can be, and all of them live.
    #[error("{}", text::crowded(*limit))]
    Crowded {
        /// How many there can be.
        limit: usize,
    },
    /// No ring can have that many participants.
    #[error("a ring cannot have {limit} participants: any number from 1 to 511 will do")]
    BadLimit {
        /// How many were asked for.
        limit: usize,
    },
    /// The kernel, or the owner, does not allow it.
    #[error("{}", text::denied(name, action, *source))]
    PermissionDenied {
        /// The name asked for.
        name: Name,
        /// What was tried.
        action: &'static str,
        /// The kernel's answer.
        source: Errno,
    },
    /// Another user made the ring, and nobody has said that he is trusted.
    ///
    /// Told by who *made* the segment (its `cuid`), which the kernel keeps and nobody can change; its owner (`uid`) is whom the
    /// creator names.
    #[error(
        "{name} was made by uid {uid}, and this process is uid {ours}: who makes a ring can spoil all that goes through it; \
         if that user is trusted, say so when opening it (`Options::trust_uid({uid})`, `--trust-uid {uid}`), else take another name"
    )]
    ForeignOwner {
        /// The name asked for.
        name: Name,
        /// Who made the ring.
        uid: u32,
        /// The effective user of this process.
        ours: u32,
    },
    /// The ring is of huge pages and another user's: it is not looked at.
    #[error(
        "{name} is of huge pages and was made by uid {uid}, who can take them away from a process that looks at them, \
         which ends it; look at it or remove it as that user, or remove it with `ipcrm -m {id}`"
    )]
    ForeignPages {
        /// The name asked for.
        name: Name,
        /// Who made the ring.
        uid: u32,
        /// Its segment.
        id: ShmId,
    },
    /// A limit of the kernel is reached.
    #[error("{what} (now {limit} = {value}); {advice}")]
    Limit {
        /// What could not be had.
        what: String,
        /// The setting, as sysctl(8) names it, or another limit's name.
        limit: &'static str,
        /// Its present value.
        value: String,
        /// How to raise it.
        advice: String,
        /// The kernel's answer.
        source: Errno,
    },
    /// No ring can have that capacity.
    #[error("a capacity of {} is not possible: {why}", text::capacity(*capacity, *item_size))]
    BadCapacity {
        /// The capacity asked for, in items.
        capacity: usize,
        /// Bytes of an item.
        item_size: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A name that cannot be used.
    #[error("{name:?} cannot name a ring: {why}")]
    BadName {
        /// As it was given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The kernel does not apply SEM_UNDO, so the death of a process would go unnoticed.
    #[error(
        "this kernel accepts SEM_UNDO and ignores it (gVisor does), so a killed process would never be \
         noticed; rings across processes need a kernel that keeps it, such as Linux itself"
    )]
    NoUndo,
    /// Nobody reads from the stream, and the opener would not wait: ENXIO, as open(2) gives for a FIFO.
    #[error("{name} has no reader; start one, or open it with `Fifo::writer`, which waits")]
    NoReader {
        /// The name asked for.
        name: Name,
    },
    /// Nobody came to the other end of the stream in time.
    #[error("nobody opened the other end of {name} in time")]
    TimedOut {
        /// The name asked for.
        name: Name,
    },
    /// A signal ended the wait for the other end of the stream.
    #[error("{}", INTERRUPTED)]
    Interrupted,
    /// The ring's semaphores were removed under its users.
    #[error("{}", REMOVED)]
    Removed,
    /// A handle that was inherited through fork.
    #[error("{}", FORKED)]
    Forked,
    /// A system call failed in a way that has no variant of its own.
    #[error("{call} failed: {source}")]
    Call {
        /// Which call.
        call: &'static str,
        /// The kernel's answer.
        source: Errno,
    },
    /// A file could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

fn who_is_there(alive: bool) -> &'static str {
    if alive {
        "it has not: processes of it are alive"
    } else {
        "no process of it can be seen from here"
    }
}

/// How to be rid of a segment that holds no ring.
fn how_to_remove(name: &Name) -> String {
    match name {
        Name::Key(key) => format!("; if nobody needs it, `ipcrm -M {key}` removes it"),
        Name::Id(id) => format!("; if nobody needs it, `ipcrm -m {id}` removes it"),
        Name::Path(_) | Name::Private => {
            "; take another name (`ringpipe ls` shows what there is)".into()
        }
    }
}

const REMOVED: &str = "the ring's semaphores were removed under its users, by `ipcrm` or by \
    systemd-logind's RemoveIPC=yes at a logout; once nobody has it open any more, create it anew (`create` and \
    `open_or_create` replace it), or take its name away with `ringpipe rm` at once (and set RemoveIPC=no, or run as a \
    system user)";
const FORKED: &str = "this handle is another process's, from which this one was forked: take a new one here, from the \
    `Ring` or by opening the stream anew. A pipe's end is inherited, unless there was no participant's number \
    (`Options::participants`) or file (`ulimit -n`) left for it, or the parent was killed in the fork, or the child was stopped";
const CORRUPT: &str = "the ring's indices are impossible: some process wrote into the segment; remove the \
    ring and create it anew";

/// A process's number in a sentence; nothing where it has none here.
fn number(pid: i32, before: &str, after: &str) -> String {
    if pid > 0 {
        format!("{before}{pid}{after}")
    } else {
        String::new()
    }
}

impl From<ParkFault> for Error {
    fn from(fault: ParkFault) -> Self {
        ring::Fault::from(fault).into()
    }
}

impl From<ring::Fault> for Error {
    fn from(fault: ring::Fault) -> Self {
        Fault::from(fault).into()
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Forked => Self::Forked,
            Fault::Removed => Self::Removed,
            Fault::Call { call, source } => Self::Call { call, source },
            // Attaching looks at no index; the first operation would say so in its own way.
            Fault::Corrupt => Self::Corrupt {
                name: Name::Private,
                field: "indices",
            },
        }
    }
}

/// Why a handle cannot go on. What it was moving is not lost: see the error around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The handle was inherited through fork.
    #[error("{}", FORKED)]
    Forked,
    /// The indices are in no state that a ring can be in.
    #[error("{}", CORRUPT)]
    Corrupt,
    /// The semaphore set was removed. Never taken for the end of the feed.
    #[error("{}", REMOVED)]
    Removed,
    /// A system call failed in a way that has no variant of its own.
    #[error("{call} failed: {source}")]
    Call {
        /// Which call.
        call: &'static str,
        /// The kernel's answer.
        source: Errno,
    },
}

impl From<ring::Fault> for Fault {
    fn from(fault: ring::Fault) -> Self {
        match fault {
            ring::Fault::Corrupt => Self::Corrupt,
            ring::Fault::Parking(ParkFault::Removed) => Self::Removed,
            ring::Fault::Parking(ParkFault::System { call, errno }) => Self::Call {
                call,
                source: Errno::from_raw(errno),
            },
        }
    }
}

const NO_CONSUMER: &str =
    "the consumer is gone; a handle with `PeerLoss::Wait` waits for the next one";
const NO_PRODUCER: &str = "the producer is gone, and all it left was taken; a handle with \
    `PeerLoss::Wait` waits for the next one";
const INTERRUPTED: &str = "a signal interrupted the wait";

/// Why an item was not pushed by an operation that does not wait. The item comes back.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TryPushError<T> {
    /// There is no room now.
    #[error("the ring is full")]
    Full(T),
    /// The consumer was there and is gone.
    #[error("{}", NO_CONSUMER)]
    Disconnected(T),
    /// The handle cannot go on.
    #[error("{1}")]
    Fault(T, #[source] Fault),
}

/// Why an item was not pushed. The item comes back.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError<T> {
    /// The consumer was there and is gone.
    #[error("{}", NO_CONSUMER)]
    Disconnected(T),
    /// A signal came, and the handle is interruptible.
    #[error("{}", INTERRUPTED)]
    Interrupted(T),
    /// The handle cannot go on.
    #[error("{1}")]
    Fault(T, #[source] Fault),
}

/// Why an item was not pushed in time. The item comes back.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushTimeoutError<T> {
    /// There was no room in time.
    #[error("the ring stayed full")]
    Timeout(T),
    /// The consumer was there and is gone.
    #[error("{}", NO_CONSUMER)]
    Disconnected(T),
    /// A signal came, and the handle is interruptible.
    #[error("{}", INTERRUPTED)]
    Interrupted(T),
    /// The handle cannot go on.
    #[error("{1}")]
    Fault(T, #[source] Fault),
}

/// Why a slice was not pushed whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}, then: {cause}", text::pushed(*pushed))]
pub struct PushSliceError {
    /// How many items of the slice, from its beginning, are in the ring.
    pub pushed: usize,
    /// Why the rest is not.
    #[source]
    pub cause: PushError<()>,
}

/// Why a slice was not pushed whole in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pushed} items were pushed, then: {cause}")]
pub struct PushSliceTimeoutError {
    /// How many items of the slice, from its beginning, are in the ring.
    pub pushed: usize,
    /// Why the rest is not.
    #[source]
    pub cause: PushTimeoutError<()>,
}

impl<T> TryPushError<T> {
    /// The item that was not pushed.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item) | Self::Disconnected(item) | Self::Fault(item, _) => item,
        }
    }

    /// Whether it is [`TryPushError::Full`].
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Whether it is [`TryPushError::Disconnected`].
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }
}

impl<T> PushError<T> {
    /// The item that was not pushed.
    pub fn into_inner(self) -> T {
        match self {
            Self::Disconnected(item) | Self::Interrupted(item) | Self::Fault(item, _) => item,
        }
    }

    /// Whether it is [`PushError::Disconnected`].
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }
}

impl<T> PushTimeoutError<T> {
    /// The item that was not pushed.
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(item)
            | Self::Disconnected(item)
            | Self::Interrupted(item)
            | Self::Fault(item, _) => item,
        }
    }

    /// Whether it is [`PushTimeoutError::Timeout`].
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// Whether it is [`PushTimeoutError::Disconnected`].
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected(_))
    }
}

impl TryPopError {
    /// Whether it is [`TryPopError::Empty`].
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Whether it is [`TryPopError::Disconnected`].
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected)
    }
}

impl PopError {
    /// Whether it is [`PopError::Disconnected`].
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected)
    }
}

impl PopTimeoutError {
    /// Whether it is [`PopTimeoutError::Timeout`].
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether it is [`PopTimeoutError::Disconnected`].
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected)
    }
}

/// Why nothing was popped by an operation that does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TryPopError {
    /// There is nothing now.
    #[error("the ring is empty")]
    Empty,
    /// The producer was there and is gone, and everything it left was taken.
    #[error("{}", NO_PRODUCER)]
    Disconnected,
    /// The handle cannot go on.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why nothing was popped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PopError {
    /// The producer was there and is gone, and everything it left was taken.
    #[error("{}", NO_PRODUCER)]
    Disconnected,
    /// A signal came, and the handle is interruptible.
    #[error("{}", INTERRUPTED)]
    Interrupted,
    /// The handle cannot go on.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why nothing was popped in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PopTimeoutError {
    /// Nothing came in time.
    #[error("the ring stayed empty")]
    Timeout,
    /// The producer was there and is gone, and everything it left was taken.
    #[error("{}", NO_PRODUCER)]
    Disconnected,
    /// A signal came, and the handle is interruptible.
    #[error("{}", INTERRUPTED)]
    Interrupted,
    /// The handle cannot go on.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Shows an error without its item, which may be large and need not be `Debug`.
fn debug_variant(
    f: &mut core::fmt::Formatter<'_>,
    name: &str,
    fault: Option<&Fault>,
) -> core::fmt::Result {
    let mut tuple = f.debug_tuple(name);
    match fault {
        Some(fault) => tuple.field(fault).finish_non_exhaustive(),
        None => tuple.finish_non_exhaustive(),
    }
}

impl<T> core::fmt::Debug for TryPushError<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full(_) => debug_variant(f, "Full", None),
            Self::Disconnected(_) => debug_variant(f, "Disconnected", None),
            Self::Fault(_, fault) => debug_variant(f, "Fault", Some(fault)),
        }
    }
}

impl<T> core::fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Disconnected(_) => debug_variant(f, "Disconnected", None),
            Self::Interrupted(_) => debug_variant(f, "Interrupted", None),
            Self::Fault(_, fault) => debug_variant(f, "Fault", Some(fault)),
        }
    }
}

impl<T> core::fmt::Debug for PushTimeoutError<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Timeout(_) => debug_variant(f, "Timeout", None),
            Self::Disconnected(_) => debug_variant(f, "Disconnected", None),
            Self::Interrupted(_) => debug_variant(f, "Interrupted", None),
            Self::Fault(_, fault) => debug_variant(f, "Fault", Some(fault)),
        }
    }
}
