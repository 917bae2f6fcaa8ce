//! Standard input into a stream: read(2) writes right into the ring where it can.

use std::fs::File;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, SendError, channel};
use std::thread;

use ringpipe::Error;
use ringpipe::stream::{Fifo, Writer};

use super::meter::Meter;
use super::standard::Source;
use super::{AGAIN, CHUNK, INPUT, Step, halted, leads_nowhere, wait};
use crate::exit::Failure;
use crate::signals::{Signals, TICK};
use crate::terminal::Typing;

/// The way in.
pub(super) struct Inlet {
    pub(super) fifo: Fifo,
    pub(super) writer: Writer,
    input: File,
    pub(super) signals: Signals,
    pub(super) typing: Typing,
    pub(super) meter: Meter,
    /// How many bytes went in.
    pub(super) sent: u64,
}

impl Inlet {
    pub(super) fn new(fifo: Fifo, writer: Writer, source: Source) -> Self {
        writer.set_interruptible(true);
        writer.set_write_timeout(Some(TICK));
        Self {
            fifo,
            writer,
            input: source.file,
            signals: source.signals,
            typing: source.typing,
            meter: source.meter,
            sent: 0,
        }
    }

    /// Reads a piece of the input into the stream.
    ///
    /// While nothing is there to read, it asks whether the receivers are lost; if so, they are
    /// gone. What is typed for them must not be left to others.
    pub(super) fn step(
        &mut self,
        are_lost: impl Fn(&Self) -> Result<bool, Failure>,
    ) -> Result<Step, Failure> {
        let again = if self.typing.goes_on() { AGAIN } else { TICK };
        if !wait::readable_unless(&self.input, &self.signals, again, || are_lost(self))? {
            return Ok(Step::Gone);
        }
        match self.writer.copy_from_fd(&self.input, CHUNK) {
            Ok(0) => {
                self.typing.end();
                Ok(Step::End)
            }
            Ok(count) => {
                self.sent += count as u64;
                self.meter.moved(count);
                Ok(Step::Moved)
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Step::Gone),
            Err(error) => {
                if error.kind() == io::ErrorKind::TimedOut {
                    self.meter.lacks_taking();
                }
                halted(&error, INPUT)
            }
        }
    }

    /// Whether nobody reads the stream.
    pub(super) fn is_alone(&self) -> Result<bool, Failure> {
        Ok(self.writer.readers()?.alive == 0)
    }
}

/// Opens a stream, as open(2) does: waits for somebody who reads. `None` if its name is taken away before.
///
/// In a thread of its own: so the wait need not be given up, and begun anew, to see whether a signal came. Who came
/// in between would find nobody.
///
/// When a signal ends the wait, `is_last` may remove the stream first, if nobody else is there.
pub(super) fn open(
    fifo: &Fifo,
    source: &mut Source,
    is_last: impl FnOnce() -> bool,
) -> Result<Option<Writer>, Failure> {
    let (opened, opening) = channel();
    let waiting = fifo.clone();
    let waiter = thread::spawn(move || {
        if let Err(SendError(Ok(unwanted))) = opened.send(waiting.writer()) {
            unwanted.abandon(); // a signal came
        }
    });
    let writer = loop {
        if let Err(failure) = source.signals.check() {
            drop(opening);
            if is_last() && fifo.reader_nonblocking().is_ok() {
                let _ = waiter.join(); // as below; what it may have to say does not matter any more
            }
            return Err(failure);
        }
        match opening.recv_timeout(TICK) {
            Ok(writer) => break writer,
            // For the thread to end: whoever else waits there waits in vain, too.
            Err(RecvTimeoutError::Timeout) if leads_nowhere(fifo) => {
                drop(fifo.reader_nonblocking()?);
            }
            Err(RecvTimeoutError::Timeout) => source.meter.lacks_peer(),
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
