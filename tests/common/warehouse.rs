//! Scripts of operations on several handles of a shared ring, beside a model of its slots: both must answer alike.
//!
//! Claims and rooms stay open while other handles are at work; and participants leave, or end as a death does, with something in
//! hand or without.

use ringpipe::mpmc::{Claim, Consumer, OnDrop, Options, Producer, Ring};
use ringpipe::{DeadConsumer, PeerLoss, TryPopError, TryPushError};

use super::slots::{Model, Run, Slot};

/// Handles of each role.
pub const HANDLES: usize = 3;
/// How deep in each other's guards steps are read from bytes.
const DEPTH: usize = 4;

/// What happens to a claim in the end.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Release(usize),
    PutBack,
    Drop,
    DropReleased,
    /// The guard is forgotten; the handle puts back what it had, at its next claim or end.
    Forget,
}

#[derive(Clone, Debug)]
pub enum Step {
    Push(usize),
    PushSlice(usize, usize),
    Reserve {
        who: usize,
        room: usize,
        commit: Option<usize>,
        meanwhile: Vec<Step>,
    },
    Pop(usize),
    PopSlice(usize, usize),
    Claim {
        who: usize,
        items: usize,
        end: End,
        meanwhile: Vec<Step>,
    },
    NewProducer(usize),
    NewConsumer(usize),
    /// Ends as a death does, with whatever a forgotten guard has in hand; another comes and clears up.
    AbandonProducer(usize),
    AbandonConsumer(usize),
}

/// Any bytes are a script.
pub fn run_bytes(bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let [shape, capacity] = [(); 2].map(|()| bytes.next().unwrap_or(0));
    let policy = match shape % 2 {
        0 => DeadConsumer::Redeliver,
        _ => DeadConsumer::Drop,
    };
    let options = Options::new().participants(8).dead_consumer(policy);
    let options = options.capacity(usize::from(capacity % 12) + 1);
    let mut bench = Bench::new(options.in_process().unwrap());
    bench.run(&steps(&mut bytes, DEPTH));
    bench.finish();
}

/// Reads steps up to the end, or to where what goes on within a guard is said to be over.
fn steps(bytes: &mut impl Iterator<Item = u8>, depth: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    while let (Some(kind), Some(one)) = (bytes.next(), bytes.next()) {
        let (who, n) = (usize::from(one) % HANDLES, usize::from(one) / HANDLES % 14);
        steps.push(match kind % 16 {
            0 | 1 => Step::Push(who),
            2 | 3 => Step::PushSlice(who, n),
            4 | 5 => Step::Pop(who),
            6 | 7 => Step::PopSlice(who, n),
            8 => Step::NewProducer(who),
            9 => Step::NewConsumer(who),
            10 => Step::AbandonProducer(who),
            11 => Step::AbandonConsumer(who),
            12 if depth > 0 => Step::Reserve {
                who,
                room: n,
                commit: bytes
                    .next()
                    .filter(|n| *n < 200)
                    .map(|n| usize::from(n) % 14),
                meanwhile: self::steps(bytes, depth - 1),
            },
            13 if depth > 0 => Step::Claim {
                who,
                items: n,
                end: End::of_byte(bytes.next().unwrap_or(0)),
                meanwhile: self::steps(bytes, depth - 1),
            },
            _ if depth < DEPTH => break,
            _ => Step::Pop(who),
        });
    }
    steps
}

impl End {
    fn of_byte(byte: u8) -> Self {
        match byte % 8 {
            0..4 => Self::Release(usize::from(byte / 8) % 14),
            4 => Self::PutBack,
            5 => Self::Drop,
            6 => Self::DropReleased,
            _ => Self::Forget,
        }
    }
}

/// A handle, unless a guard of it is open; and what a forgotten guard of it had.
#[derive(Debug)]
struct Kept<H> {
    handle: Option<H>,
    forgotten: Option<Run>,
}

/// A ring with its handles beside the model.
#[derive(Debug)]
pub struct Bench {
    ring: Ring<u32>,
    txs: Vec<Kept<Producer<u32>>>,
    rxs: Vec<Kept<Consumer<u32>>>,
    model: Model,
    next: u32,
}

fn producer(ring: &Ring<u32>) -> Kept<Producer<u32>> {
    let mut tx = ring.producer().unwrap();
    tx.set_peer_loss(PeerLoss::Wait);
    Kept {
        handle: Some(tx),
        forgotten: None,
    }
}

fn consumer(ring: &Ring<u32>) -> Kept<Consumer<u32>> {
    let mut rx = ring.consumer().unwrap();
    rx.set_peer_loss(PeerLoss::Wait);
    Kept {
        handle: Some(rx),
        forgotten: None,
    }
}

impl Bench {
    pub fn new(ring: Ring<u32>) -> Self {
        let model = Model::new(ring.capacity());
        let txs = (0..HANDLES).map(|_| producer(&ring)).collect();
        let rxs = (0..HANDLES).map(|_| consumer(&ring)).collect();
        Self {
            ring,
            txs,
            rxs,
            model,
            next: 1,
        }
    }

    /// The next `n` items to push.
    fn fresh(&mut self, n: usize) -> Vec<u32> {
        self.next += n as u32;
        (self.next - n as u32..self.next).collect()
    }

    pub fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Push(who) => self.push(*who, None),
                Step::PushSlice(who, n) => self.push(*who, Some(*n)),
                Step::Reserve {
                    who,
                    room,
                    commit,
                    meanwhile,
                } => {
                    self.reserve(*who, *room, *commit, meanwhile);
                }
                Step::Pop(who) => self.pop(*who, None),
                Step::PopSlice(who, n) => self.pop(*who, Some(*n)),
                Step::Claim {
                    who,
                    items,
                    end,
                    meanwhile,
                } => {
                    self.claim(*who, *items, *end, meanwhile);
                }
                Step::NewProducer(who) => self.new_producer(*who),
                Step::NewConsumer(who) => self.new_consumer(*who),
                Step::AbandonProducer(who) => self.abandon_producer(*who),
                Step::AbandonConsumer(who) => self.abandon_consumer(*who),
            }
            assert!(self.model.len().is_none_or(|len| self.ring.len() == len));
        }
    }

    /// Takes a producer to work with, unless a guard of it is open.
    fn take_tx(&mut self, who: usize) -> Option<Producer<u32>> {
        let tx = self.txs[who].handle.take()?;
        if let Some(run) = self.txs[who].forgotten.take() {
            self.model.commit(&run, &[]);
        }
        Some(tx)
    }

    fn take_rx(&mut self, who: usize) -> Option<Consumer<u32>> {
        let rx = self.rxs[who].handle.take()?;
        if let Some(run) = self.rxs[who].forgotten.take() {
            self.model.release(run, 0);
        }
        Some(rx)
    }

    fn push(&mut self, who: usize, slice: Option<usize>) {
        let Some(mut tx) = (slice != Some(0)).then(|| self.take_tx(who)).flatten() else {
            return;
        };
        let items = self.fresh(slice.unwrap_or(1));
        let count = match slice {
            Some(_) => tx.try_push_slice(&items).unwrap(),
            None => match tx.try_push(items[0]) {
                Ok(()) => 1,
                Err(error) => {
                    assert_eq!(error, TryPushError::Full(items[0]));
                    0
                }
            },
        };
        assert_eq!(count, self.model.push(&items));
        self.txs[who].handle = Some(tx);
    }

    fn reserve(&mut self, who: usize, room: usize, commit: Option<usize>, meanwhile: &[Step]) {
        let Some(mut tx) = self.take_tx(who) else {
            return;
        };
        let run = self.model.reserve(room.max(1));
        match tx.try_reserve(room) {
            Err(error) => assert_eq!((error, run.items.len()), (TryPushError::Full(()), 0)),
            Ok(mut got) => {
                assert_eq!(got.len(), run.items.len());
                let items = self.fresh(commit.unwrap_or(0).min(got.len()));
                self.run(meanwhile);
                assert_eq!(got.write(&items), items.len());
                if commit.is_some() {
                    got.commit_written();
                    self.model.commit(&run, &items);
                } else {
                    std::mem::forget(got);
                    self.txs[who].forgotten = Some(run);
                }
            }
        }
        self.txs[who].handle = Some(tx);
    }

    fn pop(&mut self, who: usize, slice: Option<usize>) {
        let Some(mut rx) = (slice != Some(0)).then(|| self.take_rx(who)).flatten() else {
            return;
        };
        let mut into = vec![0; slice.unwrap_or(1)];
        let count = match slice {
            Some(_) => rx.try_pop_slice(&mut into).unwrap(),
            None => match rx.try_pop() {
                Ok(item) => {
                    into[0] = item;
                    1
                }
                Err(error) => {
                    assert_eq!(error, TryPopError::Empty);
                    0
                }
            },
        };
        let run = self.model.claim(into.len(), (count > 0).then(|| into[0]));
        assert_eq!(into[..count], run.items);
        assert!(count == 0 || rx.redelivered() == run.again);
        self.model.release(run, count);
        self.rxs[who].handle = Some(rx);
    }

    fn claim(&mut self, who: usize, items: usize, end: End, meanwhile: &[Step]) {
        let Some(mut rx) = self.take_rx(who) else {
            return;
        };
        match rx.try_claim(items) {
            Err(error) => {
                let run = self.model.claim(1, None);
                assert_eq!((error, run.items.len()), (TryPopError::Empty, 0));
            }
            Ok(got) => {
                let run = self.model.claim(items.max(1), got.iter().next().copied());
                assert_eq!(got.redelivered(), run.again);
                assert_eq!(got.iter().copied().collect::<Vec<_>>(), run.items);
                self.run(meanwhile);
                assert!(got.iter().eq(&run.items), "nobody else writes there");
                self.end_claim(who, got, run, end);
            }
        }
        self.rxs[who].handle = Some(rx);
    }

    fn end_claim(&mut self, who: usize, mut got: Claim<'_, u32>, run: Run, end: End) {
        let all = got.len();
        let released = match end {
            End::Release(n) => {
                got.release(n.min(all));
                n.min(all)
            }
            End::PutBack => {
                got.put_back();
                0
            }
            End::Drop => {
                drop(got);
                0
            }
            End::DropReleased => {
                got.set_on_drop(OnDrop::Release);
                drop(got);
                all
            }
            End::Forget => {
                std::mem::forget(got);
                self.rxs[who].forgotten = Some(run);
                return;
            }
        };
        self.model.release(run, released);
    }

    fn new_producer(&mut self, who: usize) {
        if self.take_tx(who).is_some() {
            self.txs[who] = producer(&self.ring);
        }
    }

    fn new_consumer(&mut self, who: usize) {
        if self.take_rx(who).is_some() {
            self.rxs[who] = consumer(&self.ring);
        }
    }

    /// What was reserved is skipped. Another in its place, and the dead one's remains are put in order.
    fn abandon_producer(&mut self, who: usize) {
        let Some(tx) = self.txs[who].handle.take() else {
            return;
        };
        tx.abandon();
        if let Some(run) = self.txs[who].forgotten.take() {
            self.model.commit(&run, &[]);
        }
        self.txs[who] = producer(&self.ring);
    }

    /// What was claimed comes again, or is gone, as the ring's policy says.
    fn abandon_consumer(&mut self, who: usize) {
        let Some(rx) = self.rxs[who].handle.take() else {
            return;
        };
        rx.abandon();
        if let Some(run) = self.rxs[who].forgotten.take() {
            let dropped = match self.ring.dead_consumer() {
                DeadConsumer::Redeliver => 0,
                DeadConsumer::Drop => run.items.len(),
            };
            self.model.release(run, dropped);
        }
        self.rxs[who] = consumer(&self.ring);
    }

    /// Takes all that is left; then exactly as many items fit as the ring holds.
    pub fn finish(mut self) {
        (0..HANDLES).for_each(|who| self.new_producer(who));
        (0..HANDLES).for_each(|who| self.new_consumer(who));
        while !self.model.returned.is_empty()
            || self
                .model
                .slots
                .iter()
                .any(|slot| matches!(slot, Slot::Full(_)))
        {
            self.pop(0, None);
        }
        self.pop(1, None);
        let mut tx = self.take_tx(0).unwrap();
        let fitting = (0..).take_while(|n| tx.try_push(*n).is_ok()).count();
        assert_eq!(fitting, self.ring.capacity());
    }
}
