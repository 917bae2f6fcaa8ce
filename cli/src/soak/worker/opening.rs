//! How workers take part.

use std::path::Path;

use ringpipe::{Error, PeerLoss, Strategy, mpmc, spsc, stream};

use super::ends::{Pusher, Taker};
use super::{Stop, Worker, failed};
use crate::soak::cell::Cell;
use crate::soak::plan::Kind;

/// What rings and workers must agree in.
pub(in crate::soak) fn type_name() -> &'static str {
    "ringpipe soak"
}

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

/// How a worker waits.
#[derive(Clone, Copy)]
struct Ways {
    strategy: Strategy,
    loss: PeerLoss,
    /// Of a stream's end.
    inheritable: bool,
}

impl Ways {
    /// Whether it is told when its peers are gone.
    fn hears(self, kind: Kind) -> bool {
        kind == Kind::Stream || self.loss == PeerLoss::Disconnect
    }
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

    fn ways(&mut self) -> Ways {
        let dice = &mut self.dice;
        Ways {
            strategy: dice.pick(&[Strategy::Sleep, Strategy::SpinThenSleep]),
            loss: dice.pick(&[PeerLoss::Wait, PeerLoss::Disconnect]),
            inheritable: dice.one_in(2),
        }
    }

    /// Takes part as a producer; and whether it is told when its peers are gone.
    pub(super) fn pusher(&mut self) -> Result<(Pusher, bool), Stop> {
        let ways = self.ways();
        let path = &self.task.ring;
        let end = match self.task.kind {
            Kind::Spsc => Pusher::Spsc(spsc_producer(path, ways).map_err(not_open)?),
            Kind::Mpmc => Pusher::Mpmc(mpmc_producer(path, ways).map_err(not_open)?),
            Kind::Stream => {
                let mut tx = self.meet(stream::Fifo::writer)?;
                tx.set_strategy(ways.strategy);
                tx.set_inheritable(ways.inheritable);
                Pusher::Stream(tx)
            }
        };
        Ok((end, ways.hears(self.task.kind)))
    }

    /// The same as a consumer.
    pub(super) fn taker(&mut self) -> Result<(Taker, bool), Stop> {
        let ways = self.ways();
        let path = &self.task.ring;
        let end = match self.task.kind {
            Kind::Spsc => Taker::Spsc(spsc_consumer(path, ways).map_err(not_open)?),
            Kind::Mpmc => Taker::Mpmc(mpmc_consumer(path, ways).map_err(not_open)?),
            Kind::Stream => {
                let mut rx = self.meet(stream::Fifo::reader)?;
                rx.set_strategy(ways.strategy);
                rx.set_inheritable(ways.inheritable);
                Taker::Stream(rx)
            }
        };
        Ok((end, ways.hears(self.task.kind)))
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

fn not_open(error: Error) -> Stop {
    match error {
        Error::Removed => Stop::Removed,
        error => failed(error),
    }
}

fn spsc_producer(path: &Path, ways: Ways) -> Result<spsc::Producer<Cell>, Error> {
    let mut tx = spsc(path)?.producer()?;
    tx.set_strategy(ways.strategy);
    tx.set_peer_loss(ways.loss);
    tx.set_interruptible(true);
    Ok(tx)
}

fn spsc_consumer(path: &Path, ways: Ways) -> Result<spsc::Consumer<Cell>, Error> {
    let mut rx = spsc(path)?.consumer()?;
    rx.set_strategy(ways.strategy);
    rx.set_peer_loss(ways.loss);
    rx.set_interruptible(true);
    Ok(rx)
}

fn mpmc_producer(path: &Path, ways: Ways) -> Result<mpmc::Producer<Cell>, Error> {
    let mut tx = mpmc(path)?.producer()?;
    tx.set_strategy(ways.strategy);
    tx.set_peer_loss(ways.loss);
    tx.set_interruptible(true);
    Ok(tx)
}

fn mpmc_consumer(path: &Path, ways: Ways) -> Result<mpmc::Consumer<Cell>, Error> {
    let mut rx = mpmc(path)?.consumer()?;
    rx.set_strategy(ways.strategy);
    rx.set_peer_loss(ways.loss);
    rx.set_interruptible(true);
    Ok(rx)
}
