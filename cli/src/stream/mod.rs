//! Bytes through a ring, from standard input or to standard output; or records, of several and to several ([`records`]).
//!
//! Either side may start first, restart, or be killed. What the two agree in, beside the ring itself, is how a ring
//! comes to its end without taking a byte along: see [`recv`] and [`join`].

mod records;
mod recv;
mod send;
mod wait;

pub(crate) use records::{SIZES, no_such_size};

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use ringpipe::spsc::{Options, Ring};
use ringpipe::{Error, Name};

use crate::args::{Endpoint, Recv, Send};
use crate::exit::Failure;

const INPUT: &str = "read standard input";
const OUTPUT: &str = "write to standard output";

/// How many bytes are read or written at a time.
const CHUNK: usize = 64 << 10;
/// How long a taken role is asked for again: the other side takes it for a moment when it removes the ring.
const GRACE: Duration = Duration::from_millis(400);
/// How often.
const AGAIN: Duration = Duration::from_millis(20);

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

/// A ring that both sides may have to make.
trait Shared: Sized {
    fn open_or_create(endpoint: &Endpoint) -> Result<Self, Error>;
    fn name(&self) -> Option<&Name>;
    fn is_removed(&self) -> bool;
}

impl Shared for Ring<u8> {
    fn open_or_create(endpoint: &Endpoint) -> Result<Self, Error> {
        Options::new()
            .capacity(endpoint.capacity)
            .mode(endpoint.mode)
            .type_name("bytes")
            .open_or_create(&endpoint.name)
    }

    fn name(&self) -> Option<&Name> {
        self.name()
    }

    fn is_removed(&self) -> bool {
        self.is_removed()
    }
}

/// Opens or creates the ring and takes a role in it.
///
/// Between the two, the ring may have been removed by a receiver that had seen its end. Such a ring leads nowhere, so this
/// starts over.
fn join<S: Shared, R>(
    endpoint: &Endpoint,
    take: impl Fn(&S) -> Result<R, Error>,
) -> Result<(S, R), Failure> {
    let start = Instant::now();
    loop {
        let ring = S::open_or_create(endpoint)?;
        match take(&ring) {
            Ok(role) if !leads_nowhere(&ring) => return Ok((ring, role)),
            Ok(_) => {}
            Err(Error::RoleTaken { .. } | Error::Removed) if start.elapsed() < GRACE => {
                thread::sleep(AGAIN);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether nobody else will find the ring. One that is opened by its id never had to be found by name.
fn leads_nowhere(ring: &impl Shared) -> bool {
    !matches!(ring.name(), Some(Name::Id(_))) && ring.is_removed()
}

/// Standard input or output without a buffer in between.
fn unbuffered(stream: &impl AsFd, what: &str) -> Result<OwnedFd, Failure> {
    stream
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| Failure::io(what, &error))
}

/// Whether a call on a stream is to be tried again.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn who_gets_a_role_in_a_ring_that_is_removed_meanwhile_starts_over() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint {
            name: folder.path().join("ring").into(),
            capacity: 8,
            mode: 0o600,
        };
        let times = Cell::new(0);
        let (ring, role) = join(&endpoint, |ring: &Ring<u8>| {
            if times.replace(times.get() + 1) == 0 {
                ringpipe::remove(&endpoint.name)?;
            }
            ring.producer()
        })
        .unwrap();
        assert_eq!(times.get(), 2);
        assert!(!ring.is_removed());
        ringpipe::remove(&endpoint.name).unwrap();
        drop(role);
    }
}
