//! Scripts of operations, made up by proptest, on a ring and on a `VecDeque`: both must answer alike, on both backings.
#![allow(missing_docs)]

mod common;

use std::collections::VecDeque;

use common::Place;
use proptest::collection::vec;
use proptest::prelude::*;
use ringpipe::spsc::{Consumer, Producer, Ring};
use ringpipe::{PeerLoss, TryPopError, TryPushError};

#[derive(Clone, Debug)]
enum Step {
    Push,
    PushSlice(usize),
    Reserve {
        room: usize,
        write: usize,
        commit: usize,
    },
    Pop,
    PopSlice(usize),
    Peek {
        items: usize,
        release: usize,
    },
    NewProducer,
    NewConsumer,
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0_usize..12;
    prop_oneof![
        3 => Just(Step::Push),
        3 => n.clone().prop_map(Step::PushSlice),
        3 => (n.clone(), n.clone(), n.clone()).prop_map(|(room, write, commit)| Step::Reserve { room, write, commit }),
        3 => Just(Step::Pop),
        3 => n.clone().prop_map(Step::PopSlice),
        3 => (n.clone(), n).prop_map(|(items, release)| Step::Peek { items, release }),
        1 => Just(Step::NewProducer),
        1 => Just(Step::NewConsumer),
    ]
}

/// A ring with its handles beside the model.
struct Pair {
    ring: Ring<u32>,
    tx: Option<Producer<u32>>,
    rx: Option<Consumer<u32>>,
    model: VecDeque<u32>,
    next: u32,
}

impl Pair {
    fn new(ring: Ring<u32>) -> Self {
        let mut pair = Self {
            ring,
            tx: None,
            rx: None,
            model: VecDeque::new(),
            next: 0,
        };
        pair.new_producer();
        pair.new_consumer();
        pair
    }

    fn new_producer(&mut self) {
        self.tx = None;
        let mut tx = self.ring.producer().unwrap();
        tx.set_peer_loss(PeerLoss::Wait);
        self.tx = Some(tx);
    }

    fn new_consumer(&mut self) {
        self.rx = None;
        let mut rx = self.ring.consumer().unwrap();
        rx.set_peer_loss(PeerLoss::Wait);
        self.rx = Some(rx);
    }

    fn free(&self) -> usize {
        self.ring.capacity() - self.model.len()
    }

    /// The next `n` items to push.
    fn fresh(&self, n: usize) -> Vec<u32> {
        (self.next..).take(n).collect()
    }

    /// Notes that the first `n` fresh items were pushed.
    fn pushed(&mut self, n: usize) {
        self.model.extend(self.fresh(n));
        self.next += n as u32;
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Push => self.push(),
            Step::PushSlice(n) => self.push_slice(n),
            Step::Reserve {
                room,
                write,
                commit,
            } => self.reserve(room, write, commit),
            Step::Pop => {
                let expected = self.model.pop_front().ok_or(TryPopError::Empty);
                assert_eq!(self.rx.as_mut().unwrap().try_pop(), expected);
            }
            Step::PopSlice(n) => {
                let mut into = vec![0; n];
                let count = self.rx.as_mut().unwrap().try_pop_slice(&mut into).unwrap();
                let expected: Vec<u32> = self.model.drain(..n.min(self.model.len())).collect();
                assert_eq!(into[..count], expected);
            }
            Step::Peek { items, release } => self.peek(items, release),
            Step::NewProducer => self.new_producer(),
            Step::NewConsumer => self.new_consumer(),
        }
        self.compare();
    }

    fn push(&mut self) {
        let full = self.free() == 0;
        let item = self.next;
        let result = self.tx.as_mut().unwrap().try_push(item);
        assert_eq!(
            result,
            if full {
                Err(TryPushError::Full(item))
            } else {
                Ok(())
            }
        );
        self.pushed(usize::from(!full));
    }

    fn push_slice(&mut self, n: usize) {
        let items = self.fresh(n);
        let count = self.tx.as_mut().unwrap().try_push_slice(&items).unwrap();
        assert_eq!(count, n.min(self.free()));
        self.pushed(count);
    }

    fn reserve(&mut self, room: usize, write: usize, commit: usize) {
        let (free, items) = (self.free(), self.fresh(write));
        let mut got = match self.tx.as_mut().unwrap().try_reserve(room) {
            Ok(got) => got,
            Err(error) => {
                assert_eq!((error, free), (TryPushError::Full(()), 0));
                return;
            }
        };
        assert_eq!(got.len(), room.max(1).min(free));
        let written = got.write(&items);
        assert_eq!(written, write.min(got.len()));
        let (first, second) = got.as_mut_slices();
        assert_eq!(first.len() + second.len(), room.max(1).min(free));
        let commit = commit.min(written);
        got.commit(commit);
        self.pushed(commit);
    }

    fn peek(&mut self, items: usize, release: usize) {
        let expected: Vec<u32> = self.model.iter().copied().take(items.max(1)).collect();
        match self.rx.as_mut().unwrap().try_peek(items) {
            Ok(got) => {
                assert!(got.iter().eq(&expected));
                let release = release.min(got.len());
                got.release(release);
                self.model.drain(..release);
            }
            Err(error) => assert_eq!((error, expected.len()), (TryPopError::Empty, 0)),
        }
    }

    fn compare(&self) {
        let (tx, rx) = (self.tx.as_ref().unwrap(), self.rx.as_ref().unwrap());
        for len in [self.ring.len(), tx.len(), rx.len()] {
            assert_eq!(len, self.model.len());
        }
        assert_eq!(
            (tx.is_full(), rx.is_full()),
            (self.free() == 0, self.free() == 0)
        );
        assert_eq!(
            (tx.is_empty(), rx.is_empty()),
            (self.model.is_empty(), self.model.is_empty())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_ring_in_a_segment_answers_as_a_queue_does(capacity in 1_usize..10, steps in vec(step(), 0..120)) {
        let place = Place::new();
        let mut pair = Pair::new(Ring::create(place.path(), capacity).unwrap());
        steps.iter().for_each(|step| pair.run(step));
    }

    #[test]
    fn a_ring_within_the_process_answers_as_a_queue_does(capacity in 1_usize..10, steps in vec(step(), 0..120)) {
        let mut pair = Pair::new(Ring::in_process(capacity).unwrap());
        steps.iter().for_each(|step| pair.run(step));
    }
}
