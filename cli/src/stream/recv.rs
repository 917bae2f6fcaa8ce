//! A stream to standard output, until the feed is over.
//!
//! Then the stream is removed, and no byte may be written into one whose name is being taken away. A sender may have come in
//! between. It looks at the stream's name after it has opened it, and before it writes: so either it sees that the name is
//! gone and starts over with another stream, or it was there before the removal, and is found by the receiver that
//! removes it and looks once more after that.
//!
//! One that gives up removes it without such a look (see [`leave`](super::leave)). So a receiver
//! that came in between looks at the name now and then while nobody sends, and starts over, too.

use ringpipe::Error;
use ringpipe::stream::Fifo;

use super::meter::Meter;
use super::outlet::{self, Outlet};
use super::standard::Sink;
use super::{Step, join, leads_nowhere, leave};
use crate::args::Recv;
use crate::exit::{Exit, Failure};

/// Runs `ringpipe recv`.
pub(super) fn run(order: &Recv) -> Result<(), Failure> {
    let sink = Sink::open(Meter::new(&order.endpoint.name, "sender", order.progress))?;
    let (fifo, opened): (Fifo, _) = join(&order.endpoint, outlet::open)?;
    let mut receiver = Receiver {
        outlet: Outlet::new(fifo, opened, sink)?,
        removed: false,
    };
    let end = receiver.pump(order);
    end.map_err(|failure| receiver.give_up(failure, order.keep))
}

/// Everything that is at work while bytes flow.
struct Receiver {
    outlet: Outlet,
    /// Whether the feed was found over, and the stream's name was taken away.
    removed: bool,
}

impl Receiver {
    /// Moves what comes to the output, until the feed is over.
    fn pump(&mut self, order: &Recv) -> Result<(), Failure> {
        loop {
            match self.outlet.step()? {
                Step::End if self.is_over(order)? => return Ok(()),
                Step::Idle if self.is_forlorn()? => {
                    let other = join(&order.endpoint, outlet::open)?;
                    self.outlet.move_to(other);
                }
                _ => {}
            }
        }
    }

    /// Whether nobody sends, and nobody who wants to will find this stream.
    fn is_forlorn(&self) -> Result<bool, Failure> {
        Ok(leads_nowhere(&self.outlet.fifo) && self.outlet.reader.writers()?.alive == 0)
    }

    /// Leaves before the end, and takes the stream along if nobody else is there. One that keeps it
    /// leaves in good order: so senders know that it is not theirs to remove.
    fn give_up(self, failure: Failure, keep: bool) -> Failure {
        let Outlet {
            reader,
            received,
            fifo,
            mut origin,
            signals,
            ..
        } = self.outlet;
        let _ = origin.look(&fifo); // it may be gone
        if keep {
            drop(reader);
        } else {
            reader.abandon();
        }
        let removed = self.removed || !keep && origin.tidy(&fifo, leave::is_empty);
        let stays = if removed { "" } else { "; the stream stays" };
        let told = format!("{received} bytes were received{stays}");
        signals.or(failure).and(&told)
    }

    /// Whether the feed is over, now that nobody sends. A feed of which a part may be missing is a failure.
    fn is_over(&mut self, order: &Recv) -> Result<bool, Failure> {
        if !self.outlet.is_over(order.stay)? {
            return Ok(false);
        }
        match self.outlet.deaths()? {
            deaths if deaths > 0 && !order.stay.persist => Err(bereaved(deaths)),
            _ => self.retire(order),
        }
    }

    /// Removes the stream and looks once more, since a sender may have come before.
    fn retire(&mut self, order: &Recv) -> Result<bool, Failure> {
        if order.keep || self.removed {
            return Ok(true);
        }
        if !leads_nowhere(&self.outlet.fifo) {
            match self.outlet.fifo.remove() {
                Ok(()) | Err(Error::NotFound { .. } | Error::Stale { .. }) => {}
                Err(error) => {
                    let but =
                        "the feed is complete, only its stream cannot be removed (see `--keep`)";
                    return Err(Failure::from(error).and(but));
                }
            }
        }
        self.removed = true;
        Ok(false)
    }
}

fn bereaved(deaths: u64) -> Failure {
    let who = match deaths {
        1 => "the sender died or gave up".to_owned(),
        _ => format!("{deaths} senders died or gave up"),
    };
    let message = format!("{who}, so the end is missing (`--persist` lets another sender go on)");
    Failure::new(Exit::PeerGone, message)
}
