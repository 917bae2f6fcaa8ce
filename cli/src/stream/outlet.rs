//! A stream to standard output: write(2) takes from the ring, where the bytes stay until they are written.

use std::fs::File;
use std::thread;

use ringpipe::stream::{Fifo, Reader, Readiness};
use ringpipe::{Error, Role, Status};

use super::leave::Origin;
use super::meter::Meter;
use super::standard::Sink;
use super::{AGAIN, CHUNK, OUTPUT, Step, halted, leads_nowhere, wait};
use crate::args::Stay;
use crate::exit::{Exit, Failure};
use crate::signals::{Signals, TICK};

/// The way out.
pub(super) struct Outlet {
    pub(super) fifo: Fifo,
    pub(super) reader: Reader,
    output: File,
    pub(super) signals: Signals,
    meter: Meter,
    pub(super) origin: Origin,
    /// How many writers had died before this came: their end is not its own.
    deaths_before: u64,
    /// How many bytes came out.
    pub(super) received: u64,
}

impl Outlet {
    pub(super) fn new(
        fifo: Fifo,
        (deaths_before, reader): (u64, Reader),
        sink: Sink,
    ) -> Result<Self, Failure> {
        let mut origin = Origin::default();
        origin.look(&fifo)?;
        Ok(Self {
            fifo,
            reader,
            origin,
            output: sink.file,
            signals: sink.signals,
            meter: sink.meter,
            deaths_before,
            received: 0,
        })
    }

    /// Waits for bytes, and writes as many as the output takes at once. The end comes when nobody writes any more, but
    /// not before somebody did.
    pub(super) fn step(&mut self) -> Result<Step, Failure> {
        self.signals.check()?;
        let ready = match self.reader.wait_readable(Some(TICK)) {
            Ok(ready) => ready,
            Err(error) => return halted(&error, "read from the stream"),
        };
        if ready == Readiness::HUP {
            return Ok(Step::End);
        }
        if ready.is_empty() {
            if self.reader.writers()?.alive == 0 {
                self.meter.lacks_peer();
            }
            return Ok(Step::Idle);
        }
        self.origin.look(&self.fifo)?;
        wait::writable(&self.output, &self.signals)?;
        match self.reader.copy_to_fd(&self.output, CHUNK) {
            Ok(count) => {
                self.meter.moved(count);
                self.received += count as u64; // of 0, the next step makes something
                Ok(Step::Moved)
            }
            Err(error) => halted(&error, OUTPUT),
        }
    }

    /// Goes on with another stream.
    pub(super) fn move_to(&mut self, (fifo, (deaths_before, reader)): (Fifo, (u64, Reader))) {
        self.reader = reader;
        self.fifo = fifo;
        self.deaths_before = deaths_before;
        self.origin = Origin::default();
    }

    /// Whether this end is the end, for one who stays for so long. If not, waits for another
    /// writer.
    pub(super) fn is_over(&mut self, stay: Stay) -> Result<bool, Failure> {
        if stay.keep_open {
            self.wait_on()?;
            return Ok(false);
        }
        let over = !stay.persist || self.deaths()? == 0 || self.last_finished()?;
        if !over {
            self.meter.lacks_peer();
            thread::sleep(AGAIN); // for another writer, or for one that has left to say how
        }
        Ok(over)
    }

    fn last_finished(&self) -> Result<bool, Failure> {
        let status = self.fifo.status()?;
        Ok(status.is_none_or(|status| status.producer.finished))
    }

    /// Puts a reader that has seen no writer yet in place of the one that has seen the last: so it
    /// sleeps until one comes.
    fn wait_on(&mut self) -> Result<(), Failure> {
        if leads_nowhere(&self.fifo) {
            let message = "the stream was removed, and nobody writes to it any more";
            return Err(Failure::new(Exit::NotFound, message));
        }
        match open(&self.fifo) {
            Ok((_, reader)) => self.reader = reader,
            Err(Error::Crowded { .. }) => thread::sleep(AGAIN),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// How many writers died or gave up since this came.
    pub(super) fn deaths(&self) -> Result<u64, Failure> {
        let now = deaths_of_writers(&self.fifo)?;
        Ok(now.saturating_sub(self.deaths_before))
    }
}

/// Opens a stream at once: the wait for a writer is part of reading. Besides, how many writers had died before.
pub(super) fn open(fifo: &Fifo) -> Result<(u64, Reader), Error> {
    let deaths_before = deaths_of_writers(fifo)?;
    let reader = fifo.reader_nonblocking()?;
    reader.set_nonblocking(false);
    reader.set_interruptible(true);
    reader.set_read_timeout(Some(TICK));
    Ok((deaths_before, reader))
}

fn deaths_of_writers(fifo: &Fifo) -> Result<u64, Error> {
    let status = fifo.status()?;
    Ok(status.map_or(0, |status| deaths(&status, Role::Producer)))
}

/// How many in a role ever died or gave up; also those after whom nobody has cleared up yet.
pub(super) fn deaths(status: &Status, role: Role) -> u64 {
    let side = match role {
        Role::Producer => &status.producer,
        Role::Consumer => &status.consumer,
    };
    let all = status.participants.iter();
    let left = all.filter(|one| one.role == role && !one.alive).count();
    u64::from(side.deaths) + left as u64
}
