//! A shared ring to standard output: each record whole, and let go only once it is written.

use std::fs::File;
use std::io::Write;
use std::thread;

use ringpipe::mpmc::{Consumer, Ring};
use ringpipe::{Error, PeerLoss, PopTimeoutError, Role};

use crate::args::Recv;
use crate::exit::{Exit, Failure};
use crate::signals::{Signals, TICK};
use crate::stream::leave::{self, Origin};
use crate::stream::meter::Meter;
use crate::stream::standard::Sink;
use crate::stream::{AGAIN, OUTPUT, is_passing, join, leads_nowhere, wait};

/// How many bytes are written at a time: a pipe takes so many at once or not at all (`PIPE_BUF`), so receivers of records
/// that are no longer can share one. And who takes little at a time leaves the rest to others.
const PIECE: usize = 4096;

pub(super) fn run<const N: usize>(order: &Recv) -> Result<(), Failure> {
    let sink = Sink::open(Meter::new(&order.endpoint.name, "sender", order.progress))?;
    let (ring, mut consumer): (Ring<_>, _) = join(&order.endpoint, Ring::<[u8; N]>::consumer)?;
    consumer.set_interruptible(true);
    if order.stay.keep_open {
        consumer.set_peer_loss(PeerLoss::Wait);
    }
    let mut receiver = Receiver {
        ring,
        consumer,
        origin: Origin::default(),
        output: sink.file,
        signals: sink.signals,
        meter: sink.meter,
        received: 0,
        removed: false,
    };
    receiver.origin.look(&receiver.ring)?;
    let end = receiver.pump(order);
    end.map_err(|failure| receiver.give_up(failure, order.keep))
}

/// Everything that is at work while records flow.
struct Receiver<const N: usize> {
    ring: Ring<[u8; N]>,
    consumer: Consumer<[u8; N]>,
    origin: Origin,
    output: File,
    signals: Signals,
    meter: Meter,
    received: u64,
    /// Whether the feed was found over, and the ring's name was taken away.
    removed: bool,
}

impl<const N: usize> Receiver<N> {
    /// Moves what comes to the output, until the feed is over.
    fn pump(&mut self, order: &Recv) -> Result<(), Failure> {
        loop {
            self.signals.check()?;
            let before = self.received;
            if !self.write_some()? && self.is_over(order)? {
                return Ok(());
            }
            if self.received == before && self.consumer.peers()?.alive == 0 {
                self.meter.lacks_peer();
            }
        }
    }

    /// Leaves before the end, and takes the ring along if nobody else is there and nothing was ever
    /// sent.
    fn give_up(self, failure: Failure, keep: bool) -> Failure {
        drop(self.consumer);
        let unused = !keep && self.origin.tidy(&self.ring, leave::is_unused);
        let stays = if self.removed || unused {
            ""
        } else {
            "; the ring stays"
        };
        let told = format!("{} records were received{stays}", self.received);
        self.signals.or(failure).and(&told)
    }

    /// Waits for records, and writes them. `false` if there are none and nobody is there to send any.
    fn write_some(&mut self) -> Result<bool, Failure> {
        let claim = match self.consumer.claim_timeout((PIECE / N).max(1), TICK) {
            Ok(claim) => claim,
            Err(PopTimeoutError::Timeout | PopTimeoutError::Interrupted) => return Ok(true),
            Err(PopTimeoutError::Disconnected) => return Ok(false),
            Err(PopTimeoutError::Fault(fault)) => return Err(fault.into()),
        };
        let (first, second) = claim.as_slices();
        let mut written = 0;
        let parts = [first.as_flattened(), second.as_flattened()];
        let end = parts
            .into_iter()
            .try_for_each(|bytes| write(&mut self.output, bytes, &self.signals, &mut written));
        // What was not written whole, another one writes.
        claim.release(written / N);
        self.received += (written / N) as u64;
        self.meter.moved(written);
        end.map(|()| true)
    }

    /// Whether the feed is over, now that nobody sends. A feed of which a part may be missing is a failure.
    fn is_over(&mut self, order: &Recv) -> Result<bool, Failure> {
        let Some(status) = self.ring.status()? else {
            return Ok(true);
        };
        let sender = |one: &ringpipe::Participant| one.role == Role::Producer;
        if status.producer.attached > 0 || status.participants.iter().any(sender) {
            thread::sleep(AGAIN); // somebody has come, or its death is just being noted
            return Ok(false);
        }
        match status.producer.deaths {
            0 => self.retire(order),
            _ if order.stay.persist && status.producer.finished => self.retire(order),
            _ if order.stay.persist => {
                thread::sleep(AGAIN);
                Ok(false)
            }
            deaths => Err(bereaved(deaths)),
        }
    }

    /// Removes the ring and looks once more, since a sender may have come before: see the module's page.
    fn retire(&mut self, order: &Recv) -> Result<bool, Failure> {
        if order.keep || self.removed {
            return Ok(true);
        }
        if !leads_nowhere(&self.ring) {
            match self.ring.remove() {
                Ok(()) | Err(Error::NotFound { .. } | Error::Stale { .. }) => {}
                Err(error) => {
                    let but =
                        "the feed is complete, only its ring cannot be removed (see `--keep`)";
                    return Err(Failure::from(error).and(but));
                }
            }
        }
        self.removed = true;
        Ok(false)
    }
}

/// Writes all of it, and counts what was written.
fn write(
    output: &mut File,
    bytes: &[u8],
    signals: &Signals,
    written: &mut usize,
) -> Result<(), Failure> {
    for mut piece in bytes.chunks(PIECE) {
        while !piece.is_empty() {
            wait::writable(output, signals)?;
            match output.write(piece) {
                Ok(count) => {
                    *written += count;
                    piece = &piece[count..];
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(Failure::io(OUTPUT, &error)),
            }
        }
    }
    Ok(())
}

fn bereaved(deaths: u32) -> Failure {
    let who = match deaths {
        1 => "a sender".to_owned(),
        _ => format!("{deaths} senders"),
    };
    let message = format!(
        "{who} died or gave up, so the end of what was to be sent is missing (remove the ring with `ringpipe rm` and \
         start anew; `--persist` lets another sender go on)"
    );
    Failure::new(Exit::PeerGone, message)
}
