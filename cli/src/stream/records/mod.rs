//! Records of one size through a ring that several senders and receivers share.
//!
//! A ring's items have a size that the compiler knows, so there is a copy of this for each size that is offered.
//!
//! # The end
//!
//! A receiver is told that the feed is over when no sender is left, nothing is in the ring, and no other receiver that lives has
//! records in hand that it might put back. At that moment the work of *all* receivers is done, so whoever sees it first
//! removes the ring: no need to find out who is the last. The library removes that very ring and no successor of the
//! same name, so it does no harm that the others try as well.
//!
//! A sender may have come in between. It looks at the ring's name after it took part: so either it sees that the name
//! is gone and starts over with another ring, or it took part before the ring was removed, and whoever has removed it finds
//! the sender, or what it left, when it looks once more after that. (Killed just between the removal and that look, the last
//! receiver takes along what such a sender left.)

mod recv;
mod send;

use ringpipe::mpmc::{Options, Ring};
use ringpipe::{Error, Name, Status};

use super::Shared;
use crate::args::{Endpoint, Recv, Send};
use crate::exit::{Exit, Failure};

/// Sets up the sizes of records that there are.
macro_rules! sizes {
    ($($size:literal)*) => {
        /// The sizes of records that there are, in bytes.
        pub(crate) const SIZES: &[usize] = &[$($size),*];

        /// Runs `ringpipe send --mpmc`.
        pub(crate) fn send(order: &Send, size: usize) -> Result<(), Failure> {
            match size {
                $($size => send::run::<$size>(order),)*
                _ => Err(Failure::new(Exit::Usage, no_such_size())),
            }
        }

        /// Runs `ringpipe recv --mpmc`.
        pub(crate) fn recv(order: &Recv, size: usize) -> Result<(), Failure> {
            match size {
                $($size => recv::run::<$size>(order),)*
                _ => Err(Failure::new(Exit::Usage, no_such_size())),
            }
        }
    };
}

sizes!(8 16 32 64 128 256 512 1024 2048 4096 8192 16384 32768 65536);

/// Which sizes there are, for whoever asked for another.
pub(crate) fn no_such_size() -> String {
    let sizes: Vec<_> = SIZES.iter().map(usize::to_string).collect();
    format!("records can be of {} bytes", sizes.join(", "))
}

impl<const N: usize> Shared for Ring<[u8; N]> {
    fn open_or_create(endpoint: &Endpoint) -> Result<Self, Error> {
        let options = Options::new().capacity(endpoint.capacity / N);
        let options = options.mode(endpoint.mode).type_name("records");
        let options = options.allow_rmid_forced(endpoint.allow_rmid_forced);
        let options = options.replace_other_namespace(endpoint.replace_other_namespace);
        endpoint.trust.put(options).open_or_create(&endpoint.name)
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
