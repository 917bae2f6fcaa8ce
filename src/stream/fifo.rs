//! A stream by its name.

use core::fmt;
use std::time::Duration;

use super::end::{End, OPENING, refused};
use super::halt::Halt;
use super::ways::Ways;
use super::{Options, Reader, Writer, place_of};
use crate::brief::brief;
use crate::error::Error;
use crate::halt::after;
use crate::name::Name;
use crate::parking::Deadline;
use crate::ring::Role;
use crate::ring::turns::{Place, Refusal};
use crate::segment::{self, Segment, Status};
use crate::sync::Arc;

/// A stream that has a name: what mkfifo(3) makes and open(2) opens. No end of it is open by itself.
///
/// Cheap to clone. Stays until its name is removed. When all ends are closed, what is in it is discarded, as with a FIFO (which shows once an
/// end is opened again).
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use ringpipe::stream::Fifo;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("feed");
/// let fifo = Fifo::create(&path)?;
///
/// // In another process: waits for the reader.
/// let name = path.clone();
/// let writing = std::thread::spawn(move || {
///     Fifo::open_writer(&name).unwrap().write_all(b"hello").unwrap();
/// });
///
/// let mut text = String::new();
/// Fifo::open_reader(&path)?.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # writing.join().unwrap();
/// fifo.remove()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Fifo {
    place: Place,
    /// `None` within one process.
    segment: Option<Arc<Segment>>,
    interruptible: bool,
}

impl fmt::Debug for Fifo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = (self.available(), self.capacity());
        brief(f, "Fifo", self.segment.as_deref(), used)
    }
}

impl Fifo {
    /// Creates a stream, of [`DEFAULT_CAPACITY`](super::DEFAULT_CAPACITY) and mode 0600. [`Options`] has more to choose from.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`]; [`Error::Limit`] when the kernel has no room for it, or would free it
    /// ([`Options::allow_rmid_forced`]); [`Error::NoUndo`] where a death would go unnoticed.
    pub fn create(name: impl Into<Name>) -> Result<Self, Error> {
        Options::new().create(name)
    }

    /// Finds a stream that exists.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Stale`], [`Error::WrongType`], [`Error::WrongVersion`], [`Error::PermissionDenied`],
    /// [`Error::ForeignOwner`] when another user made it (see [`Options::trust_uid`]), [`Error::Corrupt`].
    pub fn open(name: impl Into<Name>) -> Result<Self, Error> {
        Options::new().open(name)
    }

    /// Finds the stream, or creates it if there is none or a stale name only.
    ///
    /// # Errors
    ///
    /// Those of [`Fifo::create`] and [`Fifo::open`], but for the two that the other mends.
    pub fn open_or_create(name: impl Into<Name>) -> Result<Self, Error> {
        Options::new().open_or_create(name)
    }

    /// Opens a stream to be read from: see [`Fifo::reader`].
    ///
    /// # Errors
    ///
    /// Those of [`Fifo::open`] and [`Fifo::reader`].
    pub fn open_reader(name: impl Into<Name>) -> Result<Reader, Error> {
        Self::open(name)?.reader()
    }

    /// Opens a stream to be written to: see [`Fifo::writer`].
    ///
    /// # Errors
    ///
    /// Those of [`Fifo::open`] and [`Fifo::writer`].
    pub fn open_writer(name: impl Into<Name>) -> Result<Writer, Error> {
        Self::open(name)?.writer()
    }

    pub(super) fn of_segment(segment: Segment) -> Result<Self, Error> {
        Ok(Self {
            place: place_of(&segment)?,
            segment: Some(Arc::new(segment)),
            interruptible: false,
        })
    }

    /// A stream in memory of which the facts were checked, or what a stream cannot have.
    #[cfg(fuzzing)]
    pub(crate) fn in_region(
        region: Arc<crate::memory::Region>,
        facts: &crate::memory::Facts,
        parking: Arc<dyn crate::ring::Parking>,
    ) -> Result<Self, &'static str> {
        super::place_in(region, facts, parking).map(|place| Self::of_place(place, None))
    }

    pub(super) fn of_place(place: Place, segment: Option<Arc<Segment>>) -> Self {
        Self {
            place,
            segment,
            interruptible: false,
        }
    }

    /// Whether a signal ends the wait of an open, with [`Error::Interrupted`], and the waits of the ends that are opened. If not, as at
    /// first, waits go on.
    #[must_use]
    pub fn interruptible(mut self, interruptible: bool) -> Self {
        self.interruptible = interruptible;
        self
    }

    /// Opens it to be read from, as open(2) with O_RDONLY: waits until a writer opens it, if there is none.
    ///
    /// Succeeds also if that writer is gone again by then.
    ///
    /// # Errors
    ///
    /// [`Error::Crowded`]; [`Error::Removed`].
    pub fn reader(&self) -> Result<Reader, Error> {
        self.meet(Role::Consumer, None).map(Reader::new)
    }

    /// Opens it to be written to, as open(2) with O_WRONLY: waits until a reader opens it, if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Crowded`]; [`Error::Removed`].
    pub fn writer(&self) -> Result<Writer, Error> {
        self.meet(Role::Producer, None).map(Writer::new)
    }

    /// As [`Fifo::reader`], but for so long at most.
    ///
    /// # Errors
    ///
    /// As there; [`Error::TimedOut`].
    pub fn reader_timeout(&self, timeout: Duration) -> Result<Reader, Error> {
        self.meet(Role::Consumer, after(timeout)).map(Reader::new)
    }

    /// As [`Fifo::writer`], but for so long at most.
    ///
    /// # Errors
    ///
    /// As there; [`Error::TimedOut`].
    pub fn writer_timeout(&self, timeout: Duration) -> Result<Writer, Error> {
        self.meet(Role::Producer, after(timeout)).map(Writer::new)
    }

    /// Opens it to be read from, as open(2) with O_RDONLY and O_NONBLOCK: at once. The end does not wait either, until told otherwise.
    ///
    /// # Errors
    ///
    /// As [`Fifo::reader`].
    pub fn reader_nonblocking(&self) -> Result<Reader, Error> {
        let (mut end, seen) = self.join(Role::Consumer, after(OPENING))?;
        end.ways.nonblocking.set(true);
        end.note_unmet(seen)?;
        Ok(Reader::new(end))
    }

    /// Opens it to be written to, as open(2) with O_WRONLY and O_NONBLOCK: at once, if there is a reader. The end does not wait either.
    ///
    /// # Errors
    ///
    /// [`Error::NoReader`]; else as [`Fifo::writer`].
    pub fn writer_nonblocking(&self) -> Result<Writer, Error> {
        let joined = self.place.join_peers(Role::Producer, after(OPENING));
        let member = joined.map_err(|refusal| self.refused(refusal))?;
        let (place, segment) = (self.place.clone(), self.segment.clone());
        let end = End::new(member, Role::Producer, place, self.ways(), segment);
        end.ways.nonblocking.set(true);
        Ok(Writer::new(end))
    }

    /// Opens both ends, as open(2) with O_RDWR does on Linux: at once. While they are open, neither the end of file nor EPIPE
    /// comes to anybody.
    ///
    /// # Errors
    ///
    /// As [`Fifo::reader`].
    pub fn both(&self) -> Result<(Writer, Reader), Error> {
        let (reader, _) = self.join(Role::Consumer, after(OPENING))?;
        let (writer, _) = self.join(Role::Producer, after(OPENING))?;
        Ok((Writer::new(writer), Reader::new(reader)))
    }

    /// Takes part. Besides, how many of the other role had ever come before.
    fn join(&self, role: Role, until: Option<Deadline>) -> Result<(End, u64), Error> {
        let joined = self.place.join(role, until);
        let (member, seen) = joined.map_err(|refusal| self.refused(refusal))?;
        let (place, segment) = (self.place.clone(), self.segment.clone());
        Ok((End::new(member, role, place, self.ways(), segment), seen))
    }

    fn meet(&self, role: Role, until: Option<Deadline>) -> Result<End, Error> {
        let (mut end, seen) = self.join(role, until)?;
        match end.meet(seen, until) {
            Ok(()) => Ok(end),
            Err(Halt::Fault(fault)) => Err(fault.into()),
            Err(Halt::Interrupted) => Err(Error::Interrupted),
            Err(_) => Err(Error::TimedOut {
                name: self.called(),
            }),
        }
    }

    fn refused(&self, refusal: Refusal) -> Error {
        refused(refusal, &self.place, || self.called())
    }

    /// How a new end goes about its work.
    fn ways(&self) -> Arc<Ways> {
        let ways = Ways::default();
        ways.interruptible.set(self.interruptible);
        Arc::new(ways)
    }

    fn called(&self) -> Name {
        self.name().cloned().unwrap_or(Name::Private)
    }

    /// Takes its name away, as unlink(2) does: ends that are open go on.
    ///
    /// # Errors
    ///
    /// [`Error::PermissionDenied`]: only the owner, the creator or root may.
    pub fn remove(&self) -> Result<(), Error> {
        self.segment
            .as_deref()
            .map_or(Ok(()), segment::remove_itself)
    }

    /// How many bytes it holds at most.
    pub fn capacity(&self) -> usize {
        self.place.view.capacity()
    }

    /// How many bytes are in it that nobody has read; may have changed by the time you look at the answer.
    pub fn available(&self) -> usize {
        crate::ring::len(self.place.board.control(), self.capacity())
    }

    /// Its name: what it was created or opened by, paths made absolute. `None` within one process.
    pub fn name(&self) -> Option<&Name> {
        self.segment.as_deref().map(|segment| &segment.name)
    }

    /// A name by which other processes can open it: [`Name::Id`]. `None` within one process.
    pub fn id(&self) -> Option<Name> {
        self.segment.as_deref().map(|segment| Name::Id(segment.id))
    }

    /// Whether its name was taken away.
    pub fn is_removed(&self) -> bool {
        self.segment.as_deref().is_some_and(Segment::is_removed)
    }

    /// All that is known of it; `None` within one process.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the segment is gone, [`Error::Call`].
    pub fn status(&self) -> Result<Option<Status>, Error> {
        self.id().map(|id| crate::status(&id)).transpose()
    }
}
