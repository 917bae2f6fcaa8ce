//! The three kinds of rings behind one face, for items that are numbers.

use std::io::{Read, Write};
use std::time::Duration;

use ringpipe::stream::{Fifo, Reader, Writer};
use ringpipe::{
    Error, Name, Options, PopError, PopTimeoutError, PushError, PushTimeoutError, RingKind, Role,
    Strategy, mpmc, spsc, stream,
};

use crate::judge::Trouble;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Spsc,
    Mpmc,
    Stream,
}

pub const KINDS: [Kind; 3] = [Kind::Spsc, Kind::Mpmc, Kind::Stream];

/// What a ring is made with, besides its kind.
#[derive(Clone, Copy, Debug)]
pub struct How {
    pub prefault: bool,
    pub lock: bool,
    pub huge: bool,
    pub given: bool,
}

pub const PLAIN: How = How {
    prefault: true,
    lock: false,
    huge: false,
    given: false,
};

#[derive(Debug)]
pub enum Ring {
    Spsc(spsc::Ring<u64>),
    Mpmc(mpmc::Ring<u64>),
    Stream(Fifo),
}

#[derive(Debug)]
pub enum End {
    SpscTx(spsc::Producer<u64>),
    SpscRx(spsc::Consumer<u64>),
    MpmcTx(mpmc::Producer<u64>),
    MpmcRx(mpmc::Consumer<u64>),
    Writer(Writer),
    Reader(Reader),
}

fn options<K: RingKind>(capacity: usize, how: How) -> Options<K> {
    let options = Options::new()
        .capacity(capacity)
        .prefault(how.prefault)
        .lock_memory(how.lock)
        .huge_pages(how.huge);
    if how.given {
        options.uid(0).gid(0).mode(0o640)
    } else {
        options
    }
}

impl Kind {
    /// How many items a ring of these holds.
    pub fn capacity(self) -> usize {
        match self {
            Self::Spsc | Self::Mpmc => 4,
            Self::Stream => stream::PIPE_BUF / 8,
        }
    }

    pub fn create(self, name: &Name, how: How) -> Result<Ring, Error> {
        let (name, capacity) = (name.clone(), self.capacity());
        Ok(match self {
            Self::Spsc => Ring::Spsc(options::<spsc::Kind>(capacity, how).create(name)?),
            Self::Mpmc => Ring::Mpmc(options::<mpmc::Kind>(capacity, how).create(name)?),
            Self::Stream => Ring::Stream(options::<stream::Kind>(8 * capacity, how).create(name)?),
        })
    }

    pub fn open(self, name: &Name) -> Result<Ring, Error> {
        let name = name.clone();
        Ok(match self {
            Self::Spsc => Ring::Spsc(spsc::Ring::open(name)?),
            Self::Mpmc => Ring::Mpmc(mpmc::Ring::open(name)?),
            Self::Stream => Ring::Stream(Fifo::open(name)?),
        })
    }

    pub fn open_or_create(self, name: &Name) -> Result<Ring, Error> {
        let name = name.clone();
        Ok(match self {
            Self::Spsc => Ring::Spsc(spsc::Ring::open_or_create(name, self.capacity())?),
            Self::Mpmc => Ring::Mpmc(mpmc::Ring::open_or_create(name, self.capacity())?),
            Self::Stream => Ring::Stream(Fifo::open_or_create(name)?),
        })
    }
}

impl Ring {
    /// Takes part, without waiting for anybody.
    pub fn join(&self, role: Role) -> Result<End, Error> {
        let mut end = match (self, role) {
            (Self::Spsc(ring), Role::Producer) => End::SpscTx(ring.producer()?),
            (Self::Spsc(ring), Role::Consumer) => End::SpscRx(ring.consumer()?),
            (Self::Mpmc(ring), Role::Producer) => End::MpmcTx(ring.producer()?),
            (Self::Mpmc(ring), Role::Consumer) => End::MpmcRx(ring.consumer()?),
            (Self::Stream(fifo), Role::Producer) => End::Writer(fifo.writer_nonblocking()?),
            (Self::Stream(fifo), Role::Consumer) => End::Reader(fifo.reader_nonblocking()?),
        };
        end.sleep_at_once();
        Ok(end)
    }

    /// The consumer comes first, since a stream's writer finds nobody else.
    pub fn both(&self) -> Result<(End, End), Error> {
        let rx = self.join(Role::Consumer)?;
        Ok((self.join(Role::Producer)?, rx))
    }

    pub fn id(&self) -> Name {
        let id = match self {
            Self::Spsc(ring) => ring.id(),
            Self::Mpmc(ring) => ring.id(),
            Self::Stream(fifo) => fifo.id(),
        };
        id.expect("it is in a segment")
    }

    pub fn is_removed(&self) -> bool {
        match self {
            Self::Spsc(ring) => ring.is_removed(),
            Self::Mpmc(ring) => ring.is_removed(),
            Self::Stream(fifo) => fifo.is_removed(),
        }
    }

    /// That it can be used.
    #[track_caller]
    pub fn try_out(&self) {
        let (mut tx, mut rx) = self.both().expect("nobody is there");
        for item in 0..3 {
            tx.push(item).expect("there is room");
        }
        for item in 0..3 {
            assert_eq!(rx.pop().expect("it was pushed"), item);
        }
    }
}

impl End {
    fn sleep_at_once(&mut self) {
        match self {
            Self::SpscTx(end) => end.set_strategy(Strategy::Sleep),
            Self::SpscRx(end) => end.set_strategy(Strategy::Sleep),
            Self::MpmcTx(end) => end.set_strategy(Strategy::Sleep),
            Self::MpmcRx(end) => end.set_strategy(Strategy::Sleep),
            Self::Writer(end) => {
                end.set_nonblocking(false);
                end.set_strategy(Strategy::Sleep);
            }
            Self::Reader(end) => {
                end.set_nonblocking(false);
                end.set_strategy(Strategy::Sleep);
            }
        }
    }

    pub fn set_interruptible(&mut self, interruptible: bool) {
        match self {
            Self::SpscTx(end) => end.set_interruptible(interruptible),
            Self::SpscRx(end) => end.set_interruptible(interruptible),
            Self::MpmcTx(end) => end.set_interruptible(interruptible),
            Self::MpmcRx(end) => end.set_interruptible(interruptible),
            Self::Writer(end) => end.set_interruptible(interruptible),
            Self::Reader(end) => end.set_interruptible(interruptible),
        }
    }

    /// Pushes an item; it comes back with what prevented it.
    pub fn push(&mut self, item: u64) -> Result<(), (u64, Trouble)> {
        match self {
            Self::SpscTx(end) => end.push(item).map_err(of_push),
            Self::MpmcTx(end) => end.push(item).map_err(of_push),
            Self::Writer(end) => written(end.write(&item.to_ne_bytes()), item),
            _ => panic!("a consumer pushes nothing"),
        }
    }

    pub fn push_timeout(&mut self, item: u64, time: Duration) -> Result<(), (u64, Trouble)> {
        match self {
            Self::SpscTx(end) => end.push_timeout(item, time).map_err(of_push_timeout),
            Self::MpmcTx(end) => end.push_timeout(item, time).map_err(of_push_timeout),
            Self::Writer(end) => {
                end.set_write_timeout(Some(time));
                let written = written(end.write(&item.to_ne_bytes()), item);
                end.set_write_timeout(None);
                written
            }
            _ => panic!("a consumer pushes nothing"),
        }
    }

    pub fn pop(&mut self) -> Result<u64, Trouble> {
        match self {
            Self::SpscRx(end) => end.pop().map_err(of_pop),
            Self::MpmcRx(end) => end.pop().map_err(of_pop),
            Self::Reader(end) => read(end),
            _ => panic!("a producer pops nothing"),
        }
    }

    pub fn pop_timeout(&mut self, time: Duration) -> Result<u64, Trouble> {
        match self {
            Self::SpscRx(end) => end.pop_timeout(time).map_err(of_pop_timeout),
            Self::MpmcRx(end) => end.pop_timeout(time).map_err(of_pop_timeout),
            Self::Reader(end) => {
                end.set_read_timeout(Some(time));
                let read = read(end);
                end.set_read_timeout(None);
                read
            }
            _ => panic!("a producer pops nothing"),
        }
    }

    /// Leaves, and tells of it.
    pub fn finish(self) -> Result<(), Trouble> {
        match self {
            Self::SpscTx(end) => end.finish()?,
            Self::SpscRx(end) => end.finish()?,
            Self::MpmcTx(end) => end.finish()?,
            Self::MpmcRx(end) => end.finish()?,
            Self::Writer(end) => end.close()?,
            Self::Reader(end) => end.close()?,
        }
        Ok(())
    }
}

fn written(written: std::io::Result<usize>, item: u64) -> Result<(), (u64, Trouble)> {
    match written {
        Ok(8) => Ok(()),
        Ok(n) => panic!("{n} bytes of 8 were written"),
        Err(error) => Err((item, of_wait(error))),
    }
}

fn read(end: &mut Reader) -> Result<u64, Trouble> {
    let mut bytes = [0; 8];
    match end.read(&mut bytes).map_err(of_wait)? {
        8 => Ok(u64::from_ne_bytes(bytes)),
        0 => Err(Trouble::Disconnected),
        n => panic!("{n} bytes of 8 were read"),
    }
}

fn of_wait(error: std::io::Error) -> Trouble {
    match error.raw_os_error() {
        Some(libc::EINTR) => Trouble::Interrupted,
        _ => error.into(),
    }
}

fn of_push(error: PushError<u64>) -> (u64, Trouble) {
    match error {
        PushError::Disconnected(item) => (item, Trouble::Disconnected),
        PushError::Interrupted(item) => (item, Trouble::Interrupted),
        PushError::Fault(item, fault) => (item, fault.into()),
    }
}

fn of_push_timeout(error: PushTimeoutError<u64>) -> (u64, Trouble) {
    match error {
        PushTimeoutError::Timeout(item) => (item, Trouble::Timeout),
        PushTimeoutError::Disconnected(item) => (item, Trouble::Disconnected),
        PushTimeoutError::Interrupted(item) => (item, Trouble::Interrupted),
        PushTimeoutError::Fault(item, fault) => (item, fault.into()),
    }
}

fn of_pop(error: PopError) -> Trouble {
    match error {
        PopError::Disconnected => Trouble::Disconnected,
        PopError::Interrupted => Trouble::Interrupted,
        PopError::Fault(fault) => fault.into(),
    }
}

fn of_pop_timeout(error: PopTimeoutError) -> Trouble {
    match error {
        PopTimeoutError::Timeout => Trouble::Timeout,
        PopTimeoutError::Disconnected => Trouble::Disconnected,
        PopTimeoutError::Interrupted => Trouble::Interrupted,
        PopTimeoutError::Fault(fault) => fault.into(),
    }
}
