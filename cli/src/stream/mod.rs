//! Bytes through a stream, from standard input ([`inlet`]) or to standard output ([`outlet`]); or records through a ring
//! ([`records`]).
//!
//! Either side may start first, restart, or be killed. What senders and receivers agree in, beside the stream itself, is how it
//! comes to its end without taking a byte along: see [`recv`] and [`join`].

mod cat;
mod inlet;
mod leave;
mod meter;
mod outlet;
mod records;
mod recv;
mod send;
mod standard;
pub(crate) mod wait;

pub(crate) use cat::{cat, mkfifo};
pub(crate) use records::{SIZES, no_such_size};

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use ringpipe::stream::{Fifo, Options};
use ringpipe::{Error, Fault, Name, Status};

use crate::args::{Endpoint, Recv, Send};
use crate::exit::Failure;

const INPUT: &str = "read standard input";
const OUTPUT: &str = "write to standard output";

/// How many bytes are read or written at a time.
const CHUNK: usize = 64 << 10;
/// How long one that is being removed is looked for again.
const GRACE: Duration = Duration::from_millis(400);
/// How often what nobody tells of is looked at.
const AGAIN: Duration = Duration::from_millis(20);

/// How long one who takes the last step of a removal needs, or the last byte.
const MOMENT: Duration = Duration::from_millis(1);

/// What a step of a copy has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Bytes were moved, or it is worth trying again.
    Moved,
    /// For a while there was nothing to copy.
    Idle,
    /// There is nothing more to copy.
    End,
    /// Nobody takes what is written.
    Gone,
}

/// Runs `ringpipe send`.
pub(crate) fn send(order: &Send) -> Result<(), Failure> {
    match order.records.size() {
        Some(size) => records::send(order, size),
        None => send::run(order),
    }
}

/// Runs `ringpipe recv`.
pub(crate) fn recv(order: &Recv) -> Result<(), Failure> {
    match order.records.size() {
        Some(size) => records::recv(order, size),
        None => recv::run(order),
    }
}

/// A stream or ring that both sides may have to make.
trait Shared: Sized {
    fn open_or_create(endpoint: &Endpoint) -> Result<Self, Error>;
    fn name(&self) -> Option<&Name>;
    fn is_removed(&self) -> bool;
    fn status(&self) -> Result<Option<Status>, Error>;
    fn remove(&self) -> Result<(), Error>;
}

impl Shared for Fifo {
    fn open_or_create(endpoint: &Endpoint) -> Result<Self, Error> {
        let options = Options::new().capacity(endpoint.capacity);
        let options = endpoint.trust.put(options.mode(endpoint.mode));
        let options = options.replace_other_namespace(endpoint.replace_other_namespace);
        options.open_or_create(&endpoint.name)
    }

    fn name(&self) -> Option<&Name> {
        self.name()
    }

    fn is_removed(&self) -> bool {
        self.is_removed()
    }

    fn status(&self) -> Result<Option<Status>, Error> {
        self.status()
    }

    fn remove(&self) -> Result<(), Error> {
        self.remove()
    }
}

/// Opens or creates it and takes a role in it.
///
/// Between the two, it may have been removed by a receiver that had seen its end. Such a ring leads nowhere, so this
/// starts over.
fn join<S: Shared, R>(
    endpoint: &Endpoint,
    take: impl Fn(&S) -> Result<R, Error>,
) -> Result<(S, R), Failure> {
    let start = Instant::now();
    loop {
        let ring = found::<S>(endpoint)?;
        match take(&ring) {
            Ok(role) if !leads_nowhere(&ring) => return Ok((ring, role)),
            Ok(_) => thread::sleep(MOMENT),
            Err(Error::Removed) if start.elapsed() < GRACE => thread::sleep(AGAIN),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Opens or creates it; not one that is just being removed.
fn found<S: Shared>(endpoint: &Endpoint) -> Result<S, Failure> {
    let start = Instant::now();
    loop {
        match S::open_or_create(endpoint) {
            Err(Error::Removed) if start.elapsed() < GRACE => thread::sleep(AGAIN),
            opened => return Ok(opened?),
        }
    }
}

/// Whether nobody else will find the ring. One that is opened by its id never had to be found by name.
fn leads_nowhere(ring: &impl Shared) -> bool {
    !matches!(ring.name(), Some(Name::Id(_))) && ring.is_removed()
}

/// Whether a call is to be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

/// What it means that a stream, or the file that it is copied to, did not do what was asked for: a failure, if not that it is
/// to be tried again.
fn halted(error: &io::Error, what: &str) -> Result<Step, Failure> {
    let fault = error.get_ref().and_then(|cause| cause.downcast_ref());
    match (fault, error.kind()) {
        (Some(fault), _) => Err(Failure::from(Fault::clone(fault))),
        // A tick has passed. The system would give a number.
        (None, io::ErrorKind::TimedOut) if error.raw_os_error().is_none() => Ok(Step::Moved),
        (None, _) if is_passing(error) => Ok(Step::Moved),
        (None, _) => Err(Failure::io(what, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::args::Trust;

    #[test]
    fn who_gets_a_role_in_a_stream_that_is_removed_meanwhile_starts_over() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint {
            name: folder.path().join("ring").into(),
            capacity: 4096,
            mode: 0o600,
            allow_rmid_forced: false,
            replace_other_namespace: false,
            trust: Trust::default(),
        };
        let times = Cell::new(0);
        let (fifo, role) = join(&endpoint, |fifo: &Fifo| {
            if times.replace(times.get() + 1) == 0 {
                ringpipe::remove(&endpoint.name)?;
            }
            fifo.reader_nonblocking()
        })
        .unwrap();
        assert_eq!(times.get(), 2);
        assert!(!fifo.is_removed());
        ringpipe::remove(&endpoint.name).unwrap();
        drop(role);
    }
}
