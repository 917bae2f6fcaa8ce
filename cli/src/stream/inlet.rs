//! Standard input into a stream: read(2) writes right into the ring where it can.

use std::fs::File;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use ringpipe::Error;
use ringpipe::stream::{Fifo, Writer};

use super::{CHUNK, INPUT, Step, halted, leads_nowhere, unbuffered, wait};
use crate::exit::Failure;
use crate::signals::{Signals, TICK};

/// The way in.
pub(super) struct Inlet {
    pub(super) fifo: Fifo,
    pub(super) writer: Writer,
    input: File,
    pub(super) signals: Signals,
    /// How many bytes went in.
    pub(super) sent: u64,
}

impl Inlet {
    pub(super) fn new(fifo: Fifo, writer: Writer, signals: Signals) -> Result<Self, Failure> {
        writer.set_interruptible(true);
        writer.set_write_timeout(Some(TICK));
        Ok(Self {
            fifo,
            writer,
            input: File::from(unbuffered(&io::stdin(), INPUT)?),
            signals,
            sent: 0,
        })
    }

    /// Reads a piece of the input into the stream.
    pub(super) fn step(&mut self) -> Result<Step, Failure> {
        wait::readable(&self.input, &self.signals)?;
        match self.writer.copy_from_fd(&self.input, CHUNK) {
            Ok(0) => Ok(Step::End),
            Ok(count) => {
                self.sent += count as u64;
                Ok(Step::Moved)
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Step::Gone),
            Err(error) => halted(&error, INPUT),
        }
    }
}

/// Opens a stream, as open(2) does: waits for somebody who reads. `None` if its name is taken away before.
///
/// In a thread of its own: so the wait need not be given up, and begun anew, to see whether a signal came. Who came
/// in between would find nobody.
pub(super) fn open(fifo: &Fifo, signals: &Signals) -> Result<Option<Writer>, Failure> {
    let (opened, opening) = channel();
    let waiting = fifo.clone();
    let waiter = thread::spawn(move || {
        let _ = opened.send(waiting.writer()); // else a signal came, and nobody wants it any more
    });
    let writer = loop {
        signals.check()?;
        match opening.recv_timeout(TICK) {
            Ok(writer) => break writer,
            // For the thread to end: whoever else waits there waits in vain, too.
            Err(RecvTimeoutError::Timeout) if leads_nowhere(fifo) => {
                drop(fifo.reader_nonblocking()?);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Err(Error::Removed),
        }
    };
    // Then it has let go of the stream, of which this process may be the last user.
    if let Err(panic) = waiter.join() {
        resume_unwind(panic);
    }
    match writer {
        Err(Error::Removed) => Ok(None),
        writer => Ok(Some(writer?).filter(|_| !leads_nowhere(fifo))),
    }
}
