//! The kinds of rings with some handles each, and every operation of them under a number. No operation waits: what has a deadline
//! has one that has passed.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, IoSlice, IoSliceMut, Read, Write};
use std::time::Duration;

use crate::memory::{Facts, Region};
use crate::options::RingKind;
use crate::parking::Local;
use crate::ring::many::frontier;
use crate::ring::many::outside;
use crate::sync::Arc;
use crate::{DeadConsumer, Item, PeerLoss, Strategy, mpmc, spsc, stream};

const AT_ONCE: Duration = Duration::ZERO;
/// Handles of each role, where roles are shared.
const HANDLES: usize = 3;

/// A ring that was opened, and who takes part in it.
pub(super) trait Subject: Sized {
    type Kind: RingKind;
    type Item: Item;
    /// The smallest capacity that is made.
    const LEAST: usize;

    fn open(region: Arc<Region>, facts: &Facts, parking: Arc<Local>) -> Option<Self>;
    /// Goes on with what was opened anew; the handles stay.
    fn reopened(&mut self, other: Self);
    fn step(&mut self, operation: u8, one: u8, two: u8);
}

fn strategy(n: u8) -> Strategy {
    match n % 4 {
        0 => Strategy::SpinThenSleep,
        1 => Strategy::Spin,
        _ => Strategy::Sleep,
    }
}

fn peer_loss(n: u8) -> PeerLoss {
    match n % 2 {
        0 => PeerLoss::Disconnect,
        _ => PeerLoss::Wait,
    }
}

fn items<T: Item>(n: u8) -> Vec<T> {
    vec![T::new_zeroed(); usize::from(n % 48)]
}

/// For operations of which any outcome is right that is one.
fn ignore<R>(_: R) {}

/// A ring with one producer and one consumer.
pub(super) struct Pair<T: Item> {
    ring: spsc::Ring<T>,
    tx: Option<spsc::Producer<T>>,
    rx: Option<spsc::Consumer<T>>,
}

impl<T: Item> Subject for Pair<T> {
    type Kind = spsc::Kind;
    type Item = T;
    const LEAST: usize = 1;

    fn open(region: Arc<Region>, facts: &Facts, parking: Arc<Local>) -> Option<Self> {
        let ring = spsc::Ring::in_region(region, facts, parking);
        let (tx, rx) = (ring.producer().ok(), ring.consumer().ok());
        Some(Self { ring, tx, rx })
    }

    fn reopened(&mut self, other: Self) {
        self.ring = other.ring;
    }

    fn step(&mut self, operation: u8, one: u8, two: u8) {
        match operation % 16 {
            0 => self.attach_producer(one),
            1 => self.attach_consumer(one),
            2 => match self.tx.take() {
                Some(tx) if one.is_multiple_of(2) => tx.abandon(),
                tx => drop(tx),
            },
            3 => self.rx = None,
            n @ 4..9 => self.push(n, one, two),
            n @ 9..14 => self.pop(n, one, two),
            _ => self.ask(),
        }
    }
}

impl<T: Item> Pair<T> {
    fn attach_producer(&mut self, ways: u8) {
        self.tx = None;
        self.tx = self.ring.producer().ok();
        if let Some(tx) = &mut self.tx {
            tx.set_strategy(strategy(ways));
            tx.set_peer_loss(peer_loss(ways / 4));
        }
    }

    fn attach_consumer(&mut self, ways: u8) {
        self.rx = None;
        self.rx = self.ring.consumer().ok();
        if let Some(rx) = &mut self.rx {
            rx.set_strategy(strategy(ways));
            rx.set_peer_loss(peer_loss(ways / 4));
        }
    }

    fn push(&mut self, operation: u8, one: u8, two: u8) {
        let Some(tx) = &mut self.tx else {
            return;
        };
        let room = match operation {
            4 => return ignore(tx.try_push(T::new_zeroed())),
            5 => {
                let items = items(one);
                let pushed = tx.try_push_slice(&items);
                return assert!(pushed.is_err() || pushed.is_ok_and(|n| n <= items.len()));
            }
            6 => return ignore(tx.push_timeout(T::new_zeroed(), AT_ONCE)),
            7 => tx.try_reserve(one.into()).ok(),
            _ => tx.reserve_timeout(one.into(), AT_ONCE).ok(),
        };
        if let Some(mut room) = room {
            room.write(&items(two));
            room.as_mut_slices().0.fill(T::new_zeroed());
            room.as_mut_slices().1.fill(T::new_zeroed());
            let n = room.len().min(two.into());
            room.commit(n);
        }
    }

    fn pop(&mut self, operation: u8, one: u8, two: u8) {
        let Some(rx) = &mut self.rx else {
            return;
        };
        let shown = match operation {
            9 => return ignore(rx.try_pop()),
            10 => {
                let mut items = items::<T>(one);
                let popped = rx.try_pop_slice(&mut items);
                return assert!(popped.is_err() || popped.is_ok_and(|n| n <= items.len()));
            }
            11 => return ignore(rx.pop_timeout(AT_ONCE)),
            12 => rx.try_peek(one.into()).ok(),
            _ => rx.peek_timeout(one.into(), AT_ONCE).ok(),
        };
        if let Some(shown) = shown {
            assert_eq!(shown.iter().count(), shown.len());
            let n = shown.len().min(two.into());
            shown.release(n);
        }
    }

    fn ask(&self) {
        assert!(self.ring.len() <= self.ring.capacity());
        if let Some(tx) = &self.tx {
            let _ = (tx.peer(), tx.is_disconnected(), tx.len());
        }
        if let Some(rx) = &self.rx {
            let _ = (rx.peer(), rx.is_disconnected(), rx.len());
        }
    }
}

/// A ring whose roles are shared.
pub(super) struct Warehouse {
    ring: mpmc::Ring<u32>,
    /// What is told of it from outside.
    board: crate::memory::Board,
    txs: [Option<mpmc::Producer<u32>>; HANDLES],
    rxs: [Option<mpmc::Consumer<u32>>; HANDLES],
}

impl Subject for Warehouse {
    type Kind = mpmc::Kind;
    type Item = u32;
    const LEAST: usize = 1;

    fn open(region: Arc<Region>, facts: &Facts, parking: Arc<Local>) -> Option<Self> {
        let participants = facts.crew.participants;
        let ring = mpmc::Ring::in_region(Arc::clone(&region), facts, parking).ok()?;
        let board = crate::memory::Board::fitting(region, participants, facts.capacity)?;
        let (txs, rxs) = ([const { None }; HANDLES], [const { None }; HANDLES]);
        let mut opened = Self {
            ring,
            board,
            txs,
            rxs,
        };
        opened.step(0, 0, 2);
        opened.step(1, 0, 2);
        Some(opened)
    }

    fn reopened(&mut self, other: Self) {
        (self.ring, self.board) = (other.ring, other.board);
    }

    fn step(&mut self, operation: u8, one: u8, two: u8) {
        let who = usize::from(one) % HANDLES;
        match operation % 16 {
            0 => self.join_producer(who, two),
            1 => self.join_consumer(who, two),
            2 => match self.txs[who].take() {
                Some(tx) if two.is_multiple_of(2) => tx.abandon(),
                tx => drop(tx),
            },
            3 => match self.rxs[who].take() {
                Some(rx) if two.is_multiple_of(2) => rx.abandon(),
                rx => drop(rx),
            },
            n @ 4..9 => self.push(who, n, one / 3, two),
            n @ 9..14 => self.pop(who, n, one / 3, two),
            _ => self.ask(who),
        }
    }
}

impl Warehouse {
    fn join_producer(&mut self, who: usize, ways: u8) {
        self.txs[who] = None;
        self.txs[who] = self.ring.producer().ok();
        if let Some(tx) = &mut self.txs[who] {
            tx.set_strategy(strategy(ways));
            tx.set_peer_loss(peer_loss(ways / 4));
        }
    }

    fn join_consumer(&mut self, who: usize, ways: u8) {
        self.rxs[who] = None;
        self.rxs[who] = self.ring.consumer().ok();
        if let Some(rx) = &mut self.rxs[who] {
            rx.set_strategy(strategy(ways));
            rx.set_peer_loss(peer_loss(ways / 4));
        }
    }

    fn push(&mut self, who: usize, operation: u8, one: u8, two: u8) {
        let Some(tx) = &mut self.txs[who] else {
            return;
        };
        let room = match operation {
            4 => return ignore(tx.try_push(7)),
            5 => {
                let items = items(one);
                let pushed = tx.try_push_slice(&items);
                return assert!(pushed.is_err() || pushed.is_ok_and(|n| n <= items.len()));
            }
            6 => return ignore(tx.push_timeout(7, AT_ONCE)),
            7 => tx.try_reserve(one.into()).ok(),
            _ => tx.reserve_timeout(one.into(), AT_ONCE).ok(),
        };
        if let Some(mut room) = room {
            room.write(&items(two));
            room.as_mut_slices().0.fill(1);
            room.as_mut_slices().1.fill(2);
            match two % 4 {
                0 => std::mem::forget(room), // as who is about to be killed
                1 => drop(room),
                _ => {
                    let n = room.len().min(usize::from(two / 4));
                    room.commit(n);
                }
            }
        }
    }

    fn pop(&mut self, who: usize, operation: u8, one: u8, two: u8) {
        let Some(rx) = &mut self.rxs[who] else {
            return;
        };
        let claim = match operation {
            9 => return ignore(rx.try_pop()),
            10 => {
                let mut items = items(one);
                let popped = rx.try_pop_slice(&mut items);
                return assert!(popped.is_err() || popped.is_ok_and(|n| n <= items.len()));
            }
            11 => return ignore(rx.pop_timeout(AT_ONCE)),
            12 => rx.try_claim(one.into()).ok(),
            _ => rx.claim_timeout(one.into(), AT_ONCE).ok(),
        };
        if let Some(mut claim) = claim {
            assert_eq!(claim.iter().count(), claim.len());
            match two % 8 {
                0 | 1 => std::mem::forget(claim),
                2 => claim.put_back(),
                3 => {
                    claim.set_on_drop(mpmc::OnDrop::Release);
                    drop(claim);
                }
                _ => {
                    let n = claim.len().min(usize::from(two / 8));
                    claim.release(n);
                }
            }
        }
    }

    fn ask(&self, who: usize) {
        assert!(self.ring.len() <= self.ring.capacity());
        let seen = outside::participants(&self.board);
        assert!(seen.len() <= self.ring.participant_limit());
        for policy in [DeadConsumer::Drop, DeadConsumer::Redeliver] {
            outside::is_empty(&self.board, policy);
        }
        let _ = frontier::both(&self.board);
        if let Some(tx) = &self.txs[who] {
            let _ = (tx.peers(), tx.is_disconnected(), tx.len());
        }
        if let Some(rx) = &self.rxs[who] {
            let _ = (rx.peers(), rx.is_disconnected(), rx.redelivered());
        }
    }
}

/// A stream.
pub(super) struct Pipes {
    fifo: stream::Fifo,
    writers: [Option<stream::Writer>; HANDLES],
    readers: [Option<stream::Reader>; HANDLES],
}

impl Subject for Pipes {
    type Kind = stream::Kind;
    type Item = u8;
    const LEAST: usize = stream::PIPE_BUF;

    fn open(region: Arc<Region>, facts: &Facts, parking: Arc<Local>) -> Option<Self> {
        let fifo = stream::Fifo::in_region(region, facts, parking).ok()?;
        let (writers, readers) = ([const { None }; HANDLES], [const { None }; HANDLES]);
        let mut opened = Self {
            fifo,
            writers,
            readers,
        };
        opened.step(2, 0, 2);
        Some(opened)
    }

    fn reopened(&mut self, other: Self) {
        self.fifo = other.fifo;
    }

    fn step(&mut self, operation: u8, one: u8, two: u8) {
        let who = usize::from(one) % HANDLES;
        let n = usize::from(two) * 33;
        match operation % 16 {
            0 => self.open_writer(who, two),
            1 => self.open_reader(who, two),
            2 => self.open_both(who),
            3 => match self.writers[who].take() {
                Some(writer) if two.is_multiple_of(2) => writer.abandon(),
                writer => drop(writer),
            },
            4 => match self.readers[who].take() {
                Some(reader) if two.is_multiple_of(2) => reader.abandon(),
                reader => drop(reader),
            },
            number @ 5..10 => self.write(who, number, n),
            number @ 10..15 => self.read(who, number, n),
            _ => self.ask(who, one / 3, two),
        }
    }
}

impl Pipes {
    fn open_writer(&mut self, who: usize, how: u8) {
        let from = self.writers[usize::from(how / 4) % HANDLES].as_ref();
        let opened = match (how % 4, from) {
            (0, _) => self.fifo.writer_nonblocking(),
            (1, Some(writer)) => writer.try_clone(),
            _ => self.fifo.writer_timeout(AT_ONCE),
        };
        if let Ok(mut writer) = opened {
            writer.set_strategy(strategy(how));
            writer.set_write_timeout(Some(AT_ONCE));
            self.writers[who] = Some(writer);
        }
    }

    fn open_reader(&mut self, who: usize, how: u8) {
        let from = self.readers[usize::from(how / 4) % HANDLES].as_ref();
        let opened = match (how % 4, from) {
            (0, _) => self.fifo.reader_nonblocking(),
            (1, Some(reader)) => reader.try_clone(),
            _ => self.fifo.reader_timeout(AT_ONCE),
        };
        if let Ok(mut reader) = opened {
            reader.set_strategy(strategy(how));
            reader.set_read_timeout(Some(AT_ONCE));
            self.readers[who] = Some(reader);
        }
    }

    fn open_both(&mut self, who: usize) {
        if let Ok((writer, reader)) = self.fifo.both() {
            writer.set_write_timeout(Some(AT_ONCE));
            reader.set_read_timeout(Some(AT_ONCE));
            (self.writers[who], self.readers[who]) = (Some(writer), Some(reader));
        }
    }

    fn write(&mut self, who: usize, operation: u8, n: usize) {
        let Some(writer) = &mut self.writers[who] else {
            return;
        };
        let bytes = vec![7; n];
        match operation {
            5 | 6 => assert!(!writer.write(&bytes).is_ok_and(|written| written > n)),
            7 => {
                let (first, second) = bytes.split_at(n / 3);
                let parts = [IoSlice::new(first), IoSlice::new(second)];
                let _ = writer.write_vectored(&parts);
            }
            8 => {
                if let Ok(mut room) = writer.reserve(n) {
                    room.as_mut_slices().0.fill(8);
                    room.as_mut_slices().1.fill(9);
                    match n % 4 {
                        0 => std::mem::forget(room),
                        _ => {
                            let n = room.len() / 2;
                            room.commit(n);
                        }
                    }
                }
            }
            _ => {
                let zeroes = File::open("/dev/zero").expect("a device");
                let _ = writer.copy_from_fd(zeroes, n);
            }
        }
    }

    fn read(&mut self, who: usize, operation: u8, n: usize) {
        let Some(reader) = &mut self.readers[who] else {
            return;
        };
        let mut bytes = vec![0; n];
        match operation {
            10 | 11 => assert!(!reader.read(&mut bytes).is_ok_and(|read| read > n)),
            12 => {
                let (first, second) = bytes.split_at_mut(n / 3);
                let mut parts = [IoSliceMut::new(first), IoSliceMut::new(second)];
                let _ = reader.read_vectored(&mut parts);
            }
            13 => {
                if let Ok(shown) = reader.fill_buf() {
                    let n = shown.len().min(n);
                    let sum: u32 = shown.iter().copied().map(u32::from).sum();
                    std::hint::black_box(sum);
                    if !n.is_multiple_of(4) {
                        reader.consume(n);
                    }
                }
            }
            _ => {
                let nothing = OpenOptions::new().write(true).open("/dev/null");
                let _ = reader.copy_to_fd(nothing.expect("a device"), n);
            }
        }
    }

    fn ask(&mut self, who: usize, one: u8, two: u8) {
        assert!(self.fifo.available() <= self.fifo.capacity());
        if let Some(writer) = &mut self.writers[who] {
            writer.set_nonblocking(two.is_multiple_of(2));
            let _ = (writer.readers(), writer.readiness());
            if one.is_multiple_of(2) {
                let _ = writer.wait_writable(Some(AT_ONCE));
            }
        }
        if let Some(reader) = &mut self.readers[who] {
            reader.set_nonblocking(two.is_multiple_of(2));
            let _ = (reader.writers(), reader.readiness());
            if one.is_multiple_of(2) {
                let _ = reader.wait_readable(Some(AT_ONCE));
            }
        }
    }
}
