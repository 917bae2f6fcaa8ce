//! A ring from its making to its removal, whatever kind it is.

use std::path::{Path, PathBuf};

use ringpipe::sysv::{self, Errno, SemId};
use ringpipe::{DeadConsumer, Error, Name, Status, TryPopError, mpmc, spsc, stream};

use super::cell::{BYTES, Cell};
use super::plan::{Epoch, Kind, Lane};
use super::worker::type_name;
use crate::exit::{Exit, Failure};

/// How many can take part besides the workers: successors whose predecessors are not cleared up yet, heirs, and who looks.
const SPARE: usize = 12;

enum Ring {
    Spsc(spsc::Ring<Cell>),
    Mpmc(mpmc::Ring<Cell>),
    /// With both ends, where they are kept open.
    Stream(stream::Fifo, Option<Box<(stream::Writer, stream::Reader)>>),
}

/// The ring. Removed at the end, whatever happens.
pub(super) struct Stage {
    path: PathBuf,
    ring: Option<Ring>,
    pub(super) status: Status,
    kind: Kind,
    segment_removed: bool,
}

impl Stage {
    pub(super) fn create(path: &Path, lane: &Lane, epoch: &Epoch) -> Result<Self, Error> {
        let (ring, status) = match lane.kind {
            Kind::Spsc => spsc_ring(path, epoch)?,
            Kind::Mpmc => mpmc_ring(path, lane, epoch)?,
            Kind::Stream => stream_ring(path, lane, epoch)?,
        };
        let path = path.to_owned();
        let missing = || Error::NotFound {
            name: Name::from(&path),
        };
        Ok(Self {
            status: status.ok_or_else(missing)?,
            path,
            ring: Some(ring),
            kind: lane.kind,
            segment_removed: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn set(&self) -> SemId {
        // A ring that was just made has one.
        self.status.set.unwrap_or_else(|| SemId::from_raw(-1))
    }

    /// As it is now.
    pub(super) fn look(&self) -> Result<Status, Error> {
        ringpipe::status(Name::Id(self.status.id))
    }

    /// Lets readers see the end of a stream.
    pub(super) fn close_writer(&mut self) {
        if let Some(Ring::Stream(_, ends)) = &mut self.ring {
            *ends = None;
        }
    }

    /// What is still in it that somebody could take.
    pub(super) fn rest(&self) -> Result<usize, Failure> {
        match &self.ring {
            Some(Ring::Spsc(ring)) => {
                let mut rx = ring.consumer()?;
                count(|| rx.try_pop())
            }
            Some(Ring::Mpmc(ring)) => {
                let mut rx = ring.consumer()?;
                count(|| rx.try_pop())
            }
            Some(Ring::Stream(fifo, _)) => Ok(fifo.available() / BYTES),
            None => Ok(0),
        }
    }

    /// `ipcrm -s`; who comes then is told.
    pub(super) fn remove_semaphores(&self) -> Result<(), Failure> {
        sysv::semctl_rmid(self.set())
            .map_err(|error| Failure::io("remove semaphores", &error.into()))?;
        self.expect_error("its semaphores were removed", |error| {
            matches!(error, Error::Removed)
        })
    }

    /// `ipcrm -m`: who has it goes on with it, and it goes with the last of them.
    pub(super) fn remove_segment(&mut self) -> Result<(), Failure> {
        self.segment_removed = true;
        sysv::shmctl_rmid(self.status.id)
            .map_err(|error| Failure::io("remove a segment", &error.into()))
    }

    /// Whoever comes now is told why that cannot be.
    fn expect_error(&self, why: &str, is_it: impl Fn(&Error) -> bool) -> Result<(), Failure> {
        let opened = match self.kind {
            Kind::Spsc => {
                let options = spsc::Options::new().type_name(type_name());
                options.open::<Cell>(&self.path).map(drop)
            }
            Kind::Mpmc => {
                let options = mpmc::Options::new().type_name(type_name());
                options.open::<Cell>(&self.path).map(drop)
            }
            Kind::Stream => {
                let options = stream::Options::new().type_name(type_name());
                options.open(&self.path).map(drop)
            }
        };
        match opened {
            Err(error) if is_it(&error) => Ok(()),
            Err(error) => Err(wrong(format!(
                "the wrong error for a newcomer after {why}: {error}"
            ))),
            Ok(()) => Err(wrong(format!("a newcomer is not told that {why}"))),
        }
    }

    /// Removes it, as its last user; what should be gone with that is.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        if self.segment_removed {
            self.ring = None;
            self.expect_error("its segment was removed", |error| {
                matches!(error, Error::Stale { .. })
            })?;
        }
        match ringpipe::remove(&self.path) {
            Ok(()) | Err(Error::NotFound { .. } | Error::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.ring = None;
        let set = self.set();
        match sysv::semctl_stat(set) {
            Err(Errno::EINVAL | Errno::EIDRM) => Ok(()),
            _ => Err(wrong(format!(
                "semaphore set {} was left behind",
                set.raw()
            ))),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.ring.is_some() {
            // Whatever of it is there.
            let _ = ringpipe::remove(&self.path);
            let _ = sysv::shmctl_rmid(self.status.id);
            self.ring = None;
        }
        let set = self.set();
        // Its number is another's only once it was removed; the mark in it says whose it is.
        if sysv::semctl_getval(set, 6).is_ok_and(|digit| digit == self.status.id.raw() & 0x7fff) {
            let _ = sysv::semctl_rmid(set);
        }
    }
}

type Made = (Ring, Option<Status>);

fn spsc_ring(path: &Path, epoch: &Epoch) -> Result<Made, Error> {
    let options = spsc::Options::new().capacity(epoch.capacity);
    let ring = options.type_name(type_name()).create(path)?;
    let status = ring.status()?;
    Ok((Ring::Spsc(ring), status))
}

fn mpmc_ring(path: &Path, lane: &Lane, epoch: &Epoch) -> Result<Made, Error> {
    let policy = if lane.drops {
        DeadConsumer::Drop
    } else {
        DeadConsumer::Redeliver
    };
    let options = mpmc::Options::new().capacity(epoch.capacity);
    let options = options
        .participants(lane.workers() + SPARE)
        .dead_consumer(policy);
    let ring = options.type_name(type_name()).create(path)?;
    let status = ring.status()?;
    Ok((Ring::Mpmc(ring), status))
}

fn stream_ring(path: &Path, lane: &Lane, epoch: &Epoch) -> Result<Made, Error> {
    let options = stream::Options::new().capacity(epoch.capacity * BYTES);
    let options = options.participants(lane.workers() + SPARE);
    let fifo = options.type_name(type_name()).create(path)?;
    let ends = epoch.guard.then(|| fifo.both()).transpose()?;
    let status = fifo.status()?;
    Ok((Ring::Stream(fifo, ends.map(Box::new)), status))
}

fn count(mut pop: impl FnMut() -> Result<Cell, TryPopError>) -> Result<usize, Failure> {
    let mut count = 0;
    loop {
        match pop() {
            Ok(_) => count += 1,
            Err(TryPopError::Empty | TryPopError::Disconnected) => return Ok(count),
            Err(TryPopError::Fault(fault)) => return Err(fault.into()),
        }
    }
}

fn wrong(what: String) -> Failure {
    Failure::new(Exit::Other, what)
}
