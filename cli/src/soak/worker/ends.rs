//! The handles of all kinds of rings behind one face.

use std::io::{self, BufRead, Read, Write};
use std::thread;
use std::time::Duration;

use ringpipe::stream::{self, Reader, Writer};
use ringpipe::{Fault, PeerLoss, PopError, PushError, PushSliceError, mpmc, spsc};
use zerocopy::IntoBytes;

use super::{Stop, failed};
use crate::soak::cell::{BYTES, Cell};

/// One who pushes.
pub(super) enum Pusher {
    Spsc(spsc::Producer<Cell>),
    Mpmc(mpmc::Producer<Cell>),
    Stream(Writer),
}

/// One who takes.
pub(super) enum Taker {
    Spsc(spsc::Consumer<Cell>),
    Mpmc(mpmc::Consumer<Cell>),
    Stream(Reader),
}

/// What is done with what is held: told the items, and whether they come again; says how many to release.
pub(super) type Held<'a> = &'a mut dyn FnMut(&[Cell], bool) -> io::Result<usize>;

fn of_fault(fault: Fault) -> Stop {
    match fault {
        Fault::Removed => Stop::Removed,
        fault => failed(fault),
    }
}

fn of_push(error: PushError<()>) -> Stop {
    match error {
        PushError::Disconnected(_) => Stop::Gone,
        PushError::Interrupted(_) => Stop::Interrupted,
        PushError::Fault(_, fault) => of_fault(fault),
    }
}

fn of_pop(error: PopError) -> Stop {
    match error {
        PopError::Disconnected => Stop::Gone,
        PopError::Interrupted => Stop::Interrupted,
        PopError::Fault(fault) => of_fault(fault),
    }
}

fn of_io(error: io::Error) -> Stop {
    let fault = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<Fault>());
    match (error.kind(), fault) {
        (_, Some(fault)) => of_fault(*fault),
        (io::ErrorKind::Interrupted, _) => Stop::Interrupted,
        (io::ErrorKind::BrokenPipe, _) => Stop::Gone,
        _ => failed(error),
    }
}

/// How many cells so many bytes are, which must come out even.
fn whole_cells(bytes: usize) -> Result<usize, Stop> {
    match bytes % BYTES {
        0 => Ok(bytes / BYTES),
        _ => Err(Stop::Failed(format!(
            "{bytes} bytes at once, which are no whole items"
        ))),
    }
}

impl Pusher {
    /// Whether so many can be pushed in place: then all at once or not at all.
    pub(super) fn can_place(&self, count: usize) -> bool {
        !matches!(self, Self::Stream(_)) || count * BYTES <= stream::PIPE_BUF
    }

    /// Whether so many are pushed all at once or not at all otherwise.
    pub(super) fn is_whole(&self, count: usize) -> bool {
        match self {
            Self::Spsc(_) => count == 1,
            Self::Mpmc(_) => true,
            Self::Stream(_) => count * BYTES <= stream::PIPE_BUF,
        }
    }

    /// Pushes them; how many, and why not all.
    pub(super) fn push(&mut self, cells: &[Cell]) -> (usize, Option<Stop>) {
        match self {
            Self::Spsc(tx) => of_slice(tx.push_slice(cells), cells.len()),
            Self::Mpmc(tx) => of_slice(tx.push_slice(cells), cells.len()),
            Self::Stream(tx) => write(tx, cells.as_bytes()),
        }
    }

    /// The same in place, with a while between the writing and the publishing; no more than are pushed at once.
    pub(super) fn push_in_place(&mut self, cells: &[Cell], dwell: Duration) -> Result<(), Stop> {
        match self {
            Self::Spsc(tx) => {
                let mut room = tx.reserve(cells.len()).map_err(of_push)?;
                room.write(cells);
                thread::sleep(dwell);
                room.commit_written();
            }
            Self::Mpmc(tx) => {
                let mut room = tx.reserve(cells.len()).map_err(of_push)?;
                room.write(cells);
                thread::sleep(dwell);
                room.commit_written();
            }
            Self::Stream(tx) => {
                let bytes = cells.as_bytes();
                let mut room = tx.reserve(bytes.len()).map_err(of_io)?;
                let (first, second) = room.as_mut_slices();
                let cut = first.len();
                first.copy_from_slice(&bytes[..cut]);
                second.copy_from_slice(&bytes[cut..]);
                thread::sleep(dwell);
                room.commit(bytes.len());
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), Stop> {
        match self {
            Self::Spsc(tx) => tx.finish().map_err(of_fault),
            Self::Mpmc(tx) => tx.finish().map_err(of_fault),
            Self::Stream(tx) => tx.close().map_err(of_io),
        }
    }
}

fn of_slice(outcome: Result<(), PushSliceError>, all: usize) -> (usize, Option<Stop>) {
    match outcome {
        Ok(()) => (all, None),
        Err(error) => (error.pushed, Some(of_push(error.cause))),
    }
}

fn write(tx: &mut Writer, bytes: &[u8]) -> (usize, Option<Stop>) {
    match tx.write(bytes).map_err(of_io).and_then(whole_cells) {
        Ok(written) => (written, None),
        Err(stop) => (0, Some(stop)),
    }
}

impl Taker {
    /// From now on, the end of the producers is the end.
    pub(super) fn end_with_producers(&mut self) {
        match self {
            Self::Spsc(rx) => rx.set_peer_loss(PeerLoss::Disconnect),
            Self::Mpmc(rx) => rx.set_peer_loss(PeerLoss::Disconnect),
            Self::Stream(_) => {}
        }
    }

    /// Takes as many as `into` holds at most; how many, and whether they come again.
    pub(super) fn take(&mut self, into: &mut [Cell]) -> Result<(usize, bool), Stop> {
        match self {
            Self::Spsc(rx) => Ok((rx.pop_slice(into).map_err(of_pop)?, false)),
            Self::Mpmc(rx) => {
                let count = rx.pop_slice(into).map_err(of_pop)?;
                Ok((count, rx.redelivered()))
            }
            Self::Stream(rx) => match rx.read(into.as_mut_bytes()).map_err(of_io)? {
                0 => Err(Stop::Gone),
                bytes => Ok((whole_cells(bytes)?, false)),
            },
        }
    }

    /// Holds as many as `most`; what is not released is given back.
    pub(super) fn hold(&mut self, most: usize, held: Held<'_>) -> Result<usize, Stop> {
        match self {
            Self::Spsc(rx) => {
                let items = rx.peek(most).map_err(of_pop)?;
                let cells: Vec<Cell> = items.iter().copied().collect();
                let done = held(&cells, false).map_err(failed)?;
                items.release(done);
                Ok(done)
            }
            Self::Mpmc(rx) => {
                let claim = rx.claim(most).map_err(of_pop)?;
                let cells: Vec<Cell> = claim.iter().copied().collect();
                let done = held(&cells, claim.redelivered()).map_err(failed)?;
                claim.release(done);
                Ok(done)
            }
            Self::Stream(rx) => hold_bytes(rx, most, held),
        }
    }
}

fn hold_bytes(rx: &mut Reader, most: usize, held: Held<'_>) -> Result<usize, Stop> {
    let bytes = rx.fill_buf().map_err(of_io)?;
    if bytes.is_empty() {
        return Err(Stop::Gone);
    }
    let count = whole_cells(bytes.len())?.min(most);
    let mut cells = vec![[0; 4]; count];
    cells
        .as_mut_bytes()
        .copy_from_slice(&bytes[..count * BYTES]);
    let done = held(&cells, false).map_err(failed)?;
    rx.consume(done * BYTES);
    Ok(done)
}
