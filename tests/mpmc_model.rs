//! Scripts of operations on several handles, made up by proptest, on a shared ring and on a model of its slots: both must
//! answer alike, on both backings. Claims and rooms stay open while other handles are at work.
#![allow(missing_docs)]

mod common;

use common::Place;
use common::slots::{Model, Run, Slot};
use proptest::collection::vec;
use proptest::prelude::*;
use ringpipe::mpmc::{Claim, Consumer, OnDrop, Producer, Ring};
use ringpipe::{PeerLoss, TryPopError, TryPushError};

/// Handles of each role.
const HANDLES: usize = 3;

/// What happens to a claim in the end.
#[derive(Clone, Copy, Debug)]
enum End {
    Release(usize),
    PutBack,
    Drop,
    DropReleased,
    /// The guard is forgotten; the handle puts back what it had, at its next claim or end.
    Forget,
}

#[derive(Clone, Debug)]
enum Step {
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
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => (0_usize..12).prop_map(End::Release),
        1 => Just(End::PutBack),
        1 => Just(End::Drop),
        1 => Just(End::DropReleased),
        1 => Just(End::Forget),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (who, n) = (0..HANDLES, 0_usize..12);
    let leaf = prop_oneof![
        3 => who.clone().prop_map(Step::Push),
        3 => (who.clone(), n.clone()).prop_map(|(who, n)| Step::PushSlice(who, n)),
        3 => who.clone().prop_map(Step::Pop),
        2 => (who.clone(), n.clone()).prop_map(|(who, n)| Step::PopSlice(who, n)),
        1 => who.clone().prop_map(Step::NewProducer),
        1 => who.clone().prop_map(Step::NewConsumer),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        let meanwhile = vec(inner, 0..6);
        let claims = (who.clone(), n.clone(), end(), meanwhile.clone());
        let rooms = (
            who.clone(),
            n.clone(),
            proptest::option::of(n.clone()),
            meanwhile,
        );
        prop_oneof![
            claims.prop_map(|(who, items, end, meanwhile)| Step::Claim {
                who,
                items,
                end,
                meanwhile
            }),
            rooms.prop_map(|(who, room, commit, meanwhile)| Step::Reserve {
                who,
                room,
                commit,
                meanwhile
            }),
        ]
    })
}

/// A handle, unless a guard of it is open; and what a forgotten guard of it had.
#[derive(Debug)]
struct Kept<H> {
    handle: Option<H>,
    forgotten: Option<Run>,
}

/// A ring with its handles beside the model.
struct Bench {
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
    fn new(ring: Ring<u32>) -> Self {
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

    fn run(&mut self, steps: &[Step]) {
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

    /// Takes all that is left; then exactly as many items fit as the ring holds.
    fn finish(mut self) {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_shared_ring_in_a_segment_answers_as_its_model_does(capacity in 1_usize..10, steps in vec(step(), 0..80)) {
        let place = Place::new();
        let mut bench = Bench::new(Ring::create(place.path(), capacity).unwrap());
        bench.run(&steps);
        bench.finish();
    }

    #[test]
    fn a_shared_ring_within_the_process_answers_as_its_model_does(capacity in 1_usize..10, steps in vec(step(), 0..80)) {
        let mut bench = Bench::new(Ring::in_process(capacity).unwrap());
        bench.run(&steps);
        bench.finish();
    }
}
