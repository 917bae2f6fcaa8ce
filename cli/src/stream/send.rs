//! Standard input into a ring: read(2) writes right into the ring's slots.

use std::fs::File;
use std::io::{self, Read};

use ringpipe::spsc::{Producer, Ring};
use ringpipe::{Peer, PeerLoss, PushTimeoutError, Side, TryPushError};

use super::{CHUNK, INPUT, is_passing, join, unbuffered, wait};
use crate::args::Send;
use crate::exit::{Exit, Failure};
use crate::signals::{Signals, TICK};

/// Runs `ringpipe send`.
pub(super) fn run(order: &Send) -> Result<(), Failure> {
    let signals = Signals::watch()?;
    let input = File::from(unbuffered(&io::stdin(), INPUT)?);
    let (ring, producer) = join(&order.endpoint, Ring::producer)?;
    let mut sender = Sender::new(ring, producer, input, signals)?;
    match sender.pump(order.persist) {
        Ok(()) => Ok(sender.producer.finish()?),
        Err(failure) => {
            sender.producer.abandon();
            let said = format!(
                "{} bytes were sent, and whoever receives them is told that the end is missing",
                sender.sent
            );
            Err(failure.and(&said))
        }
    }
}

/// Everything that is at work while bytes flow.
struct Sender {
    ring: Ring<u8>,
    producer: Producer<u8>,
    input: File,
    signals: Signals,
    /// How many receivers had come and gone before this sender came: their end is not its own. `None` if one was there.
    receivers_before: Option<u64>,
    /// A byte that was read while the ring was full, to learn whether there is any more.
    ahead: Option<u8>,
    sent: u64,
}

impl Sender {
    fn new(
        ring: Ring<u8>,
        mut producer: Producer<u8>,
        input: File,
        signals: Signals,
    ) -> Result<Self, Failure> {
        producer.set_interruptible(true);
        producer.set_peer_loss(PeerLoss::Wait);
        let receivers = receivers(&ring)?;
        Ok(Self {
            receivers_before: receivers.pid.is_none().then_some(receivers.holders),
            ring,
            producer,
            input,
            signals,
            ahead: None,
            sent: 0,
        })
    }

    /// Moves all of the input into the ring.
    fn pump(&mut self, persist: bool) -> Result<(), Failure> {
        let mut settled = persist;
        loop {
            self.signals.check()?;
            if !settled && self.had_receiver()? {
                self.producer.set_peer_loss(PeerLoss::Disconnect);
                settled = true;
            }
            let more = if self.producer.is_full() {
                self.look_ahead()? && self.await_room()?
            } else {
                self.fill()?
            };
            if !more {
                return Ok(());
            }
        }
    }

    /// Whether there has been a receiver in this sender's time.
    fn had_receiver(&self) -> Result<bool, Failure> {
        Ok(match (self.producer.peer()?, self.receivers_before) {
            (Peer::Alive { .. }, _) | (_, None) => true,
            (Peer::Never, _) => false,
            (_, Some(before)) => receivers(&self.ring)?.holders > before,
        })
    }

    /// Reads into the room there is. `false` at the end of the input.
    fn fill(&mut self) -> Result<bool, Failure> {
        if self.ahead.is_none() {
            wait::readable(&self.input, &self.signals)?;
        }
        let mut room = match self.producer.try_reserve(CHUNK) {
            Ok(room) => room,
            Err(TryPushError::Full(())) => return Ok(true),
            Err(TryPushError::Disconnected(())) => return Err(self.deserted()),
            Err(TryPushError::Fault((), fault)) => return Err(fault.into()),
        };
        let (slots, _) = room.as_mut_slices();
        let count = match self.ahead.take() {
            Some(byte) => put(byte, slots),
            None => match self.input.read(slots) {
                Ok(count) => count,
                Err(error) if is_passing(&error) => return Ok(true),
                Err(error) => return Err(Failure::io(INPUT, &error)),
            },
        };
        room.commit(count);
        self.sent += count as u64;
        Ok(count > 0)
    }

    /// Learns whether there is more to send than the full ring holds. `false` at the end of the input.
    fn look_ahead(&mut self) -> Result<bool, Failure> {
        if self.ahead.is_some() || !wait::is_readable(&self.input)? {
            return Ok(true);
        }
        let mut byte = [0];
        match self.input.read(&mut byte) {
            Ok(0) => Ok(false),
            Ok(_) => {
                self.ahead = Some(byte[0]);
                Ok(true)
            }
            Err(error) if is_passing(&error) => Ok(true),
            Err(error) => Err(Failure::io(INPUT, &error)),
        }
    }

    /// Sleeps until there is room for a good piece, a tick has passed or a signal comes.
    fn await_room(&mut self) -> Result<bool, Failure> {
        let piece = CHUNK.min(self.producer.capacity().div_ceil(2));
        match self.producer.reserve_timeout(piece, TICK) {
            Ok(_) | Err(PushTimeoutError::Timeout(()) | PushTimeoutError::Interrupted(())) => {
                Ok(true)
            }
            Err(PushTimeoutError::Disconnected(())) => Err(self.deserted()),
            Err(PushTimeoutError::Fault((), fault)) => Err(fault.into()),
        }
    }

    fn deserted(&self) -> Failure {
        let message = format!(
            "the receiver is gone, and {} bytes that it did not take are in the ring (`ringpipe recv` goes on with \
             them, `ringpipe rm` removes them)",
            self.producer.len()
        );
        Failure::new(Exit::PeerGone, message)
    }
}

fn put(byte: u8, slots: &mut [u8]) -> usize {
    slots[0] = byte;
    1
}

/// What is known of the receivers: the one that is there, and how many there ever were.
fn receivers(ring: &Ring<u8>) -> Result<Side, Failure> {
    let status = ring.status()?;
    Ok(status.map_or_else(Side::default, |status| status.consumer))
}
