//! A ring to standard output: write(2) takes from the ring's slots, which are let go only then.
//!
//! At the end of the feed the ring is removed, and no byte may be pushed into a ring whose name is being taken away.
//! So the receiver first takes the sender's role too: a sender that came meanwhile keeps it from that, and one that
//! comes later finds the role taken or the ring removed, and starts over (see [`join`]).

use std::fs::File;
use std::io::{self, Write};
use std::thread;

use ringpipe::spsc::{Consumer, Ring};
use ringpipe::{Error, Name, Peer, PopTimeoutError};

use super::{AGAIN, CHUNK, OUTPUT, is_passing, join, leads_nowhere, unbuffered, wait};
use crate::args::Recv;
use crate::exit::{Exit, Failure};
use crate::signals::{Signals, TICK};

/// Runs `ringpipe recv`.
pub(super) fn run(order: &Recv) -> Result<(), Failure> {
    let signals = Signals::watch()?;
    let output = File::from(unbuffered(&io::stdout(), OUTPUT)?);
    let (ring, mut consumer) = join(&order.endpoint, Ring::consumer)?;
    consumer.set_interruptible(true);
    let mut receiver = Receiver {
        ring,
        consumer,
        output,
        signals,
        received: 0,
    };
    receiver.pump(order).map_err(|failure| {
        let received = receiver.received;
        failure.and(&format!("{received} bytes were received; the ring stays"))
    })
}

/// Everything that is at work while bytes flow.
struct Receiver {
    ring: Ring<u8>,
    consumer: Consumer<u8>,
    output: File,
    signals: Signals,
    received: u64,
}

impl Receiver {
    /// Moves what comes to the output, until the feed is over.
    fn pump(&mut self, order: &Recv) -> Result<(), Failure> {
        loop {
            self.signals.check()?;
            if !self.write_some()? && self.is_over(order)? {
                return Ok(());
            }
        }
    }

    /// Waits for bytes, and writes as many as the output takes at once. `false` if nobody is there to send any.
    fn write_some(&mut self) -> Result<bool, Failure> {
        let items = match self.consumer.peek_timeout(CHUNK, TICK) {
            Ok(items) => items,
            Err(PopTimeoutError::Timeout | PopTimeoutError::Interrupted) => return Ok(true),
            Err(PopTimeoutError::Disconnected) => return Ok(false),
            Err(PopTimeoutError::Fault(fault)) => return Err(fault.into()),
        };
        wait::writable(&self.output, &self.signals)?;
        let (bytes, _) = items.as_slices();
        match self.output.write(bytes) {
            Ok(count) => {
                items.release(count);
                self.received += count as u64;
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(Failure::io(OUTPUT, &error)),
        }
        Ok(true)
    }

    /// Whether the feed is over, now that nobody sends. A feed without its end is a failure.
    fn is_over(&mut self, order: &Recv) -> Result<bool, Failure> {
        match self.consumer.peer()? {
            Peer::Finished if order.keep => Ok(true),
            Peer::Finished => self.retire(&order.endpoint.name),
            Peer::Died if order.persist => {
                thread::sleep(AGAIN);
                Ok(false)
            }
            Peer::Died => {
                let message = "the sender died or gave up, so the end is missing (start both sides anew, the \
                    sender first, or remove the ring with `ringpipe rm`)";
                Err(Failure::new(Exit::PeerGone, message))
            }
            _ => Ok(false), // somebody has come
        }
    }

    /// Removes the ring, unless somebody has come after all.
    fn retire(&mut self, name: &Name) -> Result<bool, Failure> {
        let deaths = self.sender_deaths()?;
        if self.consumer.peer()? != Peer::Finished {
            return Ok(false);
        }
        let stand_in = match self.ring.producer() {
            Ok(stand_in) => stand_in,
            Err(Error::RoleTaken { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        // A sender that came and went in the meantime has left bytes, or died without any.
        if self.sender_deaths()? != deaths {
            stand_in.abandon(); // as it did
            return Ok(false);
        }
        if !self.ring.is_empty() {
            return Ok(false);
        }
        self.remove(name)?;
        Ok(true)
    }

    fn sender_deaths(&self) -> Result<u32, Failure> {
        let status = self.ring.status()?;
        Ok(status.map_or(0, |status| status.producer.deaths))
    }

    fn remove(&self, name: &Name) -> Result<(), Failure> {
        if leads_nowhere(&self.ring) {
            return Ok(());
        }
        match ringpipe::remove(name) {
            Ok(()) | Err(Error::NotFound { .. } | Error::Stale { .. }) => Ok(()),
            Err(error) => Err(Failure::from(error)
                .and("the feed is complete, only its ring cannot be removed (see `--keep`)")),
        }
    }
}
