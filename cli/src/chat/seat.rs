//! Who sits where: how two find each other, and a third is told that there is no room.
//!
//! A stream of a chat has room for two ends, so no third can open one. Seats are taken under a lock on the path's file: of two who
//! come at once, one is the host and the other one finds him there.
//!
//! Whoever clears the table takes the names away, of these two streams and of no others that came to have the same names.
//! The one at the path goes last: so who has opened that one and finds it named still, while seated, has not been left with half a pair.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ringpipe::Error;
use ringpipe::stream::{Fifo, Options, Reader, Readiness, Writer};

use super::{HELLO, Line};
use crate::args::Chat;
use crate::exit::{Exit, Failure};
use crate::signals::{Signals, TICK};

/// How many bytes are on the way at most.
const CAPACITY: usize = 64 << 10;
/// How long two who are there may take to leave before a third is refused.
const GRACE: Duration = Duration::from_millis(400);
/// How often what nobody tells of is looked at.
pub(super) const AGAIN: Duration = Duration::from_millis(20);

/// Where two can meet.
pub(super) struct Table {
    path: PathBuf,
    /// From the guest to the host.
    there: Fifo,
    /// From the host to the guest.
    back: Fifo,
}

struct Seat {
    reader: Reader,
    /// Who finds the host there, can write to him: a guest.
    writer: Option<Writer>,
}

impl Table {
    /// Finds the two streams, or makes them.
    pub(super) fn open(order: &Chat) -> Result<Self, Failure> {
        let mut back = order.path.clone().into_os_string();
        back.push(".back");
        Ok(Self {
            path: order.path.clone(),
            there: open(&order.path, order)?,
            back: open(Path::new(&back), order)?,
        })
    }

    /// Takes a seat and waits for the other side. `None` if this is not the place, or not any more.
    pub(super) fn meet(&self, signals: &Signals) -> Result<Option<Line>, Failure> {
        let Some(Seat { reader, writer }) = self.sit(signals)? else {
            return Ok(None);
        };
        if let Some(writer) = writer {
            return self.await_host(Line { writer, reader }, signals);
        }
        eprintln!("ringpipe: waiting for somebody at {}", self.path.display());
        let met = self.await_guest(reader, signals);
        if met.is_err() {
            self.clear(); // nobody else is there
        }
        met
    }

    /// Takes the names away, if they are these streams', and may be.
    pub(super) fn clear(&self) {
        // The other side may be faster, or the only one who is allowed to.
        let _ = self.back.remove();
        let _ = self.there.remove();
    }

    fn is_cleared(&self) -> bool {
        self.there.is_removed() || self.back.is_removed()
    }

    fn sit(&self, signals: &Signals) -> Result<Option<Seat>, Failure> {
        let start = Instant::now();
        loop {
            signals.check()?;
            let seat = self.lock()?.map(|_lock| self.take_seat());
            match seat {
                _ if self.is_cleared() => return Ok(None),
                Some(Ok(seat)) => return Ok(Some(seat)),
                None | Some(Err(Error::Crowded { .. })) if start.elapsed() < GRACE => {
                    thread::sleep(AGAIN);
                }
                None | Some(Err(Error::Crowded { .. })) => return Err(self.full()),
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Locks the path's file; `None` while another one has it, or it is gone.
    fn lock(&self) -> Result<Option<File>, Failure> {
        let locked = File::open(&self.path).and_then(|file| match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        });
        match locked {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            locked => locked
                .map_err(|error| Failure::io(&format!("lock {}", self.path.display()), &error)),
        }
    }

    fn take_seat(&self) -> Result<Seat, Error> {
        let (from, writer) = match self.there.writer_nonblocking() {
            Ok(writer) => (&self.back, Some(writer)),
            Err(Error::NoReader { .. }) => (&self.there, None),
            Err(error) => return Err(error),
        };
        let reader = from.reader_nonblocking()?;
        Ok(Seat { reader, writer })
    }

    fn full(&self) -> Failure {
        let message = format!("two are talking at {} already", self.path.display());
        Failure::new(Exit::Taken, message)
    }

    /// The host's part.
    fn await_guest(&self, mut reader: Reader, signals: &Signals) -> Result<Option<Line>, Failure> {
        loop {
            signals.check()?;
            if self.is_cleared() {
                return Ok(None);
            }
            let ready = wait(&mut reader)?;
            if ready.contains(Readiness::IN) {
                if let Some(writer) = self.answer(&mut reader)? {
                    return Ok(Some(Line { writer, reader }));
                }
            } else if ready.contains(Readiness::HUP) {
                thread::sleep(AGAIN); // a guest went before it was let in
            }
        }
    }

    /// Lets a guest in that has said hello, if it is still there.
    fn answer(&self, reader: &mut Reader) -> Result<Option<Writer>, Failure> {
        self.hear_hello(reader)?;
        match self.back.writer_nonblocking() {
            Ok(mut writer) => {
                let said = writer.write_all(HELLO);
                Ok(said.is_ok().then_some(writer))
            }
            Err(Error::NoReader { .. } | Error::Crowded { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The guest's part.
    fn await_host(&self, mut line: Line, signals: &Signals) -> Result<Option<Line>, Failure> {
        if line.writer.write_all(HELLO).is_err() {
            return Ok(None);
        }
        loop {
            signals.check()?;
            if wait(&mut line.reader)?.contains(Readiness::IN) {
                self.hear_hello(&mut line.reader)?;
                return Ok(Some(line));
            }
            if line.writer.readers()?.alive == 0 {
                return Ok(None);
            }
        }
    }

    fn hear_hello(&self, reader: &mut Reader) -> Result<(), Failure> {
        let mut first = [0; HELLO.len()];
        match reader.read(&mut first) {
            Ok(_) if first == *HELLO => Ok(()),
            _ => {
                let message = format!("at {} somebody does not chat", self.path.display());
                Err(Failure::new(Exit::Unfit, message))
            }
        }
    }
}

/// Finds or makes a stream that is for chats only; not one that is just being removed.
fn open(path: &Path, order: &Chat) -> Result<Fifo, Error> {
    let options = Options::new().capacity(CAPACITY).mode(order.mode);
    let options = order.trust.put(options).participants(2).type_name("chat");
    let start = Instant::now();
    loop {
        match options.open_or_create(path) {
            Err(Error::Removed) if start.elapsed() < GRACE => thread::sleep(AGAIN),
            opened => return opened,
        }
    }
}

fn wait(reader: &mut Reader) -> Result<Readiness, Failure> {
    let ready = reader.wait_readable(Some(TICK));
    ready.map_err(|error| Failure::io("wait for the other side", &error))
}
