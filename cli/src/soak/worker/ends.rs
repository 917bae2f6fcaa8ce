//! The handles of all kinds of rings behind one face.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use ringpipe::stream::{self, Reader, Writer};
use ringpipe::{Error, Fault, PeerLoss, PopError, PushError, Strategy, mpmc, spsc};
use zerocopy::IntoBytes;

use super::{Role, Stop, Worker, failed};
use crate::soak::cell::{BYTES, Cell};
use crate::soak::dice::Dice;
use crate::soak::plan::Kind;

/// What rings and workers must agree in.
pub(in crate::soak) fn type_name() -> &'static str {
    "ringpipe soak"
}

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

fn spsc(path: &Path) -> Result<spsc::Ring<Cell>, Error> {
    spsc::Options::new().type_name(type_name()).open(path)
}

fn mpmc(path: &Path) -> Result<mpmc::Ring<Cell>, Error> {
    mpmc::Options::new().type_name(type_name()).open(path)
}

fn fifo(path: &Path) -> Result<stream::Fifo, Error> {
    let fifo = stream::Options::new().type_name(type_name()).open(path)?;
    Ok(fifo.interruptible(true))
}

impl Worker {
    pub(super) fn open_only(&self) -> Result<(), Error> {
        let path = &self.task.ring;
        match self.task.kind {
            Kind::Spsc => spsc(path).map(drop),
            Kind::Mpmc => mpmc(path).map(drop),
            Kind::Stream => fifo(path).map(drop),
        }
    }

    /// Takes part; and whether it is told when its peers are gone.
    pub(super) fn pusher(&mut self) -> Result<(Pusher, bool), Stop> {
        debug_assert_eq!(self.task.role, Role::Producer);
        let path = self.task.ring.clone();
        let (strategy, loss) = ways(&mut self.dice);
        let hears = self.task.kind == Kind::Stream || loss == PeerLoss::Disconnect;
        let end = match self.task.kind {
            Kind::Spsc => {
                let mut tx = spsc(&path)
                    .and_then(|ring| ring.producer())
                    .map_err(not_open)?;
                tx.set_strategy(strategy);
                tx.set_peer_loss(loss);
                tx.set_interruptible(true);
                Pusher::Spsc(tx)
            }
            Kind::Mpmc => {
                let mut tx = mpmc(&path)
                    .and_then(|ring| ring.producer())
                    .map_err(not_open)?;
                tx.set_strategy(strategy);
                tx.set_peer_loss(loss);
                tx.set_interruptible(true);
                Pusher::Mpmc(tx)
            }
            Kind::Stream => {
                let mut tx = self.meet(stream::Fifo::writer)?;
                tx.set_strategy(strategy);
                tx.set_inheritable(self.dice.one_in(2));
                Pusher::Stream(tx)
            }
        };
        Ok((end, hears))
    }

    /// The same for the other role.
    pub(super) fn taker(&mut self) -> Result<(Taker, bool), Stop> {
        let path = self.task.ring.clone();
        let (strategy, loss) = ways(&mut self.dice);
        let hears = self.task.kind == Kind::Stream || loss == PeerLoss::Disconnect;
        let end = match self.task.kind {
            Kind::Spsc => {
                let mut rx = spsc(&path)
                    .and_then(|ring| ring.consumer())
                    .map_err(not_open)?;
                rx.set_strategy(strategy);
                rx.set_peer_loss(loss);
                rx.set_interruptible(true);
                Taker::Spsc(rx)
            }
            Kind::Mpmc => {
                let mut rx = mpmc(&path)
                    .and_then(|ring| ring.consumer())
                    .map_err(not_open)?;
                rx.set_strategy(strategy);
                rx.set_peer_loss(loss);
                rx.set_interruptible(true);
                Taker::Mpmc(rx)
            }
            Kind::Stream => {
                let mut rx = self.meet(stream::Fifo::reader)?;
                rx.set_strategy(strategy);
                rx.set_inheritable(self.dice.one_in(2));
                Taker::Stream(rx)
            }
        };
        Ok((end, hears))
    }

    /// Opens an end of a stream, also if a signal comes meanwhile.
    fn meet<T>(&self, open: impl Fn(&stream::Fifo) -> Result<T, Error>) -> Result<T, Stop> {
        let fifo = fifo(&self.task.ring).map_err(not_open)?;
        loop {
            match open(&fifo) {
                Err(Error::Interrupted) => {}
                opened => return opened.map_err(not_open),
            }
        }
    }
}

fn ways(dice: &mut Dice) -> (Strategy, PeerLoss) {
    let strategy = dice.pick(&[Strategy::Sleep, Strategy::SpinThenSleep]);
    (strategy, dice.pick(&[PeerLoss::Wait, PeerLoss::Disconnect]))
}

fn not_open(error: Error) -> Stop {
    match error {
        Error::Removed => Stop::Removed,
        error => failed(error),
    }
}

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
    /// Whether so many are pushed all at once or not at all, in place or not.
    pub(super) fn is_whole(&self, count: usize, in_place: bool) -> bool {
        match self {
            Self::Spsc(_) => in_place || count == 1,
            Self::Mpmc(_) => true,
            Self::Stream(_) => count * BYTES <= stream::PIPE_BUF,
        }
    }

    /// Pushes them, in place if that is wanted; how many, and why not all.
    pub(super) fn push(&mut self, cells: &[Cell], in_place: bool) -> (usize, Option<Stop>) {
        let outcome = match self {
            Self::Spsc(tx) if in_place => {
                tx.reserve(cells.len()).map_err(of_push).map(|mut room| {
                    room.write(cells);
                    room.commit_written();
                })
            }
            Self::Mpmc(tx) if in_place => {
                tx.reserve(cells.len()).map_err(of_push).map(|mut room| {
                    room.write(cells);
                    room.commit_written();
                })
            }
            Self::Spsc(tx) => match tx.push_slice(cells) {
                Ok(()) => Ok(()),
                Err(error) => return (error.pushed, Some(of_push(error.cause))),
            },
            Self::Mpmc(tx) => match tx.push_slice(cells) {
                Ok(()) => Ok(()),
                Err(error) => return (error.pushed, Some(of_push(error.cause))),
            },
            Self::Stream(tx) => return write(tx, cells.as_bytes()),
        };
        match outcome {
            Ok(()) => (cells.len(), None),
            Err(stop) => (0, Some(stop)),
        }
    }

    pub(super) fn finish(self) -> Result<(), Stop> {
        match self {
            Self::Spsc(tx) => tx.finish().map_err(of_fault),
            Self::Mpmc(tx) => tx.finish().map_err(of_fault),
            Self::Stream(tx) => tx.close().map_err(of_io),
        }
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
