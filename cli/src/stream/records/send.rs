//! Standard input into a shared ring, record by record.
//!
//! By a buffer, not right into the ring's slots: whoever has slots in hand holds up all that others push behind them, and
//! an input may be slow.

use std::fs::File;
use std::io::Read;

use ringpipe::mpmc::{Producer, Ring};
use ringpipe::{Error, Name, PeerLoss, PushTimeoutError, TryPushError};

use crate::args::Send;
use crate::exit::{Exit, Failure};
use crate::signals::{Signals, TICK};
use crate::stream::leave::{self, Origin};
use crate::stream::meter::Meter;
use crate::stream::standard::Source;
use crate::stream::{AGAIN, CHUNK, INPUT, is_passing, join, wait};
use crate::terminal::Typing;

pub(super) fn run<const N: usize>(order: &Send) -> Result<(), Failure> {
    let meter = Meter::new(&order.endpoint.name, "receiver", order.progress);
    let source = Source::open(meter)?;
    let (ring, producer) = join(&order.endpoint, take_part::<N>)?;
    let mut origin = Origin::default();
    origin.look(&ring)?;
    let mut sender = Sender::new(producer, source)?;
    match sender.pump(order) {
        Ok(()) => Ok(sender.producer.finish()?),
        Err(failure) => {
            sender.producer.abandon();
            if !order.keep {
                origin.tidy(&ring, leave::is_unused);
            }
            let said = format!(
                "{} records were sent, and whoever receives is told that the end is missing",
                sender.sent
            );
            Err(sender.signals.or(failure).and(&said))
        }
    }
}

/// By its id, a ring is found also after it was removed, when nobody may be there to receive any more.
fn take_part<const N: usize>(ring: &Ring<[u8; N]>) -> Result<Producer<[u8; N]>, Error> {
    let producer = ring.producer()?;
    match ring.name() {
        Some(Name::Id(_)) if ring.is_removed() => Err(Error::Removed),
        _ => Ok(producer),
    }
}

/// Everything that is at work while records flow.
struct Sender<const N: usize> {
    producer: Producer<[u8; N]>,
    input: File,
    signals: Signals,
    typing: Typing,
    meter: Meter,
    /// How many receivers had come and gone before this sender came: their end is not its own. `None` if some were there.
    receivers_before: Option<u64>,
    buffer: Vec<[u8; N]>,
    /// Bytes in the buffer.
    filled: usize,
    sent: u64,
}

impl<const N: usize> Sender<N> {
    fn new(mut producer: Producer<[u8; N]>, source: Source) -> Result<Self, Failure> {
        producer.set_interruptible(true);
        producer.set_peer_loss(PeerLoss::Wait);
        let receivers = producer.peers()?;
        Ok(Self {
            receivers_before: (receivers.alive == 0).then_some(receivers.ever),
            producer,
            input: source.file,
            signals: source.signals,
            typing: source.typing,
            meter: source.meter,
            buffer: vec![[0; N]; CHUNK.div_ceil(N)],
            filled: 0,
            sent: 0,
        })
    }

    /// Moves all of the input into the ring.
    fn pump(&mut self, order: &Send) -> Result<(), Failure> {
        let mut settled = order.persist;
        while self.read(order)? {
            let whole = self.filled / N;
            let mut pushed = 0;
            while pushed < whole {
                self.signals.check()?;
                if !settled && self.had_receiver()? {
                    self.producer.set_peer_loss(PeerLoss::Disconnect);
                    settled = true;
                }
                let count = self.push(pushed..whole)?;
                if count == 0 {
                    self.tell_of_wait()?;
                }
                pushed += count;
            }
            let bytes = self.buffer.as_flattened_mut();
            bytes.copy_within(whole * N..self.filled, 0);
            self.filled -= whole * N;
        }
        Ok(())
    }

    /// Whether there has been a receiver in this sender's time.
    fn had_receiver(&self) -> Result<bool, Failure> {
        let now = self.producer.peers()?;
        let before = self.receivers_before;
        Ok(now.alive > 0 || before.is_none_or(|before| now.ever > before))
    }

    /// Reads some of the input. `false` at its end.
    fn read(&mut self, order: &Send) -> Result<bool, Failure> {
        let again = if self.typing.goes_on() { AGAIN } else { TICK };
        let are_lost = || Ok(!order.persist && self.is_typed_for_nobody()?);
        if !wait::readable_unless(&self.input, &self.signals, again, are_lost)? {
            return Err(deserted());
        }
        let room = &mut self.buffer.as_flattened_mut()[self.filled..];
        let read = self.input.read(room);
        if let Ok(0) = read {
            self.typing.end();
        }
        match read {
            Ok(0) if self.filled == 0 => return Ok(false),
            Ok(0) if order.pad => {
                room[..N - self.filled].fill(0);
                self.filled = N;
            }
            Ok(0) => return Err(self.cut_short()),
            Ok(count) => self.filled += count,
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(Failure::io(INPUT, &error)),
        }
        Ok(true)
    }

    /// Whether what is typed now would be taken from the terminal, and lost: the receivers are
    /// gone.
    fn is_typed_for_nobody(&self) -> Result<bool, Failure> {
        let gone = self.typing.goes_on() && self.producer.peers()?.alive == 0;
        Ok(gone && self.had_receiver()?)
    }

    fn cut_short(&self) -> Failure {
        let message = format!(
            "the input ends after {} bytes of a record of {N} (`--pad` fills the last one with zeroes)",
            self.filled
        );
        Failure::new(Exit::Other, message)
    }

    /// Pushes as many records as there is room for; waits for some if there is none. Returns how many.
    fn push(&mut self, records: std::ops::Range<usize>) -> Result<usize, Failure> {
        let records = &self.buffer[records];
        let count = match self.producer.try_push_slice(records) {
            Ok(0) | Err(TryPushError::Full(())) => {
                let piece = self.producer.capacity().div_ceil(2).min(records.len());
                match self.producer.reserve_timeout(piece, TICK) {
                    Ok(mut room) => {
                        let count = room.write(records);
                        room.commit_written();
                        count
                    }
                    Err(PushTimeoutError::Timeout(()) | PushTimeoutError::Interrupted(())) => 0,
                    Err(PushTimeoutError::Disconnected(())) => return Err(deserted()),
                    Err(PushTimeoutError::Fault((), fault)) => return Err(fault.into()),
                }
            }
            Ok(count) => count,
            Err(TryPushError::Disconnected(())) => return Err(deserted()),
            Err(TryPushError::Fault((), fault)) => return Err(fault.into()),
        };
        self.sent += count as u64;
        if count > 0 {
            self.meter.moved(count * N);
        }
        Ok(count)
    }

    fn tell_of_wait(&mut self) -> Result<(), Failure> {
        match self.producer.peers()?.alive {
            0 => self.meter.lacks_peer(),
            _ => self.meter.lacks_taking(),
        }
        Ok(())
    }
}

fn deserted() -> Failure {
    let message = "all receivers are gone, and what they did not write is in the ring (`ringpipe recv` goes on with \
        it, `ringpipe rm` removes it)";
    Failure::new(Exit::PeerGone, message)
}
