//! Standard input into a stream, until receivers have taken all of it.

use std::thread;

use ringpipe::stream::Fifo;
use ringpipe::{Role, Status};

use super::inlet::{self, Inlet};
use super::leave::{self, Origin};
use super::meter::Meter;
use super::outlet::deaths;
use super::standard::Source;
use super::{AGAIN, MOMENT, Step, found, leads_nowhere};
use crate::args::Send;
use crate::exit::{Exit, Failure};

/// Runs `ringpipe send`.
pub(super) fn run(order: &Send) -> Result<(), Failure> {
    let inlet = open(order)?;
    let mut sender = Sender {
        before: Position::of(&inlet.fifo)?,
        inlet,
        origin: Origin::default(),
        persist: order.persist,
    };
    sender.origin.look(&sender.inlet.fifo)?;
    let end = sender.pump();
    sender.leave(end, order.keep)
}

/// Opens or creates the stream, and waits for a receiver.
fn open(order: &Send) -> Result<Inlet, Failure> {
    let mut source = Source::open(Meter::new(&order.endpoint.name, "receiver", order.progress))?;
    loop {
        let fifo = found(&order.endpoint)?;
        let mut origin = Origin::default();
        let is_last = || {
            let _ = origin.look(&fifo); // it may be gone
            !order.keep && origin.tidy(&fifo, is_alone)
        };
        let opened = inlet::open(&fifo, &mut source, is_last);
        let opened = opened.map_err(|failure| failure.and("nothing was sent"))?;
        // Else a receiver that had seen its end has removed it.
        if let Some(writer) = opened {
            return Ok(Inlet::new(fifo, writer, source));
        }
        thread::sleep(MOMENT);
    }
}

/// Whether the one who takes part is this sender.
fn is_alone(status: &Status) -> bool {
    (status.producer.attached, status.consumer.attached) == (1, 0)
}

/// Everything that is at work while bytes flow.
struct Sender {
    inlet: Inlet,
    origin: Origin,
    /// Where the stream was when this sender came.
    before: Position,
    persist: bool,
}

/// How far a stream has come.
#[derive(Clone, Copy, Default)]
struct Position {
    written: u64,
    read: u64,
    /// How many receivers died or gave up.
    deaths: u64,
}

impl Position {
    fn of(fifo: &Fifo) -> Result<Self, Failure> {
        let status = fifo.status()?;
        Ok(status.map_or_else(Self::default, |status| Self {
            written: status.produced,
            read: status.consumed,
            deaths: deaths(&status, Role::Consumer),
        }))
    }

    /// Whether no receiver has died since, or read what was written since.
    fn is_untouched(self, fifo: &Fifo) -> Result<bool, Failure> {
        let now = Self::of(fifo)?;
        Ok(now.deaths == self.deaths && now.read <= self.written)
    }
}

impl Sender {
    /// Moves all of the input into the stream, and waits until it is taken.
    fn pump(&mut self) -> Result<(), Failure> {
        let (before, persist) = (self.before, self.persist);
        let are_lost = |inlet: &Inlet| {
            Ok(!persist && inlet.is_alone()? && !before.is_untouched(&inlet.fifo)?)
        };
        loop {
            match self.inlet.step(are_lost)? {
                Step::Moved | Step::Idle => {}
                Step::End => break,
                Step::Gone => self.go_on()?,
            }
        }
        if self.inlet.sent > 0 {
            self.await_taken()?;
        }
        Ok(())
    }

    /// Leaves, and takes the stream along if nobody else is there. A receiver that left in good
    /// order has left it where it is on purpose.
    fn leave(self, end: Result<(), Failure>, keep: bool) -> Result<(), Failure> {
        let Inlet {
            writer,
            sent,
            fifo,
            signals,
            ..
        } = self.inlet;
        match end {
            Ok(()) => drop(writer),
            Err(_) => writer.abandon(),
        }
        if !keep {
            let bereft = |status: &Status| deaths(status, Role::Consumer) > self.before.deaths;
            let is_last = |status: &Status| leave::is_empty(status) && bereft(status);
            self.origin.tidy(&fifo, is_last);
        }
        end.map_err(|failure| {
            signals.or(failure).and(&format!(
                "{sent} bytes were sent, and whoever receives them is told that the end is missing"
            ))
        })
    }

    /// Nobody tells of the last byte taken, so this looks, in intervals that grow.
    fn await_taken(&mut self) -> Result<(), Failure> {
        let end = Position::of(&self.inlet.fifo)?.written;
        let mut nap = MOMENT;
        loop {
            self.inlet.signals.check()?;
            let alone = self.inlet.is_alone()?;
            // In this order: what the last of them took is seen.
            let empty = self.inlet.writer.available() == 0;
            if empty || Position::of(&self.inlet.fifo)?.read >= end {
                return Ok(());
            }
            if alone {
                self.go_on()?;
            }
            self.inlet.meter.lacks_taking();
            thread::sleep(nap);
            nap = AGAIN.min(nap * 2);
        }
    }

    /// Waits for another receiver, if the loss of the last one is no failure: also one that was through with earlier
    /// senders just when this one came.
    fn go_on(&mut self) -> Result<(), Failure> {
        if !self.persist && !self.before.is_untouched(&self.inlet.fifo)? {
            return Err(self.deserted());
        }
        while self.inlet.is_alone()? {
            self.inlet.signals.check()?;
            self.inlet.meter.lacks_peer();
            if leads_nowhere(&self.inlet.fifo) {
                let message = "the stream was removed, and nobody receives from it";
                return Err(Failure::new(Exit::NotFound, message));
            }
            thread::sleep(AGAIN);
        }
        Ok(())
    }

    fn deserted(&self) -> Failure {
        let message = format!(
            "the receiver is gone, and {} bytes that it did not take are lost (`--persist` waits for another one)",
            self.inlet.writer.available()
        );
        Failure::new(Exit::PeerGone, message)
    }
}
