//! Our side: processes that use a ring in every way that there is, and must get an answer to each call.

use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::alarm;
use ringpipe::{Error, PeerLoss, PopError, PopTimeoutError, PushError, PushTimeoutError, Strategy};
use ringpipe::{TryPopError, TryPushError};

use crate::common::Shared;
pub(crate) use crate::common::dice::Dice;
use crate::ledger::{self, Met};

/// Far longer than any call waits here, whatever else the machine does.
const PATIENCE: u32 = 40;

/// One process of ours.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) notes: Shared,
    pub(crate) dice: Dice,
    /// Which of the processes it is.
    slot: usize,
    end: Instant,
}

impl Watch {
    pub(crate) fn new(notes: Shared, dice: Dice, slot: usize, lasts: Duration) -> Self {
        let end = Instant::now() + lasts;
        Self {
            notes,
            dice,
            slot: ledger::DOING + slot,
            end,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Whether calls that wait for ever are still to be made: what they wait for is taken away soon.
    pub(crate) fn may_wait(&self) -> bool {
        self.notes.get(ledger::OVER) == 0
    }

    /// Makes one call, which is told by its number if it is the last one. Ended by a signal if it takes far too long.
    pub(crate) fn call(&mut self, number: u64, call: impl FnOnce(&mut Dice) -> Met) -> Met {
        self.notes.set(self.slot, number);
        alarm::set(PATIENCE);
        let start = Instant::now();
        let met = call(&mut self.dice);
        alarm::cancel();
        self.notes.set(self.slot, 0);
        self.notes.add(ledger::CALLS);
        // Two may write at the same time: it is a figure for people.
        let took = start.elapsed().as_millis() as u64;
        if took > self.notes.get(ledger::SLOWEST) {
            self.notes.set(ledger::SLOWEST, took);
            self.notes.set(ledger::SLOWEST_CALL, number);
        }
        met.note(self.notes);
        met
    }

    /// The same for what has to be had before anything else can be done; waits a little if it cannot.
    pub(crate) fn opened<R>(
        &mut self,
        number: u64,
        open: impl FnOnce() -> Result<R, Error>,
    ) -> Option<R> {
        let mut opened = None;
        self.call(number, |_| match open() {
            Ok(ring) => {
                opened = Some(ring);
                Met::Done
            }
            Err(error) => ledger::of_error(&error),
        });
        if opened.is_none() {
            thread::sleep(Duration::from_micros(200));
        }
        opened
    }
}

/// A timeout: none at all, or a few milliseconds.
pub(crate) fn timeout(dice: &mut Dice) -> Duration {
    Duration::from_micros([0, 1, 100, 3000][dice.below(4)])
}

pub(crate) fn strategy(dice: &mut Dice) -> Strategy {
    [
        Strategy::Spin,
        Strategy::SpinThenSleep,
        Strategy::Sleep,
        Strategy::SpinThenSleep,
    ][dice.below(4)]
}

pub(crate) fn loss(dice: &mut Dice) -> PeerLoss {
    [PeerLoss::Wait, PeerLoss::Disconnect][dice.below(2)]
}

pub(crate) fn pushed<T>(result: Result<(), TryPushError<T>>) -> Met {
    match result {
        Ok(()) => Met::Done,
        Err(TryPushError::Full(_)) => Met::NotNow,
        Err(TryPushError::Disconnected(_)) => Met::Gone,
        Err(TryPushError::Fault(_, fault)) => ledger::of_fault(fault),
    }
}

pub(crate) fn pushed_in_time<T>(result: Result<(), PushTimeoutError<T>>) -> Met {
    match result {
        Ok(()) => Met::Done,
        Err(PushTimeoutError::Timeout(_) | PushTimeoutError::Interrupted(_)) => Met::NotNow,
        Err(PushTimeoutError::Disconnected(_)) => Met::Gone,
        Err(PushTimeoutError::Fault(_, fault)) => ledger::of_fault(fault),
    }
}

pub(crate) fn popped<T>(result: Result<T, TryPopError>) -> Met {
    match result {
        Ok(_) => Met::Done,
        Err(TryPopError::Empty) => Met::NotNow,
        Err(TryPopError::Disconnected) => Met::Gone,
        Err(TryPopError::Fault(fault)) => ledger::of_fault(fault),
    }
}

pub(crate) fn popped_in_time<T>(result: Result<T, PopTimeoutError>) -> Met {
    match result {
        Ok(_) => Met::Done,
        Err(PopTimeoutError::Timeout | PopTimeoutError::Interrupted) => Met::NotNow,
        Err(PopTimeoutError::Disconnected) => Met::Gone,
        Err(PopTimeoutError::Fault(fault)) => ledger::of_fault(fault),
    }
}

/// Reads all that slices show: what lies outside of the segment would end this process.
pub(crate) fn sum((first, second): (&[u64], &[u64])) -> u64 {
    let all = first.iter().chain(second);
    std::hint::black_box(all.fold(0, |sum, item| sum ^ item))
}

/// What a call gave, where it has an error that is a fault.
pub(crate) fn told<T>(result: Result<T, ringpipe::Fault>) -> Met {
    result.map_or_else(ledger::of_fault, |_| Met::Done)
}

/// One that sleeps at last: who only spins does not ask the kernel whether the ring is still there.
pub(crate) fn sleepy(dice: &mut Dice) -> Strategy {
    [Strategy::Sleep, Strategy::SpinThenSleep][dice.below(2)]
}

pub(crate) fn pushed_at_last<T>(result: Result<(), PushError<T>>) -> Met {
    match result {
        Ok(()) => Met::Done,
        Err(PushError::Interrupted(_)) => Met::NotNow,
        Err(PushError::Disconnected(_)) => Met::Gone,
        Err(PushError::Fault(_, fault)) => ledger::of_fault(fault),
    }
}

pub(crate) fn popped_at_last<T>(result: Result<T, PopError>) -> Met {
    match result {
        Ok(_) => Met::Done,
        Err(PopError::Interrupted) => Met::NotNow,
        Err(PopError::Disconnected) => Met::Gone,
        Err(PopError::Fault(fault)) => ledger::of_fault(fault),
    }
}
